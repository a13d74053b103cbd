"""The detector over all points of a plant: one step for what a batch brings. Pure: states in, verdicts out.

Rules:
1. Only live blocks advance anything, of each point in order of acquisition; a block that is not newer than
   the last of its point changes nothing.
2. Points with the same columns are stepped together; of several blocks of one point each has its own round.
3. A channel that may not be judged, or is absent, is unknown.
4. The same blocks lead to the same state however they are batched, and after a restart from `texts`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.decision import STATES, Basis, Decision, Level
from models.detection.measured import Blocks
from models.detection.monitor import Monitor, MonitorState
from models.detection.plain import Arrays, from_arrays, to_arrays
from models.detection.regimes import Regime
from models.types import State

from .knowledge import Knowledge
from .scoring import Scored
from .watch_health import Health, HealthOf
from .watch_packing import pack, unpack
from .watch_parts import Place, PointModel, Watched, columns_of, measured_hz, watched_points, with_model

MONITOR: Final = "#monitor"
"""Key of a point's detector in the records: "MACHINE/POINT#monitor"."""

MODEL: Final = "#model"
"""Key of what was learned of a point: "MACHINE/POINT#model:VERSION"; older versions are kept."""

NO_TESTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the detector says of a point after one live block.

    `advanced` is False where the block came late: then all else is what stood. `counted` is whether the block
    counts at the pace of the baseline. `tests` names what is on, and the columns "channel/feature" that speak
    for it. `x`, `z` and `alert` (c,) are the columns' values, residuals in σ and limits; `health` is the
    index of the point by mode.
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

    @property
    def learning(self) -> bool:
        """Whether no baseline stands behind it."""
        return self.watched.model is None

    @property
    def score(self) -> float:
        """The largest residual in σ, NaN where none is known."""
        return float(np.fmax.reduce(np.abs(self.z), initial=np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class WatchState:
    """What is remembered of all points, by group of those with the same columns."""

    monitors: tuple[MonitorState, ...]
    health: tuple[HealthOf, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Points with the same columns, and their detector."""

    names: tuple[str, ...]
    points: tuple[Watched, ...]
    monitor: Monitor
    levels: Floats = field(repr=False)  # (n, c) in good health
    danger: Floats = field(repr=False)  # (n, c) of the standard, NaN where it judges something else


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
    def of(cls, knowledge: Knowledge, models: Mapping[Place, PointModel] | None = None) -> Watch:
        """The watch over a plant, with what was learned of its points so far."""
        return cls(watched_points(knowledge, models or {}))

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
        return WatchState(
            tuple(group.monitor.start() for group in self.groups),
            tuple(HealthOf.start(len(group.points), group.names) for group in self.groups),
        )

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
        fresh = watch.start()
        monitors, health = list(state.monitors), list(state.health)
        for place in models:
            if place in self._where:
                g, i = self._where[place]
                monitors[g] = _replaced(monitors[g], i, fresh.monitors[g].of([i]))
                health[g] = health[g].replaced(i, fresh.health[g].of(i))
        return watch, WatchState(tuple(monitors), tuple(health))

    def restored(self, told: Mapping[tuple[str, str], str]) -> WatchState:
        """The state that the records hold, by (site, key); what they don't have, or another version wrote,
        starts anew.
        """
        fresh = self.start()
        monitors, health = [], []
        for group, monitor, healthy in zip(self.groups, fresh.monitors, fresh.health, strict=True):
            like = _arrays(monitor, healthy)
            parts = []
            for i, (site, machine, point) in enumerate(p.place for p in group.points):
                kept = unpack(told.get((site, f"{machine}/{point}{MONITOR}"), ""), like)
                parts.append(kept or {name: array[i : i + 1] for name, array in like.items()})
            whole = {name: np.concatenate([part[name] for part in parts]) for name in like}
            monitors.append(from_arrays(MonitorState, _inside(whole, "monitor")))
            health.append(healthy.from_rows(_inside(whole, "health")))
        return WatchState(tuple(monitors), tuple(health))

    def texts(self, state: WatchState, places: Iterable[Place]) -> dict[tuple[str, str], str]:
        """What is to be kept of these points, by (site, key of the records)."""
        told = {}
        of_group: dict[int, list[int]] = {}
        for g, i in sorted(self._where[place] for place in places):
            of_group.setdefault(g, []).append(i)
        for g, some in of_group.items():
            packed = pack(_arrays(state.monitors[g], state.health[g]), some)
            for i, text in zip(some, packed, strict=True):
                site, machine, point = self.groups[g].points[i].place
                told[site, f"{machine}/{point}{MONITOR}"] = text
        return told

    def step(
        self, state: WatchState, scored: Sequence[Scored], *, repaired: Collection[tuple[str, str]] = ()
    ) -> tuple[WatchState, dict[int, Verdict]]:
        """The state after the live blocks among these, and what is said after each, by its place in `scored`.

        `repaired` are machines (site, machine) at which something was done since the last step: their health
        may rise again.
        """
        monitors = list(state.monitors)
        health = [self._mended(g, healthy, repaired) for g, healthy in enumerate(state.health)]
        said: dict[int, Verdict] = {}
        for turn_of in self._rounds(scored):
            for g, some in turn_of.items():
                group, before = self.groups[g], monitors[g]
                blocks = _blocks(group, scored, some)
                monitors[g], decision = group.monitor.step(before, blocks)
                counted = _counted(before, monitors[g])
                x = np.asarray(blocks.features)
                health[g] = health[g].step(
                    x, levels=group.levels, alert=decision.alert, danger=group.danger, counted=counted
                )
                for i, k in some:
                    one = _Said(group, k, decision, bool(counted[k]), x[k])
                    said[i] = _verdict(scored[i], one, health[g])
        return WatchState(tuple(monitors), tuple(health)), said

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
        return rounds

    def _mended(self, g: int, health: HealthOf, repaired: Collection[tuple[str, str]]) -> HealthOf:
        if not repaired:
            return health
        return health.mended(np.array([one.place[:2] in repaired for one in self.groups[g].points]))


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """One point of a decision."""

    group: _Group
    k: int
    decision: Decision
    counted: bool
    x: Floats


def _place(entry: Scored) -> Place:
    return entry.work.site, entry.block.machine, entry.block.point


def _group(names: tuple[str, ...], points: Sequence[Watched]) -> _Group:
    danger = np.array([[p.danger if name in p.zoned else np.nan for name in names] for p in points])
    levels = np.array([p.levels for p in points])
    return _Group(names, tuple(points), Monitor(names, [p.part for p in points]), levels, danger)


def _blocks(group: _Group, scored: Sequence[Scored], some: Sequence[tuple[int, int]]) -> Blocks:
    """One time: the blocks of some of a group's points; the others have none."""
    n = len(group.points)
    time_s, speed, load = (np.full(n, np.nan) for _ in range(3))
    x = np.full((n, len(group.names)), np.nan)
    for i, k in some:
        entry, one = scored[i], group.points[k]
        time_s[k] = entry.block.start_ns / 1e9
        speed[k] = measured_hz(one.machine, one.point, entry.shaft_hz)
        x[k] = columns_of(entry, one)
    return Blocks(time_s, x, speed, load)


def _verdict(entry: Scored, one: _Said, health: HealthOf) -> Verdict:
    decision, k = one.decision, one.k
    on = bool(decision.tests[k].any())
    return Verdict(
        watched=one.group.points[k],
        ts_ns=entry.block.start_ns,
        frame=entry.work.text,
        advanced=bool(decision.advanced[k]),
        counted=one.counted,
        regime=Regime(int(decision.regime[k])),
        said=STATES[int(decision.said[k])],
        basis=Basis(int(decision.basis[k])),
        level=Level(int(decision.level[k])),
        tests=decision.reasons(one.group.names, k) if on else NO_TESTS,
        x=one.x,
        z=decision.z[k],
        alert=decision.alert[k],
        health=health.health(k),
    )


def _counted(before: MonitorState, after: MonitorState) -> npt.NDArray[np.bool_]:
    """Points (n,) of which a block counted at the pace of their baseline."""
    was = np.where(np.isnan(before.counted_s), -np.inf, before.counted_s)
    return np.asarray((after.counted_s > was).any(axis=1))


def _arrays(monitor: MonitorState, health: HealthOf) -> Arrays:
    """Everything that is remembered of a group's points, a row each."""
    mine = {f"monitor.{name}": array for name, array in to_arrays(monitor).items()}
    return mine | {f"health.{name}": array for name, array in health.rows().items()}


def _inside(arrays: Arrays, of: str) -> Arrays:
    return {name[len(of) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{of}.")}


def _replaced(state: MonitorState, i: int, one: MonitorState) -> MonitorState:
    """The state with that of one point in another's stead."""
    n = len(state.time_s)
    parts = [state.of(range(i)), one, state.of(range(i + 1, n))]
    return MonitorState.joined(parts)


def without_refused(entry: Scored) -> Scored:
    """A block whose refused channels are unknown."""
    refused = [c for c, refusal in enumerate(entry.refusals) if refusal is not None]
    if not refused:
        return entry
    features = entry.features.copy()
    features[refused] = np.nan
    return replace(entry, features=features)
