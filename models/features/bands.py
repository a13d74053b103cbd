"""Bands and orders that features are taken in, with the reason of each."""

from __future__ import annotations

from typing import Final

VELOCITY_BAND_HZ: Final = (10.0, 1000.0)
"""Broadband velocity of ISO 20816-1 and ISO 2954."""

VELOCITY_LOW_BAND_HZ: Final = (2.0, 1000.0)
"""The same from 2 Hz on, for machines below 600 r/min (ISO 20816-3)."""

LEVEL_BANDS_HZ: Final = (
    (2.0, 10.0),
    (10.0, 100.0),
    (100.0, 250.0),
    (250.0, 500.0),
    (500.0, 1000.0),
    (1000.0, 2500.0),
    (2500.0, 5000.0),
    (5000.0, 10_000.0),
    (10_000.0, 20_000.0),
)
"""Shaft, blades and gears below 1 kHz; above it where bearings, lubrication and cavitation speak."""

DEFAULT_BANDS: Final = (
    (500.0, 1000.0),
    (1000.0, 2500.0),
    (2500.0, 5000.0),
    (5000.0, 10_000.0),
    (10_000.0, 20_000.0),
)
"""Demodulation bands in Hz, all tried in parallel where nobody measured the resonance of the housing."""

ENVELOPE_BAND_HZ: Final = (2500.0, 10_000.0)
"""The one band whose envelope is trended: the same for all machines, so that its history has no steps."""

ENVELOPE_TOP_HZ: Final = 1500.0
"""Lines of that envelope are kept to here: three harmonics of an inner ring up to some 5000 r/min."""

VDI_BAND_HZ: Final = (1000.0, 10_000.0)
"""Band of the bearing condition number K(t) of VDI 3832:2013."""

USABLE_FRACTION: Final = 1 / 2.56
"""What an anti-aliasing filter leaves usable of the sampling rate (the convention of analysers)."""

SHAFT_ORDERS: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
"""Multiples of the speed whose velocity is kept: unbalance, misalignment, looseness (halves), rub."""

WHIRL_ORDERS: Final = (0.38, 0.48)
"""Where oil whirl of plain bearings turns."""

DEFECT_HARMONICS: Final = 3
"""Harmonics of a defect in its levels: enough to tell it from a single line, few enough for short bands."""

SEARCH: Final = 0.025
"""How far slip and contact angle move a defect line: ±2.5 %. An uncertain speed adds two of its σ."""

SIDEBANDS: Final = 6
"""Sidebands on each side of a gear mesh (the usual sideband energy ratio)."""

MESH_HARMONICS: Final = 3

SLOW_BELOW_HZ: Final = 10.0
"""600 r/min: below it the velocity band starts at 2 Hz (ISO 20816-3)."""


def usable_hz(fs_hz: float) -> float:
    """The highest frequency that samples at `fs_hz` can be trusted for."""
    return fs_hz * USABLE_FRACTION
