"""What people ask of the alarms: decided once, recorded, refused with a reason, or in conflict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from ingest.alarm_commands import FUTURE_NS, OLDEST_NS, decide
from ingest.alarm_desk import Decision, Desk, DeskEffect, Write, restore
from ingest.alarm_records import announcements, batch_of, together
from ingest.alarms import Alarms, Record, step
from models.diagnosis.types import Fault
from palier.alarms import Alarm, Life, What
from palier.historian.rows import AlarmRow, CommandRow, RecordsBatch, Transition
from palier.local_time import zone_of
from palier.operations import (
    Acknowledge,
    Ask,
    Baseline,
    BaselineStatus,
    CauseCode,
    ConfirmBaseline,
    Found,
    GiveVerdict,
    Intervene,
    InterventionKind,
    Outcome,
    PutBack,
    RelearnBaseline,
    Shelve,
    TakeOut,
    Unshelve,
    shift_end_ns,
)
from tests.support.alarms import BLOCK_NS, KEY, MACHINE, PLANT, POINT, SITE, alarm_of, ask, command, velocity

NOW_NS = 1_780_000_000 * 10**9
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
ID = KEY.id
ALERT, DANGER, CALM = 5.0, 8.0, 1.0


def desk(*values: float, **others: object) -> Desk:
    alarms, _ = step(Alarms(), [velocity(k, v) for k, v in enumerate(values, start=1)])
    return replace(Desk(alarms), **others)


def events(effects: Iterable[DeskEffect]) -> list[Transition]:
    return [e.transition for e in effects if isinstance(e, Record)]


def done(before: Desk, what: Ask, now_ns: int = NOW_NS) -> Desk:
    decision = ask(before, what, now_ns)
    assert decision.reply.outcome is Outcome.DONE, decision.reply
    return decision.desk


def refused(before: Desk, what: Ask, now_ns: int = NOW_NS) -> str:
    decision = ask(before, what, now_ns)
    assert decision.reply.outcome is Outcome.REFUSED
    assert decision.desk.alarms is before.alarms
    assert not events(decision.effects)
    return decision.reply.reason


def test_an_acknowledgement_is_recorded_and_answered() -> None:
    decision = ask(desk(ALERT), Acknowledge(ID, "vu"), NOW_NS, version=1)
    alarm = alarm_of(decision.desk)
    assert (alarm.life, alarm.by, alarm.comment, alarm.version) == (Life.ACKNOWLEDGED, "h.alami", "vu", 2)
    assert (decision.reply.outcome, decision.reply.version) == (Outcome.DONE, 2)
    assert decision.reply.present is not None
    assert decision.reply.present["state"] == "acknowledged"
    (event,) = events(decision.effects)
    told = json.loads(event.detail)
    assert (event.ts_ns, told["what"], told["who"], told["why"]) == (NOW_NS, "acknowledged", "h.alami", "vu")


@pytest.mark.parametrize(
    ("values", "what", "reason"),
    [
        ((), Acknowledge(ID), "no_such_alarm"),
        ((ALERT,), Acknowledge(f"{MACHINE}/{POINT}/bearing"), "no_such_alarm"),
        ((DANGER,), Shelve(ID, "essai", 3600), "acknowledge_first"),
        ((DANGER,), TakeOut(ID, "travaux"), "acknowledge_first"),
        ((DANGER, *[CALM] * 6), Shelve(ID, "essai", 3600), "acknowledge_first"),
        ((ALERT,), Unshelve(ID), "not_shelved"),
        ((ALERT,), PutBack(ID), "not_out"),
        ((), TakeOut("nobody/1/vibration", "travaux"), "no_such_alarm"),
        ((), GiveVerdict(ID, Found.CONFIRMED), "no_such_alarm"),
        ((), Intervene("nobody", InterventionKind.GREASING), "unknown_machine"),
        ((), Intervene(MACHINE, InterventionKind.GREASING, point="77"), "unknown_point"),
        ((), Intervene(MACHINE, InterventionKind.OTHER, NOW_NS + FUTURE_NS + 1), "in_future"),
        ((), Intervene(MACHINE, InterventionKind.OTHER, NOW_NS - OLDEST_NS - 1), "too_long_ago"),
        ((), ConfirmBaseline(MACHINE), "no_baseline"),
        ((), RelearnBaseline(MACHINE, "roulement neuf"), "no_baseline"),
    ],
)
def test_what_can_not_be_done_is_refused_with_its_reason(
    values: tuple[float, ...], what: Ask, reason: str
) -> None:
    assert refused(desk(*values), what) == reason


def test_what_is_done_already_is_refused() -> None:
    seen = done(desk(ALERT), Acknowledge(ID))
    assert refused(seen, Acknowledge(ID)) == "nothing_to_acknowledge"
    out = done(seen, TakeOut(ID, "travaux"))
    assert refused(out, TakeOut(ID, "travaux")) == "already_out"
    assert refused(out, Shelve(ID, "essai")) == "not_open"


def test_sent_again_a_command_gets_the_same_reply_and_does_nothing() -> None:
    first = command(Acknowledge(ID, "vu"), version=1)
    once = decide(desk(ALERT), first, PLANT, NOW_NS)
    again = decide(once.desk, first, PLANT, NOW_NS + HOUR_NS)
    assert (again.reply, again.desk, again.effects) == (once.reply, once.desk, ())
    other = decide(once.desk, replace(first, user="somebody"), PLANT, NOW_NS)
    assert (other.reply.outcome, other.reply.reason, other.effects) == (Outcome.REFUSED, "id_used", ())


def test_a_refusal_is_remembered_too() -> None:
    first = command(Acknowledge(ID))
    once = decide(desk(), first, PLANT, NOW_NS)
    alarms, _ = step(Alarms(), [velocity(1, ALERT)])
    again = decide(replace(once.desk, alarms=alarms), first, PLANT, NOW_NS)
    assert again.reply == once.reply


def test_who_looked_at_an_older_version_is_told_what_is_now() -> None:
    before = desk(ALERT, DANGER)
    decision = ask(before, Acknowledge(ID), NOW_NS, version=1)
    assert (decision.reply.outcome, decision.reply.reason, decision.reply.version) == (
        Outcome.CONFLICT,
        "changed",
        2,
    )
    assert decision.reply.present is not None
    assert decision.reply.present["level"] == "danger"
    assert decision.desk.alarms is before.alarms


def test_a_shelf_lasts_as_long_as_was_asked_and_is_left_early() -> None:
    shelf = done(desk(ALERT), Shelve(ID, "essai de charge", 4 * 3600))
    alarm = alarm_of(shelf)
    assert alarm.shelf is not None
    assert (alarm.life, alarm.shelf.until_ns, alarm.shelf.why) == (
        Life.SHELVED,
        NOW_NS + 4 * HOUR_NS,
        "essai de charge",
    )
    assert alarm_of(done(shelf, Unshelve(ID))).life is Life.UNACKNOWLEDGED


@pytest.mark.parametrize(
    ("hour", "ends"), [(3, (14, 6)), (6, (14, 14)), (13, (14, 14)), (14, (14, 22)), (23, (15, 6))]
)
def test_without_a_length_a_shelf_lasts_to_the_end_of_the_shift(hour: int, ends: tuple[int, int]) -> None:
    zone = zone_of("Africa/Casablanca")
    now_ns = int(datetime(2026, 7, 14, hour, 0, tzinfo=zone).timestamp()) * 10**9
    day, end_hour = ends
    expected = int(datetime(2026, 7, day, end_hour, tzinfo=zone).timestamp()) * 10**9
    assert shift_end_ns(now_ns, "Africa/Casablanca") == expected


def test_every_shift_ends_within_nine_hours_even_when_clocks_change() -> None:
    start = int(datetime(2026, 2, 14, tzinfo=zone_of("Africa/Casablanca")).timestamp())
    for zone in ("Africa/Casablanca", "Europe/Paris"):  # Ramadan begins, and summer time
        times = [(start + 1800 * k) * 10**9 for k in range(3000)]
        lasts = [shift_end_ns(now_ns, zone) - now_ns for now_ns in times]
        assert 0 < min(lasts) <= max(lasts) <= 9 * HOUR_NS


def test_a_shelf_to_the_end_of_the_longest_shift_lasts_eight_hours() -> None:
    zone = zone_of(PLANT.timezone)
    for minutes in range(0, 24 * 60, 30):
        now_ns = int(datetime(2026, 2, 15, tzinfo=zone).timestamp() + 60 * minutes) * 10**9
        shelf = alarm_of(done(desk(ALERT), Shelve(ID, "essai"), now_ns)).shelf
        assert shelf is not None
        assert 0 < shelf.until_ns - now_ns <= 8 * HOUR_NS


def test_out_of_service_an_alarm_is_hidden_until_it_is_put_back() -> None:
    out = done(done(desk(ALERT), Acknowledge(ID)), TakeOut(ID, "démontage"))
    alarms, effects = step(out.alarms, [velocity(9, DANGER)])
    assert alarms.get(KEY).life is Life.OUT_OF_SERVICE
    assert not announcements(effects)
    decision = ask(replace(out, alarms=alarms), PutBack(ID), NOW_NS)
    assert alarm_of(decision.desk).life is Life.UNACKNOWLEDGED
    assert [told.what for told in announcements(decision.effects)] == [What.RAISED]


def test_an_alert_that_the_work_itself_caused_is_gone_with_it_a_danger_is_not() -> None:
    for value, life in ((ALERT, Life.NORMAL), (DANGER, Life.UNACKNOWLEDGED)):
        out = done(desk(), TakeOut(ID, "démontage"))
        alarms, _ = step(out.alarms, [velocity(1, value), *(velocity(k, CALM) for k in range(2, 9))])
        assert alarm_of(done(replace(out, alarms=alarms), PutBack(ID))).life is life


def test_a_part_that_never_alarmed_can_be_taken_out_of_service() -> None:
    out = done(desk(), TakeOut(ID, "essais"))
    assert alarm_of(out).life is Life.OUT_OF_SERVICE


def test_an_intervention_is_a_row_an_event_and_a_reason_to_learn_anew() -> None:
    what = Intervene(
        MACHINE,
        InterventionKind.BEARING_CHANGED,
        NOW_NS - HOUR_NS,
        POINT,
        "22220 remplacé",
        CauseCode.ABRASIVE_WEAR,
    )
    decision = ask(desk(), what, NOW_NS)
    batch = batch_of(decision.effects)
    (row,) = batch.interventions
    assert (row.kind, row.at_ns, row.recorded_ns, row.cause) == (
        "bearing_changed",
        NOW_NS - HOUR_NS,
        NOW_NS,
        "5.2.2",
    )
    (event,) = batch.transitions
    assert (event.kind, event.state, event.ts_ns, event.point) == (
        "intervention",
        "bearing_changed",
        NOW_NS - HOUR_NS,
        POINT,
    )
    assert decision.desk.intervened == {MACHINE: NOW_NS - HOUR_NS}


def test_a_baseline_is_confirmed_once_it_is_learned() -> None:
    learning = Baseline(MACHINE, opened_ns=NOW_NS - DAY_NS)
    assert refused(desk(baselines={MACHINE: learning}), ConfirmBaseline(MACHINE)) == "still_learning"
    learned = replace(learning, status=BaselineStatus.LEARNED)
    decision = ask(desk(baselines={MACHINE: learned}), ConfirmBaseline(MACHINE, "propre"), NOW_NS, version=1)
    now = decision.desk.baselines[MACHINE]
    assert (now.status, now.by, now.version) == (BaselineStatus.CONFIRMED, "h.alami", 1)
    assert refused(decision.desk, ConfirmBaseline(MACHINE)) == "already_confirmed"
    (row,) = batch_of(decision.effects).baselines
    assert Baseline.from_told(json.loads(row.value)) == now


def test_a_baseline_is_learned_anew_only_after_an_intervention() -> None:
    baseline = Baseline(MACHINE, status=BaselineStatus.CONFIRMED, opened_ns=NOW_NS - 30 * DAY_NS)
    before = desk(baselines={MACHINE: baseline})
    relearn = RelearnBaseline(MACHINE, "roulement neuf")
    assert refused(before, relearn) == "no_intervention"
    long_ago = Intervene(MACHINE, InterventionKind.GREASING, NOW_NS - 40 * DAY_NS)
    assert refused(done(before, long_ago), relearn) == "no_intervention"
    after = done(before, Intervene(MACHINE, InterventionKind.BEARING_CHANGED))
    again = done(after, relearn, NOW_NS + 1)
    assert again.baselines[MACHINE].version == 2
    assert again.baselines[MACHINE].status is BaselineStatus.LEARNING
    assert refused(again, relearn, NOW_NS + 2) == "no_intervention"
    assert ask(again, relearn, NOW_NS + 2, version=1).reply.outcome is Outcome.CONFLICT


def test_a_verdict_keeps_what_the_alarm_said_when_it_was_given() -> None:
    what = GiveVerdict(ID, Found.OTHER_CAUSE, Fault.UNBALANCE, text="dépôt sur la roue")
    decision = ask(desk(ALERT), what, NOW_NS)
    (row,) = batch_of(decision.effects).verdicts
    assert (row.alarm, row.raised_ns, row.verdict, row.found) == (ID, BLOCK_NS, "other_cause", "unbalance")


def test_the_desk_comes_back_from_what_it_wrote() -> None:
    baseline = Baseline(MACHINE, status=BaselineStatus.LEARNED, opened_ns=NOW_NS - DAY_NS)
    state = desk(ALERT, baselines={MACHINE: baseline})
    decisions: list[Decision] = []
    asks: tuple[Ask, ...] = (
        Acknowledge(ID),
        ConfirmBaseline(MACHINE),
        Intervene(MACHINE, InterventionKind.BALANCING),
        RelearnBaseline(MACHINE, "roue neuve"),
    )
    for what in asks:
        decisions.append(ask(state, what, NOW_NS))
        state = decisions[-1].desk
    batch = together(*(batch_of(d.effects) for d in decisions))
    assert [row.version for row in batch.baselines] == [1, 2]
    alarms = Alarms({a.key: a for a in (Alarm.from_json(row.value) for row in batch.alarms)})
    assert restore(alarms, batch.interventions, batch.baselines, batch.commands) == state


def test_the_memory_of_replies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.alarm_commands.MAX_COMMANDS", 3)
    state = desk()
    for _ in range(5):
        state = ask(state, Acknowledge(ID), NOW_NS).desk
    assert len(state.answered) == 3


def test_a_batch_holds_the_rows_of_all_effects() -> None:
    decision = ask(desk(ALERT), Acknowledge(ID), NOW_NS)
    batch = batch_of(decision.effects)
    assert isinstance(batch, RecordsBatch)
    assert [type(row) for row in (*batch.alarms, *batch.commands)] == [AlarmRow, CommandRow]
    assert sum(isinstance(effect, Write) for effect in decision.effects) == 1
    assert batch.alarms[0].site == SITE
