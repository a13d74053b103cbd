"""The stream: what is told, and only when it changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

from dashboards.console.context import Console
from dashboards.console.events import Follower
from dashboards.console.live import MOST_STREAMS, Board, Live
from dashboards.console.news import Audience, event
from dashboards.console.series import ChannelRef
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_sample_plant
from tests.page.conftest import make_app
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS, NS, Course, add_blocks
from tests.support.waiting import eventually


@pytest.fixture
def app(seeded: Path) -> Starlette:
    return make_app(seeded)


def told(message: str) -> dict[str, Any]:
    data = json.loads(message.split("data: ", 1)[1])
    assert isinstance(data, dict)
    return data


def add_one(path: Path, course: Course, after_ns: int) -> None:
    writer = SqliteHistorian(path)
    ts = np.array([NOW_NS + after_ns], dtype=np.int64)
    add_blocks(writer, load_sample_plant(), course, ts, np.array([course.velocity_mm_s]))
    writer.close()


async def board_of(console: Console) -> Board:
    console.live._read_at = -10.0  # the next board is read anew
    return await console.live.board()


def test_a_page_is_told_everything_once_and_then_only_what_changed(app: Starlette, seeded: Path) -> None:
    console: Console = app.state.console

    async def story() -> None:
        follower = Follower(console, Audience(console.words["fr"], "", "overview"))
        shell, first = await follower.news(await board_of(console))
        assert set(told(first)["tiles"]) == {"P-101", "C-201", "V-301", "L-401", "B-501"}
        assert {"summary", "announce"} <= told(first).keys()
        assert told(shell)["waiting"] == 0
        assert told(shell)["banner"] == ""
        assert await follower.news(await board_of(console)) == []

        add_one(seeded, Course("C-201", 6.0), NS)
        (news,) = await follower.news(await board_of(console))
        assert list(told(news)["tiles"]) == ["C-201"]
        assert told(news)["order"] == ["V-301", "C-201", "P-101", "B-501", "L-401"]
        assert told(news)["announce"] == "2 danger, 1 alerte, 1 apprentissage, 1 normal"

    asyncio.run(story())


def test_a_line_keeps_its_head_and_moves_with_its_worst_machine(seeded: Path) -> None:
    sample = load_sample_plant()
    machines = tuple(
        replace(machine, line="Broyage" if machine.id == "P-101" else "") for machine in sample.machines
    )
    console: Console = make_app(seeded, replace(sample, machines=machines)).state.console

    async def story() -> None:
        follower = Follower(console, Audience(console.words["fr"], "", "overview"))
        _, first = await follower.news(await board_of(console))
        assert {"/", "/Broyage"} <= set(told(first)["tiles"])
        assert told(first)["order"] == ["/", "V-301", "B-501", "L-401", "C-201", "/Broyage", "P-101"]
        add_one(seeded, Course("P-101", 14.0), NS)
        (news,) = await follower.news(await board_of(console))
        assert list(told(news)["tiles"]) == ["P-101"]
        assert told(news)["order"][:2] == ["/Broyage", "P-101"]

    asyncio.run(story())


def test_a_machine_page_is_told_of_its_machine_only(app: Starlette, seeded: Path) -> None:
    console: Console = app.state.console

    async def story() -> None:
        follower = Follower(console, Audience(console.words["fr"], ""), "P-101", ChannelRef("2", "H"))
        _, machine = await follower.news(await board_of(console))
        assert machine.startswith("event: machine\n")
        assert {"head", "points", "values"} <= set(told(machine)["fragments"])
        assert told(machine)["newest_ms"] == NOW_NS // 1_000_000

        add_one(seeded, Course("B-501", 0.9), NS)
        news = await follower.news(await board_of(console))
        assert news == []

    asyncio.run(story())


def test_a_machine_that_nobody_knows_is_told_of_by_nothing(app: Starlette) -> None:
    console: Console = app.state.console

    async def story() -> None:
        follower = Follower(console, Audience(console.words["fr"], ""), "NOPE")
        news = await follower.news(await board_of(console))
        assert [message.split("\n")[1] for message in news] == ["event: shell"]

    asyncio.run(story())


def test_an_event_is_one_line_of_data_whatever_the_text() -> None:
    assert event("x", {"a": "one\ntwo"}) == 'event: x\ndata: {"a":"one\\ntwo"}\n\n'


def test_one_reading_serves_all_who_ask_within_a_second(app: Starlette) -> None:
    console: Console = app.state.console
    reads: list[float] = []
    live = Live(
        console.plant,
        console.queries,
        console.clock,
        limits={},
        on_read=lambda _board, seconds: reads.append(seconds),
        monotonic=lambda: 100.0,
    )

    async def story() -> None:
        await asyncio.gather(*(live.board() for _ in range(20)))

    asyncio.run(story())
    assert len(reads) == 1


def lines_of(answer: httpx.Response) -> Iterator[str]:
    return (line for line in answer.iter_lines() if line)


def test_a_stream_speaks_at_once_and_is_no_longer_counted_when_its_page_is_gone(app: Starlette) -> None:
    live: Live = app.state.console.live
    with page_client(app) as client:
        with client.stream("GET", "/events?lang=en") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = lines_of(answer)
            assert next(lines) == "retry: 2000"
            assert next(lines) == "event: beat"
            assert next(lines).startswith("data: ")
            assert next(lines) == f"id: {NOW_NS + 2 * NS}"
            assert next(lines) == "event: shell"
            assert live.streams == 1
        eventually(lambda: live.streams == 0, what="the stream to be counted out")


def test_a_page_is_told_nothing_that_it_was_drawn_with(app: Starlette) -> None:
    console: Console = app.state.console

    async def story() -> None:
        board = await console.live.board()
        shown = console.live.board_of(board.now_ns)
        assert shown is board
        audience = Audience(console.words["fr"], "", "overview")
        assert await Follower(console, audience, shown=shown).news(board) == []
        assert console.live.board_of(board.now_ns - 1) is None

    asyncio.run(story())


def test_a_page_that_was_drawn_long_ago_is_told_everything(app: Starlette) -> None:
    with (
        page_client(app) as client,
        client.stream("GET", "/events?page=overview&since=17", headers={"last-event-id": "9" * 40}) as answer,
    ):
        assert any(
            line.startswith("event: overview") for _, line in zip(range(9), lines_of(answer), strict=False)
        )


def test_too_many_streams_are_refused(app: Starlette) -> None:
    live: Live = app.state.console.live
    with page_client(app) as client:
        live.streams = MOST_STREAMS
        answer = client.get("/events")
        live.streams = 0
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"


def test_streams_end_when_the_server_is_told_to_stop(app: Starlette) -> None:
    with page_client(app) as client, client.stream("GET", "/events") as answer:
        lines = lines_of(answer)
        next(lines)
        app.state.console.live.close()
        assert sum(1 for _ in lines) < 20  # the stream ends by itself
