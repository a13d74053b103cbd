"""The source `simulated`: a plant's machines of simple physics, sampled as a gateway would sample real ones.

[[source]]
type = "simulated"
plant_file = "plant.toml" # default: the sample plant
machines = ["P-101"]      # default: all of the plant
scenario = "demo"         # "healthy" (default) or "demo"
scenario_file = "x.toml"  # faults of your own, in place of scenario
seed = 1                  # default 0
interval_s = 5.0          # plant seconds between two blocks of a machine
block_s = 2.0             # default: what the plant says of each channel
seconds = 60.0            # plant seconds after which it ends; default: never
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.types import ChannelSpec, MachineSpec, PointSpec, Quantity
from palier.clock import PlantClock
from palier.frames import MAX_FRAME_BYTES, Frame, Readings, Waveform
from palier.plant import Plant, load_plant, load_sample_plant
from palier.source import ChannelBirth, Device

from .kinds import anatomy_of
from .machines.machine import Machine, waveform_channels
from .scenario import Scenario, read_scenario, shipped_scenario
from .sensors import Accelerometer

READINGS_INTERVAL_S = 60.0
"""Slow values travel at most once a minute."""

KEYS = frozenset(
    {
        *("plant_file", "machine", "machines", "scenario", "scenario_file"),
        *("seed", "interval_s", "block_s", "seconds"),
    }
)

DEFAULT_INTERVAL_S = 5.0
DEFAULT_BLOCK_S = 4.0
"""For a channel of which the plant states no length: 4 s resolve 0.25 Hz."""


@dataclass(frozen=True, slots=True)
class Options:
    """The source's table of agent.toml, checked. None: `block_s` as the plant says, `seconds` no end."""

    plant: Path | None = None
    machines: tuple[str, ...] = ()
    scenario: str = "healthy"
    scenario_file: Path | None = None
    seed: int = 0
    interval_s: float = DEFAULT_INTERVAL_S
    block_s: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to acquire again and again: a block of `point`, or the readings of the machine (None)."""

    machine: str
    point: PointSpec | None
    fs_hz: float
    n: int
    channels: tuple[ChannelSpec, ...]
    every_s: float

    @property
    def seconds(self) -> float:
        """How long the acquisition lasts."""
        return self.n / self.fs_hz if self.point else 0.0


def open_source(options: Mapping[str, object], clock: PlantClock) -> SimulatedSource:
    """The entry point of `palier.sources`. Raises ValueError with a sentence for options that can't be."""
    checked = read_options(options)
    plant = load_plant(checked.plant) if checked.plant else load_sample_plant()
    wanted = checked.machines or tuple(m.id for m in plant.machines)
    specs = [_machine(plant, name) for name in wanted]
    return SimulatedSource(specs, _scenario(checked, plant), checked, clock)


class SimulatedSource:
    """Blocks of each point every `interval_s` plant seconds, readings at the start and each minute."""

    def __init__(
        self, specs: Sequence[MachineSpec], scenario: Scenario, options: Options, clock: PlantClock
    ) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self.scenario = scenario
        self.options = options
        self._clock = clock
        self._sensor = Accelerometer()
        self._tasks = tuple(task for spec in specs for task in tasks_of(spec, options))

    @property
    def machines(self) -> tuple[MachineSpec, ...]:
        """The machines that are simulated."""
        return tuple(self._specs.values())

    def devices(self) -> tuple[Device, ...]:
        """The machines as they hang on the gateway."""
        return tuple(
            Device(name, tuple(_birth(p, c, self._sensor) for p in spec.points for c in p.channels))
            for name, spec in self._specs.items()
        )

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames in order of the end of their acquisition, each when its last sample is there.

        A gateway that was held up does not make up for it: what fell into the pause was never sampled.
        """
        start_s = self._clock.now_ns() / 1e9
        machines = {name: self._build(spec, start_s) for name, spec in self._specs.items()}
        due = [(start_s + wait, k) for k, wait in enumerate(stagger(self._tasks, self.options.interval_s))]
        heapq.heapify(due)
        while due:
            at_s, k = heapq.heappop(due)
            if self.options.seconds is not None and at_s - start_s > self.options.seconds:
                return
            task = self._tasks[k]
            now_s = self._clock.now_ns() / 1e9
            if stop.wait(max(0.0, self._clock.real_seconds(at_s - now_s))):
                return
            late = max(0.0, now_s - at_s)
            at_s += task.every_s * int(late / task.every_s)
            yield acquire(machines[task.machine], task, at_s, self._sensor)
            heapq.heappush(due, (at_s + task.every_s, k))

    def _build(self, spec: MachineSpec, start_s: float) -> Machine:
        return Machine(
            spec,
            anatomy_of(spec),
            seed=self.options.seed,
            start_s=start_s,
            faults=self.scenario.get(spec.id, ()),
            sensor=self._sensor,
        )


def acquire(machine: Machine, task: Task, end_s: float, sensor: Accelerometer) -> Frame:
    """The frame of a task whose acquisition ends at `end_s` seconds since 1970 UTC."""
    machine.advance(end_s)
    if task.point is None:
        points = [p for p in machine.spec.points for c in p.channels if _is_slow(c)]
        values = [machine.read(p, c.quantity) for p, c in zip(points, task.channels, strict=True)]
        return Readings(
            machine=machine.spec.id,
            channels=tuple(f"{p.id}/{c.id}" for p, c in zip(points, task.channels, strict=True)),
            times_ns=np.array([round(end_s * 1e9)], dtype="<i8"),
            values=np.array(values, dtype="<f8")[:, None],
            unit=tuple(c.unit for c in task.channels),
        )
    block = machine.acquire(task.point, task.n, task.fs_hz)
    sent = machine.spec.speed_source == "frame"
    return Waveform(
        machine=machine.spec.id,
        point=task.point.id,
        channels=tuple(c.id for c in task.channels),
        samples=block.samples,
        scale=tuple(sensor.scale(c.unit) for c in task.channels),
        unit=tuple(c.unit for c in task.channels),
        fs_hz=task.fs_hz,
        start_ns=round((end_s - task.seconds) * 1e9),
        speed_rpm=block.speed_rpm if sent else None,
        load_percent=block.load_percent,
    )


def tasks_of(spec: MachineSpec, options: Options) -> tuple[Task, ...]:
    """What is acquired of a machine: a block for each point with waveform channels, and its slow readings."""
    tasks = []
    for point in spec.points:
        channels = tuple(point.channels[k] for k in waveform_channels(point))
        if channels:
            tasks.append(_block(spec, point, channels, options))
    slow = tuple(c for p in spec.points for c in p.channels if _is_slow(c))
    if slow:
        tasks.append(Task(spec.id, None, 1.0, 0, slow, max(READINGS_INTERVAL_S, options.interval_s)))
    return tuple(tasks)


def stagger(tasks: Sequence[Task], interval_s: float) -> list[float]:
    """Seconds until each task's first frame: readings at once, blocks spread over one interval.

    Spread, they load gateway, broker and host evenly; none ends before its own length has passed.
    """
    blocks = [k for k, task in enumerate(tasks) if task.point is not None]
    offsets = {k: interval_s * n / len(blocks) for n, k in enumerate(blocks)}
    return [task.seconds + offsets.get(k, 0.0) for k, task in enumerate(tasks)]


def read_options(options: Mapping[str, object]) -> Options:
    """The options of a table. Raises ValueError naming the key, what it must be, and what it was."""
    strange = sorted(set(options) - KEYS)
    if strange:
        raise ValueError(
            f"the simulated source has the keys {', '.join(sorted(KEYS))}; got {', '.join(strange)}"
        )
    plant, scenario_file = _text(options, "plant_file", ""), _text(options, "scenario_file", "")
    return Options(
        plant=Path(plant) if plant else None,
        scenario_file=Path(scenario_file) if scenario_file else None,
        machines=_names(options),
        scenario=_text(options, "scenario", "healthy"),
        seed=_seed(options),
        interval_s=_number(options, "interval_s", DEFAULT_INTERVAL_S, 0.1, 86400),
        block_s=_number(options, "block_s", 0, 0.01, 600) if "block_s" in options else None,
        seconds=_number(options, "seconds", 0, 1, 1e9) if "seconds" in options else None,
    )


def _block(spec: MachineSpec, point: PointSpec, channels: tuple[ChannelSpec, ...], options: Options) -> Task:
    fs_hz, n = channels[0].fs_hz or 0.0, channels[0].n_samples
    if any(c.fs_hz != fs_hz for c in channels):
        raise ValueError(f"{spec.id}/{point.id}: channels of one point are sampled together: one fs_hz")
    if options.block_s is not None or n is None:
        n = round((options.block_s or DEFAULT_BLOCK_S) * fs_hz)
    if n < 2 or 2 * n * len(channels) > MAX_FRAME_BYTES * 0.95:
        raise ValueError(
            f"{spec.id}/{point.id}: a block must have 2 samples or more and fit {MAX_FRAME_BYTES} bytes; "
            f"{len(channels)} channels of {n} samples do not: change block_s"
        )
    if options.interval_s < n / fs_hz:
        raise ValueError(
            f"{spec.id}/{point.id}: interval_s must be at least the block's {n / fs_hz:g} s, "
            f"got {options.interval_s:g}"
        )
    return Task(spec.id, point, fs_hz, n, channels, options.interval_s)


def _scenario(options: Options, plant: Plant) -> Scenario:
    if options.scenario_file:
        return read_scenario(options.scenario_file, plant)
    return shipped_scenario(options.scenario, plant)


def _machine(plant: Plant, name: str) -> MachineSpec:
    spec = plant.machine(name)
    if spec is None:
        have = ", ".join(m.id for m in plant.machines)
        raise ValueError(f"the plant has no machine {name!r} to simulate; it has {have}")
    return spec


def _birth(point: PointSpec, channel: ChannelSpec, sensor: Accelerometer) -> ChannelBirth:
    name = f"{point.id}/{channel.id}"
    if _is_slow(channel):
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


def _is_slow(channel: ChannelSpec) -> bool:
    return channel.quantity is not Quantity.ACCELERATION


def _text(options: Mapping[str, object], key: str, default: str) -> str:
    value = options.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text, got {value!r}")
    return value


def _names(options: Mapping[str, object]) -> tuple[str, ...]:
    value = options.get("machines", options.get("machine", ()))
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"machines must be a list of machine ids, got {value!r}")
    return tuple(names)


def _seed(options: Mapping[str, object]) -> int:
    value = options.get("seed", 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {value!r}")
    return value


def _number(options: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)
