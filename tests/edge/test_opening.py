"""Sources at the start: a mistake in the file ends the agent, a bus that is not there does not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent import opening
from edge_agent.opening import SourceError, open_or_later
from edge_agent.service import AgentService, build
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from palier.clock import PlantClock
from palier.source import Source
from tests.support.services import free_port
from tests.support.tapped_agent import Tap
from tests.support.waiting import eventually


@dataclass
class Point:
    """An entry point."""

    name: str
    opens: Callable[[], Source]

    def load(self) -> Callable[[object, PlantClock], Source]:
        return lambda _options, _clock: self.opens()


def offer(monkeypatch: pytest.MonkeyPatch, **sources: Callable[[], Source]) -> None:
    points = [Point(name, opens) for name, opens in sources.items()]
    monkeypatch.setattr(opening, "entry_points", lambda group: points)


def fails(error: Exception) -> Callable[[], Source]:
    def opens() -> Source:
        raise error

    return opens


def test_what_is_wrong_in_the_file_is_an_error_and_what_is_away_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offer(monkeypatch, bad=fails(ValueError("no such pin")), away=fails(OSError(19, "No such device")))
    with pytest.raises(SourceError, match="source 'bad': no such pin"):
        open_or_later(SourceSettings("bad"), PlantClock())
    with caplog.at_level(logging.ERROR):
        assert open_or_later(SourceSettings("away"), PlantClock()) is None
    assert "source away can't be opened" in caplog.text


def test_a_driver_that_hangs_at_its_opening_does_not_hold_up_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "OPEN_S", 0.05)
    bus = threading.Event()

    def opens() -> Source:
        bus.wait(100)
        return Tap()

    offer(monkeypatch, slow=opens)
    with caplog.at_level(logging.ERROR):
        assert open_or_later(SourceSettings("slow"), PlantClock()) is None
    bus.set()
    assert "does not open within" in caplog.text


def test_an_agent_begins_with_the_sources_that_are_there_and_says_which_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tap, late, there = Tap(), Tap(), threading.Event()

    def opens() -> Source:
        if not there.is_set():
            raise OSError(19, "No such device")
        return late

    monkeypatch.setattr("edge_agent.sampling.RETRY_S", (0.02, 0.05))
    offer(monkeypatch, good=lambda: tap, away=opens)
    settings = AgentSettings(
        "usine",
        "p1",
        tmp_path,
        broker=BrokerSettings(port=free_port()),
        sources=(SourceSettings("good"), SourceSettings("away")),
    )
    with caplog.at_level(logging.ERROR):
        service: AgentService = build(settings)
        service.start()
        try:
            tap.give(3)
            eventually(lambda: service.outbox.last_seq == 3, 30, "the frames of the good source")
            eventually(
                lambda: any("source away fails: OSError" in said for said in service.report().problems),
                30,
                "the name of the one that fails",
            )
            assert service.report().alive
            there.set()
            late.give(2)
            eventually(lambda: service.outbox.last_seq == 5, 30, "the frames of the late source")
            assert service.problems() == ()
        finally:
            service.stop()
