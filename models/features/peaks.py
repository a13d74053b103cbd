"""A line between two bins: its own frequency and amplitude, from the two highest bins of a Hann spectrum.

A line that lies δ bins beside its highest bin (0 ≤ δ ≤ ½) reads sinc(δ)/(1 - δ²) of its amplitude there, down
to -1.42 dB, and its neighbour reads α = (1 + δ)/(2 - δ) of that. So δ = (2α - 1)/(α + 1), whatever the line's
amplitude and phase, as long as its neighbours are some four bins away.
Source: Jain, Collins & Davis, IEEE Trans. IM 28 (1979) 113-122; Grandke, IEEE Trans. IM 32 (1983) 350-355.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, per_window


def line_amplitude(
    frequency_hz: npt.ArrayLike,
    amplitude: npt.ArrayLike,
    near_hz: npt.ArrayLike,
    within_hz: npt.ArrayLike,
) -> tuple[DoubleArray, DoubleArray]:
    """(frequency (n,), amplitude (n,)) of the highest line within `within_hz` of `near_hz` in each spectrum.

    `frequency_hz` (m,) and `amplitude` (n, m) are those of `spectrum` or `order_spectrum` (Hann, coherent
    gain; then all frequencies are orders); `near_hz` and `within_hz` are one number or (n,). What is found is
    in the unit of `amplitude`, and exact for a line alone; a velocity spectrum leans by 1/f over the two
    bins, 1 % of δ at its hundredth bin. NaN where no bin of the range is higher than its neighbours, where
    the range is NaN, and in spectra of NaN. Raises ValueError for arguments that don't fit each other.
    """
    frequency, heights = np.asarray(frequency_hz, dtype=np.float64), np.asarray(amplitude)
    df = _check(frequency, heights)
    n, m = heights.shape
    near, within = per_window("near_hz", near_hz, n), per_window("within_hz", within_hz, n)
    first = (near - within - frequency[0]) / df
    last = (near + within - frequency[0]) / df
    slack = 1e-9  # an edge that falls on a bin belongs to the range
    known = (last >= first) & np.isfinite(first) & np.isfinite(last)
    # A peak has a neighbour on each side.
    low = np.clip(np.ceil(np.where(known, first, 1) - slack), 1, m - 1).astype(np.intp)
    high = np.clip(np.floor(np.where(known, last, 0) + slack), 0, m - 2).astype(np.intp)
    place = low[:, None] + np.arange(max(int((high - low).max(initial=0)) + 1, 1))
    inside = place <= high[:, None]
    place = np.minimum(place, m - 2)
    row = np.arange(n)[:, None]
    here, before, after = heights[row, place], heights[row, place - 1], heights[row, place + 1]
    # Halfway between two bins both are equally high; a plain of equal bins is no line.
    peak = inside & (here >= before) & (here >= after) & ((here > before) | (here > after))
    best = np.where(peak, here, -np.inf).argmax(axis=1)
    each = np.arange(n)
    top, left, right = (values[each, best].astype(np.float64) for values in (here, before, after))
    alpha = np.divide(np.maximum(left, right), top, out=np.full(n, np.nan), where=peak[each, best])
    offset = np.maximum((2 * alpha - 1) / (alpha + 1), 0)  # below ½ the peak is no line of this window
    read = np.sinc(offset) / (1 - offset**2)
    at = place[each, best] + np.copysign(offset, right - left)
    return frequency[0] + at * df, top / read


def _check(frequency: DoubleArray, heights: npt.NDArray[np.generic]) -> float:
    """The distance of two bins, or ValueError."""
    if heights.ndim != 2 or frequency.shape != heights.shape[1:]:
        raise ValueError(
            f"amplitude must be a batch of spectra (n, m) and frequency_hz its (m,) bins, got shapes "
            f"{heights.shape} and {frequency.shape}: write amplitude[None, :] for a single spectrum"
        )
    if frequency.size < 3:
        raise ValueError(f"frequency_hz must hold at least 3 bins, got {frequency.size}")
    steps = np.diff(frequency)
    df = float(frequency[-1] - frequency[0]) / (frequency.size - 1)
    if not (df > 0 and np.abs(steps - df).max() <= 1e-3 * df):
        raise ValueError(
            f"frequency_hz must rise in equal steps, got {frequency[:3]} …: a thinned spectrum will not do"
        )
    return df
