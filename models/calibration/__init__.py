"""Calibration: what a sensor's counts are worth, and where its housing rings. Pure: samples in, answers out.

A refusal is a `CalibrationError`, a sentence: what was found, what it must be, what to do.
"""

from __future__ import annotations

from .bump import Bump, demodulation_band, resonance
from .refusal import CalibrationError
from .static import Pose, Static, pose, solve
from .tone import Tone, measure_tone

__all__ = [
    "Bump",
    "CalibrationError",
    "Pose",
    "Static",
    "Tone",
    "demodulation_band",
    "measure_tone",
    "pose",
    "resonance",
    "solve",
]
