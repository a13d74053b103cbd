"""The one gate for arguments: what is wrong is said in a sentence, before any number is computed."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import BEARING_DEFECTS

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
SampleArray = npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]

SHORTEST_BLOCK: Final = 16
"""Samples below which a spectrum has no meaning: the main lobe of the window alone is four bins wide."""

_SAMPLE_TYPES: Final = (np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.float32))


def check_rate(fs_hz: float) -> float:
    """A sampling rate in Hz, or ValueError."""
    if not (math.isfinite(fs_hz) and fs_hz > 0):
        raise ValueError(f"fs_hz must be a positive number of samples a second, got {fs_hz!r}")
    return float(fs_hz)


def check_length(n_samples: int) -> int:
    """A number of samples in a block, or ValueError."""
    if not isinstance(n_samples, int | np.integer) or n_samples < SHORTEST_BLOCK:
        raise ValueError(f"n_samples must be a whole number of at least {SHORTEST_BLOCK}, got {n_samples!r}")
    return int(n_samples)


def check_bands(bands: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Demodulation bands in Hz, or ValueError."""
    if not bands:
        raise ValueError("bands must hold at least one (low, high) in Hz, got none")
    for low, high in bands:
        if not 0 < low < high < math.inf:
            raise ValueError(f"a demodulation band must be 0 < low < high in Hz, got ({low!r}, {high!r})")
    return tuple((float(low), float(high)) for low, high in bands)


def check_samples(x: npt.NDArray[np.generic], n_samples: int | None = None) -> SampleArray:
    """A batch of blocks (n, n_samples) of int16, int32 or float32, or ValueError. Never a copy."""
    array = np.asarray(x)
    if array.ndim != 2:
        raise ValueError(
            f"x must be a batch of blocks of shape (n, n_samples), got shape {array.shape}: "
            "write x[None, :] for a single block"
        )
    if n_samples is not None and array.shape[1] != n_samples:
        raise ValueError(
            f"x must hold blocks of {n_samples} samples, got {array.shape[1]}: "
            "an extractor serves one length; make another for this one"
        )
    if array.shape[1] < SHORTEST_BLOCK:
        raise ValueError(f"x must hold blocks of at least {SHORTEST_BLOCK} samples, got {array.shape[1]}")
    if array.dtype.newbyteorder("=") not in _SAMPLE_TYPES:
        raise ValueError(
            f"x must be int16, int32 or float32, got {array.dtype}: convert it with x.astype(np.float32)"
        )
    return array


def check_scale(scale: npt.ArrayLike, n: int) -> DoubleArray:
    """Unit per count of each block, (n,) and positive: a sensor mounted the other way changes no level."""
    array = np.abs(_per_block("scale", scale, n))
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError("scale must be finite and other than 0: it is the unit of one count")
    return array


def check_speed(speed_hz: npt.ArrayLike | None, n: int) -> DoubleArray:
    """Speed of each block in Hz, (n,); NaN where it is unknown."""
    array = _per_block("speed_hz", np.nan if speed_hz is None else speed_hz, n)
    if np.isinf(array).any() or (array < 0).any():
        raise ValueError(
            "speed_hz must be 0 or more, and NaN where it is unknown: a direction has no meaning here"
        )
    return array


def check_orders(orders: npt.ArrayLike | None, n: int) -> DoubleArray:
    """Defect orders of each block, (n, 4) in the order of `BEARING_DEFECTS`; NaN where they are unknown."""
    k = len(BEARING_DEFECTS)
    array = np.asarray(np.full(k, np.nan) if orders is None else orders, dtype=np.float64)
    if array.shape not in ((k,), (n, k)):
        raise ValueError(
            f"orders must be ({n}, {k}), one row a block in the order {', '.join(BEARING_DEFECTS)}, "
            f"got shape {array.shape}"
        )
    if np.isinf(array).any() or (array <= 0).any():
        raise ValueError("orders must be above 0, and NaN where they are unknown")
    return np.broadcast_to(array, (n, k))


def _per_block(name: str, value: npt.ArrayLike, n: int) -> DoubleArray:
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in ((), (n,)):
        raise ValueError(
            f"{name} must be one number, or one for each of the {n} blocks, got shape {array.shape}"
        )
    return np.broadcast_to(array, (n,))
