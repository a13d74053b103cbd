"""Gravity as the reference: six rests in any order give back the sensor that was made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import CalibrationError, pose, solve
from models.calibration.static import STANDARD_G_M_S2, Pose

SIX = [(axis, sign) for axis in range(3) for sign in (1, -1)]


def rest(axis: int, sign: int, matrix: np.ndarray, offset: np.ndarray, *, noise: float = 0.05) -> np.ndarray:
    direction = np.zeros(3)
    direction[axis] = sign * STANDARD_G_M_S2
    rng = np.random.default_rng(3 * axis + sign + 1)
    return (matrix @ direction + offset)[:, None] + noise * rng.standard_normal((3, 4000))


@given(
    gains=st.lists(st.floats(0.9, 1.1), min_size=3, max_size=3),
    offset=st.lists(st.floats(-0.8, 0.8), min_size=3, max_size=3),
    cross=st.floats(-0.03, 0.03),
    order=st.permutations(SIX),
)
def test_the_sensor_is_found_whatever_the_order(
    gains: list[float], offset: list[float], cross: float, order: list[tuple[int, int]]
) -> None:
    matrix = np.diag(gains) + cross * (1 - np.eye(3))
    poses = [pose(rest(*one, matrix, np.array(offset))) for one in order]
    assert [(one.axis, one.sign) for one in poses] == list(order)
    found = solve(poses)
    assert found.gain * gains == pytest.approx(1, abs=1e-3)
    assert found.offset_m_s2 == pytest.approx(offset, abs=5e-3)
    assert found.cross_percent[0, 1] == pytest.approx(100 * cross / gains[0], abs=0.1)
    assert np.diag(found.cross_percent) == pytest.approx(0)


def test_a_place_with_another_gravity_may_say_so() -> None:
    poses = [Pose(a, s, tuple(9.780 * s * np.eye(3)[a]), (0.0,) * 3) for a, s in SIX]
    assert solve(poses, g_m_s2=9.780).gain == pytest.approx(1)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (rest(0, 1, np.eye(3), np.zeros(3), noise=2.0), "the sensor moved"),
        (rest(0, 1, 0.5 * np.eye(3), np.zeros(3)), "no axis points up or down"),
        (np.zeros((3, 100)), "no axis points up or down"),
        (np.full((3, 100), np.nan), "finite numbers"),
        (np.zeros(100), "finite numbers"),
    ],
)
def test_a_rest_that_is_none_is_refused(samples: np.ndarray, sentence: str) -> None:
    with pytest.raises(CalibrationError, match=sentence):
        pose(samples)


def test_rests_that_are_missing_are_named() -> None:
    poses = [pose(rest(axis, sign, np.eye(3), np.zeros(3))) for axis, sign in SIX if (axis, sign) != (1, -1)]
    with pytest.raises(CalibrationError, match="missing: channel 2 down"):
        solve(poses)
    with pytest.raises(CalibrationError, match="got none"):
        solve([])


def test_another_range_is_no_tolerance() -> None:
    poses = [pose(rest(axis, sign, 1.4 * np.eye(3), np.zeros(3))) for axis, sign in SIX]
    with pytest.raises(CalibrationError, match=r"1\.40 times gravity"):
        solve(poses)


def tilted(degrees: dict[int, float], askew: float = 0.0) -> list[np.ndarray]:
    """Six rests; those of `degrees` lie so far off level, all of them askew in their housing."""
    rests = []
    for i, (axis, sign) in enumerate(SIX):
        angle = np.radians(degrees.get(i, 0.0) + sign * askew)
        up = np.zeros(3)
        up[axis], up[(axis + 1) % 3] = sign * np.cos(angle), np.sin(angle)
        rests.append(np.outer(STANDARD_G_M_S2 * up, np.ones(100)))
    return rests


def test_a_slope_of_two_degrees_is_no_matter() -> None:
    found = solve([pose(one) for one in tilted({0: 2.0, 1: 2.0, 4: -2.0})])
    assert found.gain == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("rests", "sentence"),
    [
        (tilted({0: 30.0}), "is tilted by 30°"),
        (tilted({0: 20.0}), "not level"),
        (tilted({2: 12.0, 3: 12.0}), "not level"),
        (tilted({}, askew=8.0), "14.1 % of another axis"),
    ],
)
def test_rests_that_are_not_level_are_refused(rests: list[np.ndarray], sentence: str) -> None:
    with pytest.raises(CalibrationError, match=sentence):
        solve([pose(one) for one in rests])
