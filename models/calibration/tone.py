"""Calibration by a reference tone: a shaker of known level and frequency, mostly 159.155 Hz and 10 m/s².

The tone is fitted by least squares with its frequency (four-parameter sine fit, IEEE Std 1057), so that
neither window nor leakage touches its level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.quality import measure_quality

from .refusal import CalibrationError

HANDHELD_HZ: Final = 159.155
"""1000 rad/s: at this frequency m/s², mm/s and µm have the same number."""

HANDHELD_RMS_M_S2: Final = 10.0

LEAST_PERIODS: Final = 20
OFF_FREQUENCY: Final = 0.02
"""Shakers keep their frequency within 1 %; more is another tone, or a rate that is not right."""

LEAST_SHARE: Final = 0.98
"""Of the energy that must be in the tone: 14 % of noise and distortion would bias the level by 1 %."""

LEAST_CUT: Final = 0.01
"""Of the samples in flat tops: a tone that is cut off at its very peak. At 35 % of them it reads 7 % too low,
and is still pure."""

STRANGE: Final = 0.5
"""A level further than 50 % from the reference is another range, unit or sensitivity, not a tolerance."""

_STEPS: Final = 12
_SETTLED: Final = 1e-12  # relative step of the frequency


@dataclass(frozen=True, slots=True)
class Tone:
    """`gain` multiplies the present scale; `share` is the part of the energy that is the tone's."""

    frequency_hz: float
    rms_m_s2: float
    share: float
    gain: float


def measure_tone(
    samples_m_s2: npt.ArrayLike,
    fs_hz: float,
    *,
    reference_hz: float = HANDHELD_HZ,
    reference_rms_m_s2: float = HANDHELD_RMS_M_S2,
) -> Tone:
    """The tone in one channel's samples (n,), and the gain that makes its level the reference's.

    Raises CalibrationError where the tone is not there, not pure, too short, or of quite another level.
    """
    x = np.asarray(samples_m_s2, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise CalibrationError(f"the samples must be one channel of finite numbers, got shape {x.shape}")
    if x.size / fs_hz * reference_hz < LEAST_PERIODS:
        raise CalibrationError(
            f"{x.size / fs_hz:.2f} s are too short for a tone of {reference_hz:g} Hz: take "
            f"{LEAST_PERIODS / reference_hz:.2f} s at least"
        )
    if reference_hz >= fs_hz / 2.56:
        raise CalibrationError(
            f"a tone of {reference_hz:g} Hz can't be measured at {fs_hz:g} samples a second: "
            f"{fs_hz / 2.56:g} Hz is the highest that the filter leaves"
        )
    if measure_quality(x[None].astype(np.float32)).clipped_fraction[0] > LEAST_CUT:
        raise CalibrationError(
            f"the tone is cut off at {x.min():.1f} and {x.max():.1f} m/s²: choose a wider range, or turn the "
            "amplifier down"
        )
    x = x - x.mean()
    frequency_hz, rms, share = _fit(x, fs_hz)
    if not abs(frequency_hz / reference_hz - 1) <= OFF_FREQUENCY or share < LEAST_SHARE:
        raise CalibrationError(
            f"no pure tone of {reference_hz:g} Hz: the strongest line is at {frequency_hz:.1f} Hz with "
            f"{100 * share:.1f} % of the energy, {100 * LEAST_SHARE:g} % are needed; is the shaker on, and "
            "the sensor screwed to it?"
        )
    gain = reference_rms_m_s2 / rms
    if abs(gain - 1) > STRANGE:
        raise CalibrationError(
            f"the tone reads {rms:.3g} m/s² where the reference is {reference_rms_m_s2:g}: that is no "
            "tolerance; is the unit, the range or the sensitivity that is entered right?"
        )
    return Tone(frequency_hz, rms, share, gain)


def _fit(x: npt.NDArray[np.float64], fs_hz: float) -> tuple[float, float, float]:
    """(frequency in Hz, RMS, share of the energy) of the strongest sine."""
    total = float(x @ x)
    if not total > 0:
        return np.nan, 0.0, 0.0
    t = np.arange(x.size) / fs_hz
    power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
    omega = 2 * np.pi * fs_hz / x.size * int(power[1:].argmax() + 1)
    a = b = 0.0
    for _ in range(_STEPS):
        cos, sin = np.cos(omega * t), np.sin(omega * t)
        columns = np.stack([cos, sin, np.ones_like(t), t * (b * cos - a * sin)], axis=1)
        if a == b == 0.0:  # the first time the frequency is not moved: its column would be zero
            a, b, _mean = np.linalg.lstsq(columns[:, :3], x, rcond=None)[0]
            continue
        a, b, _mean, step = np.linalg.lstsq(columns, x, rcond=None)[0]
        omega += float(step)
        if abs(step) < _SETTLED * omega:
            break
    tone = a * np.cos(omega * t) + b * np.sin(omega * t)
    return float(omega / (2 * np.pi)), float(np.hypot(a, b) / np.sqrt(2)), float(tone @ tone) / total
