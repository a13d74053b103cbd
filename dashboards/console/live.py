"""The present picture of the plant, read at most once a second whoever asks, and the streams that follow it.

Nobody looking means nothing read: there is no background task, each stream asks in its own rhythm and all
share one reading.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from models.detection.zones import LimitSet
from palier.clock import PlantClock
from palier.historian.base import SchemaError, Unavailable
from palier.plant import Plant

from .overview import Overview, Present, overview
from .reader import Absent, HistorianReader
from .snapshot import Snapshot, SnapshotReader

READ_EVERY_S: Final = 1.0
"""A new block each few seconds is the fastest a plant sends; people do not read faster than once a second."""

READ_S: Final = 3.0
"""A historian behind a network that says nothing for so long does not answer: people wait for a page."""

TROUBLE_S: Final = 5.0
"""A historian that did not answer is left alone for so long: what was found holds for all who ask."""

MOST_STREAMS: Final = 64
"""Open pages. A plant with a page on every phone stays far below, a script that opens them in a loop not."""


@dataclass(frozen=True, slots=True)
class Board:
    """The picture at one moment. `problem` names what keeps the historian from being read: "absent",
    "unavailable", "schema", or None; `detail` is its sentence, for the log and /readyz."""

    now_ns: int
    overview: Overview
    snapshot: Snapshot
    problem: str | None = None
    detail: str = ""


class Live:
    """Reads boards and counts streams. `monotonic` is real seconds; the plant's time is `clock`'s."""

    def __init__(
        self,
        plant: Plant,
        reader: HistorianReader,
        clock: PlantClock,
        *,
        limits: Mapping[str, LimitSet],
        on_read: Callable[[Board, float], None] = lambda _board, _seconds: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plant = plant
        self._reader = reader
        self._snapshots = SnapshotReader(plant.site_id)
        self._clock = clock
        self._limits = limits
        self._on_read = on_read
        self._monotonic = monotonic
        self._turn = asyncio.Lock()
        self._board: Board | None = None
        self._snapshot = Snapshot()
        self._read_at = 0.0
        self._looking: asyncio.Task[Board] | None = None
        self._closing = asyncio.Event()
        self.streams = 0

    async def board(self) -> Board:
        """The picture, at most READ_EVERY_S old, or TROUBLE_S where the historian did not answer.

        Never raises for an unreadable historian: see `problem`.
        """
        async with self._turn:
            if self._board is None or self._monotonic() - self._read_at >= self._lasts_s(self._board):
                started = self._monotonic()
                self._board = await self._read()
                self._read_at = self._monotonic()
                self._on_read(self._board, self._read_at - started)
            return self._board

    def refuse_while_away(self) -> None:
        """Raises Unavailable where the last reading found that the historian does not answer. Any thread."""
        board = self._board
        if board is not None and board.problem == "unavailable":
            raise Unavailable(board.detail)

    async def look(self, seconds: float) -> None:
        """Have the picture read if it is old, and wait for that so long at most."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.board())
        await asyncio.wait((self._looking,), timeout=seconds)

    async def boards(self) -> AsyncIterator[Board]:
        """The picture again and again, each READ_EVERY_S, until `close`."""
        while not self._closing.is_set():
            yield await self.board()
            try:
                await asyncio.wait_for(self._closing.wait(), READ_EVERY_S)
            except TimeoutError:
                continue

    @property
    def full(self) -> bool:
        """True when no further stream should be opened."""
        return self.streams >= MOST_STREAMS

    @contextmanager
    def following(self) -> Iterator[None]:
        """Counts a stream as open."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closing.set()

    @staticmethod
    def _lasts_s(board: Board) -> float:
        """How long a picture serves."""
        return TROUBLE_S if board.problem == "unavailable" else READ_EVERY_S

    async def _read(self) -> Board:
        problem, detail = None, ""
        try:
            self._snapshot = await self._reader.run(self._snapshots.read)
        except Absent as error:
            problem, detail, self._snapshot = "absent", str(error), Snapshot()
        except Unavailable as error:  # what was last read stays, and grows old: silence becomes unknown
            problem, detail = "unavailable", str(error)
        except SchemaError as error:
            problem, detail = "schema", str(error)
        now_ns = self._clock.now_ns()
        present = Present(now_ns, self._clock.rate, self._limits)
        picture = overview(self._plant, self._snapshot, present)
        return Board(now_ns, picture, self._snapshot, problem, detail)
