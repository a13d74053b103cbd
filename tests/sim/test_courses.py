"""How faults grow: onset, growth, jumps, pauses, ends of life, repairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.courses import Constant, Degradation, Deposit, Growth, Ramp, mended
from simulators.draws import Floats, key_of

DAY_S = 86400.0
START_S = 1_792_000_000.0
NO_REPAIRS: tuple[float, ...] = ()


def even(times_s: Floats) -> Floats:
    return np.ones(times_s.size)


def lives(growth: Growth, key: int = 1, repairs: tuple[float, ...] = NO_REPAIRS) -> Degradation:
    return growth.lives(key_of(key), START_S, repairs, even, until_s=START_S + 1000 * DAY_S)


def at(course: Degradation, days: float) -> float:
    return float(course.severity(np.array([START_S + days * DAY_S]))[0])


def test_severity_grows_exponentially_from_its_onset_to_one() -> None:
    course = lives(Growth(life_s=10 * DAY_S, onset_s=2 * DAY_S, start=0.01))
    assert [at(course, d) for d in (1.9, 2.0, 7.0, 12.0)] == pytest.approx([0.0, 0.01, 0.1, 1.0], rel=0.01)
    assert course.onset_s(START_S + 5 * DAY_S) == START_S + 2 * DAY_S
    assert course.end_s(START_S + 5 * DAY_S) == pytest.approx(START_S + 12 * DAY_S, abs=3600)
    assert course.onset_s(START_S + DAY_S) is None
    assert at(course, 500) == 1.0


def test_onsets_follow_weibull_and_growth_is_lognormal() -> None:
    growth = Growth(life_s=10 * DAY_S, onset_scale_s=30 * DAY_S, onset_shape=1.8, life_spread=0.4)
    drawn = [lives(growth, key).lives[0] for key in range(300)]
    onsets = np.array([life.onset_s - START_S for life in drawn]) / DAY_S
    assert np.median(onsets) == pytest.approx(30 * np.log(2) ** (1 / 1.8), rel=0.1)
    lasting = np.log([(life.end_s - life.onset_s) / DAY_S for life in drawn])
    assert lasting.mean() == pytest.approx(np.log(10), abs=0.1)
    assert lasting.std() == pytest.approx(0.4, rel=0.15)


def test_load_shortens_a_life_by_its_cube() -> None:
    growth = Growth(life_s=10 * DAY_S, onset_s=0.0)

    def heavy(times_s: Floats) -> Floats:
        return np.full(times_s.size, 1.25)

    loaded = growth.lives(key_of(1), START_S, NO_REPAIRS, heavy, until_s=START_S + DAY_S)
    assert loaded.lives[0].end_s - START_S == pytest.approx(10 * DAY_S / 1.25**3, rel=0.01)


def test_a_machine_at_rest_does_not_age() -> None:
    growth = Growth(life_s=10 * DAY_S, onset_s=0.0)

    def stopped(times_s: Floats) -> Floats:
        return ((times_s < START_S + 2 * DAY_S) | (times_s > START_S + 6 * DAY_S)).astype(np.float64)

    course = growth.lives(key_of(1), START_S, NO_REPAIRS, stopped, until_s=START_S + DAY_S)
    assert at(course, 3) == at(course, 5)
    assert course.lives[0].end_s - START_S == pytest.approx(14 * DAY_S, rel=0.02)


def test_jumps_shorten_and_pauses_lengthen_a_life() -> None:
    plain, jumping, pausing = (
        lives(Growth(life_s=10 * DAY_S, onset_s=0.0, jumps=jumps, plateau=plateau)).lives[0]
        for jumps, plateau in ((0.0, 0.0), (6.0, 0.0), (0.0, 1.0))
    )
    assert jumping.end_s < plain.end_s < pausing.end_s
    assert max(np.diff(np.log(jumping.severities))) > 10 * max(np.diff(np.log(plain.severities)))
    assert 0.0 in np.diff(pausing.severities)


def test_after_its_end_a_part_is_repaired_and_begins_a_life_of_its_own() -> None:
    growth = Growth(
        life_s=5 * DAY_S, onset_scale_s=10 * DAY_S, life_spread=0.3, repair_after_s=DAY_S, imperfect=0.0
    )
    course = lives(growth)
    assert len(course.lives) > 20
    for before, after in zip(course.lives, course.lives[1:], strict=False):
        assert after.start_s == before.until_s == before.end_s + DAY_S
        assert float(course.severity(np.array([after.start_s + 1.0]))[0]) < 0.03
    ages = {round(life.end_s - life.onset_s) for life in course.lives}
    assert len(ages) == len(course.lives)


def test_one_repair_in_ten_is_imperfect() -> None:
    growth = Growth(life_s=DAY_S, onset_s=DAY_S, repair_after_s=0.1 * DAY_S)
    repaired = [life for key in range(20) for life in lives(growth, key).lives[1:]]
    botched = [life for life in repaired if life.imperfect]
    assert len(botched) / len(repaired) == pytest.approx(0.1, abs=0.03)
    assert all(life.onset_s == life.start_s and life.severities[0] > 0.05 for life in botched)


def test_an_intervention_in_time_means_that_no_end_comes() -> None:
    growth = Growth(life_s=10 * DAY_S, onset_s=DAY_S, imperfect=0.0)
    course = lives(growth, repairs=(START_S + 8 * DAY_S,))
    assert at(course, 7.9) > 0.2
    assert at(course, 8.1) == 0.0
    assert course.end_s(START_S + 5 * DAY_S) is None
    assert course.end_s(START_S + 9 * DAY_S) == pytest.approx(START_S + 19 * DAY_S, abs=3600)


@given(key=st.integers(0, 1000), jumps=st.floats(0, 3), plateau=st.floats(0, 1), spread=st.floats(0, 1))
def test_within_a_life_severity_never_falls(key: int, jumps: float, plateau: float, spread: float) -> None:
    growth = Growth(life_s=DAY_S, onset_s=DAY_S, jumps=jumps, plateau=plateau, life_spread=spread)
    life = lives(growth, key).lives[0]
    assert np.all(np.diff(life.severities) >= 0)
    assert life.severities[-1] == 1.0
    assert all(0 < s <= 1 for s in life.severities)


def test_a_deposit_grows_falls_off_and_grows_again() -> None:
    deposit = Deposit(START_S, 10 * DAY_S, 0.1, 0.5, key_of(1))
    severities = deposit.severity(START_S + DAY_S * np.array([-1.0, 0.0, 5.0, 9.99, 10.01, 25.0]))
    assert severities[0] == 0.0
    assert severities[1] == pytest.approx(0.1)
    assert 0.25 < severities[2] < 0.35
    assert 0.44 < severities[3] < 0.56
    assert severities[4] == pytest.approx(0.1, abs=0.01)
    assert deposit.onset_s(START_S + 25 * DAY_S) == START_S + 20 * DAY_S


def test_a_repair_ends_what_does_not_grow_by_itself() -> None:
    at_s = START_S + DAY_S
    whole = mended(Constant(0.6), (at_s,), key_of(1), imperfect=0.0)
    assert list(whole.severity(at_s + np.array([-1.0, 1.0]))) == [0.6, 0.0]
    botched = mended(Constant(0.6), (at_s,), key_of(1), imperfect=1.0)
    assert 0.05 < float(botched.severity(np.array([at_s + 1.0]))[0]) < 0.25
    growing = mended(Ramp(START_S, START_S + 2 * DAY_S, 1.0), (at_s,), key_of(1), imperfect=0.0)
    assert growing.onset_s(START_S + 1) == START_S
    assert growing.end_s(START_S + 1) is None


def test_a_line_and_a_level() -> None:
    ramp = Ramp(START_S, START_S + 10, 0.8)
    assert list(ramp.severity(START_S + np.array([-1, 5, 20]))) == pytest.approx([0.0, 0.4, 0.8])
    assert ramp.end_s(START_S) is None
    assert Ramp(START_S, START_S + 10, 1.0).end_s(START_S) == START_S + 10
    step = Ramp(START_S, START_S, 0.5)
    assert list(step.severity(START_S + np.array([-1, 0]))) == [0.0, 0.5]
    assert list(Constant(0.3).severity(np.zeros(2))) == [0.3, 0.3]
