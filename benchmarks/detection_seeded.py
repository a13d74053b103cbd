"""Every fault that the simulator seeds, found before its severity reaches one half: the detector as it ships,
on the machines of the sample plant.

A machine's points learn from blocks of days in good order, then watch a fault that grows by `STEP` each four
hours. What counts is the severity at which a point of the machine first has anything on, by the detector or
by the standard's limits. Before the fault they watch a day in good order, in which nothing may be on. Blocks
are simulated, scaled and scored as a gateway's are in the ingest. No data are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ingest.batch import WorkFrame
from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from ingest.watch import Watch
from ingest.watch_batch import Watching
from ingest.watch_parts import Place, PointModel, Watched, columns_of, measured_hz, watched_points
from ingest.watch_states import ABNORMAL
from models.detection.baseline import Baseline
from models.detection.context import Context
from models.types import MachineSpec, PointSpec
from palier.frames import Waveform
from palier.limits import load_limits
from palier.plant import load_sample_plant
from simulators.faults import LOCAL_KINDS, FaultKind
from simulators.machines.machine import Machine, waveform_channels

from .detection_protocol import Figure, Protocol
from .simulators_levels import instants, machine_of

GOAL: Final = "< 0.5"
BLOCK_S: Final = 600.0
SOUND: Final = 60
"""Blocks simulated in good order, 4.8 h apart: twelve days of load and weather, learned from in turn."""

LEARNED: Final = 1020
FRESH: Final = 24
"""Others of which the day before the fault is made."""

STEP: Final = 0.05
DISTINCT: Final = 4
"""Blocks simulated at each severity, taken in turn."""

BLOCKS: Final = 24
"""Blocks at each severity: four hours, one more than what tells of slow change must last."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault of a machine; `point` where it is one of a bearing."""

    machine: str
    kind: FaultKind
    point: str = ""

    @property
    def title(self) -> str:
        """As tables name it."""
        return f"{self.machine} {self.kind}"


_K = FaultKind
CASES: Final = (
    *(Case("P-101", kind, "2") for kind in (_K.OUTER_RING, _K.INNER_RING, _K.ROLLING_ELEMENT, _K.CAGE)),
    Case("P-101", _K.LUBRICATION, "2"),
    *(Case("P-101", kind) for kind in (_K.UNBALANCE, _K.MISALIGNMENT, _K.CAVITATION, _K.BLOCKED_VANE)),
    *(Case("P-101", kind) for kind in (_K.BELT, _K.STATOR, _K.STRUCTURAL_LOOSENESS)),
    Case("C-201", _K.INNER_RING, "2"),
    Case("C-201", _K.LUBRICATION, "1"),
    *(Case("C-201", kind) for kind in (_K.MISALIGNMENT, _K.GEAR_WEAR)),
    Case("V-301", _K.ROLLING_ELEMENT, "1"),
    *(Case("V-301", kind) for kind in (_K.FAN_DEPOSIT, _K.ROTATING_LOOSENESS, _K.BENT_SHAFT, _K.RESONANCE)),
    *(Case("L-401", kind) for kind in (_K.GEAR_WEAR, _K.TOOTH_CRACK, _K.GEAR_MISALIGNMENT)),
    Case("B-501", _K.INNER_RING, "1"),
    Case("B-501", _K.TOOL),
)
"""Each kind that does harm at least once, on a machine that can have it."""


@dataclass(frozen=True, slots=True)
class Found:
    """`severity` at which anything was first on, None where nothing was; `false` blocks with anything on in
    the day before.
    """

    severity: float | None
    false: int


class Bench:
    """The sample plant, with what was learned of a machine kept for its faults."""

    def __init__(self) -> None:
        self.knowledge = Knowledge(load_sample_plant(), load_limits())
        self._scorer = Scorer(self.knowledge, Speeds(self.knowledge))
        self._learned: dict[str, tuple[Watching, list[list[Scored]]]] = {}

    def find(self, case: Case) -> Found:
        """When the detector sees a fault that grows."""
        spec = next(m for m in self.knowledge.plant.machines if m.id == case.machine)
        watching, fresh = self._of_machine(spec)
        watching, false = self._follow(watching, fresh, LEARNED, 144)
        at, severity = LEARNED + 144, STEP
        while severity <= 1:
            sick = machine_of(spec, case.kind, severity, case.point)
            points = [case.point] if case.kind in LOCAL_KINDS else [p.id for p in spec.points]
            blocks = [self._blocks(sick, p, DISTINCT) for p in spec.points if p.id in points]
            watching, on = self._follow(watching, blocks, at, BLOCKS)
            if on:
                return Found(round(severity, 2), false)
            at, severity = at + BLOCKS, severity + STEP
        return Found(None, false)

    def _of_machine(self, spec: MachineSpec) -> tuple[Watching, list[list[Scored]]]:
        """The watch after learning, and blocks in good order that it has not seen."""
        if spec.id not in self._learned:
            sound = machine_of(spec, None, 0.0, "")
            models: dict[Place, PointModel] = {}
            fresh = []
            watched = {one.place[1:]: one for one in watched_points(self.knowledge, {})}
            columns = sum(len(one.names) for (machine, _), one in watched.items() if machine == spec.id)
            for point in spec.points:
                blocks = self._blocks(sound, point, SOUND + FRESH)
                one = watched[spec.id, point.id]
                models[one.place] = _learn(one, blocks[:SOUND], columns)
                fresh.append(blocks[SOUND:])
            watch = Watch.of(self.knowledge, models)
            self._learned[spec.id] = (Watching(self.knowledge, watch, watch.start()), fresh)
        return self._learned[spec.id]

    def _blocks(self, machine: Machine, point: PointSpec, count: int) -> list[Scored]:
        """Blocks of a point, with their features."""
        channels = [point.channels[j] for j in waveform_channels(point)]
        fs_hz, n = channels[0].fs_hz or 0.0, channels[0].n_samples or 0
        works = []
        for at_s in instants(machine, count):
            block = machine.acquire(point, n, fs_hz, at_s)
            frame = Waveform(
                machine=machine.spec.id,
                point=point.id,
                channels=tuple(c.id for c in channels),
                samples=block.samples,
                scale=(machine.sensor.scale("m/s²"),) * len(channels),
                unit=("m/s²",) * len(channels),
                fs_hz=fs_hz,
                start_ns=round(at_s * 1e9),
                speed_rpm=block.speed_rpm,
                load_percent=block.load_percent,
            )
            works.append(
                WorkFrame(None, self.knowledge.plant.site_id, frame, live=True, topic="", payload=b"")
            )
        return self._scorer.score(works)

    def _follow(
        self, watching: Watching, points: Sequence[Sequence[Scored]], first: int, count: int
    ) -> tuple[Watching, int]:
        """The watch after so many blocks of each of these points, and how many of them had anything on."""
        on = 0
        for k in range(count):
            batch = [assess(_at(blocks[k % len(blocks)], first + k), self.knowledge) for blocks in points]
            step = watching.step(batch)
            watching = step.after
            on += sum(entry.said.state in ABNORMAL for entry in step.assessed)
        return watching, on


def _at(entry: Scored, k: int) -> Scored:
    """A block as the k-th of its point."""
    frame = replace(entry.block, start_ns=round((1.79e9 + k * BLOCK_S) * 1e9))
    return replace(entry, work=replace(entry.work, frame=frame), block=frame)


def _learn(one: Watched, blocks: Sequence[Scored], columns: int) -> PointModel:
    """What a point learns from these blocks, taken in turn for a week and more."""
    turns = [blocks[k * 31 % len(blocks)] for k in range(LEARNED)]
    x = np.array([columns_of(entry, one) for entry in turns])
    hz = np.array([measured_hz(one.machine, one.point, entry.shaft_hz) for entry in turns], dtype=np.float64)
    load = np.array([entry.load_percent for entry in turns])
    context = Context(BLOCK_S * np.arange(LEARNED, dtype=np.float64), hz, load)
    baseline = Baseline.fit(x, context, names=one.names, features_of_machine=columns)
    if not isinstance(baseline, Baseline):
        raise TypeError(f"{'/'.join(one.place)} was not learned: {baseline.reason}")
    levels = np.median(np.array([entry.features for entry in blocks], dtype=np.float64), axis=0)
    return PointModel(1, one.channels, baseline, levels)


def figures(cases: Iterable[Case] = CASES) -> Iterator[Figure]:
    """The severity at which each fault is first seen, 1 where it never is; and what is on in good order."""
    bench, false, days = Bench(), 0, 0
    for case in cases:
        found = bench.find(case)
        note = "never seen" if found.severity is None else ""
        value = 1.0 if found.severity is None else found.severity
        yield Figure(f"{case.title}: first seen at", value, "severity", GOAL, note=note)
        false, days = false + found.false, days + 1
    yield Figure(f"blocks with anything on in {days} days in good order", float(false), "blocks", "= 0")


def _run(_: Path) -> Iterator[Figure]:
    return figures()


PROTOCOL: Final = Protocol(
    "seeded-faults",
    "Seeded faults of simulated machines",
    needs=(),
    run=_run,
    about=(
        "Each fault of the simulator grows on a machine of the sample plant whose points have learned it in "
        "good order: the severity at which the detector, or the standard's limits, first have anything on."
    ),
)
