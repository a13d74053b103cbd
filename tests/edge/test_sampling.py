"""A source at work: its failure or silence is its own, and it is opened again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from edge_agent import sampling as module
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.recorder import Recorder
from edge_agent.sampling import SourceThread
from palier.frames import Frame
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


def test_a_source_that_fails_is_opened_again_and_the_others_go_on(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.01, 0.02))
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    later = iter([Script(2, OSError("bus lost")), Script(3)])
    bad = SourceThread("bad", Script(1, ValueError("a defect")), lambda: next(later), recorder)
    good = SourceThread("good", Script(5), lambda: Script(5), recorder)
    with caplog.at_level(logging.ERROR):
        for source in (bad, good):
            source.start()
        eventually(lambda: bad.ended and good.ended, 30, "both sources' ends")
        recorder.stop()
    assert (bad.failures, good.failures) == (2, 0)
    assert outbox.pending() == ((1, 1 + 2 + 3 + 5),)


def test_a_source_that_worked_in_between_is_opened_again_soon(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.01, 1.0))
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    later = iter([Script(0, OSError()), Script(0, OSError()), Script(1, OSError()), Script(0)])
    source = SourceThread("bus", Script(0, OSError()), lambda: next(later), recorder)
    with caplog.at_level(logging.ERROR):
        source.start()
        eventually(lambda: source.ended, 30, "the source's end")
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
    eventually(lambda: outbox.last_seq == 1, 30, "the first frame")
    assert not thread.ended
    assert outbox.last_seq == 1
    waiting[0] = 0
    eventually(lambda: thread.ended, 30, "the end of the source")
    recorder.stop()
    assert outbox.last_seq == 5


def test_a_patient_source_that_waits_is_heard_when_it_is_stopped(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    source = Stored(5)
    thread = SourceThread("stored", source, lambda: source, recorder, lambda: module.FEW_WAITING)
    thread.start()
    eventually(lambda: outbox.last_seq == 1, 30, "the first frame")
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
    eventually(lambda: thread.ended, 30, "the end of the source")
    recorder.stop()
    assert outbox.last_seq == 3


class Hanging(Script):
    """A driver that yields some frames, then never comes back from its bus."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.bus = threading.Event()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        yield from super().frames(stop)
        self.bus.wait()  # whatever `stop` says
        yield waveform(999)


def test_a_source_that_hangs_is_given_up_and_opened_again_and_the_others_go_on(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    stuck, fresh, other = Hanging(2), Script(3), Hanging(1)
    now = [0.0]
    hung = SourceThread("i2c", stuck, lambda: fresh, recorder, timeout_s=30, monotonic_s=lambda: now[0])
    good = SourceThread("good", other, lambda: other, recorder, timeout_s=30)
    with caplog.at_level(logging.ERROR):
        for source in (hung, good):
            source.start()
        eventually(lambda: hung.frames == 2 and good.frames == 1, 30, "the first frames")
        now[0] = 29.0
        hung.look()
        assert hung.timeouts == 0
        now[0] = 31.0
        hung.look()
        eventually(lambda: hung.ended, 30, "the end of the source that was opened again")
        stuck.bus.set()  # the bus comes back: what it gives now is from a thread that was given up
        eventually(lambda: not hung._given_up[0].thread.is_alive(), 30, "the end of the first thread")
        assert (hung.timeouts, hung.failures, hung.problem) == (1, 0, "")
        assert good.problem == ""
        other.bus.set()
        eventually(lambda: good.ended, 30, "the other source's end")
        recorder.stop()
    assert outbox.last_seq == 2 + 3 + 2
    assert "source i2c hangs: nothing for 31 s" in caplog.text


def test_opening_again_that_hangs_too_takes_longer_each_time_and_has_an_end(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, bus, now = Recorder(outbox, lambda _: None), threading.Event(), [0.0]

    def reopen() -> Script:
        bus.wait()
        return Script(1)

    source = SourceThread("i2c", None, reopen, recorder, timeout_s=10, monotonic_s=lambda: now[0])
    with caplog.at_level(logging.ERROR):
        source.start()
        times = []
        while not source.hopeless:
            eventually(lambda: source._turn.since_s == now[0], 30, "a thread in the driver")
            times.append(source.allowed_s)
            now[0] += source.allowed_s + 1
            source.look()
        assert times == [10, 20, 40]
        now[0] += 1e6
        source.look()
        assert source.timeouts == module.MAX_GIVEN_UP
        assert source.problem.startswith("source i2c hangs")
        bus.set()
        eventually(lambda: not source.hopeless, 30, "the end of a thread that was given up")
        recorder.start()
        source.look()
        eventually(lambda: source.ended, 30, "the source, opened again")
        recorder.stop()
    assert outbox.last_seq == 1


def test_a_slow_source_is_known_by_its_own_pace(outbox: Outbox) -> None:
    class Slow(Script):
        def frames(self, stop: threading.Event) -> Iterator[Frame]:
            for number in range(3):
                now[0] += 3600.0
                yield waveform(number)
            bus.wait()

    recorder, now, bus = Recorder(outbox, lambda _: None), [0.0], threading.Event()
    source = SourceThread("slow", Slow(0), lambda: Slow(0), recorder, monotonic_s=lambda: now[0])
    source.start()
    eventually(lambda: source.frames == 3, 30, "three frames")
    assert source.allowed_s == 36_000.0
    now[0] += 35_000.0
    source.look()
    assert source.timeouts == 0
    bus.set()
    source.stop()
    source.join()


class Mending(Script):
    """Connects again by itself, and says so meanwhile."""

    problem = "the server 10.0.0.5 can't be reached"
    notes = ("its certificate expires on 2026-12-01",)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        yield waveform(0)
        stop.wait(20)


def test_a_source_that_mends_itself_says_what_is_wrong_in_its_own_words(outbox: Outbox) -> None:
    recorder = Recorder(outbox, lambda _: None)
    recorder.start()
    source = SourceThread("opcua", Mending(0), lambda: Mending(0), recorder)
    assert (source.problem, source.notes) == ("", ())
    source.start()
    eventually(lambda: source.frames, 30, "its frame")
    assert source.problem == "source opcua: the server 10.0.0.5 can't be reached"
    assert source.notes == ("source opcua: its certificate expires on 2026-12-01",)
    source.stop()
    source.join()
    recorder.stop()
