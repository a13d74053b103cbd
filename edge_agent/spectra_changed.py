"""Whether a spectrum has changed since the one that was sent last: pure.

The lines of one block's spectrum scatter by 5.6 dB even where nothing changes (each is a sum of two squares),
so lines are not compared: levels of third-octave bands are, each the sum of its lines' squares. One has
changed where it differs by more than 3 dB, half or twice the energy, plus what noise alone makes of so few
lines: four standard deviations of the difference of two such sums. A line that grows or appears carries its
band with it; one that moves leaves its band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FROM_HZ: Final = 10.0
"""Below it lie the slow waves of sensor and building, and too few lines."""

FEWEST_LINES: Final = 8
"""Bands with fewer are joined with the next: the lowest ones."""

CHANGE_DB: Final = 3.0
LINE_DB: Final = 10 / math.log(10)
"""Standard deviation of the level of one line of noise, in dB, as the mean of many goes: 10 lg e."""

LEAKING: Final = 1.5
"""Lines of a Hann window that are worth one independent line (its noise bandwidth)."""

DEVIATIONS: Final = 4.0

EVERY_NS: Final = 600 * 10**9
"""Between two spectra of a point, however it changes: a drive of variable speed moves its lines all day."""

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Levels in dB (n_channels, n_bands) of a block that begins at `start_ns`; how many lines each has."""

    start_ns: int
    db: DoubleArray
    lines: DoubleArray


def band_starts(frequency_hz: DoubleArray, top_hz: float) -> npt.NDArray[np.intp]:
    """Where the bands begin among rising frequencies, and the end of the last one: (n_bands + 1,)."""
    top = min(top_hz, float(frequency_hz[-1]))
    count = max(0, math.ceil(3 * math.log2(top / FROM_HZ))) if top > FROM_HZ else 0
    edges = np.append(FROM_HZ * 2.0 ** (np.arange(count) / 3), top)
    places = np.searchsorted(frequency_hz, edges)
    kept = [int(places[0])]
    for place in places[1:].tolist():
        if place - kept[-1] >= FEWEST_LINES:
            kept.append(place)
    return np.array(kept, dtype=np.intp)


def levels(
    start_ns: int, frequency_hz: DoubleArray, amplitude: npt.NDArray[np.float32], top_hz: float
) -> Levels:
    """Of the amplitudes (n_channels, m) of a block's lines up to `top_hz`."""
    starts = band_starts(frequency_hz, top_hz)
    if len(starts) < 2:
        return Levels(start_ns, np.empty((len(amplitude), 0)), np.empty(0))
    power = np.square(amplitude[:, : starts[-1]], dtype=np.float64)
    energy = np.add.reduceat(power, starts[:-1], axis=1)
    with np.errstate(divide="ignore"):
        return Levels(start_ns, 10 * np.log10(energy), np.diff(starts).astype(np.float64))


def changed(before: Levels | None, now: Levels) -> bool:
    """Whether a spectrum is to be sent: the first one, or one that differs from the last one sent."""
    if before is None or before.db.shape != now.db.shape:
        return True
    if abs(now.start_ns - before.start_ns) < EVERY_NS:
        return False
    spread = LINE_DB * np.sqrt(2 * LEAKING / now.lines)
    with np.errstate(invalid="ignore"):  # silence is minus infinity, twice the same is no number
        away = np.abs(now.db - before.db)
    return bool((away > CHANGE_DB + DEVIATIONS * spread).any())
