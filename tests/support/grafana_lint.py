"""What a dashboard must have so that people can read it and any Grafana can show it.

The rules of Grafana's own dashboard-linter that apply, and ours: each gives sentences, none when all is well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from models.detection.zones import LimitSet
from models.diagnosis.health import AT_ALERT, AT_DANGER
from tests.support.grafana_types import panels

Body = Mapping[str, Any]

SOURCES: Final = ("${raw}", "${hourly}")
DRAWN: Final = ("timeseries", "xychart", "heatmap", "stat", "barchart", "table", "state-timeline")
MACROS: Final = re.compile(r"\$(timeFilter|__interval)\b")
VARIABLE: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(?!tag_|col\b|timeFilter|__|/|\d)(\w+)")
HAND_TYPED: Final = {None, 1}
"""Values of thresholds that come of no limit set: none at all, the first count above 0, a whole limit."""

OF_HEALTH: Final = (AT_DANGER, AT_ALERT)
"""Lines of the health index, which is the same scale for every machine."""


def lint(body: Body, limits: Mapping[str, LimitSet]) -> list[str]:
    """All that is wrong with a dashboard."""
    return [
        f"{rule.__name__}: {said}"
        for rule in RULES
        for said in (rule(body, limits) if rule is thresholds_come_of_limits else rule(body))
    ]


def dashboard_is_named(body: Body) -> Iterator[str]:
    """It has a title, a description, a uid and our tag."""
    for key in ("title", "description", "uid"):
        if not body.get(key):
            yield f"the dashboard has no {key}"
    if "palier" not in body["tags"]:
        yield "it does not bear the tag palier"


def panels_are_named(body: Body) -> Iterator[str]:
    """Each has a title and says how it is read."""
    for panel in panels(body):
        for key in ("title", "description"):
            if not panel.get(key):
                yield f"panel {panel['id']} has no {key}"


def panels_have_a_unit(body: Body) -> Iterator[str]:
    """Each panel that shows numbers says in what unit."""
    for panel in panels(body):
        if panel["type"] in DRAWN and not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"panel {panel['title']!r} has no unit"


def data_sources_are_variables(body: Body) -> Iterator[str]:
    """No panel, variable or annotation is tied to a data source by name."""
    for panel in panels(body):
        if panel["type"] == "text":
            continue
        for source in (panel.get("datasource"), *(t["datasource"] for t in panel["targets"])):
            if not source or source["uid"] not in SOURCES:
                yield f"panel {panel['title']!r} reads {source}"
    for variable in body["templating"]["list"]:
        if variable["type"] == "query" and variable["datasource"]["uid"] not in SOURCES:
            yield f"variable {variable['name']} reads {variable['datasource']}"
    for annotation in body["annotations"]["list"]:
        if annotation["datasource"]["uid"] not in SOURCES:
            yield f"annotation {annotation['name']} reads {annotation['datasource']}"


def ids_are_unique(body: Body) -> Iterator[str]:
    """No two panels or rows have one number; no two queries of a panel one letter."""
    rows = [panel for panel in body["panels"] if panel["type"] == "row"]
    numbers = [panel["id"] for panel in (*panels(body), *rows)]
    for number in {n for n in numbers if numbers.count(n) > 1}:
        yield f"the id {number} stands twice"
    for panel in panels(body):
        refs = [target["refId"] for target in panel.get("targets", ())]
        if len(refs) != len(set(refs)):
            yield f"panel {panel['title']!r} has two queries of one letter: {refs}"


def panels_do_not_overlap(body: Body) -> Iterator[str]:
    """On the grid of 24 columns no panel lies upon another or beyond the edge."""
    taken: dict[tuple[int, int], int] = {}
    closed = (p for row in body["panels"] if row["type"] == "row" for p in row["panels"])
    for panel in (*body["panels"], *closed):
        at = panel["gridPos"]
        if at["x"] < 0 or at["x"] + at["w"] > 24:
            yield f"panel {panel['id']} lies beyond the edge"
        for cell in (
            (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
        ):
            if cell in taken:
                yield f"panels {taken[cell]} and {panel['id']} lie upon each other"
                break
            taken[cell] = panel["id"]


def queries_end(body: Body) -> Iterator[str]:
    """Each query is limited in time, by the period or by one of its own; none selects everything."""
    for panel in panels(body):
        for target in panel.get("targets", ()):
            if "$timeFilter" not in target["query"] and "time > now() - " not in target["query"]:
                yield f"panel {panel['title']!r} reads all times"
            if "*" in re.sub(r"\* 0 AS|\* 0\$|\.\*", "", target["query"]):
                yield f"panel {panel['title']!r} selects everything: {target['query'][:80]}"


def variables_exist(body: Body) -> Iterator[str]:
    """What a query, a name or a link puts in is a variable of the dashboard, and none stands idle."""
    known = {variable["name"] for variable in body["templating"]["list"]}
    used: set[str] = set()
    for text in _texts(body):
        used |= {found[0] or found[1] for found in VARIABLE.findall(text)}
    used = {name for name in used if not name.startswith("__")}
    yield from (f"{name} is no variable" for name in sorted(used - known))
    yield from (f"the variable {name} stands idle" for name in sorted(known - used))


def thresholds_come_of_limits(body: Body, limits: Mapping[str, LimitSet]) -> Iterator[str]:
    """A line in a panel is one of a limit set, drawn for series that bear that set's name."""
    for panel in panels(body):
        config = panel.get("fieldConfig") or {}
        for place, steps in _steps(config):
            values = tuple(step["value"] for step in steps[1:])
            name = re.search(r"\\\[(.+)\\\]\$/$", place)
            if name is not None:
                limit = limits.get(name[1].replace("\\", ""))
                if limit is None or limit.values != values:
                    yield f"panel {panel['title']!r} draws {values} for {name[1]}"
            elif values != OF_HEALTH and not set(values) <= HAND_TYPED:
                yield f"panel {panel['title']!r} has lines typed by hand: {values}"


def links_lead_somewhere(body: Body) -> Iterator[str]:
    """A link has a title and an address."""
    for panel in panels(body):
        for link in (
            *panel.get("links", ()),
            *panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()),
        ):
            if not (link["title"] and link["url"]):
                yield f"panel {panel['title']!r} has an empty link"


RULES: Final[tuple[Callable[..., Iterator[str]], ...]] = (
    dashboard_is_named,
    panels_are_named,
    panels_have_a_unit,
    data_sources_are_variables,
    ids_are_unique,
    panels_do_not_overlap,
    queries_end,
    variables_exist,
    thresholds_come_of_limits,
    links_lead_somewhere,
)


def _steps(config: Body) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if "thresholds" in config.get("defaults", {}):
        yield "", config["defaults"]["thresholds"]["steps"]
    for override in config.get("overrides", ()):
        for one in override["properties"]:
            if one["id"] == "thresholds":
                yield str(override["matcher"]["options"]), one["value"]["steps"]


def _texts(value: object) -> Iterator[str]:
    """All texts in a dashboard, but for a variable's own query, which Grafana does not need itself for."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
