"""How a point comes by its baseline, from the features that the historian already has. Pure: the shell reads.

Rules:
1. Blocks that count are counted live (`count`), so that nothing has to be read to tell how far it is. Nothing
   counts in alarm, at rest, nor within 24 h after an intervention.
2. With 1,000 of them on seven days a fit is `due`: the shell reads what `asks` asks for, an hour at a time,
   and gives it to a `Gathering`; `fit` answers with a model or a refusal. After a refusal 50 more blocks are
   waited for.
3. Baselines have one version for the whole machine, each point its own model. It is *learned* when every
   point that brings blocks has one; one that falls behind the others holds nobody up, and joins later.
4. A machine that is opened again (a recorded intervention, and a person who asks) forgets its models at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import LEAST_BLOCKS, LEAST_DAYS, SETTLED_AFTER_S, Baseline
from models.detection.context import Context
from models.detection.measured import ACCELERATION
from models.detection.regimes import Regime, classify, relative_change
from models.detection.sensors import assess
from models.features.catalogue import NAMES
from models.types import Refusal, State
from palier import operations
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS
from palier.operations import BaselineStatus

from .watch import Verdict
from .watch_parts import FEATURE, NO_SHOCKS, OF_SHAFT, PointModel, Watched, measured_hz

LEARNING: Final = "#learning"
"""Key of a point's learning in the records: "MACHINE/POINT#learning"."""

TRY_AGAIN_BLOCKS: Final = 50
"""Blocks until a fit is tried again: a working day of them, and rare enough for what it reads."""

LONGEST_NS: Final = 30 * 86_400 * 10**9
"""How far back a baseline is learned from: a month of it has what a year would bring but the seasons."""

APART_NS: Final = 120 * 10**9
"""Of blocks closer than this one is kept to learn from: they count once in ten minutes, and a month of three
channels stays below 30 MB."""

DAY_NS: Final = 86_400 * 10**9
IN_ALARM: Final = frozenset({State.ALERT, State.DANGER})
FIELDS: Final = (*NAMES, "speed_rpm")


@dataclass(frozen=True, slots=True)
class Learning:
    """How far a point has come: `blocks` that count on `days`, since `since_ns`; for which `version` of the
    machine's baseline. `try_at` is how many blocks the next fit waits for, `refused` why the last gave none.
    """

    version: int = 1
    since_ns: int = 0
    blocks: int = 0
    days: int = 0
    day: int = -1
    try_at: int = LEAST_BLOCKS
    refused: str = ""

    @property
    def progress(self) -> float:
        """The share of what is needed, 0 to 1."""
        return min(1.0, self.blocks / LEAST_BLOCKS, self.days / LEAST_DAYS)

    @property
    def due(self) -> bool:
        """Whether a fit should be tried."""
        return self.blocks >= self.try_at and self.days >= LEAST_DAYS

    def again(self, refusal: Refusal) -> Learning:
        """A fit was refused."""
        return replace(self, try_at=self.blocks + TRY_AGAIN_BLOCKS, refused=refusal.reason)

    def to_json(self) -> str:
        """As the records keep it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Learning | None:
        """What `to_json` wrote, None for anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            return None


def count(learning: Learning, verdict: Verdict, state: State) -> Learning:
    """After a live block of a point that is learning, and what the point is then said to be in."""
    counts = verdict.learning and verdict.advanced and verdict.counted
    if not counts or state in IN_ALARM or verdict.ts_ns < learning.since_ns:
        return learning
    day = verdict.ts_ns // DAY_NS
    days = learning.days + (day > learning.day)
    return replace(learning, blocks=learning.blocks + 1, days=days, day=max(day, learning.day))


def reopened(baseline: operations.Baseline, interventions_ns: Iterable[int]) -> Learning:
    """The learning of a machine's points once its baseline was opened again."""
    settled = [done + round(SETTLED_AFTER_S * 1e9) for done in interventions_ns]
    return Learning(baseline.version, max((baseline.opened_ns, *settled)))


def status(
    before: operations.Baseline, points: Sequence[tuple[Learning, bool]], now_ns: int
) -> operations.Baseline:
    """What people see of a machine's baseline, from its points: how far each is, and whether it has a model.

    Progress is told in percents: a row for each block would say no more.
    """
    if before.status is not BaselineStatus.LEARNING or not points:
        return before
    most = max(1.0 if has else learning.progress for learning, has in points)
    waited = [learning.progress for learning, has in points if not has and learning.progress > most / 2]
    some = any(has for _, has in points)
    if some and not waited:
        return replace(before, status=BaselineStatus.LEARNED, since_ns=now_ns, progress=1.0)
    return replace(before, progress=np.floor(100 * min((*waited, most))).item() / 100)


@dataclass(frozen=True, slots=True)
class Ask:
    """What the shell reads of the historian: `Historian.read(measurement, fields, ...)`."""

    measurement: str
    fields: tuple[str, ...]
    site: str
    machine: str
    point: str
    start_ns: int
    end_ns: int


def asks(one: Watched, learning: Learning, now_ns: int) -> Iterator[tuple[Ask, Ask]]:
    """The features and the states of each hour that is learned from, oldest first: no read takes long."""
    site, machine, point = one.place
    start_ns = max(learning.since_ns, now_ns - LONGEST_NS)
    while start_ns < now_ns:
        end_ns = min(now_ns, (start_ns // HOUR_NS + 1) * HOUR_NS)
        yield (
            Ask("feature", FIELDS, site, machine, point, start_ns, end_ns),
            Ask("state", ("state",), site, machine, point, start_ns, end_ns),
        )
        start_ns = end_ns


@dataclass(slots=True, eq=False)
class Gathering:
    """What was read to learn a point from: blocks (m, n_channels, n_features) two minutes apart."""

    one: Watched
    _time_ns: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _blocks: list[npt.NDArray[np.float32]] = field(default_factory=list)
    _speed_hz: list[npt.NDArray[np.float64]] = field(default_factory=list)
    _usable: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    _state: str = ""

    def add(self, features: Table, states: Table) -> None:
        """An hour more, in order of time."""
        channels = self.one.channels
        times, place = np.unique(features.ts_ns, return_inverse=True)
        x = np.full((len(times), len(channels), len(NAMES)), np.nan, dtype=np.float32)
        rpm = np.full(len(times), np.nan)
        values = np.column_stack([np.asarray(features.columns[name], dtype=np.float64) for name in NAMES])
        speed = np.asarray(features.columns["speed_rpm"], dtype=np.float64)
        of_channel = np.array([channels.index(c) if c in channels else -1 for c in features.channel], np.intp)
        known = of_channel >= 0
        x[place[known], of_channel[known]] = values[known]
        rpm[place[known]] = speed[known]
        hz = np.array([self._measured_hz(v) for v in rpm.tolist()], dtype=np.float64)
        self._refuse(x, rpm / 60)
        usable = self._running(x, times, hz) & ~self._in_alarm(times, states)
        kept = _apart(times, np.count_nonzero(~np.isnan(x), axis=(1, 2)) * usable)
        self._time_ns.append(times[kept])
        self._blocks.append(x[kept])
        self._speed_hz.append(hz[kept])
        self._usable.append(usable[kept])

    def fit(
        self, *, version: int, features_of_machine: int, interventions_ns: Sequence[int] = ()
    ) -> PointModel | Refusal:
        """The point's model, or why there is none."""
        one, n = self.one, len(NAMES)
        time_s = np.concatenate([np.empty(0, np.int64), *self._time_ns]) / 1e9
        x = np.concatenate([np.empty((0, len(one.channels), n), np.float32), *self._blocks])
        usable = np.concatenate([np.empty(0, np.bool_), *self._usable])
        context = Context(
            time_s,
            np.concatenate([np.empty(0), *self._speed_hz]),
            running=usable,
            interventions_s=tuple(done / 1e9 for done in interventions_ns),
        )
        picked = x[:, :, [FEATURE[name] for name in one.features]].reshape(len(x), len(one.names))
        baseline = Baseline.fit(
            picked, context, names=one.names, features_of_machine=features_of_machine, version=version
        )
        if isinstance(baseline, Refusal):
            return baseline
        for done in context.interventions_s:
            usable = usable & ~((time_s >= done) & (time_s < done + SETTLED_AFTER_S))
        return PointModel(version, one.channels, baseline, _medians(x[usable]))

    def _measured_hz(self, rpm: float) -> float:
        return measured_hz(self.one.machine, self.one.point, None if np.isnan(rpm) else rpm / 60)

    def _refuse(self, x: npt.NDArray[np.float32], shaft_hz: npt.NDArray[np.float64]) -> None:
        """Blocks that sensors can't be trusted in are unknown, as they were when they came."""
        specs = {c.id: c for c in self.one.point.channels}
        for c, channel in enumerate(self.one.channels):
            by_name = dict(zip(NAMES, x[:, c].T, strict=True))
            spec = specs[channel]
            told = assess(by_name, n_samples=spec.n_samples, fs_hz=spec.fs_hz, speed_hz=shaft_hz)
            x[[refusal is not None for refusal in told.refusals], c] = np.nan
            shocks = told.found[:, [rule in NO_SHOCKS for rule, _ in told.rules]].any(axis=1)
            x[:, c][np.ix_(shocks, ~OF_SHAFT)] = np.nan

    def _running(
        self, x: npt.NDArray[np.float32], times: npt.NDArray[np.int64], hz: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        velocity, acceleration = (
            np.fmax.reduce(x[:, :, FEATURE[name]], axis=1, initial=np.nan)
            for name in ("velocity_rms_mm_s", ACCELERATION)
        )
        before = np.concatenate(([np.nan], hz[:-1]))
        apart_s = np.concatenate(([np.inf], np.diff(times) / 1e9))
        change = relative_change(hz, before, apart_s)
        regime = classify(velocity, acceleration, speed_hz=hz, speed_change=change)
        return np.asarray(regime == int(Regime.RUNNING))

    def _in_alarm(self, times: npt.NDArray[np.int64], states: Table) -> npt.NDArray[np.bool_]:
        """Whether the point was in alarm at these times: a state holds until the next is told."""
        told = ["" if s is None else str(s) for s in states.columns["state"]]
        alarm = np.array([state in IN_ALARM for state in (self._state, *told)])
        self._state = told[-1] if told else self._state
        return np.asarray(alarm[np.searchsorted(states.ts_ns, times, side="right")])


def _apart(times: npt.NDArray[np.int64], worth: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Places of the block worth most in each two minutes, of equal ones the first; none worth nothing."""
    rows = np.flatnonzero(worth)
    interval = times[rows] // APART_NS
    order = np.lexsort((-worth[rows], interval))
    return rows[order[np.unique(interval[order], return_index=True)[1]]]


def _medians(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Medians of (m, n_channels, n_features) over what is known, NaN where nothing is."""
    known = np.isfinite(x)
    filled = np.sort(np.where(known, x, np.inf), axis=0)
    n = known.sum(axis=0)
    low, high = (np.take_along_axis(filled, (np.maximum(n - k, 0) // 2)[None], axis=0)[0] for k in (1, 0))
    return np.where(n > 0, (low.astype(np.float64) + high) / 2, np.nan)
