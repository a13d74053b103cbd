"""When silence becomes unknown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.freshness import LONGEST_NS, NS, SHORTEST_NS, expected_interval_ns, silent_after_ns


@given(st.integers(1, 10**15), st.integers(2, 50))
def test_the_interval_of_regular_blocks_is_their_distance(gap: int, n: int) -> None:
    assert expected_interval_ns([i * gap for i in range(n)]) == gap


def test_one_outage_does_not_move_the_interval() -> None:
    times = [i * NS for i in range(10)] + [10_000 * NS + i * NS for i in range(10)]
    assert expected_interval_ns(times) == NS


def test_one_block_tells_no_interval() -> None:
    assert expected_interval_ns([5]) is None
    assert expected_interval_ns([]) is None


@given(st.one_of(st.none(), st.integers(1, 10**17)))
def test_the_limit_stays_between_a_minute_and_six_hours(interval: int | None) -> None:
    assert SHORTEST_NS <= silent_after_ns(interval) <= LONGEST_NS


def test_a_machine_heard_each_ten_minutes_is_silent_after_three() -> None:
    assert silent_after_ns(600 * NS) == 1800 * NS


def test_a_fast_plant_clock_leaves_real_seconds_for_sending() -> None:
    assert silent_after_ns(NS, clock_rate=3600.0) == 36_000 * NS
