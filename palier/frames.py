"""Frames: one simultaneous acquisition of a point's channels, or a table of slow readings of a machine.

A frame's identity is (edge, epoch, seq): `edge` is "site/node", `epoch` is drawn once per outbox file,
`seq` never repeats within it. Only the standard library and numpy: a running agent imports this.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
"""Largest encoded payload. Brokers are set to this + 64 KiB (DESIGN §2)."""

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What a site, node, machine, point or channel may be called: safe in topics, queries and file names."""

QUALITY_BAD: Final = 0
QUALITY_GOOD: Final = 192
QUALITY_STALE: Final = 500

SAMPLE_DTYPES: Final = (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))


class FrameError(ValueError):
    """A frame that can't be one: the sentence says what, what it must be, and what it was."""


class Clock(StrEnum):
    """How far a gateway's time of day can be trusted."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNSYNCED = "unsynced"


@dataclass(frozen=True, slots=True, order=True)
class FrameId:
    """The identity under which a frame is stored exactly once."""

    edge: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Simultaneous blocks of one point's channels: `samples` is (n_channels, n_samples), x = samples * scale.

    `start_ns` is the time of the first sample, ns since 1970 UTC. `speed_rpm` and `load_percent` are None
    when unknown. Raises FrameError where shapes, rate, names or types do not fit.
    """

    machine: str
    point: str
    channels: tuple[str, ...]
    samples: npt.NDArray[np.generic]
    scale: tuple[float, ...]
    unit: tuple[str, ...]
    fs_hz: float
    start_ns: int
    clock: Clock = Clock.SYNCED
    speed_rpm: float | None = None
    load_percent: float | None = None
    quality: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.quality:
            object.__setattr__(self, "quality", (QUALITY_GOOD,) * len(self.channels))
        _check_names(self.machine, self.point, *self.channels)
        if self.samples.dtype not in SAMPLE_DTYPES:
            raise FrameError(f"samples must be int16, int32 or float32 (little-endian), got {self.samples.dtype}")
        if self.samples.ndim != 2 or self.samples.shape[0] != len(self.channels) or self.samples.shape[1] < 2:
            raise FrameError(
                f"samples must be ({len(self.channels)} channels, at least 2 samples), got {self.samples.shape}"
            )
        if not len(self.scale) == len(self.unit) == len(self.quality) == len(self.channels):
            raise FrameError("scale, unit and quality must have one entry for each channel")
        if not 0 < self.fs_hz < 1e7:  # no accelerometer samples above 10 MHz
            raise FrameError(f"fs_hz must be above 0 and below 1e7, got {self.fs_hz}")

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return self.start_ns + round(self.samples.shape[1] / self.fs_hz * 1e9)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Slow values of one machine: `values` is (n_channels, n_times) at `times_ns`; channels are "POINT/CHANNEL".

    NaN is a missing value. Raises FrameError where shapes or names do not fit.
    """

    machine: str
    channels: tuple[str, ...]
    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    unit: tuple[str, ...]
    clock: Clock = Clock.SYNCED
    quality: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.quality:
            object.__setattr__(self, "quality", (QUALITY_GOOD,) * len(self.channels))
        _check_names(self.machine, *(part for name in self.channels for part in split_channel(name)))
        if self.times_ns.ndim != 1 or self.times_ns.size < 1:
            raise FrameError(f"times_ns must hold at least one time, got shape {self.times_ns.shape}")
        if self.values.shape != (len(self.channels), self.times_ns.size):
            raise FrameError(
                f"values must be ({len(self.channels)} channels, {self.times_ns.size} times), got {self.values.shape}"
            )
        if not len(self.unit) == len(self.quality) == len(self.channels):
            raise FrameError("unit and quality must have one entry for each channel")

    @property
    def start_ns(self) -> int:
        """Time of the first row."""
        return int(self.times_ns[0])

    @property
    def end_ns(self) -> int:
        """Time of the last row."""
        return int(self.times_ns[-1])


Frame = Waveform | Readings


def split_channel(name: str) -> tuple[str, str]:
    """("POINT", "CHANNEL") of "POINT/CHANNEL"; FrameError where it is not of that form."""
    point, slash, channel = name.partition("/")
    if not slash or "/" in channel:
        raise FrameError(f"a channel must be named POINT/CHANNEL, got {name!r}")
    return point, channel


def _check_names(*names: str) -> None:
    for name in names:
        if not NAME_PATTERN.fullmatch(name):
            raise FrameError(f"a name must match [A-Za-z0-9_.-]{{1,64}}, got {name!r}")


def pack(frame: Frame) -> tuple[bytes, bytes]:
    """(header, body) of a frame as the outbox keeps it: JSON fields, and the raw little-endian arrays."""
    if isinstance(frame, Waveform):
        header: dict[str, object] = {
            "kind": "waveform",
            "machine": frame.machine,
            "point": frame.point,
            "channels": frame.channels,
            "dtype": frame.samples.dtype.str,
            "scale": frame.scale,
            "unit": frame.unit,
            "fs_hz": frame.fs_hz,
            "start_ns": frame.start_ns,
            "clock": frame.clock,
            "speed_rpm": frame.speed_rpm,
            "load_percent": frame.load_percent,
            "quality": frame.quality,
        }
        return _json(header), np.ascontiguousarray(frame.samples).tobytes()
    header = {
        "kind": "readings",
        "machine": frame.machine,
        "channels": frame.channels,
        "unit": frame.unit,
        "clock": frame.clock,
        "quality": frame.quality,
    }
    table = np.concatenate((frame.times_ns.view("<f8")[None, :], frame.values.astype("<f8", copy=False)))
    return _json(header), table.tobytes()


def unpack(header: bytes, body: bytes) -> Frame:
    """The frame that `pack` made. FrameError where the two do not belong together."""
    try:
        fields = json.loads(header)
        kind, n = fields.pop("kind"), len(fields["channels"])
        for name in ("channels", "unit", "quality", "scale"):
            if name in fields:
                fields[name] = tuple(fields[name])
        fields["clock"] = Clock(fields["clock"])
        if kind == "waveform":
            samples = np.frombuffer(body, dtype=fields.pop("dtype")).reshape(n, -1)
            return Waveform(samples=samples, **fields)
        table = np.frombuffer(body, dtype="<f8").reshape(n + 1, -1)
        return Readings(times_ns=table[0].view("<i8"), values=table[1:], **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise FrameError(f"a stored frame can't be read back: {error}") from error


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
