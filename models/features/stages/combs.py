"""The demodulation bands: how impulsive each is, and in which one the lines of a defect stand out most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import DEFAULT_BANDS
from models.features.envelope import Demodulator, demodulate, demodulator
from models.features.gate import DoubleArray
from models.features.kinematics import Known
from models.features.windows import HANN_FOURTH_MEAN, HANN_SQUARE_MEAN, Bins
from models.types import BEARING_DEFECTS

from .levels import ratio
from .lines import fundamentals, highest_line, search_defects
from .stage import Chunk, Given

GAUSSIAN: Final = 1.5
"""Of a band's signal: its fourth moment over that of its envelope, E cos⁴ / (E cos²)²."""

_KURTOSIS: Final = {f"kurtosis_{low:.0f}_{high:.0f}": (low, high) for low, high in DEFAULT_BANDS}
_LINES: Final = tuple(
    f"{name}_{what}" for name in BEARING_DEFECTS for what in ("bits", "harmonics", "band_hz")
)


class Combs:
    """The stage of what needs every demodulation band: its kurtosis, and the combs of the defects."""

    names: Final = (*_KURTOSIS, *_LINES)

    def __init__(self, bins: Bins, wanted: frozenset[str], bands: tuple[tuple[float, float], ...]) -> None:
        self._bins = bins
        self._searched = bands if wanted.intersection(_LINES) else ()
        self._measured = {name: band for name, band in _KURTOSIS.items() if name in wanted}
        widths = [high - low for low, high in self._searched]
        self.bytes_kept = 16 * len(self.names) + 4 * len(widths) * math.ceil(
            max(widths, default=0) / bins.df_hz
        )

    def begin(self, known: Known) -> None:
        """Which bands there are, and how many lines of their envelopes these windows need."""
        n = len(known.turns)
        self._known = known
        self._lines = fundamentals(known)
        self._asked: npt.NDArray[np.bool_] = np.asarray(np.isfinite(self._lines).any(axis=1))
        f_max_hz = highest_line(known, self._lines) * self._bins.df_hz if self._asked.any() else 0.0
        self._bands = self._demodulators(self._searched if f_max_hz else (), f_max_hz)
        count = int(self._asked.sum())
        self._power = {
            band: np.empty((count, made.lines), dtype=np.float32) for band, made in self._bands.items()
        }
        self._done = 0
        self._unsearched = self._demodulators(tuple(self._measured.values()), 0.0)
        self._moments = {band: np.full((2, n), np.nan) for band in self._measured.values()}

    def _demodulators(
        self, bands: tuple[tuple[float, float], ...], f_max_hz: float
    ) -> Mapping[tuple[float, float], Demodulator]:
        made = {band: self._demodulator(band, f_max_hz) for band in bands}
        return {band: made_of for band, made_of in made.items() if made_of is not None}

    def _demodulator(self, band: tuple[float, float], f_max_hz: float) -> Demodulator | None:
        moments = band in self._measured.values()
        return demodulator(band, self._bins.fs_hz, self._bins.length, f_max_hz, moments=moments)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Demodulates each band once: for its moments in all windows, for its lines where they are asked."""
        asked = self._asked[rows]
        count = int(asked.sum()) if self._bands else 0
        for band in dict.fromkeys((*self._bands, *self._moments)):
            made = self._bands.get(band) or self._unsearched.get(band)
            whole = band in self._moments
            if made is None or not (whole or count):
                continue
            spectrum = chunk.spectrum if whole or asked.all() else chunk.spectrum[asked]
            kept = self._power[band][self._done : self._done + count] if band in self._bands else None
            envelope = demodulate(spectrum, made, kept if count == len(spectrum) else None)
            if whole:
                self._moments[band][:, rows] = envelope.mean, envelope.mean_square
            if kept is not None and 0 < count < len(spectrum):
                kept[:] = envelope.power[asked]
        self._done += count

    def finish(self) -> Given:
        """Kurtosis of the bands, best combs of the defects."""
        given = {
            name: GAUSSIAN
            * ratio(
                self._moments[band][1] / HANN_FOURTH_MEAN, (self._moments[band][0] / HANN_SQUARE_MEAN) ** 2
            )
            for name, band in self._measured.items()
        }
        table = np.full((len(self._asked), len(_LINES)), np.nan)
        if self._done:
            table[self._asked] = self._search()
        return given | dict(zip(_LINES, table.T, strict=True))

    def _search(self) -> DoubleArray:
        known = Known(*(array[self._asked] for array in self._known))
        power, bands = tuple(self._power.values()), tuple(self._bands.values())
        return search_defects(power, self._lines[self._asked], bands, known)
