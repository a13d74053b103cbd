"""The page while its InfluxDB is away or half open: quick, honest, and it asks once for all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from dashboards.console import app as console_app
from dashboards.console.app import create_app
from dashboards.console.live import READ_S
from palier.historian.opening import HistorianSettings, open_historian
from palier.limits import load_limits
from palier.plant import load_sample_plant
from tests.page.conftest import StandingClock
from tests.support.influx_scripted import Scripted, running_scripted
from tests.support.page_server import page_client
from tests.support.waiting import eventually

API = "/api/machines/P-101/"


def app_over(url: str, read_s: float) -> Starlette:
    settings = HistorianSettings(url=url, username="u", password="p")
    return create_app(
        load_sample_plant(),
        historian=None,
        open_historian=lambda: open_historian(settings, Path(), read_only=True, read_s=read_s),
        limits=load_limits(),
        records=Path("no-records.sqlite"),
        clock=StandingClock(),
    )


@pytest.fixture
def away() -> Iterator[Scripted]:
    with running_scripted() as server:
        server.answer = lambda *_: (503, {}, b'{"error":"starting"}')
        yield server


@pytest.fixture
def half_open() -> Iterator[socket.socket]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_one_question_to_a_server_that_is_away_answers_all(away: Scripted) -> None:
    with page_client(app_over(away.url, 5.0)) as client:
        assert client.get("/").status_code == 200
        asked = len(away.seen)
        for what in ("trend", "temperature", "spectrum", "values"):
            assert client.get(API + what + "?point=1&channel=H").status_code == 503
        assert client.get("/readyz").status_code == 503
        assert len(away.seen) == asked > 0


def test_the_table_of_values_says_that_it_could_not_be_read(away: Scripted) -> None:
    with page_client(app_over(away.url, 5.0)) as client:
        html = client.get("/machine/P-101?lang=en").text
    assert "The values can&#39;t be read now." in html
    assert "No block has come" not in html
    assert "Check the InfluxDB server (or the disk) and the ingest." in html


def test_a_half_open_server_holds_a_page_for_one_wait(half_open: socket.socket) -> None:
    """Waits are counted: each is a connection."""
    with page_client(app_over(url_of(half_open), 0.4)) as client:
        assert client.get("/machine/P-101").status_code == 200
        assert client.get(API + "trend?point=1&channel=H").status_code == 503
    half_open.accept()[0].close()
    half_open.settimeout(0)
    with pytest.raises(BlockingIOError):
        half_open.accept()
    assert READ_S <= 5


def test_readiness_does_not_hang_with_the_server(
    half_open: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_app, "READY_S", 0.05)
    with page_client(app_over(url_of(half_open), 100.0)) as client:
        assert client.get("/readyz").status_code == 503  # long before the 100 s: the client would give up
        half_open.accept()[0].close()
        assert eventually(lambda: "does not answer" in client.get("/readyz").text, what="the known state")
