"""Line protocol: our encoder beside influxdb-client's `Point`, and what each step of ours costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np

from palier.historian import line_protocol
from palier.historian.base import Rows
from palier.historian.checking import Checked, check
from palier.historian.line_protocol import encode
from palier.historian.shifting import shifts_ns

from .historian_report import Rate, Step
from .historian_rows import feature_rows, narrow_rows
from .rounds import Case, measure

POINTS: Final = 200
"""Lines that the loop over `Point` is given: its cost does not depend on how many there are."""

BATCHES: Final = (30, 1000, 5000)
"""Rows encoded at once: what a live ingest takes from its queue, and what it does behind a backlog."""

GOAL: Final = 1000
"""Of these the goals are told."""


class Row(NamedTuple):
    """One row as a program has it that writes point by point."""

    tags: Mapping[str, str]
    fields: Mapping[str, Any]
    ts_ns: int


def rates(rounds: int) -> Iterator[Rate]:
    """Our encoder beside the loop, for lines of 40 fields and for whole rows; needs influxdb-client."""
    for key, what, make in (
        ("encoder_40", "lines of 40 fields", narrow_rows),
        ("encoder_feature", "lines of whole feature rows", feature_rows),
    ):
        loop = point_by_point(make(POINTS))
        cases = {}
        for n in BATCHES:
            cases[str(n)] = _encoding(check(make(n)))
        us_beside, timed = measure(Case(loop, POINTS), cases, rounds)
        for n in BATCHES:
            timing = timed[str(n)]
            low, high = timing.quartiles
            yield Rate(
                key if n == GOAL else f"{key}_{n}",
                what,
                n,
                timing.us_per_window,
                "influxdb-client Point",
                us_beside,
                1 / timing.times,
                1 / high,
                1 / low,
            )


def _encoding(checked: Checked) -> Case:
    """Small batches are encoded again and again, so that the clock sees them."""
    repeats = max(1, GOAL // len(checked))

    def run() -> None:
        for _ in range(repeats):
            encode(checked)

    return Case(run, repeats * len(checked))


def point_by_point(rows: Rows) -> Callable[[], list[str]]:
    """Lines as influxdb-client's `Point` makes them, a row at a time, of values that Python has already."""
    from influxdb_client.client.write.point import Point
    from influxdb_client.domain.write_precision import WritePrecision

    by_row = list(as_rows(rows))

    def run() -> list[str]:
        lines = []
        for row in by_row:
            point = Point(rows.measurement)
            for name, tag in row.tags.items():
                point.tag(name, tag)
            for name, value in row.fields.items():
                point.field(name, value)
            lines.append(point.time(row.ts_ns, WritePrecision.NS).to_line_protocol())
        return lines

    return run


def as_rows(rows: Rows) -> Iterator[Row]:
    """Row by row; what is not known is left out."""
    columns = {
        name: column.tolist() if isinstance(column, np.ndarray) else column
        for name, column in rows.fields.items()
    }
    for i, ts_ns in enumerate(rows.ts_ns.tolist()):
        tags = {
            "site": rows.site[i],
            "machine": rows.machine[i],
            "point": rows.point[i],
            "channel": rows.channel[i],
        }
        fields = {name: column[i] for name, column in columns.items() if column[i] == column[i]}
        yield Row(tags, fields, ts_ns)


def steps(rounds: int) -> Iterator[Step]:
    """Of batches of 1,000: checking the rows, and the parts of encoding."""
    for of, rows in (("40 fields", narrow_rows(1000)), ("whole feature row", feature_rows(1000))):
        checked = check(rows)
        for step, job in _parts(rows, checked):
            job()
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                job()
                times.append(time.perf_counter() - start)
            yield Step(of, step, 1e6 * statistics.median(times) / len(rows))


def _parts(rows: Rows, checked: Checked) -> Iterator[tuple[str, Callable[[], object]]]:
    table, n = checked.measurement, len(checked)
    columns = dict(zip(checked.names, checked.values, strict=True))
    shift = shifts_ns(table, (), n)
    wide = np.stack(
        [np.asarray(columns[f.name]) for f in table.fields if f.single and f.name in columns], axis=1
    )
    digits = line_protocol._written(wide[~np.isnan(wide)])
    yield "check", lambda: check(rows)
    yield "encode", lambda: encode(checked)
    yield "  tags", lambda: list(map(line_protocol._head, repeat(table.name), *checked.key[:4]))
    yield "  texts", lambda: _spent(line_protocol._texts(table, columns, n), n)
    yield "  numbers", lambda: list(line_protocol._numbers(table, columns, shift))
    yield "    digits (orjson)", lambda: line_protocol._written(wide[~np.isnan(wide)])
    yield "    cut at commas", lambda: digits.split(b",")
    yield "  time", lambda: line_protocol._cut(b" ", checked.key[4] + shift)


def _spent(columns: Any, n: int) -> Sequence[object]:
    return [list(zip(range(n), column, strict=True)) for column in columns]
