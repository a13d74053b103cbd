"""The source `simulated_exercises`: four weeks of the machine of each exercise, exercise by exercise.

[[source]]
type = "simulated_exercises"
folder = "training"      # the training folder, whose session.json tells the exercises
plant_file = "plant.toml"  # the plant of that session

It is no stream that time hurries: the agent takes the next block when few wait for the host.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from palier.clock import PlantClock
from palier.frames import Frame, Readings
from palier.plant import Plant, load_plant
from palier.source import Device
from palier.table_mistakes import TableMistakes
from palier.training import Exercise, Session
from palier.training_results import TrainingFolder

from .history import joined
from .machines.duty import Regime
from .machines.machine import Machine
from .plant import SimulatedPlant
from .tasks import Options, Task
from .training_plant import simulated
from .training_times import ends_s

BLOCK_S: Final = 2.0
"""Half a hertz between two lines, which tells 1x of a pump from its belt, at 100 kB a block."""

IN_PASS: Final = 0.85
"""Share of the mean load from which on a block is one under load."""

TRY_EVERY_S: Final = 7.0
MOST_TRIES: Final = 120
"""Back in time for up to a quarter of an hour: a pass comes every minute."""


class SimulatedExercises:
    """See the top of the file."""

    patient: Literal[True] = True

    def __init__(self, exercises: Sequence[Exercise], plant: Plant) -> None:
        self._plants = tuple(simulated(exercise, plant) for exercise in exercises)

    def devices(self) -> tuple[Device, ...]:
        """The machines as they hang on the gateway."""
        return tuple(device for plant in self._plants for device in plant.devices())

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """All blocks of one machine before those of the next: a pupil begins with the first meanwhile."""
        for plant in self._plants:
            yield from _readings(plant)
            for frame in _blocks(plant):
                if stop.is_set():
                    return
                yield frame


def tasks_of(plant: SimulatedPlant) -> tuple[Task, ...]:
    """What is acquired of an exercise's machine."""
    return plant.tasks(Options(interval_s=60.0, block_s=BLOCK_S))


def instants(plant: SimulatedPlant) -> tuple[float, ...]:
    """Ends of the blocks of an exercise's machine, oldest first: a gateway triggered by the load waits for a
    pass of the mill or a cut of the spindle, for at rest there is nothing to compare."""
    (machine,) = plant.machines.values()
    return tuple(_under_load(machine, end_s) for end_s in ends_s())


def _under_load(machine: Machine, end_s: float) -> float:
    """The last moment before `end_s` at which the machine has run under load for a whole block."""
    least = IN_PASS * machine.anatomy.duty.mean
    for k in range(MOST_TRIES):
        at_s = end_s - k * TRY_EVERY_S
        ends = (at_s - BLOCK_S, at_s)
        if machine.regime(at_s) is Regime.RUNNING and min(machine.load(t) for t in ends) >= least:
            return at_s
    return end_s


def _readings(plant: SimulatedPlant) -> Iterator[Readings]:
    """One table of the slow values: a block is judged by the speed that was read at its time."""
    for task in tasks_of(plant):
        if task.point is None:
            read = [plant.frame_at(task, end_s) for end_s in instants(plant)]
            known = [one for one in read if isinstance(one, Readings)]
            if known:
                yield joined(known)


def _blocks(plant: SimulatedPlant) -> Iterator[Frame]:
    tasks = [task for task in tasks_of(plant) if task.point is not None]
    for end_s in instants(plant):
        for task in tasks:
            frame = plant.frame_at(task, end_s)
            if frame is not None:
                yield frame


def open_source(options: Mapping[str, object], _clock: PlantClock) -> SimulatedExercises:
    """The entry point of `palier.sources`. Raises ValueError with a sentence for options that can't be."""
    found = TableMistakes()
    strange = sorted(set(options) - {"folder", "plant_file"})
    if strange:
        found.note(
            f"the source simulated_exercises has the keys folder, plant_file; got {', '.join(strange)}"
        )
    folder, plant_file = (found.read("", _text, options, key) for key in ("folder", "plant_file"))
    found.refuse()
    session: Session = TrainingFolder(Path(folder)).session()
    return SimulatedExercises(session.exercises, load_plant(Path(plant_file)))


def _text(options: Mapping[str, object], key: str) -> str:
    value = options.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must name a file or folder, got {value!r}")
    return value
