"""By when: the lesser of a rule's deadline and of what nine of ten outlast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.advice import Deadline, Lasting, sooner

HOUR_NS = 3600 * 10**9
HOURS = st.floats(0, 5000)
TIMES = st.integers(0, 10**6 * HOUR_NS)


def test_a_life_of_hours_leaves_no_weeks() -> None:
    assert sooner(Deadline(672.0, 0), Lasting(0, 3.0)) == Deadline(3.0, 0)


def test_a_long_life_leaves_the_deadline_of_the_rule() -> None:
    assert sooner(Deadline(672.0, 0), Lasting(0, 900.0)) == Deadline(672.0, 0)


def test_without_a_life_the_rule_stands() -> None:
    assert sooner(Deadline(672.0, 5), None) == Deadline(672.0, 5)


def test_what_asks_for_nothing_gets_no_deadline() -> None:
    assert sooner(Deadline(None, 0), Lasting(0, 3.0)) == Deadline(None, 0)


def test_a_life_that_was_told_later_counts_from_then() -> None:
    assert sooner(Deadline(672.0, 0), Lasting(100 * HOUR_NS, 3.0)) == Deadline(3.0, 100 * HOUR_NS)


def test_what_is_over_by_now_is_due_now() -> None:
    assert sooner(Deadline(672.0, 10 * HOUR_NS), Lasting(0, 3.0)) == Deadline(0.0, 10 * HOUR_NS)


@given(asked_h=HOURS, said_ns=TIMES, life_ns=TIMES, p10_h=HOURS)
def test_it_is_never_later_than_the_rule_nor_before_it_is_told(
    asked_h: float, said_ns: int, life_ns: int, p10_h: float
) -> None:
    asked, lasting = Deadline(asked_h, said_ns), Lasting(life_ns, p10_h)
    told = sooner(asked, lasting)
    assert told.due_ns is not None
    assert asked.due_ns is not None
    assert told.due_ns >= told.said_ns
    late = max(lasting.until_ns, said_ns)
    assert abs(told.due_ns - min(asked.due_ns, late)) <= 1000  # of hours as a float
