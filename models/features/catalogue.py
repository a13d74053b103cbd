"""The catalogue: every feature's name, unit, band and source, once.

Names and units of the extractor, columns of the historian and legends of the page derive from this table.
The list does not depend on the sampling rate: what a rate or a block cannot give is NaN. Names are public
API; a change here is a change of the historian's schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.types import BEARING_DEFECTS

VELOCITY_BAND_HZ: Final = (10.0, 1000.0)
"""Broadband velocity of ISO 20816-1 and ISO 2954."""

VELOCITY_LOW_BAND_HZ: Final = (2.0, 1000.0)
"""The same from 2 Hz on, for machines below 600 r/min (ISO 20816-3)."""

LEVEL_BANDS_HZ: Final = ((1000.0, 2500.0), (2500.0, 5000.0), (5000.0, 10_000.0), (10_000.0, 20_000.0))
"""Octave-like bands where rolling bearings, lubrication and cavitation speak first."""

DEFAULT_BANDS: Final = (
    (500.0, 1000.0),
    (1000.0, 2500.0),
    (2500.0, 5000.0),
    (5000.0, 10_000.0),
    (10_000.0, 20_000.0),
)
"""Demodulation bands in Hz, all tried in parallel where nobody measured the resonance of the housing."""

USABLE_FRACTION: Final = 1 / 2.56
"""What an anti-aliasing filter leaves usable of the sampling rate (the convention of analysers)."""

SHAFT_ORDERS: Final = (1, 2, 3)
"""Multiples of the speed whose velocity is kept: unbalance, misalignment, looseness."""

SLOW_BELOW_HZ: Final = 10.0
"""600 r/min: below it the velocity band starts at 2 Hz (ISO 20816-3)."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature.

    `band` is in Hz, None where the feature uses the whole record or depends on the speed. `domain` is
    "time", "frequency", "order" or "envelope". `degree` is the power of the signal's unit in the feature:
    1 for a level, which a scale multiplies, 0 for a ratio or a count, which no scale changes.
    """

    name: str
    unit: str
    band: tuple[float, float] | None
    domain: str
    source: str
    doc: str
    degree: int = 1

    @property
    def needs_speed(self) -> bool:
        """Whether an unknown speed makes it NaN."""
        return self.domain in ("order", "envelope")


def _levels() -> tuple[FeatureSpec, ...]:
    velocity = "ISO 20816-1:2016; power (ENBW) corrected Hann spectrum, divided by 2πf"
    return (
        FeatureSpec(
            "velocity_rms_mm_s", "mm/s", VELOCITY_BAND_HZ, "frequency", velocity, "RMS velocity 10-1000 Hz"
        ),
        FeatureSpec(
            "velocity_rms_low_mm_s",
            "mm/s",
            VELOCITY_LOW_BAND_HZ,
            "frequency",
            velocity,
            "RMS velocity 2-1000 Hz, for machines below 600 r/min",
        ),
        FeatureSpec(
            "acceleration_rms_m_s2", "m/s²", None, "time", "sqrt(mean(a²)), mean removed", "RMS acceleration"
        ),
        FeatureSpec(
            "acceleration_peak_m_s2", "m/s²", None, "time", "max|a|, mean removed", "peak acceleration"
        ),
        FeatureSpec("crest_factor", "1", None, "time", "peak / RMS", "crest factor: √2 for a sine", degree=0),
        FeatureSpec(
            "kurtosis", "1", None, "time", "m4 / m2² (Pearson)", "kurtosis: 3 for gaussian noise", degree=0
        ),
    )


def _band_levels() -> tuple[FeatureSpec, ...]:
    return tuple(
        FeatureSpec(
            f"band_{low:.0f}_{high:.0f}_m_s2",
            "m/s²",
            (low, high),
            "frequency",
            "sqrt(ΣP) of the power (ENBW) corrected Hann spectrum",
            f"RMS acceleration {low:g}-{high:g} Hz",
        )
        for low, high in LEVEL_BANDS_HZ
    )


def _order_lines() -> tuple[FeatureSpec, ...]:
    return tuple(
        FeatureSpec(
            f"order_{order}x_mm_s",
            "mm/s",
            None,
            "order",
            "ΣP within max(2 bins, 1.5 %) of the line, divided by 2πf",
            f"RMS velocity at {order} x the speed",
        )
        for order in SHAFT_ORDERS
    )


def _defect_lines() -> tuple[FeatureSpec, ...]:
    source = "Randall & Antoni, MSSP 25 (2011) 485-520; lines of the squared envelope over their local median"
    score = "score of the {} lines: Σ log2(line / local median) over the harmonics, best demodulation band"
    count = "harmonics of {} that stand above the false-alarm threshold, same band"
    low = "lower edge of the demodulation band in which {} stood out most"
    return tuple(
        spec
        for name in BEARING_DEFECTS
        for spec in (
            FeatureSpec(
                f"{name}_bits", "bit", None, "envelope", source, score.format(name.upper()), degree=0
            ),
            FeatureSpec(
                f"{name}_harmonics", "1", None, "envelope", source, count.format(name.upper()), degree=0
            ),
            FeatureSpec(
                f"{name}_band_hz", "Hz", None, "envelope", source, low.format(name.upper()), degree=0
            ),
        )
    )


CATALOGUE: Final[tuple[FeatureSpec, ...]] = (*_levels(), *_band_levels(), *_order_lines(), *_defect_lines())

NAMES: Final[tuple[str, ...]] = tuple(spec.name for spec in CATALOGUE)
UNITS: Final[tuple[str, ...]] = tuple(spec.unit for spec in CATALOGUE)


def usable_hz(fs_hz: float) -> float:
    """The highest frequency that samples at `fs_hz` can be trusted for."""
    return fs_hz * USABLE_FRACTION
