"""What was wrong in truth: against which detection, diagnosis and remaining life are measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class FaultTruth:
    """A fault at an instant. Times are seconds since 1970 UTC, None where there is none.

    `severity` is 0..1; `end_of_life_s` is when it reaches 1, unless somebody repairs it first. `harmless` is
    what only sounds like a fault.
    """

    kind: str
    point: str
    severity: float
    onset_s: float | None
    end_of_life_s: float | None
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class ImpairmentTruth:
    """What is wrong with a sensor or a gateway at an instant; `point` and `channel` "" are all of them."""

    kind: str
    point: str
    channel: str
    since_s: float | None


@dataclass(frozen=True, slots=True)
class Truth:
    """One machine at one instant. `regime` is running, transient or stopped; temperatures by point, °C."""

    machine: str
    t_s: float
    regime: str
    speed_rpm: float
    load_percent: float
    temperature_c: Mapping[str, float]
    faults: tuple[FaultTruth, ...]
    impairments: tuple[ImpairmentTruth, ...]

    @property
    def worst(self) -> FaultTruth | None:
        """The fault of the greatest severity, None where nothing is wrong with the machine."""
        wrong = [fault for fault in self.faults if not fault.harmless and fault.severity > 0]
        return max(wrong, key=lambda fault: fault.severity, default=None)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the first end of life among the faults; None where none is in sight."""
        wrong = [fault for fault in self.faults if not fault.harmless]
        ends = [fault.end_of_life_s for fault in wrong if fault.end_of_life_s is not None]
        return max(0.0, min(ends) - self.t_s) if ends else None

    def to_json(self) -> str:
        """One line of JSON."""
        fields = asdict(self)
        fields["temperature_c"] = {point: round(value, 2) for point, value in self.temperature_c.items()}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
