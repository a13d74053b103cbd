"""What the pages of the training mode work with: the session and its data, what the rules say, results.

Truth stands in the session's file and here; a page shows it once its pupil has answered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from starlette.requests import Request

from models.features.catalogue import NAMES
from models.types import MachineSpec, PointSpec, Quantity
from palier.historian.base import Historian, HistorianError, Table
from palier.training import Answer, Exercise, Expected, Score, Session, said, score, settled
from palier.training_judging import Judged, Measured, judged
from palier.training_results import Result, TrainingFolder

from .context import Console
from .machine_series import is_ambient
from .series import ChannelRef

HEALTHY_DAYS: Final = 14
"""A fault begins so many days ago at most: what comes before is what the machine is like in good order."""

DAY_NS: Final = 86_400 * 10**9
MOST_NAME: Final = 40


@dataclass(slots=True, eq=False)
class TrainingDesk:
    """One for the application. `session` is read once: another session is another start."""

    folder: TrainingFolder
    session: Session
    _ready: set[str] = field(default_factory=set)
    _judged: dict[str, Judged] = field(default_factory=dict)

    async def progress(self, console: Console) -> dict[str, float]:
        """The share of each exercise's blocks that is there, 0 to 1. Raises HistorianError."""
        found: dict[str, float] = {}
        for exercise in self.session.exercises:
            if exercise.id not in self._ready:
                share = await self._share(console, exercise)
                if share < 1:
                    found[exercise.id] = share
                    continue
                self._ready.add(exercise.id)
            found[exercise.id] = 1.0
        return found

    async def is_ready(self, console: Console, exercise: Exercise) -> bool:
        """Whether all of an exercise's blocks are there; False where nobody can say."""
        try:
            return exercise.id in self._ready or await self._share(console, exercise) >= 1
        except HistorianError:
            return False

    async def judgement(self, console: Console, exercise: Exercise) -> Judged:
        """What the rules say of an exercise's machine. Raises HistorianError."""
        known = self._judged.get(exercise.id)
        if known is not None:
            return known
        spec = self.spec(console, exercise)
        measured = []
        for point, channel in waves_of(spec):
            ref = ChannelRef(point.id, channel)
            one = await console.ask(partial(self._measured, console, spec, ref))
            measured.append(await self._with_finding(console, spec, one))
        found = await console.desk.waves.run(lambda: judged(spec, measured, console.limits))
        self._judged[exercise.id] = found
        return found

    def spec(self, console: Console, exercise: Exercise) -> MachineSpec:
        """The machine of an exercise. Raises HistorianError where the plant is that of another session."""
        spec = console.plant.machine(exercise.id)
        if spec is None:
            raise HistorianError(f"the plant of this page has no machine {exercise.id!r}")
        return spec

    async def expected(self, console: Console, exercise: Exercise) -> Expected:
        """The right answer, what a trainer left open filled in by the rules. Raises HistorianError."""
        if exercise.expected.severity and exercise.expected.actions:
            return exercise.expected
        return settled(exercise.expected, (await self.judgement(console, exercise)).severity)

    def of_pupil(self, pupil: str) -> tuple[Result, ...]:
        """A pupil's results in this session, oldest first. Raises TrainingError."""
        return tuple(
            one for one in self.folder.results() if one.pupil == pupil and one.key == self.session.key
        )

    def last(self, pupil: str, exercise: Exercise) -> Result | None:
        """A pupil's last answer to an exercise. Raises TrainingError."""
        mine = [one for one in self.of_pupil(pupil) if one.exercise == exercise.id]
        return mine[-1] if pupil and mine else None

    def keep(
        self, pupil: str, exercise: Exercise, answer: Answer, expected: Expected, *, hints: int, lang: str
    ) -> Score:
        """Score an answer and keep it. Raises TrainingError."""
        got = score(answer, expected, hints=hints)
        before = [one for one in self.of_pupil(pupil) if one.exercise == exercise.id]
        self.folder.add(
            Result(
                at_ms=time.time_ns() // 1_000_000,
                pupil=pupil,
                key=self.session.key,
                session=said(self.session.title, lang),
                exercise=exercise.id,
                title=said(exercise.title, lang),
                seed=exercise.seed,
                attempt=len(before) + 1,
                fault=answer.fault,
                point=answer.point,
                severity=answer.severity,
                action=answer.action,
                expected_fault=expected.faults[0],
                expected_severity=expected.severity,
                hints=hints,
                points=got.points,
            )
        )
        return got

    async def _share(self, console: Console, exercise: Exercise) -> float:
        spec = console.plant.machine(exercise.id)
        places = waves_of(spec) if spec is not None else ()

        def count(historian: Historian) -> int:
            return min(
                (
                    len(
                        historian.read(
                            "feature",
                            ("speed_rpm",),
                            site=console.plant.site_id,
                            machine=exercise.id,
                            point=point.id,
                            channel=channel,
                        )
                    )
                    for point, channel in places
                ),
                default=0,
            )

        return min(1.0, await console.ask(count) / max(1, exercise.blocks))

    def _measured(
        self, console: Console, spec: MachineSpec, ref: ChannelRef, historian: Historian
    ) -> Measured:
        site, machine = console.plant.site_id, spec.id
        point = next(one for one in spec.points if one.id == ref.point)
        table = historian.read(
            "feature", (*NAMES, "speed_rpm"), site=site, machine=machine, point=ref.point, channel=ref.channel
        )
        warm = [c.id for c in point.channels if c.quantity is Quantity.TEMPERATURE]
        warm = [name for name in warm if not is_ambient(ChannelRef(point.id, name))]
        readings = (
            historian.read("reading", ("value",), site=site, machine=machine, point=point.id, channel=warm[0])
            if warm
            else None
        )
        return Measured(
            point,
            ref.channel,
            table.ts_ns / 3.6e12,
            np.column_stack([np.asarray(table.columns[name], dtype=np.float64) for name in NAMES]),
            np.asarray(table.columns["speed_rpm"], dtype=np.float64) / 60,
            temperatures_at(readings, table.ts_ns),
            int(np.count_nonzero(table.ts_ns < self.session.end_ns - HEALTHY_DAYS * DAY_NS)),
        )

    async def _with_finding(self, console: Console, spec: MachineSpec, one: Measured) -> Measured:
        """With what the bearing rule says of the last stored block."""
        bearing, known = one.point.bearing, one.shaft_hz[np.isfinite(one.shaft_hz)]
        block = await console.desk.waves.block(console, spec.id, ChannelRef(one.point.id, one.channel), None)
        if bearing is None or block is None or not len(known):
            return one

        def look() -> Measured:
            from models.diagnosis.bearings import diagnose_bearings

            (finding,) = diagnose_bearings(
                block.samples,
                block.fs_hz,
                speed_hz=float(known[-1]),
                orders=bearing.orders,
                point=one.point.id,
            )
            return replace(one, finding=finding)

        return await console.desk.waves.run(look)


def waves_of(spec: MachineSpec) -> tuple[tuple[PointSpec, str], ...]:
    """The vibration channels of a machine with their points."""
    return tuple(
        (point, channel.id)
        for point in spec.points
        for channel in point.channels
        if channel.quantity is Quantity.ACCELERATION
    )


def temperatures_at(readings: Table | None, ts_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The temperature at the time of each block, NaN where there is no reading within an hour before it."""
    out = np.full(len(ts_ns), np.nan)
    if readings is None or not len(readings):
        return out
    values = np.asarray(readings.columns["value"], dtype=np.float64)
    place = np.searchsorted(readings.ts_ns, ts_ns, side="right") - 1
    near = (place >= 0) & (np.abs(ts_ns - readings.ts_ns[np.maximum(place, 0)]) < 3600 * 10**9)
    # A block's time is that of its first sample, a reading's that of its end.
    later = np.minimum(np.searchsorted(readings.ts_ns, ts_ns), len(values) - 1)
    soon = np.abs(readings.ts_ns[later] - ts_ns) < 60 * 10**9
    out[near] = values[place[near]]
    out[soon] = values[later[soon]]
    return out


def desk_of(request: Request) -> TrainingDesk:
    """The desk of the application that a request reached."""
    return cast(TrainingDesk, request.app.state.training)
