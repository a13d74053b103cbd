"""A dashboard that is looked at as Grafana does, on a server of the tests'."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from benchmarks.historian_board import ALL, Board, panels
from benchmarks.historian_board import Shown as Range
from tests.support.influxd import Influxd

__all__ = ["ALL", "Dashboard", "LookAt", "Range", "targets"]

SOURCES: Final = {"palier": "palier", "palier_hourly": "palier_hourly"}
"""Databases by the uid of their data source."""


class Dashboard(Board):
    """A dashboard whose queries are sent with an account; a test fails where the server says no."""

    def __init__(
        self,
        body: Mapping[str, Any],
        server: Influxd,
        account: tuple[str, str],
        shown: Range,
        wishes: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        super().__init__(body, self._from_server, shown, wishes)
        self.server = server
        self.account = account

    def _from_server(self, statement: str, uid: str) -> list[dict[str, Any]]:
        status, body = self.server.query(statement, SOURCES[uid], self.account)
        answer = json.loads(body)
        result = answer.get("results", [{}])[0]
        said = answer.get("error") or result.get("error")
        assert status == 200, f"{said}\n{statement}"
        assert not said, f"{said}\n{statement}"
        series: list[dict[str, Any]] = result.get("series", [])
        return series


LookAt = Callable[..., Dashboard]
"""The fixture `look_at`: a dashboard of a name, looked at with some wishes."""


def targets(body: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(panel, target) of all panels' queries."""
    for panel in panels(body):
        for target in panel.get("targets", ()):
            yield panel, target
