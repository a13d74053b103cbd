"""What a level means: from a value and the limits that apply to a state, a severity and a zone.

Limits are data (`models/limits/*.toml`, read by `palier.limits`). One map for every standard:

- zones (A/B, B/C, C/D; ISO 20816-3, ISO 10816-1, ISO 10816-7): A and B normal, C alert, D danger;
- three values (start-up, alarm, shutdown; ISO 14694): up to start-up normal, up to alarm watch, up to
  shutdown alert, above it danger; where the standard has no shutdown value, above alarm stays alert;
- two values (alert, danger; temperature practice): normal, alert, danger;
- no limits: learning, never normal.

A value that equals a limit belongs to the better side. As long as a machine has no baseline of its own, a
state is judged by a standard's limits only and says so: `learning` is set beside it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import SLOW_BELOW_HZ, usable_hz
from models.types import Refusal, State

UNIT_UNKNOWN: Final = Refusal("unit_unknown", "give_unit")
BAND_TOO_NARROW: Final = Refusal("band_too_narrow", "raise_sampling_rate")
BLOCK_TOO_SHORT: Final = Refusal("block_too_short", "lengthen_block")
NOT_FINITE: Final = Refusal("not_finite", "check_sensor")
NO_DATA: Final = Refusal("no_data", "check_gateway")

STANDSTILL_RPM: Final = 1.0
"""Below this a shaft stands: encoders and drives tremble around zero."""

REFUSALS: Final = (UNIT_UNKNOWN, BAND_TOO_NARROW, BLOCK_TOO_SHORT, NOT_FINITE, NO_DATA)
"""Every refusal that this module gives: a locale must have a sentence for each."""


class LimitKind(StrEnum):
    """What the numbers of a `LimitSet` mean."""

    ZONES = "zones"
    THREE_VALUES = "three_values"
    TWO_VALUES = "two_values"


@dataclass(frozen=True, slots=True)
class _Map:
    """Per interval between limits, from the best: state, severity, zone; and the names of the limits."""

    states: tuple[State, ...]
    severities: tuple[int, ...]
    zones: tuple[str | None, ...]
    names: tuple[str, ...]


_MAPS: Final = {
    LimitKind.ZONES: _Map(
        (State.NORMAL, State.NORMAL, State.ALERT, State.DANGER),
        (1, 1, 3, 5),
        ("A", "B", "C", "D"),
        ("A/B", "B/C", "C/D"),
    ),
    LimitKind.THREE_VALUES: _Map(
        (State.NORMAL, State.WATCH, State.ALERT, State.DANGER),
        (1, 2, 3, 5),
        (None, None, None, None),
        ("startup", "alarm", "shutdown"),
    ),
    LimitKind.TWO_VALUES: _Map(
        (State.NORMAL, State.ALERT, State.DANGER), (1, 3, 5), (None, None, None), ("alert", "danger")
    ),
}


@dataclass(frozen=True, slots=True)
class LimitSet:
    """One row of limits. `values` rise; their meaning is `kind`. A missing shutdown value is left out.

    `quantity` is the feature or reading that is compared ("velocity_rms_mm_s", "temperature_c", ...);
    `band_hz` its band, `slow_band_hz` the band below 600 r/min where the standard has one;
    `displacement_um` the RMS displacement limits of the same zones (they govern slow machines).
    `verified_by` is "none" where nobody has compared the row with the standard itself.
    Raises ValueError where the values are not positive and rising or do not fit the kind.
    """

    id: str
    standard: str
    edition: str
    source: str
    verified_by: str
    quantity: str
    kind: LimitKind
    values: tuple[float, ...]
    support: str = ""
    scope: str = ""
    band_hz: tuple[float, float] | None = None
    slow_band_hz: tuple[float, float] | None = None
    displacement_um: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wanted = {LimitKind.ZONES: (3,), LimitKind.THREE_VALUES: (2, 3), LimitKind.TWO_VALUES: (2,)}[
            self.kind
        ]
        if len(self.values) not in wanted:
            raise ValueError(
                f"limits {self.id}: kind {self.kind} takes {wanted} values, got {len(self.values)}"
            )
        for values in (self.values, self.displacement_um):
            if any(not 0 < v < np.inf for v in values) or list(values) != sorted(set(values)):
                raise ValueError(f"limits {self.id}: values must be positive and rising, got {values}")
        for band in (self.band_hz, self.slow_band_hz):
            if band is not None and not 0 < band[0] < band[1]:
                raise ValueError(f"limits {self.id}: a band must be 0 < low < high in Hz, got {band}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values, from the lowest: "A/B", "B/C", "C/D", or "startup", "alarm", ..."""
        return _MAPS[self.kind].names[: len(self.values)]

    def limit_of(self, state: State) -> float | None:
        """The value above which this state begins; None where these limits have none for it."""
        states = _MAPS[self.kind].states
        place = states.index(state) - 1 if state in states else -1
        return self.values[place] if 0 <= place < len(self.values) else None

    def feature(self, speed_hz: float | None) -> str:
        """The feature to compare: from 2 Hz on where the machine is known to turn below 600 r/min."""
        slow = self.slow_band_hz is not None and speed_hz is not None and 0 < speed_hz < SLOW_BELOW_HZ
        return self.quantity.replace("velocity_rms_", "velocity_rms_low_") if slow else self.quantity


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one value.

    `state` is what people see. `judged` is the state by the limits, None where nothing was judged (stopped,
    unknown, learning without limits). `learning` says that no baseline stood behind it. `severity` is 1..5,
    0 where nothing was judged. `limit_name` and `limit` are the highest limit that the value exceeds, None
    below the lowest. `reason` and `remedy` are keys of the locale, set where the state is unknown.
    """

    state: State
    judged: State | None = None
    learning: bool = False
    severity: int = 0
    zone: str | None = None
    value: float | None = None
    limits_id: str | None = None
    limit_name: str | None = None
    limit: float | None = None
    reason: str | None = None
    remedy: str | None = None


def intervals(values: npt.ArrayLike, limits: LimitSet) -> npt.NDArray[np.int8]:
    """For each finite value the number of limits it exceeds (0 = best); -1 for a value that is not finite."""
    array = np.asarray(values, dtype=np.float64)
    # side="left": a value equal to a limit has not exceeded it.
    index = np.searchsorted(np.asarray(limits.values), array, side="left").astype(np.int8)
    return np.where(np.isfinite(array), index, np.int8(-1)).astype(np.int8)


def severities(values: npt.ArrayLike, limits: LimitSet) -> npt.NDArray[np.int8]:
    """Severity 1..5 of each value, 0 for a value that is not finite."""
    table = np.array([*_MAPS[limits.kind].severities, 0], dtype=np.int8)
    return table[intervals(values, limits)]


def judge(
    value: float | None,
    limits: LimitSet | None,
    *,
    unit: str = "m/s²",
    fs_hz: float | None = None,
    n_samples: int | None = None,
    speed_hz: float | None = None,
) -> Judgement:
    """The judgement of one value, in the unit of `limits.quantity`.

    `unit`, `fs_hz` and `n_samples` are those of the block it was computed from, so that a value that can't
    be judged says why; `speed_hz` 0 means a machine known to stand still, None an unknown speed.
    Only limits judge here: a machine without them is learning, whatever the value.
    """
    if speed_hz == 0:
        return Judgement(State.STOPPED, value=_known(value))
    refusal = refuse(value, limits, unit=unit, fs_hz=fs_hz, n_samples=n_samples, speed_hz=speed_hz)
    if refusal is not None:
        return unknown(refusal, limits)
    if limits is None or value is None:  # without limits a value may be missing; with them it was refused
        return Judgement(State.LEARNING, learning=True, value=_known(value))
    index = bisect_left(
        limits.values, value
    )  # as in `intervals`, a value equal to a limit has not exceeded it
    row = _MAPS[limits.kind]
    return Judgement(
        state=row.states[index],
        judged=row.states[index],
        learning=True,
        severity=row.severities[index],
        zone=row.zones[index],
        value=float(value),
        limits_id=limits.id,
        limit_name=row.names[index - 1] if index else None,
        limit=limits.values[index - 1] if index else None,
    )


def refuse(
    value: float | None,
    limits: LimitSet | None,
    *,
    unit: str,
    fs_hz: float | None = None,
    n_samples: int | None = None,
    speed_hz: float | None = None,
) -> Refusal | None:
    """Why a value can't be judged by these limits, or None. Without limits neither unit nor band matters."""
    if limits is not None:
        if unit == "unknown":
            return UNIT_UNKNOWN
        slow = limits.feature(speed_hz) != limits.quantity
        refusal = _uncovered(limits.slow_band_hz if slow else limits.band_hz, fs_hz, n_samples)
        if refusal is not None:
            return refusal
        if value is None:
            return NO_DATA
    return NOT_FINITE if value is not None and not math.isfinite(value) else None


def _uncovered(
    band_hz: tuple[float, float] | None, fs_hz: float | None, n_samples: int | None
) -> Refusal | None:
    """What forbids a band: a filter below its top, or a block shorter than a period of its bottom."""
    if band_hz is None or fs_hz is None:
        return None
    if band_hz[1] > usable_hz(fs_hz) * (1 + 1e-9):
        return BAND_TOO_NARROW
    return BLOCK_TOO_SHORT if n_samples is not None and fs_hz > band_hz[0] * n_samples else None


def unknown(refusal: Refusal, limits: LimitSet | None = None) -> Judgement:
    """The judgement that a refusal stands for."""
    return Judgement(
        State.UNKNOWN,
        reason=refusal.reason,
        remedy=refusal.remedy,
        limits_id=limits.id if limits else None,
    )


_ORDER: Final = (
    State.DANGER,
    State.ALERT,
    State.WATCH,
    State.UNKNOWN,
    State.UNCONFIGURED,
    State.TRANSIENT,
    State.LEARNING,
    State.NORMAL,
    State.STOPPED,
)
_RANK: Final = {state: place for place, state in enumerate(reversed(_ORDER), start=1)}


def rank(state: State) -> int:
    """Place of a state in the order in which points speak for their machine; higher speaks first."""
    return _RANK[state]


def worst(states: Iterable[State]) -> State:
    """The state of a machine from those of its points; unknown where there is none.

    What is abnormal holds for the machine if it holds at one point, so an unknown point hides no alert. What
    is calm holds only if it holds at every point: one unknown or learning point, and the machine is not
    called normal.
    """
    return max(states, key=rank, default=State.UNKNOWN)


def worst_of(judgements: Iterable[Judgement]) -> Judgement:
    """The judgement that speaks for the machine: by state, severity, then excess over its limit.

    Of equals the first speaks: vibration stands before temperature, which has no zone to tell of. `learning`
    is set where it is set on any of them. Without any judgement: unknown, no data.
    """
    everyone = tuple(judgements)
    if not everyone:
        return unknown(NO_DATA)
    leader = max(everyone, key=lambda j: (rank(j.state), j.severity, _excess(j)))
    learning = any(j.learning for j in everyone)
    return leader if leader.learning is learning else replace(leader, learning=learning)


def _excess(judgement: Judgement) -> float:
    if judgement.value is None or judgement.limit is None:
        return 0.0
    return judgement.value / judgement.limit


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
