"""The machine dashboard over a year of fifty machines: every query that it sends, against an InfluxDB 1.x."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from palier.historian.base import Rows
from palier.historian.checking import check
from palier.historian.influx import HOURLY
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import set_up_1
from palier.historian.line_protocol import encode
from palier.historian.rows import HOUR_NS
from palier.historian.schema import RAW_DAYS, measurement

from . import influxd
from .historian_board import Board, Series, Shown, panels, seen_by
from .historian_report import BoardQuery, Load, Year
from .historian_rows import MACHINES, SITE, machine
from .historian_year_judged import judged_day
from .historian_year_rows import CHANNELS, DAY_NS, POINTS, Extent, groups_of, hours, raw_day
from .influxd import Influxd

DATABASE: Final = "palier"
YEAR: Final = Extent(MACHINES, RAW_DAYS - 1, 365, 10)
SOME: Final = Extent(2, 2, 10, 1)
"""Enough to see that every query is asked."""

PERIODS: Final = (("6 h", 6), ("7 d", 7 * 24), ("90 d", 90 * 24), ("1 y", 365 * 24))
"""What a person looks at, in hours."""

AT_ONCE: Final = 2
"""Requests under way: one is made while the server takes the other."""

ROWS_A_REQUEST: Final = 15_000
RESTED_S: Final = 5
RESTED: Final = {
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": f"{RESTED_S}s",
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": f"{RESTED_S}s",
}
"""So that the server has its files in order within a minute, as it has after hours in a plant."""

CHOSEN: Final[dict[str, str | list[str]]] = {
    "site": SITE,
    "machine": machine(0),
    "point": POINTS[0],
    "channel": CHANNELS[0],
    "bearing": "22220",
}


class _Query(NamedTuple):
    """A query of a dashboard: which panel's, of which data source, and what it shows."""

    panel: str
    text: str
    source: str
    shown: Shown


def year(folder: Path, extent: Extent, asked: int) -> Year:
    """Fills a server of its own and asks each query `asked` times, of which the median counts.

    Raises RuntimeError where a query is refused.
    """
    from dashboards.grafana.build import build

    body = json.loads(build("fr")["machine.json"])
    fields = _fields_of(body)
    with influxd.running(folder, RESTED if extent is YEAR else None) as server:
        end_ns = time.time_ns() // HOUR_NS * HOUR_NS
        load = fill(server, extent, fields, end_ns)
        found = tuple(query for period in PERIODS for query in _ask(server, body, period, end_ns, asked))
    return Year(extent.told(fields), load, found)


def _fields_of(body: dict[str, Any]) -> list[str]:
    """The numbers of a block that the dashboard reads."""
    text = " ".join(target["query"] for panel in panels(body) for target in panel.get("targets", ()))
    names = [field.name for field in measurement("feature").fields if field.single]
    return [name for name in names if f'"{name}"' in text]


def fill(server: Influxd, extent: Extent, fields: list[str], end_ns: int) -> Load:
    """All rows, in the order of time, into databases as `palier historian setup` makes them."""
    started = time.perf_counter()
    with closing(Server(server.url, Account())) as own:
        set_up_1(own, DATABASE, {}, Account("bench", "bench"))
    random = np.random.default_rng(0)
    rows = 0
    with ThreadPoolExecutor(AT_ONCE) as requests:
        under_way: list[Future[None]] = []
        for database, body, n in _bodies(_all_rows(extent, fields, end_ns, random)):
            rows += n
            under_way.append(requests.submit(server.write, database, body))
            if len(under_way) > AT_ONCE:
                under_way.pop(0).result()
        for request in under_way:
            request.result()
    server.settle(RESTED_S + 1 if extent is YEAR else 1)
    return Load("InfluxDB", rows, time.perf_counter() - started, server.size())


def _all_rows(extent: Extent, fields: list[str], end_ns: int, random: np.random.Generator) -> Iterator[Rows]:
    for day in range(extent.hourly_days, 0, -10):
        days = min(10, day)
        yield from hours(extent, end_ns - day * DAY_NS, 24 * days, random)
    for day in range(extent.raw_days, 0, -1):
        first_ns = end_ns - day * DAY_NS
        yield from raw_day(extent, fields, first_ns, random)
        for machines in groups_of(extent.machines):
            yield from judged_day(machines, POINTS, first_ns, random)


def _bodies(batches: Iterator[Rows]) -> Iterator[tuple[str, bytes, int]]:
    """(database, lines, how many) of the rows, small batches of one database together."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for rows in batches:
        of = lines[DATABASE + HOURLY * measurement(rows.measurement).long_run]
        of += encode(check(rows))
        if len(of) >= ROWS_A_REQUEST:
            for database, full in lines.items():
                yield database, b"\n".join(full), len(full)
            lines.clear()
    for database, rest in lines.items():
        yield database, b"\n".join(rest), len(rest)


def _ask(
    server: Influxd, body: dict[str, Any], period: tuple[str, int], end_ns: int, asked: int
) -> Iterator[BoardQuery]:
    name, length = period
    end_ms = end_ns // 10**6

    def answer(statement: str, uid: str) -> list[Series]:
        told = json.loads(server.query(uid, statement))
        if error := told["results"][0].get("error"):
            raise RuntimeError(f"influxd refuses a query ({error}): {statement}")
        series: list[Series] = told["results"][0].get("series", [])
        return series

    board = Board(body, answer, Shown(end_ms - length * 3_600_000, end_ms), CHOSEN)
    board.choose()
    queries = list(_queries(board))
    times: dict[_Query, list[float]] = {query: [] for query in queries}
    for _ in range(asked):
        for query in queries:
            started = time.perf_counter()
            server.query(query.source, query.text)
            times[query].append(1e3 * (time.perf_counter() - started))
    for query in queries:
        rows = sum(len(series["values"]) for series in answer(query.text, query.source))
        yield BoardQuery(name, query.panel, query.text, rows, float(np.median(times[query])))


def _queries(board: Board) -> Iterator[_Query]:
    """All that is sent when the dashboard is opened with all of its rows: of panels, variables and flags."""
    for panel in panels(board.body):
        shown = seen_by(panel, board.shown)
        for target in panel.get("targets", ()):
            yield _query(board, panel["title"], target, shown)
    for variable in board.body["templating"]["list"]:
        if variable["type"] == "query":
            yield _query(board, f"variable {variable['name']}", variable, board.shown)
    for flag in board.body["annotations"]["list"]:
        if "target" in flag:
            yield _query(board, f"annotation {flag['name']}", flag["target"], board.shown)


def _query(board: Board, of: str, what: dict[str, Any], shown: Shown) -> _Query:
    return _Query(of, board.sent(what["query"], shown), board.uid(what["datasource"]["uid"]), shown)
