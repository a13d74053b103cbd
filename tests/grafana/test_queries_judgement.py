"""What the dashboards tell of the week's judgement: in words, of the right alarm, nothing of it hidden."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.grafana import judgement, learning
from dashboards.grafana import queries as q
from dashboards.grafana.build import DASHBOARDS
from dashboards.grafana.words import LANGUAGES, Words
from ingest.alarm_commands import INTERVENTION
from ingest.alarms import ALARM
from ingest.baseline_events import BASELINE
from ingest.watch_health import MODES
from models.detection.baseline import REGIME_UNSEEN
from models.detection.decision import TESTS
from models.diagnosis import Fault
from models.prognosis.types import Method
from tests.support import grafana_judgement as told
from tests.support import grafana_week as plant
from tests.support.grafana_queries import ALL, Dashboard, LookAt, targets
from tests.support.grafana_tables import Frame, Row, in_words, shown
from tests.support.grafana_types import panels

WORDS = Words("fr")
Everything = dict[str, str | list[str]]
EVERYTHING: Everything = {"site": [ALL], "machine": [ALL]}


def panel_of(board: Dashboard, key: str, words: Words = WORDS) -> dict[str, Any]:
    return next(panel for panel, _ in targets(board.body) if panel["title"] == words(key))


def table(board: Dashboard, key: str) -> Frame:
    return shown(board, panel_of(board, key))


def only(frame: Frame, **which: object) -> Row:
    (row,) = (row for row in frame.rows if all(row[name] == value for name, value in which.items()))
    return row


def overrides(panel: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of the columns of a table, by name."""
    return {
        one["matcher"]["options"]: {each["id"]: each["value"] for each in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
        if one["matcher"]["id"] == "byName"
    }


def tables(name: str, look_at: LookAt, lang: str) -> list[tuple[dict[str, Any], Frame]]:
    wishes = None if name == "machine.json" else {**EVERYTHING, "gateway": [ALL]}
    board = look_at(name, wishes, lang=lang)
    return [(panel, shown(board, panel)) for panel in panels(board.body) if panel["type"] == "table"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_table_has_a_title_for_each_column_and_words_for_each_key(
    name: str, lang: str, look_at: LookAt
) -> None:
    for panel, frame in tables(name, look_at, lang):
        said = overrides(panel)
        untitled = set(frame.columns) - set(said)
        assert untitled <= TIMES_OF_NOTHING, f"{panel['title']}: {untitled}"
        assert set(said) <= set(frame.columns), f"{panel['title']}: {set(said) - set(frame.columns)}"
        for column in (one for one in said if "mappings" in said[one]):
            if said[column].get("unit") or column in FREE_TEXT:
                continue
            raw = {row.get(column) for row in frame.rows if not in_words(said[column], row.get(column))}
            assert raw == set(), f"{panel['title']}, {column}: {raw}"


TIMES_OF_NOTHING = {"Time"}
"""The column that a table of counts has by itself."""

FREE_TEXT = {"why", "who", "version", "blocks", "days", "z"}
"""What people write, and numbers: only what is missing has a word."""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_timeline_has_words_for_what_it_draws(lang: str, look_at: LookAt) -> None:
    board = look_at("machine.json", lang=lang)
    for panel, target in targets(board.body):
        if panel["type"] == "state-timeline":
            found = board.ask(target["query"], "palier")
            raw = {row[1] for series in found for row in series["values"]}
            field = panel["fieldConfig"]["defaults"]
            assert {value for value in raw if not in_words(field, value)} == set(), panel["title"]


def test_the_overview_tells_of_a_machine_what_it_suffers_from_and_how_long_it_lasts(look_at: LookAt) -> None:
    row = only(table(look_at("overview.json", EVERYTHING), "overview.machines"), machine=plant.MACHINE)
    assert row["state"] == "danger"
    assert (round(row["health_index"]), row["mode"]) == (35, "bearing")
    assert (row["fault"], row["severity"], row["confidence"]) == (told.FAULT, 4, 0.78)  # not the later one
    assert row["p10_h"] == told.P10_H
    assert (row["open"], row["unacknowledged"]) == (3, 1)


def test_a_machine_that_learns_has_no_health_and_no_fault(look_at: LookAt) -> None:
    row = only(table(look_at("overview.json", EVERYTHING), "overview.machines"), machine=plant.SECOND)
    assert row["state"] == "danger"
    assert all(row.get(name) is None for name in ("health_index", "fault", "p10_h", "open"))


def test_an_open_alarm_tells_who_did_what_and_why_and_what_is_behind_it(look_at: LookAt) -> None:
    frame = table(look_at("alarms.json", EVERYTHING), "alarms.open")
    assert {row["channel"] for row in frame.rows} == {"bearing", "temperature", "sensor"}
    bearing, shelved = only(frame, channel="bearing"), only(frame, channel="temperature")
    assert (bearing["level"], bearing["fault"]) == ("danger", told.FAULT)
    assert (bearing["what"], bearing["who"]) == ("escalated", "")
    assert (shelved["state"], shelved["who"], shelved["why"]) == ("shelved", told.PERSON, "essai en charge")


def test_an_alarm_that_is_back_at_once_is_told_as_a_chattering_one(look_at: LookAt) -> None:
    frame = table(look_at("alarms.json", EVERYTHING), "alarms.actors")
    gateway = only(frame, machine=plant.GATEWAY)
    assert (gateway["raises"], gateway["at_once"]) == (3, 2)
    assert only(frame, channel="bearing").get("at_once") is None


@pytest.mark.parametrize(("key", "least", "most"), [("a_day", 0.7, 1.0), ("in_an_hour", 3, 3)])
def test_figures_count_what_was_announced_and_nothing_else(
    key: str, least: float, most: float, look_at: LookAt
) -> None:
    board = look_at("alarms.json", EVERYTHING)
    (series,) = board.ask(panel_of(board, f"alarms.{key}")["targets"][0]["query"], "palier")
    assert least <= series["values"][-1][1] <= most  # 7 in a week of 8 days UTC


def test_flags_tell_alert_and_danger_apart(look_at: LookAt) -> None:
    board = look_at("machine.json")
    counts = {
        one["name"]: sum(len(s["values"]) for s in board.ask(one["target"]["query"], "palier"))
        for one in board.body["annotations"]["list"]
    }
    assert counts == {"danger": 1, "alerte": 3, "Interventions": 1}


def test_a_life_that_is_refused_says_why(look_at: LookAt) -> None:
    frame = table(look_at("machine.json"), "life.methods")
    refused, known = only(frame, point="1"), only(frame, point="2")
    assert (refused["method"], refused["reason"], refused["p10_h"]) == ("refused", "no_degradation", None)
    assert (known["p10_h"], known["assumption_0"]) == (told.P10_H, "regime_unchanged")


def test_health_is_told_by_mode(look_at: LookAt) -> None:
    row = only(table(look_at("machine.json"), "health.modes"), point="")
    assert (row["bearing"], row["shaft"]) == (35.0, 90.0)


def test_each_test_that_was_on_is_drawn(look_at: LookAt) -> None:
    board = look_at("machine.json", {"site": plant.SITE, "machine": plant.MACHINE, "point": "1"})
    panel = panel_of(board, "score.tests")
    assert len(panel["targets"]) == len(TESTS)
    assert all(not board.ask(one["query"], "palier") for one in panel["targets"])  # that point is well


def test_the_share_of_a_regime_never_seen_is_of_all_blocks_of_the_machine(look_at: LookAt) -> None:
    board = look_at("models.json", EVERYTHING)
    (series,) = board.ask(panel_of(board, "learning.unseen")["targets"][0]["query"], "palier")
    assert series["tags"] == {"machine": plant.MACHINE}
    whole_days = series["values"][1:-1]
    assert [row[1] for row in whole_days] == pytest.approx(
        [1 / 6] * len(whole_days), abs=0.02
    )  # half of one of three


def test_the_newest_word_on_a_baseline_is_told_with_who_said_it(look_at: LookAt) -> None:
    frame = table(look_at("models.json", EVERYTHING), "learning.baselines")
    row = only(frame, machine=plant.MACHINE)
    assert (row["state"], row["who"], row["progress"]) == ("confirmed", told.PERSON, 1.0)
    assert only(frame, machine=plant.SECOND)["state"] == "learning"
    points = table(look_at("models.json", EVERYTHING), "learning.age").rows
    assert [(row["point"], row["blocks"], row["z"]) for row in points] == [("1", 1012, 5), ("2", 1012, 5)]


def test_the_last_look_at_a_points_drift_is_told_with_its_advice(look_at: LookAt) -> None:
    board = look_at("models.json", EVERYTHING)
    moved = only(table(board, "drift.points"), point=told.POINT)
    assert (moved["advice"], moved["psi"], moved["model"]) == ("retrain", 0.9, "own:1")
    assert not moved["reason"]
    silent = only(table(board, "drift.points"), point="1")
    assert (silent["advice"], silent["reason"], silent.get("psi")) == ("none", "drift_too_short", None)
    assert {row["feature"] for row in table(board, "drift.features").rows} == {
        "velocity_rms_mm_s",
        "kurtosis",
    }
    (advice,) = table(board, "drift.journal").rows
    assert (advice["state"], advice["why"]) == ("retrain", "levels_moved")


def test_models_of_the_registry_are_told_by_their_names(look_at: LookAt) -> None:
    board = look_at("models.json", EVERYTHING)
    (row,) = table(board, "drift.registry").rows
    assert (row["machine"], row["state"], row["version"]) == ("isolation-forest", "in force", 1)
    (named,) = table(board, "drift.named").rows
    assert (named["label"], named["model"], named["stage"]) == (told.FAULT, "faults-pump", "in force")


def test_what_the_dashboards_name_is_what_the_ingest_writes() -> None:
    assert set(judgement.MODES) == set(MODES)
    assert (q.ALARM, q.INTERVENTION, q.BASELINE) == (ALARM, INTERVENTION, BASELINE)
    assert set(WORDS.table("assumption")) == set(judgement.ASSUMED)
    assert set(WORDS.table("fault")) == set(Fault)
    assert set(judgement.METHODS) == set(Method)
    assert REGIME_UNSEEN.reason == learning.UNSEEN
