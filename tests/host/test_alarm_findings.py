"""An alarm carries what an examination found, and is raised by none."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.alarm_evidence import finding_of
from ingest.alarm_feed import events_of
from ingest.alarm_life import Evidence
from ingest.alarm_records import batch_of
from ingest.alarms import Alarms, Announce, Record, step
from ingest.judging import assess
from ingest.knowledge import Knowledge, Speeds
from ingest.notice_text import body
from ingest.notify import plan
from ingest.scoring import Scorer
from ingest.watch_diagnosis import Examined
from ingest.watch_parts import PointModel, Watched
from models.advice import Lasting, advise_all
from models.diagnosis.types import Diagnosis, EvidenceItem, Fault
from models.types import Refusal
from palier.alarm_finding import Finding
from palier.alarm_text import found_line, measured_lines, to_do_line
from palier.alarms import Alarm, AlarmError, Cause, Level, Mode
from palier.historian import record_tables
from palier.historian.records import Records
from palier.limits import load_limits
from palier.locale import LANGUAGES, Catalogue
from palier.plant import Plant
from tests.support.alarms import BLOCK_NS, KEY, PLANT, SITE, velocity
from tests.support.committing import T0, work
from tests.support.gateway import waveform

RING = Finding(BLOCK_NS, "outer_ring", 0.87, 3, "plan", 672.0, "bearing", KEY.point)
URGENT = Finding(2 * BLOCK_NS, "unbalance", 0.7, 4, "intervene", 168.0, "unbalance", KEY.point)


def blocks(*told: tuple[float, Finding | None]) -> tuple[Alarm, list[str], list[Announce]]:
    """The alarm after velocities with what was found at each; its transitions, and who was told."""
    alarms, seen, announced = Alarms(), list[str](), list[Announce]()
    for k, (value, found) in enumerate(told, start=1):
        evidence = replace(velocity(k, value), found=found, deadline_h=672.0, severity=3)
        alarms, effects = step(alarms, [evidence])
        seen += [json.loads(e.transition.detail)["what"] for e in effects if isinstance(e, Record)]
        announced += [e for e in effects if isinstance(e, Announce)]
    return alarms.get(KEY), seen, announced


def test_what_was_found_goes_with_the_raise_and_its_message() -> None:
    alarm, seen, (announced,) = blocks((5.0, RING))
    assert (alarm.fault, alarm.confidence, alarm.severity, seen) == ("outer_ring", 0.87, 3, ["raised"])
    (message,) = plan([announced], ["email"], 0)
    text = body(message, Catalogue("fr"), "Africa/Casablanca")
    assert f"Défaut probable\u00a0: {Catalogue('fr').text('fault.outer_ring')} (87\u00a0%)." in text
    assert "À planifier sous 4 semaines\u00a0: commander et remplacer le roulement." in text


def test_the_cause_that_speaks_for_the_named_fault_leads() -> None:
    causes = (
        Cause("order_2x_mm_s", 3.46, "mm/s", 0.81, level=Level.ALERT),
        Cause("envelope_modulation", 1.5, "1", 1.32, level=Level.ALERT),
        Cause("bpfo_modulation", 1.1, "1", 1.2, level=Level.ALERT),  # within the dead band only
    )
    ring = replace(RING, columns=("bpfo_modulation", "envelope_modulation"))
    for found, order in ((None, (0, 1, 2)), (ring, (1, 0, 2))):
        evidence = Evidence(KEY, BLOCK_NS, Level.ALERT, causes, action="action.plan", found=found)
        alarm = step(Alarms(), [evidence])[0].get(KEY)
        assert [cause.feature for cause in alarm.causes] == [causes[k].feature for k in order]
        assert Alarm.from_json(alarm.to_json()) == alarm
    assert "bpfo_modulation" not in json.dumps(measured_lines(alarm, Catalogue("fr")))
    assert len(measured_lines(alarm, Catalogue("fr"))) == 2


def test_a_finding_names_the_columns_that_speak_for_it() -> None:
    evidence = (
        EvidenceItem("two_over_one", 0.5, 1.0, feature="order_2x_mm_s"),
        EvidenceItem("axial_two", 0.5, 0.0, feature="order_3x_mm_s"),
        EvidenceItem("follows_square", -0.5, 1.0, feature="order_1x_mm_s"),
    )

    def told(fault: Fault) -> tuple[str, ...]:
        machine = PLANT.machines[0]
        point = machine.points[0]
        named = (Diagnosis(fault, 0.8, 3, KEY.point, evidence),)
        one = Watched((SITE, machine.id, point.id), machine, point, (), (), np.nan, np.nan, ())
        return finding_of(Examined(one, T0, None, named, advise_all(named, machine), 3)).columns

    assert told(Fault.MISALIGNMENT) == ("order_2x_mm_s",)
    assert "envelope_modulation" in told(Fault.OUTER_RING)


def test_a_finding_alone_raises_nothing() -> None:
    alarm, seen, announced = blocks((1.0, RING), (1.0, URGENT))
    assert (alarm.level, alarm.found, seen, announced) == (None, None, [], [])


def test_another_fault_is_an_event_and_no_transition() -> None:
    before, *_ = blocks((5.0, RING))
    alarm, seen, announced = blocks((5.0, RING), (5.0, None), (5.0, URGENT), (5.0, URGENT))
    assert seen == ["raised", "diagnosed"]
    assert len(announced) == 1
    assert (alarm.version, alarm.since_ns) == (before.version, before.since_ns)
    assert (alarm.level, alarm.priority, alarm.severity) == (before.level, before.priority, before.severity)


def test_the_more_urgent_of_rule_and_finding_is_to_be_done_and_its_time_does_not_slide() -> None:
    alarm, *_ = blocks((5.0, RING), (5.0, URGENT), (5.0, None), (5.0, None))
    assert (alarm.action, alarm.deadline_h, alarm.said_ns) == ("action.intervene", 168.0, 2 * BLOCK_NS)
    assert alarm.due_ns == 2 * BLOCK_NS + 168 * 3600 * 10**9
    lazy = replace(URGENT, severity=2, action="watch", deadline_h=720.0)
    alarm, *_ = blocks((5.0, lazy))
    assert (alarm.action, alarm.deadline_h) == ("action.plan", 672.0)
    assert "équilibrer le rotor" in to_do_line(alarm, Catalogue("fr"))


HOUR_NS = 3600 * 10**9


def test_a_remaining_life_leaves_less_than_the_rule_and_the_rule_stands_behind_it() -> None:
    first = replace(velocity(1, 5.0), found=RING, deadline_h=672.0, severity=3)
    alarms, _ = step(Alarms(), [first])
    short = replace(velocity(2, 5.0), deadline_h=672.0, severity=3, lasting=Lasting(2 * BLOCK_NS, 3.0))
    alarm = step(alarms, [short])[0].get(KEY)
    assert (alarm.deadline_h, alarm.due_ns) == (3.0, 2 * BLOCK_NS + 3 * HOUR_NS)
    assert (alarm.action, alarm.severity, alarm.asked_h) == ("action.plan", 3, 672.0)
    assert to_do_line(alarm, Catalogue("fr")).startswith("À planifier sous 3\u00a0h\u00a0: commander")
    assert Alarm.from_json(alarm.to_json()) == alarm
    long = replace(velocity(3, 5.0), deadline_h=672.0, severity=3, lasting=Lasting(3 * BLOCK_NS, 900.0))
    alarm = step(step(alarms, [short])[0], [long])[0].get(KEY)
    assert (alarm.deadline_h, alarm.due_ns) == (672.0, BLOCK_NS + 672 * HOUR_NS)


@pytest.mark.parametrize("found", [Finding(1), replace(RING, fault="unidentified", task="unidentified")])
def test_what_has_no_name_asks_for_a_closer_look_and_for_no_parts(found: Finding) -> None:
    alarm, *_ = blocks((5.0, found))
    said = to_do_line(alarm, Catalogue("fr"))
    assert said == "À planifier sous 4 semaines\u00a0: faire analyser la machine au collecteur."


def test_a_new_raise_begins_without_what_the_last_had_found() -> None:
    gone = [(1.0, None)] * 6
    alarm, *_ = blocks((5.0, RING), *gone)
    assert alarm.fault == "outer_ring"  # it is what had returned
    alarm, seen, _ = blocks((5.0, RING), *gone, (5.0, None))
    assert (alarm.found, seen) == (None, ["raised", "returned", "raised"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_tells_fault_and_refusal(lang: str) -> None:
    words = Catalogue(lang)
    alarm, *_ = blocks((5.0, replace(RING, at="9", also=(("inner_ring", 0.4),))))
    assert "87" in found_line(alarm, words)
    assert "9" in found_line(alarm, words)
    refused, *_ = blocks((5.0, Finding(1, reason="speed_unknown", remedy="give_speed")))
    assert words.text("refusal.speed_unknown") in found_line(refused, words)
    assert (refused.fault, refused.confidence) == ("", None)
    assert found_line(blocks((5.0, None))[0], words) == ""


def test_it_survives_a_restart_and_old_rows_stay_readable() -> None:
    alarm, *_ = blocks((5.0, replace(RING, also=(("inner_ring", 0.4),))))
    assert Alarm.from_json(alarm.to_json()) == alarm
    told = json.loads(alarm.to_json())
    for name in ("found", "confidence", "deadline_h", "said_ns", "due_ns"):
        del told[name]
    old = Alarm.from_json(json.dumps(told | {"fault": ""}))
    assert (old.found, old.due_ns, old.level) == (None, None, alarm.level)
    with pytest.raises(AlarmError):
        Alarm.from_json(json.dumps(told | {"found": {"odd": 1}}))


def test_only_the_block_that_was_examined_brings_a_finding(plant: Plant) -> None:
    knowledge = Knowledge(plant, load_limits())
    works = [work(k, waveform(T0 + k * BLOCK_NS, velocity_mm_s=7.0)) for k in (1, 2)]
    scored = Scorer(knowledge, Speeds(knowledge)).score(works)
    machine = knowledge.machine("usine", "pompe")
    assert machine is not None
    point = machine.points[0]
    one = Watched(
        ("usine", "pompe", point.id), machine, point, ("H",), ("velocity_rms_mm_s",), 6.1, 9.5, (),
        PointModel(1, ("H",), None, np.ones((1, 1))),  # type: ignore[arg-type]
    )  # fmt: skip
    found = (
        Diagnosis(Fault.UNBALANCE, 0.8, 3, point.id),
        Diagnosis(Fault.MISALIGNMENT, 0.6, 4, point.id),
    )
    examined = Examined(one, T0 + 2 * BLOCK_NS, None, found, advise_all(found, machine), 4)
    events = events_of([assess(entry, knowledge) for entry in scored], works, knowledge, [examined])
    told = [e.found for e in events if isinstance(e, Evidence) and e.key.mode is Mode.VIBRATION]
    assert told[0] is None
    assert told[1] == finding_of(examined)
    assert (told[1].fault, told[1].severity, told[1].also) == ("unbalance", 3, (("misalignment", 0.6),))
    lives = {one.place: Lasting(T0, 3.0), ("usine", "pompe", "elsewhere"): Lasting(T0, 1.0)}
    assessed = [assess(entry, knowledge) for entry in scored]
    lasting = [
        e.lasting for e in events_of(assessed, works, knowledge, lasting=lives) if isinstance(e, Evidence)
    ]
    assert Lasting(T0, 3.0) in lasting
    assert Lasting(T0, 1.0) not in lasting
    refused = replace(examined, found=Refusal("speed_unknown", "give_speed"), advice=())
    assert finding_of(refused).reason == "speed_unknown"


def test_events_of_a_part_are_keyed_by_its_mode() -> None:
    sensor = replace(KEY, mode=Mode.SENSOR)
    loud = [velocity(k, 5.0, key=sensor) for k in (1, 2, 3)]
    _, effects = step(Alarms(), [velocity(1, 5.0), *loud])
    channels = {e.transition.channel for e in effects if isinstance(e, Record)}
    assert channels == {"vibration", "sensor"}


def test_records_of_before_get_the_mode_into_the_key_of_their_alarms(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    _, effects = step(Alarms(), [velocity(1, 5.0)])
    with closing(sqlite3.connect(path)) as connection:
        for statements in record_tables._MIGRATIONS[:3]:
            for statement in statements:
                connection.execute(statement)
        record_tables._write_transitions(connection, batch_of(effects).transitions)
        connection.execute("UPDATE transition SET channel=''")
        connection.execute(f"PRAGMA application_id={record_tables.RECORDS.mark}")
        connection.execute("PRAGMA user_version=3")
        connection.commit()
    with closing(Records(path)) as records:
        (found,) = records.transitions()
    assert found.channel == "vibration"
