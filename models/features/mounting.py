"""What a sensor's mounting leaves usable: above it the mounting itself resonates, and levels mean nothing.

Source: ISO 5348:2021 (mechanical mounting of accelerometers); the figures are trade practice for a surface
that just counts as that kind of mounting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import PointSpec

from .bands import DEFAULT_BANDS
from .catalogue import CATALOGUE

Bands = tuple[tuple[float, float], ...]

USABLE_HZ: Final[Mapping[str, float]] = {
    "stud": np.inf,  # the sensor ends it, not the mounting
    "glue": 10_000.0,  # a thin film; thick layers and soft glues end lower
    "magnet_flat": 7000.0,  # on a machined face
    "magnet": 2000.0,  # two poles on a curved housing
    "handheld": 1000.0,
}


def usable_hz(mounting: str, sensor_hz: float | None = None) -> float:
    """The highest usable frequency in Hz, infinity where neither mounting nor sensor ends it.

    `sensor_hz` is what the sensor itself can, by its data sheet (-3 dB). Raises ValueError for a mounting
    that is not known.
    """
    if mounting not in USABLE_HZ:
        raise ValueError(f"mounting must be one of {', '.join(USABLE_HZ)}, got {mounting!r}")
    return min(USABLE_HZ[mounting], np.inf if sensor_hz is None else sensor_hz)


def usable_features(highest_hz: float) -> npt.NDArray[np.bool_]:
    """Which features (n_features,) of the catalogue stand below that frequency.

    One whose band reaches above it is not: a part of it would be the mounting's. Those without a band (levels
    of the whole signal, and what follows the speed) stay.
    """
    tops = np.array([0.0 if spec.band is None else spec.band[1] for spec in CATALOGUE])
    return np.asarray(tops <= highest_hz)


def highest_of(point: PointSpec) -> Mapping[str, float]:
    """The highest usable frequency in Hz of each channel of a point, by id."""
    return {channel.id: usable_hz(point.mounting, channel.usable_hz) for channel in point.channels}


def bands_of(point: PointSpec) -> Bands:
    """The bands in Hz that are demodulated at a point, the same for all its channels."""
    return usable_bands(min(highest_of(point).values()), point.demodulation_hz)


def usable_bands(
    highest_hz: float, own: tuple[float, float] | None = None, bands: Bands = DEFAULT_BANDS
) -> Bands:
    """The bands to demodulate: the point's `own` where a knock found one, else those that end below.

    A band that reaches above the usable range is cut there while half of it is left, as where the rate
    ends it. A band of its own that is not left was found in vain: the others are taken. The lowest stays
    where none would; what is found in it is refused with the features above.
    """
    mine = () if own is None else _cut((own,), highest_hz)
    return mine or _cut(bands, highest_hz) or bands[:1]


def _cut(bands: Bands, highest_hz: float) -> Bands:
    return tuple((low, min(high, highest_hz)) for low, high in bands if highest_hz >= (low + high) / 2)
