"""When silence becomes *unknown*: pure arithmetic on times of acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final

NS: Final = 1_000_000_000

MISSED_BLOCKS: Final = 3
"""Two blocks may come late or be lost on the way without a word; the third missing one is silence."""

SHORTEST_NS: Final = 60 * NS
"""A machine heard each few seconds is not called silent because of a restart of its gateway's service."""

LONGEST_NS: Final = 6 * 3600 * NS
"""Blocks of slow machines come each hour; a day of silence must never look like a fresh value."""

REAL_SLACK_S: Final = 10.0
"""Sending, committing and reading take real seconds, however fast the plant's clock runs."""


def expected_interval_ns(times_ns: Sequence[int]) -> int | None:
    """The median distance of one point's blocks (ascending times, ns); None with fewer than two blocks."""
    gaps = [later - earlier for earlier, later in pairwise(times_ns) if later > earlier]
    return int(median(gaps)) if gaps else None


def silent_after_ns(interval_ns: int | None, *, clock_rate: float = 1.0) -> int:
    """The age (ns of plant time) above which the newest value is no longer shown as the present one."""
    shortest = max(SHORTEST_NS, round(REAL_SLACK_S * clock_rate * NS))
    return max(shortest, min(MISSED_BLOCKS * (interval_ns or 0), LONGEST_NS))
