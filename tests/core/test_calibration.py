"""Verdicts about regimes that nobody has measured: laws, thresholds, and rates on made machines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.detection.baseline import BASELINE_TOO_SHORT
from models.detection.calibration import (
    LEAST_ROWS,
    MARGIN,
    PRIOR_SIGMA,
    SELDOM,
    RegimeModel,
    regime_rows,
)

D = 12
WINDOWS = 40


def machine(seed: int, regimes: int, *, shift: float = 0.3) -> list[np.ndarray]:
    """Healthy rows of regimes that differ by a few common ways and a bit of everything."""
    rng = np.random.default_rng(seed)
    ways = rng.standard_normal((2, D))
    moved = shift * (rng.standard_normal((regimes, 2)) @ ways + 0.5 * rng.standard_normal((regimes, D)))
    return [m + 0.1 * rng.standard_normal((WINDOWS, D)) for m in moved]


def fitted(parts: list[np.ndarray], positions: list[float]) -> RegimeModel:
    found = RegimeModel.fit(np.concatenate(parts), np.repeat(positions, [len(part) for part in parts]))
    assert isinstance(found, RegimeModel)
    return found


def test_levels_that_go_with_the_square_of_the_speed_are_the_same_at_all_speeds() -> None:
    speed = np.array([10.0, 20.0, 25.0])
    features = np.column_stack((0.3 * speed**2, np.full(3, 3.2)))
    rows = regime_rows(features, [1, 0], speed)
    assert rows == pytest.approx(np.log([[0.3, 3.2]] * 3))
    assert regime_rows(features, [1, 0]) == pytest.approx(np.log(features))


def test_what_has_no_logarithm_or_no_speed_is_not_known() -> None:
    assert np.isnan(regime_rows([[0.0, -1.0, np.nan, np.inf]], [1, 1, 1, 1])).all()
    rows = regime_rows([[1.0, 1.0]], [1, 0], [0.0])
    assert np.isnan(rows[0, 0])
    assert rows[0, 1] == 0
    with pytest.raises(ValueError, match="degrees"):
        regime_rows([[1.0]], [1, 0])


def test_the_threshold_is_twice_the_strangest_regime_left_out() -> None:
    model = fitted(machine(1, 4), [0, 1, 2, 3])
    assert model.left_out.shape == (4,)
    assert model.threshold == pytest.approx(MARGIN * model.left_out.max())


def test_one_regime_has_no_threshold_but_the_prior_one() -> None:
    (part,) = machine(1, 1)
    model = fitted([part], [3.0])
    assert model.threshold == MARGIN
    assert np.diag(model.between) == pytest.approx(PRIOR_SIGMA**2)
    moved = part.mean(axis=0) + np.log(2.0)
    assert model.score([moved], 4.0)[0] == pytest.approx(np.log(2.0) / (np.sqrt(2) * PRIOR_SIGMA), rel=0.1)


def test_two_regimes_that_hardly_differ_do_not_make_others_impossible() -> None:
    (part,) = machine(1, 1)
    model = fitted([part, part], [0.0, 1.0])
    assert np.diag(model.between).min() >= PRIOR_SIGMA**2 / 4 * 0.99


@pytest.mark.parametrize(("regimes", "rate"), [(3, 0.05), (4, 0.015), (6, 0.015), (9, 0.0)])
@pytest.mark.parametrize("shift", [0.1, 0.3])
def test_healthy_windows_of_the_next_regime_are_hardly_ever_alarmed(
    regimes: int, rate: float, shift: float
) -> None:
    rates = []
    for seed in range(150):
        *learned, unseen = machine(seed, regimes + 1, shift=shift)
        model = fitted(learned, list(range(regimes)))
        rates.append(float((model.verdict(unseen, (regimes - 1) / 2 + 0.25) == 1).mean()))
    assert np.mean(rates) <= rate


def test_a_regime_left_out_is_judged_as_if_it_had_never_been_measured() -> None:
    parts = machine(7, 4)
    model, others = fitted(parts, [0, 1, 2, 3]), fitted(parts[:3], [0, 1, 2])
    within = replace(others, within=model.within)
    assert model.left_out[3] == pytest.approx(np.quantile(within.score(parts[3], 3.0), SELDOM))


def test_a_fault_is_found_in_a_regime_that_was_not_learned() -> None:
    hits = []
    for seed in range(40):
        *learned, unseen = machine(seed, 5, shift=0.1)
        broken = unseen.copy()
        broken[:, :3] += 2.0
        hits.append(float((fitted(learned, [0, 1, 2, 3]).verdict(broken, 1.5) == 1).mean()))
    assert np.mean(hits) > 0.99


def test_further_from_what_was_learned_it_is_less_sure() -> None:
    model = fitted(machine(3, 4), [0, 10, 20, 30])
    row = model.medians.mean(axis=0) + 1.0
    near, out, far = model.score(np.tile(row, (3, 1)), [15.0, 40.0, 90.0])
    assert near > out > far


def test_a_gain_of_the_sensor_changes_nothing() -> None:
    parts = machine(4, 4)
    gained = [part + np.log(7.3) for part in parts]
    ours, other = fitted(parts, [0, 1, 2, 3]), fitted(gained, [0, 1, 2, 3])
    assert other.threshold == pytest.approx(ours.threshold)
    assert other.score(gained[0], 1.0) == pytest.approx(ours.score(parts[0], 1.0))


def test_columns_that_were_not_learned_do_not_count_and_missing_ones_are_unknown() -> None:
    parts = machine(5, 3)
    holes = [part.copy() for part in parts]
    holes[0][0, 2] = np.nan
    model = fitted(holes, [0, 1, 2])
    assert np.flatnonzero(~model.learned).tolist() == [2]
    row = parts[1][:2].copy()
    row[0, 2] = 1e6
    row[1, 3] = np.nan
    assert model.verdict(row, 1.0).tolist() == [0, -1]
    assert model.verdict(parts[1][:1], np.nan).tolist() == [-1]


def test_too_few_windows_are_refused() -> None:
    part = machine(6, 1)[0]
    short = np.concatenate((part, part[: LEAST_ROWS - 1]))
    at = np.repeat([0.0, 1.0], [len(part), LEAST_ROWS - 1])
    assert RegimeModel.fit(short, at) is BASELINE_TOO_SHORT
    assert RegimeModel.fit(np.full((WINDOWS, D), np.nan), 0.0) is BASELINE_TOO_SHORT
    assert RegimeModel.fit(np.empty((0, D)), 0.0) is BASELINE_TOO_SHORT


def test_shapes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="a window each"):
        RegimeModel.fit(np.zeros(5), 0.0)
    with pytest.raises(ValueError, match="one for each of 5 rows"):
        RegimeModel.fit(np.zeros((5, 2)), np.zeros(4))
