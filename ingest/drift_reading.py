"""Reads what a point's drift is told from, some of it at a time, and what its baseline was trained on, once.

A baseline that came of the registry brings what it was trained on with it. Of one that the plant learned by
itself the historian has the rows of that time for a season: they are read at the first look, and what is
found is kept with the records. Where they are gone nobody can say any more what it was trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from models.detection.plain import decode, encode
from models.training.dataset import PointHistory
from models.training.drift_trained import TrainedOn
from models.training.gathering import Gathering
from palier.historian.base import Historian
from palier.historian.rows import HOUR_NS, StateRow

from .history_learning import TURN_S, asks, without_alarms
from .model_baselines import TRAINED
from .watch_learning import DAY_NS
from .watch_parts import Place, PointModel, Watched

LONGEST_SPAN_NS: Final = DAY_NS
"""What is read at once at most: a day of three channels takes some milliseconds."""


@dataclass(slots=True, eq=False)
class Reading:
    """A stretch of a point's past, read in spans that last a turn each at most."""

    one: Watched
    next_ns: int
    end_ns: int
    monotonic_s: Callable[[], float] = time.monotonic
    span_ns: int = HOUR_NS
    _gathering: Gathering = field(init=False)

    def __post_init__(self) -> None:
        one = self.one
        self._gathering = Gathering(one.place[0], one.machine, one.point, one.features)

    def go_on(self, historian: Historian) -> bool:
        """Read on for a turn; whether all is read. Raises HistorianError."""
        until_s = self.monotonic_s() + TURN_S
        while self.next_ns < self.end_ns:
            begun_s = self.monotonic_s()
            if begun_s >= until_s:
                return False
            next_ns = min(self.end_ns, self.next_ns + self.span_ns)
            features, states = (
                historian.read(
                    ask.measurement, ask.fields, site=ask.site, machine=ask.machine, point=ask.point,
                    start_ns=ask.start_ns, end_ns=ask.end_ns,
                )
                for ask in asks(self.one, self.next_ns, next_ns)
            )  # fmt: skip
            self._gathering.add(without_alarms(features) if not len(states) else features, states)
            self.next_ns = next_ns
            slow = self.monotonic_s() - begun_s > TURN_S
            self.span_ns = max(HOUR_NS, self.span_ns // 2) if slow else min(LONGEST_SPAN_NS, 2 * self.span_ns)
        return True

    def history(self, done_ns: tuple[int, ...]) -> PointHistory:
        """What was read, of the columns that are watched."""
        done_s = [at / 1e9 for at in done_ns]
        return self._gathering.history(columns=self.one.names, interventions_s=done_s)


def trained_key(place: Place, version: int) -> tuple[str, str]:
    """(site, key) of what a version of a point's baseline was trained on."""
    site, machine, point = place
    return site, f"{machine}/{point}{TRAINED}:{version}"


def trained_row(place: Place, model: PointModel, trained: TrainedOn | None) -> StateRow:
    """As the records keep it; an empty text: it was looked for, and is gone."""
    text = encode(trained.to_arrays()) if trained is not None else ""
    return StateRow(*trained_key(place, model.version), text)


def trained_from(text: str, model: PointModel) -> TrainedOn | None:
    """What `trained_row` wrote; None where it is gone, unreadable, or of other columns."""
    try:
        found = TrainedOn.from_arrays(decode(text))
    except (TypeError, ValueError, KeyError):
        return None
    return found if found.names == model.baseline.names else None
