"""What a DDATA of features holds beside what all frames hold.

| metric | what |
|---|---|
| `Palier/Features` | the names, in the order of the numbers of each POINT/CHANNEL |
| POINT/CHANNEL | the values; properties `fs_hz` and `n_samples` of the block, `unit`, `step`, `whole` |
| `Palier/Spectra` | CHANNEL/KIND of each spectrum, where there are any |
| `Palier/Spectra/Lines` | how many lines each has |
| `Palier/Spectra/Frequency`, `/Amplitude` | of all of them, one after the other |

A host that does not know the kind puts such a frame aside with its number, and keeps its bytes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.frames import MAX_FEATURES, MAX_LINES, SPECTRUM_KINDS, Features, Spectrum

from . import fields
from .fields import Metrics
from .payload import DataType, DecodeError, Metric, Reason, Scalar, Value

KIND: Final = "features"
FEATURES: Final = "Palier/Features"
SPECTRA: Final = "Palier/Spectra"
LINES: Final = "Palier/Spectra/Lines"
FREQUENCY: Final = "Palier/Spectra/Frequency"
AMPLITUDE: Final = "Palier/Spectra/Amplitude"

METRICS: Final = (
    (FEATURES, DataType.STRING_ARRAY),
    (SPECTRA, DataType.STRING_ARRAY),
    (LINES, DataType.UINT64_ARRAY),
    (FREQUENCY, DataType.FLOAT_ARRAY),
    (AMPLITUDE, DataType.FLOAT_ARRAY),
)
"""What a birth announces of it."""

_SPECTRUM_OVERHEAD: Final = 256
_SPECTRA_OVERHEAD: Final = 256


def about(frame: Features) -> list[tuple[str, DataType, Value]]:
    """The metrics beside the channels."""
    told: list[tuple[str, DataType, Value]] = [(FEATURES, DataType.STRING_ARRAY, frame.names)]
    if not frame.spectra:
        return told
    sizes = np.array([len(one.frequency_hz) for one in frame.spectra], dtype="<u8")
    return [
        *told,
        (SPECTRA, DataType.STRING_ARRAY, tuple(f"{one.channel}/{one.kind}" for one in frame.spectra)),
        (LINES, DataType.UINT64_ARRAY, sizes),
        (FREQUENCY, DataType.FLOAT_ARRAY, np.concatenate([one.frequency_hz for one in frame.spectra])),
        (AMPLITUDE, DataType.FLOAT_ARRAY, np.concatenate([one.amplitude for one in frame.spectra])),
    ]


def properties(frame: Features, channel: int) -> dict[str, Scalar]:
    """What a channel's metric says beside its unit and quality."""
    told: dict[str, Scalar] = {"fs_hz": float(frame.fs_hz), "n_samples": int(frame.n_samples)}
    if frame.step[channel]:
        told["step"] = float(frame.step[channel])
    if frame.whole[channel]:
        told["whole"] = True
    return told


def body_bytes(frame: Features) -> int:
    """Upper bound of what is beyond the fields that all frames have."""
    names = sum(len(name) + 1 for name in frame.names)
    lines = sum(8 * len(one.frequency_hz) + _SPECTRUM_OVERHEAD for one in frame.spectra)
    return frame.values.nbytes + names + lines + _SPECTRA_OVERHEAD


def read(
    metrics: Metrics, channels: list[Metric], values: npt.NDArray[np.generic], of_point: dict[str, Any]
) -> Features:
    """The frame; `values` (n_channels, n) and `of_point` are read already. Raises DecodeError, FrameError."""
    if values.dtype != np.dtype("<f4"):
        raise DecodeError(Reason.TYPE, f"features must be arrays of float32, got {values.dtype}")
    lengths = {fields.property_integer(channel, "n_samples") for channel in channels}
    if len(lengths) != 1:
        raise DecodeError(Reason.SCHEMA, f"channels must have one n_samples, got {sorted(lengths)[:8]}")
    names = fields.texts(metrics, FEATURES)
    if len(names) > MAX_FEATURES:
        raise DecodeError(Reason.SIZE, f"{FEATURES} must hold at most {MAX_FEATURES}, got {len(names)}")
    return Features(
        names=names,
        values=values.view(np.float32),
        n_samples=lengths.pop(),
        step=tuple(
            fields.property_real(channel, "step") if "step" in channel.properties else 0.0
            for channel in channels
        ),
        whole=tuple(channel.properties.get("whole") is True for channel in channels),
        spectra=_spectra(metrics, len(channels)) if SPECTRA in metrics else (),
        **of_point,
    )


def _spectra(metrics: Metrics, n_channels: int) -> tuple[Spectrum, ...]:
    names, sizes = fields.texts(metrics, SPECTRA), fields.array(metrics, LINES, DataType.UINT64_ARRAY)
    frequency, amplitude = (
        fields.array(metrics, name, DataType.FLOAT_ARRAY) for name in (FREQUENCY, AMPLITUDE)
    )
    most = n_channels * len(SPECTRUM_KINDS)
    if len(names) != len(sizes) or len(names) > most:
        raise DecodeError(
            Reason.LENGTH, f"{SPECTRA} must be at most {most}, a size each, got {len(names)} and {len(sizes)}"
        )
    if any(size > MAX_LINES for size in sizes.tolist()):  # before they are summed: uint64 goes round
        raise DecodeError(Reason.SIZE, f"a spectrum must have at most {MAX_LINES} lines, one has more")
    ends = np.cumsum(sizes.astype(np.int64)).tolist()
    if not len(frequency) == len(amplitude) == (ends[-1] if ends else 0):
        raise DecodeError(
            Reason.LENGTH,
            f"{FREQUENCY} and {AMPLITUDE} must hold the {ends[-1] if ends else 0} lines told of, got "
            f"{len(frequency)} and {len(amplitude)}",
        )
    starts = [0, *ends]
    return tuple(
        Spectrum(
            *_channel_and_kind(name),
            frequency[start:end].view(np.float32),
            amplitude[start:end].view(np.float32),
        )
        for name, start, end in zip(names, starts, ends, strict=False)
    )


def _channel_and_kind(name: str) -> tuple[str, str]:
    channel, _, kind = name.partition("/")
    return channel, kind
