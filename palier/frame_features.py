"""What a gateway computed of a block whose samples it kept: features, and spectra where they changed.

Only the standard library and numpy: a running agent imports this, the extractor only where it is wanted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .frame_fields import (
    MAX_RATE_HZ,
    QUALITY_GOOD,
    Clock,
    FrameError,
    check_columns,
    check_name,
    check_time,
)

FEATURE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_FEATURES: Final = 512
"""Names in one frame. The catalogue has some ninety; a later one may have more."""

MAX_SAMPLES: Final = 2**31 - 1
"""Samples of a block that a frame may speak of: more than one of 4 MB can hold, by far."""

SPECTRUM_KINDS: Final = ("velocity_mm_s", "acceleration_m_s2", "envelope_m_s2")
"""What the lines of a spectrum can be, as the historian has them."""

MAX_LINES: Final = 2000
"""Lines of one spectrum: five times what is kept for display."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Lines of a channel's spectrum, thinned: `frequency_hz` (m,) rises, `amplitude` (m,) is peak, both
    float32. `kind` is one of SPECTRUM_KINDS. FrameError where they do not fit together."""

    channel: str
    kind: str
    frequency_hz: FloatArray
    amplitude: FloatArray

    def __post_init__(self) -> None:
        check_name(self.channel)
        if self.kind not in SPECTRUM_KINDS:
            raise FrameError(f"a spectrum must be of {', '.join(SPECTRUM_KINDS)}, got {self.kind[:40]!r}")
        shape = self.frequency_hz.shape
        if len(shape) != 1 or self.amplitude.shape != shape or not 1 <= shape[0] <= MAX_LINES:
            raise FrameError(
                f"a spectrum must have 1 to {MAX_LINES} lines, a frequency and an amplitude each, got "
                f"{shape} and {self.amplitude.shape}",
                "length",
            )
        if not self.frequency_hz.dtype == self.amplitude.dtype == np.dtype("<f4"):
            raise FrameError("lines of a spectrum must be float32", "type")
        rises = bool((self.frequency_hz[1:] > self.frequency_hz[:-1]).all())
        if not (rises and self.frequency_hz[0] >= 0 and np.isfinite(self.frequency_hz[-1])):
            raise FrameError("frequencies of a spectrum must rise from 0 or more", "range")
        if not (np.isfinite(self.amplitude).all() and (self.amplitude >= 0).all()):
            raise FrameError("amplitudes of a spectrum must be finite and 0 or more", "range")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of a block of one point: `values` is (n_channels, n_names) float32, NaN where unknown.

    The block itself, `n_samples` at `fs_hz` from `start_ns`, stayed at the gateway: as a Waveform of the same
    point and start it may follow, or never. `names` are names of `models.features.catalogue`, those that are
    known of a channel; any other is unknown of all of them. Levels are in the catalogue's units where `unit`,
    that of the samples, is one of acceleration (`models.types.M_S2_PER_UNIT`), else as if the samples were
    m/s²: times factor ** degree they are what another unit makes of them. Orders stand on `speed_rpm` itself.
    Lines of bearings, gears and belts are unknown to a gateway.

    `step` is a channel's smallest step in `unit` where its samples are counts of a converter, else 0;
    `whole` says that its samples are whole numbers beyond what a sensor measures
    (`models.detection.sensors.whole_numbers`). `spectra` are there where they changed. Else as a Waveform.
    """

    machine: str
    point: str
    channels: tuple[str, ...]
    names: tuple[str, ...]
    values: FloatArray
    unit: tuple[str, ...]
    fs_hz: float
    n_samples: int
    start_ns: int
    clock: Clock = Clock.SYNCED
    speed_rpm: float | None = None
    load_percent: float | None = None
    quality: tuple[int, ...] = ()
    step: tuple[float, ...] = ()
    whole: tuple[bool, ...] = ()
    spectra: tuple[Spectrum, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.channels)
        for name, default in (("quality", QUALITY_GOOD), ("step", 0.0), ("whole", False)):
            if not getattr(self, name):
                object.__setattr__(self, name, (default,) * n)
        for name in (self.machine, self.point, *self.channels):
            check_name(name)
        check_columns(self.channels, self.unit, self.quality)
        if not len(self.step) == len(self.whole) == n:
            raise FrameError("step and whole must have one entry for each channel", "length")
        if not all(0 <= step < math.inf for step in self.step):
            raise FrameError(f"step must be 0 or more and finite, got {self.step}", "range")
        self._check_values()
        self._check_block()
        self._check_spectra()

    def _check_values(self) -> None:
        if not 1 <= len(self.names) <= MAX_FEATURES or len(set(self.names)) != len(self.names):
            raise FrameError(
                f"names of features must be 1 to {MAX_FEATURES}, each once, got {len(self.names)}"
            )
        for name in self.names:
            if not FEATURE_PATTERN.fullmatch(name):
                raise FrameError(f"a feature's name must match {FEATURE_PATTERN.pattern}, got {name[:80]!r}")
        if self.values.dtype != np.dtype("<f4"):
            raise FrameError(f"values must be float32, got {self.values.dtype}", "type")
        shape = (len(self.channels), len(self.names))
        if self.values.shape != shape:
            raise FrameError(f"values must be {shape} (channels, names), got {self.values.shape}", "length")
        if np.isinf(self.values).any():
            raise FrameError("values must be finite, or NaN where unknown, got infinity", "range")

    def _check_block(self) -> None:
        check_time(self.start_ns)
        if not 0 < self.fs_hz < MAX_RATE_HZ:
            raise FrameError(f"fs_hz must be above 0 and below {MAX_RATE_HZ:g}, got {self.fs_hz}", "range")
        if not 2 <= self.n_samples <= MAX_SAMPLES:
            raise FrameError(f"n_samples must be 2 to {MAX_SAMPLES}, got {self.n_samples}", "range")
        if not self.start_ns + self.n_samples / self.fs_hz * 1e9 < 2**63:
            raise FrameError("a block must end before 2^63 ns since 1970 UTC; is fs_hz right?", "clock")
        if self.speed_rpm is not None and not 0 <= self.speed_rpm < math.inf:
            raise FrameError(f"speed_rpm must be 0 or more, or None, got {self.speed_rpm}", "range")
        if self.load_percent is not None and not math.isfinite(self.load_percent):
            raise FrameError(f"load_percent must be finite, or None, got {self.load_percent}", "range")

    def _check_spectra(self) -> None:
        of = [(one.channel, one.kind) for one in self.spectra]
        if len(set(of)) != len(of) or not {channel for channel, _ in of} <= set(self.channels):
            raise FrameError("spectra must be of the frame's channels, each kind once")

    @property
    def end_ns(self) -> int:
        """Time just after the block's last sample."""
        return self.start_ns + round(self.n_samples / self.fs_hz * 1e9)


def pack_features(frame: Features) -> tuple[dict[str, object], bytes]:
    """(fields, body) of a frame as the outbox keeps it: values row after row, then each spectrum's lines."""
    fields: dict[str, object] = {
        "kind": "features",
        "machine": frame.machine,
        "point": frame.point,
        "channels": frame.channels,
        "names": frame.names,
        "unit": frame.unit,
        "fs_hz": float(frame.fs_hz),
        "n_samples": int(frame.n_samples),
        "start_ns": int(frame.start_ns),
        "clock": frame.clock,
        "speed_rpm": None if frame.speed_rpm is None else float(frame.speed_rpm),
        "load_percent": None if frame.load_percent is None else float(frame.load_percent),
        "quality": [int(quality) for quality in frame.quality],
        "step": [float(step) for step in frame.step],
        "whole": [bool(whole) for whole in frame.whole],
        "spectra": [(one.channel, one.kind, len(one.frequency_hz)) for one in frame.spectra],
    }
    lines = [part.tobytes() for one in frame.spectra for part in (one.frequency_hz, one.amplitude)]
    return fields, frame.values.tobytes() + b"".join(lines)


def unpack_features(fields: dict[str, Any], body: bytes | memoryview) -> Features:
    """The frame that `pack_features` made. Raises FrameError, or another ValueError or TypeError."""
    told = fields.pop("spectra")
    for name in ("names", "step", "whole"):
        fields[name] = tuple(fields[name])
    numbers = np.frombuffer(body, dtype="<f4")
    width = len(fields["channels"]) * len(fields["names"])
    values = numbers[:width].reshape(len(fields["channels"]), -1)
    spectra, at = [], width
    for channel, kind, lines in told:
        spectra.append(
            Spectrum(channel, kind, numbers[at : at + lines], numbers[at + lines : at + 2 * lines])
        )
        at += 2 * lines
    if at != len(numbers):
        raise ValueError(f"{at} numbers are told of, {len(numbers)} are there")
    return Features(values=values, spectra=tuple(spectra), **fields)
