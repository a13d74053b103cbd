"""The outbox keeps every frame until it is acknowledged, across restarts, within its cap."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent import outbox_dropped
from edge_agent.outbox import FILE_NAME, Kept, Outbox, OutboxError, open_outbox
from edge_agent.outbox_rows import PIECE_BYTES
from edge_agent.timekeeping import STEP_NS, Stamp
from palier import ranges
from palier.frames import MAX_FRAME_BYTES, Clock, Frame, FrameError, FrameId, Readings, Waveform
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


def loaded(outbox: Outbox, seq: int) -> tuple[FrameId, Frame]:
    found = outbox.load(seq)
    assert found is not None
    return found


def test_frames_come_back_as_they_were(open_here: Open) -> None:
    outbox = open_here()
    kept = outbox.put([waveform(7), readings(3)])
    assert kept == Kept("a" * 16, (1, 2))
    outbox = open_here()
    (first_id, first), (_, second) = loaded(outbox, 1), loaded(outbox, 2)
    assert first_id == FrameId(EDGE, "a" * 16, 1)
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
    outbox.give_up(FrameId(EDGE, "1" * 16, 12), "test")
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
    outbox._db.execute("BEGIN")
    outbox._db.executemany(
        "INSERT INTO dropped VALUES (?, ?, 'cap')", ((3 * i + 1, 3 * i + 2) for i in range(apart))
    )
    outbox._db.execute("INSERT INTO sqlite_sequence VALUES ('frame', ?)", (3 * apart,))
    outbox._db.execute("COMMIT")
    sent = ledger_payload(outbox.report(), seq=0, timestamp_ms=1)
    report = read_ledger(decode(sent))
    assert report is not None
    line = balance(EDGE, report, [(3 * i + 3, 3 * i + 3) for i in range(apart)], [])
    assert (line.adds_up, line.stored, line.dropped) == (True, apart, 2 * apart)


def test_a_frame_too_large_for_a_message_is_refused_at_the_door(open_here: Open) -> None:
    outbox = open_here()
    large = waveform(n_samples=MAX_FRAME_BYTES // 2)
    assert outbox.put([large]) == Kept("a" * 16, None, refused=1)
    assert outbox.put([large, waveform()]) == Kept("a" * 16, (1, 1), refused=1)
    assert outbox.report().acquired == 1


def test_a_row_that_cannot_be_sent_is_given_up_with_its_reason(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(), waveform()])
    for epoch in ("b" * 16, "a" * 16, "a" * 16):  # of another outbox; of this one; of this one again
        outbox.give_up(FrameId(EDGE, epoch, 1), "unreadable")
    assert outbox.report().dropped == ((1, 1, "unreadable"),)
    assert outbox.pending() == ((2, 2),)


def test_rows_are_given_in_the_order_asked_without_those_that_are_done(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(n) for n in range(4)])
    outbox.acknowledge([(3, 3)])
    assert [row.seq for row in outbox.rows((4, 3, 2, 99))] == [4, 2]
    (row,) = outbox.rows((1,))
    assert row.end_ns == waveform(0).end_ns


def test_waveforms_go_before_readings(open_here: Open) -> None:
    outbox = open_here(cap_bytes=6000)
    for number in range(40):
        outbox.put([readings(number) if number % 10 == 0 else waveform(number)])
    assert {1, 11, 21, 31} <= {seq for lo, hi in outbox.pending() for seq in range(lo, hi + 1)}
    report = outbox.report()
    assert report.dropped[0] == (2, 10, "cap")
    assert balance(EDGE, report, [], []).adds_up


def test_readings_go_too_before_a_report_can_not_name_the_pieces(
    open_here: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_dropped, "MAX_DROPPED", 6)
    outbox = open_here(cap_bytes=6000)
    for number in range(100):
        outbox.put([readings(number) if number % 2 == 0 else waveform(number)])
    report = outbox.report()
    assert len(report.dropped) <= 6
    assert balance(EDGE, report, [], []).adds_up


def test_what_the_host_lost_can_be_sent_again(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(n) for n in range(5)])
    outbox.acknowledge([(1, 4)])
    assert outbox.recall(waveform(2).end_ns) == ((3, 4),)
    assert outbox.pending() == ((3, 5),)


def test_an_acknowledgement_of_another_epoch_frees_nothing(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform()])
    assert outbox.acknowledge([(1, 1)], "b" * 16) == 0
    assert outbox.acknowledge([(1, 1)], "a" * 16) == 1


def test_a_frame_that_the_disk_changed_is_never_sent(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(7)])
    outbox._db.execute("UPDATE body SET body = zeroblob(length(body))")
    with pytest.raises(FrameError, match="not what was written"):
        outbox.load(1)


@pytest.mark.parametrize("n_samples", [64, PIECE_BYTES // 2, PIECE_BYTES // 2 + 1, 3 * PIECE_BYTES + 5])
def test_a_frame_comes_back_as_it_was_however_large(open_here: Open, n_samples: int) -> None:
    samples = np.random.default_rng(1).integers(-30_000, 30_000, (1, n_samples)).astype("<i2")
    outbox = open_here()
    outbox.put([replace(waveform(7), samples=samples)])
    found = outbox.load(1)
    assert found is not None
    assert isinstance(found[1], Waveform)
    assert np.array_equal(found[1].samples, samples)
    outbox._db.execute("UPDATE frame SET crc = crc + 1")
    with pytest.raises(FrameError, match="not what was written"):
        outbox.load(1)
    outbox._db.execute("UPDATE body SET body = 'a text' || hex(body)")
    with pytest.raises(FrameError, match="not what was written"):
        outbox.load(1)


def test_a_time_that_the_disk_changed_is_a_frame_that_can_not_be_read(open_here: Open) -> None:
    """An error that nobody expects would end connection after connection."""
    outbox = open_here()
    outbox.put([waveform(7)])
    outbox._db.execute("UPDATE frame SET clock = 'holdoves'")
    with pytest.raises(FrameError, match="'holdoves' is not a valid Clock"):
        outbox.load(1)


def test_an_outbox_of_version_1_is_read_on(open_here: Open, tmp_path: Path) -> None:
    outbox = open_here()
    outbox.put([waveform(7), readings(3)])
    outbox._db.executescript(
        "DROP INDEX frame_room; DROP INDEX frame_boot; DROP INDEX frame_held; PRAGMA user_version = 1;"
        + "".join(
            f"ALTER TABLE frame DROP COLUMN {name};"
            for name in ("raw", "crc", "held", "boot", "mono_ns", "shift_ns", "clock")
        )
        + "CREATE INDEX frame_room ON frame (acked DESC, seq)"
    )
    outbox = open_here(epoch="b" * 16)
    assert outbox.epoch == "a" * 16
    assert loaded(outbox, 1)[1].start_ns == waveform(7).start_ns
    assert outbox._db.execute("SELECT seq, raw FROM frame").fetchall() == [(1, 1), (2, 0)]
    assert outbox.put([waveform()]).seqs == (3, 3)


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
    with pytest.raises(OutboxError, match="has version 99, this agent reads 2"):
        open_here()


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


@pytest.mark.parametrize(("correction_ns", "moved_ns"), [(300, 0), (-STEP_NS, 0), (10**12, 10**12)])
def test_only_a_clock_that_was_set_moves_a_date(open_here: Open, correction_ns: int, moved_ns: int) -> None:
    """What a host stored and did not say so would else be there a second time, some nanoseconds beside it."""
    outbox, frame = open_here(), waveform(7)
    outbox.put([frame], [Stamp(boot="this", mono_ns=10**9, clock=Clock.UNSYNCED)])
    outbox.redate("this", frame.end_ns - 10**9 + correction_ns, Clock.HOLDOVER, final=True)
    dated = loaded(outbox, 1)[1]
    assert (dated.start_ns - frame.start_ns, dated.clock) == (moved_ns, Clock.HOLDOVER)
