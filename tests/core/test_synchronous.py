"""Averages of turns: noise falls with their root, a cracked tooth stands out of the residual."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from models.features.synchronous import fm4, gear_residual, synchronous_average

FS, N = 25_600.0, 102_400
T = np.arange(N) / FS
SPEED, TEETH = 24.683, 23

Array = np.ndarray[Any, Any]


def ramp(share: float = 0.05) -> tuple[Array, Array]:
    """Turns at every sample of a speed that rises by `share`, and the two speeds at its ends."""
    return SPEED * (T + share * T * T / (2 * T[-1])), np.array([[SPEED, SPEED * (1 + share)]])


def gear(turns: Array, *, crack: float = 0.0, noise: float = 1.0, seed: int = 0) -> Array:
    """Three mesh harmonics, eccentricity at once a turn, noise; a crack is one short burst a turn."""
    eccentric = 1 + 0.3 * np.cos(2 * np.pi * turns)
    mesh = sum(a * np.sin(2 * np.pi * k * TEETH * turns + k) for k, a in ((1, 8.0), (2, 4.0), (3, 2.0)))
    tooth = ((turns - 0.3) % 1 - 0.5) * TEETH
    burst = crack * np.exp(-(tooth**2) / 0.18) * np.cos(2 * np.pi * 1.4 * tooth)
    return eccentric * mesh + burst + noise * np.random.default_rng(seed).standard_normal(turns.size)


def averages(*signals: Array) -> Array:
    return synchronous_average(np.stack(signals).astype(np.float32), FS, ramp()[1], max_order=4 * TEETH)


@pytest.fixture
def tilted() -> Array:
    return ramp()[0]


def test_a_cracked_tooth_has_an_fm4_above_5_and_a_healthy_gear_one_of_3(tilted: Array) -> None:
    signals = [gear(tilted, crack=crack, seed=seed) for crack in (0.0, 2.0, 4.0) for seed in range(3)]
    x = np.stack(signals).astype(np.float32)
    average = synchronous_average(x, FS, np.tile(ramp()[1], (9, 1)), max_order=4 * TEETH)
    found = fm4(gear_residual(average, TEETH))
    np.testing.assert_allclose(found[:3], 3.0, atol=0.6)
    assert (found[3:] > 5).all()
    assert (found[6:] > found[3:6]).all()
    # Without taking the mesh out nothing is seen of it.
    assert (fm4(average)[3:] < 4).all()


def test_the_crack_stands_at_its_tooth(tilted: Array) -> None:
    residual = gear_residual(averages(gear(tilted, crack=4.0)), TEETH)[0]
    margin = 10 / (4 * TEETH * ramp()[1].max())
    start = SPEED * (margin + 0.05 * margin**2 / (2 * T[-1]))
    expected = (0.8 - start) % 1
    found = np.abs(residual).argmax() / residual.size
    assert abs((found - expected + 0.5) % 1 - 0.5) < 0.5 / TEETH


def test_what_is_locked_to_the_shaft_stays_and_noise_falls_with_the_root_of_the_turns(tilted: Array) -> None:
    """98.7 turns and more, of which 96 are used; white noise keeps the share of its band that passes."""
    average = averages(gear(tilted))[0].astype(np.float64)
    lines = 2 * np.abs(np.fft.rfft(average)) / average.size
    np.testing.assert_allclose(lines[[TEETH, 2 * TEETH, 3 * TEETH]], (8.0, 4.0, 2.0), atol=0.1)
    np.testing.assert_allclose(lines[[TEETH - 1, TEETH + 1]], (1.2, 1.2), atol=0.1)
    alone = synchronous_average(
        np.random.default_rng(2).standard_normal((12, N)).astype(np.float32),
        FS,
        np.tile(ramp()[1], (12, 1)),
        max_order=4 * TEETH,
    )
    orders = np.arange(alone.shape[1] // 2 + 1)
    energy = 2 * (np.abs(np.fft.rfft(alone.astype(np.float64))) / alone.shape[1]) ** 2
    inside = energy[:, (orders > 0) & (orders <= 4 * TEETH)].sum(axis=1).mean()
    passed = 4 * TEETH * SPEED * 1.025 / (FS / 2)
    assert math.sqrt(inside) == pytest.approx(math.sqrt(passed / 96), rel=0.05)


def test_another_shaft_falls_away(tilted: Array) -> None:
    other = 5 * np.sin(2 * np.pi * tilted * 7.37)
    assert np.abs(averages(other)).max() < 5 / 20


def test_the_residual_is_without_mesh_sidebands_mean_and_slow_orders() -> None:
    n = 256
    angle = 2 * np.pi * np.arange(n) / n
    orders = (0, 1, 2, 3, 9, 10, 12, 14, 15, 22, 23, 24, 25, 26, 60)
    turn = sum(np.cos(k * angle + k) for k in orders)[None]
    kept = sum(np.cos(k * angle + k) for k in (3, 9, 15))
    np.testing.assert_allclose(gear_residual(turn, 12)[0], kept, atol=1e-5)
    # A second gear of 7 teeth on the same shaft takes 9 = 7 + 2 and 15 = 2·7 + 1 along.
    np.testing.assert_allclose(gear_residual(turn, (12, 7))[0], np.cos(3 * angle + 3), atol=1e-5)


def test_fm4_has_its_closed_forms() -> None:
    """A sine has 3/2; one sample of n alone has (n² - 3n + 3)/(n - 1)."""
    n = 1000
    sine = np.sin(2 * np.pi * 5 * np.arange(n) / n)
    single = np.eye(1, n)[0]
    none = (np.zeros(n), np.full(n, 0.1), np.full(n, np.nan), np.where(np.arange(n) == 7, np.inf, sine))
    found = fm4(np.stack((sine, 1e-170 * sine, 1e170 * sine, single, *none)))
    np.testing.assert_allclose(found[:4], (1.5, 1.5, 1.5, (n * n - 3 * n + 3) / (n - 1)), rtol=1e-9)
    assert np.isnan(found[4:]).all()  # 0.1 is no sum of halves: its mean is rounded


def test_fewer_than_40_turns_are_not_averaged_and_bad_rows_stay_alone() -> None:
    x = np.random.default_rng(0).standard_normal((4, N)).astype(np.float32)
    x[2, 9] = np.nan
    before = x.copy()
    average = synchronous_average(x, FS, np.array([9.0, 25.0, 25.0, np.nan]), max_order=50)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(np.isfinite(average).all(axis=1), [False, True, False, False])
    residual = gear_residual(average, 20)
    np.testing.assert_array_equal(np.isfinite(residual).all(axis=1), [False, True, False, False])
    np.testing.assert_array_equal(np.isfinite(fm4(residual)), [False, True, False, False])


def test_arguments_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="batch of turns"):
        gear_residual(np.zeros(100), 20)
    for none in (np.zeros(100), np.zeros((2, 0))):
        with pytest.raises(ValueError, match="batch of turns"):
            fm4(none)
    with pytest.raises(ValueError, match="teeth must be from 6 to 0"):
        gear_residual(np.zeros((1, 0)), 20)
    for teeth in (20.5, math.nan, []):
        with pytest.raises(ValueError, match="whole number"):
            gear_residual(np.zeros((1, 100)), teeth)
    for teeth in (5, 51):
        with pytest.raises(ValueError, match="from 6 to 50"):
            gear_residual(np.zeros((1, 100)), teeth)
    with pytest.raises(ValueError, match="max_order"):
        synchronous_average(np.zeros((1, N), dtype=np.float32), FS, 25.0, max_order=500)
