"""What is asked of a historian: bounds that every store can count, buckets that cover them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.historian import asking
from palier.historian.base import SchemaError
from palier.historian.checking import FIRST_NS, LAST_NS

_times = st.one_of(st.integers(-(2**70), 2**70), st.integers(-(10**19), 10**19), st.integers(-50, 50))


@given(st.none() | _times, st.none() | _times)
def test_bounds_are_those_of_the_rows_within(start: int | None, end: int | None) -> None:
    first, last = asking.bounds(start, end)
    assert -(2**63) < first < 2**63 > last > -(2**63)
    for ts in (FIRST_NS, -1, 0, 7, LAST_NS):
        asked = (start is None or start <= ts) and (end is None or ts < end)
        assert asked == (first <= ts <= last)


@given(_times, _times, st.integers(1, 3000))
def test_runs_of_buckets_cover_all_that_is_asked_for(start: int, end: int, buckets: int) -> None:
    _, _, asked = asking.trend("reading", "value", start, end, buckets)
    parts = list(asked.parts())
    assert bool(parts) == (asked.first_ns <= asked.last_ns)
    n = 0
    for before, part in zip([None, *parts], parts, strict=False):
        assert part.first_ns == (asked.first_ns if before is None else before.last_ns + 1)
        assert (part.first_ns - asked.first_ns) % asked.width_ns == 0
        assert part.single or part.last_ns - part.first_ns < 2**63
        n += -(-(part.last_ns + 1 - part.first_ns) // part.width_ns)
    assert n <= buckets
    assert not parts or parts[-1].last_ns == asked.last_ns


def test_centuries_are_one_run() -> None:
    _, _, asked = asking.trend("reading", "value", 0, 2**63 - 10**7, 500)
    assert len(list(asked.parts())) == 1


@pytest.mark.parametrize(
    ("field", "buckets", "error", "said"),
    [
        ("value", 0, ValueError, "buckets must be at least 1, got 0"),
        ("unit", 1, SchemaError, "is text"),
        ("absent", 1, SchemaError, "has no field 'absent'"),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, buckets: int, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        asking.trend("reading", field, 0, 10, buckets)
