"""The catalogue: every feature's name, unit, band, what it needs and its source, once.

Names and units of the extractor, columns of the historian and legends of the page derive from this table.
The list does not depend on the sampling rate: what a rate or a block cannot give is NaN. Names are public
API; a change here is a change of the historian's schema. The formulas stand in full in docs/features.md.
"""

from __future__ import annotations

from typing import Final

from models.types import BEARING_DEFECTS

from .bands import (
    DEFAULT_BANDS,
    ENVELOPE_BAND_HZ,
    LEVEL_BANDS_HZ,
    MESH_HARMONICS,
    SHAFT_ORDERS,
    VDI_BAND_HZ,
    VELOCITY_BAND_HZ,
    VELOCITY_LOW_BAND_HZ,
)
from .spec import FeatureSpec

_POWER = "power (ENBW) corrected Hann spectrum P"
_VELOCITY = f"ISO 20816-1:2016; √ΣP/(2πf)², {_POWER}"
_VDI = "VDI 3832:2013"
_RANDALL = "Randall & Antoni, MSSP 25 (2011) 485-520"
_LINES = f"√ΣP within max(2 bins, 2.5 %) of the first 3 harmonics; {_POWER}"
_MODULATION = "√Σ of the squared envelope's lines within max(2 bins, 2.5 %) of 3 harmonics, over its mean"
_SER = "sideband energy ratio: Σ of 6 sidebands' amplitudes on each side over that of the mesh line"
_ORDER = "√ΣP/(2πf)² within max(2 bins, 1.5 %) of the line"

CATALOGUE: Final[tuple[FeatureSpec, ...]] = (
    # Read from the samples, mean removed.
    FeatureSpec("mean_m_s2", "m/s²", None, "time", "mean: the sensor's offset", "Σa / n"),
    FeatureSpec("acceleration_rms_m_s2", "m/s²", None, "time", "RMS acceleration", "√(Σa²/n)"),
    FeatureSpec("acceleration_peak_m_s2", "m/s²", None, "time", "peak acceleration", "max|a|"),
    FeatureSpec("peak_to_peak_m_s2", "m/s²", None, "time", "peak-to-peak acceleration", "max a - min a"),
    FeatureSpec("crest_factor", "1", None, "time", "crest factor: √2 for a sine", "peak / RMS", degree=0),
    FeatureSpec("skewness", "1", None, "time", "skewness: 0 for a symmetric signal", "m3 / m2^1.5", degree=0),
    FeatureSpec("kurtosis", "1", None, "time", "kurtosis: 3 for gaussian noise", "m4 / m2²", degree=0),
    FeatureSpec(
        "kurtosis_quarters",
        "1",
        None,
        "time",
        "kurtosis that one single shock does not move",
        "median of the kurtosis of the four quarters of the block",
        degree=0,
    ),
    # Weighted sums of the power spectrum.
    FeatureSpec(
        "velocity_rms_mm_s", "mm/s", VELOCITY_BAND_HZ, "frequency", "RMS velocity 10-1000 Hz", _VELOCITY
    ),
    FeatureSpec(
        "velocity_rms_low_mm_s",
        "mm/s",
        VELOCITY_LOW_BAND_HZ,
        "frequency",
        "RMS velocity 2-1000 Hz, for machines below 600 r/min",
        _VELOCITY,
    ),
    *(
        FeatureSpec(
            f"band_{low:.0f}_{high:.0f}_m_s2",
            "m/s²",
            (low, high),
            "frequency",
            f"RMS acceleration {low:g}-{high:g} Hz",
            f"√ΣP, {_POWER}",
        )
        for low, high in LEVEL_BANDS_HZ
    ),
    FeatureSpec(
        "acceleration_rms_usable_m_s2",
        "m/s²",
        None,
        "frequency",
        "RMS acceleration from 2 Hz to what the filter leaves usable",
        f"√ΣP, {_POWER}",
    ),
    FeatureSpec(
        "spectral_centroid_hz",
        "Hz",
        None,
        "frequency",
        "centre of gravity of the power spectrum from 2 Hz to what the filter leaves usable",
        f"ΣfP / ΣP, {_POWER}",
        degree=0,
    ),
    FeatureSpec(
        "displacement_rms_um",
        "µm",
        VELOCITY_BAND_HZ,
        "frequency",
        "RMS displacement 10-1000 Hz",
        f"ISO 20816-3:2022; √ΣP/(2πf)⁴, {_POWER}",
    ),
    FeatureSpec(
        "displacement_rms_low_um",
        "µm",
        VELOCITY_LOW_BAND_HZ,
        "frequency",
        "RMS displacement 2-1000 Hz, which governs below 600 r/min",
        f"ISO 20816-3:2022; √ΣP/(2πf)⁴, {_POWER}",
    ),
    # Waveforms of a band, without the first and the last tenth of the block.
    FeatureSpec(
        "displacement_pp_um",
        "µm",
        VELOCITY_BAND_HZ,
        "frequency",
        "peak-to-peak displacement 10-1000 Hz",
        "max - min of the inverse FFT of -A/(2πf)², 10 % tapers dropped",
    ),
    FeatureSpec(
        "displacement_pp_low_um",
        "µm",
        VELOCITY_LOW_BAND_HZ,
        "frequency",
        "peak-to-peak displacement 2-1000 Hz",
        "max - min of the inverse FFT of -A/(2πf)², 10 % tapers dropped",
    ),
    FeatureSpec(
        "band_1000_10000_m_s2", "m/s²", VDI_BAND_HZ, "frequency", "RMS acceleration 1-10 kHz", f"{_VDI}; √ΣP"
    ),
    FeatureSpec(
        "peak_1000_10000_m_s2",
        "m/s²",
        VDI_BAND_HZ,
        "frequency",
        "peak acceleration 1-10 kHz",
        f"{_VDI}; max|a| of the inverse FFT, Hann window divided out",
    ),
    *(
        FeatureSpec(
            f"kurtosis_{low:.0f}_{high:.0f}",
            "1",
            (low, high),
            "frequency",
            f"kurtosis of what lies in {low:g}-{high:g} Hz: 3 for gaussian noise, 1.5 for a tone",
            "1.5 E|z|⁴ / (E|z|²)² of the band's analytic signal z (Antoni, MSSP 20 (2006) 282-307)",
            degree=0,
        )
        for low, high in DEFAULT_BANDS
    ),
    # Lines of the shaft.
    *(
        FeatureSpec(
            f"order_{order:g}x_mm_s".replace(".", "_"),
            "mm/s",
            None,
            "order",
            f"RMS velocity at {order:g} x the speed",
            _ORDER,
            needs=("speed",),
        )
        for order in SHAFT_ORDERS
    ),
    FeatureSpec(
        "order_whirl_mm_s",
        "mm/s",
        None,
        "order",
        "RMS velocity from 0.38 to 0.48 x the speed: whirl of plain bearings",
        "√ΣP/(2πf)² between the two orders",
        needs=("speed",),
    ),
    FeatureSpec(
        "synchronous_ratio",
        "1",
        None,
        "order",
        "velocity energy at the integer orders 1-10 over all the rest from 0.2 x to 10.5 x",
        "Σ at the lines / Σ between them of P/(2πf)²",
        degree=0,
        needs=("speed",),
    ),
    # Gears, vanes, belts, supply.
    *(
        FeatureSpec(
            f"mesh_{k}x_m_s2",
            "m/s²",
            None,
            "order",
            f"RMS acceleration at {k} x the gear mesh",
            f"√ΣP of the line; {_POWER}",
            needs=("speed", "mesh"),
        )
        for k in range(1, MESH_HARMONICS + 1)
    ),
    *(
        FeatureSpec(name, unit, None, "order", doc.format(shaft), source, degree, ("speed", "mesh", *more))
        for shaft, more in (("driving", ()), ("driven", ("driven",)))
        for name, unit, doc, source, degree in (
            (
                f"sidebands_{shaft}_m_s2",
                "m/s²",
                "RMS acceleration of the sidebands of the mesh at the speed of the {} shaft",
                "√ΣP of 6 sidebands on each side",
                1,
            ),
            (f"sideband_ratio_{shaft}", "1", "sidebands of the {} shaft over the mesh line", _SER, 0),
        )
    ),
    FeatureSpec(
        "cepstrum_driving",
        "1",
        None,
        "cepstrum",
        "rahmonic at one turn of the driving shaft (of the point's shaft where there is no gear)",
        "irfft of ln|X|, floor 10⁻² of the median power; highest within 1.5 % of the quefrency",
        degree=0,
        needs=("speed",),
    ),
    FeatureSpec(
        "cepstrum_driven",
        "1",
        None,
        "cepstrum",
        "rahmonic at one turn of the driven shaft",
        "irfft of ln|X|, floor 10⁻² of the median power; highest within 1.5 % of the quefrency",
        degree=0,
        needs=("speed", "driven"),
    ),
    FeatureSpec(
        "vane_pass_mm_s",
        "mm/s",
        None,
        "order",
        "RMS velocity at the passing of vanes or blades",
        _ORDER,
        needs=("speed", "vanes"),
    ),
    FeatureSpec(
        "belt_mm_s",
        "mm/s",
        None,
        "order",
        "RMS velocity at the belt's turns, once and twice",
        f"{_ORDER}, both lines",
        needs=("speed", "belt"),
    ),
    FeatureSpec(
        "twice_supply_mm_s",
        "mm/s",
        None,
        "order",
        "RMS velocity at twice the frequency of the supply, told apart from the orders of the shaft",
        "√ΣP/(2πf)² within 2 bins; the block lasts 4 s or more",
        needs=("supply",),
    ),
    FeatureSpec(
        "pole_pass_mm_s",
        "mm/s",
        None,
        "order",
        "RMS velocity of the sidebands of the speed at the pole pass frequency: rotor bars",
        "√ΣP/(2πf)² of both sidebands; the block lasts 4 s or more",
        needs=("speed", "pole_pass"),
    ),
    # Defects of the bearing, as levels in one fixed band.
    *(
        FeatureSpec(
            f"{name}_m_s2",
            "m/s²",
            None,
            "order",
            f"RMS acceleration of the first lines of {name.upper()} in the spectrum",
            _LINES,
            needs=("speed", "orders"),
        )
        for name in BEARING_DEFECTS
    ),
    FeatureSpec(
        "envelope_rms_m_s2",
        "m/s²",
        ENVELOPE_BAND_HZ,
        "envelope",
        "RMS acceleration of the band that is demodulated",
        "√(E|z|²/2) of its analytic signal z",
    ),
    FeatureSpec(
        "envelope_modulation",
        "1",
        ENVELOPE_BAND_HZ,
        "envelope",
        "modulation of the squared envelope to 1500 Hz, over its mean: 0 for a tone",
        _RANDALL,
        degree=0,
    ),
    *(
        FeatureSpec(
            f"{name}_modulation",
            "1",
            ENVELOPE_BAND_HZ,
            "envelope",
            f"modulation of the squared envelope at the first lines of {name.upper()}, over its mean",
            f"{_RANDALL}; {_MODULATION}",
            degree=0,
            needs=("speed", "orders"),
        )
        for name in BEARING_DEFECTS
    ),
    # Defects of the bearing, searched as combs in all demodulation bands.
    *(
        FeatureSpec(
            f"{name}_{what}",
            unit,
            None,
            "envelope",
            doc.format(name.upper()),
            f"{_RANDALL}; lines of the squared envelope over their local median",
            degree=0,
            needs=("speed", "orders"),
        )
        for name in BEARING_DEFECTS
        for what, unit, doc in (
            (
                "bits",
                "bit",
                "score of the {} lines: Σ max(0, log2(line / local median)), best demodulation band",
            ),
            ("harmonics", "1", "harmonics of {} that stand above the false-alarm threshold, same band"),
            ("band_hz", "Hz", "lower edge of the demodulation band in which {} stood out most"),
        )
    ),
    # Whether the samples can be trusted at all.
    FeatureSpec(
        "clipped_fraction",
        "1",
        None,
        "quality",
        "share of the samples at the ends of the range, or in flat tops",
        "count / n",
        degree=0,
    ),
    FeatureSpec("longest_hold", "1", None, "quality", "longest run of identical samples", "count", degree=0),
    FeatureSpec("spikes", "1", None, "quality", "isolated impulses of one or two samples", "count", degree=0),
    FeatureSpec(
        "ski_slope",
        "1",
        (2.0, 8.0),
        "quality",
        "slope of the velocity spectrum 2-8 Hz on logarithmic axes: below -1.5 the sensor is settling",
        "least squares of log √P/(2πf) on log f",
        degree=0,
    ),
    FeatureSpec(
        "ski_ratio",
        "1",
        (2.0, 1000.0),
        "quality",
        "velocity energy 2-10 Hz over that of 10-1000 Hz",
        "ΣP/(2πf)² / ΣP/(2πf)²",
        degree=0,
    ),
)

NAMES: Final[tuple[str, ...]] = tuple(spec.name for spec in CATALOGUE)
UNITS: Final[tuple[str, ...]] = tuple(spec.unit for spec in CATALOGUE)

CORE: Final[tuple[str, ...]] = (
    *NAMES[:7],
    *(f"band_{low:.0f}_{high:.0f}_m_s2" for low, high in LEVEL_BANDS_HZ[:8]),
    "velocity_rms_mm_s",
    "acceleration_rms_usable_m_s2",
    "spectral_centroid_hz",
    *(f"{name}_m_s2" for name in BEARING_DEFECTS),
    "envelope_rms_m_s2",
    "envelope_modulation",
    *(f"{name}_modulation" for name in BEARING_DEFECTS),
)
"""The 28 features that trends and detectors stand on, at the cost of two FFTs of the block."""
