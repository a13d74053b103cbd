"""What Grafana does to the queries of a dashboard before they are sent: its macros and variables put in.

As its InfluxDB plugin does it. Variables are taken in order, so that one may stand in the query of the next;
what one of them offers is the second column of its answer, or the first where there is one only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

ALL: Final = "$__all"
SPECIAL: Final = re.compile(r"[\\^$*+?.()|\[\]{}/]")
"""What Grafana escapes in a value that goes into a regular expression."""

PIXELS: Final = 1800
"""Of a dashboard's width on a usual screen; a panel asks for as many points as it is wide."""

_STEPS_S: Final = (
    *((1.5, 1), (3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120)),
    *((450, 300), (750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200)),
    *((16_200, 10_800), (32_400, 21_600), (86_400, 43_200), (604_800, 86_400), (1_814_400, 604_800)),
)
"""Grafana rounds an interval: one below the first number becomes the second (its `roundInterval`)."""

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}

Series = dict[str, Any]
Answer = Callable[[str, str], list[Series]]
"""The series of a statement, asked of the data source of a uid."""


class Shown(NamedTuple):
    """The period that a dashboard shows, ms since 1970, and how far apart the points of a panel are."""

    start_ms: int
    end_ms: int
    interval: str = "10m"


class Board:
    """A dashboard that is looked at: variables find their values when `choose` is called.

    `body` is its JSON, `wishes` are what a person chose.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        answer: Answer,
        shown: Shown,
        wishes: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        self.body = body
        self.shown = shown
        self.wishes = wishes or {}
        self.values: dict[str, str | list[str]] = {}
        self._answer = answer

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

    def ask(self, query: str, source: str, shown: Shown | None = None) -> list[Series]:
        """The series that a query finds; `source` is a uid or a variable, `shown` a panel's own period."""
        return self._answer(self.sent(query, shown), self.uid(source))

    def sent(self, query: str, shown: Shown | None = None) -> str:
        """The query as it reaches InfluxDB. Raises ValueError where something is left to put in."""
        query = re.sub(r"\$\{(\w+):(\w+)\}", lambda m: self._formatted(m[1], m[2]), query)
        shown = shown or self.shown
        query = query.replace("$timeFilter", f"time >= {shown.start_ms}ms and time <= {shown.end_ms}ms")
        query = query.replace("$__interval", shown.interval)
        if "$" in re.sub(r"\$/", "/", query):
            raise ValueError(f"what is left is no macro and has no format: {query}")
        return query

    def uid(self, source: str) -> str:
        """The data source that is meant by a uid or a variable. Raises ValueError."""
        name = re.fullmatch(r"\$\{(\w+)\}", source)
        uid = self.values[name[1]] if name else source
        if not isinstance(uid, str):
            raise ValueError(f"a data source must be one, got {uid}")
        return uid

    def _formatted(self, name: str, how: str) -> str:
        value = self.values[name]
        variable = next(v for v in self.body["templating"]["list"] if v["name"] == name)
        if value in (ALL, [ALL]):
            return str(variable["allValue"])
        values = [value] if isinstance(value, str) else value
        if how == "raw" and len(values) == 1:
            return values[0]
        if how != "regex":
            raise ValueError(f"{name} has the format {how} and {len(values)} values")
        escaped = [SPECIAL.sub(lambda m: "\\" + m[0], one) for one in values]
        return escaped[0] if isinstance(value, str) else f"({'|'.join(escaped)})"


def panels(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels, those of closed rows too."""
    for panel in body["panels"]:
        yield from panel.get("panels", ()) if panel["type"] == "row" else (panel,)


def seen_by(panel: Mapping[str, Any], shown: Shown) -> Shown:
    """The period and interval that a panel asks for: its own period where it has one, a point a pixel."""
    start_ms = shown.start_ms
    if panel.get("timeFrom"):
        start_ms = shown.end_ms - 1000 * _seconds(panel["timeFrom"])
    points = panel.get("maxDataPoints") or PIXELS * panel["gridPos"]["w"] // 24
    each_s = (shown.end_ms - start_ms) / 1000 / points
    step_s = next((step for below, step in _STEPS_S if each_s < below), 30 * 86_400)
    return Shown(start_ms, shown.end_ms, f"{max(step_s, _seconds(panel.get('interval') or '1s'))}s")


def _seconds(period: str) -> int:
    return int(period[:-1]) * _UNITS_S[period[-1]]
