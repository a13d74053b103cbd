"""How many frames a gateway may have in flight: what the host can commit in 2 s, shared among those that
speak.

Only the host knows both how fast it commits and how many gateways share it. A fixed window for each gateway
overloads a host with many of them, and what is thrown away must be sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .inbox import MAX_BYTES, MAX_FRAMES

WORK_IN_FLIGHT_S: Final = 2.0
"""Commit work allowed in flight in total: far below the 10 s after which a gateway suspects a loss."""

QUEUE_RESERVE: Final = 50
"""Frames of the queue that no credit is given for: probes, and gateways that have just been born."""

LEAST_FRAMES: Final = 2
"""While the store is up, nobody is starved: one frame on its way while another is being committed."""

LEAST_BYTES: Final = 256 * 1024
"""Bytes to go with it. A gateway may always send one frame, whatever its size."""

GATEWAY_WINDOW: Final = 100
"""Frames that a gateway has in flight at most, whatever its credit."""

ACTIVE_S: Final = 30.0
"""A gateway heard this recently shares the credit."""

SMOOTHING: Final = 0.2  # weight of the newest commit in the moving averages: about five commits back


@dataclass(frozen=True, slots=True)
class CommitRate:
    """Moving averages of what a second of committing brings. The first value is cautious; it soon learns
    better.
    """

    frames_per_s: float = 50.0
    bytes_per_s: float = 2e6

    def after(self, frames: int, n_bytes: int, seconds: float) -> CommitRate:
        """The averages after one more commit that took `seconds`."""
        if frames == 0:
            return self
        busy = max(seconds, 1e-4)  # a clock that did not move is no proof of infinite speed
        return CommitRate(
            self.frames_per_s + SMOOTHING * (frames / busy - self.frames_per_s),
            self.bytes_per_s + SMOOTHING * (n_bytes / busy - self.bytes_per_s),
        )


@dataclass(frozen=True, slots=True)
class Credit:
    """What one gateway may have in flight; zero of both while the store is down."""

    frames: int
    n_bytes: int


NOTHING: Final = Credit(0, 0)


def share(rate: CommitRate, active_edges: int) -> Credit:
    """The credit of one of so many active gateways."""
    among = max(1, active_edges)
    frames = min(MAX_FRAMES - QUEUE_RESERVE, WORK_IN_FLIGHT_S * rate.frames_per_s) / among
    n_bytes = min(0.9 * MAX_BYTES, WORK_IN_FLIGHT_S * rate.bytes_per_s) / among
    return Credit(max(LEAST_FRAMES, int(frames)), max(LEAST_BYTES, int(n_bytes)))
