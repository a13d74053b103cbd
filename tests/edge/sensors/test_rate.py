"""The measured rate: right within some parts in a million, though looks come late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sensors.rate import RateMeter


def metered(true_hz: float, seconds: float, late_s: float, seed: int) -> RateMeter:
    """A meter after so long; looks each 10 ms are late by an exponential, and by 50 ms now and then."""
    chance = np.random.default_rng(seed)
    meter = RateMeter(26_667.0)
    for look in range(int(seconds * 100)):
        at_s = 5000.0 + look * 0.01
        held_up_s = chance.exponential(late_s) + (0.05 if chance.random() < 0.01 else 0.0)
        meter.note(int((at_s - 5000.0) * true_hz), at_s + held_up_s)
    return meter


@settings(max_examples=15, deadline=None)
@given(st.floats(0.93, 1.07), st.integers(0, 1000))
def test_it_is_right_within_20_ppm_after_half_a_minute(stray: float, seed: int) -> None:
    true_hz = 26_667.0 * stray
    meter = metered(true_hz, 30.0, 0.0002, seed)
    assert meter.fs_hz == pytest.approx(true_hz, rel=20e-6)
    assert meter.time_of(int(30.0 * true_hz)) == pytest.approx(5030.0, abs=0.001)


def test_before_it_knows_it_gives_the_nominal_rate() -> None:
    meter = metered(26_000.0, 1.5, 0.0, 1)
    assert not meter.measured
    assert meter.fs_hz == 26_667.0


def test_after_a_gap_it_keeps_the_rate_and_begins_a_new_line() -> None:
    meter = metered(26_000.0, 10.0, 0.0, 1)
    meter.cut()
    meter.note(1_000_000, 6000.0)
    assert meter.fs_hz == pytest.approx(26_000.0, rel=1e-4)
    assert meter.time_of(1_026_000) == pytest.approx(6001.0, abs=1e-3)
