"""Retained waveforms have a part of the outbox; the rest is for frames with a number, whoever opens it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent import outbox_retained as retained
from edge_agent import outbox_room as room
from edge_agent.outbox import FILE_NAME, Outbox, OutboxFullError, open_outbox
from palier import ranges
from tests.support.edge_agent import readings, waveform

CAP = 8_000_000
PART = int(CAP * room.RETAINED_SHARE)
SAMPLES = 100_000  # 200 kB


def opened(folder: Path, cap_bytes: int = CAP) -> Outbox:
    return open_outbox(folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=cap_bytes)


def taken(outbox: Outbox) -> int:
    """What retained rows take of the file, as the rows themselves say it."""
    return retained.taken(outbox._opened())


def flood(outbox: Outbox, frames: int, n_samples: int = SAMPLES) -> None:
    for number in range(frames):
        outbox.put([waveform(number, n_samples)], retain={0})


@pytest.mark.parametrize("n_samples", [SAMPLES, 1_100, 2_900], ids=["blocks", "half_pages", "odd_pages"])
def test_a_flood_of_retained_waveforms_keeps_within_its_part(tmp_path: Path, n_samples: int) -> None:
    """Also in the pages of the file, of which a row of half a page has one for itself."""
    with closing(opened(tmp_path)) as outbox:
        size = retained.in_file(2 * n_samples + 400)
        frames = 2 * CAP // size
        flood(outbox, frames, n_samples)
        kept, db = outbox.retained(), outbox._opened()
        assert PART - 2 * size < taken(outbox) <= PART
        assert kept.rows + kept.given_up == frames
        pages, unused = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        assert (pages - unused) * retained.PAGE <= PART * 1.04  # the tables and indexes themselves


def test_the_oldest_are_given_up_for_the_bound(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        flood(outbox, 50)
        rows = outbox.retained().rows
        outbox.release(retained.Wish("wish-of-all", 0, 2**62))
        found = outbox.load(1)
        assert found is not None
        assert found[1].start_ns == waveform(50 - rows).start_ns


def test_an_agent_of_before_has_the_rest_of_a_full_outbox(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for number in range(60):
            outbox.put([waveform(number, SAMPLES), readings(number)], retain={0})
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("ALTER TABLE retained RENAME TO unknown")  # it sees none of them, and their bodies stay
        db.commit()
    size = 2 * SAMPLES + 400
    with closing(opened(tmp_path)) as before:
        waiting = ranges.count(before.pending())
        for number in range(int((CAP - PART) / size) - 1):
            kept = before.put([waveform(100 + number, SAMPLES)])
            assert kept.dropped == ()
            waiting += 1
        assert ranges.count(before.pending()) == waiting


def test_an_outbox_above_the_bound_comes_down_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "DOWN_BYTES", 600_000)
    with monkeypatch.context() as unbounded, closing(opened(tmp_path)) as outbox:
        unbounded.setattr(room, "RETAINED_SHARE", 1.0)
        flood(outbox, 60)
        above = taken(outbox)
        assert above > PART + 1_200_000
    caplog.clear()
    with closing(opened(tmp_path)) as outbox:
        assert "kept and not sent take 8 MB of the outbox, and may take 6 MB" in caplog.text
        steps = [above]
        while steps[-1] > PART:
            outbox.put([readings(len(steps))])
            steps.append(taken(outbox))
            assert steps[-2] > steps[-1] >= min(PART, steps[-2] - 600_000) - retained.in_file(2 * SAMPLES)
        assert len(steps) > 3
    caplog.clear()
    with closing(opened(tmp_path)):
        assert caplog.text == ""


def test_nothing_that_waits_goes_for_a_waveform_that_is_to_be_retained(tmp_path: Path) -> None:
    with closing(opened(tmp_path, 2_000_000)) as outbox:
        for number in range(9):
            outbox.put([waveform(number, SAMPLES)])
        kept = outbox.put([waveform(number, SAMPLES) for number in range(9, 12)], retain=range(3))
        assert (kept.dropped, kept.seqs, kept.retained) == ((), None, 3)
        assert (outbox.pending(), outbox.retained().given_up) == (((1, 9),), 3)


def test_a_commit_that_fails_gives_up_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        flood(outbox, 50)
        before, bytes_before = outbox.retained(), outbox._retained_bytes
        outbox._opened().execute("PRAGMA query_only = ON")
        with pytest.raises(OutboxFullError):
            flood(outbox, 1)
        outbox._opened().execute("PRAGMA query_only = OFF")
        assert (outbox.retained(), outbox._retained_bytes) == (before, bytes_before)
