"""The watch in force: what a commit asks of it, and what it reads between two commits. For the one thread
that owns the stores.

    watched = keeper.step(assessed, desk)     # in a commit, before the board advances
    records.commit(... watched.states, watched.baselines ...)
    keeper.keep(watched)                      # on Unavailable the step is forgotten

Between commits `turn` reads an hour of one point that may be learned, fits it, or asks how long one still
has: one of these, some tens of milliseconds, so that no commit waits longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from models.diagnosis.view import RECENT_BLOCKS
from models.types import Refusal
from palier.historian.base import Historian, HistorianError, Table
from palier.historian.rows import HOUR_NS, InterventionRow, RecordsBatch, StateRow, Transition

from .alarm_desk import Desk
from .baseline_events import events_of
from .board import VIBRATION, InForce, Key
from .history_learning import HistoryLearning
from .judging import Assessed
from .watch_apart import stepped
from .watch_batch import Watched, Watching
from .watch_class import ClassLives
from .watch_diagnosis import FIELDS as OF_BLOCK
from .watch_diagnosis import Ring, remembered
from .watch_housing_learning import EVERY_NS as WARM_EVERY_NS
from .watch_housing_learning import asked, learned
from .watch_learning import DAY_NS, LONGEST_NS, Ask, Gathering, asks
from .watch_life import EVERY_NS, courses_of, doubling_days_of, lasting_of, life_of, soonest
from .watch_parts import Place
from .watch_rows import life_rows
from .watch_states import ABNORMAL

_SEARCHED: Final = 4 * RECENT_BLOCKS
"""Newest rows of a point's channels among which its last live blocks are looked for at a start."""

RETRY_NS: Final = HOUR_NS // 60  # after a store failed

log = structlog.get_logger(__name__)


class WatchRecords(Protocol):
    """What is needed of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...

    def interventions(self, machine: str | None = None, since_ns: int = 0) -> tuple[InterventionRow, ...]:
        """What was done to a machine at or after a time, oldest first."""
        ...


class WatchKeeper:
    """Holds what is remembered. `watching` changes only by `keep`, once it is durable."""

    def __init__(
        self,
        watching: Watching,
        historian: Historian | None = None,
        records: WatchRecords | None = None,
    ) -> None:
        """Without stores nothing is learned."""
        self.watching = watching
        self._historian = historian
        self._records = records
        self._fit: tuple[Place, Gathering, Iterator[tuple[Ask, Ask]]] | None = None
        self._history = HistoryLearning()
        self._failed: set[Place] = set()  # places whose rows showed a defect of ours: last in turn
        self._lives: dict[Place, int] = {}
        self._class = ClassLives()
        self._warm_at: dict[Place, int] = {}  # when each housing was last tried
        self._not_before_ns = 0
        self.left_out = 0  # blocks that made the watch fail
        self._news: list[Transition] = []
        self._model_failures: dict[str, str] = {}

    def take_news(self) -> tuple[Transition, ...]:
        """What `turn` made of baselines: the records have it, the series lack it."""
        news, self._news = tuple(self._news), []
        return news

    def take_model_failures(self) -> tuple[tuple[str, str], ...]:
        """Models of the registry that failed on a batch that is durable, each with its last error."""
        failures, self._model_failures = tuple(self._model_failures.items()), {}
        return failures

    def install(self, watched: Watched, desk: Desk) -> Desk:
        """What somebody else made durable is in force. The desk with the baselines as they are now."""
        return self._in_force(watched, desk)

    def events_of(self, watched: Watched) -> tuple[Transition, ...]:
        """What a step that is to be stored makes of baselines."""
        return events_of(self.watching, watched)

    def step(self, assessed: Sequence[Assessed], desk: Desk) -> Watched:
        """What the live blocks among these lead to, after what people decided in the meantime.

        Never raises: of a block that makes the watch fail, what the limits say stands, and all are stored.
        """
        try:
            watched, strange = stepped(assessed, lambda some: self._step(some, desk))
        except Exception as error:
            log.exception("watch_left_out", blocks=len(assessed), error=repr(error))
            return Watched(self.watching, list(assessed), left_out=len(assessed))
        for i, cause in strange.items():
            log.error("watch_left_out", frame=assessed[i].work.text, error=repr(cause), exc_info=cause)
        return watched

    def _step(self, assessed: Sequence[Assessed], desk: Desk) -> Watched:
        watching, states = self.watching, list[StateRow]()
        for machine, baseline in desk.baselines.items():
            if watching.baselines.get(machine) != baseline:
                opened = watching.opened(baseline, self._done(desk, machine))
                watching, states = opened.after, [*states, *opened.states]
        step = watching.step(assessed, intervened=desk.intervened, work=desk.work)
        for place, error in step.failed:
            log.error("not_examined", place="/".join(place), error=error)
        return replace(step, states=(*states, *step.states)) if states else step

    def keep(self, watched: Watched, desk: Desk) -> Desk:
        """It is durable: in force from now on. The desk with the baselines as they are now."""
        self._history.stored(watched.assessed)
        self.left_out += watched.left_out
        self._model_failures.update(watched.model_failures)
        return self._in_force(watched, desk)

    def _in_force(self, watched: Watched, desk: Desk) -> Desk:
        self.watching = watched.after
        if not watched.baselines:
            return desk
        changed = {row.machine: self.watching.baselines[row.machine] for row in watched.baselines}
        return replace(desk, baselines={**desk.baselines, **changed})

    def turn(self, plant_ns: int, in_force: Mapping[Key, InForce], desk: Desk) -> Desk:
        """One thing that is due, where stores are there. Never raises."""
        if self._historian is None or self._records is None or plant_ns < self._not_before_ns:
            return desk
        trying: Place | None = None
        try:
            mislaid = self.watching.mislaid(plant_ns)
            if mislaid.baselines:
                return self._mislaid(self._records, mislaid, desk)
            if self._fit is None:
                self._begin(plant_ns)
            if self._fit is not None:
                trying = self._fit[0]
                return self._go_on(self._historian, self._records, plant_ns, desk)
            learned = self._history.turn(self._historian, self._records, self.watching, plant_ns)
            if learned is not None:
                self._news += events_of(self.watching, learned, plant_ns)
                desk = self._in_force(learned, desk)
            self._life(self._historian, plant_ns, in_force)
            self._housing(self._historian, self._records, plant_ns, in_force)
        except HistorianError as error:
            log.warning("watch_postponed", error=str(error))
            self._fit, self._not_before_ns = None, plant_ns + RETRY_NS
        except Exception as error:  # noqa: BLE001 - a defect that one point's rows show must not stop the storing
            log.error("watch_failed", error=repr(error))
            if trying is not None:  # the others come first now
                self._failed.add(trying)
            self._fit, self._not_before_ns = None, plant_ns + HOUR_NS
        return desk

    def _mislaid(self, records: WatchRecords, watched: Watched, desk: Desk) -> Desk:
        """Baselines that a person confirmed cannot be used, or can again: people are told."""
        events = events_of(self.watching, watched)
        records.commit(RecordsBatch(baselines=watched.baselines, transitions=events))
        self._news += events
        return self._in_force(watched, desk)

    def _done(self, desk: Desk, machine: str) -> list[int]:
        return [desk.intervened[machine]] if machine in desk.intervened else []

    def _begin(self, plant_ns: int) -> None:
        due = self.watching.due()
        if self._failed.issuperset(due):  # all others had their turn
            self._failed.clear()
        for place in [place for place in due if place not in self._failed][:1]:
            one = self.watching.watch.watched(place)
            if one is not None:
                learning, baseline = self.watching.learning[place], self.watching.baselines.get(place[1])
                opened_ns = 0 if baseline is None else baseline.opened_ns
                begun = replace(learning, since_ns=max(learning.since_ns, opened_ns))
                self._fit = (place, Gathering(one), asks(one, begun, plant_ns))

    def _go_on(self, historian: Historian, records: WatchRecords, plant_ns: int, desk: Desk) -> Desk:
        """One hour more of what is learned from, or the fit where all is read."""
        if self._fit is None:
            return desk
        place, gathering, hours = self._fit
        hour = next(hours, None)
        if hour is not None:
            gathering.add(_read(historian, hour[0]), _read(historian, hour[1]))
            return desk
        self._fit = None
        learning = self.watching.learning[place]
        if place not in self.watching.due() or learning.version != _version(desk, place[1]):
            return desk  # somebody opened it again meanwhile
        done = records.interventions(place[1], plant_ns - LONGEST_NS - DAY_NS)
        model = gathering.fit(
            version=learning.version,
            features_of_machine=self.watching.watch.columns_of_machine(*place[:2]),
            interventions_ns=[row.at_ns for row in done],
        )
        if isinstance(model, Refusal):
            watched = self.watching.refused(place, learning.again(model))
        else:
            watched = self.watching.learned(place, model, plant_ns)
        events = events_of(self.watching, watched, plant_ns)
        rows = RecordsBatch(states=watched.states, baselines=watched.baselines, transitions=events)
        records.commit(rows)
        self._news += events
        log.info("baseline_tried", place="/".join(place), refused=getattr(model, "reason", ""))
        return self._in_force(watched, desk)  # no block was stepped: interventions are still to be heard

    def _life(self, historian: Historian, plant_ns: int, in_force: Mapping[Key, InForce]) -> None:
        for group in self.watching.watch.groups:
            for one in group.points:
                site, machine, point = one.place
                state = in_force.get((site, f"{machine}/{point}"))
                abnormal = state is not None and state.judgement.state in ABNORMAL
                if not abnormal and self.watching.is_growing(one.place):  # it was of another trouble
                    self.watching = self.watching.calmed(one.place)
                courses = courses_of(one) if abnormal else ()
                if not courses or plant_ns < self._lives.get(one.place, plant_ns - EVERY_NS) + EVERY_NS:
                    continue
                done = () if self._records is None else self._records.interventions()
                taught = self._class.turn(historian, self.watching.watch, one, done, plant_ns)
                if taught is None:  # a life of the class was read: the answer waits for the next turn
                    return
                self._lives[one.place] = plant_ns
                done_ns = tuple(row.at_ns for row in done if row.machine == machine)
                hourly = [(course, _read(historian, course.ask(plant_ns))) for course in courses]
                days = {name: d for one_of in hourly for name, d in doubling_days_of(*one_of).items()}
                self.watching = self.watching.grows(one.place, days)
                course, life = soonest(
                    [
                        (c, life_of(c, rows, interventions_ns=done_ns, history=taught.get(c.feature)))
                        for c, rows in hourly
                    ]
                )
                self.watching = self.watching.lasts(one.place, lasting_of(life, plant_ns))
                historian.write([life_rows(one.place, plant_ns, course.column, course.danger, life)])
                return

    def _housing(
        self,
        historian: Historian,
        records: WatchRecords,
        plant_ns: int,
        in_force: Mapping[Key, InForce],
    ) -> None:
        """One housing that may be learned by now."""
        for one in (p for group in self.watching.watch.groups for p in group.points):
            if one.model is None or one.housing is not None:
                continue
            if plant_ns < self._warm_at.get(one.place, plant_ns - WARM_EVERY_NS) + WARM_EVERY_NS:
                continue
            site, machine, point = one.place
            state = in_force.get((site, f"{machine}/{point}"))
            if state is not None and state.judgement.state in ABNORMAL:
                continue
            self._warm_at[one.place] = plant_ns
            learning = self.watching.learning.get(one.place)
            asks = asked(one, learning.since_ns if learning else 0, plant_ns)
            if isinstance(asks, Refusal):
                continue
            tables = (_read(historian, asks.warm), _read(historian, asks.air), _read(historian, asks.work))
            done = [row.at_ns for row in records.interventions(machine)]
            found = learned(one, self.watching.knowledge, asks, tables, done)
            log.info("housing_tried", place="/".join(one.place), refused=getattr(found, "reason", ""))
            if not isinstance(found, Refusal):
                watched = self.watching.warmed(one.place, found)
                records.commit(RecordsBatch(states=watched.states))
                self.watching = watched.after
            return


def last_blocks(
    historian: Historian, watching: Watching, in_force: Mapping[Key, InForce]
) -> dict[Place, Ring]:
    """The last blocks of every point that has any, for a start. Raises HistorianError."""
    rings: dict[Place, Ring] = {}
    for group in watching.watch.groups:
        for one in group.points:
            site, machine, point = one.place
            if (site, f"{machine}/{point}{VIBRATION}") in in_force:
                newest = _SEARCHED * len(one.channels)
                features, states = (
                    historian.read(name, fields, site=site, machine=machine, point=point, newest=newest)
                    for name, fields in (("feature", OF_BLOCK), ("state", ("live",)))
                )
                rings[one.place] = remembered(one, features, _live(states))
    return rings


def _live(states: Table) -> Table:
    """Without what a rescored period says of late blocks."""
    live = [i for i, flag in enumerate(states.columns["live"]) if flag != 0]
    if len(live) == len(states):
        return states
    machine, point, channel = (
        tuple(tag[i] for i in live) for tag in (states.machine, states.point, states.channel)
    )
    return Table(states.ts_ns[live], machine, point, channel)


def _read(historian: Historian, ask: Ask) -> Table:
    return historian.read(
        ask.measurement,
        ask.fields,
        site=ask.site,
        machine=ask.machine,
        point=ask.point,
        start_ns=ask.start_ns,
        end_ns=ask.end_ns,
    )


def _version(desk: Desk, machine: str) -> int:
    baseline = desk.baselines.get(machine)
    return 1 if baseline is None else baseline.version
