"""The oracle of the search for defect lines: one block, float64, full-length envelopes, loops over lines."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float64]

DEFECTS = ("bpfo", "bpfi", "bsf", "ftf")
LEAKED = 3  # bins 0, 1 and 2 hold what the mean leaks through a squared Hann window


def combs(  # noqa: PLR0917 - the order of the extractor's arguments
    block: npt.ArrayLike,
    fs_hz: float,
    speed_hz: float,
    orders: Iterable[float],
    bands: Iterable[tuple[float, float]],
    speed_sigma_hz: float = 0.0,
) -> dict[str, float]:
    """Bits, harmonics and band of each defect of one block of m/s²; NaN what can't be given."""
    x = np.asarray(block, dtype=np.float64)
    x = (x - x.mean())[: smooth_length(len(x))]
    n = len(x)
    df = fs_hz / n
    turns = speed_hz / df
    reach = 0.025 + 2 * speed_sigma_hz / speed_hz if speed_hz > 0 else math.nan
    searched = turns >= 20 and reach < 0.1 and bool(np.isfinite(x).all())
    lines = np.fft.rfft(x * np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / n) for i in range(n)]))
    spectra = [
        (low, envelope_power(lines, n, df, low, min(high, fs_hz / 2.56)))
        for low, high in bands
        if searched and min(high, fs_hz / 2.56) - low >= (high - low) / 2
    ]
    out = {}
    for defect, order in zip(DEFECTS, orders, strict=True):
        found: list[tuple[bool, float, float, float]] = []
        for low, power in spectra:
            for times in (1, 2) if defect == "bsf" else (1,):
                line = times * order * turns
                if line >= 10:
                    bits, count = comb(power, line, turns, reach)
                    if not math.isnan(bits):
                        found.append((count >= 3, bits, count, low))
        _, bits, count, low = max(found, key=lambda f: f[:2], default=(False, math.nan, math.nan, math.nan))
        out.update({f"{defect}_bits": bits, f"{defect}_harmonics": count, f"{defect}_band_hz": low})
    return out


def smooth_length(n: int) -> int:
    """The longest even length without a prime factor above 5."""
    for length in range(n - n % 2, 0, -2):
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
    raise ValueError(n)


def envelope_power(lines: npt.NDArray[np.complex128], n: int, df: float, low: float, high: float) -> Block:
    """|spectrum of the squared envelope|², as many lines as the band is wide; strong tones cut down."""
    inside = [k for k in range(len(lines)) if low - 1e-9 * df <= k * df < high - 1e-9 * df]
    width = len(inside)
    band = lines[inside]
    pieces = max(1, min(16, width // 32))
    length = width // pieces
    for i in range(pieces):
        stop = (i + 1) * length if i + 1 < pieces else width
        sizes = sorted(abs(band[i * length : (i + 1) * length : max(1, length // 64)]))
        limit = width**0.25 * sizes[len(sizes) // 2]
        for k in range(i * length, stop):
            if abs(band[k]) > limit:
                band[k] *= limit / abs(band[k])
    spectrum = np.zeros(n, dtype=np.complex128)
    spectrum[inside] = band
    squared = np.abs(np.fft.ifft(spectrum)) ** 2
    return np.abs(np.fft.rfft(squared)[:width]) ** 2


def comb(power: Block, line: float, turns: float, reach: float) -> tuple[float, float]:
    """(bits, harmonics that count) of the best common deviation of the harmonics of `line` (in bins)."""
    held = min(5, math.floor((len(power) - 1) / (line * (1 + reach))))
    if held < 3:
        return math.nan, math.nan
    floors = [floor(power, k * line) for k in range(1, held + 1)]
    if min(floors) == 0:
        return math.nan, math.nan
    alone = without_shaft(power, turns)
    stride = 2 * _spread(5 * line)
    most = max(math.floor(5 * line * reach), 1)
    best: tuple[float, list[float]] = (-math.inf, [])
    for step in range(-(most // stride), most // stride + 1):
        ratios = []
        for k in range(1, held + 1):
            place = min(round(k * line + k / 5 * (stride * step)), len(power) - 1)
            ratios.append(highest(alone, place) / floors[k - 1])
        score = sum(0.5 * math.log2(max(ratio, 1)) for ratio in ratios)
        if score > best[0]:
            best = (score, ratios)
    tested = 2 * (max(math.floor(held * line * reach), 1) + _spread(held * line)) + 1
    return best[0], counted(best[1], tested)


def counted(ratios: list[float], tested: int) -> int:
    """Harmonics that noise reaches once in ten thousand; of three or four, two that are rarer are enough."""
    count = sum(ratio > math.log2(tested / 1e-4) for ratio in ratios)
    rarer = {3: 1.8e-6, 4: 1.3e-6}.get(len(ratios))
    if rarer and sum(ratio > math.log2(tested / rarer) for ratio in ratios) >= 2:
        return max(count, 3)
    return count


def without_shaft(power: Block, turns: float) -> Block:
    """The powers, 0 at the multiples of the speed and two bins beside them, and where the mean leaked to."""
    alone = power.copy()
    alone[:LEAKED] = 0
    multiple = 1
    while round(multiple * turns) - 2 < len(power):
        middle = round(multiple * turns)
        alone[middle - 2 : middle + 3] = 0
        multiple += 1
    return alone


def highest(power: Block, place: int) -> float:
    """The highest power whose bin reaches `place`: a line spreads by 0.2 %, at least a bin."""
    aside = _spread(place)
    return float(power[max(place - aside, 0) : place + aside + 1].max())


def floor(power: Block, line: float) -> float:
    """The middle of the medians of the two stretches on each side of the one that holds the line."""
    starts = [LEAKED + 1]
    while starts[-1] + max(8, int(0.15 * starts[-1])) <= len(power):
        starts.append(starts[-1] + max(8, int(0.15 * starts[-1])))
    medians = []
    for start, stop in pairwise(starts):
        values = sorted(power[start:stop])
        medians.append(float(values[len(values) // 2]))
    own = max((i for i in range(len(medians)) if starts[i] <= round(line)), default=0)
    below = [medians[i] for i in (own - 1, own - 2) if i >= 0]
    above = [medians[i] for i in (own + 1, own + 2) if i < len(medians)]
    below, above = below or above, above or below
    four = sorted([below[0], below[-1], above[0], above[-1]])
    return (four[1] + four[2]) / 2


def _spread(line: float) -> int:
    return max(round(line * 0.002), 1)
