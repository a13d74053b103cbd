"""The outbox keeps every frame until it is acknowledged, across restarts, within its cap."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent import outbox as module
from edge_agent.outbox import FILE_NAME, Kept, Outbox, OutboxError, OutboxFullError, open_outbox
from palier import ranges
from palier.frames import MAX_FRAME_BYTES, Readings, Waveform
from palier.ledger import balance
from palier.wire.messages import MAX_DROPPED, ledger_payload, read_ledger
from palier.wire.payload import decode
from tests.support.edge_agent import readings, waveform

EDGE = "usine/p1"
Open = Callable[..., Outbox]


@pytest.fixture
def open_here(tmp_path: Path) -> Iterator[Open]:
    """Opens the outbox in tmp_path again and again, the one before closed."""
    opened: list[Outbox] = []

    def open_again(*, cap_bytes: int = 10**9, edge: str = EDGE, epoch: str = "a" * 16) -> Outbox:
        close()
        opened.append(open_outbox(tmp_path, edge, draw_epoch=lambda: epoch, cap_bytes=cap_bytes))
        return opened[-1]

    def close() -> None:
        for outbox in opened:
            outbox.close()
        opened.clear()

    yield open_again
    close()


def test_frames_come_back_as_they_were(open_here: Open) -> None:
    outbox = open_here()
    kept = outbox.put([waveform(7), readings(3)])
    assert kept == Kept((1, 2))
    outbox = open_here()
    first, second = outbox.load(1), outbox.load(2)
    assert isinstance(first, Waveform)
    assert isinstance(second, Readings)
    np.testing.assert_array_equal(first.samples, waveform(7).samples)
    assert (first.start_ns, first.unit, first.scale) == (waveform(7).start_ns, ("m/s²",), (0.001,))
    np.testing.assert_array_equal(second.values, readings(3).values)
    assert outbox.load(3) is None


def test_the_epoch_is_drawn_once_and_seq_never_starts_again(open_here: Open) -> None:
    outbox = open_here(epoch="1" * 16, cap_bytes=3000)
    for number in range(12):
        kept = outbox.put([waveform(number)])
        assert kept.seqs is not None
        outbox.acknowledge([kept.seqs])
    outbox.give_up(12, "test")
    outbox = open_here(epoch="2" * 16)
    assert outbox.epoch == "1" * 16
    assert outbox.put([waveform()]).seqs == (13, 13)


def test_a_commit_is_one_transaction_of_full_durability(open_here: Open, tmp_path: Path) -> None:
    outbox = open_here()
    pragma = outbox._db.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (2,)
    outbox.put([waveform(n) for n in range(5)])
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        assert other.execute("SELECT count(*) FROM frame").fetchone() == (5,)
    other.close()


def test_acknowledged_rows_stay_until_their_bytes_are_needed(open_here: Open) -> None:
    outbox = open_here(cap_bytes=4000)
    outbox.put([waveform(n) for n in range(6)])
    held = outbox.totals()
    assert outbox.acknowledge([(2, 3)]) == 2
    assert outbox.acknowledge([(2, 3)]) == 0
    assert outbox.totals().bytes == held.bytes
    assert outbox.load(2) is not None
    dropped: list[tuple[int, int]] = []
    while not dropped:
        dropped += outbox.put([waveform()]).dropped
    assert outbox.load(2) is outbox.load(3) is None  # the acknowledged ones went first
    assert dropped == [(1, 1)]
    assert outbox.report().dropped == ((1, 1, "cap"),)


def test_the_cap_holds_and_every_drop_is_counted(open_here: Open) -> None:
    outbox = open_here(cap_bytes=5000)
    for number in range(100):
        outbox.put([waveform(number)])
        assert outbox.totals().bytes <= 5000
    report = outbox.report()
    (lo, hi, reason), *others = report.dropped
    assert (lo, reason, others) == (1, "cap", [])
    assert (report.seq, report.acquired) == (100, 100)
    assert hi + report.pending == 100
    assert report.oldest_unacknowledged == hi + 1
    assert outbox.pending() == ((hi + 1, 100),)


def test_a_dropped_frame_that_is_at_the_host_is_no_longer_dropped(open_here: Open) -> None:
    outbox = open_here(cap_bytes=2000)
    outbox.put([waveform(n) for n in range(3)])
    while outbox.totals().dropped < 9:
        outbox.put([waveform()])
    outbox.acknowledge([(4, 5)])
    assert [row[:2] for row in outbox.report().dropped] == [(1, 3), (6, 9)]


def test_a_report_of_many_drops_can_be_sent_and_still_adds_up(open_here: Open) -> None:
    """A link that is up now and then for years: acknowledged rows in between keep the drops apart."""
    outbox = open_here()
    apart = 2 * MAX_DROPPED
    outbox._db.executemany(
        "INSERT INTO dropped VALUES (?, ?, 'cap')", ((3 * i + 1, 3 * i + 2) for i in range(apart))
    )
    outbox._db.execute("INSERT INTO sqlite_sequence VALUES ('frame', ?)", (3 * apart,))
    sent = ledger_payload(outbox.report(), seq=0, timestamp_ms=1)
    report = read_ledger(decode(sent))
    assert report is not None
    line = balance(EDGE, report, [(3 * i + 3, 3 * i + 3) for i in range(apart)], [])
    assert (line.adds_up, line.stored, line.dropped) == (True, apart, 2 * apart)


def test_a_frame_too_large_for_a_message_is_refused_at_the_door(open_here: Open) -> None:
    outbox = open_here()
    large = waveform(n_samples=MAX_FRAME_BYTES // 2)
    assert outbox.put([large]) == Kept(None, refused=1)
    assert outbox.put([large, waveform()]) == Kept((1, 1), refused=1)
    assert outbox.report().acquired == 1


def test_a_row_that_cannot_be_sent_is_given_up_with_its_reason(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(), waveform()])
    outbox.give_up(1, "unreadable")
    outbox.give_up(1, "unreadable")
    assert outbox.report().dropped == ((1, 1, "unreadable"),)
    assert outbox.pending() == ((2, 2),)


def test_rows_are_given_in_the_order_asked_without_those_that_are_done(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(n) for n in range(4)])
    outbox.acknowledge([(3, 3)])
    assert [row.seq for row in outbox.rows((4, 3, 2, 99))] == [4, 2]
    (row,) = outbox.rows((1,))
    assert row.end_ns == waveform(0).end_ns


def test_bd_seq_rises_across_restarts_and_goes_round(open_here: Open) -> None:
    outbox = open_here()
    assert [outbox.next_bd_seq() for _ in range(3)] == [0, 1, 2]
    outbox = open_here()
    assert [outbox.next_bd_seq() for _ in range(254)][-2:] == [255, 0]


def test_two_agents_never_share_an_outbox(open_here: Open, tmp_path: Path) -> None:
    open_here()
    with pytest.raises(OutboxError, match="another agent is running"):
        open_outbox(tmp_path, EDGE, draw_epoch=lambda: "b" * 16, cap_bytes=10**9)


def test_an_outbox_belongs_to_one_edge(open_here: Open) -> None:
    open_here()
    with pytest.raises(OutboxError, match="belongs to the edge 'usine/p1', not 'usine/p2'"):
        open_here(edge="usine/p2")


def test_a_newer_version_is_refused_with_a_sentence(open_here: Open) -> None:
    open_here()._db.execute("PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match="has version 99, this agent reads 1"):
        open_here()


@pytest.mark.parametrize("damage", [b"not a database at all, and longer than a header" * 10, b"\0" * 5000])
def test_a_damaged_file_is_moved_aside_and_sampling_goes_on(
    open_here: Open, tmp_path: Path, damage: bytes
) -> None:
    outbox = open_here(epoch="1" * 16)
    outbox.put([waveform()])
    outbox.close()
    (tmp_path / FILE_NAME).write_bytes(damage)
    for rest in ("-wal", "-shm"):
        (tmp_path / (FILE_NAME + rest)).unlink(missing_ok=True)
    outbox = open_here(epoch="2" * 16)
    assert outbox.epoch == "2" * 16
    assert outbox.put([waveform()]).seqs == (1, 1)
    assert (tmp_path / f"{FILE_NAME}.corrupt-1").read_bytes() == damage


def test_a_full_disk_keeps_nothing_of_the_commit_and_can_be_tried_again(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform()])
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    before = outbox.totals()
    with pytest.raises(OutboxFullError, match="could not be written"):
        outbox.put([waveform(n, n_samples=50_000) for n in range(3)])
    assert outbox.totals() == before
    outbox._db.execute("PRAGMA max_page_count = 1073741823")
    assert outbox.put([waveform()]).seqs == (2, 2)


def test_what_a_failed_commit_had_deleted_for_room_is_there_again(open_here: Open) -> None:
    outbox = open_here(cap_bytes=150_000)
    outbox.put([waveform(n) for n in range(3)])
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    before = outbox.totals()
    with pytest.raises(OutboxFullError):
        outbox.put([waveform(n_samples=75_000)])
    assert outbox.totals() == before
    assert outbox.pending() == ((1, 3),)


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutboxError, match="can't be used"):
        open_outbox(tmp_path / "file" / "below", EDGE, draw_epoch=lambda: "a" * 16, cap_bytes=10**9)


def test_an_epoch_is_sixteen_hex_digits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 hex digits"):
        open_outbox(tmp_path, EDGE, draw_epoch=lambda: "xyz", cap_bytes=10**9)


@settings(max_examples=25)  # each commit waits for the disk
@given(
    acknowledged=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 10)), max_size=12),
    cap=st.integers(600, 12_000),
)
def test_every_seq_is_pending_dropped_or_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, acknowledged: list[tuple[int, int]], cap: int
) -> None:
    outbox = open_outbox(tmp_path_factory.mktemp("outbox"), EDGE, draw_epoch=lambda: "a" * 16, cap_bytes=cap)
    told: list[tuple[int, int]] = []
    try:
        for number in range(0, 60, 5):
            outbox.put([waveform(number + i) for i in range(5)])
            for lo, length in acknowledged:
                if number < lo + length <= number + 5:
                    outbox.acknowledge([(lo, lo + length)])
                    told.append((lo, lo + length))
        report, pending = outbox.report(), outbox.pending()
    finally:
        outbox.close()
    dropped = ranges.merge((lo, hi) for lo, hi, _ in report.dropped)
    assert ranges.count(pending) == report.pending
    assert not ranges.intersect(pending, dropped)
    assert not ranges.intersect(told, dropped)
    assert ranges.merge((*pending, *dropped, *told)) == ((1, 60),)
    assert module.VERSION == 1
