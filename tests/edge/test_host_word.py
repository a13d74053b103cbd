"""What the host says of machines: heeded by sources, and kept over a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edge_agent.host_word import KEY, HostWord
from edge_agent.outbox import Kept, Outbox, OutboxFullError, open_outbox
from edge_agent.recorder import Recorder
from edge_agent.sampling import SourceThread
from palier.frames import Frame
from palier.source import Device, Standing
from palier.wire import messages
from palier.wire.messages import DangerLimit
from palier.wire.payload import DecodeError, decode
from tests.support.fake_host import FakeHost
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent, complete
from tests.support.waiting import eventually

LIMITS = (DangerLimit("P-101", "2/x", 7.1), DangerLimit("P-101", "2/y", 7.1), DangerLimit("F-1", "1/x", 11.2))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = open_outbox(tmp_path, "usine/p1", draw_epoch=lambda: "ab" * 8, cap_bytes=10**9)
    yield opened
    opened.close()


def test_each_machine_hears_of_itself(outbox: Outbox) -> None:
    word = HostWord(outbox, {"P-101": 1_480.0}.get)
    assert word.standing("P-101") == Standing(speed_rpm=1_480.0)
    word.take(LIMITS, ("F-1",))
    assert word.standing("P-101") == Standing({"2/x": 7.1, "2/y": 7.1}, False, 1_480.0)
    assert word.standing("F-1") == Standing({"1/x": 11.2}, True)
    assert [word.in_alarm(machine) for machine in ("F-1", "P-101")] == [True, False]
    word.take((), ())
    assert word.standing("F-1") == Standing()


def test_it_is_remembered_after_a_restart(outbox: Outbox) -> None:
    HostWord(outbox).take(LIMITS, ("F-1",))
    assert HostWord(outbox).standing("F-1") == Standing({"1/x": 11.2}, True)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"limits": {"P": 7}}', '{"limits": {"P": {"1/x": "a"}}}'])
def test_a_memory_that_cant_be_read_is_none(outbox: Outbox, text: str) -> None:
    outbox.note(KEY, text)
    assert HostWord(outbox).standing("P") == Standing()


def test_a_full_disk_costs_the_memory_alone(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_key: str, _value: str) -> None:
        raise OutboxFullError("no space")

    monkeypatch.setattr(outbox, "note", full)
    word = HostWord(outbox)
    word.take(LIMITS, ())
    assert word.standing("F-1").limits == {"1/x": 11.2}


def test_limits_that_no_source_watches_are_openly_so(outbox: Outbox) -> None:
    word = HostWord(outbox)
    word.take(LIMITS, ())
    word.standing("P-101")
    (told,) = word.notes()
    assert "danger limits for F-1: no source of this gateway cuts danger blocks" in told
    word.standing("F-1")
    assert word.notes() == ()


def test_attention_goes_with_the_limits_on_the_wire() -> None:
    read = decode(messages.limits_payload(LIMITS, 1, ("F-1", "P-101")))
    assert messages.read_limits(read) == LIMITS
    assert messages.read_attention(read) == ("F-1", "P-101")
    assert messages.read_attention(decode(messages.limits_payload(LIMITS, 1))) == ()
    with pytest.raises(DecodeError, match="a name must match"):
        messages.read_attention(decode(messages.limits_payload((), 1, ("a/b",))))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_limit_that_any_second_exceeds_is_refused(value: float) -> None:
    """It would send each danger block's waveform, whatever the budget."""
    told = messages.limits_payload((DangerLimit("P-101", "2/x", value),), 1)
    with pytest.raises(DecodeError, match="must be a number above 0"):
        messages.read_limits(decode(told))


def test_a_running_agent_hands_it_to_its_sources(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with FakeHost(mosquitto.port) as host:
        agent = Agent(tmp_path / "outbox", mosquitto.port)
        try:
            agent.tap.give(1)
            complete(agent, host, 1)
            host.command(messages.limits_payload(LIMITS, 1, ("F-1",)))
            standing: Callable[[str], Standing] = agent.service.word.standing
            eventually(lambda: standing("F-1").attention, 30, "the host's word")
            assert "F-1" not in "".join(agent.service.report().notes)
            assert any("P-101" in note for note in agent.service.report().notes)
        finally:
            agent.service.stop()


def test_a_source_gets_the_hosts_word_before_its_first_frame() -> None:
    class Heeds:
        told: Callable[[str], Standing] | None = None

        def devices(self) -> tuple[Device, ...]:
            return ()

        def frames(self, _stop: threading.Event) -> Iterator[Frame]:
            assert self.told is not None
            limits.append(self.told("P").limits)
            return iter(())

        def heed(self, told: Callable[[str], Standing]) -> None:
            self.told = told

    limits: list[object] = []
    source = Heeds()
    thread = SourceThread(
        "x", source, Heeds, Recorder(Refuses(), print), standing=lambda m: Standing({m: 7.1})
    )
    thread.start()
    eventually(lambda: thread.ended, 30, "the end of the source")
    assert limits == [{"P": 7.1}]


class Refuses:
    """An outbox that is never asked."""

    def put(self, frames: Sequence[Frame], *, lost: int) -> Kept:
        raise AssertionError(f"no frame was given, got {len(frames)}, {lost}")
