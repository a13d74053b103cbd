"""DDATA: one frame is one message, and needs no birth to be read."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.frames import (
    MAX_FRAME_BYTES,
    QUALITY_GOOD,
    Clock,
    Features,
    Frame,
    FrameError,
    FrameId,
    Readings,
    Waveform,
    split_channel,
)

from . import compression, features, fields
from .fields import Metrics
from .payload import (
    WIRE_VERSION,
    DataType,
    DecodeError,
    Metric,
    Payload,
    Reason,
    Scalar,
    Value,
    encode_pieces,
    peek,
)

PREFIX: Final = "Palier/"
EPOCH: Final = "Palier/Epoch"
SEQ: Final = "Palier/Seq"
KIND: Final = "Palier/Kind"
START: Final = "Palier/Start"
CLOCK: Final = "Palier/Clock"
SPEED: Final = "Palier/Speed"
LOAD: Final = "Palier/Load"
TIMES: Final = "Palier/Times"

FRAME_METRICS: Final = (
    (EPOCH, DataType.STRING),
    (SEQ, DataType.UINT64),
    (KIND, DataType.STRING),
    (START, DataType.INT64),
    (CLOCK, DataType.STRING),
    (SPEED, DataType.FLOAT),
    (LOAD, DataType.FLOAT),
    (TIMES, DataType.INT64_ARRAY),
    *features.METRICS,
)
"""What stands beside the channels in a DDATA; a device's birth announces all of them."""

SAMPLE_TYPES: Final = {
    np.dtype("<i2"): DataType.INT16_ARRAY,
    np.dtype("<i4"): DataType.INT32_ARRAY,
    np.dtype("<f4"): DataType.FLOAT_ARRAY,
    np.dtype("<f8"): DataType.DOUBLE_ARRAY,
}
"""Arrays of channels: the first three of waveforms, the third of features too, the last of readings."""

EARLIEST_NS: Final = 1_577_836_800_000_000_000  # 2020-01-01 UTC: before it a clock has not been set
LATEST_NS: Final = 4_102_444_800_000_000_000  # 2100-01-01 UTC: after it somebody mixed up ms, µs and ns

_FRAME_OVERHEAD: Final = 640
_CHANNEL_OVERHEAD: Final = 384


def frame_payload(
    frame: Frame,
    frame_id: FrameId,
    *,
    seq: int,
    timestamp_ms: int,
    historical: bool,
    compress: bool = False,
) -> bytes:
    """The DDATA of a frame. `seq` is Sparkplug's, `timestamp_ms` the time of sending.

    Raises FrameError (reason "size") where it would exceed MAX_FRAME_BYTES.
    """
    told = frame_pieces(
        frame, frame_id, seq=seq, timestamp_ms=timestamp_ms, historical=historical, compress=compress
    )
    return b"".join(told)


def frame_pieces(
    frame: Frame,
    frame_id: FrameId,
    *,
    seq: int,
    timestamp_ms: int,
    historical: bool,
    compress: bool = False,
) -> tuple[bytes | memoryview, ...]:
    """The same bytes, one after the other: those of large blocks are the frame's own, no copies of them.

    `compress` packs the samples of a waveform where that makes it smaller (ImportError without the extra).
    """
    acquired_ms = frame.start_ns // 1_000_000

    def metric(name: str, kind: DataType, value: Value, properties: dict[str, Scalar]) -> Metric:
        return Metric(
            name, kind, value, timestamp_ms=acquired_ms, is_historical=historical, properties=properties
        )

    about: list[tuple[str, DataType, Value]] = [
        (EPOCH, DataType.STRING, frame_id.epoch),
        (SEQ, DataType.UINT64, frame_id.seq),
        (KIND, DataType.STRING, kind_of(frame)),
        (START, DataType.INT64, frame.start_ns),
        (CLOCK, DataType.STRING, str(frame.clock)),
    ]
    if isinstance(frame, Readings):
        about.append((TIMES, DataType.INT64_ARRAY, frame.times_ns))
    else:
        about += [(SPEED, DataType.FLOAT, frame.speed_rpm)] if frame.speed_rpm is not None else []
        about += [(LOAD, DataType.FLOAT, frame.load_percent)] if frame.load_percent is not None else []
    if isinstance(frame, Features):
        about += features.about(frame)
    metrics = [metric(*entry, {}) for entry in about]
    channels = [metric(*channel) for channel in _channels(frame)]
    metrics += map(compression.packed, channels) if compress and isinstance(frame, Waveform) else channels
    pieces = encode_pieces(Payload(timestamp_ms, tuple(metrics), seq, WIRE_VERSION))
    size = sum(map(len, pieces))
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame must be at most {MAX_FRAME_BYTES} bytes, got {size}", "size")
    return pieces


def kind_of(frame: Frame) -> str:
    """What `Palier/Kind` says of it."""
    if isinstance(frame, Features):
        return features.KIND
    return "waveform" if isinstance(frame, Waveform) else "readings"


def _channels(frame: Frame) -> list[tuple[str, DataType, npt.NDArray[np.generic], dict[str, Scalar]]]:
    if isinstance(frame, Readings):
        return [
            (name, DataType.DOUBLE_ARRAY, frame.values[i], _properties(frame.unit[i], frame.quality[i]))
            for i, name in enumerate(frame.channels)
        ]
    if isinstance(frame, Features):
        return [
            (
                f"{frame.point}/{name}",
                DataType.FLOAT_ARRAY,
                frame.values[i],
                {**_properties(frame.unit[i], frame.quality[i]), **features.properties(frame, i)},
            )
            for i, name in enumerate(frame.channels)
        ]
    kind, sampling = SAMPLE_TYPES[frame.samples.dtype], float(frame.fs_hz)
    return [
        (
            f"{frame.point}/{name}",
            kind,
            frame.samples[i],
            _properties(frame.unit[i], frame.quality[i], scale=float(frame.scale[i]), fs_hz=sampling),
        )
        for i, name in enumerate(frame.channels)
    ]


def _properties(unit: str, quality: int, **more: float) -> dict[str, Scalar]:
    # Sparkplug wants the quality only where it is not good: 16 bytes a channel that most frames do without.
    return (
        {"unit": unit, **more} if quality == QUALITY_GOOD else {"unit": unit, **more, "Quality": int(quality)}
    )


def wire_bytes(frame: Frame) -> int:
    """Upper bound of its DDATA's length: compared with MAX_FRAME_BYTES before it keeps a frame."""
    if isinstance(frame, Waveform):
        body = frame.samples.nbytes
    elif isinstance(frame, Readings):
        body = frame.values.nbytes + frame.times_ns.nbytes
    else:
        body = features.body_bytes(frame)
    return body + _FRAME_OVERHEAD + _CHANNEL_OVERHEAD * len(frame.channels)


def is_frame(payload: Payload) -> bool:
    """Whether a DDATA is one of Palier's frames, whole or not; a third-party node's is not."""
    return payload.uuid == WIRE_VERSION or any(metric.name.startswith(PREFIX) for metric in payload.metrics)


def read_frame(payload: Payload, *, edge: str, machine: str) -> tuple[FrameId, Frame, bool]:
    """(id, frame, historical) of a DDATA heard on the topic of `machine` at `edge` ("site/node").

    Raises DecodeError where it is not a whole frame of this wire version or holds what no frame may.
    """
    metrics = fields.by_name(payload)
    frame_id = FrameId(edge, fields.epoch(metrics, EPOCH), fields.integer(metrics, SEQ, DataType.UINT64, 1))
    channels = compression.unpacked(m for m in payload.metrics if not m.name.startswith(PREFIX))
    if not channels:
        raise DecodeError(Reason.SCHEMA, "a frame must have at least one channel, it has none")
    kind = fields.text(metrics, KIND)
    try:
        if kind == "waveform":
            frame: Frame = _read_waveform(metrics, channels, machine)
        elif kind == "readings":
            frame = _read_readings(metrics, channels, machine)
        elif kind == features.KIND:
            frame = features.read(metrics, channels, _table(channels), _of_point(metrics, channels, machine))
        else:
            raise DecodeError(
                Reason.SCHEMA, f"{KIND} must be waveform, readings or features, got {kind[:40]!r}"
            )
    except FrameError as error:
        raise fields.refused(error) from error
    _check_clock(frame.start_ns, frame.end_ns)
    return frame_id, frame, metrics[SEQ].is_historical


def _read_waveform(metrics: Metrics, channels: list[Metric], machine: str) -> Waveform:
    return Waveform(
        samples=_table(channels),
        scale=tuple(fields.property_real(channel, "scale") for channel in channels),
        **_of_point(metrics, channels, machine),
    )


def _of_point(metrics: Metrics, channels: list[Metric], machine: str) -> dict[str, Any]:
    """The fields that a block and its features have in common."""
    names = [split_channel(channel.name) for channel in channels]
    point = names[0][0]
    if any(where != point for where, _ in names):
        raise DecodeError(Reason.SCHEMA, f"a waveform must be of one point, got {point} and others")
    rates = {fields.property_real(channel, "fs_hz") for channel in channels}
    if len(rates) != 1:
        raise DecodeError(
            Reason.SCHEMA, f"channels sampled together must have one fs_hz, got {sorted(rates)[:8]}"
        )
    return {
        "machine": machine,
        "point": point,
        "channels": tuple(channel for _, channel in names),
        "unit": _units(channels),
        "fs_hz": rates.pop(),
        "start_ns": fields.integer(metrics, START, DataType.INT64),
        "clock": _clock(metrics),
        "speed_rpm": fields.optional_real(metrics, SPEED),
        "load_percent": fields.optional_real(metrics, LOAD),
        "quality": _qualities(channels),
    }


def _read_readings(metrics: Metrics, channels: list[Metric], machine: str) -> Readings:
    frame = Readings(
        machine=machine,
        channels=tuple(channel.name for channel in channels),
        times_ns=fields.array(metrics, TIMES, DataType.INT64_ARRAY).view(np.int64),
        values=_table(channels).view(np.float64),
        unit=_units(channels),
        clock=_clock(metrics),
        quality=_qualities(channels),
    )
    if fields.integer(metrics, START, DataType.INT64) != frame.start_ns:
        raise DecodeError(Reason.SCHEMA, f"{START} must be the first of {TIMES}, it is another")
    return frame


def _table(channels: list[Metric]) -> npt.NDArray[np.generic]:
    """(n_channels, n) of arrays of one type and length."""
    kind = channels[0].datatype
    rows = [
        channel.value
        for channel in channels
        if isinstance(channel.value, np.ndarray) and channel.datatype is kind
    ]
    if len(rows) != len(channels) or kind not in SAMPLE_TYPES.values():
        kinds = sorted({channel.datatype.name for channel in channels})
        raise DecodeError(Reason.TYPE, f"channels must be arrays of one type, got {', '.join(kinds)}")
    if any(len(row) != len(rows[0]) for row in rows):
        raise DecodeError(
            Reason.LENGTH, f"channels must be equally long, got {sorted({len(row) for row in rows})[:8]}"
        )
    return np.concatenate(rows).reshape(len(rows), -1) if len(rows) > 1 else rows[0].reshape(1, -1)


def _units(channels: list[Metric]) -> tuple[str, ...]:
    return tuple(fields.property_text(channel, "unit", Reason.UNIT) for channel in channels)


def _qualities(channels: list[Metric]) -> tuple[int, ...]:
    """Sparkplug leaves the property out where the quality is good."""
    return tuple(
        fields.property_integer(channel, "Quality") if "Quality" in channel.properties else QUALITY_GOOD
        for channel in channels
    )


def _clock(metrics: Metrics) -> Clock:
    value = fields.text(metrics, CLOCK)
    try:
        return Clock(value)
    except ValueError as error:
        raise DecodeError(
            Reason.CLOCK, f"{CLOCK} must be one of {', '.join(Clock)}, got {value[:40]!r}"
        ) from error


def _check_clock(start_ns: int, end_ns: int) -> None:
    if start_ns < EARLIEST_NS or end_ns > LATEST_NS:
        raise DecodeError(
            Reason.CLOCK, f"a frame must lie between 2020 and 2100, got {start_ns} ns since 1970 UTC"
        )


def peek_id(data: bytes | Payload, edge: str) -> FrameId | None:
    """The id of a frame that `decode` (give it the bytes) or `read_frame` (the payload) refused, if readable.

    With it a frame in quarantine is acknowledged, else its gateway would send it for ever. A frame of another
    wire version has none: it stays in its gateway's outbox until a host comes that can read it.
    """
    if isinstance(data, Payload):
        found = {metric.name: metric.value for metric in data.metrics if data.uuid == WIRE_VERSION}
    else:
        found = peek(data, EPOCH, SEQ)
    epoch, seq = found.get(EPOCH), found.get(SEQ)
    if not isinstance(epoch, str) or not isinstance(seq, int):
        return None
    known = fields.is_epoch(epoch) and 1 <= seq <= fields.MAX_SEQ
    return FrameId(edge, epoch, seq) if known else None
