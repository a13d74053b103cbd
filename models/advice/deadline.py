"""By when something is to be done: the rule's deadline, or what nine of ten outlast where that is sooner.

A rule that leaves four weeks is no plan beside a remaining life that may be over in hours. The severity, and
with it the action, stay those of the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR_NS: Final = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Lasting:
    """A remaining life as far as it sets a date: `p10_h` hours (0 or more) from `ts_ns` on."""

    ts_ns: int
    p10_h: float

    @property
    def until_ns(self) -> int:
        """What nine of ten outlast."""
        return self.ts_ns + round(self.p10_h * HOUR_NS)


@dataclass(frozen=True, slots=True)
class Deadline:
    """`hours` (0 now, None no deadline) from `said_ns` on."""

    hours: float | None
    said_ns: int

    @property
    def due_ns(self) -> int | None:
        """The time by which; None without a deadline."""
        return None if self.hours is None else self.said_ns + round(self.hours * HOUR_NS)


def sooner(asked: Deadline, lasting: Lasting | None) -> Deadline:
    """The lesser of a rule's deadline and a remaining life; the rule's where no life is told.

    A deadline by the life counts from the later of the two on, for that is when people are told, and is then
    0 at least. What has no deadline by rule asks for nothing, and gets none.
    """
    if lasting is None or asked.due_ns is None or asked.due_ns <= lasting.until_ns:
        return asked
    said_ns = max(asked.said_ns, lasting.ts_ns)
    return Deadline(max(0, lasting.until_ns - said_ns) / HOUR_NS, said_ns)
