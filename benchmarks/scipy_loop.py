"""The core set as one would write it from a textbook: scipy, float64, one window at a time.

It is what the extractor is compared with, so it is written as well as its form allows: masks and frequencies
are made once, each step is a call of scipy's own. What it lacks is what the extractor is about: batches,
float32, the cache, powers by multiplication, and a short transform for the envelope.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import scipy.stats

from models.features.bands import (
    DEFECT_HARMONICS,
    ENVELOPE_BAND_HZ,
    ENVELOPE_TOP_HZ,
    LEVEL_BANDS_HZ,
    VELOCITY_BAND_HZ,
    VELOCITY_LOW_BAND_HZ,
    usable_hz,
)
from models.types import BEARING_DEFECTS

Block = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_LEAKED: Final = 3
"""Lines of the squared envelope into which its mean leaks (Hann, squared)."""


class ScipyLoop:
    """The 28 core features of windows of one length, even and without a prime factor above 5."""

    def __init__(self, fs_hz: float, n_samples: int) -> None:
        self.fs_hz = fs_hz
        self.window = scipy.signal.windows.hann(n_samples, sym=False)
        self.frequency = frequency = scipy.fft.rfftfreq(n_samples, 1 / fs_hz)
        self.df = frequency[1]
        self.bands = {
            f"band_{low:.0f}_{high:.0f}_m_s2": (frequency >= low) & (frequency < high)
            for low, high in LEVEL_BANDS_HZ[:8]
        }
        self.velocity = (frequency >= VELOCITY_BAND_HZ[0]) & (frequency <= VELOCITY_BAND_HZ[1])
        self.usable = (frequency >= VELOCITY_LOW_BAND_HZ[0]) & (frequency <= usable_hz(fs_hz))
        self.carrier = (frequency >= ENVELOPE_BAND_HZ[0]) & (frequency < ENVELOPE_BAND_HZ[1])
        self.envelope_lines = min(math.ceil(ENVELOPE_TOP_HZ / self.df), int(self.carrier.sum()))

    def table(
        self, blocks: Iterable[npt.ArrayLike], scale: float, speed_hz: float, orders: Sequence[float]
    ) -> list[dict[str, float]]:
        """The features of one window after the other; `scale` brings samples to m/s²."""
        return [
            self.features(np.asarray(block, dtype=np.float64) * scale, speed_hz, orders) for block in blocks
        ]

    def features(self, block: Block, speed_hz: float, orders: Sequence[float]) -> dict[str, float]:
        """The features of one window (n,) in m/s², by name."""
        mean = float(block.mean())
        x = block - mean
        return {
            "mean_m_s2": mean,
            **self._shape(x),
            **self._spectrum(x, speed_hz, orders),
            **self._envelope(x, speed_hz, orders),
        }

    def _shape(self, x: Block) -> dict[str, float]:
        rms, peak = math.sqrt(np.mean(x**2)), float(np.abs(x).max())
        return {
            "acceleration_rms_m_s2": rms,
            "acceleration_peak_m_s2": peak,
            "peak_to_peak_m_s2": float(np.ptp(x)),
            "crest_factor": peak / rms,
            "skewness": float(scipy.stats.skew(x)),
            "kurtosis": float(scipy.stats.kurtosis(x, fisher=False)),
        }

    def _spectrum(self, x: Block, speed_hz: float, orders: Sequence[float]) -> dict[str, float]:
        _, density = scipy.signal.periodogram(x, self.fs_hz, "hann", detrend=False)
        power = density * self.df
        total = power[self.usable].sum()
        omega = 2 * np.pi * self.frequency[self.velocity]
        out = {name: math.sqrt(power[band].sum()) for name, band in self.bands.items()}
        out["velocity_rms_mm_s"] = 1000 * math.sqrt((power[self.velocity] / omega**2).sum())
        out["acceleration_rms_usable_m_s2"] = math.sqrt(total)
        out["spectral_centroid_hz"] = (power[self.usable] * self.frequency[self.usable]).sum() / total
        for name, order in zip(BEARING_DEFECTS, orders, strict=True):
            out[f"{name}_m_s2"] = math.sqrt(power[self._lines(order * speed_hz, len(power))].sum())
        return out

    def _envelope(self, x: Block, speed_hz: float, orders: Sequence[float]) -> dict[str, float]:
        filtered = scipy.fft.irfft(np.where(self.carrier, scipy.fft.rfft(x * self.window), 0))
        squared = np.abs(scipy.signal.hilbert(filtered)) ** 2
        lines = np.abs(scipy.fft.rfft(squared)) / len(x)
        mean = lines[0] / np.mean(self.window**2)
        energy = 2 * lines[: self.envelope_lines] ** 2 / np.mean(self.window**4)
        out = {
            "envelope_rms_m_s2": math.sqrt(mean / 2),
            "envelope_modulation": math.sqrt(energy[_LEAKED:].sum()) / mean,
        }
        for name, order in zip(BEARING_DEFECTS, orders, strict=True):
            lines_of_it = self._lines(order * speed_hz, len(energy))
            out[f"{name}_modulation"] = math.sqrt(energy[lines_of_it].sum()) / mean
        return out

    def _lines(self, line_hz: float, bins: int) -> Mask:
        """Mask (bins,) of max(2 bins, 2.5 %) around each of the first harmonics of a line."""
        place = self.frequency[:bins] / self.df
        inside = np.zeros(bins, dtype=np.bool_)
        for harmonic in range(1, DEFECT_HARMONICS + 1):
            line = harmonic * line_hz / self.df
            inside |= np.abs(place - line) <= max(2.0, 0.025 * line)
        return inside
