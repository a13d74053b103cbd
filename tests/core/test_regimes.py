"""Regimes: what tells that a machine stands, turns or settles, and the bins of what runs."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.regimes import Regime, bin_codes, classify, relative_change

NAN = np.nan


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, Regime.UNKNOWN),
        ({"velocity_mm_s": 0.1}, Regime.UNKNOWN),  # a fine spindle, or nothing
        ({"velocity_mm_s": 0.1, "acceleration_m_s2": 0.01}, Regime.STOPPED),
        ({"velocity_mm_s": 0.1, "acceleration_m_s2": 0.1}, Regime.RUNNING),
        ({"velocity_mm_s": 0.15}, Regime.RUNNING),
        ({"velocity_mm_s": 0.1, "acceleration_m_s2": 0.1, "floor_m_s2": 0.05}, Regime.STOPPED),
        ({"velocity_mm_s": 0.1, "acceleration_m_s2": 0.01, "speed_hz": 0.2}, Regime.RUNNING),  # a kiln
        ({"velocity_mm_s": 3.0, "speed_hz": 0.0}, Regime.STOPPED),  # beside a running one
        ({"velocity_mm_s": 3.0, "current_share": 0.01}, Regime.STOPPED),
        ({"velocity_mm_s": 3.0, "speed_hz": 25.0, "current_share": 0.0}, Regime.RUNNING),  # runs down
        ({"velocity_mm_s": 3.0, "speed_hz": 0.0, "current_share": 0.0}, Regime.STOPPED),
        ({"velocity_mm_s": 3.0, "speed_hz": 0.0, "current_share": 0.8}, Regime.UNKNOWN),  # a dead pick-up
        ({"velocity_mm_s": 0.01, "acceleration_m_s2": 0.001, "current_share": 0.3}, Regime.RUNNING),
        ({"velocity_mm_s": 3.0, "speed_change": 0.02}, Regime.TRANSIENT),
        ({"velocity_mm_s": 3.0, "speed_change": -0.02}, Regime.TRANSIENT),
        ({"velocity_mm_s": 3.0, "speed_change": 0.01}, Regime.RUNNING),
        ({"velocity_mm_s": 3.0, "temperature_slope_k_per_h": 20, "since_start_h": 1}, Regime.TRANSIENT),
        ({"velocity_mm_s": 3.0, "temperature_slope_k_per_h": 20, "since_start_h": 30}, Regime.RUNNING),
        ({"velocity_mm_s": 3.0, "temperature_slope_k_per_h": 20}, Regime.RUNNING),
    ],
)
def test_a_regime_follows_from_what_is_known(known: dict[str, float], expected: Regime) -> None:
    assert classify(**known) == expected


def test_a_batch_is_as_its_blocks() -> None:
    rng = np.random.default_rng(1)
    v, a, s = 0.3 * rng.random(200), 0.05 * rng.random(200), np.where(rng.random(200) < 0.5, NAN, 10.0)
    assert classify(v, a, speed_hz=s).tolist() == [
        int(classify(*row, speed_hz=hz)) for *row, hz in zip(v, a, s, strict=True)
    ]


def test_only_near_blocks_tell_of_a_change() -> None:
    assert relative_change(11.0, 10.0, 30.0) == pytest.approx(1 / 11)
    assert relative_change(0.0, 0.0, 30.0) == 0
    assert np.isnan(relative_change([11.0, 11.0, NAN], [10.0, NAN, 10.0], [600.0, 30.0, 30.0])).all()


def test_bins_are_5_percent_wide_around_the_reference_and_thirds_of_the_load() -> None:
    speed = np.array([25.0, 25.5, 24.5, 26.0, 50.0, NAN])
    codes = bin_codes(speed, np.full(6, NAN), reference_hz=25.0, load_low=NAN, load_high=NAN)
    assert codes[0] == codes[1] == codes[2] == codes[5] == 0
    assert codes[3] == 3
    assert codes[4] == 3 * round(np.log(2) / np.log(1.05))
    load = np.array([0.0, 33.0, 34.0, 67.0, 100.0, 140.0])
    codes = bin_codes(np.full(6, 25.0), load, reference_hz=25.0, load_low=0.0, load_high=100.0)
    assert codes.tolist() == [0, 0, 1, 2, 2, 2]
