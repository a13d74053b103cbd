"""The rows that the historian is benched with: features as the extractor gives them, of a whole plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.catalogue import NAMES
from palier.historian.base import Rows

from . import extraction
from .extraction import SHORT, Variant
from .subjects import MOTOR, SPINDLE

SITE: Final = "usine"
MACHINES: Final = 50
POINTS: Final = 4
CHANNELS: Final = ("x", "y", "z")

SECOND_NS: Final = 10**9
START_NS: Final = 1_700_000_000 * SECOND_NS

NARROW: Final = 40
"""Fields of the line that others are compared with, all of them known."""

WINDOWS: Final = 64
"""Extracted of each of two machines; a batch repeats them."""


def feature_rows(n: int, start_ns: int = START_NS) -> Rows:
    """Whole rows of `feature`, one of each channel a second. Half know what a slow shaft can't give."""
    turn = np.arange(n)
    both = np.stack([_features("spindle"), _features("motor")])
    table = both[turn // 32 % 2, turn % WINDOWS]
    fields: dict[str, npt.NDArray[np.generic] | list[str | None]] = {
        name: table[:, i] for i, name in enumerate(NAMES)
    }
    fields["speed_rpm"] = np.full(n, MOTOR.speed_hz * 60)
    fields["load_percent"] = np.full(n, 75.0)
    fields["zone"] = ["ABC"[i // 400 % 3] for i in range(n)]
    fields["frame"] = [f"{SITE}/gw-1:0123456789abcdef:{i // len(CHANNELS)}" for i in range(n)]
    return _of_plant(n, fields, start_ns)


def narrow_rows(n: int) -> Rows:
    """Rows of NARROW features and no text."""
    table = _features("spindle")
    known = np.flatnonzero(~np.isnan(table).any(axis=0))[:NARROW]
    columns = table[np.arange(n) % WINDOWS]
    return _of_plant(n, {NAMES[i]: columns[:, i] for i in known.tolist()}, START_NS)


def shifted(rows: Rows, by_ns: int) -> Rows:
    """The same rows at another time."""
    return replace(rows, ts_ns=rows.ts_ns + by_ns)


def machine(i: int) -> str:
    """Name of the i-th machine."""
    return f"pompe-{i:02d}"


@lru_cache(maxsize=2)
def _features(name: str) -> npt.NDArray[np.float64]:
    """Features (WINDOWS, names) of the windows of a machine."""
    of = {"spindle": SPINDLE, "motor": MOTOR}[name]
    variant = Variant("catalogue", SHORT, "float32", compiled=False, machine=of)
    data = extraction.batch(WINDOWS, SHORT)
    return extraction.extract(variant.extractor(), data.float32, 1.0, of).astype(np.float64)


def _of_plant(
    n: int, fields: Mapping[str, npt.NDArray[np.generic] | list[str | None]], start_ns: int
) -> Rows:
    """Rows of all channels of all machines in turn."""
    turn = np.arange(n)
    series = len(CHANNELS) * POINTS * MACHINES
    return Rows(
        "feature",
        site=[SITE] * n,
        machine=[machine(i // (len(CHANNELS) * POINTS) % MACHINES) for i in range(n)],
        point=[f"palier-{i // len(CHANNELS) % POINTS + 1}" for i in range(n)],
        channel=[CHANNELS[i % len(CHANNELS)] for i in range(n)],
        ts_ns=(start_ns + turn // series * SECOND_NS).astype(np.int64),
        fields=fields,
    )
