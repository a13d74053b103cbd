"""How bad it is, 1 to 5, and what that asks for.

The greatest of what the zone of the velocity, the ratios of broadband levels to their baseline, the envelope
and the temperature say, plus one or two where it grows fast. The envelope sees a bearing weeks or months
before it fails: it says 3 at most. 4 and 5 need more than that: defect lines in the spectrum with a rising
floor, an acceleration four times its baseline, zone C and rising, zone D, or a dangerous temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from models.types import BEARING_DEFECTS

from .evidence import ChannelEvidence
from .measures import IN_B_SHARE, rise_in_zone, temperature_severity, worst_zone
from .measures_parts import DEFECT_OF, FLOOR_BANDS, LEAST_HARMONICS, newest
from .types import BEARING_FAULTS, Fault
from .view import PointView

RATIOS: Final = (2.0, 4.0, 8.0, 16.0)
"""Times the baseline from which a broadband level has severity 2, 3, 4 and 5: 6 dB each."""

ENVELOPE_CAP: Final = 3
"""An envelope 12 to 40 times its baseline is an early bearing, weeks to months: not "stop now"."""

FAST_DAYS: Final = (30.0, 7.0)
"""Doubling in less than 30 days adds one, in less than 7 days two."""

ALERT_ZONE: Final = 3
"""Zone C, or above the alarm value. Where it rises it is one more, once: how fast it rises is not added."""

HARD_FROM: Final = 4
HARD_RATIO: Final = 4.0
"""Acceleration four times its baseline, 12 dB: damage that the housing feels."""

LINES_RATIO: Final = 2.0
FLOOR_RATIO: Final = 1.5
OVER_FLOOR: Final = 1.5
"""Stage 3: defect lines in the spectrum twice their baseline and half as much again as the floor, which rose
by half itself."""

ACCELERATION: Final = ("acceleration_rms_m_s2",)
VELOCITY: Final = ("velocity_rms_mm_s", "velocity_rms_low_mm_s")
ENVELOPE: Final = (
    "envelope_rms_m_s2",
    "envelope_modulation",
    "kurtosis",
    *(f"{defect}_modulation" for defect in BEARING_DEFECTS),
)


class Action(StrEnum):
    """What a severity asks for."""

    NONE = "none"
    WATCH = "watch"
    PLAN = "plan"
    INTERVENE = "intervene"
    STOP = "stop"


HOURS_PER_WEEK: Final = 168.0

ACTIONS: Final[dict[int, tuple[Action, float | None]]] = {
    1: (Action.NONE, None),
    2: (Action.WATCH, 30 * 24.0),
    3: (Action.PLAN, 4 * HOURS_PER_WEEK),
    4: (Action.INTERVENE, HOURS_PER_WEEK),
    5: (Action.STOP, 0.0),
}
"""What each severity asks for, and within how many hours."""

URGENT_HOURS: Final = 72.0
"""Severity 4 on a critical machine (A), or of what doubles within a week."""


@dataclass(frozen=True, slots=True)
class Indicators:
    """What the severity of a point stands on. NaN and 0 are unknown.

    `zone` and `temperature` are severities of their limits, 1..5; `grown_in_zone` is the rise of the velocity
    since the baseline as a share of the B/C boundary, in zone B or worse. `doubling_days` is the shortest of
    velocity and acceleration; `rising` says that the velocity rises significantly. `envelope` is the highest
    ratio of what only shows shocks, `stage_3` that defect lines stand in the spectrum over a rising floor.
    """

    zone: int = 0
    grown_in_zone: float = np.nan
    rising: bool = False
    velocity_ratio: float = np.nan
    acceleration_ratio: float = np.nan
    envelope: float = np.nan
    doubling_days: float = np.nan
    stage_3: bool = False
    temperature: int = 0


@dataclass(frozen=True, slots=True)
class Severity:
    """1..5, and the key of what it comes from: "zone", "ratio", "envelope", "temperature" or "nothing".

    `grows` says that a short doubling time raised it.
    """

    level: int
    because: str
    grows: bool = False


def severity(seen: Indicators, *, named_bearing: int = 0) -> Severity:
    """The severity of what was seen. `named_bearing` is what a named bearing fault says by itself, 0..3."""
    zone = 2 if seen.zone <= 1 and seen.grown_in_zone >= IN_B_SHARE else seen.zone
    ratio = max(of_ratio(seen.velocity_ratio), of_ratio(seen.acceleration_ratio))
    envelope = min(ENVELOPE_CAP, max(of_ratio(seen.envelope), named_bearing))
    said = (("zone", zone), ("ratio", ratio), ("temperature", seen.temperature), ("envelope", envelope))
    because, level = max(said, key=lambda pair: pair[1])
    faster = sum(seen.doubling_days < days for days in FAST_DAYS)
    level = min(5, max(1, level) + faster)
    if seen.zone == ALERT_ZONE and seen.rising and level <= ALERT_ZONE:
        because, level = "zone", ALERT_ZONE + 1  # a rise that is fast has counted already
    if level >= HARD_FROM and not hard(seen):
        level = HARD_FROM - 1
    return Severity(level, because if level > 1 else "nothing", faster > 0)


def hard(seen: Indicators) -> bool:
    """Whether there is what 4 and 5 need."""
    return (
        seen.stage_3
        or seen.acceleration_ratio >= HARD_RATIO
        or (seen.zone == ALERT_ZONE and seen.rising)
        or seen.zone >= 5
        or seen.temperature >= 5
    )


def of_ratio(ratio: float) -> int:
    """Severity 1..5 of a level so many times its baseline; 0 where that is unknown."""
    return 0 if np.isnan(ratio) else 1 + sum(ratio >= step for step in RATIOS)


def indicators(view: PointView) -> Indicators:
    """What the severity of a point stands on, over its last blocks."""
    zone = worst_zone(view).value
    temperature = temperature_severity(view).value
    return Indicators(
        zone=0 if np.isnan(zone) else int(zone),
        grown_in_zone=rise_in_zone(view).value,
        rising=bool(_doubling(view, VELOCITY) < np.inf),
        velocity_ratio=_highest(view, VELOCITY),
        acceleration_ratio=_highest(view, ACCELERATION),
        envelope=_highest(view, ENVELOPE),
        doubling_days=_doubling(view, (*VELOCITY, *ACCELERATION)),
        stage_3=stage_3(view),
        temperature=0 if np.isnan(temperature) else int(temperature),
    )


def stage_3(view: PointView) -> bool:
    """Whether lines of a bearing's defect stand in the spectrum itself, over a floor that rose less.

    Of a defect that the bearing rule named or whose comb stands in the envelope: the places of other lines
    hold harmonics of the shaft, or a part of the floor.
    """
    return any(_stage_3(view, channel, fault) for channel in view.point.channels for fault in BEARING_FAULTS)


def _stage_3(view: PointView, channel: ChannelEvidence, fault: Fault) -> bool:
    defect = DEFECT_OF[fault]
    comb = view.level(channel, f"{defect}_harmonics") >= LEAST_HARMONICS
    floor = max((r for f in FLOOR_BANDS if not np.isnan(r := view.ratio(channel, f))), default=np.nan)
    lines = view.ratio(channel, f"{defect}_m_s2")
    stand = lines >= LINES_RATIO and lines >= OVER_FLOOR * floor >= OVER_FLOOR * FLOOR_RATIO
    return bool(stand and (comb or newest(view, fault) is not None))


def bearing_stage(view: PointView) -> int:
    """Stage of a bearing with a named fault: 2 envelope only, 3 lines in the spectrum, 4 floor and 1x up."""
    if _highest(view, ACCELERATION) >= HARD_RATIO and _highest(view, VELOCITY) >= RATIOS[0]:
        return 4
    return 3 if stage_3(view) else 2


def _highest(view: PointView, features: tuple[str, ...]) -> float:
    ratios = [view.highest_ratio(name) for name in features]
    return max((ratio for ratio in ratios if not np.isnan(ratio)), default=np.nan)


def _doubling(view: PointView, features: tuple[str, ...]) -> float:
    """The shortest doubling time, infinite where nothing rises, in days."""
    times = [c.doubling_days.get(name, np.nan) for c in view.point.channels for name in features]
    return min((days for days in times if days > 0), default=np.inf)
