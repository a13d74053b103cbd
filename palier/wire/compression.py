"""Samples of a DDATA made smaller, for a link that is paid by the byte: the extra `zstd` at both ends.

A channel's metric is then of the type Bytes, with the properties

| property | what |
|---|---|
| `codec` | `zstd`, or `zstd-delta` where differences from sample to sample are what is packed |
| `dtype` | int16, int32 or float32 |
| `n_samples` | how many there are |

Integers are packed in planes: all their low bytes, then all the next ones; what is noise in the low ones does
not hide what is even in the high ones. Differences are taken modulo 2^16 or 2^32, so none is lost. Zstandard
at level 1 is RFC 8878. A host that does not know of it puts such a frame aside as one whose channels are no
arrays; to one that does, a frame is the same packed or not: its number, its samples, their checksum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.frames import MAX_FRAME_BYTES

from . import fields
from .payload import DataType, DecodeError, Metric, Reason

CODEC: Final = "codec"
DTYPE: Final = "dtype"
N_SAMPLES: Final = "n_samples"
PLAIN: Final = "zstd"
DELTA: Final = "zstd-delta"

LEVEL: Final = 1
"""Higher levels gain some percent on vibration, which is mostly noise, and cost several times as much."""

MAX_WINDOW: Final = 1 << 23
"""What a packed channel may make the reader keep, 8 MB: twice the largest frame."""

SAMPLED: Final = 4096
"""Samples of a block, spread over it, by which the choice is made whether differences pack better."""

MISSING: Final = (
    "samples are packed with zstd, and the extra zstd is not installed: pip install 'palier[zstd]'"
)

_TYPES: Final[Mapping[str, tuple[DataType, np.dtype[Any], np.dtype[Any]]]] = {
    "int16": (DataType.INT16_ARRAY, np.dtype("<i2"), np.dtype("<u2")),
    "int32": (DataType.INT32_ARRAY, np.dtype("<i4"), np.dtype("<u4")),
    "float32": (DataType.FLOAT_ARRAY, np.dtype("<f4"), np.dtype("<u4")),
}
_NAMES: Final = {array: name for name, (array, _, _) in _TYPES.items()}

Array = npt.NDArray[np.generic]


def available() -> bool:
    """Whether the extra is installed."""
    return find_spec("zstandard") is not None


def packed(metric: Metric) -> Metric:
    """A channel's metric made smaller; as it is where that gains nothing. ImportError without the extra."""
    import zstandard

    samples, name = metric.value, _NAMES.get(metric.datatype)
    if name is None or not isinstance(samples, np.ndarray):
        return metric
    plain = samples.astype(_TYPES[name][1], copy=False)
    codec, body = PLAIN, plain
    if name != "float32":
        differences = _differences(plain)
        some = slice(None, None, max(1, len(plain) // SAMPLED))
        if _spread(differences.view(plain.dtype)[some]) < _spread(plain[some]):
            codec, body = DELTA, differences
        body = _planes(body)
    data = zstandard.ZstdCompressor(level=LEVEL).compress(np.ascontiguousarray(body).tobytes())
    if len(data) >= plain.nbytes:
        return metric
    told = {**metric.properties, CODEC: codec, DTYPE: name, N_SAMPLES: len(plain)}
    return replace(metric, datatype=DataType.BYTES, value=data, properties=told)


def unpacked(metrics: Iterable[Metric]) -> list[Metric]:
    """The channels of one frame as they were. DecodeError where one can't be, or all are larger together than
    a frame may be: nothing is unpacked beyond that."""
    found = list(metrics)
    told = [_told(metric) if CODEC in metric.properties else None for metric in found]
    size = sum(one[1] * one[2].itemsize for one in told if one is not None)
    if size > MAX_FRAME_BYTES:
        raise DecodeError(
            Reason.SIZE, f"samples must be at most {MAX_FRAME_BYTES} bytes unpacked, got {size}"
        )
    return [
        metric if one is None else _unpacked(metric, *one) for metric, one in zip(found, told, strict=True)
    ]


def _told(metric: Metric) -> tuple[str, int, np.dtype[Any]]:
    """(codec, samples, their type) that a metric says it has."""
    codec, dtype = (fields.property_text(metric, key) for key in (CODEC, DTYPE))
    if codec not in (PLAIN, DELTA) or dtype not in _TYPES or (codec == DELTA and dtype == "float32"):
        raise DecodeError(
            Reason.TYPE,
            f"{metric.name} must be packed as {PLAIN} or {DELTA} of {', '.join(_TYPES)}, got {codec[:40]!r} "
            f"of {dtype[:40]!r}",
        )
    return codec, fields.property_integer(metric, N_SAMPLES), _TYPES[dtype][1]


def _unpacked(metric: Metric, codec: str, n_samples: int, dtype: np.dtype[Any]) -> Metric:
    datatype, plain, whole = _TYPES[dtype.name]
    if not isinstance(metric.value, bytes):
        raise DecodeError(Reason.TYPE, f"{metric.name} must be Bytes, got {metric.datatype.name}")
    data = _inflated(metric.name, metric.value, n_samples * dtype.itemsize)
    if dtype.kind == "f":
        samples: Array = np.frombuffer(data, dtype=plain)
    else:
        parts = np.frombuffer(data, dtype=np.uint8).reshape(dtype.itemsize, n_samples)
        numbers = np.ascontiguousarray(parts.T).view(whole).reshape(n_samples)
        samples = (np.cumsum(numbers, dtype=whole) if codec == DELTA else numbers).view(plain)
    return replace(metric, datatype=datatype, value=samples)


def _inflated(name: str, data: bytes, size: int) -> bytes:
    """Exactly so many bytes; never more than one beyond them is unpacked."""
    try:
        import zstandard
    except ImportError as error:
        raise DecodeError(Reason.TYPE, f"{name}: {MISSING}") from error
    try:
        with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(BytesIO(data)) as reader:
            plain: bytes = reader.read(size + 1)
    except zstandard.ZstdError as error:
        raise DecodeError(Reason.TYPE, f"{name} can't be unpacked: {error}") from error
    if len(plain) != size:
        raise DecodeError(
            Reason.LENGTH, f"{name} must unpack to {size} bytes, got {min(len(plain), size + 1)} or more"
        )
    return plain


def _differences(samples: Array) -> Array:
    """From one sample to the next, the first from 0, modulo the type's range."""
    whole = samples.view(f"<u{samples.dtype.itemsize}")
    return np.diff(whole, prepend=whole.dtype.type(0))


def _spread(samples: Array) -> float:
    return float(samples.std(dtype=np.float64))


def _planes(samples: Array) -> Array:
    return samples.view(np.uint8).reshape(-1, samples.dtype.itemsize).T
