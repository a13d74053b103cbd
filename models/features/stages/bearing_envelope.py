"""The envelope of one fixed band: how much it is modulated, and how much of that at the bearing's defects.

Its band is the same for all machines and all time, so that a trend of it has no steps. Which band a defect
stands out in is another question: see `combs`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft

from models.features.bands import ENVELOPE_BAND_HZ, ENVELOPE_TOP_HZ
from models.features.envelope import LEAKED_BINS
from models.features.kinematics import Known
from models.features.windows import HANN_FOURTH_MEAN, HANN_SQUARE_MEAN, Bins, fast_length, squares
from models.types import BEARING_DEFECTS

from .gears import defect_lines, defect_sums
from .intervals import IntervalSums
from .levels import ratio
from .passes import Passes
from .stage import Chunk, Given


class BearingEnvelope:
    """The stage of the squared envelope in 2.5-10 kHz.

    The band is moved to 0 Hz and transformed back at a length of its own, no shorter than band and wanted
    lines together: nothing wanted is aliased. The last line before the padding of a row is empty.
    """

    names: Final = (
        "envelope_rms_m_s2",
        "envelope_modulation",
        *(f"{name}_modulation" for name in BEARING_DEFECTS),
    )

    def __init__(self, passes: Passes, bins: Bins, rows: int) -> None:
        self._passes = passes
        self._length = bins.length
        self._first, self._stop = bins.half_open(ENVELOPE_BAND_HZ)
        width = max(0, self._stop - self._first)
        self._lines = min(int(np.ceil(ENVELOPE_TOP_HZ / bins.df_hz - 1e-9)), width)
        self._given = bins.reaches(ENVELOPE_BAND_HZ[1]) and self._lines > LEAKED_BINS
        self._size = fast_length(width + self._lines) if self._given else 0
        self._moved = np.zeros((rows, self._size), dtype=np.complex64)
        self._square = np.empty((rows, self._size), dtype=np.float32)
        self._power = np.zeros((rows, self._lines + 1), dtype=np.float32)
        self._ones = np.ones(max(self._lines - LEAKED_BINS, 0), dtype=np.float32)
        self.bytes_kept = 8 * (2 + 3 * 12)

    def begin(self, known: Known) -> None:
        """The lines of the defects, in the same bins as those of the spectrum."""
        n = len(known.turns)
        self._defects = IntervalSums(self._passes, defect_lines(known, self._lines), self._lines + 1)
        self._mean = np.full(n, np.nan)
        self._varying = np.full(n, np.nan)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Demodulates, and reads the lines."""
        if not self._given:
            return
        moved = self._moved[: len(chunk.spectrum)]
        moved[:, : self._stop - self._first] = chunk.spectrum[:, self._first : self._stop]
        moved[:, self._stop - self._first :] = 0
        square = self._square[: len(moved)]
        squares(scipy.fft.ifft(moved, axis=1, overwrite_x=True), square)
        lines = scipy.fft.rfft(square, axis=1)
        power = self._power[: len(lines)]
        squares(lines[:, : self._lines], power[:, :-1])
        self._mean[rows] = lines[:, 0].real
        self._varying[rows] = power[:, LEAKED_BINS:-1] @ self._ones
        self._defects.read(rows, power)

    def finish(self) -> Given:
        """Levels from the sums; a window of a tone's envelope has its mean in bins 0, 1 and 2."""
        # Analytic signal of a windowed block at this length: 2 size / length · w · z.
        mean = self._mean / HANN_SQUARE_MEAN
        density = 2 / HANN_FOURTH_MEAN
        level = (
            np.sqrt(mean / 2 / self._size) * (2 * self._size / self._length) if self._given else self._mean
        )
        modulation = ratio(np.sqrt(self._varying * density), mean)
        energy = defect_sums(self._defects.energies()) * density
        defects = ratio(np.sqrt(energy), np.broadcast_to(mean[:, None], energy.shape))
        return dict(zip(self.names, (level, modulation, *defects.T), strict=True))
