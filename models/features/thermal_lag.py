"""The first-order lag of a warm body: what its temperature makes of ambient, load and speed.

C dT/dt = Q - hA (T - T_amb) makes of T the sum of T_amb and Q / hA, both through one first-order lag of the
time constant τ = C / hA: 30-60 min for the housing of a bearing, 10-15 min for a spindle.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .gate import DoubleArray

LEAST_KNOWN: Final = 0.95
"""Share of the lag's memory that must be known: 3 τ after the beginning of a record, or after a long gap."""

MOST_GAP_H: Final = 0.5
"""Gaps up to half an hour are bridged by a straight line: short against a housing's time constant."""


def first_order_lag(t_h: DoubleArray, u: DoubleArray, tau_h: DoubleArray) -> DoubleArray:
    """`u` (n, m) through a first-order lag of `tau_h` (n,) hours, at the times `t_h` (m,) in hours.

    Exact for what is straight between two times, whatever their distances. NaN where `u` is unknown, and
    where less than `LEAST_KNOWN` of the memory is known; a time constant of 0 leaves `u` as it is.
    """
    bridged = _bridged(t_h, u)
    seen = ~np.isnan(bridged)
    tau = np.where(tau_h > 0, tau_h, 1.0)[:, None]
    total = _lagged(t_h, np.where(seen, bridged, 0.0), tau)
    known = _lagged(t_h, seen.astype(np.float64), tau)
    lagged = np.where(known >= LEAST_KNOWN, total / np.maximum(known, LEAST_KNOWN), np.nan)
    return np.where(np.isnan(u), np.nan, np.where(tau_h[:, None] > 0, lagged, u))


def _lagged(t_h: DoubleArray, u: DoubleArray, tau: DoubleArray) -> DoubleArray:
    """y(t_i) = e^(-dt/τ) y(t_(i-1)) + what a straight piece of u adds, from y = 0 on.

    Recursion by doubling: y over the last 2k steps is y over the last k plus its decayed value k steps ago.
    """
    step = np.diff(t_h)
    decay = np.exp(-step / tau)
    newer = 1 - (1 - decay) * tau / step
    y = np.zeros_like(u)
    y[:, 1:] = (1 - decay - newer) * u[:, :-1] + newer * u[:, 1:]
    k = 1
    while k < u.shape[1]:
        decay = np.exp((t_h[:-k] - t_h[k:]) / tau)
        if not (decay > 1e-12).any():  # nothing is remembered of so long ago
            break
        later = y[:, k:] + decay * y[:, :-k]
        y[:, k:] = later
        k *= 2
    return y


def _bridged(t_h: DoubleArray, u: DoubleArray) -> DoubleArray:
    """`u` with its short gaps filled by straight lines."""
    m = u.shape[1]
    known, place = ~np.isnan(u), np.arange(m)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, m)[:, ::-1], axis=1)[:, ::-1]
    inside = ~known & (before >= 0) & (after < m)
    before, after = np.where(inside, before, 0), np.where(inside, after, m - 1)
    gap = t_h[after] - t_h[before]
    part = (t_h - t_h[before]) / np.where(inside, gap, 1.0)
    first, last = np.take_along_axis(u, before, axis=1), np.take_along_axis(u, after, axis=1)
    return np.where(inside & (gap <= MOST_GAP_H), first + part * (last - first), u)
