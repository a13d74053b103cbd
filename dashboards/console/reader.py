"""A thread of its own that reads a store, so that no page waits in the event loop for a disk.

The store may not exist yet (the ingest was never started), may be replaced under our feet (a demo begun
anew) or be unreadable for a while: each call opens it again where that is needed, so the page recovers by
itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from palier.historian.base import Historian, HistorianError, Unavailable
from palier.historian.records import RecordsReader


class Store(Protocol):
    """What can be let go of."""

    def close(self) -> None:
        """Let go of it. Closing twice is allowed."""
        ...


T = TypeVar("T")
S = TypeVar("S", bound=Store)

MOST_WAITING: Final = 32
"""Queries that may wait for the one thread: a query takes milliseconds, so more is an overload to refuse."""


class Absent(Unavailable):
    """There is no such store yet: the ingest has not been started, or `data` names another folder."""


class Busy(Unavailable):
    """Too many queries wait already: ask again later."""


class StoreReader(Generic[S]):
    """Runs queries one after the other on one thread, each with an open store.

    `open_store` opens it read-only. `path` is the file that must be there, None where the store is no file;
    `what` is how a sentence calls it. The constructor only stores; `close` ends the thread.
    """

    def __init__(
        self, path: Path | None, open_store: Callable[[], S], *, name: str, what: str = "historian"
    ) -> None:
        self._path = path
        self._open = open_store
        self._what = what
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting = 0
        self._store: S | None = None
        self._identity: tuple[int, int] | None = None

    async def run(self, query: Callable[[S], T]) -> T:
        """The answer of `query`. Raises Absent, Busy, Unavailable or SchemaError."""
        if self._waiting >= MOST_WAITING:
            raise Busy(
                f"{self._waiting} queries wait for the {self._what} already: ask again in a few seconds"
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._query, query)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Close the store and end the thread; waits for the query that runs."""
        self._threads.submit(self._let_go)
        self._threads.shutdown(wait=True)

    def _query(self, query: Callable[[S], T]) -> T:
        try:
            return query(self._opened())
        except HistorianError:
            self._let_go()  # the next call opens it anew
            raise

    def _opened(self) -> S:
        identity = self._file_identity()
        if self._store is not None and identity == self._identity:
            return self._store
        self._let_go()
        self._store, self._identity = self._open(), identity
        return self._store

    def _file_identity(self) -> tuple[int, int]:
        if self._path is None:
            return 0, 0
        try:
            found = self._path.stat()
        except OSError as error:
            raise Absent(
                f"{self._path} must be the {self._what} that the ingest writes, and can't be read "
                f"({error.strerror}): start the ingest, or correct `data` in the console's settings"
            ) from error
        return found.st_dev, found.st_ino

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store, self._identity = None, None


HistorianReader = StoreReader[Historian]


def records_reader(path: Path) -> StoreReader[RecordsReader]:
    """A reader of the ingest's records: alarms, interventions, ledgers. They are only read."""
    return StoreReader(path, lambda: RecordsReader(path), name="records", what="records")
