"""From sources to the outbox: nothing is thrown away in between while the disk takes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_agent import recorder as module
from edge_agent.intake import QUEUE_FRAMES
from edge_agent.outbox import Kept, Outbox, OutboxFullError, open_outbox
from edge_agent.recorder import Recorder
from palier.frames import MAX_FRAME_BYTES, Frame
from tests.support.edge_agent import waveform
from tests.support.waiting import eventually


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    yield opened
    opened.close()


def test_everything_put_is_on_disk_when_it_has_stopped(outbox: Outbox) -> None:
    kept: list[Kept] = []
    recorder = Recorder(outbox, kept.append)
    recorder.start()
    for number in range(40):
        assert recorder.put(waveform(number), threading.Event())
    recorder.stop()
    assert outbox.pending() == ((1, 40),)
    assert [seq for one in kept if one.seqs for seq in range(one.seqs[0], one.seqs[1] + 1)] == [*range(1, 41)]
    assert recorder.idle


def test_a_source_waits_for_a_slow_disk_and_gives_up_only_at_a_stop(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)  # never started: nothing is taken from the queue
    stop = threading.Event()
    for number in range(QUEUE_FRAMES):
        assert recorder.put(waveform(number), stop)
    threading.Timer(0.05, stop.set).start()
    assert not recorder.put(waveform(), stop)


def test_a_full_disk_is_tried_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "DISK_RETRY_S", 0.01)
    real, failures = outbox.put, iter([OutboxFullError("no space")] * 2)

    def sometimes(frames: Sequence[Frame], *, lost: int) -> Kept:
        for failure in failures:
            raise failure
        return real(frames, lost=lost)

    monkeypatch.setattr(outbox, "put", sometimes)
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    with caplog.at_level(logging.ERROR):
        recorder.put(waveform(), threading.Event())
        eventually(lambda: recorder.idle, 30, "the commit")
        recorder.stop()
    assert outbox.pending() == ((1, 1),)
    assert recorder.disk_refusals == 2


def test_frames_too_large_are_counted(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    with caplog.at_level(logging.ERROR):
        recorder.put(waveform(n_samples=MAX_FRAME_BYTES // 2), threading.Event())
        recorder.stop()
    assert recorder.refused == 1
    assert "use shorter blocks" in caplog.text
