"""The dashboards are what Grafana 12.4 and 13.2 expect, by the types that both publish."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.grafana.build import DASHBOARDS, build
from tests.support.grafana_types import VERSIONS, mistakes, panels

Dashboard = dict[str, Any]


def dashboard(name: str) -> Dashboard:
    body: Dashboard = json.loads(build("fr")[name])
    return body


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_of_the_types_of_grafana(name: str, version: str, tmp_path: Path) -> None:
    assert mistakes(dashboard(name), version, tmp_path) == ""


def misspelt_key(body: Dashboard) -> None:
    body["templatting"] = {}


def wrong_threshold_mode(body: Dashboard) -> None:
    next(panels(body))["fieldConfig"]["defaults"]["thresholds"]["mode"] = "absolut"


def unknown_place(body: Dashboard) -> None:
    next(panels(body))["gridPos"]["q"] = 1


def wrong_option_of_a_plugin(body: Dashboard) -> None:
    next(p for p in panels(body) if p["type"] == "stat")["options"]["colorMode"] = "backgrund"


def wrong_field_of_a_plugin(body: Dashboard) -> None:
    next(p for p in panels(body) if p["type"] == "timeseries")["fieldConfig"]["defaults"]["custom"][
        "drawStlye"
    ] = "line"


def variable_of_no_type(body: Dashboard) -> None:
    body["templating"]["list"][0]["type"] = "data source"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "fault",
    [
        misspelt_key,
        wrong_threshold_mode,
        unknown_place,
        wrong_option_of_a_plugin,
        wrong_field_of_a_plugin,
        variable_of_no_type,
    ],
)
def test_a_seeded_fault_is_caught(fault: Callable[[Dashboard], None], version: str, tmp_path: Path) -> None:
    body = dashboard("overview.json")
    fault(body)
    assert "error TS" in mistakes(body, version, tmp_path)
