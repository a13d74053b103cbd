"""How long stretches of a historian are read: machine by machine, in pieces of about as many numbers.

What a historian answers may stand in memory as Python's objects before it is an array, some 60 bytes a
number. Pieces bound that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .base import Historian, Table
from .history_asking import Asked

NUMBERS_AT_ONCE: Final = 1_000_000
"""Numbers of one piece: some 60 MB while it is read."""

MINUTE_NS: Final = 60 * 10**9
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

WIDEST_NS: Final = 4 * DAY_NS
"""Rows that were rare may come densely again within a piece: of a point each ten seconds, four days of its
three channels are a hundred thousand rows. A month is some eight pieces."""

GROWTH: Final = 4
"""How much longer than the piece before it a piece may be."""


def pieces(
    historian: Historian, asked: Asked, site: str, machine: str, bounds_ns: tuple[int, int]
) -> Iterator[tuple[int, int, Table]]:
    """(start, end, rows) of each piece that has rows, in order of time; start and end in ns."""
    at_ns, end_ns = bounds_ns
    names = [field.name for field in asked.fields]
    most = max(1, NUMBERS_AT_ONCE // (len(names) + 4))
    width_ns, dense = HOUR_NS, False
    while at_ns < end_ns:
        to_ns = min(end_ns, at_ns + width_ns)
        table = historian.read(
            asked.measurement.name,
            names,
            site=site,
            machine=machine,
            point=asked.point,
            channel=asked.channel,
            start_ns=at_ns,
            end_ns=to_ns,
        )
        if rows := len(table):
            yield at_ns, to_ns, table
            fitting_ns = (to_ns - at_ns) * most // rows
            width_ns = max(MINUTE_NS, min(fitting_ns, GROWTH * width_ns, WIDEST_NS))
            dense = True
        elif not dense:
            width_ns = max(width_ns, min(2 * width_ns, DAY_NS))
        at_ns = to_ns


def first_ns(historian: Historian, asked: Asked, site: str, machine: str, newest_ns: int) -> int:
    """A time at most a day before the first row of a machine, whose newest row is known.

    Found by asking whether there are rows before a time: some dozen questions of one row each.
    """

    def older(than_ns: int) -> bool:
        return bool(
            len(
                historian.read(
                    asked.measurement.name,
                    [asked.measurement.always],
                    site=site,
                    machine=machine,
                    point=asked.point,
                    channel=asked.channel,
                    end_ns=than_ns,
                    newest=1,
                )
            )
        )

    step_ns = DAY_NS
    while older(newest_ns - step_ns):
        step_ns *= GROWTH
    low, high = newest_ns - step_ns, newest_ns - (step_ns // GROWTH if step_ns > DAY_NS else 0)
    while high - low > DAY_NS:
        middle = (low + high) // 2
        low, high = (low, middle) if older(middle) else (middle, high)
    return low
