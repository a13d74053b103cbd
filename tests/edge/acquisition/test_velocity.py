"""The danger block's velocity is the host's, and a sensor at fault gives none."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.acquisition.velocity import block_length, unbelievable, velocity_rms_mm_s
from models.features import Extractor

MG = 9.80665e-3  # m/s² of a milli-g


def _machine(n: int, fs: float, seed: int = 0) -> np.ndarray:
    """Three axes of a machine at 24.7 Hz with its harmonics and noise, in counts of a milli-g."""
    rng, t = np.random.default_rng(seed), np.arange(n) / fs
    tones = sum(a * np.sin(2 * np.pi * 24.7 * k * t + k) for k, a in ((1, 90.0), (2, 40.0), (5, 150.0)))
    return (
        np.stack([k * tones + rng.normal(0, 60, n) + 1000 for k in (1.0, 0.3, 2.0)]).round().astype(np.int16)
    )


@pytest.mark.parametrize("fs", [25_600.0, 26_667.0, 51_200.0, 4_000.0, 3_200.0])
def test_it_is_what_the_host_finds_in_the_same_second(fs: float) -> None:
    n = block_length(fs)
    x = _machine(n, fs)
    host = Extractor(fs, n, features=("velocity_rms_mm_s",), compiled=False).extract(x, MG)[:, 0]
    mine = velocity_rms_mm_s(x, (MG * 1000,) * 3, fs)
    np.testing.assert_allclose(mine, host, rtol=2e-3)


def test_a_tone_has_the_velocity_of_its_formula() -> None:
    fs, hz, v = 25_600.0, 159.0, 4.5
    n = block_length(fs)
    a = v * np.sqrt(2) * 2 * np.pi * hz / 1000  # m/s² of a sine of v mm/s RMS
    x = (a * np.sin(2 * np.pi * hz * np.arange(n) / fs))[None].astype(np.float32)
    assert velocity_rms_mm_s(x, (1000.0,), fs)[0] == pytest.approx(v, rel=1e-3)


@pytest.mark.parametrize("n_most", [25_600.0, 26_667.0, 3_199.5])
def test_a_block_is_at_most_a_second_and_hardly_less(n_most: float) -> None:
    assert 0.93 * n_most <= block_length(n_most) <= n_most
    assert block_length(n_most) % 2 == 0


def test_a_settling_sensor_gives_no_verdict() -> None:
    fs = 25_600.0
    n = block_length(fs)
    t = np.arange(n) / fs
    tail = 30_000 * np.exp(-t / 0.2)
    x = (_machine(n, fs)[:1] * 0.1 + tail).astype(np.int16)
    assert np.isnan(velocity_rms_mm_s(x, (MG * 1000,), fs)).all()
    calm = velocity_rms_mm_s(_machine(n, fs)[:1], (MG * 1000,), fs)
    assert np.isfinite(calm).all()


def test_noise_is_no_tail() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 3_000, (200, block_length(3_200.0))).astype(np.float32)
    assert np.isfinite(velocity_rms_mm_s(x, (MG * 1000,) * 200, 3_200.0)).all()


def test_a_dead_a_clipped_and_a_broken_channel_are_not_believed() -> None:
    x = _machine(25_600, 25_600.0).astype(np.float32)
    x[0] = 12.0
    x[1, 100] = np.nan
    assert unbelievable(x, None).tolist() == [True, True, False]
    assert unbelievable(x, (1_500.0,) * 3).tolist() == [
        True,
        True,
        True,
    ]  # the third reaches the end of its range


def test_integers_have_the_ends_of_their_type_and_may_touch_them_once() -> None:
    x = _machine(25_600, 25_600.0)[:2]
    x[0, :1] = 32_767
    x[1, :40] = -32_768
    assert unbelievable(x, None).tolist() == [False, True]


def test_a_converter_that_only_shows_its_own_noise_is_dead_and_a_quiet_sensor_is_not() -> None:
    rng = np.random.default_rng(2)
    x = np.zeros((2, 25_600), np.int16)
    x[0, rng.integers(0, 25_600, 300)] = 1
    x[1] = rng.normal(0, 1.2, 25_600).round()
    assert unbelievable(x, None).tolist() == [True, False]
