"""The health index: 100 is the machine's own baseline, 60 its alert, 20 its danger, 0 is 1.6 times danger.

Between these an indicator counts by the logarithm of its level, as damage does. Indicators speak for a
failure mode; a mode is as good as its worst indicator and a machine as its worst mode: a mean would hide
the one bearing that fails. What is seen early (envelope, kurtosis, kurtogram) can't take a mode below 50: a
bearing of stage 2 has weeks to months.

The index of a mode falls by 0.3 of the way at each block, on the median of the latest five (evidence of three
blocks at least), and does not rise by itself: damage does not heal. After a recorded intervention it may
rise, by 0.1 of the way a block, for as many blocks as that takes. What is not known stays unknown, and is
not health.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray

AT_BASELINE, AT_ALERT, AT_DANGER = 100.0, 60.0, 20.0
END_OF_SCALE: Final = 1.6
"""Times danger at which nothing is left: the step from one zone limit of ISO 20816-3 to the next."""

EARLY_FLOOR: Final = 50.0
"""Least index of early evidence: below alert, above what an intervention within a week means."""

DOWN: Final = 0.3
UP: Final = 0.1
"""Share of the way that an index moves in a block: five blocks down to a sixth, a third as fast up."""

MEDIAN_OF: Final = 5
"""Blocks whose median is taken: two odd ones of five move nothing, three do."""

RISING_BLOCKS: Final = 40
"""Blocks after an intervention during which an index may rise: 0.9^40 leaves 1.5 % of the way."""

VERSION: Final = 1
"""Of the saved state: another one is not read."""


@dataclass(frozen=True, slots=True)
class Modes:
    """Which failure mode each of k indicators speaks for, and which of them are early evidence."""

    mode_of: tuple[str, ...]
    early: tuple[bool, ...]

    def __post_init__(self) -> None:
        if not self.mode_of or len(self.mode_of) != len(self.early):
            raise ValueError(
                f"modes and early flags must be one each per indicator, got {len(self.mode_of)} and "
                f"{len(self.early)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The modes, in the order of their first indicator."""
        return tuple(dict.fromkeys(self.mode_of))


@dataclass(frozen=True, slots=True)
class Health:
    """Of n machines: `index` (n,) 0-100, NaN where no mode is known; `modes` (n, m) in the order of `names`,
    NaN where a mode is not known; `worst` (n,): place of the worst mode, -1 where there is none; `complete`
    (n,): whether every mode is known. An index that is not complete says how bad it is at least."""

    names: tuple[str, ...]
    index: DoubleArray
    modes: DoubleArray
    worst: npt.NDArray[np.intp]
    complete: npt.NDArray[np.bool_]

    def worst_mode(self, machine: int) -> str | None:
        """The name of the mode that the number is of."""
        place = int(self.worst[machine])
        return None if place < 0 else self.names[place]


@dataclass(frozen=True, slots=True)
class HealthState:
    """What is carried from block to block: `held` (n, m), the index of each mode, NaN before its first;
    `recent` (MEDIAN_OF, n, m), the latest readings, oldest first; `rising` (n, m), blocks left to rise in."""

    held: DoubleArray
    recent: DoubleArray = field(repr=False)
    rising: npt.NDArray[np.intp] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """For a file or a database; `from_dict` reads it. NaN is None."""
        return {
            "version": VERSION,
            "held": _listed(self.held),
            "recent": _listed(self.recent),
            "rising": self.rising.tolist(),
            "shape": list(self.held.shape),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> HealthState:
        """The state that was saved. Raises ValueError for another version."""
        if saved.get("version") != VERSION:
            raise ValueError(
                f"a saved health state must be of version {VERSION}, got {saved.get('version')!r}: start anew"
            )
        shape = tuple(saved["shape"])
        held = np.array(saved["held"], dtype=np.float64).reshape(shape)
        recent = np.array(saved["recent"], dtype=np.float64).reshape((MEDIAN_OF, *shape))
        return cls(held, recent, np.array(saved["rising"], dtype=np.intp).reshape(shape))


def start(machines: int, modes: Modes) -> HealthState:
    """The state before the first block."""
    shape = (machines, len(modes.names))
    empty = np.full((MEDIAN_OF, *shape), np.nan)
    # The first block of all may be an odd one: until a machine is known its index may rise as after a repair.
    return HealthState(np.full(shape, np.nan), empty, np.full(shape, RISING_BLOCKS, dtype=np.intp))


def indicator_index(
    value: npt.ArrayLike, baseline: npt.ArrayLike, alert: npt.ArrayLike, danger: npt.ArrayLike
) -> DoubleArray:
    """0-100 of each level, arguments in one unit and of shapes that go together.

    NaN where something is not known, a level is not positive (a machine at rest, a dead sensor), or the
    limits do not rise: 0 < baseline < alert < danger. A temperature is given as its rise over its
    surroundings.
    """
    x, base, warn, stop = (np.asarray(part, dtype=np.float64) for part in (value, baseline, alert, danger))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        known = np.isfinite(x) & (x > 0) & (base > 0) & (base < warn) & (warn < stop) & np.isfinite(stop)
        safe = [
            np.where(known, part, fill) for part, fill in ((x, 1.0), (base, 1.0), (warn, 2.0), (stop, 4.0))
        ]
        level, low, middle, high = (np.log(part) for part in safe)
    steps = (
        (level - low) / (middle - low),
        (level - middle) / (high - middle),
        (level - high) / np.log(END_OF_SCALE),
    )
    drops = (AT_BASELINE - AT_ALERT, AT_ALERT - AT_DANGER, AT_DANGER)
    lost = sum(drop * np.minimum(np.maximum(s, 0.0), 1.0) for drop, s in zip(drops, steps, strict=True))
    return np.where(known, AT_BASELINE - lost, np.nan)


def mode_index(indicators: npt.ArrayLike, modes: Modes) -> DoubleArray:
    """The index of each mode (n, m) from those of its indicators (n, k): the worst that is known."""
    index = np.atleast_2d(np.asarray(indicators, dtype=np.float64))
    if index.ndim != 2 or index.shape[1] != len(modes.mode_of):
        raise ValueError(f"indicators must have shape (n, {len(modes.mode_of)}), got {index.shape}")
    by_mode = _by_mode(modes)
    index = np.where(by_mode.early, np.maximum(index, EARLY_FLOOR), index)
    told = np.where(np.isfinite(index), index, np.inf)[:, by_mode.order]
    worst = np.minimum.reduceat(told, by_mode.first, axis=1)
    return np.where(np.isfinite(worst), worst, np.nan)


def step(
    state: HealthState, indicators: npt.ArrayLike, modes: Modes, *, repaired: npt.ArrayLike = False
) -> tuple[HealthState, Health]:
    """The state after one block of every machine, and the health that is known at it; as `advance`."""
    after, known = _advanced(state, indicators, modes, repaired)
    return after, _health(np.where(known, after.held, np.nan), modes.names)


def advance(
    state: HealthState, indicators: npt.ArrayLike, modes: Modes, *, repaired: npt.ArrayLike = False
) -> HealthState:
    """The state after one block of every machine: indicators (n, k) of 0-100 as `indicator_index` gives them,
    NaN unknown.

    `repaired` (n,) or (n, m): an intervention was recorded since the last block, on the machine or on
    modes; it forgets the readings before it. Never writes into what it is given. Raises ValueError for
    another shape.
    """
    return _advanced(state, indicators, modes, repaired)[0]


def _advanced(
    state: HealthState, indicators: npt.ArrayLike, modes: Modes, repaired: npt.ArrayLike
) -> tuple[HealthState, npt.NDArray[np.bool_]]:
    """The state after a block, and which modes (n, m) are known at it."""
    now = mode_index(indicators, modes)
    if now.shape != state.held.shape:
        raise ValueError(f"the state is of {state.held.shape} machines x modes, the block of {now.shape}")
    mended, known = np.asarray(repaired, dtype=bool), np.isfinite(now)
    before, rising = state.recent, state.rising
    if mended.any():
        mended = np.broadcast_to(mended[:, None] if mended.ndim == 1 else mended, now.shape)
        before, rising = np.where(mended[None], np.nan, before), np.where(mended, RISING_BLOCKS, rising)
    recent = np.where(known[None], np.concatenate([before[1:], now[None]]), before)
    reading = _median(recent)
    held = np.where(np.isnan(state.held), reading, state.held)
    move = np.where(reading < held, DOWN, np.where(rising > 0, UP, 0.0))
    held = np.where(known, held + move * (reading - held), held)
    rising = np.where(known, np.maximum(rising - 1, 0), rising).astype(np.intp)
    return HealthState(held, recent, rising), known


@dataclass(frozen=True, slots=True)
class _ByMode:
    """The indicators in the `order` of their modes, the `first` of each there, and which are early."""

    order: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp]
    early: npt.NDArray[np.bool_]


@cache
def _by_mode(modes: Modes) -> _ByMode:
    owner = np.array([modes.names.index(mode) for mode in modes.mode_of])
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], np.arange(len(modes.names)))
    return _ByMode(order, first, np.array(modes.early))


def _health(shown: DoubleArray, names: tuple[str, ...]) -> Health:
    known = np.isfinite(shown)
    filled = np.where(known, shown, np.inf)
    some = known.any(axis=1)
    return Health(
        names=names,
        index=np.where(some, filled.min(axis=1), np.nan),
        modes=shown,
        worst=np.where(some, filled.argmin(axis=1), -1).astype(np.intp),
        complete=np.asarray(known.all(axis=1), dtype=np.bool_),
    )


def _median(recent: DoubleArray) -> DoubleArray:
    """Median over the first axis of what is known, the better one of two: a single bad block is no
    evidence."""
    count = np.isfinite(recent).sum(axis=0)
    ordered = np.sort(recent, axis=0)  # NaN last
    found = np.choose(np.minimum(count // 2, MEDIAN_OF - 1), ordered)
    return np.where(count > 0, found, np.nan)


def _listed(values: DoubleArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values.ravel()]
