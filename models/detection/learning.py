"""The life of a baseline: learned, confirmed, in force, opened again by an intervention. Pure.

Rules:
1. A baseline is in force from the moment it is learned; a technician confirms that the machine was healthy.
2. Nothing is learned from blocks while the part is in alarm.
3. A baseline is never adapted. It is opened again only after an intervention that is recorded; the old one
   is kept, but no longer in force: until the new version is learned the standard's limits judge alone.
4. A baseline that was never confirmed may be opened again: who does so says that the machine was not healthy.
5. Learning starts 24 h after the intervention.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from models.types import Refusal

from .baseline import SETTLED_AFTER_S

NO_INTERVENTION: Final = Refusal("no_intervention", "record_intervention")
NOT_LEARNED: Final = Refusal("baseline_too_short", "finish_learning")

REFUSALS: Final = (NO_INTERVENTION, NOT_LEARNED)
"""Every refusal that this module gives: a locale must have a sentence for each."""


class Status(StrEnum):
    """Where a baseline stands."""

    LEARNING = "learning"
    LEARNED = "learned"
    CONFIRMED = "confirmed"
    RELEARNING = "relearning"


@dataclass(frozen=True, slots=True)
class Learning:
    """The life of a part's baseline; times in s of any one clock.

    `version` is that learned last, 0 before the first. `since_s` is from when blocks are learned from, while
    learning. `interventions_s` are those since that version was learned. `confirmed_by` who has
    confirmed it, "" nobody.
    """

    status: Status = Status.LEARNING
    version: int = 0
    since_s: float = float("-inf")
    interventions_s: tuple[float, ...] = ()
    confirmed_by: str = ""

    @property
    def is_learning(self) -> bool:
        """Whether blocks are being learned from."""
        return self.status in (Status.LEARNING, Status.RELEARNING)

    @property
    def in_force(self) -> bool:
        """Whether the baseline of `version` judges."""
        return not self.is_learning

    def learns_from(self, time_s: float, *, in_alarm: bool) -> bool:
        """Whether a valid block of that time is to be learned from."""
        settled = all(not 0 <= time_s - done < SETTLED_AFTER_S for done in self.interventions_s)
        return self.is_learning and not in_alarm and settled and time_s >= self.since_s

    def intervened(self, time_s: float) -> Learning:
        """Something was done to the machine and recorded."""
        return replace(self, interventions_s=(*self.interventions_s, time_s))

    def learned(self) -> Learning:
        """A baseline was fitted: it is the next version, and in force."""
        return Learning(Status.LEARNED, self.version + 1)

    def confirm(self, by: str) -> Learning | Refusal:
        """A technician says that the machine was healthy when the baseline in force was learned."""
        if self.is_learning:
            return NOT_LEARNED
        return replace(self, status=Status.CONFIRMED, confirmed_by=by)

    def reopen(self, time_s: float) -> Learning | Refusal:
        """Learn anew, from 24 h after the last intervention, or from now where that was longer ago."""
        if self.version == 0:
            return self
        if not self.interventions_s and self.confirmed_by:
            return NO_INTERVENTION
        since = max((time_s, *(done + SETTLED_AFTER_S for done in self.interventions_s)))
        return replace(self, status=Status.RELEARNING, since_s=since)
