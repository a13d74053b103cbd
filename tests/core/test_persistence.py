"""Latches: three in a row, two apart, and six calm ones; blocks that say nothing change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection.persistence import (
    ALERT_OF,
    DANGER_APART_S,
    DANGER_OF,
    OFF_DELAY,
    Latches,
    advance,
    release_level,
)

Block = tuple[bool, bool, bool]  # exceeds, calm, known


def follow(blocks: list[Block], need: int = ALERT_OF) -> list[bool]:
    latches, found = Latches.start((1,)), []
    for flags in blocks:
        latches = advance(latches, *(np.array([flag]) for flag in flags), need=need)
        found.append(bool(latches.on[0]))
    return found


HIT, CALM, BAND, MUTE = (True, False, True), (False, True, True), (False, False, True), (True, True, False)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([HIT, HIT, HIT], [False, False, True]),
        ([HIT, HIT, CALM, HIT, HIT], [False] * 5),
        ([HIT, MUTE, HIT, MUTE, MUTE, HIT], [False] * 5 + [True]),  # invalid ones neither count nor break
        ([HIT] * 3 + [CALM] * 5, [False, False] + [True] * 6),
        ([HIT] * 3 + [CALM] * 6, [False, False] + [True] * 6 + [False]),
        ([HIT] * 3 + [CALM] * 5 + [BAND] + [CALM] * 5, [False, False] + [True] * 12),  # inside the dead band
        ([HIT] * 3 + [CALM] * 3 + [MUTE] * 9 + [CALM] * 3, [False, False] + [True] * 15 + [False]),
    ],
)
def test_rows_of_blocks(blocks: list[Block], expected: list[bool]) -> None:
    assert follow(blocks) == expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 5))
def test_as_a_plain_reading_of_the_rule(blocks: list[tuple[bool, bool]], need: int) -> None:
    on, run, calm = False, 0, 0
    expected = []
    for hit, known in blocks:
        if known:
            run, calm = (run + 1, 0) if hit else (0, calm + 1)
            on = (on or run >= need) and calm < OFF_DELAY
        expected.append(on)
    assert follow([(hit, not hit, known) for hit, known in blocks], need) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [([0.0, 30.0], True), ([0.0, 28.0], True), ([0.0, 5.0], False), ([0.0, 5.0, 10.0, 29.0], True)],
)
def test_a_danger_lasts_30_s(times: list[float], expected: bool) -> None:
    latches, yes, no = Latches.start((1,)), np.array([True]), np.array([False])
    for t in times:
        latches = advance(latches, yes, no, yes, need=DANGER_OF, time_s=t, apart_s=DANGER_APART_S)
    assert bool(latches.on[0]) is expected


def test_the_dead_band_is_a_tenth_and_two_sigma_but_above_what_is_normal() -> None:
    limit = np.array([2.0, 2.0, 2.0, 4.5])
    sigma = np.array([0.05, 0.2, 0.2, np.nan])
    expected = np.array([1.0, 0.5, 1.5, np.nan])
    found = release_level(limit, sigma, expected)
    assert found == pytest.approx([1.8, 2 * np.exp(-0.4), 1.8, 4.05])
