"""A real InfluxDB that holds a week of a plant in which a machine degrades, for all tests of queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from palier.historian.schema import measurement
from tests.support import grafana_week as plant
from tests.support.grafana_built import dashboard
from tests.support.grafana_judgement import judged
from tests.support.grafana_queries import Dashboard, LookAt, Range
from tests.support.influxd import Influxd, running_influxd

READER = ("palier_reader", "reads-only")
WISHES: dict[str, str | list[str]] = {
    "site": plant.SITE,
    "machine": plant.MACHINE,
    "point": "2",
    "channel": "H",
    "bearing": plant.BEARING,
}


@pytest.fixture(scope="session")
def now_ns() -> int:
    return time.time_ns() // 10**9 * 10**9


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, now_ns: int) -> Iterator[Influxd]:
    """An InfluxDB with the week, and an account that can only read: Grafana has no other."""
    with running_influxd(tmp_path_factory.mktemp("grafana") / "influxd") as influxd:
        for name in ("palier", "palier_hourly"):
            influxd.query(f'CREATE DATABASE "{name}"')
        influxd.query(f"CREATE USER {READER[0]} WITH PASSWORD '{READER[1]}'")
        for name in ("palier", "palier_hourly"):
            influxd.query(f'GRANT READ ON "{name}" TO {READER[0]}')
        lines: dict[str, list[bytes]] = {"palier": [], "palier_hourly": []}
        for rows in (*plant.week(now_ns), *judged(now_ns)):
            name = "palier_hourly" if measurement(rows.measurement).long_run else "palier"
            lines[name].append(plant.lines(rows))
        for name, some in lines.items():
            status, said = influxd.write(b"\n".join(some), name)
            assert status == 204, said
        yield influxd


@pytest.fixture(scope="session")
def look_at(server: Influxd, now_ns: int) -> LookAt:
    """A dashboard as a person looks at it: `look_at(name, wishes)`; of a language by `lang`."""

    def looked_at(
        name: str, wishes: dict[str, str | list[str]] | None = None, *, lang: str = "fr"
    ) -> Dashboard:
        shown = Range((now_ns - plant.DAYS * plant.DAY_NS) // 10**6, now_ns // 10**6)
        body = dashboard(name, lang)
        board = Dashboard(body, server, READER, shown, WISHES if wishes is None else wishes)
        board.choose()
        return board

    return looked_at


@pytest.fixture(scope="session")
def rule_finds(server: Influxd, now_ns: int) -> Callable[..., list[dict[str, object]]]:
    """The series that an alert rule's query finds, `later_s` after the week's end."""

    def finds(query: str, over_s: int, later_s: int = 0) -> list[dict[str, object]]:
        end_ms = now_ns // 10**6 + later_s * 1000
        shown = Range(end_ms - over_s * 1000, end_ms)
        return Dashboard({"templating": {"list": []}}, server, READER, shown).ask(query, "palier")

    return finds
