"""The life of an alarm by evidence, standstill and time: ISA-18.2's states, block by block."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from ingest import alarms
from ingest.alarm_evidence import of_gateway, of_judgement, of_ledger, of_sensor
from ingest.alarm_life import LONGEST_SHELF_NS, OFF_DELAY, Evidence, shelve
from ingest.alarms import Alarms, Announce, Effect, Keep, Record, Running, Tick, amend, restore, step
from models.detection import sensors
from models.detection.zones import BAND_TOO_NARROW, Judgement, unknown
from models.types import State
from palier.alarm_aside import Shelf
from palier.alarms import Alarm, AlarmKey, Cause, Level, Life, Mode, Priority, What
from palier.historian.rows import AlarmRow
from tests.support.alarms import BLOCK_NS, KEY, MACHINE, POINT, SITE, velocity

CALM, ALERT, DANGER = 1.0, 5.0, 8.0
U, K, R, N = Life.UNACKNOWLEDGED, Life.ACKNOWLEDGED, Life.RETURNED, Life.NORMAL
HOUR_NS = 3600 * 10**9


def after(values: Iterable[float | str | None], state: Alarms | None = None) -> tuple[Alarms, list[Effect]]:
    """The alarms after a block each of these velocities; "ack" acknowledges between two of them."""
    state = state or Alarms()
    effects: list[Effect] = []
    block = max((a.heard_ns or 0 for a in state.known.values()), default=0) // BLOCK_NS
    for value in values:
        if isinstance(value, str):
            from ingest.alarm_life import acknowledge

            state, new = amend(state, acknowledge(state.get(KEY), block * BLOCK_NS + 1, "h.alami", "vu"))
        else:
            block += 1
            state, new = step(state, [velocity(block, value)])
        effects += new
    return state, effects


def whats(effects: Iterable[Effect]) -> list[str]:
    return [json.loads(e.transition.detail)["what"] for e in effects if isinstance(e, Record)]


def announced(effects: Iterable[Effect]) -> list[str]:
    return [e.what.value for e in effects if isinstance(e, Announce)]


GONE = [CALM] * OFF_DELAY[Mode.VIBRATION]


@pytest.mark.parametrize(
    ("values", "life", "level", "transitions"),
    [
        ([CALM, CALM], N, None, []),
        ([ALERT], U, Level.ALERT, ["raised"]),
        ([ALERT, ALERT], U, Level.ALERT, ["raised"]),
        ([ALERT, *GONE[1:]], U, Level.ALERT, ["raised"]),
        ([ALERT, *GONE], R, Level.ALERT, ["raised", "returned"]),
        ([ALERT, *GONE, "ack"], N, None, ["raised", "returned", "acknowledged"]),
        ([ALERT, *GONE, ALERT], U, Level.ALERT, ["raised", "returned", "raised"]),
        ([ALERT, "ack"], K, Level.ALERT, ["raised", "acknowledged"]),
        ([ALERT, "ack", *GONE], N, None, ["raised", "acknowledged", "returned"]),
        ([ALERT, "ack", DANGER], U, Level.DANGER, ["raised", "acknowledged", "escalated"]),
        ([ALERT, DANGER], U, Level.DANGER, ["raised", "escalated"]),
        ([DANGER], U, Level.DANGER, ["raised"]),
        ([DANGER, *GONE], U, Level.DANGER, ["raised", "returned"]),
        ([DANGER, *GONE, "ack"], N, None, ["raised", "returned", "acknowledged"]),
        ([DANGER, *[ALERT] * 6], U, Level.DANGER, ["raised", "eased"]),
        ([DANGER, *[ALERT] * 6, "ack"], K, Level.ALERT, ["raised", "eased", "acknowledged"]),
        ([DANGER, "ack", *[ALERT] * 6], K, Level.ALERT, ["raised", "acknowledged", "eased"]),
        (
            [DANGER, "ack", *[ALERT] * 6, DANGER],
            U,
            Level.DANGER,
            ["raised", "acknowledged", "eased", "escalated"],
        ),
        ([DANGER, *GONE, DANGER], U, Level.DANGER, ["raised", "returned", "raised"]),
        (
            [DANGER, "ack", CALM, CALM, CALM, ALERT, CALM, CALM],
            K,
            Level.ALERT,
            ["raised", "acknowledged", "eased"],
        ),
        ([ALERT, *[CALM, 4.4] * 10], U, Level.ALERT, ["raised"]),  # 4.4 is within the dead band of 4.5
        ([ALERT, *[4.0] * 6], R, Level.ALERT, ["raised", "returned"]),
        ([ALERT, *GONE, "ack", 4.4], N, None, ["raised", "returned", "acknowledged"]),
        ([ALERT, *GONE, 4.4], R, Level.ALERT, ["raised", "returned"]),  # what is over holds nothing
        ([None, None], N, None, []),
        ([ALERT, *[None] * 20], U, Level.ALERT, ["raised"]),  # not known is not gone
    ],
)
def test_blocks_lead_to_states(
    values: list[float | str | None], life: Life, level: Level | None, transitions: list[str]
) -> None:
    state, effects = after(values)
    alarm = state.get(KEY)
    assert (alarm.life, alarm.level) == (life, level)
    assert whats(effects) == transitions


def test_people_are_told_of_raise_escalation_and_return_only() -> None:
    _, effects = after([ALERT, "ack", DANGER, "ack", *[ALERT] * 6, *GONE])
    assert announced(effects) == ["raised", "escalated", "returned"]


def test_the_dead_band_is_two_sigma_where_that_is_more() -> None:
    state, _ = step(Alarms(), [velocity(1, ALERT)])
    for block in range(2, 9):
        state, _ = step(state, [velocity(block, 3.0, sigma=1.0)])  # above 4.5 - 2
    assert state.get(KEY).life is U


def test_an_event_tells_who_when_why_and_by_how_much() -> None:
    _, effects = after([ALERT, "ack"])
    raised, acknowledged = (e.transition for e in effects if isinstance(e, Record))
    assert (raised.kind, raised.machine, raised.point, raised.ts_ns) == ("alarm", MACHINE, POINT, BLOCK_NS)
    assert (raised.previous, raised.state) == ("normal", "unacknowledged")
    told = json.loads(raised.detail)
    assert (told["feature"], told["value"], told["limit"], told["unit"]) == (
        "velocity_rms_mm_s",
        5.0,
        4.5,
        "mm/s",
    )
    assert (told["priority"], told["action"], told["frame"]) == ("low", "action.plan", "f1")
    told = json.loads(acknowledged.detail)
    assert (told["who"], told["why"], acknowledged.state) == ("h.alami", "vu", "acknowledged")


def test_features_of_one_part_are_one_alarm_and_the_worst_leads() -> None:
    causes = (
        Cause("crest_factor", 6.0, "", 5.0, 8.0, level=Level.ALERT),
        Cause("acceleration_rms_m_s2", 9.0, "m/s²", 3.0, 6.0, level=Level.DANGER),
        Cause("kurtosis", 3.0, "", 5.0, 9.0),
    )
    state, effects = step(Alarms(), [Evidence(KEY, 1, Level.DANGER, causes, action="action.stop")])
    assert [c.feature for c in state.get(KEY).causes] == ["acceleration_rms_m_s2", "crest_factor"]
    assert whats(effects) == ["raised"]


def test_a_cause_that_can_not_be_measured_holds_the_alarm() -> None:
    state, _ = step(Alarms(), [velocity(1, ALERT)])
    silent = Cause("velocity_rms_mm_s", float("nan"), "mm/s", 4.5, 7.1)
    for block in range(2, 12):
        state, _ = step(state, [Evidence(KEY, block * BLOCK_NS, None, (silent,))])
    assert state.get(KEY).life is U


def test_what_names_no_action_is_an_event_and_nothing_more() -> None:
    state, effects = step(Alarms(), [velocity(1, ALERT, action="")])
    assert state.get(KEY).life is N
    assert not state.open
    assert announced(effects) == []
    (record,) = (e for e in effects if isinstance(e, Record))
    assert (record.transition.kind, record.transition.state) == ("observation", "alert")
    state, effects = step(state, [velocity(2, ALERT)])  # now something can be done
    assert state.get(KEY).life is U
    assert announced(effects) == ["raised"]


def test_an_event_without_action_ends_as_one() -> None:
    state, _ = step(Alarms(), [velocity(1, ALERT, action="")])
    effects: tuple[Effect, ...] = ()
    for block in range(2, 8):
        state, new = step(state, [velocity(block, CALM)])
        effects += new
    (record,) = (e for e in effects if isinstance(e, Record))
    assert (record.transition.kind, record.transition.state) == ("observation", "normal")


@pytest.mark.parametrize("value", [ALERT, DANGER])
def test_historical_frames_raise_nothing_and_end_nothing(value: float) -> None:
    assert step(Alarms(), [velocity(1, value, live=False)]) == (Alarms(), ())
    state, _ = step(Alarms(), [velocity(1, value)])
    old = [velocity(block, CALM, live=False) for block in range(2, 20)]
    assert step(state, old)[0].get(KEY) == state.get(KEY)


def test_evidence_that_was_overtaken_changes_nothing() -> None:
    state, _ = step(Alarms(), [velocity(5, ALERT)])
    assert step(state, [velocity(5, DANGER), velocity(4, DANGER)])[0] == state


def test_a_batch_advances_in_order_of_time() -> None:
    blocks = [velocity(1, ALERT), *(velocity(k, CALM) for k in range(2, 8))]
    forward, _ = step(Alarms(), blocks)
    backward, _ = step(Alarms(), reversed(blocks))
    assert forward == backward
    assert forward.get(KEY).life is R


def test_a_standstill_suppresses_and_hides_no_unacknowledged_danger() -> None:
    state, _ = after([ALERT])
    state, effects = step(state, [Running(SITE, MACHINE, False, 2 * BLOCK_NS)])
    assert (state.get(KEY).life, whats(effects)) == (Life.SUPPRESSED, ["suppressed"])
    for block in range(3, 12):  # the silence of a machine at rest proves nothing
        state, _ = step(state, [velocity(block, CALM)])
    state, effects = step(state, [Running(SITE, MACHINE, True, 12 * BLOCK_NS)])
    assert (state.get(KEY).life, whats(effects), announced(effects)) == (U, ["released"], ["raised"])
    state, _ = step(state, [velocity(13, DANGER), Running(SITE, MACHINE, False, 14 * BLOCK_NS)])
    assert state.get(KEY).life is U


def test_a_standstill_leaves_a_hot_bearing_and_a_dead_sensor_alone() -> None:
    hot = replace(KEY, mode=Mode.TEMPERATURE)
    state, _ = step(Alarms(), [velocity(1, ALERT, key=hot), Running(SITE, MACHINE, False, 2 * BLOCK_NS)])
    assert state.get(hot).life is U


def test_an_alarm_that_comes_while_the_machine_stands_is_suppressed_from_the_start() -> None:
    state, _ = step(Alarms(), [Running(SITE, MACHINE, False, 1), velocity(1, ALERT)])
    assert not state.open
    state, effects = step(state, [velocity(2, DANGER)])  # but a danger is one
    assert (state.get(KEY).life, announced(effects)) == (U, ["raised"])


def test_an_older_word_on_standing_still_is_overtaken() -> None:
    state, _ = after([ALERT])
    state, _ = step(state, [Running(SITE, MACHINE, True, 10)])
    assert step(state, [Running(SITE, MACHINE, False, 9)])[0] == state


def shelved(values: list[float | str | None], hours: int = 4) -> Alarms:
    state, _ = after(values)
    now_ns = 100 * BLOCK_NS
    return amend(state, shelve(state.get(KEY), now_ns, now_ns + hours * HOUR_NS, "h.alami", "essai"))[0]


def test_a_shelf_ends_by_itself_and_what_stands_is_announced_anew() -> None:
    state = shelved([ALERT, "ack"])
    assert step(state, [Tick(100 * BLOCK_NS + 4 * HOUR_NS - 1)])[0] is state
    state, effects = step(state, [Tick(100 * BLOCK_NS + 4 * HOUR_NS)])
    assert (state.get(KEY).life, whats(effects), announced(effects)) == (U, ["shelf_ended"], ["raised"])


@pytest.mark.parametrize(("back_ns", "life"), [(30 * 10**9, Life.SHELVED), (HOUR_NS, U)])
def test_a_clock_that_goes_back_makes_no_shelf_longer_than_a_shift(back_ns: int, life: Life) -> None:
    state = shelved([ALERT, "ack"], hours=LONGEST_SHELF_NS // HOUR_NS)
    assert step(state, [Tick(100 * BLOCK_NS - back_ns)])[0].get(KEY).life is life


def test_a_danger_comes_off_the_shelf() -> None:
    state, effects = step(shelved([ALERT, "ack"]), [velocity(200, DANGER)])
    assert (state.get(KEY).life, state.get(KEY).shelf, announced(effects)) == (U, None, ["escalated"])


def test_while_shelved_nobody_is_told() -> None:
    state, effects = shelved([ALERT, "ack"]), []
    for block in range(200, 210):
        state, new = step(state, [velocity(block, CALM)])
        effects += new
    assert (state.get(KEY).life, whats(effects), announced(effects)) == (Life.SHELVED, ["returned"], [])


def test_a_sensor_at_fault_raises_its_own_alarm_after_three_blocks() -> None:
    key = replace(KEY, mode=Mode.SENSOR)
    state, announcements = Alarms(), []
    for block in range(1, 5):
        judged = unknown(sensors.CLIPPED)
        events = [
            of_judgement(KEY, judged, block * BLOCK_NS, feature="velocity_rms_mm_s", unit="mm/s"),
            of_sensor(key, (("H", sensors.CLIPPED),), block * BLOCK_NS),
        ]
        state, effects = step(state, events)
        announcements += announced(effects)
        assert (state.get(key).life is U) == (block >= 3)
    assert announcements == ["raised"]
    assert [alarm.key for alarm in state.open] == [key]
    assert (state.get(key).action, state.get(key).priority) == ("remedy.widen_range", Priority.LOW)


def test_a_band_too_narrow_is_no_fault_of_the_sensor() -> None:
    evidence = of_sensor(replace(KEY, mode=Mode.SENSOR), (("H", BAND_TOO_NARROW),), 1)
    assert evidence.level is None


def test_a_judgement_is_evidence_with_its_limit_and_its_action() -> None:
    said = Judgement(State.DANGER, State.DANGER, severity=5, zone="D", value=8.0, limit_name="C/D", limit=7.1)
    evidence = of_judgement(KEY, said, 1, feature="velocity_rms_mm_s", unit="mm/s", criticality="A")
    state, _ = step(Alarms(), [evidence])
    alarm = state.get(KEY)
    assert (alarm.action, alarm.priority, alarm.causes[0].limit()) == ("action.stop", Priority.HIGH, 7.1)
    assert not of_judgement(KEY, Judgement(State.STOPPED), 1, feature="v", unit="").known
    assert of_judgement(KEY, Judgement(State.WATCH, severity=2), 1, feature="v", unit="").level is None


def test_a_gateway_and_its_ledger_alarm_and_return_at_once() -> None:
    gateway, ledger = (AlarmKey(SITE, "gw-1", "", mode) for mode in (Mode.GATEWAY, Mode.LEDGER))
    state, _ = step(
        Alarms(), [of_gateway(SITE, "gw-1", 1, offline=True), of_ledger(SITE, "gw-1", 1, adds_up=False)]
    )
    assert {state.get(gateway).life, state.get(ledger).life} == {U}
    state, _ = step(state, [of_ledger(SITE, "gw-1", 2, adds_up=None)])
    assert state.get(ledger).life is U
    state, _ = step(
        state, [of_gateway(SITE, "gw-1", 3, offline=False), of_ledger(SITE, "gw-1", 3, adds_up=True)]
    )
    assert {state.get(gateway).life, state.get(ledger).life} == {R}


def test_alarms_come_back_from_the_records_as_they_were() -> None:
    state, effects = after([ALERT, CALM, "ack", DANGER, None])
    kept = {e.alarm.key: e.alarm for e in effects if isinstance(e, Keep)}
    rows = [AlarmRow(a.key.site, a.key.id, a.to_json()) for a in kept.values()]
    read, strange = restore([*rows, AlarmRow(SITE, "old", "{}")])
    assert strange == (f"{SITE}/old",)
    assert replace(read.get(KEY), heard_ns=0) == replace(state.get(KEY), heard_ns=0)
    assert Alarm.from_told(json.loads(kept[KEY].to_json())) == kept[KEY]


def test_calm_blocks_of_a_healthy_part_cost_no_row() -> None:
    state, _ = after([ALERT, "ack", *GONE])
    _, effects = step(state, [velocity(100, CALM)])
    assert effects == ()
    assert step(Alarms(), [velocity(1, CALM)]) == (Alarms(), ())


def test_the_list_is_by_priority_then_by_what_waits_for_somebody_and_ends_with_what_is_put_aside() -> None:
    one = Alarm(KEY, level=Level.ALERT, standing=Level.ALERT, priority=Priority.LOW, acknowledged=False)
    danger = replace(one, level=Level.DANGER, standing=Level.DANGER, priority=Priority.HIGH)
    in_order = [
        replace(danger, raised_ns=1),
        replace(danger, raised_ns=2, acknowledged=True),
        replace(one, raised_ns=4),
        replace(one, raised_ns=3),
        replace(one, raised_ns=5, acknowledged=True),
        replace(danger, raised_ns=6, acknowledged=True, shelf=Shelf(9, "h", "known")),
    ]
    mixed = in_order[3:] + in_order[:3]
    assert sorted(mixed, key=lambda alarm: alarm.urgency) == in_order


def test_event_ids_follow_from_what_happened() -> None:
    _, once = after([ALERT, "ack", DANGER, *GONE])
    _, again = after([ALERT, "ack", DANGER, *GONE])
    ids = [e.transition.event_id for e in once if isinstance(e, Record)]
    assert ids == [e.transition.event_id for e in again if isinstance(e, Record)]
    assert len(set(ids)) == len(ids) == 4
    assert alarms.ALARM == "alarm"
    assert What.RAISED in ids[0]
