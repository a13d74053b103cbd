"""The temperature of a bearing housing, against a body whose heat is integrated step by step."""

from __future__ import annotations

import numpy as np
import pytest

from models.features.huber import huber_fit
from models.features.temperature import (
    AMBIENT_CONSTANT,
    AMBIENT_UNKNOWN,
    HISTORY_TOO_SHORT,
    LEAST_POINTS,
    TemperatureModel,
    rise_k,
    slopes_k_per_h,
)
from models.features.thermal_lag import first_order_lag

DAYS = 4
T_H = np.arange(DAYS * 1440) / 60
TRUE = (9.0, 0.95, 0.2, 0.3)  # °C, K/K, K/%, K/Hz
TAU_H = (0.2, 0.5, 0.75, 1.0)
HOURS = 60  # samples

Signals = tuple[np.ndarray, np.ndarray, np.ndarray]


def signals(n: int = 4, seed: int = 1) -> Signals:
    """Ambient with days and weather, load in steps, speed of a drive, each (n, m), steady for 4 h."""
    rng = np.random.default_rng(seed)
    ambient = 24 + 5 * np.sin(2 * np.pi * (T_H - 9) / 24) + 2 * np.sin(2 * np.pi * T_H / 70)
    load = np.repeat(rng.uniform(20, 100, (n, DAYS * 8)), 3 * HOURS, axis=1)
    speed = np.repeat(rng.uniform(15, 25, (n, DAYS * 4)), 6 * HOURS, axis=1)
    ambient = np.tile(ambient, (n, 1))
    for u in (ambient, load, speed):
        u[:, : 4 * HOURS] = u[:, 4 * HOURS : 4 * HOURS + 1]
    return ambient, load, speed


def warmed(u: Signals, tau_h: np.ndarray, true: tuple[float, ...] = TRUE) -> np.ndarray:
    """Temperature of bodies: dT/dt = (target - T) / τ in steps of 6 s, the target straight in a minute."""
    target = true[0] + sum(b * x for b, x in zip(true[1:], u, strict=True))
    warm = np.empty_like(target)
    warm[:, 0] = now = target[:, 0]
    keep = np.exp(-1 / 600 / tau_h)
    for i in range(1, target.shape[1]):
        for part in np.arange(0.05, 1, 0.1):
            now = keep * now + (1 - keep) * ((1 - part) * target[:, i - 1] + part * target[:, i])
        warm[:, i] = now
    return warm


U = signals()
WARM = warmed(U, np.array(TAU_H))


def test_a_step_through_the_lag_is_an_exponential() -> None:
    """u = 1 from t = 0 on and 0 before: 1 - e^(-t/τ), t from the middle of the minute in which it rose."""
    t = np.arange(-600, 400) / 60
    u = (t >= 0).astype(np.float64)[None, :]
    lagged = first_order_lag(t, u, np.array([0.5]))[0]
    assert lagged[600:] == pytest.approx(1 - np.exp(-(t[600:] + 0.5 / 60) / 0.5), abs=1e-4)
    assert np.isnan(lagged[: int(0.5 * 60 * 2.9)]).all()  # 3 τ: 5 % of the memory is still unknown
    assert lagged[600 - 300 : 600] == pytest.approx(0, abs=1e-12)


def test_the_lag_takes_times_as_they_come_and_bridges_short_gaps_only() -> None:
    t = np.arange(2400) / 60
    u = np.sin(t / 3)[None, :]
    full = first_order_lag(t, u, np.array([0.5]))[0]
    some = np.sort(np.random.default_rng(3).choice(2400, 1600, replace=False))
    assert first_order_lag(t[some], u[:, some], np.array([0.5]))[0] == pytest.approx(
        full[some], abs=1e-3, nan_ok=True
    )
    u[0, 1000:1020] = np.nan
    u[0, 1500:1600] = np.nan
    lagged = first_order_lag(t, u, np.array([0.5]))[0]
    assert np.isnan(lagged[1000:1020]).all()
    assert lagged[1020:1500] == pytest.approx(full[1020:1500], abs=1e-3)
    assert np.isnan(lagged[1500:1640]).all()
    assert lagged[1800:] == pytest.approx(full[1800:], abs=2e-3)  # 200 min: e^-6.7 is left
    assert first_order_lag(t, u, np.array([0.0])) == pytest.approx(u, nan_ok=True)


def test_without_noise_the_model_is_the_body() -> None:
    model = TemperatureModel.fit(T_H, WARM, *U, tau_h=TAU_H)
    assert model.refusals == (None,) * 4
    assert model.coefficients == pytest.approx(np.tile(TRUE, (4, 1)), rel=2e-3)
    assert model.sigma_k == pytest.approx(0, abs=2e-3)
    residual = model.residual(T_H, WARM, *U)
    assert np.isnan(residual[2, : 2 * HOURS]).all()
    assert np.nanmax(np.abs(residual)) < 0.02


def test_the_time_constant_is_found_and_noise_is_told() -> None:
    noisy = WARM + 0.3 * np.random.default_rng(2).standard_normal(WARM.shape)
    model = TemperatureModel.fit(T_H, noisy, *U)
    assert model.tau_h == pytest.approx(TAU_H, rel=0.05)
    assert model.coefficients == pytest.approx(np.tile(TRUE, (4, 1)), rel=0.05)
    assert model.sigma_k == pytest.approx(0.3, rel=0.05)


def test_one_value_in_ten_may_be_wrong() -> None:
    rng = np.random.default_rng(4)
    wrong = np.where(rng.random(WARM.shape) < 0.1, WARM + rng.choice((-80, 150), WARM.shape), WARM)
    noisy = wrong + 0.2 * rng.standard_normal(WARM.shape)
    model = TemperatureModel.fit(T_H, noisy, *U, tau_h=TAU_H)
    assert model.coefficients[:, 1:] == pytest.approx(np.tile(TRUE[1:], (4, 1)), rel=0.03)
    assert model.coefficients[:, 0] == pytest.approx(TRUE[0], abs=0.5)
    assert model.sigma_k == pytest.approx(0.2, rel=0.3)


def test_regreasing_stands_out_of_what_load_and_weather_hide() -> None:
    """+12 K for 5 h: the temperature itself swings by more than that from day to night and load to load."""
    greased = WARM + 0.3 * np.random.default_rng(5).standard_normal(WARM.shape)
    start = 60 * HOURS
    greased[:, start : start + 5 * HOURS] += 12
    assert (np.ptp(WARM, axis=1) > 20).all()
    model = TemperatureModel.fit(T_H, greased, *U)  # even when it was in the history that was learned
    residual = model.residual(T_H, greased, *U)
    inside = residual[:, start : start + 5 * HOURS]
    outside = np.delete(residual, np.s_[start : start + 5 * HOURS], axis=1)
    assert np.nanmin(inside) > 10
    assert np.nanmax(np.abs(outside)) < 3
    assert (np.nanmedian(inside, axis=1) > 20 * model.sigma_k).all()


def test_what_is_not_known_is_not_predicted() -> None:
    model = TemperatureModel.fit(T_H, WARM, *U, tau_h=TAU_H)
    ambient, load, speed = (u.copy() for u in U)
    ambient[0] = np.nan
    load[1, 3000] = np.nan
    speed[2, 3000:] *= 1.3
    expected = model.predict(T_H, ambient, load, speed)
    assert np.isnan(expected[0]).all()
    assert np.isnan(expected[1, 3000])
    assert expected[1, 3001] == pytest.approx(WARM[1, 3001], abs=0.1)
    assert np.isnan(expected[2, 3600:][speed[2, 3600:] > 28]).all()  # faster than it has ever turned
    assert expected[3, 300:] == pytest.approx(WARM[3, 300:], abs=0.02)
    assert np.isnan(model.predict(T_H, None, load, speed)).all()


def test_a_colder_season_is_not_a_strange_regime() -> None:
    model = TemperatureModel.fit(T_H, WARM, *U, tau_h=TAU_H)
    winter = (U[0] - 15, *U[1:])
    assert model.predict(T_H, *winter)[:, 300:] == pytest.approx(WARM[:, 300:] - 15 * TRUE[1], abs=0.1)


def test_a_machine_may_have_no_load_signal_or_one_that_never_moved() -> None:
    steady = (U[0], np.full_like(U[1], 60.0), np.full_like(U[2], 24.75))
    warm = warmed(steady, np.array(TAU_H))
    steady[1][0] = np.nan
    model = TemperatureModel.fit(T_H, warm, *steady, tau_h=TAU_H)
    assert model.refusals == (None,) * 4
    assert model.coefficients[:, 1] == pytest.approx(TRUE[1], rel=1e-3)
    assert (model.coefficients[:, 2:] == 0).all()
    assert np.nanmax(np.abs(model.residual(T_H, warm, *steady))) < 0.02
    busier = model.predict(T_H, U[0], np.full_like(U[1], 80.0), steady[2])
    assert np.isfinite(busier[0, 300:]).all()  # it never had a load
    assert np.isnan(busier[1:]).all()  # what more load does was never seen
    alone = TemperatureModel.fit(T_H, warm, U[0][0], tau_h=0.5)
    assert np.isfinite(alone.predict(T_H, U[0])[:, 300:]).all()


def test_a_model_is_refused_with_its_reason() -> None:
    warm, (ambient, load, speed) = WARM.copy(), (u.copy() for u in U)
    ambient[0] = np.nan
    warm[1, 90 + LEAST_POINTS - 1 :] = np.nan  # 3 τ = 90 min
    ambient[2] = 21 + 0.5 * np.sin(T_H)
    model = TemperatureModel.fit(T_H, warm, ambient, load, speed, tau_h=TAU_H)
    assert model.refusals == (AMBIENT_UNKNOWN, HISTORY_TOO_SHORT, AMBIENT_CONSTANT, None)
    assert np.isnan(model.coefficients[:3]).all()
    assert np.isnan(model.residual(T_H, warm, ambient, load, speed)[:3]).all()
    short = TemperatureModel.fit(T_H[:100], WARM[:, :100], *(u[:, :100] for u in U))
    assert short.refusals == (HISTORY_TOO_SHORT,) * 4
    rare = np.where(np.arange(T_H.size) % 29, np.nan, WARM)  # 199 values, of which the search sees half
    assert TemperatureModel.fit(T_H, rare, *U).refusals == (HISTORY_TOO_SHORT,) * 4
    assert TemperatureModel.fit(T_H, WARM, None).refusals == (AMBIENT_UNKNOWN,) * 4
    assert TemperatureModel.fit(T_H, WARM[:0], U[0][:0]).refusals == ()


def test_the_batch_changes_nothing_and_nothing_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for array in (T_H, WARM, *U):
        array.flags.writeable = False
    together = TemperatureModel.fit(T_H, WARM, *U)
    monkeypatch.setattr("models.features.temperature._AT_ONCE", 1)
    apart = TemperatureModel.fit(T_H, WARM, *U)
    assert apart.coefficients == pytest.approx(together.coefficients)
    assert (apart.refusals, apart.tau_h.tolist()) == (together.refusals, together.tau_h.tolist())


def test_load_and_speed_that_only_moved_together_still_predict() -> None:
    u = (U[0], 4 * U[2], U[2])
    model = TemperatureModel.fit(T_H, warmed(u, np.array(TAU_H)), *u, tau_h=TAU_H)
    assert np.nanmax(np.abs(model.residual(T_H, warmed(u, np.array(TAU_H)), *u))) < 0.02
    assert np.abs(model.coefficients).max() < 20


def test_huber_is_least_squares_where_no_residual_is_large() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3, 500, 2))
    y = 2 + x @ np.array([3.0, -4.0]) + rng.choice((-1.0, 1.0), (3, 500))  # |r| / σ = 1 / 1.4826, about
    y[0, :100], x[0, 100:150, 1] = np.nan, np.nan
    intercept, coefficients, sigma = huber_fit(x, y)
    for k in range(3):
        kept = ~(np.isnan(y[k]) | np.isnan(x[k]).any(axis=1))
        design = np.column_stack((np.ones(kept.sum()), x[k, kept]))
        told = np.linalg.lstsq(design, y[k, kept], rcond=None)[0]
        assert (intercept[k], *coefficients[k]) == pytest.approx(told, abs=1e-9)
    assert sigma == pytest.approx(1.4826, rel=0.1)
    assert np.isnan(huber_fit(x, np.full_like(y, np.nan))[1]).all()


def test_rise_and_slopes() -> None:
    warm = np.stack([50 + 0.5 * T_H, np.full_like(T_H, 60.0)])
    warm[1, -60:] += np.arange(60) / 60 * 90  # a seizure: 1.5 K/min in the last hour
    found = slopes_k_per_h(T_H, warm)
    assert list(found) == [1.0, 24.0, 168.0]
    assert found[1.0].slope_per_h == pytest.approx([0.5, 90])
    assert found[24.0].slope_per_h == pytest.approx([0.5, 0], abs=1e-9)
    assert found[168.0].slope_per_h == pytest.approx([0.5, 0], abs=1e-9)  # 4 days of 7
    assert np.isnan(slopes_k_per_h(T_H[:2880], warm[:, :2880])[168.0].slope_per_h).all()  # 2 of 7
    rise = rise_k([60, 60], [20, np.nan])
    assert (rise[0], np.isnan(rise[1])) == (40, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"load": U[1][:, :5]}, r"load must have the shape \(4, 5760\) or \(5760,\), got \(4, 5\)"),
        ({"speed_hz": U[2] + np.inf}, "speed_hz must be finite, and NaN where it is unknown, got inf"),
        ({"tau_h": -1.0}, "tau_h must be finite hours of 0 or more, got -1"),
        ({"tau_h": [1.0, 2.0]}, "tau_h must be one number, or one for each of the 4"),
        ({"t_h": -T_H}, "t_h must be times in hours, .* got -0.0166667 at place 1"),
        ({"temperature_c": WARM[0]}, "temperature_c must be a batch of series"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(change: dict[str, np.ndarray], told: str) -> None:
    given = {"t_h": T_H, "temperature_c": WARM, "ambient_c": U[0]} | change
    with pytest.raises(ValueError, match=told):
        TemperatureModel.fit(**given)  # type: ignore[arg-type]


def test_a_model_is_for_its_machines() -> None:
    model = TemperatureModel.fit(T_H, WARM, *U, tau_h=TAU_H)
    with pytest.raises(ValueError, match="temperature_c must hold 4 machines, got 2"):
        model.residual(T_H, WARM[:2], U[0][:2])
