"""Data manipulation: from samples to features and spectra. See `catalogue` for what there is.

The names below are found on first use: who reads the catalogue alone (historian, page) does not pay for the
FFT (27 MB and a quarter of a second).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalogue import CATALOGUE, DEFAULT_BANDS, FeatureSpec
from .defects import leading_defect

if TYPE_CHECKING:
    from .envelope import envelope_spectrum
    from .extractor import Extractor
    from .spectra import spectrum, thin_spectrum, velocity_rms

__all__ = [
    "CATALOGUE",
    "DEFAULT_BANDS",
    "Extractor",
    "FeatureSpec",
    "envelope_spectrum",
    "leading_defect",
    "spectrum",
    "thin_spectrum",
    "velocity_rms",
]

_HOMES = {
    "Extractor": "extractor",
    "envelope_spectrum": "envelope",
    "spectrum": "spectra",
    "thin_spectrum": "spectra",
    "velocity_rms": "spectra",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
