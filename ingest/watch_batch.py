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
from typing import Final

from models.advice import Lasting
from models.detection.housing import Housing
from palier.frames import Waveform
from palier.historian.base import Rows
from palier.historian.rows import BaselineRow, StateRow
from palier.operations import Baseline, BaselineStatus

from .judging import Assessed
from .knowledge import Knowledge
from .model_scoring import Models
from .watch import MODEL, MONITOR, Verdict, Watch, WatchState
from .watch_diagnosis import Examined, Looked, Ring
from .watch_health import Health
from .watch_housing import greased_of, key_of, to_text
from .watch_learning import LEARNING, Learning, reopened, status
from .watch_parts import Place, PointModel
from .watch_restoring import INTERVENED, KEPT, LOOKED, Strange, judged_by, restored, version_of
from .watch_states import merge
from .watch_step import Step

NOTHING_DONE: Final[Mapping[str, int]] = MappingProxyType({})
NO_WORK: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Watching:
    """What is remembered: the detector's state, how far each point's learning is, what people see of each
    machine's baseline, the last blocks, when each point was last examined, the health last told, and when
    (plant time) the last intervention was done at each machine that this knows of. Of points whose model
    could not be used: why, where a person had confirmed it (`lost`), and its text (`unread`); `strange` is
    all that could not be read at the start. `doubling_days` is what grows at abnormal points ("channel/
    feature"), and `lasting` what they last, as the shell last found it. `models` are those of the registry
    that score beside the baselines.
    """

    knowledge: Knowledge
    watch: Watch
    state: WatchState
    learning: Mapping[Place, Learning] = field(default_factory=lambda: MappingProxyType({}))
    baselines: Mapping[str, Baseline] = field(default_factory=lambda: MappingProxyType({}))
    rings: Mapping[Place, Ring] = field(default_factory=lambda: MappingProxyType({}))
    looked: Mapping[Place, Looked] = field(default_factory=lambda: MappingProxyType({}))
    health: Mapping[Place, Health] = field(default_factory=lambda: MappingProxyType({}))
    intervened: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    lost: Mapping[Place, str] = field(default_factory=lambda: MappingProxyType({}))
    unread: Mapping[Place, str] = field(default_factory=lambda: MappingProxyType({}))
    strange: tuple[Strange, ...] = ()
    doubling_days: Mapping[Place, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    lasting: Mapping[Place, Lasting] = field(default_factory=lambda: MappingProxyType({}))
    models: Models = field(default_factory=Models)

    @classmethod
    def restored(
        cls,
        knowledge: Knowledge,
        told: Mapping[tuple[str, str], str],
        baselines: Iterable[BaselineRow] = (),
        rings: Mapping[Place, Ring] | None = None,
    ) -> Watching:
        """As the records hold it, by (site, key), and the last blocks by `watch_diagnosis.remembered`."""
        found = restored(Watch.of(knowledge), told, baselines)
        watch = Watch.of(knowledge, found.models, found.housings)
        anew = {_key(place, MONITOR) for place in found.behind}
        state, other = watch.restored({key: text for key, text in told.items() if key not in anew})
        strange = [*found.strange, *(Strange("/".join(p) + MONITOR, "of another layout") for p in other)]
        return cls(
            knowledge,
            watch,
            state,
            found.learning,
            found.baselines,
            rings or {},
            found.looked,
            watch.health(state, [one.place for group in watch.groups for one in group.points]),
            found.intervened,
            found.lost,
            found.unread,
            tuple(strange),
        )

    def step(
        self,
        assessed: Sequence[Assessed],
        *,
        intervened: Mapping[str, int] = NOTHING_DONE,
        work: Mapping[tuple[str, str], int] = NO_WORK,
    ) -> Watched:
        """What the live blocks among these lead to. `intervened` is when something was last done at each
        machine: where that is new the health of its points may rise again. `work` is the same of each
        (machine, kind of work), which a diagnosis asks for.
        """
        done = {m: at_ns for m, at_ns in intervened.items() if self.intervened.get(m, -1) < at_ns}
        site, mended = self.knowledge.plant.site_id, self.state
        for machine in done:
            mended = self.watch.mended(mended, (site, machine))
        state, verdicts = self.watch.step(mended, [entry.scored for entry in assessed], greased_of(work))
        judged = self.models.step(merge(assessed, verdicts, self.lost), verdicts, self.rings)
        said = list(judged.said)
        step = Step(self, work)
        for i in sorted(verdicts, key=lambda i: (verdicts[i].ts_ns, i)):
            if verdicts[i].advanced:
                step.take(said[i], verdicts[i])
        for entry in assessed:
            if not entry.work.live and isinstance(entry.scored.block, Waveform):
                step.complete(entry.scored)
        after = replace(
            self,
            state=state,
            learning={**self.learning, **step.learning},
            baselines={**self.baselines, **step.baselines},
            rings={**self.rings, **step.rings},
            looked={**self.looked, **step.looked},
            health={**self.health, **step.health},
            intervened={**self.intervened, **done},
            models=judged.after,
        )
        changed = {v.watched.place for v in verdicts.values() if v.advanced}
        changed |= {one.place for machine in done for one in self.watch.of_machine(site, machine)}
        texts = self.watch.texts(state, changed, self.state)
        kept = [StateRow(site, key, text) for (site, key), text in texts.items()]
        kept += [StateRow(site, f"{machine}{INTERVENED}", str(at_ns)) for machine, at_ns in done.items()]
        kept += [StateRow(*_key(p, LEARNING), one.to_json()) for p, one in step.learning.items()]
        kept += [StateRow(*_key(p, LOOKED), json.dumps(asdict(one))) for p, one in step.looked.items()]
        return Watched(
            after,
            said,
            verdicts,
            tuple(step.examined),
            (*step.rows(), *judged.rows),
            (*kept, *judged.states),
            tuple(baseline_row(site, one) for one in step.baselines.values()),
            tuple(step.failed),
            model_failures=judged.failed,
        )

    def due(self) -> tuple[Place, ...]:
        """Points of which a baseline should be fitted now: the shell reads, fits, and calls `learned`."""
        return tuple(
            place for place, learning in self.learning.items() if learning.due and self.may_learn(place)
        )

    def may_learn(self, place: Place) -> bool:
        """Whether a point has no model, and is not one that a person has to ask for."""
        one = self.watch.watched(place)
        return one is not None and one.model is None and place not in self.lost

    def learned(self, place: Place, model: PointModel, now_ns: int) -> Watched:
        """A point has its model: in force from the next block on. A text in whose place it comes is kept."""
        watch, state = self.watch.learned(self.state, {place: model})
        after = replace(self, watch=watch, state=state)
        site, machine, _ = place
        baseline = after.baseline_of(site, machine, now_ns)
        changed = () if baseline == self.baselines.get(machine) else (baseline,)
        after = replace(after, baselines={**self.baselines, machine: baseline})
        texts = watch.texts(state, [place])
        kept = [StateRow(s, key, text) for (s, key), text in texts.items()]
        of_model = f"{MODEL}:{model.version}"
        kept.append(StateRow(*_key(place, of_model), model.to_text()))
        if place in self.unread:
            kept.append(StateRow(*_key(place, of_model + KEPT), self.unread[place]))
            after = replace(after, unread={p: text for p, text in self.unread.items() if p != place})
        told = tuple(baseline_row(site, one) for one in changed)
        return Watched(after, states=tuple(kept), baselines=told)

    def warmed(self, place: Place, housing: Housing) -> Watched:
        """A point has learned how warm its housing should be: judged by it from the next block on."""
        after = replace(self, watch=self.watch.warmed(place, housing))
        version = version_of(self.baselines.get(place[1]))
        return Watched(after, states=(StateRow(*key_of(place, version), to_text(housing)),))

    def refused(self, place: Place, learning: Learning) -> Watched:
        """A fit gave no model: `learning` is what `Learning.again` made of it."""
        after = replace(self, learning={**self.learning, place: learning})
        return Watched(after, states=(StateRow(*_key(place, LEARNING), learning.to_json()),))

    def opened(self, baseline: Baseline, interventions_ns: Collection[int] = ()) -> Watched:
        """A person had a machine's baseline opened again, or confirmed: `baseline` is as it is now."""
        after = replace(self, baselines={**self.baselines, baseline.machine: baseline})
        before = self.baselines.get(baseline.machine)
        if baseline.status is not BaselineStatus.LEARNING or version_of(before) == baseline.version:
            return Watched(after)
        site = self.knowledge.plant.site_id
        places = [one.place for one in self.watch.of_machine(site, baseline.machine)]
        watch, state = self.watch.learned(self.state, dict.fromkeys(places))
        fresh = dict.fromkeys(places, reopened(baseline, interventions_ns))
        texts = watch.texts(state, places)
        kept = [StateRow(s, key, text) for (s, key), text in texts.items()]
        kept += [StateRow(*_key(p, LEARNING), one.to_json()) for p, one in fresh.items()]
        after = replace(
            after,
            watch=watch,
            state=state,
            learning={**self.learning, **fresh},
            lost={place: why for place, why in self.lost.items() if place not in fresh},
            unread={place: text for place, text in self.unread.items() if place not in fresh},
        )
        return Watched(after, states=tuple(kept))

    def grows(self, place: Place, doubling_days: Mapping[str, float]) -> Watching:
        """What is known by now of what grows at a point."""
        return replace(self, doubling_days={**self.doubling_days, place: doubling_days})

    def lasts(self, place: Place, lasting: Lasting | None) -> Watching:
        """How long a point lasts by now; None where nobody can say."""
        others = {p: one for p, one in self.lasting.items() if p != place}
        return replace(self, lasting=others if lasting is None else {**others, place: lasting})

    def is_growing(self, place: Place) -> bool:
        """Whether anything is remembered of what grows at a point."""
        return place in self.doubling_days or place in self.lasting

    def calmed(self, place: Place) -> Watching:
        """A point is no longer abnormal: what grew there says nothing of what will come."""
        grown = {p: days for p, days in self.doubling_days.items() if p != place}
        return replace(self, doubling_days=grown).lasts(place, None)

    def mislaid(self, now_ns: int) -> Watched:
        """What people are to see of baselines whose models cannot be used, or can again; of most starts
        nothing.
        """
        site = self.knowledge.plant.site_id
        told = {machine: self._as_it_is(one, now_ns) for machine, one in self.baselines.items()}
        changed = {machine: one for machine, one in told.items() if one is not self.baselines[machine]}
        after = replace(self, baselines={**self.baselines, **changed})
        return Watched(after, baselines=tuple(baseline_row(site, one) for one in changed.values()))

    def _as_it_is(self, baseline: Baseline, now_ns: int) -> Baseline:
        site, machine = self.knowledge.plant.site_id, baseline.machine
        has = any(one.model is not None for one in self.watch.of_machine(site, machine))
        if has and baseline.status is BaselineStatus.LEARNING:  # it can be used again
            now = self.baseline_of(site, machine, now_ns)
            return now if now.status is BaselineStatus.LEARNED else baseline
        lost, unread = (any(place[1] == machine for place in some) for some in (self.lost, self.unread))
        return judged_by(baseline, lost=lost, anew=unread and not has, now_ns=now_ns)

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
    whose examination `failed` the error: a defect of ours, to be logged, as are blocks that were `left_out`;
    `model_failures` are those of models of the registry, by name and version.
    """

    after: Watching
    assessed: list[Assessed] = field(default_factory=list)
    verdicts: Mapping[int, Verdict] = field(default_factory=lambda: MappingProxyType({}))
    examined: tuple[Examined, ...] = ()
    rows: tuple[Rows, ...] = ()
    states: tuple[StateRow, ...] = ()
    baselines: tuple[BaselineRow, ...] = ()
    failed: tuple[tuple[Place, str], ...] = ()
    left_out: int = 0
    model_failures: tuple[tuple[str, str], ...] = ()


def baseline_row(site: str, baseline: Baseline) -> BaselineRow:
    """A machine's baseline as the records keep it."""
    value = json.dumps(baseline.told(), ensure_ascii=False)
    return BaselineRow(site, baseline.machine, baseline.version, value)


def _key(place: Place, what: str) -> tuple[str, str]:
    site, machine, point = place
    return site, f"{machine}/{point}{what}"
