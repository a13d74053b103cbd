"""What of the records cannot be read or used any more: no start ends of it, no person is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import alarm_desk
from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk
from ingest.alarms import Alarms
from ingest.watch import MODEL, MONITOR
from ingest.watch_batch import Watching, baseline_row
from ingest.watch_keeping import WatchKeeper
from ingest.watch_learning import LEARNING
from ingest.watch_parts import PointModel
from ingest.watch_restoring import KEPT, LOOKED, UNREADABLE
from models.types import State
from palier.historian.records import Records
from palier.historian.rows import BaselineRow
from palier.operations import Baseline, BaselineStatus, Command, ConfirmBaseline, Outcome, RelearnBaseline
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, PUMP, Host

NOW_NS = pump.LEARNED_NS
OF_PUMP = f"{PUMP}/{PLACE[2]}"
LATER = {"a_field_of_a_later_version": 1}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    one = Records(tmp_path / "records.sqlite")
    yield one
    one.close()


def restart(host: Host, **texts: str) -> Watching:
    """A start with other texts: key without its machine and point, and what stands there."""
    told = host.told | {(PLACE[0], OF_PUMP + key): text for key, text in texts.items()}
    return Watching.restored(pump.knowledge(), told, host.baselines.values())


def confirmed(host: Host) -> None:
    """A person confirms the baseline of the pump."""
    one = replace(host.watching.baselines[PUMP], status=BaselineStatus.CONFIRMED, by="marie", why="sound")
    host.baselines[PUMP, 1] = baseline_row(PLACE[0], one)


def model_of(watching: Watching) -> PointModel | None:
    one = watching.watch.watched(PLACE)
    assert one is not None
    return one.model


def of_other_columns(host: Host) -> str:
    model = PointModel.from_text(host.told[PLACE[0], f"{OF_PUMP}{MODEL}:1"])
    return replace(model, channels=("somewhere",)).to_text()


def test_what_is_learned_anew_is_not_said_to_be_learned_and_nobody_can_confirm_it(host: Host) -> None:
    watching = restart(host, **{f"{MODEL}:1": of_other_columns(host)})
    told = watching.mislaid(NOW_NS)
    present = told.after.baselines[PUMP]
    assert (present.status, present.version) == (BaselineStatus.LEARNING, 1)
    assert len(told.baselines) == 1
    assert not told.after.mislaid(NOW_NS).baselines  # once
    desk = Desk(baselines=told.after.baselines)
    ask = Command("c" * 16, "marie", ConfirmBaseline(PUMP, "sound"))
    assert decide(desk, ask, pump.knowledge().plant, NOW_NS).reply.reason == "still_learning"
    model = PointModel.from_text(host.told[PLACE[0], f"{OF_PUMP}{MODEL}:1"])
    again = told.after.learned(PLACE, model, NOW_NS).after
    assert again.baselines[PUMP].status is BaselineStatus.LEARNED
    host.baselines |= {(row.machine, row.version): row for row in told.baselines}
    back = restart(host).mislaid(NOW_NS)  # with the version that can read it
    assert back.after.baselines[PUMP].status is BaselineStatus.LEARNED
    assert not back.after.mislaid(NOW_NS).baselines


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (LOOKED, json.dumps(LATER)),
        (LOOKED, "["),
        (LEARNING, json.dumps(LATER)),
        (MONITOR, "9:00000000:AAAA"),
        (f"{MODEL}:1", "of a later version"),
    ],
)
def test_a_text_of_a_later_version_ends_no_start(host: Host, key: str, text: str) -> None:
    again = restart(host, **{key: text})
    assert [one.where.partition("#")[0] for one in again.strange] == ["/".join(PLACE)]
    assert again.step([pump.healthy(1010)]).verdicts


def test_a_learned_model_that_cannot_be_read_is_learned_anew_and_kept(host: Host) -> None:
    again = restart(host, **{f"{MODEL}:1": "of a later version"})
    assert model_of(again) is None
    assert again.due() == (PLACE,)
    model = model_of(host.watching)
    assert model is not None
    kept = {row.key: row.value for row in again.learned(PLACE, model, NOW_NS).states}
    assert kept[f"{OF_PUMP}{MODEL}:1{KEPT}"] == "of a later version"


@pytest.mark.parametrize("text", ["of a later version", ""])
def test_a_confirmed_baseline_that_cannot_be_used_waits_for_a_person(
    host: Host, records: Records, text: str
) -> None:
    confirmed(host)
    again = restart(host, **{f"{MODEL}:1": text or of_other_columns(host)})
    assert (again.due(), list(again.lost)) == ((), [PLACE])
    keeper = WatchKeeper(again, host.historian, records)
    desk = keeper.turn(NOW_NS, {}, Desk(baselines=again.baselines))
    assert desk.baselines[PUMP] == replace(
        again.baselines[PUMP], status=BaselineStatus.LOST, since_ns=NOW_NS, by="marie"
    )
    assert [(t.state, t.previous) for t in keeper.take_news()] == [("lost", "confirmed")]
    assert [Baseline.from_told(json.loads(row.value)).status for row in records.baselines()] == ["lost"]
    assert [t.state for t in records.transitions(0)] == ["lost"]
    for _ in range(3):
        desk = keeper.turn(NOW_NS, {}, desk)
    assert model_of(keeper.watching) is None
    refused = decide(desk, Command("1", "jean", ConfirmBaseline(PUMP)), pump.knowledge().plant, NOW_NS)
    assert refused.reply.reason == "baseline_lost"
    asked = decide(desk, Command("2", "jean", RelearnBaseline(PUMP, "new")), pump.knowledge().plant, NOW_NS)
    assert asked.reply.outcome is Outcome.DONE
    after = keeper.step([pump.healthy(1010)], asked.desk).after
    assert (after.lost, after.learning[PLACE].version) == ({}, 2)


def test_what_can_be_used_again_is_confirmed_again(host: Host, records: Records) -> None:
    confirmed(host)
    lost = restart(host, **{f"{MODEL}:1": of_other_columns(host)}).mislaid(NOW_NS)
    host.baselines[PUMP, 1] = lost.baselines[0]
    keeper = WatchKeeper(restart(host), host.historian, records)
    desk = keeper.turn(NOW_NS, {}, Desk(baselines=keeper.watching.baselines))
    assert desk.baselines[PUMP].status is BaselineStatus.CONFIRMED
    assert desk.baselines[PUMP].by == "marie"
    assert keeper.turn(NOW_NS, {}, desk) is desk


def test_a_baseline_that_cannot_be_read_is_lost_and_stays_in_the_records(
    host: Host, records: Records
) -> None:
    host.baselines[PUMP, 1] = BaselineRow(PLACE[0], PUMP, 1, json.dumps(LATER))
    again = restart(host)
    found = again.baselines[PUMP]
    assert (found.status, found.version, found.why) == (BaselineStatus.LOST, 1, UNREADABLE)
    assert model_of(again) is not None  # what was learned is there, and goes on judging
    desk = alarm_desk.restore(Alarms(), (), host.baselines.values(), ())
    assert desk.baselines == again.baselines
    keeper = WatchKeeper(again, host.historian, records)
    assert keeper.turn(NOW_NS, {}, desk) is desk
    assert not keeper.step([pump.healthy(1010)], desk).baselines
    assert not records.baselines()


def test_without_limits_a_lost_baseline_is_unknown_and_says_so(host: Host) -> None:
    confirmed(host)
    again = restart(host, **{f"{MODEL}:1": "of a later version"})
    entry = pump.healthy(1010)
    unjudged = replace(entry, said=replace(entry.said, state=State.LEARNING, judged=None))
    said = again.step([unjudged]).assessed[0].said
    assert (said.state, said.reason, said.remedy) == (State.UNKNOWN, "baseline_lost", "relearn_baseline")
    assert again.step([entry]).assessed[0].said == entry.said


def test_an_intervention_that_no_batch_followed_is_heard_after_a_restart(host: Host) -> None:
    step = host.watching.step([pump.healthy(1010)], intervened={PUMP: NOW_NS})
    host.keep(step)
    assert restart(host).intervened == {PUMP: NOW_NS}
    later = restart(host).step([], intervened={PUMP: NOW_NS + 1})
    assert later.after.intervened == {PUMP: NOW_NS + 1}
    changed = {row.key.partition("#")[0] for row in later.states}
    assert changed == {OF_PUMP, f"{PUMP}/1", PUMP}


def test_what_a_repair_did_to_the_health_of_other_points_outlasts_a_restart(host: Host) -> None:
    host.keep(host.watching.step([pump.healthy(1010)], intervened={PUMP: NOW_NS}))
    again = pump.restarted(host)
    assert again.state.rows == host.watching.state.rows
