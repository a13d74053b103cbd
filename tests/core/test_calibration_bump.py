"""Knocks on a standing machine: the resonance they agree on, and the band worth demodulating there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import Bump, CalibrationError, demodulation_band, resonance

FS_HZ = 25_600.0
LINE_HZ = 10.0  # what the length of a knock leaves of the resolution


def knocks(
    *hz: float, damping: float = 0.02, noise: float = 0.05, seconds: float | None = None, seed: int = 0
) -> np.ndarray:
    """A knock each half second, ringing at these frequencies one after the other."""
    rng = np.random.default_rng(seed)
    n = round((seconds or 0.5 * len(hz) + 0.5) * FS_HZ)
    x = noise * rng.standard_normal(n)
    for i, one in enumerate(hz):
        start = round((0.2 + 0.5 * i) * FS_HZ)
        t = np.arange(n - start) / FS_HZ
        level = rng.uniform(20, 80)
        x[start:] += level * np.exp(-damping * 2 * np.pi * one * t) * np.sin(2 * np.pi * one * t)
    return x


@settings(max_examples=30)
@given(hz=st.floats(900, 9000), damping=st.floats(0.01, 0.05), seed=st.integers(0, 99))
def test_the_resonance_is_found(hz: float, damping: float, seed: int) -> None:
    found = resonance(knocks(*[hz] * 5, damping=damping, seed=seed), FS_HZ)
    assert found.frequency_hz == pytest.approx(hz, rel=0.02)
    assert found.damping == pytest.approx(damping, rel=0.3, abs=2 * LINE_HZ / hz)
    assert found.found == found.knocks == 5


def test_one_knock_that_rings_elsewhere_does_not_matter() -> None:
    found = resonance(knocks(4200, 4200, 1300, 4250, 4180), FS_HZ)
    assert found.frequency_hz == pytest.approx(4200, rel=0.02)
    assert (found.knocks, found.found) == (4, 5)


def test_nothing_above_the_usable_band_is_looked_at() -> None:
    both = knocks(*[6000] * 4) + 0.05 * knocks(*[1500] * 4)
    assert resonance(both, FS_HZ).frequency_hz == pytest.approx(6000, rel=0.02)
    assert resonance(both, FS_HZ, usable_hz=2000).frequency_hz == pytest.approx(1500, rel=0.02)


@pytest.mark.parametrize(
    ("samples", "options", "sentence"),
    [
        (knocks(4200, 4200), {}, "2 knocks were found, 3 are needed"),
        (np.random.default_rng(0).standard_normal(50_000), {}, "0 knocks"),
        (np.zeros(50_000), {}, "0 knocks"),
        (knocks(1500, 4200, 2500, 7000), {}, "the knocks disagree"),
        (knocks(4200, 4200, 4200), {"usable_hz": 800.0}, "only 800 Hz are usable"),
        (np.full(50_000, np.nan), {}, "finite numbers"),
    ],
)
def test_what_tells_nothing_is_refused(samples: np.ndarray, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(CalibrationError, match=sentence):
        resonance(samples, FS_HZ, **options)


@pytest.mark.parametrize(
    "below",
    [
        lambda t: 100 * np.exp(-t),  # an IEPE sensor's bias that settles
        lambda t: 20 * np.sin(2 * np.pi * 50 * t),  # hum
        lambda t: 8 * np.exp(-((t - 0.2) % 0.5) / 0.5) * np.sin(2 * np.pi * 15 * t),  # a machine on rubber
    ],
)
def test_what_moves_slowly_does_not_hide_the_knocks(below: Callable[[np.ndarray], np.ndarray]) -> None:
    x = knocks(*[4200] * 5)
    found = resonance(x + below(np.arange(x.size) / FS_HZ), FS_HZ)
    assert found.frequency_hz == pytest.approx(4200, rel=0.02)
    assert found.knocks == 5


def test_three_of_twenty_that_agree_by_chance_are_no_resonance() -> None:
    rings = np.random.default_rng(1).uniform(900, 9000, 17)
    with pytest.raises(CalibrationError, match="the knocks disagree"):
        resonance(knocks(*rings, 3500, 3500, 3500), FS_HZ)


BUMP = Bump(4200.0, 0.02, 5, 5)


def test_the_band_holds_five_harmonics_of_the_inner_ring() -> None:
    low, high = demodulation_band(BUMP, fs_hz=FS_HZ, bpfi_hz=150.0, speed_hz=25.0)
    assert high - low == pytest.approx(5 * 150 + 2 * 25)
    assert low < 4200 < high


def test_without_a_bearing_it_is_an_octave() -> None:
    low, high = demodulation_band(BUMP, fs_hz=FS_HZ)
    assert (high - low) / 4200 == pytest.approx(2**0.5 - 2**-0.5)


def test_it_moves_down_where_the_usable_range_ends_and_is_refused_where_no_room_is_left() -> None:
    low, high = demodulation_band(BUMP, fs_hz=FS_HZ, usable_hz=4300.0, bpfi_hz=150.0, speed_hz=25.0)
    assert (high, high - low) == pytest.approx((4300, 800))
    with pytest.raises(CalibrationError, match="no room for 3 harmonics"):
        demodulation_band(Bump(900.0, 0.02, 5, 5), fs_hz=4000.0, bpfi_hz=400.0)
