"""What is read between two commits, and what people's decisions do to the watch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ingest.alarm_desk import Desk
from ingest.stores import open_stores
from ingest.watch_batch import Watching, baseline_row
from ingest.watch_keeping import WatchKeeper, last_blocks
from ingest.watch_learning import Gathering, reopened
from ingest.watch_memory import health_of
from ingest.watch_parts import Place
from models.advice import Lasting
from palier.historian.base import Table, Unavailable
from palier.historian.records import Records
from palier.historian.rows import InterventionRow, RecordsBatch
from palier.historian.sqlite import SqliteHistorian
from palier.operations import Baseline, BaselineStatus
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, PUMP, Host

NOW_NS = pump.LEARNED_NS
HOUR_NS = 3_600 * 10**9


class Down:
    """A historian that can't be read."""

    def read(self, *_: object, **__: object) -> Table:
        raise Unavailable("not there in this test")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    one = Records(tmp_path / "records.sqlite")
    yield one
    one.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = Host(SqliteHistorian(tmp_path / "historian.sqlite"))
    yield one
    one.historian.close()


@pytest.fixture
def gathered(tmp_path: Path) -> Iterator[Host]:
    """A host that is about to learn the pump."""
    one = pump.gathered_host(tmp_path)
    yield one
    one.historian.close()


def model_of(watching: Watching) -> object:
    one = watching.watch.watched(PLACE)
    assert one is not None
    return one.model


def rising_of(watching: Watching) -> npt.NDArray[np.intp]:
    """Blocks that the health of the pump's modes may still rise in."""
    (group,) = [g for g in watching.watch.groups if any(one.place == PLACE for one in g.points)]
    return health_of(group.layout.arrays([watching.state.rows[PLACE]])).rising


def test_a_point_is_learned_an_hour_a_turn_and_is_learned_after_a_restart(
    gathered: Host, records: Records
) -> None:
    keeper, desk = (
        WatchKeeper(gathered.watching, gathered.historian, records),
        Desk(baselines=gathered.watching.baselines),
    )
    turns = 0
    while model_of(keeper.watching) is None:
        desk, turns = keeper.turn(NOW_NS, gathered.in_force, desk), turns + 1
    assert 168 < turns < 172
    assert desk.baselines[PUMP].status is BaselineStatus.LEARNED
    again = Watching.restored(pump.knowledge(), records.states(), records.baselines())
    assert model_of(again) is not None
    assert again.baselines == desk.baselines


def test_a_store_that_is_down_postpones_it(gathered: Host, records: Records) -> None:
    keeper, desk = WatchKeeper(gathered.watching, Down(), records), Desk()  # type: ignore[arg-type]
    assert keeper.turn(NOW_NS, {}, desk) is desk
    assert model_of(keeper.watching) is None
    assert keeper.watching is gathered.watching


def test_nothing_is_read_where_nothing_is_due(host: Host, records: Records) -> None:
    keeper = WatchKeeper(host.watching, Down(), records)  # type: ignore[arg-type]
    keeper.turn(NOW_NS, {}, Desk())
    assert keeper.turn(NOW_NS + 1, {}, Desk()) == Desk()


def test_an_abnormal_point_is_asked_how_long_it_has_every_six_hours(host: Host, records: Records) -> None:
    sick = pump.sound()[0]
    host.commit([pump.at(replace(sick, features=sick.features * 4), 0)])
    keeper = WatchKeeper(host.watching, host.historian, records)
    for hours in (0, 1, 5, 6, 7):
        keeper.turn(NOW_NS + hours * HOUR_NS, host.in_force, Desk())
    told = host.historian.read("life", ["method", "reason"], site=PLACE[0], machine=PUMP)
    assert ((told.ts_ns - NOW_NS) // HOUR_NS).tolist() == [0, 6]
    assert told.columns["reason"] == ("too_few_points",) * 2


def test_what_grew_is_forgotten_where_a_point_is_no_longer_abnormal(host: Host, records: Records) -> None:
    growing = host.watching.grows(PLACE, {"H/kurtosis": 3.0}).lasts(PLACE, Lasting(NOW_NS, 3.0))
    keeper = WatchKeeper(growing, host.historian, records)
    host.commit([pump.healthy(0)])
    keeper.turn(NOW_NS, host.in_force, Desk())
    assert PLACE not in keeper.watching.doubling_days
    assert PLACE not in keeper.watching.lasting


def test_a_life_that_can_no_longer_be_told_sets_no_deadline(host: Host, records: Records) -> None:
    sick = pump.sound()[0]
    host.commit([pump.at(replace(sick, features=sick.features * 4), 0)])
    keeper = WatchKeeper(host.watching.lasts(PLACE, Lasting(0, 3.0)), host.historian, records)
    keeper.turn(NOW_NS, host.in_force, Desk())
    assert PLACE not in keeper.watching.lasting


def test_what_people_decide_is_taken_over_with_the_next_batch(tmp_path: Path, records: Records) -> None:
    host = pump.learned_host(tmp_path)
    keeper = WatchKeeper(host.watching, host.historian, records)
    opened = Baseline(PUMP, version=2, opened_ns=NOW_NS, since_ns=NOW_NS)
    desk = Desk(baselines={PUMP: opened}, intervened={PUMP: NOW_NS})
    step = keeper.step([pump.healthy(1010)], desk)
    assert model_of(keeper.watching) is not None  # not durable yet
    desk = keeper.keep(step, desk)
    assert model_of(keeper.watching) is None
    assert keeper.watching.learning[PLACE].version == 2
    assert any(row.key.endswith("#learning") for row in step.states)
    assert not keeper.step([pump.healthy(1011)], desk).after.learning[PLACE].blocks
    host.historian.close()


def test_after_an_intervention_health_may_rise_once(tmp_path: Path, records: Records) -> None:
    host = pump.learned_host(tmp_path)
    keeper = WatchKeeper(host.watching, host.historian, records)
    desk = Desk(baselines=host.watching.baselines, intervened={PUMP: NOW_NS})
    step = keeper.step([pump.healthy(1010)], desk)
    rising = rising_of(step.after)
    keeper.keep(step, desk)
    after = rising_of(keeper.step([pump.healthy(1011)], desk).after)
    assert (after < rising).any()
    host.historian.close()


def test_interventions_are_left_out_of_what_is_learned(gathered: Host, records: Records) -> None:
    done_ns = round((pump.T0_S + 86_400) * 1e9)
    row = InterventionRow("c1", PLACE[0], PUMP, "", "greasing", done_ns, done_ns, "u", "")
    records.commit(RecordsBatch(interventions=(row,)))
    keeper, desk = (
        WatchKeeper(gathered.watching, gathered.historian, records),
        Desk(baselines=gathered.watching.baselines),
    )
    for _ in range(172):
        desk = keeper.turn(NOW_NS, gathered.in_force, desk)
    assert model_of(keeper.watching) is None
    assert keeper.watching.learning[PLACE].refused == "baseline_too_short"
    assert keeper.watching.due() == ()


def test_the_last_blocks_are_read_for_a_start(host: Host) -> None:
    host.commit([pump.healthy(k) for k in range(9)])
    host.commit([pump.at(pump.sound()[0], 9, live=False)])
    rings = last_blocks(host.historian, host.watching, host.in_force)
    assert [kept.ts_ns for kept in rings[PLACE]] == [kept.ts_ns for kept in host.watching.rings[PLACE]]
    assert len(rings) == 1


def test_a_defect_that_rows_show_is_tried_again_in_an_hour(
    gathered: Host, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fail(*_: object) -> None:
        asked.append(_)
        raise ValueError("as a defect of a model would")

    monkeypatch.setattr("ingest.watch_learning.Gathering.add", fail)
    keeper = WatchKeeper(gathered.watching, gathered.historian, records)
    for hours in (0.0, 0.1, 0.9, 1.1):
        keeper.turn(NOW_NS + round(hours * HOUR_NS), gathered.in_force, Desk())
    assert len(asked) == 2


def test_a_defect_of_the_watch_leaves_what_the_limits_say(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of this test")

    blocks = [pump.healthy(0)]
    keeper = WatchKeeper(host.watching)
    monkeypatch.setattr(Watching, "step", breaks)
    watched = keeper.step(blocks, Desk())
    assert (watched.assessed, watched.rows, watched.states) == (blocks, (), ())
    assert watched.after is host.watching


def test_a_baseline_opened_again_just_before_the_end_is_learned_anew(tmp_path: Path) -> None:
    host = pump.learned_host(tmp_path)
    host.historian.close()
    opened = Baseline(PUMP, version=2, opened_ns=NOW_NS, since_ns=NOW_NS)
    rows = (*host.baselines.values(), baseline_row(PLACE[0], opened))
    again = Watching.restored(pump.knowledge(), host.told, rows)
    assert model_of(again) is None
    assert again.learning[PLACE] == reopened(opened, ())
    assert again.due() == ()
    fresh = again.watch.start()
    assert again.watch.texts(again.state, [PLACE]) == again.watch.texts(fresh, [PLACE])


def test_a_point_new_to_the_plant_learns_for_the_version_of_its_machine() -> None:
    opened = Baseline(PUMP, version=2, opened_ns=0, since_ns=0)
    again = Watching.restored(pump.knowledge(), {}, (baseline_row(PLACE[0], opened),))
    assert again.step([pump.healthy(0)]).after.learning[PLACE].version == 2


def test_what_is_learned_between_two_commits_leaves_an_intervention_to_be_heard(
    gathered: Host, records: Records
) -> None:
    keeper = WatchKeeper(gathered.watching, gathered.historian, records)
    desk = Desk(baselines=gathered.watching.baselines, intervened={PUMP: NOW_NS})
    while model_of(keeper.watching) is None:
        desk = keeper.turn(NOW_NS, gathered.in_force, desk)
    assert keeper.step([pump.healthy(1010)], desk).after.intervened == {PUMP: NOW_NS}


def test_a_historian_that_is_down_does_not_keep_the_watch_from_starting(
    host: Host, records: Records, tmp_path: Path
) -> None:
    host.commit([pump.healthy(0)])
    with open_stores(tmp_path / "data", 10**6) as stores:
        down = replace(stores, historian=Down())  # type: ignore[arg-type]
        keeper = down.watch(pump.knowledge(), host.in_force)
    assert not keeper.watching.rings


def test_a_point_that_cannot_be_fitted_does_not_keep_the_others_waiting(
    gathered: Host, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of this test")

    keeper, tried = WatchKeeper(gathered.watching, gathered.historian, records), list[Place]()
    other = (PLACE[0], PUMP, "another")
    monkeypatch.setattr(Gathering, "add", breaks)
    monkeypatch.setattr(Watching, "due", lambda _: (PLACE, other))
    monkeypatch.setattr(type(keeper.watching.watch), "watched", lambda _, place: tried.append(place))
    keeper._failed.add(PLACE)
    keeper._begin(NOW_NS)
    assert tried == [other]
    keeper._failed.add(other)
    keeper._begin(NOW_NS)
    assert tried == [other, PLACE]
