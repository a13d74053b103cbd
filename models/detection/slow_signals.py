"""Whether a slow signal, a load or a temperature, still says anything. Pure; a reading at a time.

A dead transmitter or a frozen gateway goes on telling its last value, to the last digit, inside its range.
What tells it from a steady machine is the signal's own past: one that used to change at every third reading
does not stand still for hours, and one of whole percents, or a set point, may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

STUCK_S: Final = 4 * 3600.0
"""As long as a probe of the air must tell one value (`housing.STUCK_H`): half a shift at one load to the last
digit happens to no machine whose load is measured."""

EXPECTED: Final = 20.0
"""Changes that as many readings of its own past would have had. Of independent readings none then has a
chance of exp(-20); readings that follow each other closely are why `STUCK_S` must be over too."""

MEMORY: Final = 20_000
"""Readings after which the past counts half: a fortnight of one a minute."""


@dataclass(frozen=True, slots=True)
class Steadiness:
    """A signal's last `value`, told since `since_s` by `same` readings more; of the `before` readings until
    then `changes` were other than the one before them.
    """

    value: float
    since_s: float
    same: int = 0
    before: int = 0
    changes: int = 0

    def heard(self, at_s: float, value: float) -> Steadiness:
        """After one reading more."""
        if value == self.value:
            return replace(self, same=self.same + 1)
        before, changes = self.before + self.same + 1, self.changes + 1
        if before > MEMORY:
            before, changes = before // 2, changes // 2
        return Steadiness(value, at_s, 0, before, changes)

    def is_stuck(self, at_s: float) -> bool:
        """Whether it tells one value for so long that it says nothing any more."""
        expected = self.same * self.changes / self.before if self.before else 0.0
        return at_s - self.since_s >= STUCK_S and expected >= EXPECTED
