"""Amplitude, power and density: each against its closed form, and Parseval's identity for the energies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import Extractor
from models.features.spectra import power_spectrum, spectrum, velocity_rms
from models.features.windows import hann

FS = 25_600.0

Array = np.ndarray[Any, Any]


def hann_mean_square(x: Array) -> Array:
    """Σ(w(x - mean))² / Σw² of each block."""
    a = x.astype(np.float64)
    window = hann(x.shape[1]).astype(np.float64)
    centred = (a - a.mean(axis=1, keepdims=True)) * window
    return (centred**2).sum(axis=1) / (window**2).sum()


@given(length=st.integers(16, 700), seed=st.integers(0, 2**32 - 1), offset=st.floats(-100, 100))
@settings(max_examples=80, deadline=None)
def test_powers_add_up_to_the_mean_square_of_the_weighted_block(
    length: int, seed: int, offset: float
) -> None:
    """Parseval, odd and even lengths: bin 0 and the Nyquist bin once, all others twice."""
    x = (np.random.default_rng(seed).standard_normal((3, length)) + offset).astype(np.float32)
    frequency, power = power_spectrum(x, FS)
    assert frequency.shape == (length // 2 + 1,) == power.shape[1:]
    np.testing.assert_allclose(power.sum(axis=1), hann_mean_square(x), rtol=1e-3)


@given(length=st.integers(16, 700), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_integral_of_the_density_is_the_same(length: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((2, length)).astype(np.float32)
    frequency, density = power_spectrum(x, FS, density=True)
    np.testing.assert_allclose(density.sum(axis=1) * frequency[1], hann_mean_square(x), rtol=1e-3)


def test_a_tone_has_half_its_amplitude_squared_in_three_bins() -> None:
    n = 4096
    t = np.arange(n) / FS
    x = (2.0 * np.sin(2 * np.pi * 100 * FS / n * t)).astype(np.float32)[None]
    _, power = power_spectrum(x, FS)
    assert power[0, 99:102].sum() == pytest.approx(2.0, rel=1e-5)
    assert power[0, 100] == pytest.approx(2.0 / 1.5, rel=1e-5)  # the noise bandwidth of Hann is 1.5 bins
    assert spectrum(x, FS)[1][0, 100] == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("n", [4096, 25_600])
def test_white_noise_reads_its_density_whatever_the_length(n: int) -> None:
    density = 1e-3
    x = np.random.default_rng(7).standard_normal((40, n)) * math.sqrt(density * FS / 2)
    _, read = power_spectrum(x.astype(np.float32), FS, density=True)
    assert read[:, 2:-2].mean() == pytest.approx(density, rel=0.02)


def test_power_is_scaled_by_the_square_and_counts_of_32_bits_do_not_overflow() -> None:
    n = 2048
    counts = np.random.default_rng(1).integers(-(2**31), 2**31 - 1, (2, n)).astype(np.int32)
    scale = np.array([1e-9, -2e-9])
    _, power = power_spectrum(counts, FS, scale=scale)
    np.testing.assert_allclose(power.sum(axis=1), hann_mean_square(counts) * scale**2, rtol=1e-4)


@pytest.mark.parametrize("density", [False, True])
def test_a_row_that_is_not_finite_stays_alone_and_samples_stay_as_they_are(density: bool) -> None:
    x = np.random.default_rng(2).standard_normal((9, 1000)).astype(np.float32)
    clean = power_spectrum(x, FS, density=density)[1]
    x[4, 10] = np.nan
    before = x.copy()
    power = power_spectrum(x, FS, density=density)[1]
    np.testing.assert_array_equal(x, before)
    assert np.isnan(power[4]).all()
    np.testing.assert_array_equal(np.delete(power, 4, axis=0), np.delete(clean, 4, axis=0))


@pytest.mark.parametrize("kind", ["acceleration", "velocity"])
def test_a_line_reads_its_amplitude_in_the_spectrum(kind: str) -> None:
    n = 25_600
    t = np.arange(n) / FS
    x = np.rint(3000 * np.sin(2 * np.pi * 159 * t)).astype(np.int16)[None]
    _, amplitude = spectrum(x, FS, kind=kind, scale=1e-3)  # type: ignore[arg-type]
    expected = 3.0 if kind == "acceleration" else 3000 / (2 * math.pi * 159)
    assert amplitude[0].argmax() == 159
    assert amplitude[0, 159] == pytest.approx(expected, rel=1e-3)
    assert kind == "acceleration" or (amplitude[0, :2] == 0).all()


def test_arguments_that_cannot_be_meant_are_refused() -> None:
    x = np.zeros((1, 64), dtype=np.float32)
    with pytest.raises(ValueError, match="kind must be"):
        spectrum(x, FS, kind="force")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scale"):
        power_spectrum(x, FS, scale=0.0)
    with pytest.raises(ValueError, match="fs_hz"):
        power_spectrum(x, math.nan)
    for band_hz in ((100.0, 10.0), (0.0, 100.0), (math.nan, 10.0), (10.0, math.inf)):
        with pytest.raises(ValueError, match=r"band_hz must be .* got"):
            velocity_rms(x, FS, band_hz=band_hz)


def test_a_band_between_two_bins_has_no_velocity_and_not_a_velocity_of_0() -> None:
    x = np.random.default_rng(1).standard_normal((2, 256)).astype(np.float32)
    df = FS / 256
    assert np.isnan(velocity_rms(x, FS, band_hz=(1.1 * df, 1.9 * df))).all()
    assert (velocity_rms(x, FS, band_hz=(1.1 * df, 2.1 * df)) > 0).all()


@pytest.mark.parametrize("read", [spectrum, power_spectrum])
def test_samples_of_any_size_are_read_and_what_leaves_float32_is_infinite(read: Callable[..., Any]) -> None:
    """Sums over samples of 1e38 would leave float32 on the way; and +inf with -inf has no mean."""
    x = np.random.default_rng(1).standard_normal((3, 1000)).astype(np.float32)
    usual = read(x, FS)[1]
    for size in (2.0**-100, 2.0**120):
        other = read((x * np.float32(size)).astype(np.float32), FS, scale=1 / size)[1]
        np.testing.assert_allclose(other, usual, rtol=1e-3, atol=1e-6)
    assert np.isinf(read(x, FS, scale=1e300)[1]).any()
    x[1, 5], x[1, 7] = np.inf, -np.inf
    assert np.isnan(read(x, FS)[1]).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("bin_number", [25, 50])
def test_a_line_of_velocity_is_a_peak_and_the_order_beside_it_an_rms(bin_number: int) -> None:
    fs, n, peak_mm_s = 4096.0, 16_384, 3.0
    tone_hz = bin_number * fs / n * 4
    t = np.arange(n) / fs
    x = peak_mm_s / 1000 * 2 * math.pi * tone_hz * np.sin(2 * math.pi * tone_hz * t)
    block = x.astype(np.float32)[None]
    frequency, amplitude = spectrum(block, fs, kind="velocity")
    line = amplitude[0, int(np.argmin(np.abs(frequency - tone_hz)))]
    extractor = Extractor(fs_hz=fs, n_samples=n, features=("order_1x_mm_s",))
    (order,) = extractor.extract(block, speed_hz=tone_hz)[0]
    assert line == pytest.approx(peak_mm_s, rel=1e-3)
    assert line == pytest.approx(math.sqrt(2) * order, rel=1e-3)
