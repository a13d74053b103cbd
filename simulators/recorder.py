"""Simulated recordings: the same machines, written to a file instead of sent."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from palier.frames import Waveform

from .machines.machine import Machine
from .plant import SimulatedPlant
from .tasks import Options
from .truth import Truth

ORIGIN_S: Final = 1_767_225_600.0
"""Hour 0 of a scenario that is recorded, s since 1970 UTC: 1 January 2026.

Draws belong to instants: with an hour 0 that is now, no command would write the same bytes twice.
"""

COLUMNS: Final = ("file", "fs", "rpm", "unit", "machine", "point", "load_percent", "start_ns")


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One block under its name, the speed of the machine (r/min, None when unknown), and the truth."""

    name: str
    frame: Waveform
    rpm: float | None
    truth: Truth


def record(plant: SimulatedPlant, options: Options, *, start_s: float, seconds: float) -> Iterator[Record]:
    """Every block that the machines give in so many seconds from `start_s` (since 1970 UTC)."""
    tasks = [task for task in plant.tasks(options) if task.point is not None]
    for machine, one in plant.machines.items():
        mine = [task for task in tasks if task.machine == machine]
        number, end_s = 1, start_s
        while mine and end_s + options.interval_s <= start_s + seconds + 1e-6:
            end_s += options.interval_s
            for task in mine:
                frame = plant.frame_at(task, end_s)
                if isinstance(frame, Waveform):
                    name = f"{machine}_{frame.point}_{number:05d}"
                    yield Record(name, frame, _speed_rpm(one, frame, end_s), plant.truth(machine, end_s))
            number += 1


def _speed_rpm(machine: Machine, frame: Waveform, end_s: float) -> float | None:
    """What is known of the speed: 0 says that the machine is at rest, which a nominal speed must not hide."""
    if frame.speed_rpm is not None:
        return frame.speed_rpm
    return machine.speed_rpm(end_s) if machine.spec.speed_source == "reading" else machine.spec.speed_rpm


def write_recording(records: Iterable[Record], file: Path, *, truth: bool = False) -> int:
    """Write an npz of int16 records and its index beside it (the same name, .csv); the number of records.

    An array "RECORD|CHANNEL" has its scale beside it as "RECORD|CHANNEL__scale". With `truth`, what was wrong
    in truth stands beside both (.truth.jsonl), a line for each record. Raises OSError; ValueError where the
    channels of a point differ in their unit, of which an index has one for each record.
    """
    rows: list[tuple[object, ...]] = []
    truths: list[str] = []
    # What is not whole does not bear the name: a disk may be full before the end.
    unfinished = file.with_name(file.name + ".part")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for entry in records:
                _write_arrays(archive, entry)
                rows.append(_row(entry))
                truths.append(entry.truth.to_json() + "\n")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    with file.with_suffix(".csv").open("w", newline="", encoding="utf-8") as output:
        writer = csv.writer(output)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    if truth:
        truth_beside(file).write_text("".join(truths), "utf-8")
    return len(rows)


def _write_arrays(archive: zipfile.ZipFile, entry: Record) -> None:
    """Add the arrays of a record to an npz. One by one: a day of a plant does not fit the memory."""
    frame = entry.frame
    if len(set(frame.unit)) > 1:
        raise ValueError(
            f"{frame.machine}/{frame.point}: channels of one point must have one unit to be recorded, "
            f"got {', '.join(frame.unit)}"
        )
    for channel, samples, scale in zip(frame.channels, frame.samples, frame.scale, strict=True):
        arrays = {f"{entry.name}|{channel}": samples, f"{entry.name}|{channel}__scale": np.array(scale)}
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _row(entry: Record) -> tuple[object, ...]:
    """The line of a record in the index."""
    frame = entry.frame
    rpm = "" if entry.rpm is None else f"{entry.rpm:.2f}"
    what = (frame.unit[0], frame.machine, frame.point, f"{frame.load_percent:.1f}", frame.start_ns)
    return (entry.name, frame.fs_hz, rpm, *what)


def truth_beside(file: Path) -> Path:
    """Where the truth about a recording stands."""
    return file.with_suffix(".truth.jsonl")
