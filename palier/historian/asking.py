"""What is asked of a historian, looked at once for all of them: names, bounds of time, buckets of a trend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .base import SchemaError
from .checking import FIRST_NS, LAST_NS
from .schema import Field, Measurement, measurement

INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Buckets:
    """Spans of `width_ns` each from `first_ns` on; the last of them ends with `last_ns`, which is inside."""

    first_ns: int
    last_ns: int
    width_ns: int

    @property
    def single(self) -> bool:
        """Whether all of it is one bucket. Its width may be beyond int64."""
        return self.last_ns - self.first_ns < self.width_ns

    def parts(self) -> Iterator[Buckets]:
        """Runs of buckets of which each is shorter than int64 counts, or `single`; mostly there is one.

        All time has twice as many nanoseconds. The first and the last bucket of time itself stand alone: what
        counts buckets from 1970 on has no number for where they begin and end.
        """
        width_ns, stop_ns = self.width_ns, self.last_ns + 1
        cuts = {*range(self.first_ns, stop_ns, max(1, INT64_MAX // width_ns) * width_ns)}
        if self.first_ns == FIRST_NS:
            cuts.add(self.first_ns + width_ns)
        if self.last_ns == LAST_NS:
            cuts.add(stop_ns - 1 - (self.last_ns - self.first_ns) % width_ns)
        starts = sorted(start_ns for start_ns in cuts if self.first_ns <= start_ns < stop_ns)
        for first_ns, next_ns in pairwise([*starts, stop_ns]):
            yield Buckets(first_ns, next_ns - 1, width_ns)


def fields(name: str, wanted: Sequence[str]) -> tuple[Measurement, list[Field]]:
    """The measurement and the fields that are meant. Raises SchemaError."""
    table = measurement(name)
    return table, [table.field(field) for field in wanted]


def bounds(start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """(first, last) nanosecond, both inside, for start <= ts < end; first > last where nothing is between.

    No row is outside of `checking.FIRST_NS` and `LAST_NS`, so neither are they, but for an empty span.
    """
    first = FIRST_NS if start_ns is None else max(start_ns, FIRST_NS)
    last = LAST_NS if end_ns is None else min(end_ns - 1, LAST_NS)
    return min(first, LAST_NS + 1), max(last, FIRST_NS - 1)


def at_least_one(what: str, number: int) -> None:
    """Raises ValueError for a number of rows or buckets that makes no sense."""
    if number < 1:
        raise ValueError(f"{what} must be at least 1, got {number}")


def trend(
    name: str, field: str, start_ns: int, end_ns: int, buckets: int
) -> tuple[Measurement, Field, Buckets]:
    """What a trend is of: `buckets` of equal whole nanoseconds. Raises ValueError, SchemaError."""
    at_least_one("buckets", buckets)
    table, (wanted,) = fields(name, [field])
    if wanted.type == "text":
        raise SchemaError(f"a trend needs a number, but {name}.{field} is text")
    first, last = bounds(start_ns, end_ns)
    return table, wanted, Buckets(first, last, max(1, -(-(last + 1 - first) // buckets)))
