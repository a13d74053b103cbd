"""Frames: one simultaneous acquisition of a point's channels, a table of slow readings of a machine, or the
features of a block whose samples stayed at the gateway.

A frame's identity is (edge, epoch, seq): `edge` is "site/node", `epoch` is drawn once per outbox file,
`seq` never repeats within it. Only the standard library and numpy: a running agent imports this.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .frame_features import (
    MAX_FEATURES,
    MAX_LINES,
    SPECTRUM_KINDS,
    Features,
    Spectrum,
    pack_features,
    unpack_features,
)
from .frame_fields import (
    MAX_FRAME_BYTES,
    MAX_RATE_HZ,
    NAME_PATTERN,
    QUALITIES,
    QUALITY_BAD,
    QUALITY_GOOD,
    QUALITY_STALE,
    SAMPLE_DTYPES,
    Clock,
    FrameError,
    FrameId,
    check_columns,
    check_name,
    check_time,
    split_channel,
)

__all__ = [
    "MAX_FEATURES",
    "MAX_FRAME_BYTES",
    "MAX_LINES",
    "MAX_RATE_HZ",
    "NAME_PATTERN",
    "QUALITIES",
    "QUALITY_BAD",
    "QUALITY_GOOD",
    "QUALITY_STALE",
    "SAMPLE_DTYPES",
    "SPECTRUM_KINDS",
    "Clock",
    "Features",
    "Frame",
    "FrameError",
    "FrameId",
    "Readings",
    "Spectrum",
    "Waveform",
    "check_name",
    "pack",
    "split_channel",
    "unpack",
    "waveform_header",
]

_BY_NAME: Final = {dtype.str: dtype for dtype in SAMPLE_DTYPES}


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Simultaneous blocks of one point's channels: `samples` is (n_channels, n_samples), x = samples * scale.

    `start_ns` is the time of the first sample, ns since 1970 UTC. `speed_rpm` (never negative, whichever way
    the shaft turns) and `load_percent` are None when unknown; `unit` is "unknown" where nobody wrote it down.
    `urgent` says that a limit was exceeded as it was taken: a gateway sends it at once in any mode. It is
    known there alone, and is neither kept nor sent. Raises FrameError where shapes, rate, names, units or
    types do not fit. Samples may hold NaN.
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
    urgent: bool = False

    def __post_init__(self) -> None:
        if not self.quality:
            object.__setattr__(self, "quality", (QUALITY_GOOD,) * len(self.channels))
        check_name(self.machine)
        check_name(self.point)
        for channel in self.channels:
            check_name(channel)
        check_columns(self.channels, self.unit, self.quality)
        self._check_samples()
        check_time(self.start_ns)
        if len(self.scale) != len(self.channels) or not all(0 < scale < math.inf for scale in self.scale):
            raise FrameError(f"scale must be one number above 0 for each channel, got {self.scale}", "range")
        if not 0 < self.fs_hz < MAX_RATE_HZ:
            raise FrameError(f"fs_hz must be above 0 and below {MAX_RATE_HZ:g}, got {self.fs_hz}", "range")
        if not self.start_ns + self.samples.shape[1] / self.fs_hz * 1e9 < 2**63:  # infinity, too
            raise FrameError("a block must end before 2^63 ns since 1970 UTC; is fs_hz right?", "clock")
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
        check_columns(self.channels, self.unit, self.quality)
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
        check_time(int(self.times_ns[0]))

    @property
    def start_ns(self) -> int:
        """Time of the first row."""
        return int(self.times_ns[0])

    @property
    def end_ns(self) -> int:
        """Time of the last row."""
        return int(self.times_ns[-1])


Frame = Waveform | Readings | Features


def pack(frame: Frame) -> tuple[bytes, bytes]:
    """(header, body) of a frame as the outbox keeps it: JSON fields, and the raw little-endian arrays."""
    if isinstance(frame, Waveform):
        return waveform_header(frame), frame.samples.tobytes()
    if isinstance(frame, Features):
        fields, body = pack_features(frame)
        return _json(fields), body
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


def unpack(header: bytes, body: bytes | memoryview) -> Frame:
    """The frame that `pack` made. FrameError where the two do not belong together."""
    try:
        fields = json.loads(header)
        if not isinstance(fields, dict):
            raise TypeError(f"the header must be a JSON object, got {type(fields).__name__}")
        return _unpack(fields, body)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a stored frame can't be read back: {error}") from error


def _unpack(fields: dict[str, Any], body: bytes | memoryview) -> Frame:
    kind, n = fields.pop("kind"), len(fields["channels"])
    for name in ("channels", "unit", "quality", "scale"):
        if name in fields:
            fields[name] = tuple(fields[name])
    fields["clock"] = Clock(fields["clock"])
    if kind == "waveform":
        samples = np.frombuffer(body, dtype=_BY_NAME[fields.pop("dtype")]).reshape(n, -1)
        return Waveform(samples=samples, **fields)
    if kind == "readings":
        table = np.frombuffer(body, dtype="<i8").reshape(n + 1, -1)
        return Readings(times_ns=table[0], values=table[1:].view("<f8"), **fields)
    if kind == "features":
        return unpack_features(fields, body)
    raise ValueError(f"kind must be waveform, readings or features, got {kind!r}")


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _json(fields: dict[str, object]) -> bytes:
    return _COMPACT(fields).encode()
