"""The detector over the points of a plant: one step for what a batch brings. Pure: states in, verdicts out.

Rules:
1. Only live blocks advance anything, of each point in order of acquisition; a block that is not newer than
   the last of its point changes nothing.
2. Of all points only those are stepped that have a block, together where they have the same columns; of
   several blocks of one point each has its own round.
3. A channel that may not be judged, or is absent, is unknown.
4. The same blocks lead to the same state however they are batched, and after a restart from `texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.decision import STATES, Basis, Decision, Level
from models.detection.housing import Housing, Housings, HousingState
from models.detection.measured import Blocks, Some
from models.detection.monitor import Monitor
from models.detection.regimes import Regime
from models.types import State

from .knowledge import Knowledge
from .scoring import Scored
from .watch_health import Health, HealthOf
from .watch_housing import NEVER_GREASED, churned, warmth
from .watch_memory import health_of, housing_of, layout_of, monitor_of, told
from .watch_packing import Layout
from .watch_parts import Place, PointModel, Watched, columns_of, measured_hz, watched_points, with_model

MONITOR: Final = "#monitor"
"""Key of a point's detector in the records: "MACHINE/POINT#monitor"."""

TREND: Final = "#trend"
"""Key of what of it changes a few times a day."""

MODEL: Final = "#model"
"""Key of what was learned of a point: "MACHINE/POINT#model:VERSION"; older versions are kept."""

_REGIMES: Final = {int(one): one for one in Regime}
_BASES: Final = {int(one): one for one in Basis}
_LEVELS: Final = {int(one): one for one in Level}

_BY_POINT: Final = itemgetter(1)

NO_TESTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the detector says of a point after one live block.

    `advanced` is False where the block came late: then all else is what stood. `counted` is whether the block
    counts at the pace of the baseline. `tests` names what is on, and the columns "channel/feature" that speak
    for it. `x`, `z` and `alert` (c,) are the columns' values, residuals in σ and limits; `health` is the
    index of the point by mode; `residual_k` is by how much its housing is warmer than ambient, load and speed
    explain, NaN where nobody knows.
    """

    watched: Watched
    ts_ns: int
    frame: str | None
    advanced: bool
    counted: bool
    regime: Regime
    said: State
    basis: Basis
    level: Level
    tests: Mapping[str, tuple[str, ...]]
    x: Floats
    z: Floats
    alert: Floats
    health: Health
    residual_k: float = np.nan

    @property
    def learning(self) -> bool:
        """Whether no baseline stands behind it."""
        return self.watched.model is None


@dataclass(frozen=True, slots=True, eq=False)
class WatchState:
    """What is remembered of each point, as its group's layout has it."""

    rows: Mapping[Place, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Points with the same columns, their detector, and how a row of theirs is laid out."""

    names: tuple[str, ...]
    points: tuple[Watched, ...]
    monitor: Monitor
    levels: Floats = field(repr=False)  # (n, c) in good health
    danger: Floats = field(repr=False)  # (n, c) of the standard, NaN where it judges something else
    housings: Housings
    layout: Layout
    fresh: tuple[bytes, ...] = field(repr=False)  # each point's row before any block
    alone: dict[int, Monitor] = field(default_factory=dict, repr=False)  # of single points, once asked for

    def monitor_of(self, points: Sequence[int]) -> tuple[Monitor, Some]:
        """The detector of some points, and which these are; of neighbours nothing has to be copied."""
        first, n = points[0], len(points)
        if n == 1:
            if first not in self.alone:
                self.alone[first] = self.monitor.of(slice(first, first + 1))
            return self.alone[first], slice(first, first + 1)
        neighbours = points[-1] - first == n - 1  # they rise
        which: Some = slice(first, first + n) if neighbours else np.array(points)
        return self.monitor.of(which), which


class Watch:
    """The points of a plant and what each is judged by. Nothing it keeps changes: `learned` makes another."""

    def __init__(self, points: Sequence[Watched]) -> None:
        by_names: dict[tuple[str, ...], list[Watched]] = {}
        for one in points:
            by_names.setdefault(one.names, []).append(one)
        self.groups = tuple(_group(names, members) for names, members in by_names.items())
        self._where = {
            one.place: (g, i) for g, group in enumerate(self.groups) for i, one in enumerate(group.points)
        }

        self._of_machine: dict[tuple[str, str], tuple[Watched, ...]] = {}
        for one in points:
            machine = one.place[:2]
            self._of_machine[machine] = (*self._of_machine.get(machine, ()), one)

    @classmethod
    def of(
        cls,
        knowledge: Knowledge,
        models: Mapping[Place, PointModel] | None = None,
        housings: Mapping[Place, Housing] | None = None,
    ) -> Watch:
        """The watch over a plant, with what was learned of its points and their housings so far."""
        return cls(watched_points(knowledge, models or {}, housings))

    def watched(self, place: Place) -> Watched | None:
        """The point, None where it is not under watch."""
        where = self._where.get(place)
        return None if where is None else self.groups[where[0]].points[where[1]]

    def of_machine(self, site: str, machine: str) -> tuple[Watched, ...]:
        """The points of a machine."""
        return self._of_machine.get((site, machine), ())

    def columns_of_machine(self, site: str, machine: str) -> int:
        """How many columns are watched on a machine: what the budget of false alarms goes by."""
        return sum(len(one.names) for one in self.of_machine(site, machine))

    def start(self) -> WatchState:
        """The state before any block."""
        return WatchState({place: self.groups[g].fresh[i] for place, (g, i) in self._where.items()})

    def learned(
        self, state: WatchState, models: Mapping[Place, PointModel | None]
    ) -> tuple[Watch, WatchState]:
        """The watch with new models (None: learned anew, by the standard's limits until then), and the state:
        these points start anew, all others go on.
        """
        points = [
            with_model(p, models[p.place]) if p.place in models else p
            for some in self._of_machine.values()
            for p in some
        ]
        watch = Watch(points)
        fresh = {place: row for place, row in watch.start().rows.items() if place in models}
        return watch, WatchState({**state.rows, **fresh})

    def warmed(self, place: Place, housing: Housing) -> Watch:
        """The watch that knows how warm a point's housing should be; its states go on."""
        points = [
            replace(p, housing=housing) if p.place == place else p
            for some in self._of_machine.values()
            for p in some
        ]
        return Watch(points)

    def restored(self, told: Mapping[tuple[str, str], str]) -> tuple[WatchState, tuple[Place, ...]]:
        """The state that the records hold, by (site, key), and the points whose record is of another layout
        or version: these start anew, as do those without one.
        """
        rows, strange = {}, []
        for group in self.groups:
            for one, fresh in zip(group.points, group.fresh, strict=True):
                often, seldom = (told.get(_key(one.place, what), "") for what in (MONITOR, TREND))
                kept = group.layout.read(often, seldom, fresh)
                rows[one.place] = fresh if kept is None else kept
                if often and kept is None:
                    strange.append(one.place)
        return WatchState(rows), tuple(strange)

    def texts(
        self, state: WatchState, places: Iterable[Place], before: WatchState | None = None
    ) -> dict[tuple[str, str], str]:
        """What is to be kept of these points, by (site, key of the records); since `before`, where its text
        was kept already.
        """
        texts = {}
        for place in places:
            layout, row = self.groups[self._where[place][0]].layout, state.rows[place]
            texts[_key(place, MONITOR)] = layout.often(row)
            if before is None or layout.has_turned(before.rows[place], row):
                texts[_key(place, TREND)] = layout.seldom(row)
        return texts

    def health(self, state: WatchState, places: Iterable[Place]) -> dict[Place, Health]:
        """The health index of these points."""
        found = {}
        for place in places:
            group = self.groups[self._where[place][0]]
            health = HealthOf.of(health_of(group.layout.arrays([state.rows[place]])), group.names)
            found[place] = health.told()[0]
        return found

    def mended(self, state: WatchState, machine: tuple[str, str]) -> WatchState:
        """Something was done at a machine: the health of its points may rise again."""
        return self._with(state, [one.place for one in self.of_machine(*machine)], lambda _, of: of.mended())

    def with_health(self, state: WatchState, health: Mapping[Place, Mapping[str, float]]) -> WatchState:
        """The state with this health of these points, by mode: it does not rise by itself."""
        places = [place for place in health if place in self._where]
        return self._with(state, places, lambda place, of: of.held(health[place]))

    def _with(
        self, state: WatchState, places: Iterable[Place], change: Callable[[Place, HealthOf], HealthOf]
    ) -> WatchState:
        rows = dict(state.rows)
        for place in places:
            group = self.groups[self._where[place][0]]
            arrays = group.layout.arrays([rows[place]])
            health = change(place, HealthOf.of(health_of(arrays), group.names))
            kept = told(monitor_of(arrays), health.state, housing_of(arrays))
            (rows[place],) = group.layout.rows(kept)
        return WatchState(rows)

    def step(
        self,
        state: WatchState,
        scored: Sequence[Scored],
        greased: Mapping[str, int] = NEVER_GREASED,
    ) -> tuple[WatchState, dict[int, Verdict]]:
        """The state after the live blocks among these, and what is said after each, by place in `scored`.

        `greased` is when (ns) each machine last was: fresh grease is warm for hours.
        """
        rows = dict(state.rows)
        said: dict[int, Verdict] = {}
        for turn_of in self._rounds(scored):
            for g, some in turn_of.items():
                said |= _stepped(self.groups[g], rows, scored, some, greased)
        return WatchState(rows), said

    def _rounds(self, scored: Sequence[Scored]) -> list[dict[int, list[tuple[int, int]]]]:
        """The live blocks in order, in rounds of one block of each point: by group, (place, point)."""
        live = [i for i, entry in enumerate(scored) if entry.work.live and _place(entry) in self._where]
        live.sort(key=lambda i: scored[i].block.start_ns)
        rounds: list[dict[int, list[tuple[int, int]]]] = []
        turns: dict[Place, int] = {}
        for i in live:
            place = _place(scored[i])
            turn = turns[place] = turns.get(place, -1) + 1
            if turn == len(rounds):
                rounds.append({})
            g, k = self._where[place]
            rounds[turn].setdefault(g, []).append((i, k))
        for turn_of in rounds:
            for some in turn_of.values():
                some.sort(key=_BY_POINT)
        return rounds


def _place(entry: Scored) -> Place:
    return entry.work.site, entry.block.machine, entry.block.point


def _key(place: Place, what: str) -> tuple[str, str]:
    site, machine, point = place
    return site, f"{machine}/{point}{what}"


def _group(names: tuple[str, ...], points: Sequence[Watched]) -> _Group:
    danger = np.array([[p.danger if name in p.zoned else np.nan for name in names] for p in points])
    levels = np.array([p.levels for p in points])
    monitor = Monitor(names, [p.part for p in points])
    # Two of all rows are different: with a baseline, and without one.
    firsts = {p.model is None: i for i, p in enumerate(points)}
    starts = {none: monitor.of([i]).start() for none, i in firsts.items()}
    health = HealthOf.start(1, names)
    cold = HousingState.start(1)
    layout = layout_of(next(iter(starts.values())), health.state, cold)
    rows = {none: layout.rows(told(start, health.state, cold))[0] for none, start in starts.items()}
    fresh = tuple(rows[p.model is None] for p in points)
    housings = Housings([p.housing for p in points])
    return _Group(names, tuple(points), monitor, levels, danger, housings, layout, fresh)


def _stepped(
    group: _Group,
    rows: dict[Place, bytes],
    scored: Sequence[Scored],
    some: Sequence[tuple[int, int]],
    greased: Mapping[str, int],
) -> dict[int, Verdict]:
    """What is said of one block of each of `some` of a group's points (place in `scored`, point), whose
    `rows` go on.
    """
    points = [group.points[k] for _, k in some]
    monitor, which = group.monitor_of([k for _, k in some])
    arrays = group.layout.arrays([rows[one.place] for one in points])
    before = monitor_of(arrays)
    entries = [scored[i] for i, _ in some]
    blocks = _blocks(entries, points)
    warm, residual = warmth(group.housings, which, housing_of(arrays), entries)
    spoken = churned(residual, points, entries, greased)
    after, decision = monitor.step(before, replace(blocks, residual_k=spoken))
    # A block counted at the pace of its point's baseline where the time of some column went on; that of the
    # housing goes by itself.
    counted = ((after.counted_s != before.counted_s) & ~np.isnan(after.counted_s))[:, :-1].any(axis=1)
    x = np.asarray(blocks.features)
    health = HealthOf.of(health_of(arrays), group.names).step(
        x,
        levels=group.levels[which],
        alert=decision.alert,
        danger=group.danger[which],
        counted=counted,
    )
    for one, row in zip(points, group.layout.rows(told(after, health.state, warm)), strict=True):
        rows[one.place] = row
    verdicts = _verdicts(entries, points, decision, _Beside(x, counted, health, residual))
    return {i: verdict for (i, _), verdict in zip(some, verdicts, strict=True)}


def _blocks(entries: Sequence[Scored], points: Sequence[Watched]) -> Blocks:
    """One time: a block of each of these points."""
    both = list(zip(entries, points, strict=True))
    return Blocks(
        np.array([entry.block.start_ns / 1e9 for entry in entries]),
        np.array([columns_of(entry, one) for entry, one in both], dtype=np.float64),
        np.array([measured_hz(one.machine, one.point, entry.shaft_hz) for entry, one in both]),
        load=np.array([entry.load_percent for entry in entries], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    """What goes with a decision: the features (n, c), whether the blocks counted (n,), the health, and the
    housings' residuals (n,).
    """

    x: Floats
    counted: npt.NDArray[np.bool_]
    health: HealthOf
    residual: Floats


def _verdicts(
    entries: Sequence[Scored], points: Sequence[Watched], decision: Decision, beside: _Beside
) -> list[Verdict]:
    codes = (
        decision.advanced, beside.counted, decision.regime, decision.said, decision.basis, decision.level,
        decision.tests.any(axis=1),
    )  # fmt: skip
    told = zip(*(array.tolist() for array in codes), strict=True)
    healths, residuals = beside.health.told(), beside.residual.tolist()
    return [
        Verdict(
            watched=one,
            ts_ns=entry.block.start_ns,
            frame=entry.work.text,
            advanced=advanced,
            counted=counts,
            regime=_REGIMES[regime],
            said=STATES[said],
            basis=_BASES[basis],
            level=_LEVELS[level],
            tests=decision.reasons(one.names, k) if on else NO_TESTS,
            x=beside.x[k],
            z=decision.z[k],
            alert=decision.alert[k],
            health=healths[k],
            residual_k=residuals[k],
        )
        for k, (entry, one, (advanced, counts, regime, said, basis, level, on)) in enumerate(
            zip(entries, points, told, strict=True)
        )
    ]
