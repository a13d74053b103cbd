"""What the agent asks of its card, by the hour: how often it makes data durable, and what it writes.

A card wears by both: each small durable write may cost it the erasure of a whole block, of which it has some
thousand a cell. A commit of the outbox is one fsync; moving the log into the file, each 4 MB, adds two.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOUR_S: Final = 3600.0
LOOK_S: Final = 60.0  # between two looks: an hour is sixty of them

IO: Final = Path("/proc/self/io")


@dataclass(frozen=True, slots=True)
class CardWrites:
    """Rates over the last hour, or since the start where that is shorter. `bytes_per_h` is None off Linux."""

    fsyncs_per_h: int
    bytes_per_h: int | None


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    commits: int
    written: int | None


class CardMeter:
    """Asked whenever somebody wants to know; what it keeps is bounded."""

    def __init__(
        self,
        commits: Callable[[], int],
        *,
        written: Callable[[], int | None] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`commits` counts those of the outbox since the start; `written` the bytes sent to the storage."""
        self._commits = commits
        self._written = written or written_bytes
        self._monotonic_s = monotonic_s
        self._looks = deque([self._look()], maxlen=round(HOUR_S / LOOK_S) + 1)

    def rates(self) -> CardWrites | None:
        """None in the first minute: too short to speak of an hour."""
        now = self._look()
        if now.at_s - self._looks[-1].at_s >= LOOK_S:
            self._looks.append(now)
        then = self._looks[0]
        passed_s = now.at_s - then.at_s
        if passed_s < LOOK_S:
            return None
        per_hour = HOUR_S / passed_s
        both = now.written is not None and then.written is not None
        return CardWrites(
            fsyncs_per_h=round((now.commits - then.commits) * per_hour),
            bytes_per_h=round(((now.written or 0) - (then.written or 0)) * per_hour) if both else None,
        )

    def _look(self) -> _Look:
        return _Look(self._monotonic_s(), self._commits(), self._written())


def written_bytes() -> int | None:
    """Bytes that the kernel sent to storage for this process since its start; None where it does not tell."""
    try:
        for line in IO.read_text("ascii").splitlines():
            name, _, value = line.partition(": ")
            if name == "write_bytes":
                return int(value)
    except OSError:
        pass
    return None
