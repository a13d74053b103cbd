"""What the page and the dashboards ask, of ten million rows: a trend of some hours, the latest row of all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

import numpy as np

from palier.historian import asking
from palier.historian.base import Historian, Rows
from palier.historian.checking import check
from palier.historian.influx import trend_statement
from palier.historian.influxql import Values
from palier.historian.line_protocol import encode
from palier.historian.sqlite import SqliteHistorian

from .historian_report import Load, Query
from .historian_rows import MACHINES, SECOND_NS, SITE, START_NS, feature_rows, machine
from .influxd import OURS, Influxd
from .rounds import Job

FEATURE: Final = "velocity_rms_mm_s"
SPAN_S: Final = 6 * 3600
BUCKETS: Final = 500
"""As many as a chart is wide in some pixels: 6 h become buckets of 43 s."""

RAW_EVERY: Final = 10
"""The rows themselves are read beside every so many trends: that takes longer, and less often is enough."""

WIDE_SITE: Final = "atelier"
"""Holds one series of whole rows; those of SITE have one feature and their frame."""

WIDE_SECONDS: Final = 30_000
DATABASE: Final = "many"

_FILL: Final = f"""
    WITH RECURSIVE second(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM second WHERE i + 1 < :seconds)
    INSERT INTO feature (site, machine, point, channel, ts, {FEATURE}, frame)
    SELECT :site, :machine, 'palier-1', 'x', :start + i * {SECOND_NS}, 2 + abs(random() % 1000) / 1000.0,
        '{SITE}/gw-1:0123456789abcdef:' || i
    FROM second
"""  # noqa: S608 - names of this program
_LINES: Final = 20_000


class Series(TypedDict):
    """Which series a trend is of."""

    site: str
    machine: str
    point: str
    channel: str


Bare = Callable[[Series, int, int], Job]
"""What sends the statement of a trend of a series between two times (ns) barely."""


def load_sqlite(file: Path, seconds: int) -> Load:
    """A row a second for each of MACHINES. Made by SQLite: how fast rows come in is measured elsewhere."""
    started = time.perf_counter()
    SqliteHistorian(file).close()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for i in range(MACHINES):
            given = {"seconds": seconds, "site": SITE, "machine": machine(i), "start": START_NS}
            connection.execute(_FILL, given)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(SqliteHistorian(file)) as historian:
        _write_wide(historian, seconds)
    return Load("SQLite", MACHINES * seconds, time.perf_counter() - started, file.stat().st_size)


def load_influx(server: Influxd, seconds: int) -> Load:
    """The same rows, as lines in large requests; returns when the server has put them in order."""
    started = time.perf_counter()
    with closing(server.make(DATABASE)) as historian:
        for first in range(0, seconds, _LINES):
            for i in range(MACHINES):
                rows = _one_feature(machine(i), first, min(_LINES, seconds - first))
                server.write(DATABASE, b"\n".join(encode(check(rows))))
        _write_wide(historian, seconds)
    server.settle()
    return Load("InfluxDB", MACHINES * seconds, time.perf_counter() - started, server.size())


def queries(
    historian: Historian, store: str, seconds: int, asked: int, bare: Bare | None = None
) -> Iterator[Query]:
    """The questions, each `asked` times; beside the trends, where there is one, the `bare` statement."""
    key, rows = store.lower().removesuffix("db"), MACHINES * seconds
    random = np.random.default_rng(0)
    names = [machine(i) for i in random.integers(0, MACHINES, asked).tolist()]
    narrow: list[Series] = [
        {"site": SITE, "machine": name, "point": "palier-1", "channel": "x"} for name in names
    ]
    wide: Series = {"site": WIDE_SITE, "machine": machine(0), "point": "palier-1", "channel": "x"}
    what = f"6 h of one feature into {BUCKETS} buckets"
    narrowly = Query(f"trend_{key}", what, store, rows, asked, 0, 0)
    yield _trends(historian, narrowly, narrow, seconds, bare)
    of_wide = Query(f"trend_wide_{key}", f"{what}, whole feature rows", store, rows, asked, 0, 0)
    yield _trends(historian, of_wide, [wide] * asked, min(seconds, WIDE_SECONDS), bare)
    times = [_ms(lambda: historian.latest("feature", [FEATURE], site=SITE)) for _ in range(asked)]
    yield _told(Query(f"latest_{key}", f"latest row of {MACHINES} machines", store, rows, asked, 0, 0), times)


def bare_trend(server: Influxd, of: Series, start_ns: int, end_ns: int) -> Job:
    """The historian's own statement, its values put in before, sent by urllib3; nobody reads the answer."""
    _, _, asked = asking.trend("feature", FEATURE, start_ns, end_ns, BUCKETS)
    tags = {"machine": of["machine"], "point": of["point"], "channel": of["channel"]}
    statement = trend_statement(Values(), "feature", FEATURE, site=of["site"], tags=tags, asked=asked)
    return partial(server.query, DATABASE, statement.rendered(), OURS)


def _trends(
    historian: Historian, query: Query, series: list[Series], seconds: int, bare: Bare | None
) -> Query:
    starts = np.random.default_rng(1).integers(0, max(1, seconds - SPAN_S), len(series)).tolist()
    times, raw, alone = [], [], []
    for turn, (of, start) in enumerate(zip(series, starts, strict=True)):
        start_ns = START_NS + start * SECOND_NS
        end_ns = start_ns + SPAN_S * SECOND_NS

        def trend(of: Series = of, start_ns: int = start_ns, end_ns: int = end_ns) -> None:
            found = historian.trend(
                "feature", FEATURE, **of, start_ns=start_ns, end_ns=end_ns, buckets=BUCKETS
            )
            if not 1 < len(found) <= BUCKETS:
                raise RuntimeError(f"the trend has {len(found)} buckets, expected some, at most {BUCKETS}")

        def read(of: Series = of, start_ns: int = start_ns, end_ns: int = end_ns) -> None:
            historian.read("feature", [FEATURE], **of, start_ns=start_ns, end_ns=end_ns)

        times.append(_ms(trend))
        if bare is not None:
            alone.append(_ms(bare(of, start_ns, end_ns)))
        if turn % RAW_EVERY == 0:
            raw.append(_ms(read))
    told = _told(query, times)._replace(raw_ms=float(np.median(raw)))
    if not alone:
        return told
    ratios = np.array(times) / np.array(alone)
    return told._replace(bare_ms=float(np.median(alone)), times=float(np.median(ratios)))


def _told(query: Query, times_ms: list[float]) -> Query:
    p50, p99 = np.percentile(times_ms, [50, 99]).tolist()
    return query._replace(p50_ms=p50, p99_ms=p99)


def _ms(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return 1e3 * (time.perf_counter() - start)


def _one_feature(name: str, first: int, n: int) -> Rows:
    """A row a second of one machine, from the second `first` on."""
    values = 2 + np.random.default_rng(first).random(n)
    frames = [f"{SITE}/gw-1:0123456789abcdef:{i}" for i in range(first, first + n)]
    ts_ns = START_NS + np.arange(first, first + n, dtype=np.int64) * SECOND_NS
    tags = [SITE] * n, [name] * n, ["palier-1"] * n, ["x"] * n
    return Rows("feature", *tags, ts_ns, {FEATURE: values, "frame": frames})


def _write_wide(historian: Historian, seconds: int) -> None:
    """One series of whole rows, one a second, through the historian."""
    for first in range(0, min(seconds, WIDE_SECONDS), 1000):
        rows = feature_rows(1000)
        n = len(rows)
        tags = {
            "site": [WIDE_SITE] * n,
            "machine": [machine(0)] * n,
            "point": ["palier-1"] * n,
            "channel": ["x"] * n,
        }
        historian.write([replace(rows, **tags, ts_ns=START_NS + (first + np.arange(n)) * SECOND_NS)])  # type: ignore[arg-type]
