"""The model of a housing's temperature, block by block: as over its whole history, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.detection.housing import ALERT_K, CAUSES, DANGER_K, Housing, Housings, HousingState
from models.detection.plain import from_arrays, to_arrays
from models.features.temperature import AMBIENT_UNKNOWN, HISTORY_TOO_SHORT, TemperatureModel
from models.features.thermal_lag import first_order_lag
from models.types import Refusal

Floats = npt.NDArray[np.float64]
TAU_H = 0.75
EVERY_H = 1 / 6
M = 1500


def weather(m: int = M, every_h: float = EVERY_H) -> tuple[Floats, Floats]:
    """Hours; and causes (m, 3): ambient of days, load of shifts, speed of a drive."""
    t = every_h * np.arange(m)
    rng = np.random.default_rng(4)
    shift = rng.uniform(40, 100, m)[(t // 8).astype(int)]
    drive = rng.uniform(20, 25, m)[(t // 3).astype(int)]
    return t, np.column_stack((24 + 6 * np.cos(t * 2 * np.pi / 24), shift, drive))


def warm(t: Floats, causes: Floats) -> Floats:
    """A housing of that weather and work, to 0.2 K."""
    lagged = first_order_lag(t, causes.T, np.full(CAUSES, TAU_H))
    noise = 0.2 * np.random.default_rng(5).standard_normal(len(t))
    return np.asarray(5 + lagged[0] + 0.15 * lagged[1] + 0.6 * lagged[2] + noise)


def learned(t: Floats, causes: Floats, told: Floats | None = None) -> Housing:
    found = Housing.fit(t, warm(t, causes) if told is None else told, *causes.T)
    assert isinstance(found, Housing)
    return found


def run(model: Housing | None, t: Floats, temperature: Floats, causes: Floats) -> Floats:
    """Block by block, of two housings of which the second has no model."""
    housings, state = Housings([model, None]), HousingState.start(2)
    found = []
    for k in range(len(t)):
        both = np.stack((causes[k], causes[k]))
        state, off = housings.step(state, np.full(2, t[k] * 3600), np.full(2, temperature[k]), both)
        state = from_arrays(HousingState, to_arrays(state))
        assert np.isnan(off[1])
        found.append(off[0])
    return np.array(found)


def test_block_by_block_is_as_the_whole_history() -> None:
    t, causes = weather()
    temperature = warm(t, causes)
    found = run(learned(t, causes), t, temperature, causes)
    model = TemperatureModel.fit(t, temperature[None], *causes.T)
    whole = model.residual(t, temperature[None], *causes.T)[0]
    both = ~np.isnan(whole)
    assert both.sum() > 0.9 * M
    np.testing.assert_allclose(found[both], whole[both], atol=1e-9)
    assert np.isnan(found[t < 2]).all()  # three time constants


def test_a_model_of_hourly_means_judges_blocks() -> None:
    t, causes = weather()
    temperature = warm(t, causes)
    hours = [v.reshape(-1, 6).mean(axis=1) for v in (t, temperature, *causes.T)]
    model = Housing.fit(*hours)
    assert isinstance(model, Housing)
    off = run(model, t, temperature, causes)
    assert np.nanstd(off) < 1.0  # of what moves by 20 K
    assert np.nanmax(off) < ALERT_K / 2


def test_friction_shows_and_the_weather_does_not() -> None:
    t, causes = weather()
    model = learned(t, causes)
    hot = causes.copy()
    hot[:, 0] += 12  # hotter than any day that was learned: its effect is straight
    off = run(model, t, warm(t, hot) + np.where(t > 200, 12.0, 0.0), hot)
    assert abs(np.nanmedian(off[t < 200])) < 0.5
    assert np.nanmedian(off[t > 210]) == pytest.approx(12, abs=0.5)


@pytest.mark.parametrize("column", [1, 2])
def test_work_that_nobody_has_seen_is_not_judged(column: int) -> None:
    t, causes = weather()
    model = learned(t, causes)
    far = causes.copy()
    far[t > 100, column] = 1.2 * causes[:, column].max()
    off = run(model, t, warm(t, far), far)
    assert np.isnan(off[t > 103]).all()
    assert not np.isnan(off[(t > 5) & (t < 95)]).any()


@pytest.mark.parametrize("column", range(CAUSES))
def test_what_is_not_told_is_not_guessed(column: int) -> None:
    t, causes = weather()
    model = learned(t, causes)
    gap = causes.copy()
    gap[600:630, column] = np.nan
    off = run(model, t, warm(t, causes), gap)
    assert np.isnan(off[600:630]).all()
    assert np.isnan(off[630:640]).all()  # five hours are forgotten; the memory fills again
    assert not np.isnan(off[650:]).any()
    assert not np.isnan(off[580:600]).any()


@pytest.mark.parametrize("broken", [-242.0, 0.0, 850.0, "night", "sun"])
def test_a_probe_of_the_air_that_fails_is_no_hot_bearing(broken: float | str) -> None:
    t, causes = weather()
    model, told = learned(t, causes), causes.copy()
    if broken == "sun":
        told[600:627, 0] += 15
    else:
        coldest = 600 + int(np.argmin(causes[600:744, 0]))
        told[coldest:, 0] = told[coldest, 0] if broken == "night" else float(broken)
    off = run(model, t, warm(t, causes), told)
    assert np.nanmax(off) < ALERT_K / 2
    assert np.nanmin(off) > -ALERT_K  # nor does it hide one for long
    assert (broken == "sun") == (not np.isnan(off[-1]))


def test_a_probe_that_was_dead_for_days_teaches_nothing() -> None:
    t, causes = weather(12 * 24, 1.0)
    told = causes.copy()
    told[40:70, 0], told[100, 0] = 0.0, -242.0
    model = learned(t, told, warm(t, causes))
    assert model.coefficients[1] == pytest.approx(1, abs=0.05)
    assert model.sigma_k < 1


def test_without_ambient_there_is_no_model() -> None:
    t, causes = weather()
    nothing = np.full(M, np.nan)
    assert Housing.fit(t, warm(t, causes), nothing) == AMBIENT_UNKNOWN
    assert isinstance(Housing.fit(t[:100], warm(t, causes)[:100], causes[:100, 0]), Refusal)
    assert Housing.fit(t[:100], warm(t, causes)[:100], causes[:100, 0]) == HISTORY_TOO_SHORT
    alone = Housing.fit(
        t, 10 + causes[:, 0] + 0.2 * np.random.default_rng(1).standard_normal(M), causes[:, 0]
    )
    assert isinstance(alone, Housing)
    off = run(alone, t, 10 + causes[:, 0], np.column_stack((causes[:, 0], *np.full((2, M), np.nan))))
    assert abs(np.nanmedian(off)) < 0.2


def test_limits_are_those_of_practice_unless_it_varies_more() -> None:
    t, causes = weather()
    model = learned(t, causes)
    assert model.limits(5.0) == (ALERT_K, DANGER_K)
    assert replace(model, sigma_k=4.0).limits(5.0) == (20.0, 28.0)


def test_a_model_comes_back_to_the_last_bit() -> None:
    t, causes = weather()
    model = learned(t, causes)
    again = from_arrays(Housing, to_arrays(model))
    for name in Housing.__slots__:
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
