"""The dashboards are what Grafana 12.4 and 13.2 expect, by the types that both publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dashboards.grafana.build import DASHBOARDS
from tests.support.grafana_built import dashboard
from tests.support.grafana_types import VERSIONS, mistakes, panels

Dashboard = dict[str, Any]


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


FAULTS: tuple[Callable[[Dashboard], None], ...] = (
    misspelt_key,
    wrong_threshold_mode,
    unknown_place,
    wrong_option_of_a_plugin,
    wrong_field_of_a_plugin,
    variable_of_no_type,
)


def with_fault(fault: Callable[[Dashboard], None]) -> Dashboard:
    body = dashboard("overview.json")
    fault(body)
    return body


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What the compiler says of all dashboards and all seeded faults, by name and version."""
    bodies = {name: dashboard(name) for name in DASHBOARDS}
    bodies |= {fault.__name__: with_fault(fault) for fault in FAULTS}
    cases = {f"{name}-{version}": (body, version) for name, body in bodies.items() for version in VERSIONS}
    return mistakes(cases, tmp_path_factory.mktemp("types"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_of_the_types_of_grafana(name: str, version: str, said: Mapping[str, str]) -> None:
    assert said[f"{name}-{version}"] == ""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_caught(
    fault: Callable[[Dashboard], None], version: str, said: Mapping[str, str]
) -> None:
    assert "error TS" in said[f"{fault.__name__}-{version}"]
