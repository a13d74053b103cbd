"""Samples for a calibration: of a recording, or of a sensor of agent.toml for some seconds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import M_S2_PER_UNIT
from palier.recordings import open_recordings

from .opening import SourceError, open_source
from .outbox_file import Guard, OutboxError
from .sensors.bursts import Burst, Driver
from .sensors.continuous import ContinuousSource
from .settings import AgentSettings, SourceSettings

LATE: Final = 3.0
"""Times the seconds asked for, plus `START_S`: then the sensor gives too little to go on."""

START_S: Final = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """`samples_m_s2` is (n_channels, n); `gain` is what agent.toml multiplies the sensor's own scale by."""

    name: str
    samples_m_s2: npt.NDArray[np.float64]
    channels: tuple[str, ...]
    fs_hz: float
    gain: tuple[float, ...]
    mounting: str = ""


def of_recordings(paths: list[Path], *, fs_hz: float | None = None, unit: str | None = None) -> list[Taken]:
    """All records of these files. Raises ValueError (RecordingError) with a sentence."""
    return [taken for path in paths for taken in _records(path, fs_hz, unit)]


def _records(path: Path, fs_hz: float | None, unit: str | None) -> Iterator[Taken]:
    for record in open_recordings(path, fs_hz=fs_hz, unit=unit):
        if record.unit not in M_S2_PER_UNIT:
            raise ValueError(
                f"{record.name}: the unit is {record.unit!r}; a calibration needs m/s² or g, given by --unit"
            )
        scale = np.array(record.scale)[:, None] * M_S2_PER_UNIT[record.unit]
        ones = (1.0,) * len(record.channels)
        yield Taken(record.name, record.samples * scale, record.channels, record.fs_hz, ones)


def find_sensor(settings: AgentSettings, name: str | None) -> tuple[SourceSettings, ContinuousSource]:
    """The source that is meant, and its driver not opened yet. Raises ValueError with a sentence."""
    _refuse_running(settings.data)
    sensors: dict[str, tuple[SourceSettings, ContinuousSource]] = {}
    refused: list[str] = []
    for one in settings.sources:
        if name not in (None, one.name):
            continue
        try:
            opened = open_source(one, settings.clock.plant_clock())
        except (SourceError, OSError) as error:
            refused.append(f"; {one.name} can't be opened: {error}")
            continue
        if isinstance(opened, ContinuousSource):
            sensors[one.name] = one, opened
    if name is None and len(sensors) == 1:
        return next(iter(sensors.values()))
    if name not in sensors:
        there = ", ".join(one.name for one in settings.sources)
        raise ValueError(
            f"--source must name one sensor that gives samples without end, got {name or 'nothing'}; this "
            f"gateway has {there}{''.join(refused)}"
        )
    return sensors[name]


def _refuse_running(data: Path) -> None:
    """Two readers of one FIFO would spoil each other's samples. Raises ValueError."""
    if not os.path.exists(data / "outbox.lock"):  # noqa: PTH110 - Path's raises where it may not look
        return
    try:
        Guard(data).release()
    except OutboxError as error:
        raise ValueError(
            "the agent is running, and a sensor has one reader: systemctl stop palier-agent"
        ) from error


def of_sensor(source: ContinuousSource, seconds: float) -> Taken:
    """Samples that follow one another, so many seconds of them. Raises OSError with a sentence.

    The agent must be stopped: a sensor has one reader.
    """
    driver, sensor = source.driver, source.place.sensor
    try:
        driver.open()
        failed = driver.self_test()
        if failed is not None:
            raise OSError(f"{driver.name} fails its self-test: {failed}")
        bursts = _whole(driver, seconds)
    finally:
        driver.close()
    samples = np.concatenate([burst.samples for burst in bursts], axis=1).astype(np.float64)
    rate = _rate(bursts, driver.fs_nominal_hz)
    factor = np.array(sensor.scale)[:, None] * M_S2_PER_UNIT[sensor.unit]
    return Taken(
        driver.name, samples * factor, sensor.channels, rate, source.place.gain, source.place.mounting
    )


def _whole(driver: Driver, seconds: float) -> list[Burst]:
    """Bursts without a gap that hold so many seconds; after a gap it begins anew."""
    stop, wanted = threading.Event(), round(seconds * driver.fs_nominal_hz)
    until_s = time.monotonic() + LATE * seconds + START_S
    found: list[Burst] = []
    bursts = driver.bursts(stop)
    try:
        for burst in bursts:
            if burst.overrun:
                found = []
            found.append(burst)
            if sum(one.samples.shape[1] for one in found) >= wanted:
                return found
            if time.monotonic() > until_s:
                break
    finally:
        stop.set()
        close = getattr(bursts, "close", None)
        if close is not None:
            close()
    raise OSError(
        f"{driver.name} gave no {seconds:g} s of samples without a gap: is something else using its bus, "
        "or this machine too busy?"
    )


def _rate(bursts: list[Burst], nominal_hz: float) -> float:
    """Measured over the bursts behind the first; the nominal rate where they are too few to tell."""
    passed_s = bursts[-1].end_s - bursts[0].end_s
    n = sum(burst.samples.shape[1] for burst in bursts[1:])
    return n / passed_s if passed_s >= 0.5 else nominal_hz  # a burst's own jitter, 1 ms, is then 0.2 %
