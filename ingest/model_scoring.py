"""What models of the registry say of the blocks of a batch, beside the watch. Pure.

    judged = models.step(said, verdicts)      the blocks, each with what its point is now said to be in
    ... store `judged.rows` and `judged.states` ...
    models = judged.after                     once it is durable

Rules:
1. Only blocks that count are scored (live, running, at the pace of the baseline), all that a batch has of a
   model's points in one call. What can't be scored is no number and changes nothing.
2. A detector is on after three blocks in a row above its threshold, and off after six in a row that are calm:
   as all else that the watch hears. It makes a normal point *watch*, never more: it tells that something is
   strange, not how bad it is. What is said of a point by its limits or its baseline stays.
3. A classifier is asked about points that are abnormal, and answers beside the diagnosis.
4. A model in shadow decides nothing.
5. Another version begins anew; the same version goes on, from shadow to force and through a restart.
6. A model that fails, takes too long, or gives what is no score, is left out of that batch, and told. What it
   does after its time changes nothing: each works on a copy, which is taken over when it is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from models.detection.context import Context
from models.detection.persistence import ALERT_OF, OFF_DELAY
from models.detection.plain import decode, encode
from models.detection.regimes import Regime
from models.features.catalogue import NAMES, UNITS
from models.training.dataset import PointHistory
from models.types import State
from palier.historian.base import Rows
from palier.historian.rows import StateRow
from palier.reason_text import BY_MODEL

from .judging import Assessed
from .model_lines import Line, rows_of
from .watch import Verdict
from .watch_diagnosis import Ring, remember
from .watch_parts import Place, Watched, columns_of, measured_hz
from .watch_states import ABNORMAL

if TYPE_CHECKING:  # an ingest without models does without it
    from models.bundle import Bundle

BY: Final = "#by:"
"""Key of what is remembered of a point by a model, in the records: "MACHINE/POINT#by:NAME:VERSION"."""

BASELINES: Final = "baselines"
CLASSIFIER: Final = "classifier"
IN_FORCE: Final = "in force"
SHADOW: Final = "shadow"

_WATCHED: Final = frozenset({State.NORMAL, State.LEARNING})
"""What a detector may make *watch*."""

_SEVERITY: Final = 2

Within = Callable[[Callable[[], object]], object]
"""Asks a model; what takes too long is raised."""

Memory = Mapping[str, npt.NDArray[Any]]
_NOTHING: Final[Memory] = MappingProxyType({})
NO_RINGS: Final[Mapping[Place, Ring]] = MappingProxyType({})


def _at_once(ask: Callable[[], object]) -> object:
    """However long it takes: of a period that is closed nobody waits for the next batch."""
    return ask()


@dataclass(frozen=True, slots=True, eq=False)
class Installed:
    """A model at work, in force or in shadow: of these points, or of all machines of these kinds."""

    name: str
    version: int
    stage: str
    bundle: Bundle
    places: frozenset[Place]
    machine_kinds: frozenset[str] = frozenset()
    within: Within = _at_once

    @classmethod
    def of(cls, name: str, version: int, stage: str, bundle: Bundle, within: Within = _at_once) -> Installed:
        """A bundle at work; `within` asks it with a limit of time."""
        scope = bundle.manifest.told.get("scope", {})
        kinds = frozenset(str(kind) for kind in scope.get("machine_kinds", ()))
        return cls(name, version, stage, bundle, frozenset(bundle.places), kinds, within)

    def judges(self, one: Watched) -> bool:
        """Whether it has something to say of a point."""
        return one.place in self.places if self.places else one.machine.kind in self.machine_kinds

    @property
    def words(self) -> tuple[str, int, str]:
        """(name, version, stage)."""
        return self.name, self.version, self.stage

    @property
    def spec(self) -> str:
        """As people name it: "isolation-forest:4"."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What is remembered of a point by one version of a model: blocks in a row above its threshold and calm
    ones, whether it is on, and the memory of the detector itself.
    """

    run: int = 0
    calm: int = 0
    on: bool = False
    memory: Memory = field(default_factory=lambda: _NOTHING)

    def after(self, *, exceeds: bool, calm: bool) -> Held:
        """After one more block that could be scored."""
        run = self.run + 1 if exceeds else 0
        quiet = self.calm + 1 if calm else 0
        on = (self.on or run >= ALERT_OF) and quiet < OFF_DELAY
        return replace(self, run=min(run, ALERT_OF), calm=min(quiet, OFF_DELAY), on=on)

    def to_json(self) -> str:
        """As the records keep it."""
        memory = encode(self.memory) if self.memory else ""
        return json.dumps({"run": self.run, "calm": self.calm, "on": self.on, "memory": memory})

    @classmethod
    def from_json(cls, text: str) -> Held | None:
        """What `to_json` wrote, None for anything else."""
        try:
            told = json.loads(text)
            memory = decode(told["memory"]) if told["memory"] else _NOTHING
            return cls(int(told["run"]), int(told["calm"]), bool(told["on"]), memory)
        except (KeyError, TypeError, ValueError):
            return None


Holding = Mapping[tuple[str, Place], Held]
"""By the model's name and version, and the point."""


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The models at work, and what is remembered by each."""

    installed: tuple[Installed, ...] = ()
    held: Holding = field(default_factory=lambda: MappingProxyType({}))

    def having(
        self, installed: Iterable[Installed], told: Mapping[tuple[str, str], str] | None = None
    ) -> Models:
        """With these models in place of all. What is remembered by a version goes on: by those that were
        there, and by those of which the records told.
        """
        models = tuple(installed)
        specs = {one.spec for one in models}
        held = {key: one for key, one in self.held.items() if key[0] in specs}
        return Models(models, {**_restored(models, told or {}), **held})

    def forgotten(self, after: Models) -> tuple[StateRow, ...]:
        """The rows that take away what is remembered by models that are no more."""
        return tuple(StateRow(*key_of(*key), None) for key in self.held if key not in after.held)

    def step(
        self,
        said: Sequence[Assessed],
        verdicts: Mapping[int, Verdict],
        rings: Mapping[Place, Ring] = NO_RINGS,
    ) -> Judged:
        """What the models say of these blocks; `verdicts` are the watch's, by place among them, `rings` the
        last blocks of each point before them.
        """
        if not self.installed:
            return Judged(self, said)
        return _Batch(self, said, verdicts, rings).judged()


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What came of a batch. Of models that `failed` what it was: a defect of theirs, to be told."""

    after: Models
    said: Sequence[Assessed]
    rows: tuple[Rows, ...] = ()
    states: tuple[StateRow, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


class _Batch:
    """One batch, while the models go through it one after the other."""

    def __init__(
        self,
        before: Models,
        said: Sequence[Assessed],
        verdicts: Mapping[int, Verdict],
        rings: Mapping[Place, Ring],
    ) -> None:
        self._before = before
        self._rings = rings
        self._said = list(said)
        self._verdicts = verdicts
        self._held: dict[tuple[str, Place], Held] = {}
        self._lines: list[Line] = []
        self._failed: list[tuple[str, str]] = []
        self._running = [
            i
            for i in sorted(verdicts, key=lambda i: (verdicts[i].ts_ns, i))
            if verdicts[i].advanced and verdicts[i].regime is Regime.RUNNING
        ]

    def judged(self) -> Judged:
        """All of it: classifiers last, for what they are asked about depends on the detectors."""
        for one in self._before.installed:
            if one.bundle.kind != CLASSIFIER:
                self._try(one, _Batch._detect)
        for one in self._before.installed:
            if one.bundle.kind == CLASSIFIER:
                self._try(one, _Batch._name)
        held = {**self._before.held, **self._held} if self._held else self._before.held
        return Judged(
            replace(self._before, held=held) if self._held else self._before,
            self._said,
            (rows_of(self._lines),) if self._lines else (),
            tuple(StateRow(*key_of(*key), one.to_json()) for key, one in self._held.items()),
            tuple(self._failed),
        )

    def _try(self, one: Installed, ask: Callable[[_Batch, Installed], None]) -> None:
        apart = copy(self)
        apart._held, apart._lines, apart._said = dict(self._held), list(self._lines), list(self._said)
        try:
            one.within(partial(ask, apart, one))
        except Exception as error:  # noqa: BLE001 - a model must not stop the storing, whatever is wrong with it
            self._failed.append((one.spec, f"{type(error).__name__}: {error}"))
        else:
            self._held, self._lines, self._said = apart._held, apart._lines, apart._said

    def _detect(self, one: Installed) -> None:
        """Score the blocks that count, in one call, and step what is remembered by each."""
        on: dict[int, bool] = {}
        by_place: dict[Place, list[int]] = {}
        for i in self._counted(one):
            by_place.setdefault(self._verdicts[i].watched.place, []).append(i)
        asked = [
            (self._memory(one, place), self._history([self._said[i] for i in some], some))
            for place, some in by_place.items()
        ]
        answers = one.bundle.step_all(asked) if asked else []
        for (place, some), (memory, scored) in zip(by_place.items(), answers, strict=True):
            held = replace(self._hold(one, place), memory=memory)
            if np.isinf(scored.score).any():
                raise ValueError("it gives an infinite score; what can't be told must be NaN")
            for k, i in enumerate(some):
                score = float(scored.score[k])
                if not np.isnan(score):
                    held = held.after(exceeds=bool(scored.exceeds[k]), calm=score < scored.calm)
                    verdict = self._verdicts[i]
                    self._lines.append(
                        Line(
                            place, verdict.ts_ns, verdict.frame, *one.words, score, float(scored.threshold),
                            int(held.on), leading=str(scored.leading[k]) or None,
                        )
                    )  # fmt: skip
                on[i] = held.on
            self._held[one.spec, place] = held
        if one.stage == IN_FORCE:
            self._watch(one, on)

    def _watch(self, one: Installed, on: Mapping[int, bool]) -> None:
        """Normal points on which the detector is on are *watch*, by the block it came with."""
        last: dict[Place, bool] = {}
        for i in self._running:
            place = self._verdicts[i].watched.place
            if i in on:
                last[place] = on[i]
            elif place not in last:
                before = self._before.held.get((one.spec, place))
                last[place] = before is not None and before.on
            said = self._said[i].said
            if last[place] and said.state in _WATCHED:
                seen = replace(
                    said, state=State.WATCH, severity=_SEVERITY, reason=f"{BY_MODEL}{one.spec}", remedy=None
                )
                self._said[i] = replace(self._said[i], said=seen)

    def _name(self, one: Installed) -> None:
        """Ask a classifier about the blocks of abnormal points that count, each with those before it."""
        recent: dict[Place, Ring] = {}
        asked = set(self._counted(one))
        for i in self._running:
            entry, verdict = self._said[i], self._verdicts[i]
            watched = verdict.watched
            ring = recent.get(watched.place, self._rings.get(watched.place, ()))
            ring = recent[watched.place] = remember(ring, entry.scored, watched)
            if i not in asked or entry.said.state not in ABNORMAL:
                continue
            levels = None if watched.model is None else watched.model.levels.ravel()
            named = one.bundle.classify(_lately(watched, ring), levels)
            if label := str(named.label[-1]):
                self._lines.append(
                    Line(
                        watched.place, verdict.ts_ns, verdict.frame, *one.words, label=label,
                        confidence=float(named.confidence[-1]), leading=str(named.leading[-1]) or None,
                    )
                )  # fmt: skip

    def _counted(self, one: Installed) -> list[int]:
        told = ((i, self._verdicts[i]) for i in self._running)
        return [i for i, verdict in told if verdict.counted and one.judges(verdict.watched)]

    def _hold(self, one: Installed, place: Place) -> Held:
        key = (one.spec, place)
        return self._held.get(key) or self._before.held.get(key) or Held(memory=one.bundle.start(place))

    def _memory(self, one: Installed, place: Place) -> Memory:
        return self._hold(one, place).memory

    def _history(self, entries: Sequence[Assessed], places: Sequence[int]) -> PointHistory:
        """Blocks of one point, with all features of its acceleration channels."""
        one = self._verdicts[places[0]].watched
        every = replace(one, features=NAMES)
        context = Context(
            np.array([self._verdicts[i].ts_ns / 1e9 for i in places]),
            np.array([measured_hz(one.machine, one.point, e.scored.shaft_hz) for e in entries]),
            np.array([entry.scored.load_percent for entry in entries], dtype=np.float64),
        )
        x = np.array([columns_of(entry.scored, every) for entry in entries], dtype=np.float64)
        return _of_point(one, x, context)


def _lately(one: Watched, ring: Ring) -> PointHistory:
    """The last blocks of a point."""
    hz = np.array([kept.shaft_hz for kept in ring], dtype=np.float64)
    context = Context(
        np.array([kept.ts_ns / 1e9 for kept in ring]),
        np.array([measured_hz(one.machine, one.point, None if np.isnan(v) else v) for v in hz.tolist()]),
        np.array([kept.load_percent for kept in ring], dtype=np.float64),
        running=hz != 0,
    )
    return _of_point(one, np.array([kept.features.ravel() for kept in ring], dtype=np.float64), context)


def _of_point(one: Watched, x: npt.NDArray[np.float64], context: Context) -> PointHistory:
    """Rows `x` (m, c) of all features of a point's channels, as models take them."""
    names = replace(one, features=NAMES).names
    site, machine, point = one.place
    units = (*UNITS,) * len(one.channels)
    return PointHistory(site, machine, point, one.machine.kind, names, units, x, context, watched=one.names)


def key_of(spec: str, place: Place) -> tuple[str, str]:
    """Where the records keep what is remembered of a point by a model: (site, key)."""
    site, machine, point = place
    return site, f"{machine}/{point}{BY}{spec}"


def _restored(
    models: Iterable[Installed], told: Mapping[tuple[str, str], str]
) -> dict[tuple[str, Place], Held]:
    specs = {one.spec for one in models}
    found: dict[tuple[str, Place], Held] = {}
    for (site, key), text in told.items():
        where, by, spec = key.partition(BY)
        held = Held.from_json(text) if by and spec in specs else None
        if held is not None:
            machine, _, point = where.partition("/")
            found[spec, (site, machine, point)] = held
    return found
