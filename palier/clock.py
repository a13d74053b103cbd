"""The plant clock: decisions take their time from it, so that a demo can run days in minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlantClock:
    """Plant time = start + rate x elapsed real time. The default is the wall clock itself.

    `start_ns` and `wall_start_ns` pin a plant time to a wall time, so that several services started with
    the same two values agree; `rate` is plant seconds for each real second.
    """

    start_ns: int | None = None
    rate: float = 1.0
    wall_start_ns: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"the plant clock's rate must be above 0, got {self.rate}")

    def now_ns(self) -> int:
        """Plant time, ns since 1970 UTC."""
        if self.start_ns is None and self.rate == 1.0:
            return time.time_ns()
        start = self.wall_start_ns if self.start_ns is None else self.start_ns
        return start + round((time.time_ns() - self.wall_start_ns) * self.rate)

    def real_seconds(self, plant_seconds: float) -> float:
        """How long a plant duration lasts in real seconds."""
        return plant_seconds / self.rate
