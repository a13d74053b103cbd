"""A simulated plant as a function of time: its frames and the truth about it, at any instant, in any order.

from palier.plant import load_sample_plant
plant = load_sample_plant()
sim = SimulatedPlant.of(plant.machines, shipped_scenario("demo", plant), seed=1, origin_s=1.79e9)
frame = sim.frame_at(sim.tasks(Options(interval_s=600))[0], 1.79e9 - 3600)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.types import ChannelSpec, MachineSpec, PointSpec, Quantity, is_ambient
from palier.frames import Frame, Readings, Waveform
from palier.source import ChannelBirth, Device

from . import impairments
from .courses import Constant
from .courses import Course as FaultCourse
from .draws import Floats, key_of
from .faults import HARMLESS, Fault
from .impairments import AMOUNTS, Impairment, Taken
from .kinds import anatomy_of
from .machines.duty import Drive, Stops
from .machines.machine import Course, Machine
from .plans import PlannedFault, PlannedImpairment, Scenario, Settings, Timing
from .sensors import Accelerometer
from .tasks import Options, Task, is_slow, slow_channels, tasks_of
from .truth import FaultTruth, ImpairmentTruth, Truth

SOUND = Settings()


@dataclass(frozen=True, slots=True)
class SimulatedPlant:
    """Machines by id, and the impairments of each. Nothing in it changes; it pickles."""

    machines: Mapping[str, Machine]
    troubles: Mapping[str, tuple[Impairment, ...]]

    @classmethod
    def of(
        cls,
        specs: Sequence[MachineSpec],
        scenario: Scenario,
        *,
        seed: int,
        origin_s: float,
        time_scale: float = 1.0,
        sensor: Accelerometer | None = None,
    ) -> SimulatedPlant:
        """The machines of `specs` in a scenario whose hour 0 is `origin_s` (s since 1970 UTC).

        What the scenario plans after its hour 0 lasts `time_scale` times as long.
        """
        timing, drawn = Timing(origin_s, time_scale), scenario.drawn(seed)
        return cls(
            {spec.id: _machine(spec, drawn, seed, timing, sensor or Accelerometer()) for spec in specs},
            {
                spec.id: tuple(_trouble(one, timing) for one in drawn.impairments if one.machine == spec.id)
                for spec in specs
            },
        )

    def tasks(self, options: Options) -> tuple[Task, ...]:
        """What a gateway acquires of the plant. Raises ValueError with a sentence where a block can't be."""
        return tuple(task for machine in self.machines.values() for task in tasks_of(machine.spec, options))

    def devices(self) -> tuple[Device, ...]:
        """The machines as they hang on the gateway."""
        return tuple(
            Device(name, tuple(_birth(p, c, machine.sensor) for p in machine.spec.points for c in p.channels))
            for name, machine in self.machines.items()
        )

    def frame_at(self, task: Task, end_s: float) -> Frame | None:
        """The frame whose acquisition ends at `end_s` (s since 1970 UTC); None where it is lost."""
        machine, troubles = self.machines[task.machine], self.troubles[task.machine]
        point = "" if task.point is None else task.point.id
        if troubles and impairments.lost(troubles, point, end_s, machine.key):
            return None
        if task.point is None:
            return _readings(machine, troubles, task, end_s)
        return _waveform(machine, troubles, task, task.point, end_s)

    def truth(self, machine: str, t_s: float) -> Truth:
        """What is wrong with a machine in truth at an instant."""
        one = self.machines[machine]
        return Truth(
            machine=machine,
            t_s=t_s,
            regime=one.regime(t_s).value,
            speed_rpm=round(one.speed_rpm(t_s), 3),
            load_percent=round(100 * one.load(t_s), 2),
            temperature_c={p.id: one.temperature_c(p, t_s) for p in one.spec.points},
            faults=tuple(_fault_truth(fault, t_s) for fault in one.faults if _begun(fault, t_s)),
            impairments=tuple(
                ImpairmentTruth(i.kind, i.point, i.channel, None if math.isinf(i.start_s) else i.start_s)
                for i in self.troubles[machine]
                if i.start_s <= t_s < i.end_s
            ),
        )


def _machine(
    spec: MachineSpec, scenario: Scenario, seed: int, timing: Timing, sensor: Accelerometer
) -> Machine:
    settings = scenario.machines.get(spec.id, SOUND)
    anatomy = anatomy_of(spec)
    if settings.reversing:
        anatomy = replace(anatomy, duty=replace(anatomy.duty, reversing=True))
    course = Course(_stops(settings, timing), settings.variable, settings.load)
    sound = Machine(spec, anatomy, seed=seed, sensor=sensor, course=course)
    planned = [one for one in scenario.faults if one.machine == spec.id]
    seen: dict[tuple[str, str], int] = {}
    faults = []
    for one in planned:
        number = seen[one.kind, one.point] = seen.get((one.kind, one.point), -1) + 1
        key = key_of(seed, "fault", spec.id, one.kind, one.point, number)
        faults.append(Fault(one.kind, _course(one, scenario, key, timing, sound.drive), one.point))
    return Machine(spec, anatomy, seed=seed, faults=faults, sensor=sensor, course=course)


def _course(one: PlannedFault, scenario: Scenario, key: int, timing: Timing, drive: Drive) -> FaultCourse:
    repairs_s = tuple(sorted(timing.at(i.at_h) for i in scenario.interventions if i.treats(one)))

    def load(times_s: Floats) -> Floats:
        return drive.average_load(times_s) / drive.duty.average

    return one.plan.course(key, timing, load, repairs_s)


def _stops(settings: Settings, timing: Timing) -> Stops:
    return Stops(
        tuple((timing.at(start), timing.at(end)) for start, end in settings.stopped),
        settings.stop_every_h * 3600,
        settings.stop_lasting_h * 3600,
        timing.origin_s,
    )


def _trouble(one: PlannedImpairment, timing: Timing) -> Impairment:
    amount = AMOUNTS[one.kind].usual if one.amount is None else one.amount
    start, end = timing.at(one.from_h), timing.at(one.to_h)
    return Impairment(one.kind, amount, start, end, one.point, one.channel)


def _readings(machine: Machine, troubles: Sequence[Impairment], task: Task, end_s: float) -> Readings:
    places = slow_channels(machine.spec)
    values = []
    for point, channel in places:
        value = _read(machine, point, channel, end_s)
        acts = [one for one in troubles if one.acts(end_s, point.id, channel.id)]
        acting = [] if is_ambient(point.id, channel.id) else acts
        values.append(impairments.told(value, channel.quantity, acting))
    return Readings(
        machine=machine.spec.id,
        channels=tuple(f"{p.id}/{c.id}" for p, c in places),
        times_ns=np.array([round(end_s * 1e9)], dtype="<i8"),
        values=np.array(values, dtype="<f8")[:, None],
        unit=tuple(c.unit for c in task.channels),
    )


def _read(machine: Machine, point: PointSpec, channel: ChannelSpec, end_s: float) -> float:
    """A slow value; a temperature whose channel is called so is that of the air."""
    if channel.quantity is Quantity.TEMPERATURE and is_ambient(point.id, channel.id):
        return machine.ambient_c(end_s)
    return machine.read(point, channel.quantity, end_s)


def _waveform(
    machine: Machine, troubles: Sequence[Impairment], task: Task, point: PointSpec, end_s: float
) -> Waveform:
    acting = [[one for one in troubles if one.acts(end_s, point.id, c.id)] for c in task.channels]
    if any(acting):
        samples, speed_rpm, load_percent = _impaired(machine, acting, task, point, end_s)
    else:
        block = machine.acquire(point, task.n, task.fs_hz, end_s)
        samples, speed_rpm, load_percent = block.samples, block.speed_rpm, block.load_percent
    sent = machine.spec.speed_source == "frame"
    return Waveform(
        machine=machine.spec.id,
        point=point.id,
        channels=tuple(c.id for c in task.channels),
        samples=samples,
        scale=tuple(machine.sensor.scale(c.unit) for c in task.channels),
        unit=tuple(c.unit for c in task.channels),
        fs_hz=task.fs_hz,
        start_ns=round((end_s - task.seconds) * 1e9),
        speed_rpm=speed_rpm if sent else None,
        load_percent=load_percent,
    )


def _impaired(
    machine: Machine, acting: Sequence[Sequence[Impairment]], task: Task, point: PointSpec, end_s: float
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int16]], float, float]:
    """The block of a point with something between it and the historian."""
    # Channels of a point share a converter, hence its clock: what acts on several of them drifts it once.
    drifting = dict.fromkeys(one for each in acting for one in each)
    true_hz = impairments.sampling_hz(tuple(drifting), point.id, end_s, task.fs_hz)
    felt = machine.felt(point, task.n, true_hz, end_s)
    rows = []
    for channel, wave, each in zip(task.channels, felt.waves, acting, strict=True):
        key = key_of(machine.key, "sensor", point.id, channel.id, round(end_s * 1e6))
        rows.append(impairments.sample(wave, each, Taken(machine.sensor, task.fs_hz, end_s, key)))
    return np.stack(rows), felt.speed_rpm, felt.load_percent


def _begun(fault: Fault, t_s: float) -> bool:
    return float(fault.course.severity(np.array([t_s]))[0]) > 0 or isinstance(fault.course, Constant)


def _fault_truth(fault: Fault, t_s: float) -> FaultTruth:
    return FaultTruth(
        kind=fault.kind.value,
        point=fault.point,
        severity=float(fault.course.severity(np.array([t_s]))[0]),
        onset_s=fault.course.onset_s(t_s),
        end_of_life_s=fault.course.end_s(t_s),
        harmless=fault.kind in HARMLESS,
    )


def _birth(point: PointSpec, channel: ChannelSpec, sensor: Accelerometer) -> ChannelBirth:
    name = f"{point.id}/{channel.id}"
    if is_slow(channel):
        return ChannelBirth(name, channel.unit, "float64")
    return ChannelBirth(
        name,
        channel.unit,
        "int16",
        scale=sensor.scale(channel.unit),
        fs_hz=channel.fs_hz,
        full_scale=sensor.full_scale(channel.unit),
        mounting=point.mounting,
    )
