"""Onset and window: trends in noise that remembers, the change found, the rise without bias."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import kendalltau

from models.prognosis.courses import courses
from models.prognosis.onset import mann_kendall, onset
from models.prognosis.window import BINS, isotonic


def remembering(rng: np.random.Generator, n: int, m: int, rho: float) -> np.ndarray:
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], rng.standard_normal((n, m)), axis=1)


def test_mann_kendall_is_kendalls_test_where_noise_forgets() -> None:
    x = np.random.default_rng(4).standard_normal((200, 12))
    rise, fall = mann_kendall(np.broadcast_to(np.arange(12.0), x.shape), x)
    expected = [kendalltau(np.arange(12), row, alternative="greater", method="exact").pvalue for row in x]
    # Without memory the p is that of the exact test, drawn towards one half by the doubt about memory.
    sure = np.array(expected) < 0.05
    assert (rise[sure] >= np.array(expected)[sure] - 0.002).all()
    assert np.corrcoef(rise, expected)[0, 1] > 0.97
    assert (rise + fall >= 1).all()


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_memory_is_not_taken_for_a_trend(rho: float) -> None:
    x = remembering(np.random.default_rng(1), 2000, 40, rho)
    p, _ = mann_kendall(np.broadcast_to(np.arange(40.0), x.shape), x)
    assert (p < 0.01).mean() < (0.02 if rho <= 0.5 else 0.03)


def test_a_rise_is_seen_and_a_fall_too() -> None:
    t = np.arange(20.0)
    x = np.stack([t, -t, np.zeros(20), np.where(t < 9, t, np.nan)])
    rise, fall = mann_kendall(np.broadcast_to(t, x.shape), x)
    assert rise[0] < 1e-6
    assert fall[1] < 1e-6
    assert min(rise[2], fall[2]) > 0.4
    assert np.isnan(rise[3])


def test_health_with_memory_is_no_onset_and_degradation_is_found_where_it_began() -> None:
    rng = np.random.default_rng(2)
    hours = np.arange(600.0)
    noise = 0.05 * remembering(rng, 400, 600, 0.7)
    rise = np.where(hours > 400, 0.03 * np.exp(0.02 * (hours - 400)), 0)
    healthy = courses(
        np.broadcast_to(hours, noise.shape),
        np.exp(noise),
        threshold=6,
        alert=np.exp(0.2),
        baseline=1,
        spread=0.05,
    )
    assert onset(healthy).confirmed.mean() < 0.01
    failing = courses(
        np.broadcast_to(hours, noise.shape),
        (1 + rise) * np.exp(noise),
        threshold=6,
        alert=np.exp(0.2),
        baseline=1,
        spread=0.05,
    )
    found = onset(failing)
    assert found.confirmed.mean() > 0.99
    began = found.window.onset_h
    assert 380 < np.median(began) < 500


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_isotonic_never_falls_keeps_what_rises_and_the_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 15))
    x[rng.random(x.shape) < 0.2] = np.nan
    fitted = isotonic(x)
    for row, found in zip(x, fitted, strict=True):
        known = np.isfinite(row)
        assert (np.isfinite(found) == known).all()
        assert (np.diff(found[known]) >= -1e-12).all()
        assert found[known].mean() == pytest.approx(row[known].mean(), abs=1e-9) or not known.any()
    rising = np.sort(x, axis=1)
    np.testing.assert_allclose(isotonic(rising), rising)


def test_a_window_is_the_course_since_its_onset_in_bins() -> None:
    hours = np.arange(1000.0)
    level = np.where(hours < 200, 1.0, 1 + (hours - 200) / 100)
    window = onset(courses([hours], [level], threshold=20, alert=2, baseline=1, spread=0.01)).window
    assert window.t.shape == (1, BINS)
    assert window.onset_h[0] == pytest.approx(202, abs=3)
    assert window.span_h[0] == pytest.approx(999 - window.onset_h[0])
    assert window.points[0] == window.span_h[0] + 1
    here = window.onset_h[0] + (window.t[0] + 1) * window.span_h[0]
    np.testing.assert_allclose(window.x[0], 1 + (here - 200) / 100, rtol=1e-9)


def test_damage_is_counted_on_the_clock_of_use() -> None:
    """Twice the use in half the time is the same course, and rest is no time."""
    hours = np.arange(300.0)
    use = np.where(hours < 100, 2.0, np.where(hours < 200, 0.0, 1.0))
    data = courses([hours], [np.ones(300)], threshold=5, alert=2, use=[use])
    assert data.clock[0, [0, 99, 150, 199, 299]].tolist() == [0, 198, 198, 198, 298]
    unknown = np.where(hours == 250, np.nan, use)
    assert courses([hours], [np.ones(300)], threshold=5, alert=2, use=[unknown]).clock[
        0, -1
    ] == pytest.approx(298, abs=0.1)
    with pytest.raises(ValueError, match="use must be"):
        courses([hours], [np.ones(300)], threshold=5, alert=2, use=[-use])
    with pytest.raises(ValueError, match="shape"):
        courses([hours], [np.ones(3)], threshold=5, alert=2)
