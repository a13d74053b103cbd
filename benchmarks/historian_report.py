"""What `palier bench historian` found, as values, and what it must reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .goals import Found, judge
from .machine import Machine
from .report import Aim, Goal, flat

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""

NO_CLIENT: Final = "influxdb-client is not installed: pip install '.[influx]'"
NO_SERVER: Final = "influxd is not on PATH: apt install influxdb"
NO_YEAR: Final = "it takes some minutes more: give --year"
NO_DASHBOARDS: Final = "grafana-foundation-sdk is not installed: pip install '.[dashboards]'"


class Rate(NamedTuple):
    """Rows that were encoded or written, `rows` at once, beside a reference of the same run.

    `times` is the median over the rounds of the reference's time over ours, both for a row: how many times as
    fast; `low` and `high` are its quartiles.
    """

    key: str
    what: str
    rows: int
    us_per_row: float
    beside: str
    us_beside: float
    times: float
    low: float
    high: float


class Step(NamedTuple):
    """What a part of the way from rows to lines costs; one that is indented is a part of another."""

    of: str
    step: str
    us_per_line: float


class Query(NamedTuple):
    """One question asked `asked` times at random places of `rows` rows. `raw_ms` is the median time of
    reading the rows that it sums up. `bare_ms` is that of the same statement sent by nobody but urllib3, its
    answer thrown away, and `times` the median of ours over it, turn by turn. None: there is no such thing."""

    key: str
    what: str
    store: str
    rows: int
    asked: int
    p50_ms: float
    p99_ms: float
    raw_ms: float | None = None
    bare_ms: float | None = None
    times: float | None = None


class BoardQuery(NamedTuple):
    """A query of the machine dashboard over a period: the panel (or variable, or annotation) it is of, the
    rows that it found, and its median time."""

    period: str
    panel: str
    query: str
    rows: int
    ms: float


class Load(NamedTuple):
    """How the rows for the queries came into a store."""

    store: str
    rows: int
    seconds: float
    bytes: int


class Year(NamedTuple):
    """The machine dashboard over a year of a plant: what was made, and every query of every period."""

    told: str
    load: Load
    queries: tuple[BoardQuery, ...]

    @property
    def slowest(self) -> BoardQuery:
        """The query that took longest."""
        return max(self.queries, key=lambda query: query.ms)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "told": self.told,
            "load": self.load._asdict(),
            "queries": [query._asdict() for query in self.queries],
        }


AIMS: Final = (
    Aim("encoder_40", "lines of 40 fields", "k/s", "influxdb-client Point", ">=", 10.0),
    Aim("encoder_feature", "lines of whole feature rows", "k/s", "influxdb-client Point", ">=", 10.0),
    Aim("encoder_rate", "lines of 40 fields, thousands a second", "k/s", "", ">=", 150.0),
    Aim("sqlite_write", "feature rows into SQLite, 1,000 at once", "k/s", "bare executemany", ">=", 0.8),
    Aim("influx_write", "feature rows into InfluxDB, 1,000 at once", "k/s", "bare POST", ">=", 0.8),
    Aim("trend_sqlite", "trend of 6 h in SQLite, p50 in ms", "ms", "raw rows", "<=", 10.0),
    Aim("trend_influx", "trend of 6 h in InfluxDB, p50 in ms", "ms", "raw rows", "<=", 10.0),
    Aim("trend_own", "of it, beside the bare statement", "ms", "bare POST", "<=", 1.25),
    Aim("month_sqlite", "a month of 50 machines out of SQLite, s", "s", "bare fetchall", "<=", 10.0),
    Aim("month_influx", "a month of 50 machines out of InfluxDB, s", "s", "bare POST", "<=", 20.0),
    Aim("dashboard", "machine dashboard's slowest query, ms", "ms", "", "<=", 300.0),
)


@dataclass(frozen=True)
class Report:
    """All of it. `missing` says what could not be measured and why, `no_year` why there is no `year`."""

    machine: Machine
    quick: bool
    rounds: int
    rates: tuple[Rate, ...]
    steps: tuple[Step, ...]
    loads: tuple[Load, ...]
    queries: tuple[Query, ...]
    missing: tuple[str, ...]
    year: Year | None = None
    no_year: str = NO_YEAR
    goals: tuple[Goal, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys are stable within a `version`."""
        return {
            "bench": "historian",
            "version": VERSION,
            "machine": {**vars(self.machine), "busy": self.machine.busy},
            "quick": self.quick,
            "rounds": self.rounds,
            "goals": [flat(goal) for goal in self.goals],
            "rates": [rate._asdict() for rate in self.rates],
            "steps": [step._asdict() for step in self.steps],
            "loads": [load._asdict() for load in self.loads],
            "queries": [query._asdict() for query in self.queries],
            "year": None if self.year is None else self.year.as_json(),
            "missing": list(self.missing),
        }

    def rate(self, key: str) -> Rate | None:
        """The rate of that key, None where it was not measured."""
        return next((rate for rate in self.rates if rate.key == key), None)

    def query(self, key: str) -> Query | None:
        """The query of that key, None where it was not measured."""
        return next((query for query in self.queries if query.key == key), None)


def goals(report: Report) -> tuple[Goal, ...]:
    """Every goal: met, or not, or not measured and why."""
    found: dict[str, Found | str] = {
        "encoder_40": _faster(report, "encoder_40", NO_CLIENT),
        "encoder_feature": _faster(report, "encoder_feature", NO_CLIENT),
        "encoder_rate": _rate(report, "encoder_40"),
        "sqlite_write": _faster(report, "sqlite_1000", "not measured"),
        "influx_write": _faster(report, "influxdb_1000", NO_SERVER),
        "trend_sqlite": _query(report, "trend_sqlite", "not measured"),
        "trend_influx": _query(report, "trend_influx", NO_SERVER),
        "trend_own": _own(report, "trend_influx"),
        "month_sqlite": _month(report, "month_sqlite", "not measured"),
        "month_influx": _month(report, "month_influx", NO_SERVER),
        "dashboard": _dashboard(report),
    }
    return tuple(judge(aim, found[aim.key]) for aim in AIMS)


def _faster(report: Report, key: str, why_not: str) -> Found | str:
    rate = report.rate(key)
    if rate is None:
        return why_not
    return Found(1e3 / rate.us_per_row, 1e3 / rate.us_beside, rate.times)


def _rate(report: Report, key: str) -> Found | str:
    rate = report.rate(key)
    if rate is None:
        return NO_CLIENT
    return Found(1e3 / rate.us_per_row, None, 1e3 / rate.us_per_row)


def _query(report: Report, key: str, why_not: str) -> Found | str:
    query = report.query(key)
    if query is None:
        return why_not
    return Found(query.p50_ms, query.raw_ms, query.p50_ms, f"{query.rows:,} rows, p99 {query.p99_ms:.1f} ms")


def _own(report: Report, key: str) -> Found | str:
    """What the historian adds to the server's own time."""
    query = report.query(key)
    if query is None:
        return NO_SERVER
    return Found(query.p50_ms, query.bare_ms, query.times)


def _month(report: Report, key: str, why_not: str) -> Found | str:
    rate = report.rate(key)
    if rate is None:
        return why_not
    own_s, beside_s = (us * rate.rows / 1e6 for us in (rate.us_per_row, rate.us_beside))
    return Found(own_s, beside_s, own_s, f"{rate.rows:,} rows, {rate.what.rpartition(', ')[2]}")


def _dashboard(report: Report) -> Found | str:
    if report.year is None:
        return report.no_year
    slowest = report.year.slowest
    return Found(slowest.ms, None, slowest.ms, f"{slowest.panel}, over {slowest.period}")
