"""The thread that reads the historian: absent, replaced, broken, overloaded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dashboards.console.reader import MOST_WAITING, Absent, Busy, HistorianReader
from palier.historian.base import Historian, Unavailable
from palier.historian.sqlite import SqliteHistorian
from tests.support.seeding import seeded_plant


def open_read_only(path: Path) -> Historian:
    return SqliteHistorian(path, read_only=True)


@asynccontextmanager
async def reader_of(
    path: Path, open_historian: Callable[[Path], Historian] = open_read_only
) -> AsyncIterator[HistorianReader]:
    reader = HistorianReader(path, lambda: open_historian(path), name="test")
    try:
        yield reader
    finally:
        reader.close()


def sites(historian: Historian) -> tuple[str, ...]:
    return historian.sites()


def test_a_historian_that_appears_later_is_found(tmp_path: Path) -> None:
    async def story() -> None:
        async with reader_of(tmp_path / "historian.sqlite") as reader:
            with pytest.raises(Absent, match="start the ingest"):
                await reader.run(sites)
            seeded_plant(tmp_path)
            assert await reader.run(sites) == ("khouribga",)

    asyncio.run(story())


def test_a_historian_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    async def story() -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        for folder in (old, new):
            folder.mkdir()
        path = seeded_plant(old)[1]
        async with reader_of(path) as reader:
            assert await reader.run(sites) == ("khouribga",)
            for leftover in old.iterdir():
                leftover.unlink()
            SqliteHistorian(new / "historian.sqlite").close()
            (new / "historian.sqlite").rename(path)
            assert await reader.run(sites) == ()

    asyncio.run(story())


def test_after_an_error_of_the_store_the_next_call_opens_it_again(seeded: Path) -> None:
    opened: list[Historian] = []

    def count(path: Path) -> Historian:
        opened.append(open_read_only(path))
        return opened[-1]

    def fail(historian: Historian) -> None:
        raise Unavailable("the disk is gone")

    async def story() -> None:
        async with reader_of(seeded, count) as reader:
            with pytest.raises(Unavailable):
                await reader.run(fail)
            assert await reader.run(sites) == ("khouribga",)
        assert len(opened) == 2

    asyncio.run(story())


def test_queries_run_on_one_thread_that_is_not_the_caller_s(seeded: Path) -> None:
    async def story() -> set[int]:
        async with reader_of(seeded) as reader:
            asked = [reader.run(lambda _historian: threading.get_ident()) for _ in range(4)]
            return set(await asyncio.gather(*asked))

    idents = asyncio.run(story())
    assert len(idents) == 1
    assert idents != {threading.get_ident()}


def test_too_many_waiting_queries_are_refused_and_the_others_answered(seeded: Path) -> None:
    gate = threading.Event()

    def wait(historian: Historian) -> str:
        gate.wait(10)
        return "done"

    async def story() -> None:
        async with reader_of(seeded) as reader:
            waiting = [asyncio.ensure_future(reader.run(wait)) for _ in range(MOST_WAITING)]
            await asyncio.sleep(0)  # each has taken its place
            with pytest.raises(Busy):
                await reader.run(wait)
            gate.set()
            assert await asyncio.gather(*waiting) == ["done"] * MOST_WAITING

    asyncio.run(story())
