"""A source made of a driver: what a sensor gives without end becomes the blocks of the plan.

[[source]]
type = "iis3dwb"
spi = "0.0"                 # the driver's own keys
machine = "P-101"
point = "2"
channels = ["h", "v", "a"]  # of x, y and z; default: as the driver names them
mounting = "stud"           # as plant.toml has it
gain = [1.012, 0.997, 1.0]  # of each channel, from `palier calibrate`
speed_rpm = 1480            # a machine of one speed; others get theirs by [[attach]]
[source.plan]               # which blocks, see the acquisition plan
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from edge_agent.acquisition.acquisition import Acquisition
from edge_agent.acquisition.blocks import births_of, frames_of
from edge_agent.acquisition.plan import Plan, read_plan
from edge_agent.acquisition.sensor import Sensor, ends_of
from palier.clock import PlantClock
from palier.frames import Frame, FrameError, check_name
from palier.source import Device, Standing
from palier.strict_toml import did_you_mean
from palier.table_mistakes import TableMistakes
from palier.wire.said import said

from .bursts import Driver
from .gaps import Gaps
from .rate import RateMeter
from .stream import Stream, Stretch

KEYS: Final = ("machine", "point", "channels", "mounting", "gain", "speed_rpm", "plan")
STRAYS: Final = 0.1
"""Of the nominal rate. Oscillators of accelerometers are within 5 %: more is another device or setting."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sensor sits, and its plan: what the table says beside the driver's own keys."""

    sensor: Sensor
    plan: Plan = field(default_factory=Plan)
    mounting: str = ""
    speed_rpm: float | None = None
    gain: tuple[float, ...] = ()


def source_of(
    driver: Driver,
    table: Mapping[str, object],
    clock: PlantClock,
    own: Collection[str],
    names: tuple[str, ...] = ("x", "y", "z"),
    *,
    found: TableMistakes | None = None,
    known: bool = True,
) -> ContinuousSource:
    """The source of a [[source]] table. Raises TableError naming the keys.

    `own` are the keys that the driver has read, with the mistakes `found`, and `names` what its channels are
    called by default; `known` says whether they tell which device it is, so that it can be looked for.
    """
    noted = found or TableMistakes()
    note_common(table, own, noted)
    source = ContinuousSource(driver, read_place(driver, table, names, noted), clock)
    noted.refuse(*(source.attempt, source.addresses) if known else ())
    return source


def note_common(table: Mapping[str, object], own: Collection[str], found: TableMistakes) -> None:
    """Note what is wrong whatever the driver: unknown keys, and what says where it sits."""
    known = {*KEYS, *own}
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(sorted(known))})"
            found.note(f"unknown key {key!r}{hint}")
    for key in ("machine", "point"):
        found.read("", _name, table, key)
    found.read(None, _speed_rpm, table)
    if not isinstance(mounting := table.get("mounting", ""), str):
        found.note(f'mounting must be text in quotes, e.g. "stud", got {mounting!r}')


def read_place(
    driver: Driver, table: Mapping[str, object], names: tuple[str, ...], found: TableMistakes | None = None
) -> Place:
    """Machine, point, channels and plan. Raises TableError naming the keys, or notes them in `found`."""
    noted = found or TableMistakes()
    note_common(table, table, noted)
    gain = noted.read((1.0,) * driver.n_channels, _gain, table, driver.n_channels)
    ends = ends_of(driver.full_scale, driver.n_channels)
    sensor = Sensor(
        machine=str(table.get("machine")),
        point=str(table.get("point")),
        channels=noted.read(names[: driver.n_channels], _channels, table, driver.n_channels, names),
        fs_hz=driver.fs_nominal_hz,
        scale=tuple(scale * own for scale, own in zip(driver.scale, gain, strict=True)),
        unit=driver.unit,
        dtype=driver.dtype,
        full_scale=None if ends is None else tuple(end * own for end, own in zip(ends, gain, strict=True)),
    )
    speed_rpm = noted.read(None, _speed_rpm, table)
    plan = noted.read(Plan(), read_plan, table.get("plan", {}), sensor, speed_rpm)
    if found is None:
        noted.refuse()
    return Place(sensor, plan, str(table.get("mounting", "")), speed_rpm, gain)


class ContinuousSource:
    """Yields the blocks of one sensor. Opens it in `frames`, so that a missing one has its channels told."""

    def __init__(
        self,
        driver: Driver,
        place: Place,
        clock: PlantClock,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.driver = driver
        self.place = place
        self.rate = RateMeter(driver.fs_nominal_hz)
        self.gaps = Gaps(driver.name)
        self.samples = 0  # that were taken, since it was opened
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._told: Callable[[str], Standing] = lambda _machine: Standing()
        self._stream: Stream | None = None
        self._count = 0  # the stream's samples, those that were lost included
        self._strayed = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """What no other source of the gateway may have, too."""
        return () if self.driver.address is None else (self.driver.address,)

    @property
    def beat_s(self) -> float | None:
        """The monotonic second at which the sensor last gave samples; None before it was opened."""
        return None if self._stream is None else self._stream.beat_s

    @property
    def problem(self) -> str:
        """What is wrong now, a sentence; empty while samples come in time."""
        return self.gaps.problem(self._monotonic_s())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a human should know, a sentence each."""
        return tuple(filter(None, (self.gaps.note_text(self._monotonic_s()), self._strayed)))

    def heed(self, told: Callable[[str], Standing]) -> None:
        """What the host says of a machine, at any moment."""
        self._told = told

    def devices(self) -> tuple[Device, ...]:
        """The machine with this point's channels."""
        sensor = self.place.sensor
        births = births_of(self.place.plan, sensor)
        mounted = tuple(replace(birth, mounting=self.place.mounting) for birth in births)
        return (Device(sensor.machine, mounted),)

    def attempt(self) -> None:
        """Find the sensor, test it, let it go. Raises OSError with a sentence."""
        try:
            self._begin()
        finally:
            self.driver.close()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The blocks of the plan. Raises OSError with a sentence where the sensor is not well."""
        acquisition = self._acquisition()
        stream = self._open()
        try:
            while not stop.is_set():
                for stretch in stream.take(stop):
                    yield from self._cut(acquisition, stretch)
        finally:
            stream.end()

    def _acquisition(self) -> Acquisition:
        machine = self.place.sensor.machine
        return Acquisition(self.place.plan, self.place.sensor, lambda: self._told(machine))

    def _open(self) -> Stream:
        driver = self.driver
        try:
            self._begin()
        except BaseException:
            driver.close()
            raise
        for doubt in driver.doubts:
            log.warning("%s: %s", driver.name, doubt)
        stream = Stream(driver)
        stream.start()
        self._stream = stream
        return stream

    def _begin(self) -> None:
        driver = self.driver
        driver.open()
        failed = driver.self_test()
        if failed is not None:
            raise OSError(said("self_test", name=driver.name, why=failed))

    def _cut(self, acquisition: Acquisition, stretch: Stretch) -> Iterator[Frame]:
        """The frames whose last sample is in this stretch."""
        n_samples = stretch.samples.shape[1]
        if stretch.overrun:
            self._leap(acquisition, stretch)
        first, self._count = self._count, self._count + n_samples
        self.samples += n_samples
        for samples, at_s in stretch.marks:
            self.rate.note(first + samples, at_s)
        self._watch_rate()
        acquisition.fs_hz = self.rate.fs_hz
        for cut in acquisition.feed(stretch.samples, first):
            yield from frames_of(
                cut,
                self.place.sensor,
                start_ns=self._plant_ns(cut.first_sample),
                fs_hz=self.rate.fs_hz,
                speed_rpm=self.place.speed_rpm,
            )

    def _leap(self, acquisition: Acquisition, stretch: Stretch) -> None:
        """Samples are missing before this stretch: how many, the clock tells within a burst or so."""
        there = self._count + stretch.samples.shape[1]
        late_s = stretch.end_s - self.rate.time_of(there) if self._count else 0.0
        lost = max(1, round(late_s * self.rate.fs_hz))
        self.gaps.note(lost, stretch.end_s)
        self._count += lost
        self.rate.cut()
        acquisition.cut()

    def _plant_ns(self, sample: int) -> int:
        """The plant time at which a sample was there."""
        age_s = self._monotonic_s() - self.rate.time_of(sample + 1)
        return self._clock.now_ns() - round(age_s * self._clock.rate * 1e9)

    def _watch_rate(self) -> None:
        rate = self.rate
        if rate.measured and abs(rate.fs_hz / rate.nominal_hz - 1) > STRAYS:
            if not self._strayed:
                log.warning("%s", self._stray_text())
            self._strayed = self._stray_text()
        else:
            self._strayed = ""

    def _stray_text(self) -> str:
        measured, nominal = round(self.rate.fs_hz), round(self.rate.nominal_hz)
        return said("rate_strays", name=self.driver.name, measured=measured, nominal=nominal)


def _speed_rpm(table: Mapping[str, object]) -> float | None:
    speed = table.get("speed_rpm")
    if speed is None:
        return None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or speed < 0:
        raise ValueError(f"speed_rpm must be a number of at least 0, got {speed!r}")
    return float(speed)


def _name(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be given, text in quotes as plant.toml names it, got {value!r}")
    try:
        check_name(value)
    except FrameError as error:
        raise ValueError(f"{key}: {error}") from error
    return value


def _gain(table: Mapping[str, object], count: int) -> tuple[float, ...]:
    """One number a channel. A tolerance is some percent: what is far from 1 is another range or unit."""
    given = table.get("gain", [1.0] * count)
    if not isinstance(given, list | tuple) or len(given) != count or not all(map(_is_gain, given)):
        raise ValueError(
            f"gain must be {count} numbers from 0.5 to 2, one for each channel, as `palier calibrate` prints "
            f"them, got {given!r}"
        )
    return tuple(float(one) for one in given)


def _is_gain(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.5 <= value <= 2.0


def _channels(table: Mapping[str, object], count: int, names: tuple[str, ...]) -> tuple[str, ...]:
    given = table.get("channels", list(names))
    if (
        not isinstance(given, list | tuple)
        or len(given) != count
        or len(set(map(str, given))) != count
        or not all(isinstance(one, str) for one in given)
    ):
        example = ", ".join(f'"{name}"' for name in names[:count])
        raise ValueError(f"channels must be {count} different names, e.g. [{example}], got {given!r}")
    for one in given:
        try:
            check_name(one)
        except FrameError as error:
            raise ValueError(f"channels: {error}") from error
    return tuple(given)
