"""NBIRTH, DBIRTH and NDEATH: what hangs on a gateway, told at the start of each session.

A birth lists every metric that will ever follow (tck-id-topics-nbirth-metrics, tck-id-topics-dbirth-metrics),
with its datatype; what has no value yet is null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from palier.frames import FrameError, check_name, split_channel
from palier.ranges import Ranges
from palier.source import ChannelBirth, Device

from . import fields
from .commands import COMMAND_METRICS, REBIRTH
from .configuration import CONFIGURATION_METRICS
from .data import EPOCH, FRAME_METRICS, PREFIX
from .payload import WIRE_VERSION, DataType, DecodeError, Metric, Payload, Reason, Scalar, Value, encode
from .reports import LEDGER_METRICS, REPLAYED_METRICS, RETAINED_METRICS
from .status import GatewayStatus, status_metrics

BD_SEQ: Final = "bdSeq"
IN_FLIGHT: Final = "Palier/InFlight"
CONFIG: Final = "Palier/Config"
SCHEMA: Final = "Palier/Schema"
TRANSMIT: Final = "Palier/Transmit"

WAVEFORM: Final = "waveform"
TRANSMITS: Final = (WAVEFORM, "features", "adaptive")
"""What a gateway sends of its blocks: all samples, features alone, or features and the samples on demand."""

_LATER: Final = (*COMMAND_METRICS, *LEDGER_METRICS, *REPLAYED_METRICS)

_DATATYPES: Final = {
    "int16": DataType.INT16_ARRAY,
    "int32": DataType.INT32_ARRAY,
    "float32": DataType.FLOAT_ARRAY,
    "float64": DataType.DOUBLE_ARRAY,
}
_DTYPES: Final = {datatype: name for name, datatype in _DATATYPES.items()}


@dataclass(frozen=True, slots=True)
class NodeBirth:
    """What an NBIRTH says. A third-party node has no epoch, nothing in flight and no configuration hash.

    `in_flight` are the frames of `epoch` sent and not yet acknowledged; the host answers with those it has.
    `transmit` is one of TRANSMITS: a birth that does not say sends all samples.
    """

    bd_seq: int
    epoch: str | None = None
    in_flight: Ranges = ()
    config_hash: str = ""
    transmit: str = WAVEFORM


def config_hash(devices: Iterable[Device]) -> str:
    """16 hex digits that change when anything a gateway says of its machines and channels changes."""
    told = sorted((asdict(device) for device in devices), key=lambda device: str(device["machine"]))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def node_birth(birth: NodeBirth, *, timestamp_ms: int, status: GatewayStatus | None = None) -> bytes:
    """NBIRTH; its Sparkplug seq is 0 (tck-id-payloads-nbirth-seq). ValueError where its ranges are none.

    `status` is what the gateway tells of itself (`read_status` reads it); with it comes that it takes a
    configuration.
    """
    known: tuple[tuple[str, DataType, Value], ...] = (
        (BD_SEQ, DataType.INT64, birth.bd_seq),
        (REBIRTH, DataType.BOOLEAN, False),
        (SCHEMA, DataType.STRING, WIRE_VERSION),
        (EPOCH, DataType.STRING, birth.epoch),
        (IN_FLIGHT, DataType.UINT64_ARRAY, fields.pack_ranges(birth.in_flight)),
        (CONFIG, DataType.STRING, birth.config_hash),
        *((name, datatype, None) for name, datatype in _LATER),
        *(_kept_back(birth.transmit) if birth.transmit != WAVEFORM else ()),
    )
    metrics = tuple(Metric(*entry, timestamp_ms=timestamp_ms) for entry in known)
    if status is not None:
        told = (Metric(*entry, None, timestamp_ms=timestamp_ms) for entry in CONFIGURATION_METRICS)
        metrics += (*told, *status_metrics(status, timestamp_ms))
    return encode(Payload(timestamp_ms, metrics, 0, WIRE_VERSION))


def read_node_birth(payload: Payload) -> NodeBirth:
    """What an NBIRTH, Palier's or a third party's, says. DecodeError where what it must hold is missing."""
    bd_seq = read_bd_seq(payload)
    if bd_seq is None:
        raise DecodeError(Reason.SCHEMA, f"a birth must hold {BD_SEQ}, it does not")
    if payload.uuid != WIRE_VERSION:
        return NodeBirth(bd_seq)
    metrics = fields.by_name(payload)
    return NodeBirth(
        bd_seq=bd_seq,
        epoch=fields.epoch(metrics, EPOCH),
        in_flight=fields.read_ranges(metrics, IN_FLIGHT),
        config_hash=fields.text(metrics, CONFIG)[:64],
        transmit=_transmit(metrics),
    )


def _kept_back(transmit: str) -> Iterator[tuple[str, DataType, Value]]:
    """What a gateway that keeps samples back says beside the others."""
    yield TRANSMIT, DataType.STRING, transmit
    for name, datatype in RETAINED_METRICS:
        yield name, datatype, None


def _transmit(metrics: Mapping[str, Metric]) -> str:
    """What a gateway sends; one that says another word is taken for a younger one that keeps samples back."""
    if TRANSMIT not in metrics:
        return WAVEFORM
    told = fields.text(metrics, TRANSMIT)
    return told if told in TRANSMITS else TRANSMITS[-1]


def read_bd_seq(payload: Payload) -> int | None:
    """The number that ties an NDEATH to its NBIRTH; None where there is none."""
    for metric in payload.metrics:
        if metric.name == BD_SEQ and isinstance(metric.value, int):
            return metric.value
    return None


def node_death(bd_seq: int) -> bytes:
    """The will: bdSeq alone, without a seq (tck-id-payloads-ndeath-seq) and, without time."""
    metric = Metric(BD_SEQ, DataType.INT64, bd_seq)
    return encode(Payload(None, (metric,), None, WIRE_VERSION))


def device_death(*, seq: int, timestamp_ms: int) -> bytes:
    """DDEATH of a machine that hangs on the gateway no more (tck-id-payloads-ddeath-seq)."""
    return encode(Payload(timestamp_ms, (), seq, WIRE_VERSION))


def device_birth(device: Device, *, seq: int, timestamp_ms: int) -> bytes:
    """DBIRTH of a machine. ValueError where a channel's dtype is none of those that travel."""
    announced = [Metric(name, datatype, None, timestamp_ms=timestamp_ms) for name, datatype in FRAME_METRICS]
    for channel in device.channels:
        datatype = _DATATYPES.get(channel.dtype)
        if datatype is None:
            raise ValueError(
                f"{channel.name}: dtype must be one of {', '.join(_DATATYPES)}, got {channel.dtype}"
            )
        announced.append(
            Metric(channel.name, datatype, None, timestamp_ms=timestamp_ms, properties=_told(channel))
        )
    return encode(Payload(timestamp_ms, tuple(announced), seq, WIRE_VERSION))


def _told(channel: ChannelBirth) -> dict[str, Scalar]:
    told: dict[str, Scalar] = {"unit": channel.unit, "scale": float(channel.scale)}
    if channel.fs_hz is not None:
        told["fs_hz"] = float(channel.fs_hz)
    if channel.full_scale is not None:
        told["full_scale"] = float(channel.full_scale)
    if channel.mounting:
        told["mounting"] = channel.mounting
    return told


def read_device_birth(payload: Payload, machine: str) -> Device:
    """The machine that a DBIRTH of Palier's own announces. DecodeError where it can't be one."""
    metrics = fields.by_name(payload)
    try:
        check_name(machine)
        channels = tuple(
            _read_channel(metric) for name, metric in metrics.items() if not name.startswith(PREFIX)
        )
    except FrameError as error:
        raise fields.refused(error) from error
    return Device(machine, channels)


def _read_channel(metric: Metric) -> ChannelBirth:
    split_channel(metric.name)
    dtype = _DTYPES.get(metric.datatype)
    if dtype is None:
        raise DecodeError(
            Reason.TYPE, f"{metric.name} must be an array of samples, got {metric.datatype.name}"
        )
    has = metric.properties
    return ChannelBirth(
        name=metric.name,
        unit=fields.property_text(metric, "unit", Reason.UNIT),
        dtype=dtype,
        scale=fields.property_real(metric, "scale"),
        fs_hz=fields.property_real(metric, "fs_hz") if "fs_hz" in has else None,
        full_scale=fields.property_real(metric, "full_scale") if "full_scale" in has else None,
        mounting=fields.property_text(metric, "mounting")[:64] if "mounting" in has else "",
    )
