"""What Grafana does to a query before it is sent: macros and variables, as its InfluxDB plugin puts them in.

Variables are taken in order, so that one may stand in the query of the next; what one of them offers is the
second column of its answer, or the first where there is one only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.grafana_types import panels
from tests.support.influxd import Influxd

ALL: Final = "$__all"
SPECIAL: Final = re.compile(r"[\\^$*+?.()|\[\]{}/]")
"""What Grafana escapes in a value that goes into a regular expression."""

SOURCES: Final = {"palier": "palier", "palier_hourly": "palier_hourly"}
"""Databases by the uid of their data source."""


@dataclass(frozen=True)
class Range:
    """The period a dashboard shows, ms since 1970, and how far apart its points are."""

    start_ms: int
    end_ms: int
    interval: str = "10m"


@dataclass
class Dashboard:
    """A dashboard that is looked at: variables find their values when `choose` is called."""

    body: Mapping[str, Any]
    server: Influxd
    account: tuple[str, str]
    shown: Range
    wishes: Mapping[str, str | list[str]] = field(default_factory=dict)
    values: dict[str, str | list[str]] = field(default_factory=dict)

    def choose(self) -> None:
        """Give every variable its value: the wished one, else the current, else the first on offer."""
        for variable in self.body["templating"]["list"]:
            name = variable["name"]
            current = variable.get("current", {}).get("value")
            if name in self.wishes:
                self.values[name] = self.wishes[name]
            elif current is not None:
                self.values[name] = current
            else:
                offer = self.offer(variable)
                self.values[name] = offer[0] if offer else ""

    def offer(self, variable: Mapping[str, Any]) -> list[str]:
        """What a query variable has to choose from."""
        found: list[str] = []
        for series in self.ask(variable["query"], variable["datasource"]["uid"]):
            found += [str(row[1] if len(row) > 1 else row[0]) for row in series["values"]]
        return list(dict.fromkeys(found))

    def ask(self, query: str, source: str) -> list[dict[str, Any]]:
        """The series that InfluxDB answers a query with; fails where it says no."""
        statement = self.sent(query)
        status, body = self.server.query(statement, self.database(source), self.account)
        answer = json.loads(body)
        result = answer.get("results", [{}])[0]
        said = answer.get("error") or result.get("error")
        assert status == 200, f"{said}\n{statement}"
        assert not said, f"{said}\n{statement}"
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def database(self, source: str) -> str:
        """The database of a data source, by uid or by variable."""
        name = re.fullmatch(r"\$\{(\w+)\}", source)
        uid = self.values[name[1]] if name else source
        assert isinstance(uid, str)
        return SOURCES[uid]

    def sent(self, query: str) -> str:
        """The query as it reaches InfluxDB."""
        query = re.sub(r"\$\{(\w+):(\w+)\}", lambda m: self._formatted(m[1], m[2]), query)
        shown = self.shown
        query = query.replace("$timeFilter", f"time >= {shown.start_ms}ms and time <= {shown.end_ms}ms")
        query = query.replace("$__interval", shown.interval)
        assert "$" not in re.sub(r"\$/", "/", query), f"what is left is no macro and has no format: {query}"
        return query

    def _formatted(self, name: str, how: str) -> str:
        value = self.values[name]
        variable = next(v for v in self.body["templating"]["list"] if v["name"] == name)
        if value in (ALL, [ALL]):
            return str(variable["allValue"])
        values = [value] if isinstance(value, str) else value
        if how == "raw":
            assert len(values) == 1, f"{name} has several values and is put in raw"
            return values[0]
        assert how == "regex", f"{name} has the format {how}"
        escaped = [SPECIAL.sub(lambda m: "\\" + m[0], one) for one in values]
        return escaped[0] if isinstance(value, str) else f"({'|'.join(escaped)})"


def targets(body: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(panel, target) of all panels' queries."""
    for panel in panels(body):
        for target in panel.get("targets", ()):
            yield panel, target
