"""The health index: its four corners, the worst mode, the ratchet, and what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnosis.health import (
    EARLY_FLOOR,
    MEDIAN_OF,
    RISING_BLOCKS,
    HealthState,
    Modes,
    indicator_index,
    mode_index,
    start,
    step,
)

MODES = Modes(("bearing", "bearing", "unbalance"), (False, True, False))


def settled(values: list[float], blocks: int = 60) -> HealthState:
    state = start(1, MODES)
    for _ in range(blocks):
        state, _ = step(state, [values], MODES)
    return state


@pytest.mark.parametrize(
    ("value", "index"),
    [
        (1.0, 100),
        (0.5, 100),
        (4.5, 60),
        (7.1, 20),
        (7.1 * 1.6, 0),
        (50, 0),
        (np.sqrt(4.5), 80),
        (np.sqrt(4.5 * 7.1), 40),
        (7.1 * np.sqrt(1.6), 10),
    ],
)
def test_the_corners_and_their_geometric_means(value: float, index: float) -> None:
    assert indicator_index(value, 1.0, 4.5, 7.1) == pytest.approx(index)


@pytest.mark.parametrize(
    ("value", "baseline", "alert", "danger"),
    [
        (np.nan, 1, 2, 4),
        (0, 1, 2, 4),
        (-1, 1, 2, 4),
        (np.inf, 1, 2, 4),
        (1, np.nan, 2, 4),
        (1, 0, 2, 4),
        (1, 3, 2, 4),
        (1, 1, 4, 4),
        (1, 1, 2, np.inf),
    ],
)
def test_without_basis_there_is_no_index(value: float, baseline: float, alert: float, danger: float) -> None:
    assert np.isnan(indicator_index(value, baseline, alert, danger))


@given(st.floats(1e-3, 1e3), st.floats(1.001, 10), st.floats(1e-3, 1e3))
def test_worse_is_never_better_and_units_do_not_matter(value: float, factor: float, unit: float) -> None:
    here = indicator_index(value, 1.0, 3.0, 8.0)
    assert indicator_index(value * factor, 1.0, 3.0, 8.0) <= here
    assert indicator_index(value * unit, unit, 3 * unit, 8 * unit) == pytest.approx(here, abs=1e-6)


def test_a_machine_is_as_good_as_its_worst_mode_and_names_it() -> None:
    found = step(start(3, MODES), [[90, 80, 70], [90, 10, 95], [5, 90, 95]], MODES)[1]
    assert found.index.tolist() == [70, EARLY_FLOOR, 5]
    assert [found.worst_mode(machine) for machine in range(3)] == ["unbalance", "bearing", "bearing"]
    assert found.modes.tolist() == [[80, 70], [50, 95], [5, 95]]
    assert found.complete.all()


def test_a_mode_that_is_not_known_is_said_and_hides_no_other() -> None:
    found = step(start(2, MODES), [[np.nan, np.nan, 30], [np.nan] * 3], MODES)[1]
    assert found.index[0] == 30
    assert not found.complete.any()
    assert np.isnan(found.modes[0, 0])
    assert np.isnan(found.index[1])
    assert found.worst_mode(1) is None


def test_it_falls_by_three_tenths_of_the_way_once_three_of_five_blocks_are_bad() -> None:
    state = settled([100, 100, 100])
    seen = []
    for _ in range(5):
        state, found = step(state, [[20, 100, 100]], MODES)
        seen.append(found.index[0])
    assert seen == pytest.approx([100, 100, 76, 76 - 0.3 * 56, 76 - 0.3 * 56 - 0.3 * 39.2])


def test_a_single_odd_block_moves_nothing() -> None:
    state, _ = step(settled([90, 90, 90]), [[0, 0, 0]], MODES)
    for _ in range(MEDIAN_OF):
        state, found = step(state, [[90, 90, 90]], MODES)
        assert found.index[0] == pytest.approx(90)


def test_it_rises_only_after_an_intervention_and_slowly() -> None:
    state = settled([30, 100, 100])
    for _ in range(30):
        state, found = step(state, [[95, 100, 100]], MODES)
    assert found.index[0] == pytest.approx(30)
    state, found = step(state, [[95, 100, 100]], MODES, repaired=[True])
    assert found.index[0] == pytest.approx(30 + 0.1 * 65)
    for _ in range(RISING_BLOCKS - 1):
        state, found = step(state, [[95, 100, 100]], MODES)
    assert found.index[0] == pytest.approx(95 - 65 * 0.9**RISING_BLOCKS)
    held = found.index[0]
    _, found = step(state, [[100, 100, 100]], MODES)
    assert found.index[0] == held


def test_an_odd_first_block_is_not_for_ever() -> None:
    state, found = step(start(1, MODES), [[5, 90, 90]], MODES)
    assert found.index[0] == 5
    for _ in range(RISING_BLOCKS):
        state, found = step(state, [[95, 90, 90]], MODES)
    assert found.index[0] > 85


def test_a_gap_holds_the_index_and_shows_none() -> None:
    state = settled([40, 100, 100])
    state, gap = step(state, [[np.nan, np.nan, np.nan]], MODES)
    assert np.isnan(gap.index[0])
    _, after = step(state, [[40, 100, 100]], MODES)
    assert after.index[0] == pytest.approx(40)


def test_streaming_goes_on_from_a_saved_state_and_touches_nothing() -> None:
    rng = np.random.default_rng(1)
    blocks = rng.uniform(0, 100, (40, 7, 3))
    blocks[rng.random(blocks.shape) < 0.1] = np.nan
    kept = blocks.copy()
    whole = saved = start(7, MODES)
    for block in blocks:
        whole, straight = step(whole, block, MODES)
        saved, restarted = step(HealthState.from_dict(json.loads(json.dumps(saved.as_dict()))), block, MODES)
        np.testing.assert_array_equal(straight.modes, restarted.modes)
    np.testing.assert_array_equal(blocks, kept)
    with pytest.raises(ValueError, match="version"):
        HealthState.from_dict({"version": 0})


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="shape"):
        mode_index([[1.0, 2.0]], MODES)
    with pytest.raises(ValueError, match="machines"):
        step(start(2, MODES), [[1.0, 2.0, 3.0]], MODES)
    with pytest.raises(ValueError, match="one each"):
        Modes(("a",), ())
