"""What must not become a label: a wrong one teaches every model after it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from palier.historian.history_people import COLUMNS, episodes_of, events_of, labels_table
from palier.historian.history_points import labels_of
from palier.historian.history_table import KEYS, Tidy, rows_table

MACHINE, POINT = "P-101", "1"


class Events:
    """Rows of `event`, as the ingest writes them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.versions: dict[str, int] = {}

    def alarm(self, at: int, what: str, *, mode: str = "vibration", point: str = POINT, **more: Any) -> None:
        key = f"{MACHINE}/{point}/{mode}"
        level = None if what == "returned" else "alert"
        version = self.versions[key] = self.versions.get(key, 0) + 1
        state = {"raised": "unacknowledged", "escalated": "unacknowledged"}.get(what, "normal")
        told = {"alarm": key, "mode": mode, "what": what, "level": level, "standing": level, "raised_ns": at}
        self._add(at, "alarm", state, point, told | {"version": version} | more)

    def verdict(
        self,
        at: int,
        state: str,
        raised: int,
        *,
        mode: str = "vibration",
        point: str = POINT,
        found: str = "",
    ) -> None:
        told = {"alarm": f"{MACHINE}/{point}/{mode}", "raised_ns": raised, "found": found, "fault": ""}
        self._add(at, "verdict", state, point, told)

    def work(self, at: int, cause: str, *, point: str = "") -> None:
        self._add(at, "intervention", "bearing_changed", point, {"cause": cause})

    def _add(self, at: int, kind: str, state: str, point: str, detail: dict[str, Any]) -> None:
        row = {"time": at, "machine": MACHINE, "point": point, "kind": kind, "state": state}
        self.rows.append(row | {"event_id": f"{kind}:{at}", "detail": json.dumps(detail)})

    def labels(self) -> Tidy:
        kinds = {"time": "time", **dict.fromkeys(KEYS[1:], "key"), **dict.fromkeys(COLUMNS, "text")}
        events = events_of(rows_table("event", kinds, self.rows))
        return labels_table(events, episodes_of(events))


def told_of(events: Events, point: str = POINT) -> list[tuple[float, float, str]]:
    """(start, end, fault) in ns of what a model would learn of a point."""
    return [
        (round(one.start_s * 1e9), round(one.end_s * 1e9), one.fault)
        for one in labels_of(events.labels(), point)
    ]


def test_a_false_alarm_of_a_sensor_does_not_say_that_the_machine_is_healthy() -> None:
    events = Events()
    events.alarm(10, "raised", mode="sensor")
    events.alarm(50, "returned", mode="sensor", raised_ns=10)
    events.verdict(60, "refuted", 10, mode="sensor")
    assert told_of(events) == []
    assert events.labels()["said"].tolist() == ["refuted"]


def test_a_refuted_alarm_does_not_make_healthy_what_another_alarm_of_the_point_says() -> None:
    events = Events()
    events.alarm(10, "raised", mode="vibration")
    events.alarm(20, "raised", mode="bearing")
    events.alarm(50, "returned", mode="bearing", raised_ns=20)
    events.alarm(80, "returned", mode="vibration", raised_ns=10)
    events.verdict(90, "confirmed", 10, found="unbalance")
    events.verdict(91, "refuted", 20, mode="bearing")
    assert told_of(events) == [(10, 80, "unbalance")]


def test_two_refuted_alarms_of_a_point_are_healthy() -> None:
    events = Events()
    events.alarm(10, "raised")
    events.alarm(20, "raised", mode="bearing")
    events.alarm(50, "returned", mode="bearing", raised_ns=20)
    events.alarm(80, "returned", raised_ns=10)
    events.verdict(90, "refuted", 10)
    events.verdict(91, "refuted", 20, mode="bearing")
    assert told_of(events) == [(10, 80, "none"), (20, 50, "none")]


def test_who_says_it_again_otherwise_has_the_last_word() -> None:
    events = Events()
    events.alarm(10, "raised")
    events.alarm(50, "returned", raised_ns=10)
    events.verdict(60, "refuted", 10)
    events.verdict(70, "other_cause", 10, found="misalignment")
    assert told_of(events) == [(10, 50, "misalignment")]
    assert events.labels()["said"].tolist() == ["refuted", "other_cause"]  # what was said stays to be read


def test_a_refuted_alarm_that_never_returned_says_nothing_of_what_came_after_the_verdict() -> None:
    events = Events()
    events.alarm(10, "raised")
    events.verdict(30, "refuted", 10)
    events.alarm(500, "escalated", raised_ns=10)  # weeks later something does break
    assert told_of(events) == [(10, 30, "none")]


def test_work_is_not_for_the_alarm_of_a_sensor_or_for_one_that_stood_elsewhere() -> None:
    events = Events()
    events.alarm(10, "raised", mode="bearing", point="2")
    events.alarm(20, "raised", mode="sensor", point="1")
    events.work(40, "5.4.2")
    assert told_of(events, "1") == []
    assert told_of(events, "2") == [(10, 40, "electrical_erosion")]


def test_work_on_a_machine_with_alarms_at_several_points_names_none_of_them() -> None:
    events = Events()
    events.alarm(10, "raised", mode="bearing", point="2")
    events.alarm(20, "raised", point="1")
    events.work(40, "5.4.2")
    assert told_of(events, "1") == told_of(events, "2") == []
    assert np.isnat(events.labels()["start"]).all()
    events.work(41, "5.4.2", point="2")
    assert told_of(events, "2") == [(10, 41, "electrical_erosion")]
