"""Clipping, holds and spikes: what is known on paper, and what healthy signals must never show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features.quality import CHUNK_SAMPLES, QualityNumbers, measure_quality
from tests.support.naive_quality import quality

N = 8192


def one(samples: np.ndarray, full_scale: float | None = None) -> tuple[float, float, float]:
    found = measure_quality(np.asarray(samples)[None, :], full_scale)
    return float(found.clipped_fraction[0]), float(found.longest_hold[0]), float(found.spikes[0])


def sine(amplitude: float, period: float, n: int = N) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * np.arange(n) / period + 0.3)


def noise(sigma: float, n: int = N, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, n)


def counts(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(x).astype(np.int16))


def ringing(frequency: float, decay: float, every: int, rng: np.random.Generator) -> np.ndarray:
    """Shocks at random phases between samples, ringing at `frequency` of fs and 1/e after `decay` samples."""
    x = rng.normal(0, 0.01, N)
    for start in np.arange(40, N - 40, every) + rng.uniform(0, 1):
        t = np.arange(math.ceil(start), min(N, int(start + 12 * decay) + 1)) - start
        x[math.ceil(start) : math.ceil(start) + t.size] += np.exp(-t / decay) * np.sin(
            2 * np.pi * frequency * t + rng.choice([0.0, rng.uniform(0, 2 * np.pi)])
        )
    return x


# Clipping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_a_sine_clipped_short_of_the_end(share: float, kind: type) -> None:
    """It is beyond c of A for 1 - (2/π) asin(c/A) of the time."""
    clipped = np.clip(sine(20_000, 97.3), -20_000 * share, 20_000 * share).astype(kind)
    assert one(clipped)[0] == pytest.approx(1 - 2 / math.pi * math.asin(share), rel=0.02)


@pytest.mark.parametrize("period", [4.7137, 97.3])
def test_a_sine_clipped_at_the_end_of_its_type_or_of_a_known_range(period: float) -> None:
    """At the ends every sample counts: of a fast signal only one or two in a row are there."""
    of_type = counts(np.clip(sine(32767 / 0.9, period), -32768, 32767))
    assert one(of_type)[0] == pytest.approx(1 - 2 / math.pi * math.asin(0.9), rel=0.02)
    known = np.clip(sine(10.0, period), -9.0, 9.0).astype(np.float32)
    assert one(known, full_scale=9.0)[0] == pytest.approx(1 - 2 / math.pi * math.asin(0.99 * 0.9), rel=0.02)


def test_from_099_of_a_known_range_on_samples_are_clipped() -> None:
    x = noise(1.0).astype(np.float32)
    for top, share in ((9.89, 0.0), (9.91, 10 / N)):
        x[100:3100:300] = top + np.linspace(0, 0.001, 10)
        assert one(x, full_scale=10.0)[0] == pytest.approx(share)


def test_one_side_is_enough() -> None:
    assert one(np.minimum(sine(5.0, 97.3), 4.0).astype(np.float32))[0] == pytest.approx(
        0.5 - math.asin(0.8) / math.pi, rel=0.02
    )


def test_up_to_three_samples_at_the_end_are_the_peaks_of_a_normalised_record() -> None:
    x = counts(noise(3000))
    for samples, share in ((3, 0.0), (4, 4 / N)):
        x[100 : 100 + 300 * samples : 300] = 32767
        assert one(x)[0] == pytest.approx(share)


def test_what_is_nearly_square_is_nearly_always_clipped() -> None:
    expected = 1 - 2 / math.pi * math.asin(0.1)
    assert one(np.clip(sine(1.0, 97.3), -0.1, 0.1).astype(np.float32))[0] == pytest.approx(expected, rel=0.02)


def test_two_levels_alone_may_be_two_steps_of_a_quiet_converter() -> None:
    """Nothing tells a square wave from them, unless it stands at the ends of the range."""
    square = np.where(sine(1.0, 30.0) > 0, 1.0, -1.0)
    assert one(counts(300 * square))[0] == 0
    assert one(counts(32767 * square))[0] == one(counts(300 * square), full_scale=300)[0] == 1


def test_smooth_tops_in_whole_steps_are_not_flat() -> None:
    for amplitude in (10, 90, 1000, 9000, 32000):
        for period in (20.0, 300.0, 1024.0, 5000.0):
            assert one(counts(sine(amplitude, period)))[0] == 0, (amplitude, period)


def test_repeated_samples_are_no_flat_tops() -> None:
    """A record brought to a higher rate by repeating each sample is flat everywhere."""
    assert one(np.repeat(noise(1.0, 2048).astype(np.float32), 4))[0] == 0


def test_a_quiet_record_normalised_to_its_own_peak_is_not_clipped() -> None:
    """Of a machine at standstill: four levels, the highest of which became the end of the type."""
    levels = np.random.default_rng(2).choice([-13107, 0, 13107, 32767], N, p=[0.01, 0.3, 0.65, 0.04])
    assert one(levels.astype(np.int16)) == (0.0, pytest.approx(20, abs=6), 0.0)
    assert one(levels.astype(np.int16), full_scale=32767)[0] > 0.03


# Holds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 5, 20, 21, 400])
def test_a_sensor_that_holds_a_value_for_a_while(length: int) -> None:
    x = counts(noise(2000))
    x[1000 : 1000 + length] = 5000
    assert one(x)[1] == one(x.astype(np.float32))[1] == length


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_a_constant_is_one_hold(kind: type) -> None:
    assert one(np.full(N, 7, kind)) == (0.0, N, 0.0)


def test_a_slow_signal_between_two_steps_of_its_converter_is_no_hold() -> None:
    """At the top of a sine of A steps and P samples it stays for P √(2/A) / π samples: 73 here."""
    assert one(counts(sine(1000, 5120.0)))[1] == 20
    assert one(counts(noise(0.4, 100_000)))[1] <= 20


def test_a_converter_that_turns_over_once_in_a_while_holds() -> None:
    x = np.zeros(N, np.int16)
    x[[3000, 7000]] = 1
    assert one(x)[1] == 3999


# Spikes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [[1.0], [1.0, 1.0], [1.0, -0.9], [0.6, 1.0]])
@pytest.mark.parametrize("height", [20.0, 200.0])
def test_impulses_of_one_or_two_samples_are_counted(shape: list[float], height: float) -> None:
    x = noise(1.0) + sine(1.0, 300.0)
    for start in range(100, N - 100, 400):
        x[start : start + len(shape)] += height * np.array(shape)
    expected = len(range(100, N - 100, 400))
    assert one(x.astype(np.float32))[2] == one(counts(20 * x))[2] == expected


def test_an_impulse_at_the_very_end_may_be_the_start_of_a_shock() -> None:
    x = noise(1.0)
    x[[3, -3]] = 100
    assert one(x.astype(np.float32))[2] == 0


@pytest.mark.parametrize("frequency", [0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.45])
@pytest.mark.parametrize("decay", [6.0, 15.0, 100.0])
def test_shocks_that_ring_are_none(frequency: float, decay: float) -> None:
    """Of bearings (regular) and of particles: 6 samples to 1/e at 0.35 fs is 7 % of critical damping."""
    rng = np.random.default_rng(3)
    blocks = np.stack([ringing(frequency, decay, every, rng) for every in (150, 331, 997)])
    assert not measure_quality(blocks.astype(np.float32)).spikes.any()


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0, 300.0])
def test_noise_has_none(sigma: float) -> None:
    assert one(counts(noise(sigma, 100_000)))[2] == 0


# The batch ----------------------------------------------------------------------------------------------


def mixture(n: int) -> np.ndarray:
    """Blocks that have something of everything, as they would be if nothing were done for speed."""
    rng = np.random.default_rng(n)
    rows = [
        rng.normal(0, 0.4, n),
        rng.normal(0, 3, n),
        np.clip(sine(400, 61.0, n), -300, 390) + rng.normal(0, 0.2, n),
        sine(1000, 1500.0, n),
        np.repeat(rng.normal(0, 50, n), 3)[:n],
        rng.normal(0, 5, n) + 300 * (rng.random(n) < 0.01),
        np.where(rng.random(n) < 0.5, 50, rng.normal(0, 9, n)),
        np.clip(rng.normal(0, 20_000, n), -32768, 32767),
        np.full(n, -7.0),
    ]
    rows += [np.where(np.arange(n) // 30 % 5 == 0, 25.0, row) for row in rows]
    return np.stack(rows)


@pytest.mark.parametrize("n", [16, 17, 40, 300, 1111])
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
@pytest.mark.parametrize("full_scale", [None, 20_000.0])
def test_it_agrees_with_the_oracle(n: int, kind: type, full_scale: float | None) -> None:
    blocks = np.round(mixture(n)).astype(kind)
    found = np.stack(measure_quality(blocks, full_scale), axis=1)
    expected = [quality(block, full_scale or math.nan) for block in blocks]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.int16, (3, 48), elements=st.sampled_from([0, 0, 0, 1, 2, 40, -40, 700, 32767, -32768])),
)
def test_it_agrees_with_the_oracle_on_anything(blocks: np.ndarray) -> None:
    found = measure_quality(blocks)
    expected = np.array([quality(block) for block in blocks]).T
    np.testing.assert_array_equal(found.clipped_fraction, expected[0])
    np.testing.assert_array_equal(found.longest_hold, expected[1])


def test_a_row_stands_for_itself_in_any_batch() -> None:
    blocks = np.round(mixture(1111)).astype(np.float32)
    blocks[4, 7], blocks[9, 0] = np.nan, -np.inf
    blocks = np.tile(blocks, (CHUNK_SAMPLES // blocks.size + 2, 1))
    blocks.flags.writeable = False
    order = np.random.default_rng(5).permutation(len(blocks))
    straight, shuffled = measure_quality(blocks), measure_quality(blocks[order])
    for name in QualityNumbers._fields:
        column = getattr(straight, name)
        np.testing.assert_array_equal(column[order], getattr(shuffled, name))
        np.testing.assert_array_equal(column[:18], column[18:36])
        assert np.flatnonzero(np.isnan(column[:18])).tolist() == [4, 9]


def test_a_range_may_be_known_for_some_blocks_only() -> None:
    blocks = np.tile(np.clip(sine(10.0, 4.7), -9.0, 9.0).astype(np.float32), (2, 1))
    assert (measure_quality(blocks, [np.nan, 9.0]).clipped_fraction > 0.2).tolist() == [False, True]


@pytest.mark.parametrize("full_scale", [0.0, -1.0, math.inf, [1.0, 2.0]])
def test_a_range_that_can_not_be_meant(full_scale: object) -> None:
    with pytest.raises(ValueError, match="full_scale must be"):
        measure_quality(np.zeros((1, 32), np.int16), full_scale)  # type: ignore[arg-type]
