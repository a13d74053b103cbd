"""How warm a bearing's housing is beside what it should be, block by block. Pure.

Rules:
1. Without a probe in the air beside the machine there is no model and nothing is said: the weather moves a
   housing by more than a bearing does that begins to fail.
2. Fresh grease churns for hours: within `GREASED_NS` after a greasing was recorded its warmth makes no alert;
   a danger it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.housing import CAUSES, Housing, Housings, HousingState
from models.detection.measured import Some
from models.detection.plain import decode, encode, from_arrays, to_arrays
from palier.historian.rows import HOUR_NS
from palier.operations import InterventionKind

from .scoring import Scored
from .watch_parts import Place, Watched

HOUSING: Final = "#housing"
"""Key of what was learned of a point's housing in the records: "MACHINE/POINT#housing:VERSION"."""

GREASED_NS: Final = 8 * HOUR_NS
"""How long fresh grease warms a housing, by 10 to 15 K."""

GREASING: Final = str(InterventionKind.GREASING)

NEVER_GREASED: Final[Mapping[str, int]] = MappingProxyType({})

Floats = npt.NDArray[np.float64]


def warmth(
    housings: Housings, which: Some, before: HousingState, entries: Sequence[Scored]
) -> tuple[HousingState, Floats]:
    """What is remembered of `which` housings after a block of each, and by how much (n,) they are warmer than
    expected, in K.
    """
    if not housings.any:
        return before, np.full(len(entries), np.nan)
    told = [(e.ambient_c, e.load_percent, np.nan if e.shaft_hz is None else e.shaft_hz) for e in entries]
    time_s = np.array([entry.block.start_ns / 1e9 for entry in entries])
    warm = np.array([entry.temperature_c for entry in entries], dtype=np.float64)
    causes = np.array(told, dtype=np.float64).reshape(-1, CAUSES)
    return housings.of(which).step(before, time_s, warm, causes)


def greased_of(work: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """When (ns) each machine was last greased, of the last work of each (machine, kind)."""
    return {machine: at_ns for (machine, kind), at_ns in work.items() if kind == GREASING}


def churned(
    residual: Floats, points: Sequence[Watched], entries: Sequence[Scored], greased: Mapping[str, int]
) -> Floats:
    """The residuals but those that fresh grease explains; `greased` is when each machine last was (ns)."""
    if not greased or np.isnan(residual).all():
        return residual
    each = zip(residual.tolist(), points, entries, strict=True)
    return np.array([unexplained(k, one, e.block.start_ns, greased) for k, one, e in each])


def unexplained(residual_k: float, one: Watched, ts_ns: int, greased: Mapping[str, int]) -> float:
    """A residual, NaN where fresh grease explains it."""
    fresh = 0 <= ts_ns - greased.get(one.place[1], ts_ns - GREASED_NS) < GREASED_NS
    return np.nan if fresh and not residual_k > one.part.residual_danger else residual_k


def key_of(place: Place, version: int) -> tuple[str, str]:
    """(site, key of the records) of what a point learned of its housing beside a version of the baseline."""
    site, machine, point = place
    return site, f"{machine}/{point}{HOUSING}:{version}"


def to_text(housing: Housing) -> str:
    """One line of ASCII, as the records keep it."""
    return encode(to_arrays(housing))


def from_text(text: str) -> Housing:
    """What `to_text` wrote. Raises ValueError for anything else."""
    return from_arrays(Housing, decode(text))
