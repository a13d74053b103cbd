"""T² and SPE: Ledoit and Wolf's closed form, the algebra of contributions, and thresholds that hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from models.detection.multivariate import Multivariate, ledoit_wolf


def rows(m: int, d: int, *, common: float = 0.5, rho: float = 0.0, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((m, d + 1)) * np.sqrt(1 - rho**2)
    series = lfilter([1], [1, -rho], noise, axis=0)
    return np.sqrt(1 - common) * series[:, 1:] + np.sqrt(common) * series[:, :1]


def fitted(z: np.ndarray) -> Multivariate:
    found = Multivariate.fit(z)
    assert found is not None
    return found


def test_ledoit_wolf_as_it_is_written() -> None:
    x = rows(30, 5)
    n, d = x.shape
    s = x.T @ x / n
    mu = np.trace(s) / d
    delta = ((s - mu * np.eye(d)) ** 2).sum()
    beta = sum(((np.outer(row, row) - s) ** 2).sum() for row in x) / n**2
    found = ledoit_wolf(x)
    assert found.intensity == pytest.approx(beta / delta)
    assert found.covariance == pytest.approx((1 - beta / delta) * s + beta / delta * mu * np.eye(d))


def test_memory_shrinks_further() -> None:
    x = rows(200, 10)
    assert ledoit_wolf(x, 5.0).intensity == pytest.approx(5 * ledoit_wolf(x).intensity)
    assert ledoit_wolf(x, 1e9).intensity == 1


@pytest.mark.parametrize("x", [np.zeros((50, 3)), np.ones((50, 3))])
def test_constant_rows_are_no_error(x: np.ndarray) -> None:
    assert np.isfinite(ledoit_wolf(x).covariance).all()


def test_contributions_sum_to_what_they_explain() -> None:
    z = rows(400, 7)
    model = fitted(z)
    of_t2, of_spe = model.contributions(z)
    t2, spe = model.statistics(z)
    np.testing.assert_allclose(of_t2.sum(axis=1), t2, rtol=1e-9)
    np.testing.assert_allclose(of_spe.sum(axis=1), spe, rtol=1e-6, atol=1e-9)


def test_float32_is_as_good() -> None:
    z = rows(9000, 12)
    model = fitted(z)
    for single, double in zip(model.statistics(z.astype(np.float32)), model.statistics(z), strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)


def test_a_broken_correlation_is_seen_where_single_features_are_not() -> None:
    z = rows(1500, 8, common=0.9)
    model = fitted(z[:1200])
    odd = z[1200:1201].copy()
    odd[0, 3] = odd[0].mean() - 2.5  # no single feature is far out
    assert np.abs(odd).max() < 5
    scores = model.scores(np.concatenate((z[1200:], odd)))
    assert scores[1, -1] > 5
    assert np.median(scores[:, :-1]) < 1
    assert model.contributions(odd)[1].argmax() == 3


def test_its_threshold_holds_for_blocks_that_remember() -> None:
    z = rows(1008 + 4320, 40, common=0.0, rho=0.95)
    scores = fitted(z[:1008]).scores(z[1008:])
    assert (scores > 5).mean() < 2e-3  # in-sample scores gave 30 alarms a month here


def test_what_is_missing_counts_as_expected_and_half_is_needed() -> None:
    z = rows(300, 6)
    z[:, 5] = np.nan  # a column that was never learned
    model = fitted(z)
    block = z[:3].copy()
    block[1, 0], block[2, :3] = np.nan, np.nan
    scores = model.scores(block)
    assert np.isfinite(scores[:, :2]).all()
    assert np.isnan(scores[:, 2]).all()


@pytest.mark.parametrize("z", [rows(49, 5), rows(500, 1), np.full((500, 4), np.nan)])
def test_too_little_gives_no_model(z: np.ndarray) -> None:
    assert Multivariate.fit(z) is None


def test_features_that_repeat_each_other_are_no_error() -> None:
    z = rows(600, 1)
    two_valued = np.where(z > 0, 0.7, -0.7)
    for twice in (np.repeat(z, 3, axis=1), np.repeat(two_valued, 3, axis=1)):
        model = fitted(twice)
        assert np.abs(model.scores(twice)).max() < 10
        assert (model.scores(twice + np.array([0.1, 0, 0]))[1] < 5).all()
        assert (model.scores(twice + np.array([3.0, 0, 0]))[1] > 5).all()


def test_models_stacked_are_as_models_alone() -> None:
    z = rows(600, 6)
    z[:, 4] = np.nan
    models = [fitted(z[:300]), None, fitted(z[:, :4].repeat(2, axis=1)[:, :6])]
    stacked = Multivariate.stacked(models, 6)
    scores = stacked.scores(np.stack((z, z, z)))
    for one, found in zip(models, scores.swapaxes(0, 1), strict=True):
        expected = one.scores(z) if one else np.full((2, 600), np.nan)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
