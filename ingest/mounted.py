"""What the plant's mountings leave of the features, and in which bands envelopes are taken.

A feature whose band reaches above what mounting or sensor can is unknown: its level would be the mounting's.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from models.features.bands import DEFAULT_BANDS
from models.features.mounting import Bands, bands_of, highest_of, usable_features
from models.types import PointSpec
from palier.plant import Plant


class Mounted:
    """By (site, machine, point). Points that nothing is known of are taken as they come."""

    def __init__(self, plant: Plant) -> None:
        self._bands: dict[tuple[str, str, str], Bands] = {}
        self._left: dict[tuple[str, str, str, str], npt.NDArray[np.bool_]] = {}
        for machine in plant.machines:
            for point in machine.points:
                self._take((plant.site_id, machine.id, point.id), point)

    def _take(self, key: tuple[str, str, str], point: PointSpec) -> None:
        bands = bands_of(point)
        if bands != DEFAULT_BANDS:
            self._bands[key] = bands
        for channel, highest_hz in highest_of(point).items():
            left = usable_features(highest_hz)
            if not left.all():
                self._left[*key, channel] = left

    def bands(self, site: str, machine: str, point: str) -> Bands:
        """The bands that are demodulated there, in Hz."""
        return self._bands.get((site, machine, point), DEFAULT_BANDS)

    def refuse(
        self, features: npt.NDArray[np.float32], channels: Iterable[tuple[str, str, str, str]]
    ) -> None:
        """Make unknown, in place, what the mounting does not carry.

        `channels` are (site, machine, point, channel) of the rows.
        """
        if not self._left:
            return
        for row, channel in enumerate(channels):
            left = self._left.get(channel)
            if left is not None:
                features[row, ~left] = np.nan
