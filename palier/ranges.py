"""Arithmetic on ranges of sequence numbers: (lo, hi) with both ends inside, lo <= hi.

A *canonical* tuple of ranges is sorted, and neither overlaps nor touches: each set of integers has one.
All functions take any ranges and give canonical ones.
"""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
Ranges = tuple[Range, ...]


def merge(ranges: Iterable[Range]) -> Ranges:
    """The union, canonical. Raises ValueError for a range that ends before it begins."""
    out: list[Range] = []
    for lo, hi in sorted(ranges):
        if hi < lo:
            raise ValueError(f"a range must end at or after its begin, got ({lo}, {hi})")
        if out and lo <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(hi, out[-1][1]))
        else:
            out.append((lo, hi))
    return tuple(out)


def of(numbers: Iterable[int]) -> Ranges:
    """The ranges of single numbers."""
    return merge((number, number) for number in numbers)


def intersect(left: Iterable[Range], right: Iterable[Range]) -> Ranges:
    """What is in both."""
    a, b = merge(left), merge(right)
    out: list[Range] = []
    i = j = 0
    while i < len(a) and j < len(b):
        lo, hi = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if lo <= hi:
            out.append((lo, hi))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract(left: Iterable[Range], right: Iterable[Range]) -> Ranges:
    """What is in `left` and not in `right`."""
    holes = merge(right)
    out: list[Range] = []
    first = 0
    for begin, hi in merge(left):
        lo = begin
        while first < len(holes) and holes[first][1] < lo:
            first += 1
        for hole_lo, hole_hi in holes[first:]:
            if hole_lo > hi:
                break
            if lo < hole_lo:
                out.append((lo, hole_lo - 1))
            lo = hole_hi + 1
        if lo <= hi:
            out.append((lo, hi))
    return tuple(out)


def count(ranges: Iterable[Range]) -> int:
    """How many numbers are in the union."""
    return sum(hi - lo + 1 for lo, hi in merge(ranges))


def contains(ranges: Iterable[Range], number: int) -> bool:
    """Whether `number` is in one of the ranges."""
    return any(lo <= number <= hi for lo, hi in ranges)
