"""Baselines of a past that came late: the same law as for blocks that are counted live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ingest.history_learning import QUIET_S, REST, HistoryLearning
from ingest.judging import Assessed
from ingest.watch_batch import Watching
from ingest.watch_parts import PointModel
from palier.historian.base import Unavailable
from palier.historian.records import Records
from palier.historian.rows import InterventionRow, RecordsBatch
from palier.historian.sqlite import SqliteHistorian
from palier.operations import Baseline, BaselineStatus
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, PUMP, Host

BLOCKS = 1010
NOW_NS = round((pump.T0_S + BLOCKS * pump.EVERY_S) * 1e9)


@cache
def past() -> tuple[bytes, tuple[Assessed, ...]]:
    """The file of a historian that holds a past, and its blocks, newest first as a backlog comes."""
    blocks = tuple(late(pump.healthy(k)) for k in reversed(range(BLOCKS)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "historian.sqlite"
        host = Host(SqliteHistorian(path))
        for first in range(0, BLOCKS, 101):
            host.commit(blocks[first : first + 101])
        host.historian.close()
        return path.read_bytes(), blocks


def late(entry: Assessed) -> Assessed:
    """The block as one that came late."""
    work = replace(entry.work, live=False)
    return replace(entry, scored=replace(entry.scored, work=work))


class Lab:
    """An ingest with a historian and records, and a clock of its own."""

    def __init__(self, folder: Path, *, empty: bool = False) -> None:
        path = folder / "historian.sqlite"
        if not empty:
            path.write_bytes(past()[0])
        self.host = Host(SqliteHistorian(path))
        self.records = Records(folder / "records.sqlite")
        self.seconds = 0.0
        self.learning = HistoryLearning(lambda: self.seconds)

    def store(self, blocks: Sequence[Assessed]) -> None:
        """Blocks that came late are stored, and some seconds go by."""
        self.learning.stored(self.host.commit(blocks).assessed)
        self.seconds += QUIET_S

    def turns(self, n: int = 40) -> Watching:
        """So many turns between commits; what they learned is in force."""
        for _ in range(n):
            found = self.learning.turn(self.host.historian, self.records, self.host.watching, NOW_NS)
            if found is not None:
                self.host.keep(found)
        return self.host.watching


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    one = Lab(tmp_path)
    yield one
    one.host.historian.close()
    one.records.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Lab]:
    one = Lab(tmp_path, empty=True)
    yield one
    one.host.historian.close()
    one.records.close()


def model_of(watching: Watching) -> PointModel | None:
    one = watching.watch.watched(PLACE)
    assert one is not None
    return one.model


def test_a_past_that_is_there_at_the_start_is_learned_from_and_nothing_advances(lab: Lab) -> None:
    watching = lab.turns()
    assert model_of(watching) is not None
    assert watching.baselines[PUMP].status is BaselineStatus.LEARNED  # a person confirms
    assert not watching.learning
    assert not lab.host.in_force
    again = Watching.restored(pump.knowledge(), lab.records.states(), lab.records.baselines())
    assert model_of(again) is not None


def test_the_model_is_that_of_blocks_that_were_counted_live(lab: Lab, tmp_path: Path) -> None:
    mine = model_of(lab.turns())
    (tmp_path / "live").mkdir()
    live = pump.gathered_host(tmp_path / "live")
    theirs = live.fit(NOW_NS)
    live.historian.close()
    assert mine is not None
    assert isinstance(theirs, PointModel)
    assert mine.to_text() == theirs.to_text()


def test_a_backlog_is_learned_from_when_what_was_missing_has_come_and_it_is_quiet(empty: Lab) -> None:
    blocks = past()[1]
    empty.store(blocks[:900])
    assert model_of(empty.turns()) is None
    empty.store(blocks[900:990])
    assert model_of(empty.turns()) is None
    empty.store(blocks[990:])
    empty.seconds -= 1
    assert model_of(empty.turns()) is None
    empty.seconds += 1
    assert model_of(empty.turns()) is not None


def test_blocks_in_zone_c_and_d_do_not_count(lab: Lab) -> None:
    lab.store([late(loud(k)) for k in range(0, BLOCKS, 50)])  # in the place of healthy ones
    assert model_of(lab.turns()) is None


def test_nothing_from_before_an_intervention_counts(lab: Lab) -> None:
    done_ns = round((pump.T0_S + 20 * pump.EVERY_S) * 1e9)
    row = InterventionRow("c1", PLACE[0], PUMP, "", "bearing_changed", done_ns, done_ns, "u", "")
    lab.records.commit(RecordsBatch(interventions=(row,)))
    assert model_of(lab.turns()) is None


def test_a_store_that_is_down_is_the_callers_to_wait_for(lab: Lab) -> None:
    class Down:
        def read(self, *_: object, **__: object) -> None:
            raise Unavailable("not there in this test")

    points = len(lab.host.watching.watch.of_machine(*PLACE[:2]))
    for _ in range(points + 1):  # each point that is looked at is told of, and begins anew
        with pytest.raises(Unavailable):
            lab.learning.turn(Down(), lab.records, lab.host.watching, NOW_NS)  # type: ignore[arg-type]
    assert model_of(lab.turns()) is not None


def test_records_that_are_down_lose_no_fit(lab: Lab) -> None:
    class Down:
        interventions = lab.records.interventions
        asked = False

        def commit(self, batch: RecordsBatch) -> None:
            self.asked = True
            raise Unavailable("not there in this test")

    lab.learning.monotonic_s = lambda: 0.0  # all days in one turn
    down = Down()
    for _ in lab.host.watching.watch.of_machine(*PLACE[:2]):
        with suppress(Unavailable):
            lab.learning.turn(lab.host.historian, down, lab.host.watching, NOW_NS)
    assert down.asked
    assert model_of(lab.turns()) is not None


def test_a_lost_baseline_waits_for_a_person(lab: Lab) -> None:
    lab.host.watching = replace(lab.host.watching, lost={PLACE: "baseline_of_other_columns"})
    assert model_of(lab.turns()) is None
    lab.store(past()[1])  # and no backlog asks for it either
    assert model_of(lab.turns()) is None


def test_a_point_that_is_new_to_a_machine_is_read_for_its_version_over_several_turns(lab: Lab) -> None:
    baseline = Baseline(PUMP, version=2)
    lab.host.watching = replace(lab.host.watching, baselines={PUMP: baseline})
    ticks = count()
    lab.learning.monotonic_s = lambda: next(ticks) / 200  # some readings a turn
    model = model_of(lab.turns(4000))
    assert model is not None
    assert model.version == 2


def test_between_two_turns_the_frames_come_first(lab: Lab) -> None:
    read = asked(lab)
    lab.learning.monotonic_s = lambda: lab.seconds + len(read)  # a reading takes a second
    lab.turns(10)
    one_turn = len(read)
    assert 0 < one_turn < 10
    lab.seconds += REST * one_turn
    lab.turns(10)
    assert one_turn < len(read) < 10


def test_a_past_of_a_few_days_is_not_read(empty: Lab) -> None:
    empty.host.commit(past()[1][:400])
    read = asked(empty)
    assert model_of(empty.turns()) is None
    assert {ask["newest"] for ask in read} == {1}


def asked(lab: Lab) -> list[dict[str, Any]]:
    """What is read of the historian from now on."""
    read: list[dict[str, Any]] = []
    real = lab.host.historian.read

    def reading(measurement: str, fields: Sequence[str], **about: Any) -> Any:
        read.append({"newest": None, **about})
        return real(measurement, fields, **about)

    lab.host.historian.read = reading  # type: ignore[method-assign]
    return read


def loud(k: int) -> Assessed:
    """A block above the standard's alert."""
    entry = pump.healthy(k).scored
    again = pump.at(replace(entry, features=entry.features * 4), k)
    assert again.zones[0] in ("C", "D")
    return again
