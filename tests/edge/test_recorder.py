"""From sources to the outbox: nothing is thrown away in between, and one source's failure is its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from edge_agent import recorder as module
from edge_agent.outbox import Kept, Outbox, OutboxFullError, open_outbox
from edge_agent.recorder import Recorder, SourceThread
from palier.frames import MAX_FRAME_BYTES, Frame
from palier.source import Device
from tests.support.edge_agent import waveform
from tests.support.waiting import eventually


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    yield opened
    opened.close()


class Script:
    """A source that yields frames, then raises what it is told to."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error = count, error

    def devices(self) -> tuple[Device, ...]:
        return ()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        for number in range(self.count):
            yield waveform(number)
        if self.error is not None:
            raise self.error


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
    for number in range(module.QUEUE_FRAMES):
        assert recorder.put(waveform(number), stop)
    threading.Timer(0.05, stop.set).start()
    assert not recorder.put(waveform(), stop)


def test_a_full_disk_is_tried_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "DISK_RETRY_S", 0.01)
    real, failures = outbox.put, iter([OutboxFullError("no space")] * 2)

    def sometimes(frames: Sequence[Frame]) -> Kept:
        for failure in failures:
            raise failure
        return real(frames)

    monkeypatch.setattr(outbox, "put", sometimes)
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    with caplog.at_level(logging.ERROR):
        recorder.put(waveform(), threading.Event())
        eventually(lambda: recorder.idle, 5, "the commit")
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


def test_a_source_that_fails_is_opened_again_and_the_others_go_on(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SOURCE_RETRY_S", (0.01, 0.02))
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    later = iter([Script(2, OSError("bus lost")), Script(3)])
    bad = SourceThread("bad", Script(1, ValueError("a defect")), lambda: next(later), recorder)
    good = SourceThread("good", Script(5), lambda: Script(5), recorder)
    with caplog.at_level(logging.ERROR):
        for source in (bad, good):
            source.start()
        eventually(lambda: bad.ended and good.ended, 5, "both sources' ends")
        recorder.stop()
    assert (bad.failures, good.failures) == (2, 0)
    assert outbox.pending() == ((1, 1 + 2 + 3 + 5),)


def test_a_source_that_worked_in_between_is_opened_again_soon(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SOURCE_RETRY_S", (0.01, 1.0))
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    later = iter([Script(0, OSError()), Script(0, OSError()), Script(1, OSError()), Script(0)])
    source = SourceThread("bus", Script(0, OSError()), lambda: next(later), recorder)
    with caplog.at_level(logging.ERROR):
        source.start()
        eventually(lambda: source.ended, 5, "the source's end")
        recorder.stop()
    pauses = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses == [0.01, 0.02, 0.04, 0.01]


class Stored(Script):
    """A source whose frames lie in a store."""

    patient: Literal[True] = True


def test_a_patient_source_waits_while_many_frames_wait_for_the_host(outbox: Outbox) -> None:
    recorder, waiting = Recorder(outbox, lambda _: None), [module.FEW_WAITING]
    recorder.start()
    source = Stored(5)
    thread = SourceThread("stored", source, lambda: source, recorder, lambda: waiting[0])
    thread.start()
    eventually(lambda: outbox.last_seq == 1, 5, "the first frame")
    assert not thread.ended
    assert outbox.last_seq == 1
    waiting[0] = 0
    eventually(lambda: thread.ended, 5, "the end of the source")
    recorder.stop()
    assert outbox.last_seq == 5


def test_a_patient_source_that_waits_is_heard_when_it_is_stopped(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    source = Stored(5)
    thread = SourceThread("stored", source, lambda: source, recorder, lambda: module.FEW_WAITING)
    thread.start()
    eventually(lambda: outbox.last_seq == 1, 5, "the first frame")
    thread.stop()
    thread.join()
    assert thread.ended
    recorder.stop()


def test_a_source_that_says_it_is_not_patient_is_not_held_up(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    source = Script(3)
    source.patient = False  # type: ignore[attr-defined]
    thread = SourceThread("live", source, lambda: source, recorder, lambda: module.FEW_WAITING)
    thread.start()
    eventually(lambda: thread.ended, 5, "the end of the source")
    recorder.stop()
    assert outbox.last_seq == 3
