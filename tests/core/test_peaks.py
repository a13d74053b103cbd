"""Lines between two bins: frequency and amplitude come back whatever the offset."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.peaks import line_amplitude
from models.features.spectra import spectrum

FS, N = 25_600.0, 4096
DF = FS / N
T = np.arange(N) / FS

Array = np.ndarray[Any, Any]


def test_between_two_bins_a_line_reads_1_42_db_too_little_and_interpolated_less_than_0_02() -> None:
    """sinc(½)/(1 - ¼) = 0.849, -1.42 dB."""
    offsets = np.linspace(-0.5, 0.5, 101)
    lines = (200 + offsets) * DF
    x = (3.0 * np.sin(2 * np.pi * lines[:, None] * T + offsets[:, None] * 17)).astype(np.float32)
    frequency, amplitude = spectrum(x, FS)
    read = 20 * np.log10(amplitude[:, 195:206].max(axis=1) / 3)
    assert read.min() == pytest.approx(20 * math.log10(8 / (3 * math.pi)), abs=0.01)
    assert read.min() == pytest.approx(-1.42, abs=0.01)
    found, height = line_amplitude(frequency, amplitude, lines, 2 * DF)
    assert np.abs(20 * np.log10(height / 3)).max() < 0.02
    assert np.abs(found - lines).max() < 0.002 * DF


@given(
    bin_=st.floats(8.0, 2030.0),
    phase=st.floats(0, 6.3),
    amplitude=st.floats(1e-3, 1e4),
)
@settings(max_examples=80, deadline=None)
def test_a_line_alone_comes_back_wherever_it_is(bin_: float, phase: float, amplitude: float) -> None:
    x = (amplitude * np.sin(2 * np.pi * bin_ * DF * T + phase)).astype(np.float32)[None]
    frequency, heights = spectrum(x, FS)
    found, height = line_amplitude(frequency, heights, bin_ * DF + DF, 4 * DF)
    assert found[0] == pytest.approx(
        bin_ * DF, abs=0.02 * DF
    )  # 8 bins from 0, its mirror image leaks a little
    assert height[0] == pytest.approx(amplitude, rel=0.005)


def test_each_row_has_its_own_range_and_the_highest_line_in_it() -> None:
    x = sum(a * np.sin(2 * np.pi * f * T) for f, a in ((503.0, 1.0), (990.0, 4.0), (1040.0, 2.0)))
    frequency, heights = spectrum(np.tile(x, (4, 1)).astype(np.float32), FS)
    near, within = np.array([500.0, 1000.0, 1040.0, np.nan]), np.array([20.0, 60.0, 20.0, 20.0])
    found, height = line_amplitude(frequency, heights, near, within)
    np.testing.assert_allclose(found[:3], (503.0, 990.0, 1040.0), atol=0.1)
    np.testing.assert_allclose(height[:3], (1.0, 4.0, 2.0), rtol=0.01)
    assert np.isnan(found[3])
    assert np.isnan(height[3])


def test_where_no_bin_stands_up_nothing_is_given() -> None:
    frequency = np.arange(50.0)
    slope = np.linspace(1, 2, 50)[None]
    flat, none, zero = np.ones((1, 50)), np.full((1, 50), np.nan), np.zeros((1, 50))
    for heights in (slope, flat, none, zero):
        assert np.isnan(line_amplitude(frequency, heights, 25.0, 10.0)).all()
    single = zero.copy()
    single[0, 25] = 1
    assert np.isnan(line_amplitude(frequency, single, 35.0, 9.0)).all()
    assert np.isnan(line_amplitude(frequency, single, 25.0, -1.0)).all()
    assert np.isnan(line_amplitude(frequency, single, 25.6, 0.3)).all()
    assert np.isnan(line_amplitude(frequency, single, 700.0, 10.0)).all()
    np.testing.assert_allclose(line_amplitude(frequency, single, 25.0, 0.0), [[25.0], [1.0]])


def test_lines_at_the_ends_of_the_spectrum_have_one_neighbour_and_are_not_given() -> None:
    heights = np.zeros((2, 10))
    heights[0, 0] = heights[1, -1] = 1
    assert np.isnan(line_amplitude(np.arange(10.0), heights, [0.0, 9.0], 1.0)).all()


def test_an_empty_batch_is_an_empty_answer() -> None:
    found, height = line_amplitude(np.arange(10.0), np.zeros((0, 10)), 5.0, 1.0)
    assert found.shape == height.shape == (0,)


def test_its_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="batch of spectra"):
        line_amplitude(np.arange(5.0), np.ones(5), 2.0, 1.0)
    with pytest.raises(ValueError, match=r"equal steps, got \[0. 1. 3.\]"):
        line_amplitude([0.0, 1.0, 3.0], np.ones((1, 3)), 2.0, 1.0)
    with pytest.raises(ValueError, match="at least 3 bins"):
        line_amplitude([0.0, 1.0], np.ones((1, 2)), 2.0, 1.0)
    with pytest.raises(ValueError, match="near_hz"):
        line_amplitude(np.arange(5.0), np.ones((1, 5)), [1.0, 2.0], 1.0)
