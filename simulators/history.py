"""The source `simulated_history`: the past of a simulated plant, newest first, as a gateway brings it that
sampled for a month and had no link.

[[source]]
type = "simulated_history"
origin_s = 1793606400  # where the past ends and the scenario begins, seconds since 1970 UTC
first = ["P-101"]      # machines whose dense days come before all others' (default: none)
plant_file, machines, scenario, scenario_file, seed, block_s, time_scale: as of the source `simulated`

A block of each point every 20 minutes of the last 15 days, four a day of the 15 before. It is no stream that
time hurries: the agent takes the next block when few wait for the host.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from palier.clock import PlantClock
from palier.frames import QUALITY_GOOD, Frame, Readings
from palier.plant import Plant
from palier.source import Device
from palier.table_mistakes import TableMistakes

from .plant import SimulatedPlant
from .source import open_source as open_live
from .tasks import Options, Task, read_options, tasks_of

DAY_S: Final = 86_400.0
DENSE_DAYS: Final = 15
DENSE_EVERY_S: Final = 1200.0
"""A baseline wants 1,000 blocks: fifteen days hold 1,080, so that a power cut or a dropout costs no machine
its own. What has not been sampled for a day in a fortnight is no baseline anyhow."""

DAYS: Final = 30
SPARSE_EVERY_S: Final = 21_600.0
"""Older days are there to be looked at: four blocks a day show a trend, and a day and a night."""

BEGIN_AFTER_S: Final = 2 * DENSE_EVERY_S
"""Plant seconds in which the live sources send their first blocks: what is then sent is older, and so
past."""

PLAN: Final = (DENSE_DAYS, DENSE_EVERY_S, DAYS, SPARSE_EVERY_S)
"""All that says which instants a past is made of."""


@dataclass(frozen=True, slots=True)
class Day:
    """The blocks of one machine in one day: ends of their acquisition, seconds since 1970, newest first."""

    machine: str
    ends_s: tuple[float, ...]


def days_of(machines: Sequence[str], origin_s: float, first: Sequence[str] = ()) -> tuple[Day, ...]:
    """The whole past, newest first: the dense days of `first`, then day by day of all others, then the sparse
    days of all.
    """
    early = [name for name in machines if name in first]
    late = [name for name in machines if name not in first]
    dense = [_ends(origin_s, day, DENSE_EVERY_S) for day in range(DENSE_DAYS)]
    sparse = [_ends(origin_s, day, SPARSE_EVERY_S) for day in range(DENSE_DAYS, DAYS)]
    groups = ((early, dense), (late, dense), ([*early, *late], sparse))
    return tuple(Day(name, ends) for names, days in groups for ends in days for name in names)


def blocks_of(plant: Plant) -> int:
    """How many frames the past of a plant is made of: blocks, and a table of readings for each day."""
    found = 0
    for machine in plant.machines:
        tasks = tasks_of(machine, Options())
        blocks = sum(task.point is not None for task in tasks)
        for day in days_of((machine.id,), 0.0):
            found += blocks * len(day.ends_s) + (len(tasks) > blocks)
    return found


class SimulatedHistory:
    """See the top of the file."""

    patient: Literal[True] = True

    def __init__(
        self, sim: SimulatedPlant, tasks: Sequence[Task], days: Sequence[Day], clock: PlantClock
    ) -> None:
        self._sim = sim
        self._tasks = tuple(tasks)
        self._days = tuple(days)
        self._clock = clock

    def devices(self) -> tuple[Device, ...]:
        """The machines as they hang on the gateway."""
        return self._sim.devices()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Blocks day by day, newest first.

        The readings of a day go one day ahead: a block is judged by the speed that was read at its time.
        """
        if stop.wait(self._clock.real_seconds(BEGIN_AFTER_S)):
            return
        told: set[int] = set()
        for place, day in enumerate(self._days):
            for ahead in (place, self._next(place)):
                if ahead is not None and ahead not in told:
                    told.add(ahead)
                    yield from self._readings(self._days[ahead])
            yield from self._blocks(day, stop)
            if stop.is_set():
                return

    def _next(self, place: int) -> int | None:
        """Where the machine's next day is."""
        machine = self._days[place].machine
        return next((k for k in range(place + 1, len(self._days)) if self._days[k].machine == machine), None)

    def _blocks(self, day: Day, stop: threading.Event) -> Iterator[Frame]:
        tasks = [task for task in self._tasks if task.machine == day.machine and task.point is not None]
        for end_s in day.ends_s:
            for task in tasks:
                if stop.is_set():
                    return
                frame = self._sim.frame_at(task, end_s)
                if frame is not None:
                    yield frame

    def _readings(self, day: Day) -> Iterator[Frame]:
        """One table of the day's slow values, none where all were lost."""
        for task in self._tasks:
            if task.machine == day.machine and task.point is None:
                read = [self._sim.frame_at(task, end_s) for end_s in reversed(day.ends_s)]
                known = [one for one in read if isinstance(one, Readings)]
                if known:
                    yield joined(known)


def joined(tables: Sequence[Readings]) -> Readings:
    """Tables of the same channels as one, in the order of their times. What was of bad quality is missing."""
    first = tables[0]
    good = [np.array(table.quality)[:, None] == QUALITY_GOOD for table in tables]
    values = [np.where(ok, table.values, np.nan) for ok, table in zip(good, tables, strict=True)]
    return Readings(
        machine=first.machine,
        channels=first.channels,
        times_ns=np.concatenate([table.times_ns for table in tables]),
        values=np.concatenate(values, axis=1),
        unit=first.unit,
        clock=first.clock,
    )


def open_source(options: Mapping[str, object], clock: PlantClock) -> SimulatedHistory:
    """The entry point of `palier.sources`. Raises ValueError with a sentence for options that can't be."""
    found = TableMistakes()
    first = options.get("first", [])
    if not isinstance(first, list) or not all(isinstance(name, str) for name in first):
        found.note(f"first must be a list of machine ids, got {first!r}")
        first = []
    rest = {key: value for key, value in options.items() if key != "first"}
    checked = found.read(Options(), read_options, {**rest, "interval_s": DENSE_EVERY_S})
    if "origin_s" not in options:
        found.note("origin_s must say where the past ends, in seconds since 1970 UTC")
    found.refuse()
    assert checked.origin_s is not None  # noqa: S101 - it was read
    live = open_live({**rest, "interval_s": DENSE_EVERY_S}, clock)
    sim = live.plant(checked.origin_s)
    days = days_of(list(sim.machines), checked.origin_s, first)
    return SimulatedHistory(sim, sim.tasks(checked), days, clock)


def _ends(origin_s: float, day: int, every_s: float) -> tuple[float, ...]:
    """Ends of the blocks of the `day`-th day before the origin, newest first; the origin itself is live."""
    last = origin_s - day * DAY_S
    return tuple(last - (k + 1) * every_s for k in range(round(DAY_S / every_s)))
