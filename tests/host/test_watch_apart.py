"""A block that the watch fails on is left out alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import ingest.watch
from ingest.alarm_desk import Desk
from ingest.judging import Assessed
from ingest.scoring import Scored
from ingest.watch_apart import stepped
from ingest.watch_batch import Watched, Watching
from ingest.watch_keeping import WatchKeeper
from tests.support import watched_pump as pump
from tests.support.watched_pump import Host

STRANGE = "strange"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


def strange(entry: Assessed) -> Assessed:
    """A block that the patched watch breaks on."""
    return replace(entry, scored=replace(entry.scored, units=(STRANGE,)))


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = ingest.watch.columns_of

    def columns_of(entry: Scored, one: object) -> object:
        if entry.units == (STRANGE,):
            raise ZeroDivisionError("as a defect of ours would")
        return sound(entry, one)  # type: ignore[arg-type]

    monkeypatch.setattr("ingest.watch.columns_of", columns_of)


@pytest.mark.usefixtures("breaking")
def test_only_the_strange_block_is_left_out(host: Host) -> None:
    blocks = [pump.healthy(1010 + k) for k in range(9)]
    blocks[4] = strange(blocks[4])
    keeper = WatchKeeper(host.watching)
    desk = Desk(baselines=host.watching.baselines)
    with capture_logs() as said:
        keeper.step(blocks, desk)  # and the store was down: the same again
        watched = keeper.step(blocks, desk)
    assert {one["frame"] for one in said} == {blocks[4].work.text}
    keeper.keep(watched, desk)
    assert keeper.left_out == 1
    assert sorted(watched.verdicts) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert [entry.scored for entry in watched.assessed] == [entry.scored for entry in blocks]
    assert watched.assessed[4] is blocks[4]
    alone = host.watching.step([block for k, block in enumerate(blocks) if k != 4])
    assert watched.after.state.rows == alone.after.state.rows
    assert watched.states == alone.states


@given(st.sets(st.integers(0, 20)), st.integers(1, 21))
def test_all_that_fail_are_found_and_no_other(bad: set[int], n: int) -> None:
    entries = list(range(n))

    def step(some: Sequence[Assessed]) -> Watched:
        if bad.intersection(some):  # type: ignore[arg-type]
            raise ValueError("one of them")
        return Watched(None, list(some), dict.fromkeys(range(len(some))))  # type: ignore[arg-type]

    watched, failing = stepped(entries, step)  # type: ignore[arg-type]
    verdicts: Mapping[int, object] = watched.verdicts
    assert watched.assessed == entries
    assert set(failing) == bad.intersection(entries)
    assert set(verdicts) == set(entries) - bad


def test_where_no_block_is_to_blame_the_limits_stand(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Watching, assessed: Sequence[Assessed], **_: object) -> Watched:
        if len(assessed) != 1:
            raise ZeroDivisionError("of this test")
        return Watched(self, list(assessed))

    blocks = [pump.healthy(1010), pump.healthy(1011)]
    keeper = WatchKeeper(host.watching)
    monkeypatch.setattr(Watching, "step", breaks)
    with capture_logs():
        watched = keeper.step(blocks, Desk(baselines=host.watching.baselines))
    keeper.keep(watched, Desk())
    assert (watched.assessed, watched.rows, watched.states) == (blocks, (), ())
    assert keeper.left_out == 2
