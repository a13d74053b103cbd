"""Which hours wait for their hourly rows: marked with the commit, oldest first, forgotten when written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from palier.historian import record_tables
from palier.historian.base import SchemaError
from palier.historian.records import DirtyHour, Records, RecordsBatch, RecordsReader, StateRow, Verdict
from palier.historian.rows import HOUR_NS
from tests.support.stores import SITE, frame_id

EVER = 2**63


def hour(k: int, machine: str = "m", site: str = SITE) -> DirtyHour:
    return DirtyHour(site, machine, k * HOUR_NS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    store = Records(path)
    yield store
    store.close()


def test_hours_wait_newest_first_each_once(records: Records) -> None:
    records.commit(RecordsBatch(dirty_hours=(hour(5), hour(3), hour(3, "b"))))
    records.commit(RecordsBatch(dirty_hours=(hour(3), hour(4))))
    assert records.dirty_hours(EVER, 10) == (hour(5), hour(4), hour(3, "b"), hour(3))
    assert records.dirty_hours(EVER, 2) == (hour(5), hour(4))
    assert records.dirty_hours(4 * HOUR_NS, 10) == (hour(3, "b"), hour(3))


def test_what_is_forgotten_may_be_marked_again(records: Records) -> None:
    records.commit(RecordsBatch(dirty_hours=(hour(3), hour(4))))
    for _ in range(2):
        records.forget_hours([hour(3)])
        assert records.dirty_hours(EVER, 10) == (hour(4),)
    records.commit(RecordsBatch(dirty_hours=(hour(3),)))
    assert records.dirty_hours(EVER, 10) == (hour(4), hour(3))


def test_marks_stand_and_fall_with_their_commit(records: Records) -> None:
    broken = StateRow(SITE, "k", object())  # type: ignore[arg-type]
    with pytest.raises(SchemaError):
        records.commit(RecordsBatch(states=(broken,), dirty_hours=(hour(3),)))
    assert records.dirty_hours(EVER, 10) == ()


def test_marks_outlive_the_process(records: Records, path: Path) -> None:
    records.commit(RecordsBatch(dirty_hours=(hour(3),)))
    records.close()
    with closing(RecordsReader(path)) as reader:
        assert reader.dirty_hours(EVER, 10) == (hour(3),)


def of_version_1(path: Path, *waveforms: tuple[str, int]) -> None:
    """A records file as the first version wrote it, with (machine, start in ns) of kept waveforms."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in record_tables._MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("INSERT INTO seen VALUES ('usine/gw-1', '0123456789abcdef', 1, 3, 'stored')")
        for seq, (machine, start_ns) in enumerate(waveforms):
            connection.execute(
                "INSERT INTO waveform VALUES ('e', 'x', ?, ?, ?, 'p', ?, 0, 1, 0, 10)",
                (seq, SITE, machine, start_ns),
            )
        connection.execute(f"PRAGMA application_id={record_tables.RECORDS.mark}")
        connection.execute("PRAGMA user_version=1")
        connection.commit()


def test_an_old_file_comes_forward_with_all_hours_of_the_days_it_measured(path: Path) -> None:
    of_version_1(path, ("m", 30 * HOUR_NS + 7), ("m", 47 * HOUR_NS), ("b", 100 * HOUR_NS))
    with closing(Records(path)) as records:
        edge = frame_id(1)
        assert records.ranges(edge.edge, edge.epoch, Verdict.STORED) == ((1, 3),)
        expected = {hour(k) for k in range(24, 48)} | {hour(k, "b") for k in range(96, 120)}
        assert set(records.dirty_hours(EVER, 1000)) == expected
        records.commit(RecordsBatch(dirty_hours=(hour(5),)))
    with closing(Records(path)) as records:
        assert len(records.dirty_hours(EVER, 1000)) == 49


def test_a_reader_of_an_old_file_is_told_who_brings_it_forward(path: Path) -> None:
    of_version_1(path)
    with pytest.raises(SchemaError, match="start the ingest"):
        RecordsReader(path)
