"""A simulated pump under watch, on a compressed clock: blocks ten minutes apart, stored as an ingest does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ingest import rows
from ingest.batch import WorkFrame
from ingest.board import InForce, Key, advance
from ingest.judging import Assessed, assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from ingest.watch import Watch
from ingest.watch_batch import Watched, Watching
from ingest.watch_diagnosis import Examined, remembered
from ingest.watch_learning import FIELDS, Ask, Gathering, asks
from ingest.watch_parts import Place, PointModel
from models.types import MachineSpec, PointSpec, Refusal
from palier.frames import FrameId, Waveform
from palier.historian.base import Table
from palier.historian.rows import BaselineRow
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import load_sample_plant
from simulators.courses import Constant
from simulators.faults import LOCAL_KINDS, Fault, FaultKind
from simulators.kinds import anatomy_of
from simulators.machines.machine import Machine, waveform_channels

T0_S = 1_790_000_000.0
EVERY_S = 600.0
SOUND_BLOCKS = 32
PUMP = "P-101"
POINT = "2"


@cache
def knowledge() -> Knowledge:
    return Knowledge(load_sample_plant(), load_limits())


PLACE: Place = (knowledge().plant.site_id, PUMP, POINT)


def machine_and_point() -> tuple[MachineSpec, PointSpec]:
    machine = knowledge().plant.machine(PUMP)
    assert machine is not None
    point = machine.point(POINT)
    assert point is not None
    return machine, point


def simulated(severities: Sequence[float], seed: int, kind: FaultKind = FaultKind.OUTER_RING) -> list[Scored]:
    """Blocks of the pump with a fault so severe, of its outer ring or another, with their features."""
    spec, point = machine_and_point()
    known = knowledge()
    channels = [point.channels[j] for j in waveform_channels(point)]
    works = []
    for i, severity in enumerate(severities):
        where = POINT if kind in LOCAL_KINDS else ""
        faults = [Fault(kind, Constant(severity), where)] if severity else []
        machine = Machine(spec, anatomy_of(spec), seed=seed + i, faults=faults)
        block = machine.acquire(point, channels[0].n_samples or 0, channels[0].fs_hz or 0.0, T0_S)
        frame = Waveform(
            machine=PUMP,
            point=POINT,
            channels=tuple(c.id for c in channels),
            samples=block.samples,
            scale=(machine.sensor.scale("m/s²"),) * len(channels),
            unit=("m/s²",) * len(channels),
            fs_hz=channels[0].fs_hz or 0.0,
            start_ns=round(T0_S * 1e9),
            speed_rpm=block.speed_rpm,
        )
        works.append(WorkFrame(None, known.plant.site_id, frame, live=True, topic="", payload=b""))
    return Scorer(known, Speeds(known)).score(works)


@cache
def sound() -> tuple[Scored, ...]:
    """Blocks of the pump in good health."""
    return tuple(simulated([0.0] * SOUND_BLOCKS, seed=100))


def at(entry: Scored, k: int, *, live: bool = True) -> Assessed:
    """A block as the k-th of its point, ten minutes after the one before."""
    frame = replace(entry.block, start_ns=round((T0_S + k * EVERY_S) * 1e9))
    frame_id = FrameId(f"{PLACE[0]}/g1", "00000000000000e1", k + 1)
    work = replace(entry.work, id=frame_id, frame=frame, live=live)
    return assess(replace(entry, work=work, block=frame), knowledge())


def standing(k: int) -> Assessed:
    """The pump at rest: no speed, and less vibration than any machine that runs."""
    entry = sound()[0]
    still = replace(entry.block, speed_rpm=0.0)
    return at(replace(entry, block=still, features=entry.features * 0.001, shaft_hz=0.0), k)


def healthy(k: int) -> Assessed:
    """The k-th block, in good health."""
    return at(sound()[k * 31 % SOUND_BLOCKS], k)


def start() -> Watching:
    watch = Watch.of(knowledge())
    return Watching(knowledge(), watch, watch.start())


@dataclass(eq=False)
class Host:
    """What a commit does with the watch, without waveforms and frames: `told` are the records."""

    historian: SqliteHistorian
    watching: Watching = field(default_factory=start)
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    baselines: dict[tuple[str, int], BaselineRow] = field(default_factory=dict)
    in_force: dict[Key, InForce] = field(default_factory=dict)
    examined: list[Examined] = field(default_factory=list)

    def commit(self, assessed: Sequence[Assessed]) -> Watched:
        """One batch."""
        step = self.watching.step(assessed)
        advanced = advance(step.assessed, [], [], self.in_force, self.watching.knowledge)
        self.in_force.update(advanced.in_force)
        place = {id(entry.work): i for i, entry in enumerate(assessed)}
        series = [rows.feature_rows(step.assessed, place).rows, rows.state_rows(advanced.lines), *step.rows]
        for report in self.historian.write(series):
            assert not report.rejected
        self.keep(step)
        self.examined += step.examined
        return step

    def commit_late(self, assessed: Sequence[Assessed]) -> Watched:
        """One batch of waveforms whose features are stored already, by other frames."""
        step = self.watching.step(assessed)
        for report in self.historian.write(step.rows):
            assert not report.rejected
        self.keep(step)
        return step

    def keep(self, step: Watched) -> None:
        """The records of a step are durable: it is in force."""
        self.watching = step.after
        self.told |= {(row.site, row.key): row.value for row in step.states if row.value is not None}
        self.baselines |= {(row.machine, row.version): row for row in step.baselines}

    def state(self) -> InForce:
        return self.in_force[PLACE[0], f"{PUMP}/{POINT}"]

    def read(self, ask: Ask) -> Table:
        return self.historian.read(
            ask.measurement, ask.fields, site=ask.site, machine=ask.machine, point=ask.point,
            start_ns=ask.start_ns, end_ns=ask.end_ns,
        )  # fmt: skip

    def whole(self, hours: Iterable[tuple[Ask, Ask]]) -> tuple[Table, Table]:
        """What is read an hour at a time, at once."""
        first, *_, last = [*hours]
        features, states = (replace(a, end_ns=b.end_ns) for a, b in zip(first, last, strict=True))
        return self.read(features), self.read(states)

    def fit(self, now_ns: int) -> PointModel | Refusal:
        """What the shell does when a point is due."""
        one = self.watching.watch.watched(PLACE)
        assert one is not None
        learning = self.watching.learning[PLACE]
        gathering = Gathering(one)
        gathering.add(*self.whole(asks(one, learning, now_ns)))
        columns = self.watching.watch.columns_of_machine(*PLACE[:2])
        return gathering.fit(version=learning.version, features_of_machine=columns)


LEARNED = 1010
"""Blocks from which a baseline is learned: the first of them is the 0th of the clock."""

LEARNED_NS = round((T0_S + LEARNED * EVERY_S) * 1e9)


def same(left: Watching, right: Watching) -> bool:
    """Whether two remember the same, to the last bit."""
    places = [one.place for g in left.watch.groups for one in g.points]
    rings = all(
        np.array_equal(a.features, b.features, equal_nan=True) and a.ts_ns == b.ts_ns
        for p in places
        for a, b in zip(left.rings.get(p, ()), right.rings.get(p, ()), strict=True)
    )
    return (
        rings
        and left.watch.texts(left.state, places) == right.watch.texts(right.state, places)
        and (left.learning, left.baselines, left.looked) == (right.learning, right.baselines, right.looked)
    )


@cache
def _gathered_once() -> tuple[Host, bytes]:
    """A host, and the file of its historian."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "historian.sqlite"
        host = Host(SqliteHistorian(path))
        for first in range(0, LEARNED, 101):
            host.commit([healthy(k) for k in range(first, first + 101)])
        host.historian.close()
        return host, path.read_bytes()


def gathered_host(folder: Path) -> Host:
    """A host that has all blocks that the pump is learned from, and is about to learn it."""
    host, historian = _gathered_once()
    path = folder / "historian.sqlite"
    path.write_bytes(historian)
    return _copy(host, SqliteHistorian(path))


@cache
def _learned_once() -> Host:
    with TemporaryDirectory() as folder:
        host = gathered_host(Path(folder))
        model = host.fit(LEARNED_NS)
        assert isinstance(model, PointModel), model
        host.keep(host.watching.learned(PLACE, model, LEARNED_NS))
        host.historian.close()
        return host


def learned_host(folder: Path) -> Host:
    """A host that has learned the pump; its own historian is still empty."""
    return _copy(_learned_once(), SqliteHistorian(folder / "after.sqlite"))


def _copy(host: Host, historian: SqliteHistorian) -> Host:
    return Host(historian, host.watching, dict(host.told), dict(host.baselines), dict(host.in_force))


def restarted(host: Host) -> Watching:
    """What a new process makes of the records and the historian."""
    where = {"site": PLACE[0], "machine": PUMP, "point": POINT}
    features = host.historian.read("feature", FIELDS, **where, newest=20)
    states = host.historian.read("state", ["state"], **where, newest=20)
    one = host.watching.watch.watched(PLACE)
    assert one is not None
    rings = {PLACE: remembered(one, features, states)}
    return Watching.restored(knowledge(), host.told, host.baselines.values(), rings)
