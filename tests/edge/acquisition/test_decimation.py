"""The FIR: what passes, what is held back, and that bursts make no difference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.acquisition.decimation import PASSES, STOPS, Decimator, taps_for

FACTORS = (2, 5, 9, 10, 20)


def _response_db(factor: int) -> tuple[np.ndarray, np.ndarray]:
    """(frequency in units of the new rate, gain in dB)."""
    n = 1 << 16
    gain = np.abs(np.fft.rfft(taps_for(factor).astype(np.float64), n))
    return np.arange(gain.size) / n * factor, 20 * np.log10(np.maximum(gain, 1e-12))


@pytest.mark.parametrize("factor", FACTORS)
def test_the_usable_band_is_flat_within_a_thousandth_of_a_db(factor: int) -> None:
    frequency, gain = _response_db(factor)
    assert np.abs(gain[frequency <= PASSES]).max() < 0.001


@pytest.mark.parametrize("factor", FACTORS)
def test_what_would_fold_back_is_80_db_down(factor: int) -> None:
    frequency, gain = _response_db(factor)
    assert gain[frequency >= STOPS].max() < -80


def test_an_alias_is_80_db_down_in_the_samples_themselves() -> None:
    fs, factor = 25_600.0, 10
    t = np.arange(60_000) / fs
    for hz in (1_600.0, 2_460.0, 5_220.0, 12_000.0):  # each folds into 0-1000 Hz
        decimator = Decimator(factor, 1, 2_560)
        decimator.feed((1e4 * np.sin(2 * np.pi * hz * t))[None].astype(np.float32))
        assert 20 * np.log10(decimator.out.std() / (1e4 / np.sqrt(2))) < -80


def test_an_output_stands_for_the_moment_of_its_input() -> None:
    fs, factor, hz = 25_600.0, 10, 50.0
    t = np.arange(40_000) / fs
    decimator = Decimator(factor, 1, 2_560)
    decimator.feed(np.sin(2 * np.pi * hz * t)[None].astype(np.float32))
    at = (Decimator.delay_of(factor) + factor * np.arange(2_560)) / fs
    np.testing.assert_allclose(decimator.out[0], np.sin(2 * np.pi * hz * at), atol=2e-4)


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 10]))
def test_any_bursts_give_the_same_bits(data: st.DataObject, factor: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    stream = rng.integers(-30_000, 30_000, (2, 5_000), np.int16)
    whole = Decimator(factor, 2, 150)
    used = whole.feed(stream)
    assert whole.full
    pieces = Decimator(factor, 2, 150)
    at = 0
    while not pieces.full:
        n = data.draw(st.integers(1, 1_500))
        at += pieces.feed(stream[:, at : at + n])
    assert at == used
    assert np.array_equal(pieces.out, whole.out)
