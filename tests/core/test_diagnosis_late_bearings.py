"""The last stages of a bearing: its lines name it where the envelope has flattened, and explain the rest."""

from __future__ import annotations

import numpy as np
import pytest

from models.diagnosis import ChannelEvidence, Evidence, Fault, PointEvidence, diagnose
from tests.support.sick_cases import Finding, finding
from tests.support.sick_machines import SPEED_HZ, machine

BLOCKS = 5
SOUND = {
    "velocity_rms_mm_s": 2.0,
    "order_1x_mm_s": 1.6,
    "order_2x_mm_s": 0.4,
    "order_3x_mm_s": 0.3,
    "acceleration_rms_m_s2": 2.0,
    "band_250_500_m_s2": 0.3,
    "band_500_1000_m_s2": 0.5,
    "band_1000_2500_m_s2": 0.8,
    "band_5000_10000_m_s2": 1.0,
    "bpfi_m_s2": 0.05,
    "bpfi_harmonics": 1.0,
    "bpfi_modulation": 0.1,
    "bpfo_harmonics": 1.0,
    "kurtosis": 3.0,
}
SILENT = Finding(None, 0.3)
"""What the bearing rule says of blocks whose shocks overlap."""


def seen(findings: tuple[object, ...] = (SILENT,) * BLOCKS, **times: float) -> Evidence:
    """A machine whose features are so many times those of good health."""
    ratios = {name: np.full(BLOCKS, times.get(name, 1.0)) for name in SOUND}
    features = {name: ratios[name] * value for name, value in SOUND.items()}
    channel = ChannelEvidence("H", "H", features, ratios)
    point = PointEvidence(machine().points[0].id, (channel,), findings=findings)
    return Evidence((point,), BLOCKS, hours=np.arange(BLOCKS) / 6, speed_hz=np.full(BLOCKS, SPEED_HZ))


LATE = {
    "bpfi_m_s2": 50.0,
    "bpfi_harmonics": 5.0,
    "bpfi_modulation": 0.6,
    "acceleration_rms_m_s2": 5.0,
    "band_1000_2500_m_s2": 9.0,
    "band_5000_10000_m_s2": 3.0,
}


def named(evidence: Evidence) -> dict[Fault, float]:
    found = diagnose(machine(), evidence)
    assert isinstance(found, tuple)
    return {one.fault: one.confidence for one in found}


def test_lines_fifty_times_as_high_name_the_ring_that_the_envelope_no_longer_shows() -> None:
    assert named(seen(**LATE))[Fault.INNER_RING] > 0.8


@pytest.mark.parametrize(
    "other",
    [
        {"bpfi_m_s2": 12.0, "band_1000_2500_m_s2": 3.0},  # too little: a load may do that
        {"bpfi_harmonics": 2.0},  # one line is any line
        {"band_1000_2500_m_s2": 30.0},  # a floor that rose fills every place
    ],
)
def test_lines_that_are_not_a_spalls_name_no_bearing(other: dict[str, float]) -> None:
    assert Fault.INNER_RING not in named(seen(**(LATE | other)))


def test_a_shaft_that_moves_in_a_spalled_bearing_is_not_misaligned() -> None:
    shaken = LATE | {"order_2x_mm_s": 6.0, "order_3x_mm_s": 4.0, "velocity_rms_mm_s": 2.0}
    assert set(named(seen(**shaken))) == {Fault.INNER_RING}
    ring = (finding(Fault.OUTER_RING),) * BLOCKS
    assert Fault.MISALIGNMENT not in named(seen(ring, **(shaken | {"bpfi_m_s2": 1.0})))
    early = {"order_2x_mm_s": 6.0, "velocity_rms_mm_s": 2.0}
    both = named(seen(ring, **early))
    assert {Fault.OUTER_RING, Fault.MISALIGNMENT} <= set(both)  # an early spall explains no 2x
