"""The byte budget of the SQLite historian, and the free space of its disk: what goes first, what stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palier.historian.base import Rows, Unavailable
from palier.historian.rows import HOUR_NS
from palier.historian.space import AGAIN, LOOK_S, Level, NotKept, Space
from palier.historian.sqlite import SqliteHistorian
from palier.historian.sqlite_expiry import LEFT_DAYS, TARGET
from palier.historian.waveforms import WaveformStore
from tests.support.stores import SITE, Columns, frame_id, readings, rows, waveform

DAY = 24 * HOUR_NS
NOW = 20_000 * DAY + HOUR_NS
DAYS = 30


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A historian with a month of readings each minute or so, spectra, events and hourly rows."""
    path = tmp_path_factory.mktemp("month") / "historian.sqlite"
    with closing(SqliteHistorian(path)) as store:
        for day in range(DAYS):
            store.write(day_of(NOW - (DAYS - 1 - day) * DAY))
    return path.read_bytes()


@pytest.fixture
def historian(month: bytes, tmp_path: Path) -> Iterator[SqliteHistorian]:
    path = tmp_path / "historian.sqlite"
    path.write_bytes(month)
    with closing(SqliteHistorian(path)) as store:
        yield store


def day_of(start_ns: int) -> list[Rows]:
    minutes = [start_ns + k * 60 * 10**9 for k in range(400)]
    lines: Columns = {
        "line": np.arange(400),
        "frequency_hz": np.arange(400.0),
        "amplitude": np.arange(400.0),
        "kind": ["velocity_mm_s"] * 400,
        "frame": ["g:e:1"] * 400,
    }
    return [
        *(readings(minutes, [1.0] * 400, machine=machine) for machine in ("pompe-1", "pompe-2")),
        rows("spectrum", [start_ns] * 400, lines),
        rows("reading_hourly", [start_ns], {"value_mean": np.ones(1), "blocks": np.full(1, 60)}),
        rows("event", [start_ns], {"event_id": ["e"], "kind": ["alarm"], "state": ["x"]}),
    ]


def days(historian: SqliteHistorian, measurement: str) -> int:
    """On how many days there are rows."""
    times = historian.read(measurement, [], site=SITE).ts_ns
    return len({int(ns) // DAY for ns in times.tolist()})


def shrink(historian: SqliteHistorian, budget: int) -> int:
    gone = 0
    while n := historian.make_room(budget):
        gone += n
    return gone


def test_within_its_budget_nothing_goes(historian: SqliteHistorian) -> None:
    assert historian.make_room(historian.used_bytes()) == 0


def test_spectra_go_first_the_oldest_day_of_them(historian: SqliteHistorian) -> None:
    budget = historian.used_bytes() - 200_000
    assert shrink(historian, budget) > 0
    assert historian.used_bytes() <= budget * TARGET
    assert LEFT_DAYS < days(historian, "spectrum") < DAYS
    assert days(historian, "reading") == DAYS


def test_then_raw_rows_and_hours_and_events_never(historian: SqliteHistorian) -> None:
    budget = int(historian.used_bytes() * 0.5)
    shrink(historian, budget)
    assert historian.used_bytes() <= budget
    assert days(historian, "spectrum") <= LEFT_DAYS + 1
    assert LEFT_DAYS <= days(historian, "reading") < DAYS
    assert (days(historian, "reading_hourly"), days(historian, "event")) == (DAYS, DAYS)


def test_a_budget_that_cannot_be_kept_leaves_the_last_week(historian: SqliteHistorian) -> None:
    shrink(historian, 1)
    assert days(historian, "reading") == LEFT_DAYS + 1
    assert days(historian, "spectrum") == LEFT_DAYS + 1
    assert historian.make_room(1) == 0, "it ends"


def test_what_was_freed_is_used_again(historian: SqliteHistorian, tmp_path: Path) -> None:
    shrink(historian, int(historian.used_bytes() * 0.6))
    size = (tmp_path / "historian.sqlite").stat().st_size
    for day in range(5):
        historian.write(day_of(NOW + (day + 1) * DAY))
    assert (tmp_path / "historian.sqlite").stat().st_size == size


# Free space ------------------------------------------------------------------------------------------------


class Disk:
    """A disk whose free space a test sets."""

    def __init__(self, folder: Path, reserve: int = 1000) -> None:
        self.free, self.now_s = 10**6, 0.0
        self.space = Space(folder, reserve, free=lambda _: self.free, monotonic_s=lambda: self.now_s)

    def level(self, free: int) -> Level:
        self.free = free
        self.now_s += LOOK_S
        return self.space.level


def test_waveforms_stop_below_the_reserve_and_all_else_below_half_of_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert [disk.level(free) for free in (1000, 999, 500, 499)] == [
        Level.ROOM,
        Level.SHORT,
        Level.SHORT,
        Level.FULL,
    ]


def test_they_begin_again_well_above_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.level(999)
    again = round(1000 * AGAIN)
    assert [disk.level(again - 1), disk.level(again)] == [Level.SHORT, Level.ROOM]


def test_a_store_of_waveforms_asks_before_it_writes(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    with closing(WaveformStore(tmp_path / "waves", 10**6, disk.space)) as store:
        block = [(frame_id(1), waveform(1))]
        assert len(store.append_all(block)) == 1
        size = store.size_bytes
        disk.level(999)
        with pytest.raises(NotKept, match="waveforms are not kept"):
            store.append_all(block)
        disk.level(10)
        with pytest.raises(Unavailable, match="gateways keep their frames"):
            store.append_all(block)
        assert store.size_bytes == size


def test_no_reserve_asked_for_is_none(tmp_path: Path) -> None:
    assert Disk(tmp_path, reserve=0).level(0) is Level.ROOM


def test_a_disk_that_cannot_be_asked_stops_nobody(tmp_path: Path) -> None:
    assert Space(tmp_path / "gone" / "for-good").level is Level.ROOM


def test_a_full_disk_is_left_well_above_its_bound(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert [disk.level(free) for free in (499, 501, 499, 501, 550)] == [Level.FULL] * 4 + [Level.SHORT]
