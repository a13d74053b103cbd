"""Order tracking: what is locked to the shaft is a line of its own amplitude, whatever the speed does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features.angle import check_profile
from models.features.orders import FEWEST_TURNS, order_spectrum, resample_to_angle
from models.features.peaks import line_amplitude
from models.features.spectra import spectrum

FS, N = 25_600.0, 51_200
T = np.arange(N) / FS
LAST = T[-1]
SPEED = 25.0

Array = np.ndarray[Any, Any]


def ramp(share: float = 0.1) -> tuple[Array, Array]:
    """Turns at every sample of a speed that rises by `share`, and the two speeds at its ends."""
    return SPEED * (T + share * T * T / (2 * LAST)), np.array([[SPEED, SPEED * (1 + share)]])


def line(turns: Array, order: float, amplitude: float = 2.0) -> Array:
    return (amplitude * np.sin(2 * np.pi * order * turns + 0.4)).astype(np.float32)[None]


@pytest.mark.parametrize("order", [1.0, 3.585, 7.3, 9.9])
def test_a_line_of_the_shaft_keeps_its_amplitude_while_the_speed_rises_by_a_tenth(order: float) -> None:
    turns, speed = ramp()
    x = line(turns, order)
    orders, amplitude = order_spectrum(x, FS, speed, max_order=10)
    found, height = line_amplitude(orders, amplitude, order, 0.2)
    assert height[0] == pytest.approx(2.0, rel=1e-3)
    assert found[0] == pytest.approx(order, abs=1e-4)
    if order > 2:  # the plain spectrum smears it
        assert spectrum(x, FS)[1].max() < 1.2


def test_at_the_highest_order_the_spline_leaves_less_than_minus_60_db_beside_the_line() -> None:
    turns, speed = ramp()
    orders, amplitude = order_spectrum(line(turns, 60.0), FS, speed, max_order=60)
    beside = amplitude[0][np.abs(orders - 60) > 0.6]
    assert amplitude[0].max() == pytest.approx(2.0, rel=1e-3)
    assert 20 * math.log10(beside.max() / 2) < -60


@pytest.mark.parametrize("order", [27.0, 37.3, 54.0, 140.0, 380.0])
@pytest.mark.parametrize("share", [0.0, 0.8])
def test_what_lies_above_the_highest_order_does_not_fold_down(order: float, share: float) -> None:
    turns, speed = ramp(share)
    if order * speed.max() > FS / 2:
        order = FS / 2 / speed.max() - 5
    orders, amplitude = order_spectrum(line(turns, order), FS, speed, max_order=20)
    assert 20 * math.log10(amplitude[0][orders < 19.7].max() / 2) < -55


def test_angles_hold_what_the_shaft_does_there() -> None:
    """Against the signal's own formula at those angles: x = sin(2π·o·θ), θ = start + j / per_turn."""
    turns, speed = ramp()
    angles = resample_to_angle(line(turns, 4.0), FS, speed, max_order=10)[0]
    assert angles.shape[0] == 50  # of 52.5 turns, 5-smooth and even
    per_turn = angles.shape[1]
    margin = 10 / (10 * speed.max())
    start = SPEED * (margin + 0.1 * margin**2 / (2 * LAST))
    expected = 2 * np.sin(2 * np.pi * 4 * (start + np.arange(angles.size) / per_turn) + 0.4)
    np.testing.assert_allclose(angles.ravel(), expected, atol=2e-3)


@given(
    speeds=hnp.arrays(np.float64, (3, 5), elements=st.floats(10, 19)),
    gaps=hnp.arrays(np.float64, (5,), elements=st.floats(0.01, 0.6)),
    per_turn=st.integers(1, 64),
)
@settings(max_examples=60, deadline=None)
def test_moments_undo_angles(speeds: Array, gaps: Array, per_turn: int) -> None:
    profile = check_profile(speeds, np.cumsum(gaps) - gaps[0], 3, 2.0)
    start = profile.angle_at(np.array([0.0, 0.1, 0.3]))
    count = 15 * per_turn
    moments = profile.moments(start, per_turn, count)
    assert (np.diff(moments, axis=1) > 0).all()
    for j in (0, 1, count // 2, count - 1):
        np.testing.assert_allclose(profile.angle_at(moments[:, j]), start + j / per_turn, atol=1e-9)


def test_a_profile_may_have_its_own_moments_and_is_held_outside() -> None:
    speed = np.where(T < 0.5, 20.0, np.where(T < 1.5, 20 + 4 * (T - 0.5), 24.0))
    turns = np.concatenate(([0], np.cumsum((speed[1:] + speed[:-1]) / 2) / FS))
    x = line(turns, 3.0)
    for at in (np.array([0.5, 1.5]), np.array([[0.5, 1.5]])):
        orders, amplitude = order_spectrum(x, FS, np.array([[20.0, 24.0]]), max_order=10, at_s=at)
        assert amplitude[0, np.argmin(np.abs(orders - 3))] == pytest.approx(2.0, rel=1e-3)


def test_rows_have_their_own_speeds_and_as_many_turns_as_the_slowest() -> None:
    speeds = np.array([12.0, 25.0, np.nan, 0.0, 2.0, 50.0])
    x = np.concatenate([line(np.nan_to_num(f) * T, 2.0) for f in speeds])
    orders, amplitude = order_spectrum(x, FS, speeds, max_order=10)
    assert orders[1] == pytest.approx(1 / 20)  # 12 Hz for 2 s, less its margins: 20 is 5-smooth
    read = amplitude[:, np.argmin(np.abs(orders - 2))]
    np.testing.assert_allclose(read[[0, 1, 5]], 2.0, rtol=2e-3)
    assert np.isnan(amplitude[[2, 3, 4]]).all()
    fixed, asked = order_spectrum(x, FS, speeds, max_order=10, turns=40)
    assert fixed[1] == pytest.approx(1 / 40)
    assert np.isnan(asked[0]).all()
    assert np.isfinite(asked[[1, 5]]).all()


def test_a_run_up_is_not_one_block() -> None:
    x = line(SPEED * T, 2.0)
    assert np.isnan(order_spectrum(x, FS, np.array([[10.0, 20.1]]), max_order=5)[1]).all()
    assert np.isfinite(order_spectrum(x, FS, np.array([[10.0, 20.0]]), max_order=5)[1]).all()


def test_no_row_that_can_be_read_gives_rows_of_nan() -> None:
    angles = resample_to_angle(line(T, 2.0), FS, np.nan, max_order=5)
    assert angles.shape[:2] == (1, FEWEST_TURNS)
    assert np.isnan(angles).all()


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_scales_kinds_bad_rows_and_the_callers_samples(kind: type) -> None:
    turns, speed = ramp()
    x = np.rint(np.tile(line(turns, 3.0, 2000.0), (3, 1))).astype(kind)
    if kind is np.float32:
        x[1, 7] = np.inf
    before = x.copy()
    speed = np.tile(speed, (3, 1))
    kept = speed.copy()
    orders, amplitude = order_spectrum(x, FS, speed, max_order=10, scale=np.array([1e-3, 1.0, -2e-3]))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(speed, kept)
    read = amplitude[:, np.argmin(np.abs(orders - 3))]
    np.testing.assert_allclose(read[[0, 2]], (2.0, 4.0), rtol=2e-3)
    assert np.isnan(amplitude[1]).all() == (kind is np.float32)


def test_a_batch_is_its_rows() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((9, N)).astype(np.float32)
    speeds = rng.uniform(20, 30, (9, 6))
    _, whole = order_spectrum(x, FS, speeds, max_order=8, turns=32)
    for row in (0, 4, 8):
        _, alone = order_spectrum(x[row : row + 1], FS, speeds[row : row + 1], max_order=8, turns=32)
        np.testing.assert_allclose(alone[0], whole[row], atol=2e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_order": 401}, r"max_order 401 must stay below 10000 Hz"),
        ({"max_order": 0.5}, "max_order must be 1 or more"),
        ({"max_order": math.nan}, "max_order must be 1 or more"),
        ({"speed_hz": -1.0}, "speed_hz must be 0 or more, .* got -1"),
        ({"speed_hz": np.array([[25.0, math.inf]])}, "speed_hz must be 0 or more, .* got inf"),
        ({"speed_hz": np.ones((1, 1))}, "at least 2 speeds"),
        ({"speed_hz": np.ones(3)}, "speed_hz must be one number"),
        ({"at_s": [0.0, 1.0]}, "at_s goes with speeds"),
        ({"speed_hz": np.ones((1, 3)), "at_s": [0.0, 1.0]}, "at_s must be the moments"),
        ({"speed_hz": np.ones((1, 2)), "at_s": [1.0, 1.0]}, "at_s must be finite and rise, got 1"),
        ({"turns": 7}, "turns must be a whole number of at least 8"),
        ({"scale": 0.0}, "scale must be"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    given_ = {"speed_hz": SPEED, "max_order": 10.0} | arguments
    with pytest.raises(ValueError, match=sentence):
        order_spectrum(np.zeros((1, N), dtype=np.float32), FS, **given_)


def test_a_scale_beyond_float32_is_infinite_without_a_word() -> None:
    angles = resample_to_angle(line(SPEED * T, 2.0), FS, SPEED, max_order=5, scale=1e300)
    assert np.isinf(angles).any()
