"""The cepstrum against its closed forms: echoes, sidebands, and the plain float64 definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features.cepstra import cepstrum, rahmonics
from models.features.windows import hann, spectral_length

FS_HZ = 25_600.0
N = 25_600


def plain(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """irfft(½ ln(|X|² + ε)), ε = 1 % of the median power of at most 256 even bins, in float64."""
    length = spectral_length(x.size)
    a = x.astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    power = np.abs(np.fft.rfft((a - a.mean())[:length] * window)) ** 2
    return np.fft.irfft(
        0.5
        * np.log(
            power + 0.01 * np.sort(power[:: -(-power.size // 256)])[power[:: -(-power.size // 256)].size // 2]
        ),
        n=length,
    )


def power_of(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    lines = np.fft.rfft((x - x.mean(axis=1, keepdims=True)) * hann(x.shape[1]))
    return (np.abs(lines) ** 2).astype(np.float32)


@pytest.fixture
def noise() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).standard_normal((3, N)).astype(np.float32)


@pytest.mark.parametrize("a", [0.2, 0.5, -0.4])
def test_an_echo_reads_half_its_amplitude_and_minus_a_quarter_of_its_square_at_twice_the_delay(
    a: float,
) -> None:
    """|1 + a·e^(-jωτ)|²: ½ ln = Σ (-1)^(k+1) aᵏ/k cos kωτ, and a cosine gives half its height at ±kτ."""
    x = np.zeros((1, N), dtype=np.float32)
    delay = 320
    x[0, N // 2] = 1.0
    x[0, N // 2 + delay] = a
    quefrency, c = cepstrum(x, FS_HZ)
    assert quefrency[delay] == delay / FS_HZ
    assert c[0, delay] == pytest.approx(a / 2, rel=0.02)  # the floor takes 1 %
    assert c[0, 2 * delay] == pytest.approx(-(a**2) / 4, rel=0.04)
    assert c[0, 3 * delay] == pytest.approx(a**3 / 6, rel=0.09)


def test_an_echo_in_noise_reads_the_same(noise: np.ndarray[Any, Any]) -> None:
    delay = 777
    echoed = noise.copy()
    echoed[:, delay:] += np.float32(0.6) * noise[:, :-delay]
    _, c = cepstrum(echoed, FS_HZ)
    # Noise of ½ ln|X|² is π/√24 a bin and of the cepstrum √2 of that over √N, a little more for the window.
    sigma = math.pi / math.sqrt(24) * math.sqrt(2 / N) * 1.5
    np.testing.assert_allclose(c[:, delay], 0.3 * 0.97, atol=4 * sigma)
    np.testing.assert_allclose(c[:, 2 * delay], -0.09 * 0.97, atol=4 * sigma)


def test_sidebands_of_a_shaft_stand_at_one_turn_of_it(noise: np.ndarray[Any, Any]) -> None:
    t = np.arange(N) / FS_HZ
    shaft = 20.0
    pulses = 1 + np.cos(2 * np.pi * shaft * t) + 0.7 * np.cos(4 * np.pi * shaft * t + 1)
    mesh = sum(np.cos(2 * np.pi * k * 23 * shaft * t + k) for k in range(1, 9))
    gear = (5 * pulses * mesh + noise[:1]).astype(np.float32)
    turn = FS_HZ / shaft
    q = np.array([[turn, turn * 0.72]])
    worn, other = rahmonics(power_of(gear), q)[0]
    healthy = rahmonics(power_of(noise[:1]), q)[0, 0]
    assert worn > 3 * other
    assert worn > 3 * healthy


@pytest.mark.parametrize("power_of_two", [-60, -14, 20, 90])
def test_a_scale_moves_the_first_value_by_its_logarithm_and_no_other(power_of_two: int) -> None:
    """½ ln(k²|X|²) = ln k + ½ ln|X|²: a constant over all bins."""
    x = np.random.default_rng(5).standard_normal((1, 4096)).astype(np.float32)
    plain, sized = (cepstrum(a, FS_HZ)[1][0] for a in (x, x * np.float32(2.0**power_of_two)))
    assert sized[0] - plain[0] == pytest.approx(power_of_two * math.log(2), rel=1e-4)
    np.testing.assert_allclose(sized[1:], plain[1:], atol=1e-4)


@pytest.mark.parametrize("length", [4096, 5000, 10_240])
def test_it_is_the_plain_definition(length: int) -> None:
    rng = np.random.default_rng(length)
    x = rng.standard_normal((4, length)).cumsum(axis=1).astype(np.float32)
    _, c = cepstrum(x, FS_HZ)
    for row in range(4):
        expected = plain(x[row])
        np.testing.assert_allclose(c[row], expected[: c.shape[1]], atol=2e-4)


@given(
    power=hnp.arrays(np.float32, (3, 201), elements=st.floats(2.0**-10, 2.0**20, width=32)),
    quefrency=hnp.arrays(np.float64, (3, 2), elements=st.floats(8.2, 79.9)),
)
@settings(max_examples=60, deadline=None)
def test_rahmonics_are_the_highest_within_their_window(
    power: np.ndarray[Any, Any], quefrency: np.ndarray[Any, Any]
) -> None:
    p = power.astype(np.float64)
    c = np.fft.irfft(0.5 * np.log(p + 0.01 * np.median(p, axis=1, keepdims=True)), axis=1)
    found = rahmonics(power, quefrency)
    for row, column in np.ndindex(found.shape):
        q = quefrency[row, column]
        near = [k for k in range(201) if abs(k - q) <= 0.015 * q or abs(k - round(q)) <= 1]
        assert found[row, column] == pytest.approx(c[row, near].max(), abs=1e-5)


def test_what_cannot_be_read_is_nan_and_only_that() -> None:
    x = np.random.default_rng(1).standard_normal((3, 4096))
    power = power_of(x)
    q = np.array([[100.0, np.nan], [np.nan, np.nan], [7.9, 4096 / 4.9]])
    found = rahmonics(power, q)
    assert np.isfinite(found[0, 0])
    assert np.count_nonzero(np.isfinite(found)) == 1
    power[0, 5] = np.nan
    q[1] = 300.0
    found = rahmonics(power, q)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    power[1] = 0
    assert np.isnan(rahmonics(power, q)).all()


def test_rahmonics_leave_the_power_as_it_was() -> None:
    power = power_of(np.random.default_rng(1).standard_normal((2, 4096)))
    before = power.copy()
    rahmonics(power, np.full((2, 1), 100.0))
    np.testing.assert_array_equal(power, before)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_bad_rows_stay_alone_and_samples_unchanged(kind: type) -> None:
    x = (1000 * np.random.default_rng(2).standard_normal((3, 2000))).astype(kind)
    x[1] = 7
    before = x.copy()
    _, c = cepstrum(x, FS_HZ)
    assert np.isnan(c[1]).all()
    assert np.isfinite(c[[0, 2]]).all()
    np.testing.assert_array_equal(x, before)
    if kind is np.float32:
        x[0, 3] = np.inf
        _, again = cepstrum(x, FS_HZ)
        assert np.isnan(again[0]).all()
        np.testing.assert_array_equal(again[2], c[2])


def test_its_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="batch of blocks"):
        cepstrum(np.zeros(4096, dtype=np.float32), FS_HZ)
    with pytest.raises(ValueError, match="fs_hz"):
        cepstrum(np.zeros((1, 4096), dtype=np.float32), 0.0)
