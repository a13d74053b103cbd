"""Which plots stand for which fault, and how far a spectrum is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from models.diagnosis.types import Fault
from palier.plant import load_sample_plant
from palier.report.evidence import ENVELOPE, TEMPERATURE, VELOCITY, evidence_of, to_last_marker
from palier.report.found import SpectrumFound

RPM = 890.0


@pytest.mark.parametrize(
    ("fault", "mode", "spectrum", "trend"),
    [
        (Fault.OUTER_RING, "vibration", "envelope_m_s2", ENVELOPE),
        (Fault.UNBALANCE, "vibration", "velocity_mm_s", VELOCITY),
        (Fault.LUBRICATION, "", "acceleration_m_s2", TEMPERATURE),
        ("", "temperature", "acceleration_m_s2", TEMPERATURE),
        ("", "vibration", "velocity_mm_s", VELOCITY),
        ("of_another_version", "", "velocity_mm_s", VELOCITY),
    ],
)
def test_a_fault_is_shown_where_it_shows(fault: str, mode: str, spectrum: str, trend: str) -> None:
    shown = evidence_of(fault, mode)
    assert shown.spectrum == spectrum
    assert trend in shown.trends


def test_a_spectrum_ends_behind_its_last_marker() -> None:
    pump = load_sample_plant().machine("P-101")
    assert pump is not None
    hz = np.arange(1, 4001, dtype=np.float64)
    one = SpectrumFound(("1", "H"), "envelope_m_s2", 0, hz, np.ones_like(hz), of_waveform=True)
    shown = to_last_marker(one, pump, pump.points[0], RPM)
    bpfi = pump.points[0].bearing.orders[1] if pump.points[0].bearing else 0.0
    assert 5 * bpfi * RPM / 60 < shown.frequency_hz[-1] < 1.2 * 5 * bpfi * RPM / 60
    assert to_last_marker(one, pump, pump.points[0], None) is one
