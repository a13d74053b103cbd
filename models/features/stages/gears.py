"""Gear mesh and bearing defects in the acceleration spectrum, and the sidebands that tell the worn shaft."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.bands import DEFECT_HARMONICS, MESH_HARMONICS, SIDEBANDS
from models.features.gate import DoubleArray
from models.features.kinematics import Known
from models.features.windows import Bins
from models.types import BEARING_DEFECTS

from .intervals import Intervals, IntervalSums, around, together
from .levels import ratio
from .passes import Passes
from .shaft import ASIDE, ASIDE_BINS, BINS_BETWEEN_LINES
from .stage import Chunk, Given

MESH_SHARE: Final = 0.4
"""A mesh line ends before the first sideband begins, whatever 1.5 % of it may be."""

SLIP: Final = 0.025
"""How far slip, contact angle and speed move a defect line."""

_HARMONICS: Final = np.arange(1.0, DEFECT_HARMONICS + 1)


class DefectLevels:
    """The stage of the bearing's lines in the spectrum itself: what a visible spall adds."""

    names: Final = tuple(f"{name}_m_s2" for name in BEARING_DEFECTS)

    def __init__(self, passes: Passes, bins: Bins, width: int) -> None:
        self._passes = passes
        self._width = width
        self._stop = bins.usable_stop
        self._gain = bins.gain
        self.bytes_kept = 8 * 3 * len(self.names) * DEFECT_HARMONICS

    def begin(self, known: Known) -> None:
        """The lines of each window, as intervals of its spectrum."""
        self._sums = IntervalSums(self._passes, defect_lines(known, self._stop), self._width)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Energies of the lines that are known."""
        self._sums.read(rows, chunk.power)

    def finish(self) -> Given:
        """Energies as RMS levels."""
        energy = defect_sums(self._sums.energies()) * self._gain
        return dict(zip(self.names, np.sqrt(energy).T, strict=True))


def defect_lines(known: Known, stop: int) -> Intervals:
    """The first harmonics (n, 4 · 3) of each defect, as wide as slip may move them."""
    lines = np.where(known.defects >= BINS_BETWEEN_LINES, known.defects, np.nan)
    harmonics = (lines[:, :, None] * _HARMONICS).reshape(len(lines), -1)
    return around(harmonics, np.maximum(ASIDE_BINS, SLIP * harmonics), stop)


def defect_sums(energy: DoubleArray) -> DoubleArray:
    """Energies (n, 4 · 3) as one for each defect (n, 4)."""
    sums: DoubleArray = energy.reshape(len(energy), -1, DEFECT_HARMONICS).sum(axis=2)
    return sums


class GearLines:
    """The stage of one gear pair: its mesh, and the sidebands of both shafts."""

    names: Final = (
        *(f"mesh_{k}x_m_s2" for k in range(1, MESH_HARMONICS + 1)),
        "sidebands_driving_m_s2",
        "sideband_ratio_driving",
        "sidebands_driven_m_s2",
        "sideband_ratio_driven",
    )

    def __init__(self, passes: Passes, bins: Bins, width: int) -> None:
        self._passes = passes
        self._width = width
        self._stop = bins.usable_stop
        self._gain = bins.gain
        self.bytes_kept = 8 * 3 * (MESH_HARMONICS + 1 + 4 * SIDEBANDS)

    def begin(self, known: Known) -> None:
        """The lines of each window, as intervals of its spectrum."""
        shafts = np.stack((known.driving, known.driven), axis=1)
        slowest = np.fmin(known.driving, known.driven)[:, None]
        mesh = known.mesh[:, None]
        lines = np.where(slowest >= BINS_BETWEEN_LINES, mesh * np.arange(1.0, MESH_HARMONICS + 1), np.nan)
        aside = np.minimum(
            np.maximum(ASIDE_BINS, ASIDE * lines), np.maximum(ASIDE_BINS, MESH_SHARE * slowest)
        )
        steps = np.concatenate((np.arange(-SIDEBANDS, 0), np.arange(1, SIDEBANDS + 1)))
        shafts = np.where(shafts >= BINS_BETWEEN_LINES, shafts, np.nan)
        sidebands = (mesh[:, :, None] + shafts[:, :, None] * steps).reshape(len(mesh), -1)
        lines_and_sidebands = together(
            around(lines, aside, self._stop),
            around(mesh, ASIDE_BINS, self._stop),
            around(sidebands, ASIDE_BINS, self._stop),
        )
        self._sums = IntervalSums(self._passes, lines_and_sidebands, self._width)

    def chunk(self, rows: slice, chunk: Chunk) -> None:
        """Energies of the lines that are known."""
        self._sums.read(rows, chunk.power)

    def finish(self) -> Given:
        """Energies as RMS levels."""
        levels = np.sqrt(self._sums.energies() * self._gain)
        sidebands = levels[:, MESH_HARMONICS + 1 :].reshape(len(levels), 2, -1)
        given = {f"mesh_{k + 1}x_m_s2": levels[:, k] for k in range(MESH_HARMONICS)}
        for i, shaft in enumerate(("driving", "driven")):
            given[f"sidebands_{shaft}_m_s2"] = np.sqrt((sidebands[:, i] ** 2).sum(axis=1))
            given[f"sideband_ratio_{shaft}"] = ratio(sidebands[:, i].sum(axis=1), levels[:, MESH_HARMONICS])
        return given
