"""Data manipulation: from samples to features and spectra. See `catalogue` for what there is.

The names below are found on first use: who reads the catalogue alone (historian, page) does not pay for the
FFT (27 MB and a quarter of a second).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bands import DEFAULT_BANDS
from .catalogue import CATALOGUE, CORE
from .defects import leading_defect
from .spec import FeatureSpec

if TYPE_CHECKING:
    from .cepstra import cepstrum
    from .condition import condition_class, condition_number, impulsive, shock_duty, shock_kurtosis
    from .envelope import envelope_spectrum
    from .extractor import Extractor
    from .kinematics import Kinematics
    from .kurtograms import Kurtogram, kurtogram
    from .orders import order_spectrum, resample_to_angle
    from .peaks import line_amplitude
    from .quality import QualityNumbers, measure_quality
    from .spectra import power_spectrum, spectrum, thin_spectrum, velocity_rms
    from .speed import SpeedEstimate, estimate_speed, slip_speed_hz
    from .synchronous import fm4, gear_residual, synchronous_average
    from .temperature import TemperatureModel, rise_k, slopes_k_per_h
    from .trend import Slope, theil_sen

__all__ = [
    "CATALOGUE",
    "CORE",
    "DEFAULT_BANDS",
    "Extractor",
    "FeatureSpec",
    "Kinematics",
    "Kurtogram",
    "QualityNumbers",
    "Slope",
    "SpeedEstimate",
    "TemperatureModel",
    "cepstrum",
    "condition_class",
    "condition_number",
    "envelope_spectrum",
    "estimate_speed",
    "fm4",
    "gear_residual",
    "impulsive",
    "kurtogram",
    "leading_defect",
    "line_amplitude",
    "measure_quality",
    "order_spectrum",
    "power_spectrum",
    "resample_to_angle",
    "rise_k",
    "shock_duty",
    "shock_kurtosis",
    "slip_speed_hz",
    "slopes_k_per_h",
    "spectrum",
    "synchronous_average",
    "theil_sen",
    "thin_spectrum",
    "velocity_rms",
]

_NAMES = {
    "cepstra": ("cepstrum",),
    "condition": ("condition_class", "condition_number", "impulsive", "shock_duty", "shock_kurtosis"),
    "envelope": ("envelope_spectrum",),
    "extractor": ("Extractor",),
    "kinematics": ("Kinematics",),
    "kurtograms": ("Kurtogram", "kurtogram"),
    "orders": ("order_spectrum", "resample_to_angle"),
    "peaks": ("line_amplitude",),
    "quality": ("QualityNumbers", "measure_quality"),
    "spectra": ("power_spectrum", "spectrum", "thin_spectrum", "velocity_rms"),
    "speed": ("SpeedEstimate", "estimate_speed", "slip_speed_hz"),
    "synchronous": ("fm4", "gear_residual", "synchronous_average"),
    "temperature": ("TemperatureModel", "rise_k", "slopes_k_per_h"),
    "trend": ("Slope", "theil_sen"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
