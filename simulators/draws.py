"""Randomness as a function of what it is for: the same seed and name give the same draw, in any order.

A plant that can be asked for any instant, past or future, without stepping through time needs draws that do
not depend on what was drawn before. Each stream has a key, a hash of the seed and of what it is drawn for;
numbers of a stream are addressed by their index (a counter-based generator: Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC11). A machine more in a plant changes no draw of another.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""Constants of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), a generator whose state is a counter."""
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_SECOND: Final = 0xD1B54A32D192ED03
"""Takes a second, independent uniform number from the same key and index."""


def key_of(*labels: str | int) -> int:
    """The key of a stream, from the seed and the names of what it is for; 64 bits."""
    text = "\x1f".join(str(label) for label in labels)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(key: int, *labels: str | int) -> np.random.Generator:
    """A generator for much at once: the samples of a block."""
    mixed = key_of(key, *labels) if labels else key
    return np.random.Generator(np.random.SFC64([mixed & 0xFFFFFFFF, mixed >> 32]))


def uniforms(key: int, index: npt.ArrayLike) -> Floats:
    """The numbers at `index` (any shape of whole numbers) of the stream: within 0..1, never 0 or 1."""
    with np.errstate(over="ignore"):
        z = np.asarray(index, dtype=np.int64).astype(np.uint64) * _GOLDEN + np.uint64(key & _MASK)
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        z ^= z >> np.uint64(31)
    out: Floats = (
        (z >> np.uint64(12)).astype(np.float64) + 0.5
    ) * 2.0**-52  # with 53 bits the half is rounded
    return out


def normals(key: int, index: npt.ArrayLike) -> Floats:
    """Standard normal numbers at `index` of the stream (Box & Muller, Ann. Math. Stat. 29 (1958) 610)."""
    radius = np.sqrt(-2 * np.log(uniforms(key, index)))
    out: Floats = radius * np.cos(2 * math.pi * uniforms(key ^ _SECOND, index))
    return out


def uniform(key: int, low: float = 0.0, high: float = 1.0, *, index: int = 0) -> float:
    """One number of the stream, within low..high."""
    return low + (high - low) * float(uniforms(key, index))


def normal(key: int, *, index: int = 0) -> float:
    """One standard normal number of the stream."""
    return float(normals(key, index))
