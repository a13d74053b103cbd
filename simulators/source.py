"""The source `simulated`: a plant's machines of simple physics, sampled as a gateway would sample real ones.

[[source]]
type = "simulated"
plant_file = "plant.toml" # default: the sample plant
machines = ["P-101"]      # default: all of the plant
scenario = "demo"         # "healthy" (default), "demo", "training" or "degradation"
scenario_file = "x.toml"  # a scenario of your own, in place of scenario
seed = 1                  # default 0
interval_s = 5.0          # plant seconds between two blocks of a machine
block_s = 2.0             # default: what the plant says of each channel
seconds = 60.0            # plant seconds after which it ends; default: never
origin_s = 1790000000.0   # hour 0 of the scenario, s since 1970 UTC; default: when it starts
time_scale = 0.5          # what the scenario plans after its hour 0 lasts half as long; default 1
truth_file = "truth.jsonl"  # what is wrong in truth, a line of JSON for each frame; default: nowhere
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from models.types import MachineSpec
from palier.clock import PlantClock
from palier.frames import Frame
from palier.plant import Plant, load_plant, load_sample_plant
from palier.source import Device
from palier.table_mistakes import TableMistakes

from .plans import Scenario
from .plant import SimulatedPlant
from .scenario import read_scenario, shipped_scenario
from .tasks import READINGS_INTERVAL_S, Options, Task, read_options, stagger

__all__ = ["SimulatedSource", "open_source", "read_options", "scenario_of", "specs_of"]


def open_source(options: Mapping[str, object], clock: PlantClock) -> SimulatedSource:
    """The entry point of `palier.sources`. Raises ValueError with a sentence for options that can't be."""
    checked = read_options(options)
    plant = load_plant(checked.plant) if checked.plant else load_sample_plant()
    found = TableMistakes()
    specs = found.read(None, specs_of, checked, plant)
    scenario = found.read(None, scenario_of, checked, plant)
    found.refuse()
    assert specs is not None and scenario is not None  # noqa: S101, PT018 - what kept them is a mistake
    return SimulatedSource(specs, scenario, checked, clock)


class SimulatedSource:
    """Blocks of each point every `interval_s` plant seconds, readings at the start and each minute."""

    def __init__(
        self, specs: Sequence[MachineSpec], scenario: Scenario, options: Options, clock: PlantClock
    ) -> None:
        self.machines = tuple(specs)
        self.scenario = scenario
        self.options = options
        self._clock = clock
        # What is announced and when is the same at any origin.
        sound = self.plant(options.origin_s or 0.0)
        self._devices, self._tasks = sound.devices(), sound.tasks(options)

    def plant(self, origin_s: float) -> SimulatedPlant:
        """The plant that is sampled, with hour 0 of its scenario at `origin_s` (s since 1970 UTC)."""
        options = self.options
        return SimulatedPlant.of(
            self.machines, self.scenario, seed=options.seed, origin_s=origin_s, time_scale=options.time_scale
        )

    def devices(self) -> tuple[Device, ...]:
        """The machines as they hang on the gateway."""
        return self._devices

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames in order of the end of their acquisition, each when its last sample is there.

        A gateway that was held up does not make up for it: what fell into the pause was never sampled.
        Raises OSError where the truth can't be written.
        """
        start_s = self._clock.now_ns() / 1e9
        plant = self.plant(start_s if self.options.origin_s is None else self.options.origin_s)
        with ExitStack() as opened:
            truth = (
                opened.enter_context(_appended(self.options.truth_file)) if self.options.truth_file else None
            )
            for task, at_s in self._due(start_s, stop):
                if truth is not None:
                    truth.write(plant.truth(task.machine, at_s).to_json() + "\n")
                    truth.flush()
                for each in (*self._read_before(task), task):
                    frame = plant.frame_at(each, at_s)
                    if frame is not None:
                        yield frame

    def _read_before(self, task: Task) -> tuple[Task, ...]:
        """The readings that go ahead of a block whose speed the host takes from them."""
        if task.point is None or task.every_s <= READINGS_INTERVAL_S:
            return ()
        spec = next(one for one in self.machines if one.id == task.machine)
        if spec.speed_source != "reading":
            return ()
        return tuple(one for one in self._tasks if one.machine == task.machine and one.point is None)

    def _due(self, start_s: float, stop: threading.Event) -> Iterator[tuple[Task, float]]:
        """Each task with the plant second at which it ends, when that second has come."""
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
            yield task, at_s
            heapq.heappush(due, (at_s + task.every_s, k))


def _appended(file: Path) -> TextIO:
    return file.open("a", encoding="utf-8")


def scenario_of(options: Options, plant: Plant) -> Scenario:
    """The scenario that the options name. Raises ValueError with a sentence."""
    if options.scenario_file:
        return read_scenario(options.scenario_file, plant)
    return shipped_scenario(options.scenario, plant)


def specs_of(options: Options, plant: Plant) -> tuple[MachineSpec, ...]:
    """The machines that the options name, all of the plant where they name none. Raises ValueError."""
    wanted, found = options.machines or tuple(m.id for m in plant.machines), TableMistakes()
    specs = [found.read(None, _machine, plant, name) for name in wanted]
    found.refuse()
    return tuple(spec for spec in specs if spec is not None)


def _machine(plant: Plant, name: str) -> MachineSpec:
    spec = plant.machine(name)
    if spec is None:
        have = ", ".join(m.id for m in plant.machines)
        raise ValueError(f"the plant has no machine {name!r} to simulate; it has {have}")
    return spec
