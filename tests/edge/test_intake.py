"""Frames on their way to a disk that is slow, refuses, or hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import intake as module
from edge_agent import recorder as recorder_module
from edge_agent.intake import QUEUE_BYTES, QUEUE_FRAMES, RING_BYTES, RING_FRAMES, Intake
from edge_agent.outbox import Kept, Outbox, OutboxFullError, open_outbox
from edge_agent.recorder import Recorder
from palier.frames import Frame
from palier.wire.messages import wire_bytes
from tests.support.edge_agent import readings, waveform
from tests.support.waiting import eventually

GO = threading.Event()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    yield opened
    opened.close()


def refused(count: int) -> Intake:
    """An intake whose disk refused a frame once; `count` more came."""
    intake = Intake()
    assert intake.put(readings(0), GO)
    batch, _ = intake.take(0)
    intake.back(batch)
    for number in range(count):
        assert intake.put(waveform(number), GO)
    return intake


def test_while_the_disk_refuses_nobody_waits_and_the_oldest_waveforms_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 3600.0)  # who waits at all waits until the test is ended
    intake = refused(RING_FRAMES + 9)
    assert (intake.waiting, intake.lost) == (RING_FRAMES, 10)
    (first,), lost = intake.take(0)  # one at a time: the smallest commit
    assert isinstance(first, type(readings(0)))
    assert lost == 10


def test_a_source_that_can_wait_waits_and_loses_nothing() -> None:
    intake = refused(QUEUE_FRAMES)
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert not intake.put(waveform(), stop, can_wait=True)
    assert intake.lost == 0


def test_a_commit_that_hangs_does_not_hold_up_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    intake = Intake()
    for number in range(QUEUE_FRAMES + 3):
        assert intake.put(waveform(number), GO)
    assert (intake.waiting, intake.lost) == (QUEUE_FRAMES + 3, 0)


def test_the_source_of_a_large_block_samples_on_once_it_is_on_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else one of 4 MB would wait, one be committed, and one be sampled, in an agent with 60 MB."""
    monkeypatch.setattr(module, "PATIENCE_S", 3600.0)
    intake, large = Intake(), waveform(n_samples=QUEUE_BYTES)
    source = threading.Thread(target=intake.put, args=(large, GO))
    source.start()
    assert len(intake.take(30)[0]) == 1
    assert source.is_alive()
    second = threading.Thread(target=intake.put, args=(waveform(n_samples=QUEUE_BYTES), GO))
    second.start()
    assert intake.waiting == 1  # the other one is not taken before
    intake.done(0)
    source.join(30)
    assert not source.is_alive()
    eventually(lambda: intake.waiting == 1, 30, "the second block")
    assert len(intake.take(30)[0]) == 1
    intake.done(0)
    second.join(30)
    assert (second.is_alive(), intake.lost) == (False, 0)


@given(st.lists(st.sampled_from([64, 20_000, 1_000_000]), max_size=60), st.integers(0, 60))
def test_the_ring_is_bounded_and_counts_every_frame(sizes: list[int], taken: int) -> None:
    intake, told = refused(0), 0
    for size in sizes:
        intake.put(waveform(n_samples=size), GO)
    held = list(intake._frames)
    assert len(held) == 1 or sum(map(wire_bytes, held)) <= RING_BYTES
    for _ in range(taken):
        batch, lost = intake.take(0)
        if batch:
            intake.done(lost)
            told += lost + len(batch)
    while intake.waiting:
        batch, lost = intake.take(0)
        intake.done(lost)
        told += lost + len(batch)
    assert told == len(sizes) + 1


def test_what_did_not_fit_into_memory_is_in_the_ledger_when_the_disk_is_back(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder_module, "DISK_RETRY_S", 0.01)
    monkeypatch.setattr(module, "RING_FRAMES", 20)
    full = threading.Event()
    full.set()
    real = outbox.put

    def put(frames: Sequence[Frame], *, lost: int) -> Kept:
        if full.is_set():
            raise OutboxFullError("no space")
        return real(frames, lost=lost)

    monkeypatch.setattr(outbox, "put", put)
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    with caplog.at_level(logging.ERROR):
        assert recorder.put(waveform(), GO)
        eventually(lambda: recorder.intake.refusing, 30, "the refusal")
        for number in range(100):
            assert recorder.put(waveform(number), GO)
        full.clear()
        eventually(lambda: recorder.idle, 30, "the disk's frames")
        recorder.stop()
    report = outbox.report()
    assert report.acquired == 101
    assert sum(hi - lo + 1 for lo, hi, _ in report.dropped) == recorder.intake.lost > 70
    assert {reason for _, _, reason in report.dropped} == {"disk"}
    assert report.pending + recorder.intake.lost == 101


def test_at_a_stop_the_journal_tells_every_frame_that_the_ledger_does_not(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def put(frames: Sequence[Frame], *, lost: int) -> Kept:
        raise OutboxFullError("no space")

    monkeypatch.setattr(module, "RING_FRAMES", 20)
    monkeypatch.setattr(outbox, "put", put)
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    with caplog.at_level(logging.ERROR):
        recorder.put(waveform(), GO)
        eventually(lambda: recorder.intake.refusing, 30, "the refusal")
        for number in range(99):
            recorder.put(waveform(number), GO)
        recorder.stop()
    assert "100 frames are lost" in caplog.text
