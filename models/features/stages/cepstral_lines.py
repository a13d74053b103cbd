"""Rahmonics of the shafts of a gear: how evenly sidebands stand around whatever they stand around."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.cepstra import rahmonics
from models.features.gate import FloatArray
from models.features.kinematics import Known
from models.features.windows import Bins

from .stage import Chunk, Given


class CepstralLines:
    """The stage of the cepstrum: one logarithm and one transform of the whole power spectrum."""

    names: Final = ("cepstrum_driving", "cepstrum_driven")

    def __init__(self, bins: Bins) -> None:
        self._length = bins.length
        self.bytes_kept = 2 * (4 + 8)

    def begin(self, known: Known) -> None:
        """A turn of each shaft, in samples."""
        # Without a gear the driving shaft is that of the point.
        shafts = np.stack((known.driving, known.driven), axis=1)
        self._quefrencies = self._length / shafts
        self._heights: FloatArray = np.full(shafts.shape, np.nan, dtype=np.float32)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """The cepstrum of windows whose shaft is known."""
        self._heights[rows] = rahmonics(chunk.power, self._quefrencies[rows])

    def finish(self) -> Given:
        """One line for each shaft."""
        return dict(zip(self.names, self._heights.astype(np.float64).T, strict=True))
