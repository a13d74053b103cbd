"""A shaker's tone: level and frequency to a fraction of a percent, and what is no tone is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import CalibrationError, measure_tone
from models.calibration.tone import HANDHELD_HZ

FS_HZ = 25_600.0


def tone(
    hz: float = HANDHELD_HZ,
    rms: float = 10.0,
    *,
    seconds: float = 1.0,
    fs_hz: float = FS_HZ,
    noise: float = 0.1,
    phase: float = 0.4,
) -> np.ndarray:
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    clean = np.sqrt(2) * rms * np.sin(2 * np.pi * hz * t + phase)
    return 3.0 + clean + noise * np.random.default_rng(1).standard_normal(t.size)


@settings(max_examples=30)
@given(
    rms=st.floats(7.0, 14.0),
    hz=st.floats(157.0, 161.5),
    seconds=st.floats(0.5, 1.3),
    phase=st.floats(0, 6.3),
)
def test_level_and_frequency_are_found(rms: float, hz: float, seconds: float, phase: float) -> None:
    found = measure_tone(tone(hz, rms, seconds=seconds, phase=phase), FS_HZ)
    assert found.rms_m_s2 == pytest.approx(rms, rel=1e-3)
    assert found.frequency_hz == pytest.approx(hz, rel=1e-4)
    assert found.gain * rms == pytest.approx(10.0, rel=1e-3)
    assert found.share > 0.99


@pytest.mark.parametrize(
    ("samples", "reference_hz", "sentence"),
    [
        (tone(seconds=0.05), HANDHELD_HZ, "too short"),
        (tone(200.0), HANDHELD_HZ, "no pure tone of 159.155 Hz: the strongest line is at 200.0 Hz"),
        (tone(noise=4.0), HANDHELD_HZ, "no pure tone"),
        (np.zeros(25_600), HANDHELD_HZ, "no pure tone"),
        (np.clip(tone(noise=0.01), -50.0, 14.5), HANDHELD_HZ, "the tone is cut off"),
        (tone(rms=1.0, noise=0.01), HANDHELD_HZ, "reads 1 m/s² where the reference is 10"),
        (tone(), 12_000.0, "can't be measured at 25600"),
        (np.full(5000, np.inf), HANDHELD_HZ, "finite numbers"),
    ],
)
def test_what_is_no_reference_is_refused(samples: np.ndarray, reference_hz: float, sentence: str) -> None:
    with pytest.raises(CalibrationError, match=sentence):
        measure_tone(samples, FS_HZ, reference_hz=reference_hz)
