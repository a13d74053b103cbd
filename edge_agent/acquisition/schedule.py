"""When the blocks of a plan begin, in samples of the stream. Pure.

Machines are spread over the period by their name, so that a gateway's blocks do not all come at once; the
points of one machine go together, for its phases. The first block comes within a minute of the start: who
commissions waits for it, and an agent that restarts often still gives blocks.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Final

FIRST_WITHIN_S: Final = 60.0
ATTENTION_S: Final = 60.0
"""Between two H blocks while an alert or a danger stands."""

DANGER_EVERY_S: Final = 30.0
"""Two in a row are a danger: known 61 s after it began, at the latest."""


SLACK_S: Final = 0.01  # a block begins at a sample, and not quite at its time


def share_of(machine: str) -> float:
    """Where in each period a machine's turn is, 0 to 1 (excluded): the same at every start."""
    return zlib.crc32(machine.encode()) / 2**32


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One kind of block: each `every_s`, at `share` of the period; the first within a minute."""

    every_s: float
    share: float

    @property
    def first_s(self) -> float:
        """The first start."""
        return self.share * min(self.every_s, FIRST_WITHIN_S)

    def after(self, last_s: float, length_s: float) -> float:
        """The next start after a block that began at `last_s`: in step, and not into that block."""
        turn = math.ceil((last_s + length_s - SLACK_S) / self.every_s - self.share)
        return (turn + self.share) * self.every_s
