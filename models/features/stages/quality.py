"""The stage of the numbers that say whether samples can be trusted; see `quality` for what they are."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.kinematics import Known
from models.features.quality import measure_quality

from .stage import Chunk, Given


class Quality:
    """The stage of what is read from the samples as they came, before anything is done to them."""

    names: Final = ("clipped_fraction", "longest_hold", "spikes")

    def __init__(self) -> None:
        self.bytes_kept = 8 * len(self.names)

    def begin(self, known: Known) -> None:
        """Room for the run."""
        self._found = np.empty((len(self.names), len(known.turns)))

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Looks at the samples."""
        self._found[:, rows] = measure_quality(chunk.samples, chunk.full_scale)

    def finish(self) -> Given:
        """The numbers."""
        return dict(zip(self.names, self._found, strict=True))
