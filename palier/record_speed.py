"""The speed of a recording's shaft: as it was given, or estimated from its spectrum within a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detection.zones import STANDSTILL_RPM
from models.features.speed import REFUSALS, WORST_SIGMA, Outcome, estimate_speed
from models.types import Refusal

from .recordings import Recording

SPEED_UNKNOWN: Final = Refusal("speed_unknown", "give_speed")


@dataclass(frozen=True, slots=True)
class RecordSpeed:
    """Speed of a record. `source` is "given", "estimated" or "unknown"; `refusal` says why it is unknown.

    `sigma_rpm` is the standard deviation of an estimate, None otherwise.
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
        """Standard deviation of an estimate."""
        return None if self.sigma_rpm is None else self.sigma_rpm / 60


def speed_of(recording: Recording, range_hz: tuple[float, float] | None) -> RecordSpeed:
    """The speed that came with the record, else the one its channels show in the range, else none.

    All channels of a record are of one shaft: the surest of them speaks, unless another contradicts it.
    Nothing is searched without a range: half or twice a speed would name another defect.
    """
    if recording.rpm is not None:
        return RecordSpeed(recording.rpm, "given")
    if range_hz is None:
        return RecordSpeed(None, "unknown", refusal=SPEED_UNKNOWN)
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
