"""Lines of the shaft in the velocity spectrum: orders, whirl, vanes, belts, and what the supply adds."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.bands import (
    SHAFT_ORDERS,
    VELOCITY_BAND_HZ,
    VELOCITY_LOW_BAND_HZ,
    WHIRL_ORDERS,
    usable_hz,
)
from models.features.gate import DoubleArray
from models.features.kinematics import Known
from models.features.windows import MM_PER_M, Bins

from .intervals import ON_A_BIN, Intervals, IntervalSums, around, between, together
from .levels import ratio
from .passes import Passes
from .stage import Chunk, Given

ASIDE_BINS: Final = 2.0
ASIDE: Final = 0.015
"""A line holds what lies within the main lobe of the window, or within 1.5 %: no speed is ever still."""

BINS_BETWEEN_LINES: Final = 5
"""Lines are told apart when the windows of ±2 bins around two of them do not touch."""

SYNCHRONOUS_ORDERS: Final = np.arange(1.0, 11.0)
SYNCHRONOUS_RANGE: Final = (0.2, 10.5)

RESOLVED_HZ: Final = 0.25
"""Lines of the supply stand a slip away from those of the shaft: 4 s of signal tell them apart."""

_LOWEST_HZ: Final = VELOCITY_LOW_BAND_HZ[0] * (1 - 1e-9)
"""Below it velocity is drift of the sensor; 600 r/min, whose lowest order is 2 Hz, is not below."""

_FEATURES: Final = tuple(f"order_{order:g}x_mm_s".replace(".", "_") for order in SHAFT_ORDERS)
_OTHERS: Final = (
    "order_whirl_mm_s",
    "synchronous_ratio",
    "vane_pass_mm_s",
    "belt_mm_s",
    "twice_supply_mm_s",
    "pole_pass_mm_s",
)


class ShaftLines:
    """The stage of every line in the velocity spectrum."""

    names: Final = (*_FEATURES, *_OTHERS)

    def __init__(self, passes: Passes, bins: Bins) -> None:
        self._passes = passes
        self._df_hz = bins.df_hz
        top_hz = min(VELOCITY_BAND_HZ[1], usable_hz(bins.fs_hz))
        self._stop = bins.closed((0.0, top_hz))[1]
        self._weights = np.zeros(self._stop + 1, dtype=np.float32)  # bin 0 and one past the top hold nothing
        omega = bins.omega(1, self._stop)
        self._weights[1 : self._stop] = MM_PER_M**2 * bins.gain / omega**2
        self.bytes_kept = 8 * 3 * (len(self.names) + len(SYNCHRONOUS_ORDERS))

    def begin(self, known: Known) -> None:
        """Every interval of every window, side by side in the order in which `finish` takes them apart."""
        self._groups = [
            self._orders(known),
            self._whirl(known),
            self._gaps(known),
            self._vanes(known),
            self._belt(known),
            self._supply(known),
            self._pole_pass(known),
        ]
        self._sums = IntervalSums(self._passes, together(*self._groups), len(self._weights))

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Velocity energies of the lines that are known."""
        self._sums.read(rows, chunk.power[:, : len(self._weights)] * self._weights)

    def finish(self) -> Given:
        """Energies as RMS levels."""
        ends = np.cumsum([group.first.shape[1] for group in self._groups])
        orders, whirl, gaps, vanes, belt, supply, poles = np.split(self._sums.energies(), ends[:-1], axis=1)
        given = dict(zip(_FEATURES, np.sqrt(orders).T, strict=True))
        given["order_whirl_mm_s"] = np.sqrt(whirl[:, 0])
        given["synchronous_ratio"] = self._synchronous(orders, gaps.sum(axis=1))
        given["vane_pass_mm_s"] = np.sqrt(vanes[:, 0])
        given["belt_mm_s"] = np.sqrt(belt.sum(axis=1))
        given["twice_supply_mm_s"] = np.sqrt(supply[:, 0])
        given["pole_pass_mm_s"] = np.sqrt(poles.sum(axis=1))
        return given

    def _synchronous(self, orders: DoubleArray, rest: DoubleArray) -> DoubleArray:
        integer = [i for i, order in enumerate(SHAFT_ORDERS) if order in SYNCHRONOUS_ORDERS]
        return ratio(orders[:, integer].sum(axis=1), rest)

    def _line(self, line: DoubleArray) -> Intervals:
        """Lines (n, k) with the width of a line, known from 2 Hz on."""
        return around(self._seen(line), np.maximum(ASIDE_BINS, ASIDE * line), self._stop)

    def _seen(self, line: DoubleArray) -> DoubleArray:
        """Lines (n, k) from 2 Hz on, NaN below."""
        return np.where(line * self._df_hz >= _LOWEST_HZ, line, np.nan)

    def _orders(self, known: Known) -> Intervals:
        turns = known.turns[:, None]
        halves = np.array([order % 1 != 0 for order in SHAFT_ORDERS])
        needed = np.where(halves, 2 * BINS_BETWEEN_LINES, BINS_BETWEEN_LINES)
        return self._line(np.where(turns >= needed, turns * np.array(SHAFT_ORDERS), np.nan))

    def _whirl(self, known: Known) -> Intervals:
        low, high = WHIRL_ORDERS
        apart = (0.5 - high) * known.turns >= ASIDE_BINS * (1 - 1e-9)
        seen = apart & (low * known.turns * self._df_hz >= _LOWEST_HZ)
        turns = np.where(seen, known.turns, np.nan)[:, None]
        return between(low * turns, high * turns, self._stop)

    def _gaps(self, known: Known) -> Intervals:
        """What lies between the integer orders: the energy that is not synchronous."""
        low, high = SYNCHRONOUS_RANGE
        seen = (known.turns >= BINS_BETWEEN_LINES) & (low * known.turns * self._df_hz >= _LOWEST_HZ)
        turns = np.where(seen, known.turns, np.nan)[:, None]
        lines = turns * SYNCHRONOUS_ORDERS
        aside = np.maximum(ASIDE_BINS, ASIDE * lines)
        # The bins next to those that belong to the lines.
        starts = np.concatenate((low * turns, np.floor(lines + aside + ON_A_BIN) + 1), axis=1)
        ends = np.concatenate((np.ceil(lines - aside - ON_A_BIN) - 1, high * turns), axis=1)
        return between(starts, ends, self._stop)

    def _vanes(self, known: Known) -> Intervals:
        return self._line(np.where(known.turns >= BINS_BETWEEN_LINES, known.vanes, np.nan)[:, None])

    def _belt(self, known: Known) -> Intervals:
        belt = np.where(known.belt >= BINS_BETWEEN_LINES, known.belt, np.nan)
        return self._line(belt[:, None] * np.array([1.0, 2.0]))

    def _supply(self, known: Known) -> Intervals:
        line = 2 * known.supply
        nearest = np.rint(line / known.turns)
        beside = np.abs(line - nearest * known.turns) < BINS_BETWEEN_LINES  # unknown speed: not known to be
        told_apart = (self._df_hz <= RESOLVED_HZ * (1 + 1e-9)) & ~beside
        return around(self._seen(np.where(told_apart, line, np.nan)[:, None]), ASIDE_BINS, self._stop)

    def _pole_pass(self, known: Known) -> Intervals:
        apart = (known.pole_pass >= BINS_BETWEEN_LINES) & (self._df_hz <= RESOLVED_HZ * (1 + 1e-9))
        aside = np.where(apart, known.pole_pass, np.nan)
        lines = np.stack((known.turns - aside, known.turns + aside), axis=1)
        return around(self._seen(lines), ASIDE_BINS, self._stop)
