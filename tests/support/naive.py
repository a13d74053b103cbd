"""The oracle: every feature again, one block at a time, in float64, as plainly as it is defined."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float64]

LEVEL_BANDS = ((1000, 2500), (2500, 5000), (5000, 10_000), (10_000, 20_000))
DEMODULATION_BANDS = ((500, 1000), *LEVEL_BANDS)
DEFECTS = ("bpfo", "bpfi", "bsf", "ftf")


def features(
    block: npt.ArrayLike,
    fs_hz: float,
    *,
    speed_hz: float = math.nan,
    orders: Iterable[float] = (math.nan,) * 4,
) -> dict[str, float]:
    """All features of one block of m/s², by name."""
    x = np.asarray(block, dtype=np.float64)
    x = x - x.mean()
    n, usable = len(x), fs_hz / 2.56
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / n) for i in range(n)])
    frequency = np.array([k * fs_hz / n for k in range(n // 2 + 1)])
    lines = np.fft.rfft(x * window)
    power = 2 * np.abs(lines) ** 2 / (n * (window**2).sum())
    out = _levels(x)
    for name, low in (("velocity_rms_mm_s", 10), ("velocity_rms_low_mm_s", 2)):
        inside = (frequency >= low) & (frequency <= 1000)
        given = usable >= 1000 and fs_hz / n <= low
        out[name] = _velocity(power, frequency, inside) if given else math.nan
    for low, high in LEVEL_BANDS:
        inside = (frequency >= low) & (frequency < high)
        given = high <= usable and inside.any()
        out[f"band_{low}_{high}_m_s2"] = math.sqrt(power[inside].sum()) if given else math.nan
    for order in (1, 2, 3):
        out[f"order_{order}x_mm_s"] = _order(power, frequency, order, speed_hz, min(1000, usable))
    for defect, order in zip(DEFECTS, orders, strict=True):
        out.update(_defect(defect, order, speed_hz, lines, fs_hz=fs_hz, n=n))
    return out


def _levels(x: Block) -> dict[str, float]:
    square = sum(v * v for v in x.tolist()) / len(x)
    fourth = sum(v**4 for v in x.tolist()) / len(x)
    peak = max(abs(v) for v in x.tolist())
    return {
        "acceleration_rms_m_s2": math.sqrt(square),
        "acceleration_peak_m_s2": peak,
        "crest_factor": peak / math.sqrt(square) if square else math.nan,
        "kurtosis": fourth / square**2 if square else math.nan,
    }


def _velocity(power: Block, frequency: Block, inside: npt.NDArray[np.bool_]) -> float:
    return 1000 * math.sqrt((power[inside] / (2 * math.pi * frequency[inside]) ** 2).sum())


def _order(power: Block, frequency: Block, order: int, speed_hz: float, top_hz: float) -> float:
    df = frequency[1]
    line = order * speed_hz
    aside = max(2 * df, 0.015 * line)
    if not (speed_hz >= 5 * df and line >= 2 and df * math.floor((line + aside) / df + 1e-9) <= top_hz):
        return math.nan
    return _velocity(power, frequency, np.abs(frequency - line) <= aside * (1 + 1e-9))


def _defect(
    defect: str, order: float, speed_hz: float, lines: npt.NDArray[np.complex128], *, fs_hz: float, n: int
) -> dict[str, float]:
    """The best band's score, harmonics and lower edge; for an element its double frequency is tried too."""
    df = fs_hz / n
    found: list[tuple[bool, float, float, float]] = []
    for low, high in DEMODULATION_BANDS:
        top = min(high, fs_hz / 2.56)
        if top - low < (high - low) / 2:
            continue
        power, width = envelope_power(lines, n, df, low, top)
        for times in (1, 2) if defect == "bsf" else (1,):
            line = times * order * speed_hz / df
            if speed_hz / df >= 20 and line >= 10:
                bits, count = comb(power, width, line)
                if not math.isnan(bits):
                    found.append((count >= 3, bits, count, low))
    _, bits, count, low = max(found, default=(False, math.nan, math.nan, math.nan))
    return {f"{defect}_bits": bits, f"{defect}_harmonics": count, f"{defect}_band_hz": low}


def envelope_power(
    lines: npt.NDArray[np.complex128], n: int, df: float, low: float, high: float
) -> tuple[Block, int]:
    """|spectrum of the squared envelope|² at full length, and how many lines the band is wide."""
    inside = [k for k in range(len(lines)) if low <= k * df <= high]
    spectrum = np.zeros(n, dtype=np.complex128)
    spectrum[inside] = 2 * lines[inside]
    analytic = np.fft.ifft(spectrum)
    return np.abs(np.fft.rfft(np.abs(analytic) ** 2)) ** 2, len(inside)


def comb(power: Block, width: int, line: float) -> tuple[float, float]:
    """(bits, harmonics that count) of the best common deviation of the harmonics of `line` (in bins)."""
    held = min(5, math.floor((width - 1) / (line * 1.025)))
    if held < 3:
        return math.nan, math.nan
    floors = [_floor(power, width, k * line) for k in range(1, held + 1)]
    reach = max(math.floor(held * line * 0.025), 1)
    tested = 2 * (reach + _spread(held * line)) + 1
    best = (-math.inf, 0)
    for step in range(-reach, reach + 1):
        bits, count = 0.0, 0
        for k in range(1, held + 1):
            place = round(k * line + step * k / held)
            spread = _spread(k * line)
            ratio = max(power[max(place - spread, 3) : place + spread + 1]) / floors[k - 1]
            bits += 0.5 * math.log2(ratio)
            count += ratio > math.log2(tested / 1e-4)
        if bits > best[0]:
            best = (bits, count)
    return best


def _spread(line: float) -> int:
    return max(round(line * 0.002), 1)


def _floor(power: Block, width: int, line: float) -> float:
    around, left_out = max(0.3 * line, 15), max(0.04 * line, 3)
    bins = [k for k in range(4, width) if left_out < abs(k - line) <= around]
    return float(np.median(power[bins]))
