"""What the records hold between machines and people: one transaction, idempotent, bounded, upgraded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from palier.historian import people_tables, record_tables
from palier.historian.base import SchemaError
from palier.historian.records import Records, RecordsReader, Verdict
from palier.historian.rows import (
    AlarmRow,
    BaselineRow,
    CommandRow,
    InterventionRow,
    NoticeRow,
    RecordsBatch,
    VerdictRow,
)
from tests.support.stores import SITE, frame_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    with closing(Records(path)) as store:
        yield store


def done(n: int, machine: str = "P-101") -> InterventionRow:
    return InterventionRow(f"done-{n}", SITE, machine, "2", "greasing", n, n + 1, "h.alami", "30 g", "5.2.2")


def found(n: int) -> VerdictRow:
    return VerdictRow(
        f"found-{n}",
        SITE,
        "P-101/2/bearing",
        7,
        "outer_ring",
        "confirmed",
        "outer_ring",
        "5.1.2",
        "vu",
        "h",
        n,
    )


def answered(n: int, reply: str = "{}") -> CommandRow:
    return CommandRow(f"command-{n}", SITE, n, "digest", reply)


BATCH = RecordsBatch(
    stored=(frame_id(1),),
    alarms=(AlarmRow(SITE, "P-101/2/bearing", "{}"),),
    commands=(answered(1),),
    interventions=(done(1),),
    verdicts=(found(1),),
    baselines=(BaselineRow(SITE, "P-101", 1, "{}"),),
    notices=(NoticeRow("n1", "{}"),),
)


def test_all_of_it_is_one_transaction_and_read_back(records: Records, path: Path) -> None:
    records.commit(BATCH)
    records.commit(BATCH)  # again changes nothing
    with closing(RecordsReader(path)) as reader:
        assert reader.alarms() == BATCH.alarms
        assert reader.commands(10) == BATCH.commands
        assert reader.interventions() == BATCH.interventions
        assert reader.verdicts() == BATCH.verdicts
        assert reader.baselines() == BATCH.baselines
        assert reader.notices() == BATCH.notices


def test_a_row_that_fails_takes_all_of_them_back(records: Records) -> None:
    broken = NoticeRow("n2", object())  # type: ignore[arg-type]
    with pytest.raises(SchemaError):
        records.commit(RecordsBatch(stored=(frame_id(1),), alarms=BATCH.alarms, notices=(broken,)))
    assert records.alarms() == ()
    assert records.ranges(frame_id(1).edge, frame_id(1).epoch, Verdict.STORED) == ()


def test_the_last_word_on_an_alarm_and_on_a_baseline_stays(records: Records) -> None:
    for value in ('{"a":1}', '{"a":2}'):
        alarm, baseline = AlarmRow(SITE, "P/1/sensor", value), BaselineRow(SITE, "P", 1, value)
        records.commit(RecordsBatch(alarms=(alarm,), baselines=(baseline,)))
    records.commit(RecordsBatch(baselines=(BaselineRow(SITE, "P", 2, "{}"),)))
    assert records.alarms() == (alarm,)
    assert records.baselines() == (baseline, BaselineRow(SITE, "P", 2, "{}"))


def test_the_first_answer_to_a_command_stays(records: Records) -> None:
    records.commit(RecordsBatch(commands=(answered(1, '{"first":1}'),)))
    records.commit(RecordsBatch(commands=(answered(1, '{"second":1}'),)))
    assert records.command("command-1") == answered(1, '{"first":1}')
    assert records.command("command-2") is None


def test_answers_and_messages_are_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_tables, "MAX_COMMANDS", 3)
    monkeypatch.setattr(people_tables, "MAX_NOTICES", 3)
    for n in range(6):
        records.commit(RecordsBatch(commands=(answered(n),), notices=(NoticeRow(f"n{n}", "{}"),)))
    assert [row.id for row in records.commands(10)] == ["command-3", "command-4", "command-5"]
    assert [row.id for row in records.commands(2)] == ["command-4", "command-5"]
    assert [row.id for row in records.notices()] == ["n3", "n4", "n5"]


def test_a_message_keeps_its_place_while_it_is_tried_and_goes_when_it_is_sent(records: Records) -> None:
    records.commit(RecordsBatch(notices=(NoticeRow("a", "1"), NoticeRow("b", "1"))))
    records.commit(RecordsBatch(notices=(NoticeRow("a", "2"),)))
    assert records.notices() == (NoticeRow("a", "2"), NoticeRow("b", "1"))
    records.commit(RecordsBatch(notices=(NoticeRow("a", None),)))
    assert records.notices() == (NoticeRow("b", "1"),)


def test_interventions_are_found_by_machine_and_time(records: Records) -> None:
    records.commit(RecordsBatch(interventions=(done(30), done(10), done(20, "V-301"))))
    assert [row.at_ns for row in records.interventions()] == [10, 20, 30]
    assert [row.at_ns for row in records.interventions("P-101", since_ns=11)] == [30]


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_file_comes_forward(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statements in record_tables._MIGRATIONS[:version]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(
            "INSERT INTO seen VALUES (?, ?, 1, 3, 'stored')", (frame_id(1).edge, frame_id(1).epoch)
        )
        connection.execute("INSERT INTO state VALUES (?, 'P-101', '{}')", (SITE,))
        connection.execute(f"PRAGMA application_id={record_tables.RECORDS.mark}")
        connection.execute(f"PRAGMA user_version={version}")
        connection.commit()
    with pytest.raises(SchemaError, match="start the ingest"):
        RecordsReader(path)
    with closing(Records(path)) as records:
        records.commit(BATCH)
    with closing(RecordsReader(path)) as reader:
        assert reader.ranges(frame_id(1).edge, frame_id(1).epoch, Verdict.STORED) == ((1, 3),)
        assert reader.states() == {(SITE, "P-101"): "{}"}
        assert reader.alarms() == BATCH.alarms
