"""Random vibration of a given spectrum: rolling noise, flow, floors. Levels are exact by Parseval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulators.draws import Floats

from .shaft import Singles
from .structure import Lines, Resonance

VELOCITY_FROM_HZ = 10.0
VELOCITY_TO_HZ = 1000.0


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

    def scaled(self, f_hz: Floats) -> Floats:
        """Mean square at each line, (m/s²)²."""
        shape = self.power(f_hz)
        return np.asarray(shape * (self.acceleration_m_s2**2 / shape.sum()))


@dataclass(frozen=True, slots=True)
class Rumble:
    """Noise of low frequency by its velocity, mm/s RMS in 10-1000 Hz; velocity power falls as 1/f."""

    velocity_mm_s: float
    low_hz: float = 8.0
    high_hz: float = 180.0

    def scaled(self, f_hz: Floats) -> Floats:
        """Mean square at each line, (m/s²)²."""
        shape = Band(self.low_hz, self.high_hz, 1.0, slope=1.0).power(f_hz)
        heard = (f_hz >= VELOCITY_FROM_HZ) & (f_hz <= VELOCITY_TO_HZ)
        if not heard.any():  # a block of less than a millisecond has no line there
            return np.zeros_like(shape)
        velocity = float((shape[heard] / (2 * math.pi * f_hz[heard]) ** 2).sum())
        return np.asarray(shape * ((self.velocity_mm_s * 1e-3) ** 2 / velocity))


@dataclass(frozen=True, slots=True)
class Rolling:
    """Noise of sound raceways: broad, and raised around the mode of the housing."""

    mode: Resonance
    acceleration_m_s2: float

    def scaled(self, f_hz: Floats) -> Floats:
        """Mean square at each line, (m/s²)²: a white force through the mode, over a flat floor of -12 dB.

        The hump is four times as wide as the mode: contacts all around the ring excite its neighbours too.
        Far below it a housing that is hardly pushed hardly moves.
        """
        r = f_hz / self.mode.natural_hz
        resonant = r**2 / ((1 - r**2) ** 2 + (2 * 4 * self.mode.damping * r) ** 2)
        shape: Floats = resonant / resonant.max() + 0.06
        shape /= 1 + (0.1 * self.mode.natural_hz / np.maximum(f_hz, f_hz[1])) ** 4
        shape[0] = 0.0
        return np.asarray(shape * (self.acceleration_m_s2**2 / shape.sum()))


Colour = Band | Rolling | Rumble


@lru_cache(maxsize=32)
def _amplitude(colour: Colour, n: int, fs_hz: float) -> Singles:
    """Root of the mean square at each line, with the factor that makes lines of it."""
    f_hz: Floats = np.fft.rfftfreq(n, 1 / fs_hz).astype(np.float64)
    out = np.asarray(np.sqrt(colour.scaled(f_hz)) * (n / 2), dtype=np.float32)
    out.flags.writeable = False
    return out


def lines(
    colours: tuple[tuple[Colour, float], ...],
    channels: int,
    *,
    n: int,
    fs_hz: float,
    rng: np.random.Generator,
) -> Lines:
    """Spectra of independent noise for each channel, (channels, n/2+1); each colour has its gain.

    Two quadratures of variance p n²/4 each make a line whose mean square in the signal is p (Parseval).
    """
    total = np.zeros(n // 2 + 1, dtype=np.float32)
    for colour, gain in colours:
        if gain:
            part = _amplitude(colour, n, fs_hz) * np.float32(gain)
            part *= part
            total += part
    np.sqrt(total, out=total)
    out: Lines = rng.standard_normal((channels, 2 * total.size), dtype=np.float32).view(np.complex64)
    out *= total
    return out


def noise(
    colours: tuple[tuple[Colour, float], ...],
    channels: int,
    *,
    n: int,
    fs_hz: float,
    rng: np.random.Generator,
) -> Singles:
    """The same as waves, (channels, n) m/s²."""
    return np.asarray(np.fft.irfft(lines(colours, channels, n=n, fs_hz=fs_hz, rng=rng), n), dtype=np.float32)
