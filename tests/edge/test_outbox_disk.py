"""The outbox on a disk that is full, and in a file that is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent import disk
from edge_agent.disk import damaged
from edge_agent.link import LinkThread
from edge_agent.outbox import FILE_NAME, Outbox, OutboxError, OutboxFullError, open_outbox
from edge_agent.settings import AgentSettings
from palier import ranges
from palier.clock import PlantClock
from palier.frames import FrameId
from palier.ledger import balance
from tests.support.edge_agent import readings, waveform
from tests.support.small_disk import fill

EDGE = "usine/p1"
Open = Callable[..., Outbox]


def opened(folder: Path, epoch: str = "a", cap_bytes: int = 10**9) -> Outbox:
    return open_outbox(folder, EDGE, draw_epoch=lambda: epoch * 16, cap_bytes=cap_bytes)


def test_on_a_disk_that_another_program_filled_the_newest_frames_are_kept(small_disk: Path) -> None:
    with closing(opened(small_disk / "outbox")) as outbox:
        for number in range(100):
            outbox.put([waveform(number, n_samples=12_500), readings(number)])
        fill(small_disk)
        assert disk.free_bytes(small_disk) < 70_000
        for number in range(100, 600):  # 12 MB more
            outbox.put([waveform(number, n_samples=12_500), readings(number)])
        report, pending = outbox.report(), outbox.pending()
        assert report.acquired == 1200
        assert {reason for _, _, reason in report.dropped} == {"disk"}
        assert pending[-1][1] == 1200
        assert balance(EDGE, report, [], []).adds_up
        kept = [seq for lo, hi in pending for seq in range(lo, hi + 1)]
        assert sum(seq % 2 == 0 for seq in kept) == 600  # every reading
        assert sum(seq % 2 for seq in kept) > 90  # and the newest waveforms in the room there was
        assert max(seq for lo, hi, _ in report.dropped for seq in (lo, hi)) < min(
            seq for seq in kept if seq % 2
        )


def test_the_outbox_leaves_room_for_others(small_disk: Path) -> None:
    with closing(opened(small_disk)) as outbox:
        for number in range(60):
            outbox.put([waveform(number, n_samples=500_000)])  # 1 MB each
        assert disk.free_bytes(small_disk) > disk.RESERVE_BYTES // 2
        assert outbox.report().dropped[0][2] == "disk"


def test_a_disk_without_any_room_keeps_nothing_of_a_commit_and_can_be_tried_again(small_disk: Path) -> None:
    with closing(opened(small_disk)) as outbox:
        fill(small_disk)
        other = small_disk / "another.log"
        with pytest.raises(OutboxFullError, match="could not be written"):
            outbox.put([waveform(n_samples=2_000_000) for _ in range(9)])  # more than the reserve
        assert outbox.totals().acquired == 0
        assert not other.exists()
        (small_disk / "someone-elses.log").unlink()
        assert outbox.put([waveform()], lost=3).seqs == (4, 4)
        assert outbox.report().dropped == ((1, 3, "disk"),)


def test_a_start_on_a_full_disk_finds_the_reserve(small_disk: Path) -> None:
    with closing(opened(small_disk)) as outbox:
        outbox.put([waveform(n, n_samples=12_500) for n in range(10)])
        outbox._guard.release()  # as kill -9 does; the reserve stays
        fill(small_disk)
        assert (small_disk / "outbox.reserve").exists()
        with closing(opened(small_disk)) as again:
            assert again.last_seq == 10
            assert again.put([waveform()]).seqs == (11, 11)


def test_the_file_itself_stays_under_the_cap(tmp_path: Path) -> None:
    with closing(opened(tmp_path, cap_bytes=2_500_000)) as outbox:
        for number in range(0, 15_000, 500):
            outbox.put([readings(number + i) for i in range(500)])  # small rows: half of the file is overhead
        assert (tmp_path / FILE_NAME).stat().st_size <= 2_500_000
        assert outbox.totals().dropped > 0


def test_a_file_without_its_tables_is_damaged(tmp_path: Path) -> None:
    with closing(opened(tmp_path, "1")) as outbox:
        outbox._db.execute("DROP TABLE body")
    with closing(opened(tmp_path, "2")) as outbox:
        assert outbox.epoch == "2" * 16


@pytest.mark.parametrize("damage", [b"not a database at all, and longer than a header" * 10, b"\0" * 5000])
def test_a_damaged_file_is_set_aside_at_the_start(tmp_path: Path, damage: bytes) -> None:
    with closing(opened(tmp_path, "1")) as outbox:
        outbox.put([waveform()])
    (tmp_path / FILE_NAME).write_bytes(damage)
    with closing(opened(tmp_path, "2")) as outbox:
        assert outbox.epoch == "2" * 16
        assert outbox.put([waveform()]).seqs == (1, 1)
        assert outbox.set_aside == 1
    assert (tmp_path / "outbox-1.sqlite.corrupt").read_bytes() == damage


def test_only_the_last_damaged_file_stands_aside(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / FILE_NAME).write_bytes(b"damage" * 100)
        with closing(opened(tmp_path, str(number))):
            pass
    assert [path.name for path in tmp_path.glob("*.corrupt")] == ["outbox-3.sqlite.corrupt"]


def test_a_file_that_is_damaged_while_running_is_set_aside_and_sampling_goes_on(tmp_path: Path) -> None:
    """Pages in the middle, as a worn card gives them back; the frames that were read meanwhile stay whole."""
    epochs, told = iter("12345"), []
    with closing(
        open_outbox(tmp_path, EDGE, draw_epoch=lambda: next(epochs) * 16, cap_bytes=10**9)
    ) as outbox:
        outbox.replaced = told.append
        outbox.put([waveform(n, n_samples=12_500) for n in range(400)])
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (tmp_path / FILE_NAME).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096 * 1000)
        outbox._db.execute("PRAGMA shrink_memory")
        for number in range(5):
            assert outbox.put([waveform(number)]).seqs is not None
            outbox.pending()
            outbox.load(1)
        assert outbox.epoch == "2" * 16 == told[0]
        assert len(told) == outbox.set_aside == 1
        assert ranges.count(outbox.pending()) == outbox.last_seq
        found = outbox.load(1)
        assert found is not None
        assert found[0] == FrameId(EDGE, "2" * 16, 1)
        assert outbox.acknowledge([(1, 5)], "1" * 16) == 0  # of the old epoch
    assert len(list(tmp_path.glob("*.corrupt"))) == 1


def test_room_for_frames_is_worth_more_than_a_damaged_file(small_disk: Path) -> None:
    (small_disk / FILE_NAME).write_bytes(b"damage" * 100)
    with closing(opened(small_disk)) as outbox:
        assert len(list(small_disk.glob("*.corrupt"))) == 1
        fill(small_disk)
        outbox.put([waveform(n_samples=50_000)])
        assert not list(small_disk.glob("*.corrupt"))


def test_a_file_of_another_edge_is_no_damage(tmp_path: Path) -> None:
    with closing(opened(tmp_path)):
        pass
    with pytest.raises(OutboxError, match="belongs to the edge"):
        open_outbox(tmp_path, "usine/p2", draw_epoch=lambda: "b" * 16, cap_bytes=10**9)
    assert not list(tmp_path.glob("*.corrupt"))


@pytest.mark.parametrize(
    ("code", "is_damage"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_IOERR_SHORT_READ, True),
        (sqlite3.SQLITE_IOERR_WRITE, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_READONLY, False),
        (sqlite3.SQLITE_BUSY, False),
    ],
)
def test_what_sqlite_says_means_damage_or_patience(code: int, is_damage: bool) -> None:
    error = sqlite3.OperationalError("whatever the words are")
    error.sqlite_errorcode = code
    assert damaged(error) is is_damage


def test_a_new_epoch_is_told_however_late_the_new_file_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untold, the link would hold each frame of the new epoch for one of the old, and send none."""
    epochs, told = iter("12"), []
    with closing(
        open_outbox(tmp_path, EDGE, draw_epoch=lambda: next(epochs) * 16, cap_bytes=10**9)
    ) as outbox:
        outbox.replaced = told.append
        with monkeypatch.context() as full:
            full.setattr("edge_agent.outbox_store.open_file", _no_room)
            with pytest.raises(OutboxFullError, match="disk is full"):
                outbox._do(_damage)
        assert told == []
        assert outbox.put([waveform()]).epoch == "2" * 16
        assert told == ["2" * 16]


def _damage(*_: object) -> None:
    raise sqlite3.DatabaseError("database disk image is malformed")


def _no_room(*_: object) -> sqlite3.Connection:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_damaged_file_that_cannot_be_moved_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"damage" * 100)
    monkeypatch.setattr(Path, "rename", _read_only)
    with pytest.raises(OutboxError, match=r"can't be opened: .*Read-only file system"):
        opened(tmp_path)


def _read_only(*_: object) -> None:
    raise OSError(30, "Read-only file system")


def test_what_is_no_want_of_room_costs_no_damaged_file(tmp_path: Path) -> None:
    """It may hold the only copy of frames, and deleting it would not help."""
    (tmp_path / FILE_NAME).write_bytes(b"damage" * 100)
    with closing(opened(tmp_path)) as outbox:
        outbox._db.execute("PRAGMA query_only = ON")
        with pytest.raises(OutboxFullError, match="readonly"):
            outbox.put([waveform()])
        assert len(list(tmp_path.glob("*.corrupt"))) == 1


def test_a_file_that_is_larger_than_the_cap_from_before_gives_only_the_room_that_is_needed(
    tmp_path: Path,
) -> None:
    """The cap of version 1 was that of the rows; dropping some would make the file no smaller."""
    with closing(opened(tmp_path)) as outbox:
        outbox.put([waveform(n, n_samples=3000) for n in range(2000)])
        size = outbox.totals().bytes
    assert (tmp_path / FILE_NAME).stat().st_size > size + 1_000_000
    with closing(opened(tmp_path, cap_bytes=size + 10_000)) as outbox:
        outbox.put([readings()])
        assert outbox.totals().dropped < 10
        for number in range(2000, 2100):
            outbox.put([waveform(number, n_samples=3000)])
        assert outbox.totals().dropped < 110


def test_a_damage_found_at_the_start_of_the_link_leaves_it_with_the_new_epoch(tmp_path: Path) -> None:
    with closing(opened(tmp_path, "1")) as outbox:
        outbox.put([waveform(number) for number in range(300)])
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'frame_room'"  # not read by the opening
        (page,) = outbox._db.execute(sql).fetchone()
    with (tmp_path / FILE_NAME).open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xa5" * 4096)
    with closing(opened(tmp_path, "2")) as outbox:
        settings = AgentSettings("usine", "p1", tmp_path)
        link = LinkThread(
            settings, outbox, (), clock=PlantClock(), monotonic_s=lambda: 0.0, jitter=lambda: 0.0
        )
        assert link.state.epoch == outbox.epoch == "2" * 16
        link.stop()
