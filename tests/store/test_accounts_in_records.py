"""What the records keep of quarantine and reports: floods are sampled, drops are known by their time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from palier.historian import quarantine_tables, record_tables
from palier.historian.quarantine_tables import FIRST_KEPT, KEPT_WHOLE, SAMPLE_NS, QuarantineKind
from palier.historian.records import LedgerReceipt, QuarantineRow, Records, RecordsBatch, Transition, Verdict
from palier.historian.rows import HOUR_NS
from palier.wire.messages import LedgerReport
from tests.support.stores import SITE, frame_id

EDGE, EPOCH = frame_id(1).edge, frame_id(1).epoch
T0 = 1_800_000 * HOUR_NS


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path / "records.sqlite")) as store:
        yield store


def bad(k: int, *, reason: str = "decode", edge: str = EDGE, at_ns: int = T0, size: int = 0) -> QuarantineRow:
    payload = str(k).encode() + bytes(size)
    return QuarantineRow(
        at_ns, edge, "spBv1.0/x", reason, "it can't be read", payload, frame_id(k, edge=edge)
    )


def kept(records: Records) -> list[int]:
    return [int(row.payload.rstrip(b"\0")) for row in records.quarantine(10_000)]


def dropped(*ranges: tuple[int, int, str], epoch: str = EPOCH, at_ns: int = T0) -> RecordsBatch:
    report = LedgerReport(epoch, 90, 90, ranges, None, 0)
    return RecordsBatch(ledgers=(LedgerReceipt(EDGE, at_ns, report),))


def test_of_a_flood_the_first_and_then_samples_are_kept_and_all_is_counted(records: Records) -> None:
    for start in range(0, 1000, 100):
        at_ns = T0 + start // 100 * SAMPLE_NS // 4
        records.commit(RecordsBatch(quarantine=tuple(bad(k, at_ns=at_ns) for k in range(start, start + 100))))
    found = kept(records)
    assert sorted(found)[:KEPT_WHOLE] == list(range(KEPT_WHOLE))
    assert sorted(found)[KEPT_WHOLE:] == [400, 800], "one each ten seconds"
    last_ns = T0 + 9 * SAMPLE_NS // 4
    assert [(kind.n, kind.kept, kind.last_ns) for kind in records.quarantine_kinds()] == [(1000, 52, last_ns)]
    assert records.quarantine_thinned() == 948
    assert records.ranges(EDGE, EPOCH, Verdict.QUARANTINED) == ((0, 999),), "each is still accounted for"


def test_one_kind_s_flood_takes_no_place_of_another(records: Records) -> None:
    records.commit(RecordsBatch(quarantine=(bad(1, reason="unit"),)))
    records.commit(RecordsBatch(quarantine=tuple(bad(k) for k in range(100, 400))))
    records.commit(RecordsBatch(quarantine=(bad(2, reason="unit", at_ns=T0 + 1),)))
    counts = {kind.reason: (kind.n, kind.kept) for kind in records.quarantine_kinds()}
    assert counts == {"unit": (2, 2), "decode": (300, KEPT_WHOLE)}


@pytest.mark.parametrize("bound", ["rows", "bytes"])
def test_at_the_bound_the_largest_kind_gives_way_and_its_first_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(quarantine_tables, "MAX_QUARANTINE_ROWS", 6 if bound == "rows" else 1000)
    with closing(Records(tmp_path / "r.sqlite", quarantine_bytes=6 if bound == "bytes" else 1000)) as records:
        records.commit(RecordsBatch(quarantine=(bad(9, reason="unit"),)))
        for k in range(9):
            records.commit(RecordsBatch(quarantine=(bad(k),)))
        newest = [8, 7]
        assert sorted(kept(records)) == sorted([9, *range(FIRST_KEPT), *newest])
        assert records.quarantine_thinned() == 4
        assert records.quarantine_bytes() == 6


def test_what_was_put_aside_lately_is_counted_by_the_hour(records: Records) -> None:
    for hour, n in ((0, 5), (1, 2), (2, 1)):
        rows = tuple(bad(10 * hour + k, at_ns=T0 + hour * HOUR_NS) for k in range(n))
        records.commit(RecordsBatch(quarantine=rows))
    assert [records.put_aside_lately(T0 + hour * HOUR_NS) for hour in (2, 3, 4)] == [{EDGE: 3}, {EDGE: 1}, {}]


def test_a_flood_does_not_slow_the_commits_down(records: Records) -> None:
    """300 bad frames of 25 kB in each commit, a thousand commits long ago: a commit does not get dearer."""

    def commit(n: int) -> float:
        rows = tuple(bad(1000 * n + k, at_ns=T0 + n * 50_000_000, size=25_000) for k in range(300))
        began = time.thread_time()
        records.commit(RecordsBatch(quarantine=rows))
        return time.thread_time() - began

    first = [commit(n) for n in range(3)]
    later = [commit(n) for n in range(3, 40)]
    assert sorted(later)[len(later) // 2] < 2 * max(first)
    assert len(kept(records)) == KEPT_WHOLE


def test_more_that_was_dropped_is_known_by_its_time(records: Records) -> None:
    records.commit(dropped((1, 3, "cap")))
    assert records.dropped_lately(T0) == {EDGE: {"cap": 3}}
    assert records.dropped_lately(T0 + 1) == {}
    records.commit(dropped((1, 3, "cap"), at_ns=T0 + 60))
    assert records.dropped_lately(T0 + 1) == {}, "the same once more is no news"
    records.commit(dropped((1, 3, "cap"), (7, 7, "disk"), (9, 9, "of a later version"), at_ns=T0 + 90))
    assert records.dropped_lately(T0 + 1) == {EDGE: {"disk": 1, "other": 1}}
    records.commit(dropped((1, 2, "cap"), (4, 5, "cap"), at_ns=T0 + 99))
    assert records.dropped_lately(T0 + 91) == {EDGE: {"cap": 4}}


def test_a_report_of_a_younger_outbox_ends_the_line_of_the_older(records: Records) -> None:
    young = "1" * 16
    records.commit(RecordsBatch(stored=(frame_id(1), frame_id(2))))
    old = LedgerReport(EPOCH, 5, 5, (), 3, 3)
    records.commit(RecordsBatch(ledgers=(LedgerReceipt(EDGE, T0, old),)))
    assert [(line.pending, line.adds_up) for line in records.ledger_lines(T0)] == [(3, True)]
    new = LedgerReport(young, 0, 0, (), None, 0)
    records.commit(RecordsBatch(ledgers=(LedgerReceipt(EDGE, T0 + 1, new),)))
    lines = {line.epoch: line for line in records.ledger_lines(T0 + 10**15)}
    assert (lines[EPOCH].replaced, lines[EPOCH].lost, lines[EPOCH].adds_up) == (True, 3, False)
    assert (lines[young].replaced, lines[young].adds_up) == (False, None)
    records.commit(RecordsBatch(ledgers=(LedgerReceipt(EDGE, T0 + 2, old),)))  # the old card is back
    lines = {line.epoch: line for line in records.ledger_lines(T0 + 3)}
    assert (lines[EPOCH].pending, lines[EPOCH].adds_up, lines[young].replaced) == (3, True, True)


def test_an_older_file_comes_forward_with_its_quarantine_and_its_drops(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        for statements in record_tables._MIGRATIONS[:4]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(
            "INSERT INTO quarantine VALUES (1, 3, 7, ?, 't', 'decode', 's', NULL, NULL, 'abc')", (EDGE,)
        )
        told = '{"epoch": "e", "seq": 9, "acquired": 9, "dropped": [[1, 3, "cap"], [5, 5, "cap"]], '
        told += '"oldest_unacknowledged": null, "pending": 0}'
        connection.execute("INSERT INTO ledger_report VALUES (?, ?, 7, ?)", (EDGE, EPOCH, told))
        connection.execute(f"PRAGMA application_id={record_tables.RECORDS.mark}")
        connection.execute("PRAGMA user_version=4")
        connection.commit()
    with closing(Records(path)) as records:
        assert records.quarantine_kinds() == (QuarantineKind(EDGE, "decode", 1, 1, 3, 7),)
        assert records.dropped_lately(1) == {}, "what was dropped long ago is no news"
        records.commit(dropped((1, 3, "cap"), (5, 5, "cap"), at_ns=T0))
        assert records.dropped_lately(1) == {}


def test_over_its_budget_the_records_let_go_of_old_transitions_and_never_of_what_was_seen(
    records: Records,
) -> None:
    def transition(k: int, kind: str = "alarm") -> Transition:
        return Transition(f"e{k}", SITE, "m", "p", "", k, kind, "alert", "normal", "x" * 2000)

    many = tuple(transition(k) for k in range(1000))
    work = tuple(transition(1000 + k, "intervention") for k in range(3))
    records.commit(RecordsBatch(stored=(frame_id(1),), transitions=(*many, *work)))
    budget = records.used_bytes() - 500_000
    gone = 0
    while n := records.make_room(budget, 900, {"e7"}):
        gone += n
    left = [t.event_id for t in records.transitions()]
    assert 200 < gone < 600
    assert left[0] == "e7"
    assert left[-4:] == ["e999", "e1000", "e1001", "e1002"]
    assert records.used_bytes() <= budget
    assert records.make_room(budget, 900) == 0
    assert records.ranges(EDGE, EPOCH, Verdict.STORED) == ((1, 1),)


def test_reports_of_replaced_outboxes_go_before_transitions(records: Records) -> None:
    for k, epoch in enumerate(("a", "b", "c")):
        records.commit(dropped((1, 2, "cap"), epoch=epoch * 16, at_ns=T0 + k))
    records.commit(RecordsBatch(transitions=(Transition("e", SITE, "m", "p", "", 1, "alarm", "a", "b", ""),)))
    assert records.make_room(0, 100) == 2
    assert [receipt.report.epoch for receipt in records.ledger_reports()] == ["c" * 16]
    assert len(records.transitions()) == 1
    assert records.make_room(0, 100) == 1
    assert records.make_room(0, 100) == 0
