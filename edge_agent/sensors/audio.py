"""Sensors and interfaces of the USB audio class, and any other sound card: 24 bits through PortAudio.

    [[source]]
    type = "audio"
    machine = "pompe-1"
    point = "palier-ca"
    device = "485B39"           # its name or a part of it (`arecord -l`)
    inputs = [1]                # its channels, as they are numbered on it from 1
    channels = ["h"]
    fs_hz = 48000
    full_scale = [98.1]         # what the largest number means, in `unit`, at this gain
    unit = "m/s²"               # or "g"

PortAudio takes an interface as it is ("hw:"), so that nothing converts its rate or mixes other sounds in;
what it can't give is an error when it is opened. Read without a callback: the samples wait in the kernel's
buffer, and no thread of PortAudio's needs Python in time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes
from palier.wire.said import said

from . import tables
from .audio_host import PortAudio, Wanted, shared
from .bursts import Burst, SampleType
from .continuous import ContinuousSource, source_of

COUNTS: Final = 1 << 23  # 24 bits, signed
BURST_S: Final = 0.1
SILENT_S: Final = 3.0
MOST_INPUTS: Final = 32  # of one interface: the largest that are sold
UNITS: Final = ("g", "m/s²")


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """The table above without what every sensor has, read."""

    device: str
    inputs: tuple[int, ...]
    fs_hz: float
    full_scale: tuple[float, ...]
    unit: str


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    options = read_options(table, found)
    names = tuple(f"in{number}" for number in options.inputs)
    driver = AudioDriver(options)
    known = bool(options.device)
    return source_of(driver, table, clock, AudioOptions.__slots__, names, found=found, known=known)


def read_options(table: Mapping[str, object], found: TableMistakes | None = None) -> AudioOptions:
    """The driver's own keys. Raises TableError naming the keys, or notes them in `found`."""
    noted = found or TableMistakes()
    inputs = noted.read((1,), _inputs, table.get("inputs", [1]))
    options = AudioOptions(
        noted.read("", tables.text, table, "device", "485B39"),
        inputs,
        noted.read(48000.0, tables.positive, table, "fs_hz", 48000, 48000.0),
        noted.read((1.0,) * len(inputs), _full_scale, table, len(inputs)),
        noted.read("g", _unit, table),
    )
    if found is None:
        noted.refuse()
    return options


def _full_scale(table: Mapping[str, object], count: int) -> tuple[float, ...]:
    found = tables.positives(table, "full_scale")
    if len(found) != count:
        raise ValueError(
            "full_scale must have one number for each input: what its largest number means in `unit`, from "
            f"the certificate and the gain, e.g. full_scale = [98.1]; got {len(found)} for {count}"
        )
    return found


def _unit(table: Mapping[str, object]) -> str:
    unit = table.get("unit")
    if unit not in UNITS:
        raise ValueError(f'unit must be that of full_scale, "g" or "m/s²", got {unit!r}')
    return str(unit)


def _inputs(value: object) -> tuple[int, ...]:
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(type(one) is int and 1 <= one <= MOST_INPUTS for one in value)
        or len(set(value)) != len(value)
    ):
        raise ValueError(
            f"inputs must be a list of different numbers from 1 to {MOST_INPUTS}, e.g. inputs = [1, 2], "
            f"got {value!r}"
        )
    return tuple(value)


class AudioDriver:
    """One interface's stream."""

    def __init__(
        self,
        options: AudioOptions,
        *,
        host: Callable[[], PortAudio] = shared,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """`host` gives this process's PortAudio, asked when the interface is opened."""
        self._options, self._host_of = options, host
        self._monotonic_s, self._wait = monotonic_s, wait
        self._wanted = Wanted(options.device, options.fs_hz, max(options.inputs))
        self._columns = [number - 1 for number in options.inputs]
        self._host: PortAudio | None = None
        self._stream: Any = None
        self._generation = 0
        self.fs_nominal_hz = options.fs_hz
        self.n_channels = len(options.inputs)
        self.dtype: SampleType = "int32"
        self.scale = tuple(reach / COUNTS for reach in options.full_scale)
        self.unit = options.unit
        self.full_scale: float | tuple[float, ...] | None = options.full_scale
        self.name = f"audio {options.device!r}"
        self.address = f"audio {options.device.casefold()}"
        self.doubts: tuple[str, ...] = (
            "full_scale holds at one position of the interface's gain: fix it, and switch automatic gain off "
            "(alsamixer); most interfaces cut below some 10 Hz, so a machine below 600 r/min is hardly seen",
        )

    def open(self) -> None:
        """Find the interface by its name and start it."""
        self._host = self._host_of()
        self._start(self._host)

    def _start(self, host: PortAudio) -> None:
        with host.lock:
            host.close(self._stream)
            self._stream = None
            self._stream = host.open(self._wanted)
            self._generation = host.generation

    def close(self) -> None:
        """Let it go."""
        if self._host is not None:
            self._host.close(self._stream)

    def self_test(self) -> str | None:
        """None: a sound card has none."""
        return None

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """What waits in the kernel's buffer, ten times a second."""
        host = self._host
        if host is None or self._stream is None:
            raise OSError(f"{self.name} is not open")
        heard_s, lost = self._monotonic_s(), False
        while not stop.is_set():
            self._wait(stop, BURST_S)
            samples, left, overflowed = self._take(host)
            now_s = self._monotonic_s()
            lost = lost or overflowed
            if samples.shape[1]:
                yield Burst(samples, now_s - left / self.fs_nominal_hz, lost)
                heard_s, lost = now_s, False
            elif now_s - heard_s > SILENT_S:
                raise OSError(said("audio_silent", name=self.name, seconds=round(SILENT_S)))

    def _take(self, host: PortAudio) -> tuple[npt.NDArray[np.int32], int, bool]:
        """(n_channels, n) counts, how many frames still wait, and whether some were lost before these."""
        with host.lock:
            if self._generation != host.generation:  # another one looked for devices: our stream was closed
                self._start(host)
                return np.empty((self.n_channels, 0), np.int32), 0, True
            try:
                waiting = self._stream.read_available
                frames = min(waiting, round(10 * BURST_S * self.fs_nominal_hz))
                if frames == 0:
                    return np.empty((self.n_channels, 0), np.int32), 0, False
                data, overflowed = self._stream.read(frames)
            except host.library.PortAudioError as error:
                raise OSError(said("audio_gone", name=self.name, why=str(error))) from error
        return self._counts(data), waiting - frames, bool(overflowed)

    def _counts(self, data: Any) -> npt.NDArray[np.int32]:
        """The wanted inputs of frames of 24 bits, little-endian: each into the top of 32 bits, then down."""
        packed = np.frombuffer(data, np.uint8).reshape(-1, self._wanted.channels, 3)
        wide = np.zeros((self.n_channels, len(packed), 4), np.uint8)
        wide[:, :, 1:] = packed[:, self._columns].transpose(1, 0, 2)
        counts: npt.NDArray[np.int32] = wide.view("<i4")[:, :, 0] >> 8
        return counts
