"""A baseline that is learned says so: an event of the point, and of the machine, with what it stands on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.alarm_desk import Desk
from ingest.baseline_events import events_of
from ingest.watch_keeping import WatchKeeper
from palier.historian.records import Records
from palier.historian.rows import Transition
from palier.historian.sqlite import SqliteHistorian
from palier.operations import Baseline, BaselineStatus
from tests.support import watched_pump as pump
from tests.support.watched_pump import POINT, PUMP, Host

NOW_NS = round((pump.T0_S + 1010 * pump.EVERY_S) * 1e9)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = Host(SqliteHistorian(tmp_path / "historian.sqlite"))
    yield one
    one.historian.close()


def test_a_machine_that_has_learned_is_told_once(host: Host, tmp_path: Path) -> None:
    for first in range(0, 1010, 101):
        now = host.watching
        step = host.commit([pump.healthy(k) for k in range(first, min(first + 101, 1010))])
        assert events_of(now, step) == ()  # progress is no news
    with closing(Records(tmp_path / "records.sqlite")) as records:
        keeper = WatchKeeper(host.watching, host.historian, records)
        desk = Desk(baselines=host.watching.baselines)
        news: list[Transition] = []
        for _ in range(200):
            desk = keeper.turn(NOW_NS, host.in_force, desk)
            news += keeper.take_news()
        point, machine = news
        assert (point.point, point.state, machine.point) == (POINT, "learned", "")
        assert (machine.state, machine.previous) == ("learned", "learning")
        told = json.loads(point.detail)
        assert (told["version"], told["blocks"]) == (1, 1010)
        assert told["days"] >= 7
        of_points = json.loads(machine.detail)["points"]
        assert of_points == {"1": None, POINT: {"blocks": told["blocks"], "days": told["days"]}}
        assert set(records.transitions()) == set(news)  # durable with the model
    # Opened again, or confirmed: told by the command that did it.
    learned = keeper.watching
    opened = Baseline(PUMP, version=2, opened_ns=NOW_NS, since_ns=NOW_NS)
    confirmed = replace(learned.baselines[PUMP], status=BaselineStatus.CONFIRMED)
    for baseline in (opened, confirmed):
        assert events_of(learned, learned.opened(baseline)) == ()
