"""All that the watch remembers, and what a batch makes of it: a pure step that a commit takes and keeps.

    watched = watching.step(assessed)     the blocks, each with what its point is now said to be in
    ... store `watched.rows` with the series, `watched.states` and `watched.baselines` with the records ...
    watching = watched.after              once it is durable

A batch that could not be stored is stepped again from the same `Watching`, to the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from models.detection.decision import Basis
from models.types import State
from palier.historian.base import Rows
from palier.historian.rows import BaselineRow, StateRow
from palier.operations import Baseline, BaselineStatus

from . import watch_rows as rows
from .judging import Assessed
from .knowledge import Knowledge
from .watch import MODEL, MONITOR, Verdict, Watch, WatchState
from .watch_diagnosis import Examined, Looked, Ring, examine, look, remember
from .watch_health import Health, together
from .watch_learning import LEARNING, Learning, count, reopened, status
from .watch_parts import Place, PointModel
from .watch_states import ABNORMAL, merge

LOOKED = "#looked"
"""Key of when a point was last examined, in the records."""

Machine = tuple[str, str]
"""(site, machine)."""


@dataclass(frozen=True, slots=True, eq=False)
class Watching:
    """What is remembered: the detector's state, how far each point's learning is, what people see of each
    machine's baseline, the last blocks, when each point was last examined, and the health last told.
    """

    knowledge: Knowledge
    watch: Watch
    state: WatchState
    learning: Mapping[Place, Learning] = field(default_factory=lambda: MappingProxyType({}))
    baselines: Mapping[str, Baseline] = field(default_factory=lambda: MappingProxyType({}))
    rings: Mapping[Place, Ring] = field(default_factory=lambda: MappingProxyType({}))
    looked: Mapping[Place, Looked] = field(default_factory=lambda: MappingProxyType({}))
    health: Mapping[Place, Health] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def restored(
        cls,
        knowledge: Knowledge,
        told: Mapping[tuple[str, str], str],
        baselines: Iterable[BaselineRow] = (),
        rings: Mapping[Place, Ring] | None = None,
    ) -> Watching:
        """As the records hold it, by (site, key), and the last blocks by `watch_diagnosis.remembered`."""
        rows_of = sorted(baselines, key=lambda row: row.version)
        present = {row.machine: Baseline.from_told(json.loads(row.value)) for row in rows_of}
        places = [one.place for g in Watch.of(knowledge).groups for one in g.points]
        kept = {p: Learning.from_json(told.get(_key(p, LEARNING), "")) for p in places}
        learning = {p: one for p, one in kept.items() if one is not None}
        # Opened again, and no batch came before the end: the baseline is newer than what its points hold.
        behind = {p for p, one in learning.items() if one.version < _version(present.get(p[1]))}
        learning |= {p: reopened(present[p[1]], ()) for p in behind}
        models = {}
        for place in places:
            version = _version(present.get(place[1]))
            model = _model(told.get(_key(place, f"{MODEL}:{version}")))
            if model is not None:
                models[place] = model
        watch = Watch.of(knowledge, models)
        anew = {_key(p, MONITOR) for p in behind}
        state = watch.restored({key: text for key, text in told.items() if key not in anew})
        texts = {p: told[_key(p, LOOKED)] for p in places if _key(p, LOOKED) in told}
        looked = {p: Looked(**json.loads(text)) for p, text in texts.items()}
        health = {p.place: state.health[g].health(i) for g, group in enumerate(watch.groups)
                  for i, p in enumerate(group.points)}  # fmt: skip
        return cls(knowledge, watch, state, learning, present, rings or {}, looked, health)

    def step(self, assessed: Sequence[Assessed], *, repaired: Collection[Machine] = ()) -> Watched:
        """What the live blocks among these lead to. `repaired` are machines at which something was done."""
        state, verdicts = self.watch.step(self.state, [entry.scored for entry in assessed], repaired=repaired)
        said = merge(assessed, verdicts)
        step = _Step(self, said)
        for i in sorted(verdicts, key=lambda i: (verdicts[i].ts_ns, i)):
            if verdicts[i].advanced:
                step.take(said[i], verdicts[i])
        after = replace(
            self,
            state=state,
            learning={**self.learning, **step.learning},
            baselines={**self.baselines, **step.baselines},
            rings={**self.rings, **step.rings},
            looked={**self.looked, **step.looked},
            health={**self.health, **step.health},
        )
        advanced = {v.watched.place for v in verdicts.values() if v.advanced}
        texts = self.watch.texts(state, advanced)
        kept = [StateRow(site, key, text) for (site, key), text in texts.items()]
        kept += [StateRow(*_key(p, LEARNING), one.to_json()) for p, one in step.learning.items()]
        kept += [StateRow(*_key(p, LOOKED), json.dumps(asdict(one))) for p, one in step.looked.items()]
        site = self.knowledge.plant.site_id
        return Watched(
            after,
            said,
            verdicts,
            tuple(step.examined),
            step.rows(),
            tuple(kept),
            tuple(baseline_row(site, one) for one in step.baselines.values()),
            tuple(step.failed),
        )

    def due(self) -> tuple[Place, ...]:
        """Points of which a baseline should be fitted now: the shell reads, fits, and calls `learned`."""
        return tuple(
            place
            for place, learning in self.learning.items()
            if learning.due and (one := self.watch.watched(place)) is not None and one.model is None
        )

    def learned(self, place: Place, model: PointModel, now_ns: int) -> Watched:
        """A point has its model: in force from the next block on."""
        watch, state = self.watch.learned(self.state, {place: model})
        after = replace(self, watch=watch, state=state)
        site, machine, _ = place
        baseline = after.baseline_of(site, machine, now_ns)
        changed = () if baseline == self.baselines.get(machine) else (baseline,)
        after = replace(after, baselines={**self.baselines, machine: baseline})
        texts = watch.texts(state, [place])
        kept = [StateRow(s, key, text) for (s, key), text in texts.items()]
        kept.append(StateRow(*_key(place, f"{MODEL}:{model.version}"), model.to_text()))
        told = tuple(baseline_row(site, one) for one in changed)
        return Watched(after, states=tuple(kept), baselines=told)

    def refused(self, place: Place, learning: Learning) -> Watched:
        """A fit gave no model: `learning` is what `Learning.again` made of it."""
        after = replace(self, learning={**self.learning, place: learning})
        return Watched(after, states=(StateRow(*_key(place, LEARNING), learning.to_json()),))

    def opened(self, baseline: Baseline, interventions_ns: Collection[int] = ()) -> Watched:
        """A person had a machine's baseline opened again, or confirmed: `baseline` is as it is now."""
        after = replace(self, baselines={**self.baselines, baseline.machine: baseline})
        before = self.baselines.get(baseline.machine)
        if baseline.status is not BaselineStatus.LEARNING or _version(before) == baseline.version:
            return Watched(after)
        site = self.knowledge.plant.site_id
        places = [one.place for one in self.watch.of_machine(site, baseline.machine)]
        watch, state = self.watch.learned(self.state, dict.fromkeys(places))
        fresh = dict.fromkeys(places, reopened(baseline, interventions_ns))
        texts = watch.texts(state, places)
        kept = [StateRow(s, key, text) for (s, key), text in texts.items()]
        kept += [StateRow(*_key(p, LEARNING), one.to_json()) for p, one in fresh.items()]
        after = replace(after, watch=watch, state=state, learning={**self.learning, **fresh})
        return Watched(after, states=tuple(kept))

    def baseline_of(self, site: str, machine: str, now_ns: int) -> Baseline:
        """What people see of a machine's baseline now."""
        before = self.baselines.get(machine) or Baseline(machine, opened_ns=now_ns, since_ns=now_ns)
        points = [
            (self.learning.get(one.place, Learning()), one.model is not None)
            for one in self.watch.of_machine(site, machine)
        ]
        return status(before, points, now_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What came of a step: what is remembered `after`, the blocks as they are now `assessed`, the verdicts by
    place among them, what was `examined`, and what is to be stored: series, states and baselines. Of points
    whose examination `failed` the error: a defect of ours, to be logged.
    """

    after: Watching
    assessed: list[Assessed] = field(default_factory=list)
    verdicts: Mapping[int, Verdict] = field(default_factory=lambda: MappingProxyType({}))
    examined: tuple[Examined, ...] = ()
    rows: tuple[Rows, ...] = ()
    states: tuple[StateRow, ...] = ()
    baselines: tuple[BaselineRow, ...] = ()
    failed: tuple[tuple[Place, str], ...] = ()


class _Step:
    """What a batch changes, while it is gone through in order of time."""

    def __init__(self, before: Watching, said: Sequence[Assessed]) -> None:
        self._before = before
        self.learning: dict[Place, Learning] = {}
        self.baselines: dict[str, Baseline] = {}
        self.rings: dict[Place, Ring] = {}
        self.looked: dict[Place, Looked] = {}
        self.health: dict[Place, Health] = {}
        self.examined: list[Examined] = []
        self.failed: list[tuple[Place, str]] = []
        self._scores: list[Verdict] = []
        self._lines: list[rows.HealthLine] = []

    def take(self, entry: Assessed, verdict: Verdict) -> None:
        """One live block more."""
        before, place = self._before, verdict.watched.place
        self.rings[place] = remember(self._ring(place), entry.scored, verdict.watched)
        if verdict.learning:
            self._count(verdict, entry.said.state)
        elif verdict.counted and verdict.basis is Basis.BASELINE:
            self._scores.append(verdict)
            self._healthy(verdict)
        was = self.looked.get(place) or before.looked.get(place, Looked())
        now, due = look(was, entry.said.state, counted=verdict.counted)
        if now != was:
            self.looked[place] = now
        if due and entry.said.state in ABNORMAL:
            points = before.watch.of_machine(*place[:2])
            rings = [(one, self._ring(one.place)) for one in points]
            try:
                self.examined.append(examine(entry.scored, verdict, rings, before.knowledge))
            except Exception as error:  # noqa: BLE001 - what a stranger's samples provoke must not stop the storing
                self.failed.append((place, repr(error)))

    def rows(self) -> tuple[Rows, ...]:
        """What is to be written, without tables that are empty."""
        tables = (
            rows.score_rows(self._scores),
            rows.diagnosis_rows(self.examined),
            rows.health_rows(self._lines),
        )
        return tuple(table for table in tables if len(table))

    def _ring(self, place: Place) -> Ring:
        found = self.rings.get(place)
        return self._before.rings.get(place, ()) if found is None else found

    def _count(self, verdict: Verdict, state: State) -> None:
        place = verdict.watched.place
        site, machine, _ = place
        was = self._learning(place)
        now = count(was, verdict, state)
        if now is was and machine in self._before.baselines:
            return
        self.learning[place] = now
        present = self.baselines.get(machine) or self._before.baselines.get(machine)
        opened = present or Baseline(machine, opened_ns=verdict.ts_ns, since_ns=verdict.ts_ns)
        points = [
            (self._learning(one.place), one.model is not None)
            for one in self._before.watch.of_machine(site, machine)
        ]
        told = status(opened, points, verdict.ts_ns)
        if told != present:
            self.baselines[machine] = told

    def _learning(self, place: Place) -> Learning:
        found = self.learning.get(place) or self._before.learning.get(place)
        # A point that is new to the plant learns for the baseline that its machine has by then.
        return found or Learning(_version(self._before.baselines.get(place[1])))

    def _healthy(self, verdict: Verdict) -> None:
        place = verdict.watched.place
        site, machine, _ = place
        self.health[place] = verdict.health
        points = self._before.watch.of_machine(site, machine)
        whole = together(self._health(one.place) for one in points)
        lines = ((place, verdict.health), ((site, machine, ""), whole))
        self._lines += [rows.HealthLine(p, verdict.ts_ns, health, verdict.frame) for p, health in lines]

    def _health(self, place: Place) -> Health:
        return self.health.get(place) or self._before.health.get(place, Health())


def baseline_row(site: str, baseline: Baseline) -> BaselineRow:
    """A machine's baseline as the records keep it."""
    value = json.dumps(baseline.told(), ensure_ascii=False)
    return BaselineRow(site, baseline.machine, baseline.version, value)


def _key(place: Place, what: str) -> tuple[str, str]:
    site, machine, point = place
    return site, f"{machine}/{point}{what}"


def _version(baseline: Baseline | None) -> int:
    return 1 if baseline is None else baseline.version


def _model(text: str | None) -> PointModel | None:
    try:
        return None if text is None else PointModel.from_text(text)
    except ValueError:
        return None
