"""Each model of degradation against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import invgauss, norm

from models.prognosis import (
    GENERIC,
    LEVELS,
    NOMINAL,
    Calibration,
    answers,
    calibrate,
    class_history,
    courses,
    forecast,
    population_life,
)
from models.prognosis.mixture import mixed, quantiles
from models.prognosis.wiener import first_passage


def passage(t: object, d: float, m: float, c2: float, s2: float) -> np.ndarray:
    return first_passage(*(np.asarray(value, dtype=float) for value in (t, d, m, c2, s2)))


@pytest.mark.parametrize(("d", "m", "s2"), [(1, 1, 0.1), (5, 0.3, 0.5), (0.2, 4, 3), (2, 1, 1e-6)])
def test_a_known_drift_passes_as_an_inverse_gaussian(d: float, m: float, s2: float) -> None:
    t = np.linspace(0.05, 4, 80) * d / m
    shape = d * d / s2
    expected = invgauss.cdf(t, mu=(d / m) / shape, scale=shape)
    np.testing.assert_allclose(passage(t, d, m, 0.0, s2), expected, atol=1e-9)


def test_its_mean_is_distance_over_drift_and_its_deviation_as_published() -> None:
    d, m, s2 = 3.0, 0.5, 0.2

    def survives(t: float) -> float:
        return 1 - float(passage(t, d, m, 0.0, s2))

    mean = quad(survives, 0, 200, limit=400)[0]
    square = quad(lambda t: 2 * t * survives(t), 0, 200, limit=400)[0]
    assert mean == pytest.approx(d / m, rel=1e-6)
    assert math.sqrt(square - mean**2) == pytest.approx(math.sqrt(d * s2 / m**3), rel=1e-6)


def test_an_unknown_drift_is_the_mean_over_drifts() -> None:
    d, m, c, s2 = 2.0, 1.0, 0.4, 0.3

    def ever(drift: float) -> float:
        return 1.0 if drift >= 0 else math.exp(2 * drift * d / s2)

    def weighed(t: float) -> float:
        # Of a falling drift's passages the part that happens, e^(2 mu d / s2), is that of the rising one.
        return quad(
            lambda mu: norm.pdf(mu, m, c) * ever(mu) * float(passage(t, d, abs(mu), 0.0, s2)),
            -1,
            3,
            limit=200,
        )[0]

    some_day = quad(lambda mu: norm.pdf(mu, m, c) * ever(mu), -1, 3)[0]
    for t in (0.5, 2.0, 6.0):
        assert float(passage(t, d, m, c * c, s2)) == pytest.approx(weighed(t) / some_day, rel=1e-4)


def test_extremes_neither_overflow_nor_leave_0_to_1() -> None:
    t = np.array([0.0, 1e-12, 1.0, 1e12])
    for d in (1e-9, 1.0, 1e9):
        for m in (-5.0, 1e-9, 1e6):
            for c2 in (0.0, 1e-12, 1e6):
                for s2 in (0.0, 1e-12, 1e9):
                    found = passage(t, d, m, c2, s2)
                    assert np.isfinite(found).all()
                    assert (np.diff(found) >= -1e-9).all()
                    assert found[0] == 0


def exact(growth: float = 0.02, phi: float = 1.0, goal: float = 9.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Hours, an exact exponential above a baseline, and the hours left to its goal."""
    hours = np.arange(0, 220.0)
    rise = 0.05 * np.exp(growth * (hours - 50))
    level = np.where(hours < 50, phi, phi + rise)
    return hours, level, 50 + math.log((goal - phi) / 0.05) / growth - hours[-1]


@pytest.mark.parametrize("calibration", [NOMINAL, Calibration({"exponential": 1, "wiener": 0})])
def test_an_exact_exponential_is_found_exactly(calibration: Calibration) -> None:
    hours, level, left = exact()
    data = courses([hours], [level], threshold=9.0, alert=1.5, baseline=1.0, spread=1e-5)
    said = answers(forecast(data), calibration)
    assert [said.p10[0], said.p50[0], said.p90[0]] == pytest.approx([left] * 3, rel=0.01)


@pytest.mark.parametrize("curve", [1.0, 2.0])
def test_the_process_follows_a_power_of_time(curve: float) -> None:
    hours = np.arange(0, 150.0)
    level = 1 + np.where(hours < 50, 0.0, 3 * (np.maximum(hours - 50, 0) / 100) ** curve)
    goal = 1 + 3 * 1.5**curve
    data = courses([hours], [level], threshold=goal, alert=1.5, baseline=1.0, spread=1e-3)
    said = answers(forecast(data), Calibration({"exponential": 0, "wiener": 1}))
    assert said.p50[0] == pytest.approx(51, rel=0.05)


@pytest.mark.parametrize("straight", [True, False])
def test_a_temperature_rises_steadily_or_by_itself(straight: bool) -> None:
    hours = np.arange(0, 300.0)
    late = np.maximum(hours - 100, 0)
    rise = 30 + (0.1 * late if straight else np.where(late > 0, 0.4 * np.exp(0.018 * late), 0.0))
    goal = 30 + (0.1 * 300 if straight else 0.4 * math.exp(0.018 * 300))
    noise = 0.2 * np.random.default_rng(3).standard_normal(300)
    data = courses([hours], [rise + noise], threshold=goal, alert=35, baseline=30, spread=0.2, linear=True)
    said = answers(forecast(data), NOMINAL)
    assert said.p10[0] <= said.p50[0] <= said.p90[0]
    assert said.p50[0] == pytest.approx(101, rel=0.08)


def test_the_library_knows_what_similar_lives_had_left() -> None:
    """Lives that all turn upwards late: only those that failed can tell."""
    rng = np.random.default_rng(5)
    hours = np.arange(0, 400.0)
    ends = np.linspace(330, 390, 12)
    share = np.clip((hours - 100) / (ends[:, None] - 100), 0, 1)
    level = (1 + 8 * (0.15 * share + 0.85 * share**8)) * np.exp(0.01 * rng.standard_normal((12, 400)))
    level[hours > ends[:, None]] = np.nan
    history = class_history(
        courses(np.broadcast_to(hours, level.shape), level, threshold=9, alert=1.2, baseline=1, spread=0.01)
    )
    assert history is not None
    assert history.lives == 12
    now = 300
    own = (1 + 8 * (0.15 * (hours - 100) / 260 + 0.85 * ((hours - 100) / 260).clip(0) ** 8))[:now]
    data = courses(
        [hours[:now]], [np.where(hours[:now] < 100, 1, own)], threshold=9, alert=1.2, baseline=1, spread=0.01
    )
    told = forecast(data, history)
    only = answers(told, Calibration({"exponential": 0, "wiener": 0, "similarity": 1}))
    assert only.p50[0] == pytest.approx(60, rel=0.2)
    assert only.p10[0] < 60 < only.p90[0]


class Straight:
    """A uniform distribution, as a model."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def cdf(self, t: np.ndarray) -> np.ndarray:
        return np.clip((t - self.low) / (self.high - self.low), 0, 1)


def test_quantiles_are_those_of_the_mixture_and_not_their_mean() -> None:
    models = {"early": Straight(1, 2), "late": Straight(9, 10)}
    shares = {"early": 0.5, "late": 0.5}
    found = quantiles(models, shares, LEVELS, 1)[0]
    assert found == pytest.approx([1.2, 2.0, 9.8], rel=1e-6)
    assert mixed(models, shares, np.array([[5.0]]))[0, 0] == 0.5


def test_calibration_weighs_the_model_that_was_right_and_reads_it_where_it_was() -> None:
    rng = np.random.default_rng(7)
    left = rng.uniform(1, 2, 400)
    learnt = calibrate([({"right": Straight(1, 2), "wrong": Straight(5, 9)}, left)], 400)
    assert learnt.weights["right"] > 0.95
    assert learnt.levels == pytest.approx(LEVELS, abs=0.05)
    assert learnt.levels[0] < 0.1
    # A model that always says too much: its lower quantiles are the true ones.
    biased = calibrate([({"late": Straight(1, 3)}, left)], 400)
    assert biased.levels == pytest.approx([0.05, 0.25, 0.6], abs=0.03)
    assert calibrate([({"right": Straight(1, 2)}, left[:5])], 5) is GENERIC


def test_the_population_is_a_conditional_weibull() -> None:
    for age in (0.0, 500.0, 5000.0):
        life = population_life(age, 2.0, 1000.0)
        for p, told in zip(LEVELS, (life.p10, life.p50, life.p90), strict=True):
            survives = math.exp((age / 1000) ** 2 - ((age + told) / 1000) ** 2)
            assert survives == pytest.approx(1 - p, rel=1e-9)
    with pytest.raises(ValueError, match="positive"):
        population_life(1, 0, 1)
