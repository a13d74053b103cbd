"""Random vibration of a given spectrum: rolling noise, flow, cavitation. Levels are exact by Parseval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bearing import Resonance
from .shaft import Floats


@dataclass(frozen=True, slots=True)
class Band:
    """Noise between two frequencies: `acceleration_m_s2` RMS, its power spectrum following f**slope there."""

    low_hz: float
    high_hz: float
    acceleration_m_s2: float
    slope: float = 0.0

    def power(self, f_hz: Floats) -> Floats:
        """Power at each line, not scaled; the edges fall by 12 dB per octave as those of a flow do."""
        f = np.maximum(f_hz, f_hz[1])
        shape: Floats = f**self.slope / (1 + (self.low_hz / f) ** 4) / (1 + (f / self.high_hz) ** 4)
        shape[0] = 0.0
        return shape


@dataclass(frozen=True, slots=True)
class Rolling:
    """Noise of sound raceways: broad, and raised around the mode of the housing."""

    mode: Resonance
    acceleration_m_s2: float

    def power(self, f_hz: Floats) -> Floats:
        """Power at each line, not scaled: a white force through the mode, over a flat floor of -20 dB.

        The hump is four times as wide as the mode: contacts all around the ring excite its neighbours too.
        """
        r = f_hz / self.mode.natural_hz
        resonant = r**2 / ((1 - r**2) ** 2 + (2 * 4 * self.mode.damping * r) ** 2)
        shape: Floats = resonant / resonant.max() + 0.01
        shape[0] = 0.0
        return shape


Colour = Band | Rolling


def noise(
    colours: tuple[tuple[Colour, float], ...],
    channels: int,
    *,
    n: int,
    fs_hz: float,
    rng: np.random.Generator,
) -> Floats:
    """Independent noise for each channel, (channels, n) m/s²; each colour has the gain of the moment."""
    f_hz: Floats = np.fft.rfftfreq(n, 1 / fs_hz).astype(np.float64)
    power = np.zeros_like(f_hz)
    for colour, gain in colours:
        shape = colour.power(f_hz)
        power += shape * ((gain * colour.acceleration_m_s2) ** 2 / shape.sum())
    # Two quadratures of variance p n²/4 each make a line whose mean square in the signal is p (Parseval).
    lines = rng.standard_normal((channels, 2 * f_hz.size)).view(np.complex128)
    lines *= np.sqrt(power) * (n / 2)
    return np.fft.irfft(lines, n)
