"""Every query of the dashboards, as Grafana sends it, against a real InfluxDB that holds a week."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from dashboards.grafana import queries as q
from dashboards.grafana.alerts import rules
from dashboards.grafana.build import DASHBOARDS
from dashboards.grafana.words import Words
from palier.historian.base import SchemaError
from palier.historian.schema import measurement
from tests.support import grafana_week as plant
from tests.support.grafana_queries import ALL, Dashboard, LookAt, targets

UNITS = {
    "mm/s": ("unit.velocity",),
    "m/s²": ("unit.acceleration",),
    "r/min": ("unit.speed",),
    "bit": ("unit.bits",),
    "velocity_mm_s": ("unit.velocity_peak",),
    "envelope_m_s2": ("unit.acceleration_peak",),
}
"""Units of the schema and kinds of spectrum, and the words of the dashboards that stand for them."""

PLAIN_UNITS = {
    "°C": {"celsius"},
    "K": {"kelvin"},
    "h": {"suffix:h"},
    "bytes": {"decbytes"},
    "1": {"none", "short", "suffix:blocs"},
}
"""Those that Grafana has a unit for, and counts."""

WRITTEN_BESIDE = {"as in `kind`": "kind", "as in `unit`": "unit"}
"""Units that stand in the rows, and in which column."""


@pytest.fixture(scope="module", params=DASHBOARDS)
def dashboard(request: pytest.FixtureRequest, look_at: LookAt) -> Dashboard:
    # Alarms of gateways are there too where all machines are chosen.
    everything = {"site": [ALL], "machine": [ALL]}
    return look_at(request.param, everything if request.param == "alarms.json" else None)


def test_every_query_of_a_panel_returns_rows(dashboard: Dashboard) -> None:
    empty = [
        (panel["title"], target["refId"])
        for panel, target in targets(dashboard.body)
        if not any(
            value is not None
            for series in dashboard.ask(target["query"], target["datasource"]["uid"])
            for row in series["values"]
            for value in row[1:]
        )
    ]
    assert empty == [] or empty == lone_looks(dashboard), empty


def lone_looks(dashboard: Dashboard) -> list[tuple[str, str]]:
    """The tile of one machine has a query for each look, of which that machine has one only."""
    tile = next((p for p, _ in targets(dashboard.body) if p["title"] == Words("fr")("machine.state")), None)
    if tile is None:
        return []
    hit = [t["refId"] for t in tile["targets"] if dashboard.ask(t["query"], t["datasource"]["uid"])]
    assert len(hit) == 1
    return [(tile["title"], t["refId"]) for t in tile["targets"] if t["refId"] not in hit]


def test_every_query_of_a_variable_offers_something(dashboard: Dashboard) -> None:
    for variable in dashboard.body["templating"]["list"]:
        if variable["type"] == "query":
            assert dashboard.offer(variable), variable["name"]


def test_every_annotation_finds_its_events(dashboard: Dashboard) -> None:
    for annotation in dashboard.body["annotations"]["list"]:
        target = annotation["target"]
        series = dashboard.ask(target["query"], target["datasource"]["uid"])
        assert series, annotation["name"]
        assert {target["textColumn"], target["tagsColumn"]} <= set(series[0]["columns"])


def test_values_are_drawn_in_their_own_unit(dashboard: Dashboard) -> None:
    words = Words("fr")
    for panel, target in targets(dashboard.body):
        if panel["type"] in ("timeseries", "xychart", "heatmap"):
            said = panel["fieldConfig"]["defaults"]["unit"]
            of_values = units(dashboard, target)
            assert of_values, target["query"]
            for unit in of_values:
                allowed = {words(key) for key in UNITS.get(unit, ())} | PLAIN_UNITS.get(unit, set())
                assert said in allowed | OF_THEIR_OWN.get(panel["title"], set()), f"{panel['title']}: {unit}"


OF_THEIR_OWN = {
    Words("fr")(key): {unit}
    for key, unit in (
        ("alarms.per_day", "short"),
        ("learning.coverage", "suffix:h"),
        ("learning.unseen", "percentunit"),
        ("learning.drifts", "suffix:blocs"),
        ("drift.outside", "percentunit"),
        ("learning.scores", "suffix:σ"),
        ("score.title", "suffix:σ"),
        ("score.leading", "percentunit"),
        ("machine.zones", "suffix:mm/s eff."),
    )
}
"""Panels that count rows, or show a share of them or a number in standard deviations: what is counted has a
unit of its own, or none. The alert limit beside the zones is that of a velocity, by its condition."""


def units(dashboard: Dashboard, target: dict[str, Any]) -> set[str]:
    """The units of the fields that a query selects, by the schema, or by the rows where those say it."""
    query = target["query"]
    found = re.search(r'.*SELECT (.*?) FROM "(\w+)"(?: WHERE (.*?))?(?:\) WHERE .*)?(?: GROUP BY.*)?$', query)
    assert found is not None
    columns, name, conditions = found.groups()
    table = measurement(name)
    selected = [table.field(one) for one in re.findall(r'"(\w+)"', columns) if one in table.names]
    said = {field.unit for field in selected if field.name != "frequency_hz"}
    for written, column in WRITTEN_BESIDE.items():
        if written in said:
            rows = dashboard.ask(
                f'SELECT "{column}" FROM "{name}" WHERE {conditions}', target["datasource"]["uid"]
            )
            said = said - {written} | {row[1] for series in rows for row in series["values"]}
    return said


@pytest.mark.parametrize("name", [name for name in DASHBOARDS if name != "machine.json"])
@pytest.mark.parametrize("chosen", [[ALL], [plant.MACHINE, plant.SECOND]])
def test_several_values_and_all_of_them_can_be_chosen(name: str, chosen: list[str], look_at: LookAt) -> None:
    wishes: dict[str, str | list[str]] = {"site": [ALL], "machine": chosen, "gateway": [ALL]}
    board = look_at(name, wishes)
    for panel, target in targets(board.body):
        found = board.ask(target["query"], target["datasource"]["uid"])
        assert found or not_of_these(panel, chosen), target["query"]


def not_of_these(panel: dict[str, Any], chosen: list[str]) -> bool:
    """Two machines are not in every state, and it is a gateway's alarm that chatters."""
    words = Words("fr")
    counts = panel["fieldConfig"]["defaults"].get("noValue") == "0"
    return chosen != [ALL] and (counts or panel["title"] == words("alarms.actors"))


def test_the_cascade_has_a_row_for_each_band(look_at: LookAt) -> None:
    board = look_at("machine.json")
    panel = next(p for p, _ in targets(board.body) if p["type"] == "heatmap")
    tops = [float(t["alias"].removesuffix(" Hz").replace(",", ".")) for t in panel["targets"]]
    assert tops == sorted(tops)
    highest = {t["alias"]: board.ask(t["query"], "palier")[0]["values"][-1][1] for t in panel["targets"]}
    assert highest["15,8 Hz"] == plant.DAYS  # 890 r/min is 14.8 Hz
    assert highest["12,6 Hz"] < 1


@pytest.mark.parametrize(
    ("name", "open_for"),
    [
        (
            "unacknowledged",
            [{"site": plant.SITE, "machine": plant.MACHINE, "point": "2", "channel": "bearing"}],
        ),
        ("waiting", []),  # one is shelved, one acknowledged, one over
        ("silent", [None]),
    ],
)
def test_an_alert_rule_asks_for_what_is_open(
    name: str, open_for: list[dict[str, str] | None], rule_finds: Callable[..., list[dict[str, Any]]]
) -> None:
    rule = next(rule for rule in rules(Words("fr")) if rule.name == name)
    series = rule_finds(rule.query, rule.over_s)
    assert [one.get("tags") for one in series] == open_for
    for one in series:
        assert one["values"][-1][1] >= 1


def test_a_rule_finds_an_alarm_of_lower_priority_while_nobody_saw_it(
    rule_finds: Callable[..., list[dict[str, Any]]],
) -> None:
    rule = next(rule for rule in rules(Words("fr")) if rule.name == "waiting")
    series = rule_finds(rule.query, rule.over_s, later_s=-int(7.5 * 3600))  # before somebody answered
    assert {one["tags"]["channel"] for one in series} == {"sensor", "temperature"}


def test_a_silent_ingest_leaves_its_rule_without_data(
    rule_finds: Callable[..., list[dict[str, Any]]],
) -> None:
    rule = next(rule for rule in rules(Words("fr")) if rule.name == "silent")
    assert rule_finds(rule.query, rule.over_s, later_s=3600) == []
    assert rule.no_data == "Alerting"


def test_tiles_stand_in_the_order_of_urgency(look_at: LookAt) -> None:
    board = look_at("overview.json", {"site": [ALL]})
    tiles = board.body["panels"][0]["targets"]
    machines = [
        series["tags"]["machine"] for target in tiles for series in board.ask(target["query"], "palier")
    ]
    assert machines[:2] in ([plant.MACHINE, plant.SECOND], [plant.SECOND, plant.MACHINE])
    order = [name.split("-")[1] for name in machines[2:]]
    assert order == sorted(order, key=list(dict.fromkeys(order)).index), "a state stands in two places"
    assert order.index("unknown") < order.index("silent") < order.index("normal")


def test_a_machine_that_fell_silent_is_no_longer_shown_in_its_last_state(look_at: LookAt) -> None:
    board = look_at("overview.json", {"site": [ALL]})
    shown = [
        series
        for target in board.body["panels"][0]["targets"]
        for series in board.ask(target["query"], "palier")
        if series["tags"]["machine"] == plant.SILENT
    ]
    assert [series["columns"] for series in shown] == [["time", "fresh"]]


def test_the_spectrum_is_of_one_block_only(look_at: LookAt) -> None:
    board = look_at("machine.json")
    panel = next(p for p, _ in targets(board.body) if p["title"] == Words("fr")("spectra.spectrum_hz"))
    (series,) = board.ask(panel["targets"][0]["query"], "palier")
    frequencies = [row[1] for row in series["values"]]
    assert 300 < len(frequencies) == len(set(frequencies)) <= 400
    assert max(row[2] for row in series["values"]) == plant.DAYS  # the newest of them


def test_marks_stand_at_the_harmonics_of_the_chosen_bearing(look_at: LookAt) -> None:
    board = look_at("machine.json")
    panel = next(p for p, _ in targets(board.body) if p["title"] == Words("fr")("spectra.envelope_orders"))
    (series,) = board.ask(panel["targets"][1]["query"], "palier")
    assert series["columns"][2] == Words("fr").shared("defect.bpfo")
    highest = [row[1] for row in series["values"] if row[2] > 1]
    order = plant.load_bearings()[plant.BEARING].bpfo
    assert {round(one / order, 3) for one in highest} >= {1.0, 2.0, 3.0, 4.0, 5.0}


@pytest.mark.parametrize("missing", ["rpm", "bearing"])
def test_no_marks_without_a_speed_or_a_bearing(missing: str, look_at: LookAt) -> None:
    board = look_at("machine.json")
    board.values[missing] = {"rpm": "", "bearing": "none"}[missing]
    for panel, target in targets(board.body):
        if panel["type"] == "xychart" and target["refId"] != "A":
            assert board.ask(target["query"], "palier") == []


def test_orders_are_not_drawn_without_a_speed(look_at: LookAt) -> None:
    board = look_at("machine.json")
    board.values["rpm"] = ""
    charts = [p for p, t in targets(board.body) if p["type"] == "xychart" and t["refId"] == "A"]
    assert [bool(board.ask(p["targets"][0]["query"], "palier")) for p in charts] == [True, False, True, False]


def test_the_backlog_is_added_up_over_the_outboxes_of_a_gateway(look_at: LookAt) -> None:
    board = look_at("gateways.json")
    query = q.of_all_epochs("stored").replace("$__interval", "1m")
    (series,) = board.ask(query, "palier")
    assert min(row[1] for row in series["values"][1:-1]) > 1000  # the old outbox and the new one


def test_a_name_that_the_schema_lacks_is_refused() -> None:
    with pytest.raises(SchemaError, match="has no field 'velocity'"):
        q.field("feature", "velocity")
    with pytest.raises(SchemaError, match="no measurement 'features'"):
        q.select("x", "features")


@pytest.mark.parametrize("text", ["l'état", "a\\b"])
def test_a_text_that_would_end_early_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quote and no backslash"):
        q.text_of(text)
