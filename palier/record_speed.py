"""The speed of a recording's shaft: as it was given, or found in its spectrum near what was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.regimes import Regime, classify
from models.detection.zones import STANDSTILL_RPM
from models.features.bands import SLOW_BELOW_HZ
from models.features.speed import REFUSALS, WORST_SIGMA, Outcome, estimate_speed
from models.types import Refusal

from .recordings import Recording

SPEED_UNKNOWN: Final = Refusal("speed_unknown", "give_speed")

AT_SPEED: Final = 0.01
"""Share of a speed that was given within which lines of the shaft say that it turns."""


@dataclass(frozen=True, slots=True)
class RecordSpeed:
    """Speed of a record. `source` is "given", "estimated" or "unknown"; `refusal` says why it is unknown.

    `sigma_rpm` is the standard deviation of an estimate, or of a speed that was given with a tolerance; None
    of one that is taken as exact.
    """

    rpm: float | None
    source: str
    sigma_rpm: float | None = None
    refusal: Refusal | None = None

    @property
    def hz(self) -> float | None:
        """Turns a second; 0 for a shaft that stands."""
        if self.rpm is None:
            return None
        return self.rpm / 60 if self.rpm >= STANDSTILL_RPM else 0.0

    @property
    def stands(self) -> bool:
        """Whether the shaft is known to stand still."""
        return self.hz == 0

    @property
    def sigma_hz(self) -> float | None:
        """Its standard deviation in Hz."""
        return None if self.sigma_rpm is None else self.sigma_rpm / 60


def speed_of(
    recording: Recording, range_hz: tuple[float, float] | None, tolerance: float | None = None
) -> RecordSpeed:
    """The speed that came with the record, else the one its channels show in the range, else none.

    With a `tolerance` (a share) the speed that came is that of a nameplate: the record's own is looked for so
    near to it, and where it does not show, the tolerance remains as two standard deviations. All channels of
    a record are of one shaft: the surest of them speaks, unless another contradicts it. Nothing is searched
    without a range: half or twice a speed would name another defect.
    """
    told = recording.rpm
    if told is not None:
        given = RecordSpeed(told, "given")
        if tolerance is None or given.stands:
            return given
        near = _estimated(recording, (told * (1 - tolerance) / 60, told * (1 + tolerance) / 60))
        return near if near.rpm is not None else RecordSpeed(told, "given", told * tolerance / 2)
    return (
        RecordSpeed(None, "unknown", refusal=SPEED_UNKNOWN)
        if range_hz is None
        else _estimated(recording, range_hz)
    )


def seems_stopped(
    recording: Recording,
    speed: RecordSpeed,
    velocity_mm_s: Sequence[float | None],
    acceleration_m_s2: Sequence[float | None],
) -> bool:
    """Whether no channel (RMS levels, at least one) shakes more than its sensor does by itself.

    A speed that was given is what the machine does when it runs: above 600 r/min none that runs is so quiet.
    Slow ones are, and one whose shaft shows in the spectrum turns.
    """
    if speed.source == "estimated" or (speed.hz is not None and speed.hz < SLOW_BELOW_HZ):
        return False
    regime = classify(_array(velocity_mm_s), _array(acceleration_m_s2))
    if not regime.size or not (regime == Regime.STOPPED).all():
        return False
    return speed.hz is None or speed_of(recording, None, AT_SPEED).source != "estimated"


def _estimated(recording: Recording, range_hz: tuple[float, float]) -> RecordSpeed:
    """The speed that the channels show within a range."""
    estimate = estimate_speed(recording.samples, recording.fs_hz, range_hz=range_hz)
    found = np.flatnonzero(estimate.outcome == Outcome.FOUND)
    if not found.size:
        most = int(np.argmin(estimate.outcome))  # whichever channel comes first: a dead one says the least
        return RecordSpeed(None, "unknown", refusal=estimate.refusal(most))
    surest = int(found[np.argmin(estimate.sigma_hz[found])])
    speed, sigma = float(estimate.speed_hz[surest]), float(estimate.sigma_hz[surest])
    if (np.abs(estimate.speed_hz[found] - speed) > WORST_SIGMA * speed).any():
        return RecordSpeed(None, "unknown", refusal=REFUSALS[Outcome.AMBIGUOUS])
    return RecordSpeed(60 * speed, "estimated", 60 * sigma)


def _array(levels: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if level is None else level for level in levels])
