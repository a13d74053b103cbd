"""How the extractor is made: one pass over the samples in chunks, shared by stages that each give features.

What touches samples or spectra is done chunk by chunk, while they are in the cache, and kept as few numbers a
window; what follows from those numbers is done once for the whole run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.features.centring import Centred
from models.features.gate import DoubleArray, FloatArray, SampleArray
from models.features.kinematics import Known

Given = Mapping[str, DoubleArray]
"""Features (n,) by name, of the samples as they came: the extractor applies the scale."""


class Chunk(NamedTuple):
    """Some windows of the run, in memory that the next chunk overwrites.

    `samples` (n, n_samples) as they came, `full_scale` (n,) the end of their range (NaN unknown), `block` the
    same as float32 without their mean, tamed, `scratch` (n, n_samples) for anybody's use, `sums`
    (4, n, parts) of the first four powers of the block. `spectrum` (n,
    length // 2 + 1) of the block under a Hann window, and `power` its |X|²: the usable bins and one more, or
    all of them where a cepstrum is asked for.
    """

    samples: SampleArray
    full_scale: DoubleArray
    block: FloatArray
    scratch: FloatArray
    centred: Centred
    sums: FloatArray
    spectrum: npt.NDArray[np.complex64]
    power: FloatArray


class Stage(Protocol):
    """Gives some features. The extractor calls begin, chunk for each chunk of the run, and finish."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features that it gives."""

    @property
    def bytes_kept(self) -> int:
        """What it keeps of each window between `chunk` and `finish`."""

    def begin(self, known: Known) -> None:
        """Makes room for the windows of a run."""

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Keeps what it needs of the windows `rows` of the run."""

    def finish(self) -> Given:
        """Its features for the whole run; NaN where they cannot be given."""
