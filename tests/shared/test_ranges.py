"""Arithmetic on ranges, against sets of integers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier import ranges
from palier.ranges import Range, Ranges

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))))


def numbers(some: list[Range] | Ranges) -> set[int]:
    return {number for lo, hi in some for number in range(lo, hi + 1)}


def is_canonical(some: Ranges) -> bool:
    return all(lo <= hi for lo, hi in some) and all(a[1] + 1 < b[0] for a, b in itertools.pairwise(some))


@given(RANGES)
def test_merge_keeps_the_numbers_and_is_canonical(some: list[Range]) -> None:
    merged = ranges.merge(some)
    assert numbers(merged) == numbers(some)
    assert is_canonical(merged)


@given(st.sets(st.integers(-30, 30)))
def test_of_single_numbers(some: set[int]) -> None:
    assert numbers(ranges.of(some)) == some
    assert is_canonical(ranges.of(some))


@given(RANGES, RANGES)
def test_intersect_and_subtract_are_those_of_sets(left: list[Range], right: list[Range]) -> None:
    both, only = ranges.intersect(left, right), ranges.subtract(left, right)
    assert numbers(both) == numbers(left) & numbers(right)
    assert numbers(only) == numbers(left) - numbers(right)
    assert is_canonical(both)
    assert is_canonical(only)


@given(RANGES, st.integers(-5, 75))
def test_count_and_contains(some: list[Range], number: int) -> None:
    assert ranges.count(some) == len(numbers(some))
    assert ranges.contains(some, number) == (number in numbers(some))


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(5, 4\)"):
        ranges.merge([(5, 4)])
