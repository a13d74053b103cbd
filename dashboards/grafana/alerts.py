"""Grafana's alert rules as a provisioning file: they read what the ingest has decided, and decide nothing.

All rules but one read the `event` series; no threshold of a machine stands here. The one is "ingest silent":
it must come from somebody else than the ingest. `python -m dashboards.grafana.alerts` writes the file.

Grafana expands `$NAME` in some values of such files, but neither in a query's model nor in annotations,
where "$timeFilter" and "$labels" stand; `${...}` is avoided, which Grafana 13 expands there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from palier.alarms import Priority
from palier.historian.schema import RAW_DAYS

from . import alarm_queries as a
from . import queries as q
from .sdk import INFLUXDB
from .variables import RAW_UID
from .words import Words

FOLDER: Final = Path(__file__).parent / "provisioning" / "alerting"
FILE: Final = "rules.yaml"

EXPRESSION: Final = "__expr__"
"""Grafana's own data source for what is computed of other queries."""

SILENT_S: Final = 300
"""The ingest writes a ledger line of each gateway a minute; five that are missing are no restart."""

_HEADER: Final = "# Made by `python -m dashboards.grafana.alerts`: change that, not this.\n"


@dataclass(frozen=True)
class Rule:
    """One rule: when `query` gives a number that is above (below, with `wants_some`) what it must be.

    `over_s` is how far back the query looks; `for_` how long it must hold. Without data it is `no_data`.
    """

    name: str
    title: str
    query: str
    over_s: int
    severity: str
    summary: str
    what_to_do: str
    wants_some: bool = False
    for_: str = "0s"
    no_data: str = "OK"
    on_error: str = "KeepLast"

    def to_file(self) -> dict[str, Any]:
        """As Grafana's file provisioning reads it."""
        return {
            "uid": f"palier-{self.name}",
            "title": self.title,
            "condition": "C",
            "for": self.for_,
            "noDataState": self.no_data,
            "execErrState": self.on_error,
            "isPaused": False,
            "labels": {"source": "palier", "severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.what_to_do},
            "data": list(self._data()),
        }

    def _data(self) -> Iterator[dict[str, Any]]:
        """A asks, B takes the last number of each series, C compares it."""
        asked = {
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "time_series",
            "intervalMs": 60_000,
            "maxDataPoints": 1000,
        }
        evaluator = {"type": "lt" if self.wants_some else "gt", "params": [1 if self.wants_some else 0]}
        yield self._query("A", RAW_UID, INFLUXDB, asked)
        yield self._query(
            "B", EXPRESSION, EXPRESSION, {"type": "reduce", "expression": "A", "reducer": "last"}
        )
        threshold = {"type": "threshold", "expression": "B", "conditions": [{"evaluator": evaluator}]}
        yield self._query("C", EXPRESSION, EXPRESSION, threshold)

    def _query(self, ref: str, source: str, kind: str, model: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "refId": ref,
            "relativeTimeRange": {"from": self.over_s, "to": 0},
            "datasourceUid": source,
            "model": {"refId": ref, "datasource": {"type": kind, "uid": source}, **model},
        }


GONE: Final = ("palier-danger", "palier-alert")
"""Rules of older versions, which read states: Grafana keeps what a file no longer names, unless told."""


def rules(words: Words) -> tuple[Rule, ...]:
    """All rules, in a language."""
    kept_s = RAW_DAYS * 86_400
    todo = words("alert.what_to_do")
    high = a.priority(Priority.HIGH)
    unacknowledged = tuple(
        Rule(
            name,
            words(f"alert.{name}"),
            a.unacknowledged(which),
            kept_s,
            severity,
            words(f"alert.{name}_summary"),
            todo,
        )
        for name, which, severity in (
            ("unacknowledged", high, "critical"),
            ("waiting", high.replace("=~", "!~"), "warning"),
        )
    )
    silent = Rule(
        "silent",
        words("alert.silent"),
        q.select(f'count({q.field("ledger", "acquired")}) AS "lines"', "ledger", q.IN_RANGE),
        SILENT_S,
        "critical",
        words("alert.silent_summary"),
        words("alert.what_to_do_silent"),
        wants_some=True,
        for_="1m",
        no_data="Alerting",
        on_error="Alerting",
    )
    return (*unacknowledged, silent)


def alerting(lang: str = "fr") -> dict[str, bytes]:
    """The provisioning files that are made: file name to YAML. Raises ValueError for another language."""
    words = Words(lang)
    group = {
        "orgId": 1,
        "name": words("alert.group"),
        "folder": words("alert.folder"),
        "interval": "1m",
        "rules": [rule.to_file() for rule in rules(words)],
    }
    body = yaml.safe_dump(
        {"apiVersion": 1, "groups": [group], "deleteRules": [{"orgId": 1, "uid": uid} for uid in GONE]},
        sort_keys=False,
        allow_unicode=True,
        width=100,
        indent=2,
    )
    return {FILE: (_HEADER + body).encode()}


if __name__ == "__main__":
    for name, data in alerting().items():
        (FOLDER / name).write_bytes(data)
