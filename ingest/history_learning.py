"""Learning a point's baseline from a past that the historian holds already.

A gateway's backlog, an import, a restored historian: their blocks are historical. They advance no state and
are not counted as they come, but a baseline asks for no order of arrival, only for blocks that count on days
enough.

Rules:
1. Only points without a model are looked at, and none whose baseline is lost: a person has to ask for that.
   They are once after the start, and again when historical blocks of them were stored, as many as were
   missing, and none more came for `QUIET_S`. A past that does not go back far enough is not read: one row
   tells.
2. What counts is what counts live: the machine runs, the sensor can be trusted, the point is not in alarm.
   Where no state was told at the time, zones C and D are an alarm: they are the standard's limits.
3. The past is closed: it ends now, and begins after the last recorded intervention has settled.
4. What comes of it is *learned*, by the same fit, and waits for a person to confirm it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import structlog

from models.detection.baseline import LEAST_BLOCKS, LEAST_DAYS, SETTLED_AFTER_S
from models.types import Refusal
from palier.historian.base import Historian, HistorianError, Table
from palier.historian.rows import HOUR_NS, InterventionRow, RecordsBatch

from .baseline_events import events_of
from .judging import Assessed
from .watch_batch import Watched, Watching
from .watch_learning import DAY_NS, FIELDS, LONGEST_NS, TRY_AGAIN_BLOCKS, Ask, Gathering, Learning
from .watch_parts import Place
from .watch_parts import Watched as Point
from .watch_restoring import version_of

QUIET_S: Final = 5.0
"""Link time without a historical block of a point: a link under way brings several a second."""

TURN_S: Final = 0.02
"""A turn reads nothing further after so long: what a commit may have to wait."""

REST: Final = 4  # times as long as a turn took nothing is done: the frames come first

FIRST_SPAN_NS: Final = HOUR_NS
"""What is read at first; twice as much after a quick reading, half as much after a slow one, at most a day:
an hour of some points holds more than a week of others."""

ALARM_ZONES: Final = ("C", "D")

log = structlog.get_logger(__name__)


class HistoryRecords(Protocol):
    """What is needed of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...

    def interventions(self, machine: str | None = None, since_ns: int = 0) -> tuple[InterventionRow, ...]:
        """What was done to a machine at or after a time, oldest first."""
        ...


@dataclass(slots=True)
class _Heard:
    """Historical blocks of a point since it was looked at, when the last came, and how many a look waits
    for."""

    blocks: int = 0
    at_s: float = 0.0
    need: int = LEAST_BLOCKS


@dataclass(slots=True)
class _Look:
    """A point that is being read, from `next_ns` on to `end_ns`."""

    one: Point
    learning: Learning
    gathering: Gathering
    next_ns: int
    end_ns: int
    span_ns: int = 0  # nothing was read yet
    blocks: int = 0

    @property
    def place(self) -> Place:
        """Its site, machine and point."""
        return self.one.place


@dataclass(slots=True, eq=False)
class HistoryLearning:
    """For the one thread that owns the stores: `stored` after each commit, `turn` between two of them."""

    monotonic_s: Callable[[], float] = time.monotonic
    _heard: dict[Place, _Heard] = field(default_factory=dict)
    _look: _Look | None = None
    _rests_until_s: float = 0.0

    def stored(self, assessed: Iterable[Assessed]) -> None:
        """These blocks are durable."""
        for entry in assessed:
            if not entry.work.live:
                block = entry.scored.block
                heard = self._heard.get((entry.work.site, block.machine, block.point))
                if heard is not None:  # else it was never looked at, and will be
                    heard.blocks += 1
                    heard.at_s = self.monotonic_s()

    def turn(
        self, historian: Historian, records: HistoryRecords, watching: Watching, plant_ns: int
    ) -> Watched | None:
        """A bounded step: some days read, or a fit. What it led to is durable when it is returned.

        Raises HistorianError: the look begins anew.
        """
        begun_s = self.monotonic_s()
        if begun_s < self._rests_until_s:
            return None
        try:
            return self._step(historian, records, watching, plant_ns)
        finally:
            now_s = self.monotonic_s()
            self._rests_until_s = now_s + REST * (now_s - begun_s)

    def _step(
        self, historian: Historian, records: HistoryRecords, watching: Watching, plant_ns: int
    ) -> Watched | None:
        look, self._look = self._look, None
        if look is None or _learning(watching, look.place).version != look.learning.version:
            look = self._begin(records, watching, plant_ns)
        if look is None:
            return None
        try:
            return self._go_on(look, historian, records, watching, plant_ns)
        except HistorianError:
            self._heard.pop(look.place, None)
            raise

    def _go_on(
        self, look: _Look, historian: Historian, records: HistoryRecords, watching: Watching, plant_ns: int
    ) -> Watched | None:
        """Some time more of a look, or its fit where all is read."""
        if not look.span_ns and not _goes_back(historian, look):
            look.next_ns = look.end_ns
        until_s = self.monotonic_s() + TURN_S
        while look.next_ns < look.end_ns:
            begun_s = self.monotonic_s()
            if begun_s >= until_s:
                self._look = look
                return None
            look.span_ns = look.span_ns or FIRST_SPAN_NS
            _read_on(historian, look)
            look.span_ns = _span_ns(look.span_ns, self.monotonic_s() - begun_s)
        return self._fitted(look, records, watching, plant_ns)

    def _begin(self, records: HistoryRecords, watching: Watching, plant_ns: int) -> _Look | None:
        """The next point whose turn it is; None where no past waits."""
        now_s = self.monotonic_s()
        for one in (p for group in watching.watch.groups for p in group.points):
            if not watching.may_learn(one.place):
                continue
            heard = self._heard.get(one.place)
            if heard is None or (heard.blocks >= heard.need and now_s - heard.at_s >= QUIET_S):
                learning = _learning(watching, one.place)
                since_ns = max(learning.since_ns, plant_ns - LONGEST_NS, _settled_ns(records, one))
                begun = replace(learning, since_ns=since_ns)
                self._heard[one.place] = _Heard()
                return _Look(one, begun, Gathering(one), since_ns, plant_ns)
        return None

    def _fitted(
        self, look: _Look, records: HistoryRecords, watching: Watching, plant_ns: int
    ) -> Watched | None:
        """The model of what was read, in force from the next block on; None where there is none."""
        heard = self._heard[look.place]
        heard.need = max(TRY_AGAIN_BLOCKS, LEAST_BLOCKS - look.blocks)
        if not watching.may_learn(look.place) or look.blocks < LEAST_BLOCKS:
            return None
        model = look.gathering.fit(
            version=look.learning.version,
            features_of_machine=watching.watch.columns_of_machine(*look.place[:2]),
        )
        refused = model.reason if isinstance(model, Refusal) else ""
        log.info("history_learned", place="/".join(look.place), blocks=look.blocks, refused=refused)
        if isinstance(model, Refusal):
            return None
        watched = watching.learned(look.place, model, plant_ns)
        told = events_of(watching, watched, plant_ns)
        records.commit(RecordsBatch(states=watched.states, baselines=watched.baselines, transitions=told))
        return watched


def asks(one: Point, start_ns: int, end_ns: int) -> tuple[Ask, Ask]:
    """What is read of the features and the states of a point."""
    site, machine, point = one.place
    return (
        Ask("feature", (*FIELDS, "zone"), site, machine, point, start_ns, end_ns),
        Ask("state", ("state",), site, machine, point, start_ns, end_ns),
    )


def _goes_back(historian: Historian, look: _Look) -> bool:
    """Whether there is any block old enough for the days that a baseline needs."""
    site, machine, point = look.place
    old_ns = look.end_ns - (LEAST_DAYS - 1) * DAY_NS
    if old_ns <= look.next_ns:
        return False
    some = historian.read(
        "feature",
        ("frame",),
        site=site,
        machine=machine,
        point=point,
        start_ns=look.next_ns,
        end_ns=old_ns,
        newest=1,
    )
    return len(some) > 0


def _read_on(historian: Historian, look: _Look) -> None:
    """The next span of a look."""
    next_ns = min(look.end_ns, look.next_ns + look.span_ns)
    features, states = (_read(historian, ask) for ask in asks(look.one, look.next_ns, next_ns))
    calm = without_alarms(features)
    look.blocks += len(np.unique(calm.ts_ns))
    look.gathering.add(calm, states)
    look.next_ns = next_ns


def _span_ns(span_ns: int, took_s: float) -> int:
    """How much to read next, by how long the last reading took."""
    if took_s > TURN_S:
        return max(FIRST_SPAN_NS, span_ns // 2)
    return min(DAY_NS, 2 * span_ns)


def without_alarms(features: Table) -> Table:
    """The rows of blocks none of whose channels was in zone C or D."""
    zones = np.array([str(zone) for zone in features.columns["zone"]], dtype=object)
    alarm = np.unique(features.ts_ns[np.isin(zones, ALARM_ZONES)])
    kept = np.flatnonzero(~np.isin(features.ts_ns, alarm))
    if len(kept) == len(features):
        return features
    machine, point, channel = (
        tuple(tags[k] for k in kept) for tags in (features.machine, features.point, features.channel)
    )
    numbers = {name: column for name, column in features.columns.items() if name != "zone"}
    columns = {name: np.asarray(column, dtype=np.float64)[kept] for name, column in numbers.items()}
    return Table(features.ts_ns[kept], machine, point, channel, columns)


def _settled_ns(records: HistoryRecords, one: Point) -> int:
    """When the last intervention on a machine had settled, 0 without any."""
    done = records.interventions(one.machine.id)
    return max((row.at_ns + round(SETTLED_AFTER_S * 1e9) for row in done), default=0)


def _learning(watching: Watching, place: Place) -> Learning:
    """How far a point is; one new to the plant learns for the baseline that its machine has by then."""
    return watching.learning.get(place) or Learning(version_of(watching.baselines.get(place[1])))


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
