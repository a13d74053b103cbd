"""Waveforms that are kept and not sent: in no ledger until somebody wants them, then numbered once."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent import outbox_retained as module
from edge_agent.outbox import FILE_NAME, Outbox, OutboxFullError, open_outbox
from edge_agent.outbox_retained import RetainedTotals, Wish
from edge_agent.timekeeping import STEP_NS, Stamp
from palier.frames import MAX_FRAME_BYTES, Clock
from palier.wire.messages import LedgerReport, Replay
from tests.support.edge_agent import START_NS, readings, waveform
from tests.support.frames import frame_equal
from tests.support.killed_release import ALL, FRAMES, opened

SECOND = 1_000_000_000
Open = Callable[..., Outbox]


@pytest.fixture
def open_here(tmp_path: Path) -> Iterator[Open]:
    """Opens the outbox in tmp_path again and again, the one before closed."""
    held: list[Outbox] = []

    def again(cap_bytes: int = 10**9) -> Outbox:
        for one in held:
            one.close()
        held[:] = [open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=cap_bytes)]
        return held[0]

    yield again
    held[0].close()


def retaining(outbox: Outbox, *numbers: int, n_samples: int = 64, machine: str = "P-101") -> None:
    frames = [waveform(number, n_samples, machine) for number in numbers]
    kept = outbox.put(frames, retain=range(len(frames)))
    assert (kept.seqs, kept.retained) == (None, len(frames))


def starts(outbox: Outbox) -> list[int]:
    """The numbers of the frames that have seqs, in the order of these."""
    rows = [outbox.load(seq) for lo, hi in outbox.pending() for seq in range(lo, hi + 1)]
    return [(found[1].start_ns - START_NS) // SECOND for found in rows if found is not None]


def test_what_is_retained_is_in_no_ledger(open_here: Open) -> None:
    outbox = open_here()
    kept = outbox.put([waveform(0), readings(1), waveform(2)], retain={0, 2})
    assert (kept.seqs, kept.retained) == ((1, 1), 2)
    outbox = open_here()
    assert outbox.report() == LedgerReport("ab" * 8, 1, 1, (), 1, 1, retained=2)
    assert outbox.pending() == ((1, 1),)
    assert outbox.retained().rows == 2


def test_a_release_gives_them_numbers_and_their_samples_are_what_they_were(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([readings(0)])
    retaining(outbox, 3, 1, 2)
    outbox = open_here()
    done = outbox.release(ALL)
    assert (done.seqs, done.left) == (((2, 4),), False)
    assert starts(open_here())[1:] == [1, 2, 3]
    found = open_here().load(3)
    assert found is not None
    assert frame_equal(found[1], waveform(2))


def test_a_large_block_is_released_whole(open_here: Open) -> None:
    outbox = open_here()
    largest = waveform(1, (MAX_FRAME_BYTES - 4096) // 2)
    outbox.put([largest], retain={0})
    outbox.release(ALL)
    found = open_here().load(1)
    assert found is not None
    assert frame_equal(found[1], largest)


def test_nothing_is_released_twice(open_here: Open) -> None:
    outbox = open_here()
    retaining(outbox, 1, 2)
    outbox.release(ALL)
    assert outbox.release(ALL).seqs == ()
    assert outbox.last_seq == 2
    assert outbox.retained() == RetainedTotals()


def test_a_release_is_of_its_time_and_machine(open_here: Open) -> None:
    outbox = open_here()
    retaining(outbox, *range(6))
    retaining(outbox, *range(6), machine="P-102")
    outbox.release(Wish("wish-0001", START_NS + 2 * SECOND, START_NS + 4 * SECOND, "P-102"))
    assert starts(outbox) == [2, 3]
    assert outbox.retained().rows == 10


def test_a_release_goes_piece_by_piece_and_within_its_budget(
    open_here: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_ROWS", 4)
    outbox = open_here()
    retaining(outbox, *range(10))
    size = outbox.retained().bytes // 10
    assert [outbox.release(ALL).left for _ in range(3)] == [True, True, False]
    retaining(outbox, *range(10))
    done = outbox.release(ALL, 2 * size + size // 2, lambda spent: {"spent": str(spent)})
    assert (done.left, outbox.noted("spent")) == (True, str(done.bytes))
    assert done.bytes == pytest.approx(2 * size, abs=8)


def test_a_process_killed_at_each_statement_of_a_release_moves_all_or_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    retaining(outbox, *range(FRAMES))
    whole = outbox.totals().bytes
    outbox.close()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.support.killed_release", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(seen) > 3 * FRAMES
    assert seen[-1]["ended"]
    for one in seen:
        assert (one["retained"], one["numbered"]) in ((FRAMES, []), (0, list(range(1, FRAMES + 1)))), one
        assert (one["bodies"], one["bytes"], one["sound"]) == (FRAMES, whole, True)
    assert seen[-1]["starts"] == [START_NS + number * SECOND for number in range(FRAMES)]


def test_retained_waveforms_go_before_anything_that_waits(open_here: Open) -> None:
    outbox = open_here(500_000)
    outbox.put([waveform(number, 20_000) for number in range(3)])
    retaining(outbox, *range(3, 8), n_samples=20_000)
    kept = outbox.put([waveform(number, 20_000) for number in range(8, 14)])
    assert kept.dropped == ()
    assert outbox.retained().rows < 5
    assert outbox.retained().given_up == 5 - outbox.retained().rows
    assert outbox.report().dropped == ()


def test_of_retained_and_stored_the_oldest_goes_first(open_here: Open) -> None:
    outbox = open_here(500_000)
    outbox.put([waveform(0, 20_000)])
    outbox.acknowledge(((1, 1),))
    retaining(outbox, 1, 2, 3, n_samples=20_000)
    outbox.put([waveform(4, 20_000)])
    outbox.acknowledge(((2, 2),))
    while outbox.retained().rows == 3:
        outbox.put([waveform(5, 20_000)])
    assert outbox.load(1) is None
    assert outbox.load(2) is not None


def test_what_was_given_up_is_counted_across_restarts(open_here: Open) -> None:
    outbox = open_here(200_000)
    for number in range(12):
        retaining(outbox, number, n_samples=20_000)
    given_up = outbox.retained().given_up
    assert given_up > 5
    assert open_here(200_000).retained() == RetainedTotals(12 - given_up, outbox_bytes(open_here), given_up)


def outbox_bytes(open_here: Open) -> int:
    totals = open_here(200_000).totals()
    assert totals.dropped == 0
    return totals.bytes


def test_a_waveform_whose_time_is_not_known_is_not_retained(open_here: Open) -> None:
    outbox = open_here()
    held = Stamp(Clock.UNSYNCED, held=True, boot="b", mono_ns=5, end_ns=7)
    kept = outbox.put([waveform(1)], [held], retain={0})
    assert (kept.seqs, kept.held, kept.retained) == ((1, 1), ((1, 1),), 0)


def test_a_clock_that_is_set_dates_what_is_retained(open_here: Open) -> None:
    outbox = open_here()
    wrong = Stamp(Clock.UNSYNCED, boot="b", mono_ns=5 * STEP_NS, end_ns=START_NS)
    outbox.put([waveform(1)], [wrong], retain={0})
    assert [rows.boot for rows in outbox.boots()] == ["b"]
    outbox.redate("b", START_NS + 100 * SECOND, Clock.HOLDOVER, final=True)
    assert outbox.boots() == ()
    end_ns = START_NS + 100 * SECOND + 5 * STEP_NS
    outbox.release(Wish("wish-0001", end_ns, end_ns))
    found = outbox.load(1)
    assert found is not None
    assert found[1].clock is Clock.HOLDOVER


def test_a_file_of_an_agent_that_retained_nothing_is_opened(open_here: Open, tmp_path: Path) -> None:
    open_here().put([waveform(1)])
    open_here()
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("DROP TABLE retained")
    db.close()
    outbox = open_here()
    retaining(outbox, 2)
    assert starts(outbox) == [1]


def test_a_wish_stays_across_restarts_and_is_no_second_one(open_here: Open) -> None:
    asked = Replay("request-one", START_NS, START_NS + 3 * SECOND, machine="P-101", retained=True)
    outbox = open_here()
    retaining(outbox, 1)
    for _ in range(2):
        piece = outbox.replay(asked, above=0, before=0, now_ns=START_NS)
        assert (piece.frames, piece.done) == (1, True)
        outbox = open_here()
    assert outbox.wishes() == (Wish("request-one", START_NS, START_NS + 3 * SECOND, "P-101"),)
    outbox.close_wish("request-one")
    assert open_here().wishes() == ()
    assert outbox_replay_again(open_here(), asked) == ()


def outbox_replay_again(outbox: Outbox, asked: Replay) -> tuple[Wish, ...]:
    """The same request once more, after all was done: answered, and not done."""
    outbox.replay(asked, above=0, before=0, now_ns=START_NS)
    return outbox.wishes()


def test_a_hundred_machines_that_alarm_at_once_lose_no_wish(open_here: Open) -> None:
    outbox = open_here()
    for k in range(100):
        wanted = Replay(f"request-{k:03}", START_NS, START_NS + SECOND, machine=f"P-{k}", retained=True)
        outbox.replay(wanted, above=0, before=0, now_ns=START_NS)
    assert {wish.machine for wish in outbox.wishes()} == {f"P-{k}" for k in range(100)}


def test_a_wish_for_ever_ends(open_here: Open) -> None:
    outbox = open_here()
    outbox.replay(Replay("request-one", 0, 2**62), above=0, before=0, now_ns=START_NS)
    assert outbox.wishes()[0].end_ns == START_NS + module.WISH_AHEAD_NS


def test_a_wish_is_kept_by_a_gateway_whose_clock_is_days_behind(open_here: Open) -> None:
    outbox = open_here()
    asked = Replay("request-one", START_NS, START_NS + 3 * SECOND, retained=True)
    outbox.replay(asked, above=0, before=0, now_ns=START_NS - 3 * module.WISH_AHEAD_NS)
    assert outbox.wishes() == (Wish("request-one", START_NS, START_NS + 3 * SECOND),)


def test_a_replay_of_one_machine_recalls_no_other(open_here: Open) -> None:
    outbox = open_here()
    outbox.put([waveform(1), waveform(2, machine="P-102"), readings(0)])
    outbox.acknowledge(((1, 3),))
    asked = Replay("request-one", 0, 2**62, machine="P-102")
    assert outbox.replay(asked, above=0, before=0, now_ns=START_NS).again == ((2, 2),)


def test_a_disk_that_refuses_a_release_leaves_all_as_it_was(open_here: Open) -> None:
    outbox = open_here()
    retaining(outbox, 1)
    outbox._opened().execute("PRAGMA query_only = ON")
    with pytest.raises(OutboxFullError):
        outbox.release(ALL)
    outbox._opened().execute("PRAGMA query_only = OFF")
    assert outbox.retained().rows == 1
    assert outbox.release(ALL).seqs == ((1, 1),)


def test_a_wish_that_the_disk_changed_ends_no_agent(open_here: Open) -> None:
    outbox = open_here()
    for text in ("{", "[1]", '[{"request":"x"}]', "null"):
        outbox.note("wishes", text)
        assert open_here().wishes() == ()
        outbox = open_here()


def test_looking_for_what_is_wished_for_commits_nothing_while_there_is_nothing(open_here: Open) -> None:
    outbox = open_here()
    retaining(outbox, 1)
    before = outbox.commits
    nothing = outbox.release(Wish("wish-0001", 0, 1))
    later = outbox.release(ALL, 0)
    assert (nothing.left, later.left, outbox.commits - before) == (False, True, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "retain", "release", "acknowledge", "reopen", "large"]), st.integers(0, 9)
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_each_waveform_is_in_one_place(steps: list[tuple[str, int]]) -> None:
    """Retained, waiting, acknowledged, dropped with a reason, or given up: counted in one of them."""
    numbered = retained = released = 0
    with TemporaryDirectory() as name:
        outbox = small_one(Path(name))
        for step, number in steps:
            match step:
                case "put" | "large":
                    kept = outbox.put([waveform(number, 60_000 if step == "large" else 4_000)])
                    numbered += kept.seqs is not None
                case "retain":
                    retained += outbox.put([waveform(number, 20_000)], retain={0}).retained
                case "release":
                    done = outbox.release(Wish("wish-0001", START_NS, START_NS + (number + 30) * SECOND))
                    released += sum(hi - lo + 1 for lo, hi in done.seqs)
                case "acknowledge":
                    outbox.acknowledge(((1, max(1, outbox.last_seq - number)),))
                case _:
                    outbox.close()
                    outbox = small_one(Path(name))
            report, kept_back = outbox.report(), outbox.retained()
            assert report.seq == numbered + released
            assert retained == kept_back.rows + kept_back.given_up + released
            dropped = sum(hi - lo + 1 for lo, hi, _ in report.dropped)
            assert report.pending + dropped <= report.seq
            assert outbox.totals().bytes <= 400_000
            assert outbox._retained_bytes == module.taken(outbox._opened()) <= 300_000
        outbox.close()


def small_one(folder: Path) -> Outbox:
    return open_outbox(folder, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=400_000)


def test_a_full_outbox_releases_all_it_has(open_here: Open) -> None:
    outbox = open_here(3_000_000)
    number = 0
    while outbox.retained().given_up < 5:
        retaining(outbox, number, n_samples=100_000)
        number += 1
    rows = outbox.retained().rows
    while outbox.release(ALL).left:
        pass
    assert (outbox.retained().rows, outbox.last_seq) == (0, rows)
    assert starts(outbox) == list(range(number - rows, number))
