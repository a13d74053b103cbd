"""The oracle's levels: of the samples, of bands of the spectrum, of waveforms of a band, of one envelope."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tests.support.naive_spectrum import SLACK, Block, Spectrum, between

LEVEL_BANDS = ((2, 10), (10, 100), (100, 250), (250, 500), (500, 1000), (1000, 2500), (2500, 5000),
               (5000, 10_000), (10_000, 20_000))  # fmt: skip
DEMODULATION_BANDS = ((500, 1000), (1000, 2500), (2500, 5000), (5000, 10_000), (10_000, 20_000))
DEFECTS = ("bpfo", "bpfi", "bsf", "ftf")
SQUARE_MEAN, FOURTH_MEAN = 3 / 8, 35 / 128  # of the Hann window: means of w² and w⁴


def ratio(above: float, below: float) -> float:
    """NaN where nothing stands below."""
    return above / below if below > 0 else math.nan


# Samples ----------------------------------------------------------------------------------------------


def samples(a: Block) -> dict[str, float]:
    """Levels of all samples, about their mean."""
    x = centred(a)
    second, third, fourth = (moment(x, power) for power in (2, 3, 4))
    rms, peak = math.sqrt(second), float(np.abs(x).max())
    q = len(a) // 4
    quarters = [pearson(a[i * q : (i + 1) * q]) for i in range(4)]
    known = sorted(v for v in quarters if not math.isnan(v))
    return {
        "mean_m_s2": float(np.mean(a)),
        "acceleration_rms_m_s2": rms,
        "acceleration_peak_m_s2": peak,
        "peak_to_peak_m_s2": float(x.max() - x.min()),
        "crest_factor": ratio(peak, rms),
        "skewness": ratio(third, second**1.5) if rms > 0 else math.nan,
        "kurtosis": ratio(fourth, second**2),
        "kurtosis_quarters": float(np.median(known)) if known else math.nan,
    }


def centred(a: Block) -> Block:
    """The samples about their mean; those of a constant are 0, whatever the last digit of their mean."""
    if a.min() == a.max():
        return np.zeros(len(a))
    x: Block = a - np.mean(a)
    return x


def moment(x: Block, power: int) -> float:
    return float(np.mean(x**power))


def pearson(a: Block) -> float:
    x = centred(a)
    return ratio(moment(x, 4), moment(x, 2) ** 2)


# Bands of the spectrum --------------------------------------------------------------------------------


def bands(s: Spectrum) -> dict[str, float]:
    """Levels that are sums over bins."""
    out = {}
    for suffix, low in (("", 10), ("_low", 2)):
        inside = s.closed(low, 1000)
        given = s.reaches(1000) and s.df <= low
        omega = 2 * math.pi * s.frequency
        for name, power, unit in (("velocity_rms{}_mm_s", 2, 1e3), ("displacement_rms{}_um", 4, 1e6)):
            energy = sum(s.power[k] / omega[k] ** power for k in inside)
            out[name.format(suffix)] = unit * math.sqrt(energy) if given else math.nan
    for low, high in LEVEL_BANDS:
        out[f"band_{low}_{high}_m_s2"] = level(s, low, high)
    out["band_1000_10000_m_s2"] = level(s, 1000, 10_000)
    inside = s.closed(2, s.usable)
    total = float(s.power[inside].sum()) if inside else math.nan
    out["acceleration_rms_usable_m_s2"] = math.sqrt(total)
    out["spectral_centroid_hz"] = ratio(float((s.frequency * s.power)[inside].sum()), total)
    return out


def level(s: Spectrum, low: float, high: float) -> float:
    """RMS acceleration of a band, its upper edge left out."""
    inside = s.half_open(low, high)
    if not (s.reaches(high) and inside):
        return math.nan
    return math.sqrt(s.power[inside].sum())


def slope(s: Spectrum) -> dict[str, float]:
    """Of a sensor that settles."""
    inside = s.closed(2, 8)
    v, out = s.velocity, {"ski_slope": math.nan, "ski_ratio": math.nan}
    if s.reaches(8) and len(inside) >= 4 and all(s.power[k] > 0 for k in inside):
        x = [math.log(k * s.df) for k in inside]
        y = [0.5 * math.log(s.power[k]) - math.log(2 * math.pi * k * s.df) for k in inside]
        out["ski_slope"] = float(np.polyfit(x, y, 1)[0])
    if s.df <= 2 and s.reaches(1000):
        below, above = (float(v[b].sum()) for b in (s.half_open(2, 10), s.closed(10, 1000)))
        out["ski_ratio"] = ratio(below, above)
    return out


# Waveforms of a band ----------------------------------------------------------------------------------


def waveforms(s: Spectrum) -> dict[str, float]:
    """What is read from a block tapered over a tenth at each end, between the tapers."""
    place = (np.arange(s.n) + 0.5) / s.n
    rise = np.minimum(np.minimum(place, 1 - place) / 0.1, 1)
    lines = np.fft.rfft(s.x * (0.5 - 0.5 * np.cos(np.pi * rise)))
    middle = slice(math.ceil(0.1 * s.n), math.floor(0.9 * s.n) + 1)
    out = {}
    for suffix, low in (("", 10), ("_low", 2)):
        inside, kept = s.closed(low, 1000), np.zeros_like(lines)
        kept[inside] = -lines[inside] / (2 * math.pi * s.frequency[inside]) ** 2
        wave = 16 * np.fft.irfft(kept, 16 * s.n)[math.ceil(1.6 * s.n) : math.floor(14.4 * s.n) + 1]
        given = s.reaches(1000) and low * s.n / s.fs >= 8 - 1e-9
        out[f"displacement_pp{suffix}_um"] = 1e6 * float(wave.max() - wave.min()) if given else math.nan
    inside, kept = s.half_open(1000, 10_000), np.zeros_like(lines)
    kept[inside] = s.lines[inside]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(s.n) / s.n)
    peak = float(np.abs(np.fft.irfft(kept, s.n)[middle] / window[middle]).max())
    out["peak_1000_10000_m_s2"] = peak if s.reaches(10_000) and inside else math.nan
    return out


# Envelopes --------------------------------------------------------------------------------------------


def analytic_square(s: Spectrum, inside: list[int]) -> Block:
    """|z|² of the analytic signal of some bins, at full length: twice the positive half of the spectrum."""
    kept = np.zeros(s.n, dtype=np.complex128)
    kept[inside] = 2 * s.lines[inside]
    square: Block = np.abs(np.fft.ifft(kept)) ** 2
    return square


def demodulated(s: Spectrum) -> dict[tuple[float, float], list[int]]:
    """Bins of each band of which half or more is usable, and that is wider than the window leaks."""
    bins = {(low, high): s.half_open(low, min(high, s.usable)) for low, high in DEMODULATION_BANDS}
    return {
        (low, high): inside
        for (low, high), inside in bins.items()
        if min(high, s.usable) - low >= (high - low) / 2 and len(inside) > 6
    }


def kurtoses(s: Spectrum) -> dict[str, float]:
    """Kurtosis of what lies in each band, from the moments of its envelope."""
    out = {f"kurtosis_{low}_{high}": math.nan for low, high in DEMODULATION_BANDS}
    for (low, high), inside in demodulated(s).items():
        e = analytic_square(s, inside)
        relative = ratio(moment(e, 2) / FOURTH_MEAN, (moment(e, 1) / SQUARE_MEAN) ** 2)
        out[f"kurtosis_{low}_{high}"] = 1.5 * relative
    return out


def envelope(s: Spectrum, speed_hz: float, orders: Iterable[float]) -> dict[str, float]:
    """The one band that is demodulated for trends: level, modulation, and that at the defects' lines."""
    inside = s.half_open(2500, 10_000)
    names = ("envelope_rms_m_s2", "envelope_modulation", *(f"{d}_modulation" for d in DEFECTS))
    if not (s.reaches(10_000) and inside):
        return dict.fromkeys(names, math.nan)
    lines = np.fft.rfft(analytic_square(s, inside)) / s.n
    mean = abs(lines[0]) / SQUARE_MEAN
    top = min(math.ceil(1500 / s.df - SLACK), len(inside))
    if top <= 3:
        return dict.fromkeys(names, math.nan)
    square: Block = 2 * np.abs(lines[:top]) ** 2 / FOURTH_MEAN
    out = {
        "envelope_rms_m_s2": math.sqrt(mean / 2),
        "envelope_modulation": ratio(math.sqrt(square[3:].sum()), mean),
    }
    for defect, order in zip(DEFECTS, orders, strict=True):
        found = harmonics(square, order * speed_hz / s.df, top - 1)
        out[f"{defect}_modulation"] = ratio(math.sqrt(found), mean) if found >= 0 else math.nan
    return out


def harmonics(energy: Block, line: float, last: int) -> float:
    """Σ within max(2 bins, 2.5 %) of the first three harmonics of `line`; NaN where they do not fit."""
    places = [(h * line, max(2.0, 0.025 * h * line)) for h in (1, 2, 3)]
    if not (line >= 5 and math.floor(sum(places[-1]) + SLACK) <= last):
        return math.nan
    return math.fsum(between(energy, c - aside, c + aside) for c, aside in places)


def defect_levels(s: Spectrum, speed_hz: float, orders: Iterable[float]) -> dict[str, float]:
    """RMS acceleration of each defect's first lines."""
    return {
        f"{defect}_m_s2": math.sqrt(found) if (found := harmonics(s.power, line, s.last_bin(math.inf))) >= 0
        else math.nan
        for defect, line in zip(DEFECTS, (o * speed_hz / s.df for o in orders), strict=True)
    }  # fmt: skip
