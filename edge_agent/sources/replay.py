"""A source that plays recordings: a frame per record, or several where a record is long.

    [[source]]
    type = "replay"
    file = "mfs.npz"           # relative to agent.toml
    index_file = "index.csv"   # columns file, fs or fs_hz, rpm, labels
    fs_hz = 51200              # these three win over the index, and the index over the file
    rpm = 900
    unit = "g"                 # "m/s²", "g" or "unknown"
    channel = "DE"             # only this channel
    machine = "rig"            # one machine for all records; without it each record is a machine of its own
    point = "1"
    block_samples = 65536      # longest frame; without it what a message can hold
    rate = 1.0                 # times real time; 0 or "max" as fast as possible
    repeat = false             # begin again at the end

Times are plant times: blocks follow one another from the start, each yielded when its last sample is there.
At another rate than 1 a block still ends when it is yielded: as fresh as it would be on a machine. A record
that can't be read is left out, with a line in the log.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.frames import MAX_FRAME_BYTES, Frame, Waveform
from palier.recordings import Recording, RecordingError, Recordings, open_recordings
from palier.source import ChannelBirth, Device
from palier.table_mistakes import TableMistakes

_T = TypeVar("_T")

WIDEST_SAMPLE: Final = 4
"""Bytes. A block fits a message whatever its samples are, as the check of a plant wants it."""

ROOM_FOR_FIELDS: Final = 16 * 1024
"""Kept free in a message for names and properties: some 200 bytes a channel."""


log = logging.getLogger(__name__)


NO_FILE: Final = Path()
"""In place of what a table does not say."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The table above, read. `rate` 0 is as fast as possible."""

    file: Path
    index_file: Path | None = None
    fs_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    channel: str | None = None
    machine: str | None = None
    point: str = "1"
    block_samples: int | None = None
    rate: float = 1.0
    repeat: bool = False


def open_source(table: Mapping[str, object], clock: PlantClock) -> ReplaySource:
    """The entry point. Raises ValueError for a wrong table or file."""
    found = TableMistakes()
    options = read_options(table, found)
    found.refuse(None if options.file == NO_FILE else partial(_look_at, options.file))
    recordings = open_recordings(
        options.file,
        options.index_file,
        fs_hz=options.fs_hz,
        rpm=options.rpm,
        unit=options.unit,
        channel=options.channel,
    )
    for record in recordings.skipped:
        log.error("left out: %s (%s)", record.name, record.reason)
    return ReplaySource(options, recordings, clock)


def read_options(table: Mapping[str, object], found: TableMistakes | None = None) -> ReplayOptions:
    """The options of a [[source]] table. Raises TableError naming the keys, or notes them in `found`."""
    noted = found or TableMistakes()
    for unknown in sorted(set(table) - set(ReplayOptions.__slots__)):
        noted.note(f"unknown key {unknown!r} (known: {', '.join(ReplayOptions.__slots__)})")
    options = ReplayOptions(
        file=noted.read(NO_FILE, _file, table),
        index_file=noted.read(None, _optional, table, "index_file", _path),
        fs_hz=noted.read(None, _optional, table, "fs_hz", _positive),
        rpm=noted.read(None, _optional, table, "rpm", _positive),
        unit=noted.read(None, _optional, table, "unit", _text),
        channel=noted.read(None, _optional, table, "channel", _text),
        machine=noted.read(None, _optional, table, "machine", _text),
        point=noted.read("1", _text, "point", table.get("point", "1")),
        block_samples=noted.read(None, _optional, table, "block_samples", _whole),
        rate=noted.read(1.0, read_rate, table.get("rate", 1.0)),
        repeat=noted.read(False, _flag, "repeat", table.get("repeat", False)),
    )
    if found is None:
        noted.refuse()
    return options


def read_rate(value: object) -> float:
    """Times real time; 0 for 0 and "max". Raises ValueError."""
    if value == "max":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f'rate must be a number of at least 0, or "max", got {value!r}')
    return float(value)


class ReplaySource:
    """Yields the records of one file."""

    def __init__(
        self,
        options: ReplayOptions,
        recordings: Recordings,
        clock: PlantClock,
        machines: Mapping[str, str] | None = None,
    ) -> None:
        """`machines` names the machine of each record, where the options name none."""
        self.options = options
        self._recordings = recordings
        self._clock = clock
        self._machines = machines

    @property
    def can_wait(self) -> bool:
        """As fast as possible is as fast as the disk: what lies in a file needs no place in memory."""
        return self.options.rate == 0

    def devices(self) -> tuple[Device, ...]:
        """A machine for each record, or the one of the options with every channel met."""
        found: dict[str, dict[str, ChannelBirth]] = {}
        for machine, recording in self._named():
            channels = found.setdefault(machine, {})
            for birth in _births(recording, self.options.point):
                channels.setdefault(birth.name, birth)
        return tuple(Device(machine, tuple(channels.values())) for machine, channels in found.items())

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Every block of every record, in the order of the file."""
        end_ns = self._clock.now_ns()
        while True:
            for machine, recording in self._named():
                for samples in blocks(recording, self.options.block_samples):
                    end_ns = self._wait_for_end(end_ns, samples.shape[1] / recording.fs_hz, stop)
                    if stop.is_set():
                        return
                    yield _frame(recording, samples, machine, self.options.point, end_ns)
            if not self.options.repeat:
                return

    def _named(self) -> Iterator[tuple[str, Recording]]:
        """Each record that can be read, with its machine's name."""
        name = machine_names() if self._machines is None else self._machines.__getitem__
        for record in self._recordings.names:
            machine = self.options.machine or name(record)
            try:
                yield machine, self._recordings.read(record)
            except RecordingError as error:
                log.error("left out: %s", error)

    def _wait_for_end(self, before_ns: int, seconds: float, stop: threading.Event) -> int:
        """The plant time at which a block of that length ends, reached when this returns."""
        if self.options.rate == 0:
            return max(self._clock.now_ns(), before_ns + 1)
        end_ns = before_ns + round(seconds / self.options.rate * 1e9)
        while not stop.is_set() and (left_ns := end_ns - self._clock.now_ns()) > 0:
            stop.wait(self._clock.real_seconds(left_ns / 1e9))
        return end_ns


def safe_name(text: str) -> str:
    """A text as a machine or channel may be called; eight characters are left for a number behind it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_")[:56] or "unnamed"


def machine_names() -> Callable[[str], str]:
    """A function that makes a record's name safe as a machine's, and different from those before it."""
    taken: set[str] = set()

    def name(record: str) -> str:
        number, chosen = 1, (safe := safe_name(record))
        while chosen in taken:
            number += 1
            chosen = f"{safe}-{number}"
        taken.add(chosen)
        return chosen

    return name


def blocks(recording: Recording, longest: int | None) -> Iterator[npt.NDArray[np.generic]]:
    """The record in equal blocks (n_channels, n) that fit a message; the rest of the division is left out."""
    length = block_length(recording, longest)
    for begin in range(0, recording.samples.shape[1] - length + 1, length):
        yield recording.samples[:, begin : begin + length]


def block_length(recording: Recording, longest: int | None) -> int:
    """Samples of each of its equal blocks: at most `longest`, and what a message can hold."""
    n_channels, n = (int(size) for size in recording.samples.shape)
    room = (MAX_FRAME_BYTES - ROOM_FOR_FIELDS) // (WIDEST_SAMPLE * n_channels)
    count = -(-n // min(room, longest or room))
    return n // count


def _frame(
    recording: Recording, samples: npt.NDArray[np.generic], machine: str, point: str, end_ns: int
) -> Waveform:
    return Waveform(
        machine=machine,
        point=point,
        channels=tuple(map(safe_name, recording.channels)),
        samples=np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")),
        scale=recording.scale,
        unit=(recording.unit,) * len(recording.channels),
        fs_hz=recording.fs_hz,
        start_ns=end_ns - round(samples.shape[1] / recording.fs_hz * 1e9),
        speed_rpm=recording.rpm,
    )


def _births(recording: Recording, point: str) -> Iterator[ChannelBirth]:
    for channel, scale in zip(recording.channels, recording.scale, strict=True):
        name = recording.samples.dtype.name
        yield ChannelBirth(f"{point}/{safe_name(channel)}", recording.unit, name, scale, recording.fs_hz)


def _optional(table: Mapping[str, object], key: str, read: Callable[[str, object], _T]) -> _T | None:
    return read(key, table[key]) if table.get(key) is not None else None


def _file(table: Mapping[str, object]) -> Path:
    if "file" not in table:
        raise ValueError('file is missing, e.g. file = "recording.npz"')
    return _path("file", table["file"])


def _look_at(file: Path) -> None:
    """Raise OSError where there is no such file."""
    try:
        file.open("rb").close()
    except OSError as error:
        raise OSError(f"{file} can't be read: {error.strerror or error}") from error


def _path(key: str, value: object) -> Path:
    return Path(_text(key, value))


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be text in quotes, got {value!r}")
    return value


def _positive(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{key} must be a number above 0, got {value!r}")
    return float(value)


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise ValueError(f"{key} must be a whole number of at least 2, got {value!r}")
    return value


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false, got {value!r}")
    return value
