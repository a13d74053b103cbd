"""Simulated recordings: the same machines, written to a file instead of sent."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import MachineSpec
from palier.frames import Waveform

from .kinds import anatomy_of
from .machines.machine import Machine
from .scenario import Scenario
from .sensors import Accelerometer
from .source import Options, acquire, tasks_of

COLUMNS: Final = ("file", "fs", "rpm", "unit", "machine", "point", "load_percent", "start_ns")


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One block under its name, with the speed of the machine's shaft, r/min, None when unknown."""

    name: str
    frame: Waveform
    rpm: float | None


def record(
    specs: Sequence[MachineSpec], scenario: Scenario, options: Options, *, start_s: float, seconds: float
) -> Iterator[Record]:
    """Every block that the machines give in so many seconds from `start_s` (since 1970 UTC)."""
    sensor = Accelerometer()
    for spec in specs:
        faults = scenario.get(spec.id, ())
        machine = Machine(
            spec, anatomy_of(spec), seed=options.seed, start_s=start_s, faults=faults, sensor=sensor
        )
        tasks = [task for task in tasks_of(spec, options) if task.point is not None]
        number, end_s = 1, start_s
        while tasks and end_s + options.interval_s <= start_s + seconds + 1e-6:
            end_s += options.interval_s
            for task in tasks:
                frame = acquire(machine, task, end_s, sensor)
                if isinstance(frame, Waveform):
                    name = f"{spec.id}_{frame.point}_{number:05d}"
                    yield Record(name, frame, frame.speed_rpm or spec.speed_rpm)
            number += 1


def write_recording(records: Iterable[Record], file: Path) -> int:
    """Write an npz of int16 records and its index beside it (the same name, .csv); the number of records.

    An array "RECORD|CHANNEL" has its scale beside it as "RECORD|CHANNEL__scale". Raises OSError.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    rows: list[tuple[object, ...]] = []
    for entry in records:
        frame = entry.frame
        for channel, samples, scale in zip(frame.channels, frame.samples, frame.scale, strict=True):
            arrays[f"{entry.name}|{channel}"] = samples
            arrays[f"{entry.name}|{channel}__scale"] = np.array(scale)
        rpm = "" if entry.rpm is None else f"{entry.rpm:.2f}"
        load = f"{frame.load_percent:.1f}"
        what = (frame.unit[0], frame.machine, frame.point, load, frame.start_ns)
        rows.append((entry.name, frame.fs_hz, rpm, *what))
    with file.open("wb") as output:
        np.savez(output, allow_pickle=False, **arrays)
    with file.with_suffix(".csv").open("w", newline="", encoding="utf-8") as output:
        writer = csv.writer(output)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)
