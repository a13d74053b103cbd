"""What a calibration can't be made from."""

from __future__ import annotations


class CalibrationError(ValueError):
    """The sentence says what was found, what it must be, and what to do."""
