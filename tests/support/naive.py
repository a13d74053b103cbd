"""The oracle: every feature again, one block at a time, in float64, as plainly as it is defined.

Where a definition leaves a choice, this is the one that is meant:

- The sign of a scale is that of the signal: a sensor mounted the other way changes the signs of the mean and
  of the skewness, and nothing else.
- A constant block has levels of 0 and no ratio, whatever the last digit of its mean.
- "Between the tapers" is samples ceil(0.1 N) to floor(0.9 N), both included.
- Bins are k with low ≤ k ≤ high of a window given in bins; an edge given in Hz that falls on a bin belongs to
  it whatever the last digit of the division (10⁻⁹ of a bin).
- The driving shaft of a gear is the point's own where nothing is said of it, and unknown where NaN is.
- A band of no more than 6 bins has no envelope, and an envelope of no more than 3 lines no feature.
- A line of velocity lies from 2 Hz on, and all of its window between bin 0 and 1000 Hz (or what is usable).
- Beside a shaft that stands still, or of unknown speed, twice the supply frequency is told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from models.features.catalogue import NAMES
from tests.support import naive_combs, naive_levels, naive_lines, naive_quality
from tests.support.naive_spectrum import Spectrum


def features(
    block: npt.ArrayLike,
    fs_hz: float,
    *,
    full_scale: float | None = None,
    scale: float = 1.0,
    **known: object,
) -> dict[str, float]:
    """All features of one block of counts of `scale` m/s² each, by name; `full_scale` in counts.

    `known` is what `of_signal` takes.
    """
    counts = np.asarray(block)
    clipped, hold, spikes = naive_quality.quality(counts, math.nan if full_scale is None else full_scale)
    of_samples = {"clipped_fraction": clipped, "longest_hold": hold, "spikes": spikes}
    if not np.isfinite(counts).all():
        return dict.fromkeys(NAMES, math.nan)
    return of_signal(counts.astype(np.float64) * scale, fs_hz, **known) | of_samples  # type: ignore[arg-type]


def of_signal(
    a: npt.NDArray[np.float64],
    fs_hz: float,
    *,
    speed_hz: float = math.nan,
    orders: Iterable[float] = (math.nan,) * 4,
    speed_sigma_hz: float = 0.0,
    kinematics: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Those of the acceleration itself, in m/s²: all but the counts of equal samples."""
    orders, known = tuple(orders), kinematics or {}
    x = naive_levels.centred(a)
    s = Spectrum.of(x, fs_hz)
    return {
        **naive_levels.samples(a),
        **naive_levels.bands(s),
        **naive_levels.waveforms(s),
        **naive_levels.kurtoses(s),
        **naive_levels.slope(s),
        **naive_levels.envelope(s, speed_hz, orders),
        **naive_levels.defect_levels(s, speed_hz, orders),
        **naive_lines.shaft(s, speed_hz),
        **naive_lines.gear(s, speed_hz, known),
        **naive_lines.others(s, speed_hz, known),
        **naive_combs.combs(x, fs_hz, speed_hz, orders, naive_levels.demodulated(s), speed_sigma_hz),
    }
