"""Frames: one simultaneous acquisition of a point's channels, or a table of slow readings of a machine.

A frame's identity is (edge, epoch, seq): `edge` is "site/node", `epoch` is drawn once per outbox file,
`seq` never repeats within it. Only the standard library and numpy: a running agent imports this.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
"""Largest encoded payload. Brokers are set to this + 64 KiB, for the topic and what MQTT adds."""

NAME_PATTERN: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,64}")
"""What a site, node, machine, point or channel may be called: safe in topics, queries and file names.

`.` and `..` are folders and no names. Use `fullmatch`.
"""

QUALITY_BAD: Final = 0
QUALITY_GOOD: Final = 192
QUALITY_STALE: Final = 500
QUALITIES: Final = (QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE)
"""Sparkplug's three quality codes (tck-id-payloads-propertyset-quality-value-value)."""

SAMPLE_DTYPES: Final = (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))

MAX_RATE_HZ: Final = 1e7
"""No accelerometer is sampled above 10 MHz."""


class FrameError(ValueError):
    """A frame that can't be one: the sentence says what, what it must be, and what it was.

    `reason` is the key under which a host counts it: schema, length, type, range, name, unit, clock or size.
    """

    def __init__(self, sentence: str, reason: str = "schema") -> None:
        super().__init__(sentence)
        self.reason = reason


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

    `start_ns` is the time of the first sample, ns since 1970 UTC. `speed_rpm` (never negative, whichever way
    the shaft turns) and `load_percent` are None when unknown; `unit` is "unknown" where nobody wrote it down.
    Raises FrameError where shapes, rate, names, units or types do not fit. Samples may hold NaN.
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
        check_name(self.machine)
        check_name(self.point)
        for channel in self.channels:
            check_name(channel)
        _check_columns(self.channels, self.unit, self.quality)
        self._check_samples()
        _check_time(self.start_ns)
        if len(self.scale) != len(self.channels) or not all(0 < scale < math.inf for scale in self.scale):
            raise FrameError(f"scale must be one number above 0 for each channel, got {self.scale}", "range")
        if not 0 < self.fs_hz < MAX_RATE_HZ:
            raise FrameError(f"fs_hz must be above 0 and below {MAX_RATE_HZ:g}, got {self.fs_hz}", "range")
        if self.speed_rpm is not None and not 0 <= self.speed_rpm < math.inf:
            raise FrameError(f"speed_rpm must be 0 or more, or None, got {self.speed_rpm}", "range")
        if self.load_percent is not None and not math.isfinite(self.load_percent):
            raise FrameError(f"load_percent must be finite, or None, got {self.load_percent}", "range")

    def _check_samples(self) -> None:
        shape = self.samples.shape
        if self.samples.dtype not in SAMPLE_DTYPES:
            raise FrameError(
                f"samples must be int16, int32 or float32 (little-endian), got {self.samples.dtype}", "type"
            )
        if len(shape) != 2 or shape[0] != len(self.channels) or shape[1] < 2:
            raise FrameError(
                f"samples must be ({len(self.channels)} channels, at least 2 samples), got {shape}", "range"
            )

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        n_samples: int = self.samples.shape[1]
        return self.start_ns + round(n_samples / self.fs_hz * 1e9)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Slow values of one machine: `values` is (n_channels, n_times) at `times_ns`.

    Channels are "POINT/CHANNEL". Times rise strictly (two values at one time would be one row). NaN is a
    missing value; infinity is refused: no sensor measures it. Raises FrameError where shapes, times, names,
    units or types do not fit.
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
        check_name(self.machine)
        for name in self.channels:
            split_channel(name)
        _check_columns(self.channels, self.unit, self.quality)
        self._check_times()
        if self.values.dtype != np.dtype("<f8"):
            raise FrameError(f"values must be float64, got {self.values.dtype}", "type")
        shape = (len(self.channels), self.times_ns.size)
        if self.values.shape != shape:
            raise FrameError(f"values must be {shape} (channels, times), got {self.values.shape}", "length")
        if np.isinf(self.values).any():
            raise FrameError("values must be finite, or NaN where missing, got infinity", "range")

    def _check_times(self) -> None:
        if self.times_ns.dtype != np.dtype("<i8"):
            raise FrameError(f"times_ns must be int64, got {self.times_ns.dtype}", "type")
        if self.times_ns.ndim != 1 or self.times_ns.size < 1:
            raise FrameError(
                f"times_ns must hold at least one time, got shape {self.times_ns.shape}", "range"
            )
        if not (self.times_ns[1:] > self.times_ns[:-1]).all():
            raise FrameError("times_ns must rise from row to row: sort the rows, one for each time", "clock")
        _check_time(int(self.times_ns[0]))

    @property
    def start_ns(self) -> int:
        """Time of the first row."""
        return int(self.times_ns[0])

    @property
    def end_ns(self) -> int:
        """Time of the last row."""
        return int(self.times_ns[-1])


Frame = Waveform | Readings


@lru_cache(maxsize=8192)
def split_channel(name: str) -> tuple[str, str]:
    """("POINT", "CHANNEL") of "POINT/CHANNEL"; FrameError where it is not of that form."""
    point, slash, channel = name.partition("/")
    if not slash:
        raise FrameError(f"a channel must be named POINT/CHANNEL, got {name[:80]!r}", "name")
    check_name(point)
    check_name(channel)
    return point, channel


@lru_cache(maxsize=8192)  # those of a plant come again with every frame; what is refused is not kept
def check_name(name: str) -> None:
    """FrameError where a site, node, machine, point or channel can't be called so."""
    if not NAME_PATTERN.fullmatch(name):
        raise FrameError(
            f"a name must match [A-Za-z0-9_.-]{{1,64}} and not be . or .., got {name[:80]!r}", "name"
        )


def _check_columns(channels: tuple[str, ...], units: tuple[str, ...], qualities: tuple[int, ...]) -> None:
    if not channels or len(set(channels)) != len(channels):
        raise FrameError(f"channels must be at least one, each once, got {channels}")
    if not len(units) == len(qualities) == len(channels):
        raise FrameError("unit and quality must have one entry for each channel", "length")
    for unit in units:
        # Printable: no control character, no lone surrogate. 16: the longest of UCUM's common ones has 9.
        if not (0 < len(unit) <= 16 and unit.isprintable()):
            raise FrameError(
                f"a unit must be 1 to 16 printable characters, or 'unknown', got {unit[:80]!r}", "unit"
            )
    if not set(qualities) <= set(QUALITIES):
        raise FrameError(f"a quality must be one of {QUALITIES}, got {qualities}", "range")


def _check_time(start_ns: int) -> None:
    # What int64 nanoseconds hold. That the clock is right is for who stores it to judge, not for who samples.
    if not 0 <= start_ns < 2**63:
        raise FrameError(f"a time must be 0 to 2^63 - 1 ns since 1970 UTC, got {start_ns}", "clock")


def pack(frame: Frame) -> tuple[bytes, bytes]:
    """(header, body) of a frame as the outbox keeps it: JSON fields, and the raw little-endian arrays."""
    if isinstance(frame, Waveform):
        return waveform_header(frame), frame.samples.tobytes()
    header: dict[str, object] = {
        "kind": "readings",
        "machine": frame.machine,
        "channels": frame.channels,
        "unit": frame.unit,
        "clock": frame.clock,
        "quality": [int(quality) for quality in frame.quality],
    }
    return _json(header), frame.times_ns.tobytes() + frame.values.tobytes()


def waveform_header(frame: Waveform) -> bytes:
    """The header alone; the body that belongs to it is the samples, row after row."""
    return _json(
        {
            "kind": "waveform",
            "machine": frame.machine,
            "point": frame.point,
            "channels": frame.channels,
            "dtype": frame.samples.dtype.str,
            "scale": [float(scale) for scale in frame.scale],
            "unit": frame.unit,
            "fs_hz": float(frame.fs_hz),
            "start_ns": int(frame.start_ns),
            "clock": frame.clock,
            "speed_rpm": None if frame.speed_rpm is None else float(frame.speed_rpm),
            "load_percent": None if frame.load_percent is None else float(frame.load_percent),
            "quality": [int(quality) for quality in frame.quality],
        }
    )


def unpack(header: bytes, body: bytes) -> Frame:
    """The frame that `pack` made. FrameError where the two do not belong together."""
    try:
        fields = json.loads(header)
        if not isinstance(fields, dict):
            raise TypeError(f"the header must be a JSON object, got {type(fields).__name__}")
        return _unpack(fields, body)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a stored frame can't be read back: {error}") from error


def _unpack(fields: dict[str, Any], body: bytes) -> Frame:
    kind, n = fields.pop("kind"), len(fields["channels"])
    for name in ("channels", "unit", "quality", "scale"):
        if name in fields:
            fields[name] = tuple(fields[name])
    fields["clock"] = Clock(fields["clock"])
    if kind == "waveform":
        samples = np.frombuffer(body, dtype=fields.pop("dtype")).reshape(n, -1)
        return Waveform(samples=samples, **fields)
    if kind == "readings":
        table = np.frombuffer(body, dtype="<i8").reshape(n + 1, -1)
        return Readings(times_ns=table[0], values=table[1:].view("<f8"), **fields)
    raise ValueError(f"kind must be waveform or readings, got {kind!r}")


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _json(fields: dict[str, object]) -> bytes:
    return _COMPACT(fields).encode()
