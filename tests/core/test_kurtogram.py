"""The kurtogram: the resonance is found, and none of the known traps is walked into."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from models.features import Extractor
from models.features.kurtograms import Kurtogram, kurtogram

FS, N = 25_600.0, 102_400
T = np.arange(N) / FS
SHAFT_HZ, TEETH, BPFO = 24.683, 23, 3.585
RESONANCE_HZ, DAMPING = 4200.0, 0.03

Array = np.ndarray[Any, Any]


def shocks(rate_hz: float, *, height: float = 3.0, seed: int = 0) -> Array:
    """Impulses that a resonance answers, 1 % of jitter between them, 15 % in height."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.normal(1, 0.01, int(1.1 * rate_hz * T[-1]))) / rate_hz
    x = np.zeros(N)
    omega = 2 * math.pi * RESONANCE_HZ
    for moment in at[at < T[-1]]:
        ring = slice(math.ceil(moment * FS), math.ceil(moment * FS) + 1000)
        since = T[ring] - moment
        x[ring] += (
            (1 + 0.15 * rng.standard_normal()) * np.exp(-DAMPING * omega * since) * np.sin(omega * since)
        )
    return height * x


def machine() -> Array:
    """Strong tones, none of them on a line of the block: the shaft and three harmonics of its gear."""
    mesh = sum(
        a * np.sin(2 * np.pi * k * TEETH * SHAFT_HZ * T + k) for k, a in ((1, 5.0), (2, 3.0), (3, 2.0))
    )
    return 6 * np.sin(2 * np.pi * SHAFT_HZ * T + 0.3) + mesh


def floor(sigma: float = 0.35) -> Array:
    return sigma * np.random.default_rng(1).standard_normal(N)


def picture(*signals: Array, **options: int) -> Kurtogram:
    return kurtogram(np.stack(signals).astype(np.float32), FS, **options)


@pytest.mark.parametrize("height", [1.0, 2.0, 8.0])
@pytest.mark.parametrize("levels", [4, 6])
def test_the_resonance_is_found_among_strong_tones_that_are_on_no_line(height: float, levels: int) -> None:
    """Cut off at its ends instead of tapered, such a block has kurtosis above 100 beside its tones."""
    faulty = machine() + shocks(BPFO * SHAFT_HZ, height=height) + floor()
    low, high = picture(faulty, levels=levels).best_band()[0]
    assert low < RESONANCE_HZ < high
    assert high - low < 3000


def test_tones_alone_show_no_impulses() -> None:
    assert np.isnan(picture(machine() + floor()).best_band()).all()


@pytest.mark.parametrize("sigma", [0.02, 1e-4])
def test_a_band_that_holds_next_to_nothing_is_not_chosen(sigma: float) -> None:
    """Without a noise floor kurtosis is highest far from the resonance; the energy says where it is."""
    drawn = picture(machine() + shocks(BPFO * SHAFT_HZ) + floor(sigma))
    highest = drawn.bands_hz[drawn.sk[0].argmax()]
    assert not highest[0] < RESONANCE_HZ < highest[1]
    low, high = drawn.best_band()[0]
    assert low < RESONANCE_HZ < high


def test_gaussian_noise_stays_below_the_threshold_as_its_figures_say() -> None:
    """95 % of the maxima: 0.13 at most for 4 levels; 0.3 for 6, whose bands hold fewer lines."""
    noise = np.random.default_rng(5).standard_normal((64, N), dtype=np.float32)
    for levels, expected in ((4, 0.115), (6, 0.26)):
        drawn = kurtogram(noise, FS, levels=levels)
        assert np.quantile(drawn.sk.max(axis=1), 0.95) == pytest.approx(expected, rel=0.25)
        assert np.isnan(drawn.best_band()).all()
        assert abs(drawn.sk.mean()) < 0.01


@pytest.mark.parametrize("length", [1024, 4096])
def test_short_blocks_of_noise_have_a_higher_threshold(length: int) -> None:
    noise = np.random.default_rng(6).standard_normal((1000, length), dtype=np.float32)
    found = kurtogram(noise, FS).best_band()
    assert np.isfinite(found[:, 0]).mean() < 0.005


def test_a_tone_reads_minus_1_and_shocks_read_what_their_duty_says() -> None:
    """Of exponential bursts E|z|⁴/(E|z|²)² = 1/(f·τ), τ = 1/(2πfₙζ): SK = 1/(fτ) - 2."""
    rate = 20.0
    drawn = picture(np.sin(2 * np.pi * 3000.3 * T), shocks(rate, seed=2))
    whole = 0
    assert drawn.sk[0, whole] == pytest.approx(-1, abs=1e-3)
    tau = 1 / (2 * math.pi * RESONANCE_HZ * DAMPING)
    jitter = (1 + 6 * 0.15**2 + 3 * 0.15**4) / (1 + 0.15**2) ** 2
    assert drawn.sk[1, whole] + 2 == pytest.approx(jitter / (rate * tau), rel=0.06)


def test_the_shares_of_each_level_add_up_to_all() -> None:
    drawn = picture(machine() + floor(), floor())
    edges = [0, 1, 3, 6, 10, 16, 24, 36, 52]
    assert drawn.bands_hz.shape == (52, 2)
    for start, stop in pairwise(edges):
        bands = drawn.bands_hz[start:stop]
        np.testing.assert_array_equal(bands[1:, 0], bands[:-1, 1])
        assert bands[0, 0] == 2.0
        assert bands[-1, 1] == 10_000.0
        np.testing.assert_allclose(drawn.share[:, start:stop].sum(axis=1), 1, rtol=1e-5)


def test_it_is_the_plain_definition() -> None:
    """Against one band cut out at full length, in float64."""
    x = (shocks(40.0) + floor()).astype(np.float32)
    drawn = kurtogram(x[None], FS)
    position = (np.arange(N) + 0.5) / N
    taper = 0.5 - 0.5 * np.cos(np.pi * np.minimum(np.minimum(position, 1 - position) / 0.1, 1))
    lines = np.fft.fft((x - x.mean(dtype=np.float64)) * taper)
    frequency = np.fft.fftfreq(N, 1 / FS)
    norm = (taper**2).mean() ** 2 / (taper**4).mean()
    for i in (0, 4, 20, 45):
        low, high = drawn.bands_hz[i]
        square = np.abs(np.fft.ifft(np.where((frequency >= low) & (frequency < high), lines, 0))) ** 2
        expected = norm * (square**2).mean() / square.mean() ** 2 - 2
        assert drawn.sk[0, i] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_narrow_bands_are_left_out_where_the_comb_needs_width() -> None:
    x = machine() + shocks(BPFO * SHAFT_HZ) + floor()
    drawn = picture(x, x, x)
    width = np.diff(drawn.best_band(np.array([np.nan, 2500.0, 20_000.0])), axis=1)[:, 0]
    assert width[0] < 2500 <= width[1]
    assert np.isnan(width[2])


def test_the_band_serves_an_extractor() -> None:
    x = (machine() + shocks(BPFO * SHAFT_HZ) + floor()).astype(np.float32)[None]
    low, high = kurtogram(x, FS).best_band()[0]
    extractor = Extractor(FS, N, bands=((low, high),))
    row = extractor.extract(x, speed_hz=SHAFT_HZ, orders=(BPFO, 5.415, 2.357, 0.398))[0]
    features = dict(zip(extractor.names, row.tolist(), strict=True))
    assert features["bpfo_harmonics"] >= 3
    assert features["bpfo_band_hz"] == pytest.approx(low)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_a_batch_is_its_rows_bad_rows_stay_alone_and_samples_unchanged(kind: type) -> None:
    x = (1000 * np.random.default_rng(2).standard_normal((40, 4000))).astype(kind)
    x[1] = 7
    if kind is np.float32:
        x[2, 5] = np.nan
    before = x.copy()
    drawn = kurtogram(x, FS)
    np.testing.assert_array_equal(x, before)
    bad = [1, 2] if kind is np.float32 else [1]
    assert np.isnan(drawn.sk[bad]).all()
    assert np.isnan(drawn.best_band()[bad]).all()
    assert np.isfinite(np.delete(drawn.sk, bad, axis=0)).all()
    np.testing.assert_allclose(kurtogram(x[30:31], FS).sk[0], drawn.sk[30], atol=1e-4)


def test_its_arguments_are_refused_in_a_sentence() -> None:
    x = np.ones((2, 4096), dtype=np.float32)
    with pytest.raises(ValueError, match="levels must be"):
        kurtogram(x, FS, levels=13)
    with pytest.raises(ValueError, match="take longer blocks"):
        kurtogram(x[:, :64], FS)
    with pytest.raises(ValueError, match="narrowest_hz"):
        kurtogram(x, FS).best_band(np.ones(3))
    with pytest.raises(ValueError, match="int16, int32 or float32"):
        kurtogram(x.astype(np.float64), FS)
