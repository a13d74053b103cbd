"""What one run of a gateway with fake sensors showed: the answer of its process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """What one run showed. `cpu_s` is the process's without the fakes; `intervals_ms` lie between bursts."""

    seconds: float
    cpu_s: float
    fake_cpu_s: float
    peak_bytes: int
    produced: int
    taken: int
    lost_by_fifo: int
    gaps: int
    rate_hz: float
    waveforms: int
    broken: int
    intervals_ms: dict[str, float]
    failures: int
    urgent: bool  # whether the system let it go first, as the installed unit does
