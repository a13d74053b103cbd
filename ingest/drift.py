"""Looks once a day (plant clock) how far each point has moved from what its baseline was trained on.

    keeper.turn(watching, plant_ns)     between two commits; a bounded step, and then a rest

Rules:
1. It writes the series `drift`, and an event where its advice changes. It touches no model, no state and no
   alarm: whether something is learned anew a person decides.
2. A look is of a day that is over (UTC), from four weeks before its end on, so that it gives the same rows
   whenever it is done. After a downtime only the last day is looked at.
3. Points without a baseline are not looked at: they learn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from models.training.drift import LOOK_DAYS, measure
from models.training.drift_trained import TrainedOn
from palier.historian.base import Historian, HistorianError
from palier.historian.rows import InterventionRow, RecordsBatch, Transition
from palier.operations import BaselineStatus

from . import rows
from .baseline_events import BASELINE
from .drift_reading import Reading, trained_from, trained_key, trained_row
from .drift_rows import DRIFT, NOTHING, advice_event, advice_of, drift_rows
from .upkeep import GRACE_NS, REST, RETRY_S
from .watch_batch import Watching
from .watch_learning import DAY_NS, LONGEST_NS
from .watch_parts import Place, PointModel, Watched

LEAST_KEPT: Final = 0.5
"""Share of the blocks that a baseline was learned from, below which what is left of them is not that."""

LOOK_S: Final = 5.0  # how often it is asked whether a day is over

log = structlog.get_logger(__name__)


class DriftRecords(Protocol):
    """What is needed of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...

    def interventions(self, machine: str | None = None, since_ns: int = 0) -> tuple[InterventionRow, ...]:
        """What was done to a machine at or after a time, oldest first."""
        ...

    def states(self, site: str | None = None, prefix: str = "") -> dict[tuple[str, str], str]:
        """States by (site, key), of keys that begin with `prefix`."""
        ...

    def transitions(self, since_ns: int = 0, kind: str | None = None) -> tuple[Transition, ...]:
        """Transitions of a kind at or after a time, oldest first."""
        ...


@dataclass(slots=True, eq=False)
class DriftKeeper:
    """For the one thread that owns the stores. Never raises for a store: it is done later."""

    historian: Historian
    records: DriftRecords
    monotonic_s: Callable[[], float] = time.monotonic
    _looked: dict[Place, int] = field(default_factory=dict)  # the day that was looked at last
    _advice: dict[Place, str] = field(default_factory=dict)
    _learned_ns: dict[tuple[Place, int], int] = field(default_factory=dict)
    _restored: bool = False
    _work: Iterator[None] | None = None
    _at: Place | None = None
    _not_before_s: float = 0.0

    def turn(self, watching: Watching, plant_ns: int) -> None:
        """A step of the look that is under way, or the next point whose day is over."""
        begun_s = self.monotonic_s()
        if begun_s < self._not_before_s:
            return
        try:
            worked = self._step(watching, plant_ns)
        except HistorianError as error:
            log.warning("drift_postponed", error=str(error))
            self._work, self._not_before_s = None, self.monotonic_s() + RETRY_S
            return
        except Exception as error:  # noqa: BLE001 - a defect that one point's rows show must not stop the storing
            log.error("drift_failed", place="/".join(self._at or ()), error=repr(error))
            if self._at is not None:
                self._looked[self._at] = _day(plant_ns)
            self._work, worked = None, True
        ended_s = self.monotonic_s()
        self._not_before_s = ended_s + (REST * (ended_s - begun_s) if worked else LOOK_S)

    def _step(self, watching: Watching, plant_ns: int) -> bool:
        """Whether there was something to do."""
        if not self._restored:
            self._restore(watching)
        if self._work is None:
            one = self._due(watching, plant_ns)
            if one is None or one.model is None:
                return False
            self._at = one.place
            self._work = self._look(one, one.model, watching, _day(plant_ns))
        if next(self._work, self) is self:  # it is over
            self._work = None
        return True

    def _restore(self, watching: Watching) -> None:
        """What was looked at and advised before a restart."""
        site = watching.knowledge.plant.site_id
        newest = self.historian.latest(DRIFT, ("blocks",), site=site)
        for machine, point, channel, ts_ns in zip(
            newest.machine, newest.point, newest.channel, newest.ts_ns.tolist(), strict=True
        ):
            if not channel:
                self._looked[site, machine, point] = ts_ns // DAY_NS
        for event in self.records.transitions(0, DRIFT):
            self._advice[event.site, event.machine, event.point] = event.state
        self._restored = True

    def _due(self, watching: Watching, plant_ns: int) -> Watched | None:
        """Of the points with a baseline whose last day has not been looked at, the one that waits longest: a
        plant too large for one day has all of its points looked at in turn.
        """
        day = _day(plant_ns)
        points = (one for group in watching.watch.groups for one in group.points)
        due = (p for p in points if p.model and self._looked.get(p.place, -1) < day)
        return min(due, key=lambda p: self._looked.get(p.place, -1), default=None)

    def _look(self, one: Watched, model: PointModel, watching: Watching, day: int) -> Iterator[None]:
        """One point, from reading to rows; it pauses after each turn's worth."""
        end_ns = day * DAY_NS
        done = tuple(row.at_ns for row in self.records.interventions(one.place[1]) if row.at_ns < end_ns)
        learned_ns = self._learned(one.place, model, watching)
        learning = watching.learning.get(one.place)
        since_ns = learning.since_ns if learning and learning.version == model.version else 0
        trained = yield from self._trained(one, model, done, (since_ns, learned_ns))
        first_ns = max(end_ns - LOOK_DAYS * DAY_NS, 0 if model.origin else min(since_ns, end_ns))
        reading = Reading(one, first_ns, end_ns, self.monotonic_s)
        while not reading.go_on(self.historian):
            yield
        found = measure(
            model.baseline,
            trained,
            reading.history(done),
            now_s=end_ns / 1e9,
            learned_s=learned_ns / 1e9 if learned_ns and not (model.origin and trained) else None,
        )
        spec = model.spec
        events: Sequence[Transition] = ()
        previous = self._advice.get(one.place, NOTHING)
        if advice_of(found) != previous:
            events = [advice_event(one.place, end_ns, found, previous, spec)]
        self.historian.write([*drift_rows(one.place, end_ns, found, spec), rows.event_rows(events)])
        if events:
            self.records.commit(RecordsBatch(transitions=tuple(events)))
            log.info("drift_advice", place="/".join(one.place), advice=advice_of(found))
        self._looked[one.place] = day
        self._advice[one.place] = advice_of(found)

    def _trained(
        self, one: Watched, model: PointModel, done: tuple[int, ...], times_ns: tuple[int, int]
    ) -> Generator[None, None, TrainedOn | None]:
        """What the point's baseline was trained on: as it is kept, or from the rows of that time, from when
        it was opened again on (whenever, for a first one) to when it was learned.
        """
        since_ns, learned_ns = times_ns
        key = trained_key(one.place, model.version)
        kept = self.records.states(*key).get(key)
        if kept is not None:
            return trained_from(kept, model)
        found: TrainedOn | None = None
        if not model.origin and learned_ns:
            first_ns = max(learned_ns - LONGEST_NS, since_ns)
            reading = Reading(one, first_ns, learned_ns, self.monotonic_s)
            while not reading.go_on(self.historian):
                yield
            found = TrainedOn.of(model.baseline, reading.history(done))
            if found is not None and found.blocks[0].max() < LEAST_KEPT * model.baseline.blocks:
                found = None
        self.records.commit(RecordsBatch(states=(trained_row(one.place, model, found),)))
        return found

    def _learned(self, place: Place, model: PointModel, watching: Watching) -> int:
        """When (plant time, ns) a point's model was learned; 0 where nobody knows."""
        wanted = (place, model.version)
        if wanted not in self._learned_ns:
            told = [
                event.ts_ns
                for event in self.records.transitions(0, BASELINE)
                if (event.site, event.machine, event.point) == place
                and event.state == BaselineStatus.LEARNED
                and f'"version":{model.version},' in event.detail
            ]
            baseline = watching.baselines.get(place[1])
            since_ns = baseline.since_ns if baseline and baseline.version == model.version else 0
            self._learned_ns[wanted] = told[-1] if told else since_ns
        return self._learned_ns[wanted]


def _day(plant_ns: int) -> int:
    """The last day (UTC, days since 1970) whose blocks are all in: it ends at so many days."""
    return (plant_ns - GRACE_NS) // DAY_NS
