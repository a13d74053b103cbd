"""The present picture of the plant, read for all who ask together, and the streams that follow it.

While somebody follows, it is looked five times a second whether the ingest has committed something (one word
of its records), and then the picture is read again. Nobody looking means nothing read.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from models.detection.zones import LimitSet
from palier.clock import PlantClock
from palier.historian.base import HistorianError, SchemaError, Unavailable
from palier.historian.records import RecordsReader
from palier.plant import Plant

from .alarm_board import AlarmBoard, AlarmsReader
from .overview import Overview, Present, overview
from .reader import Absent, HistorianReader, StoreReader
from .snapshot import Snapshot, SnapshotReader

READ_EVERY_S: Final = 1.0
"""A picture is read again after so long also where no commit was seen: what grows old changes its state."""

LOOK_EVERY_S: Final = 0.2
"""How often it is looked for a commit. With the least time between two readings, what was committed is on
the page within a second."""

LEAST_S: Final = 0.4
"""A plant that commits all the time is read no faster: nobody reads faster, and a reading has its price."""

READ_S: Final = 3.0
"""A historian behind a network that says nothing for so long does not answer: people wait for a page."""

TROUBLE_S: Final = 5.0
"""A historian that did not answer is left alone for so long: what was found holds for all who ask."""

RECENT: Final = 6
"""Pictures that are kept for pages that were drawn from them and now begin to follow: a page's script starts
within a second or two."""

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
    alarms: AlarmBoard = field(default_factory=AlarmBoard)


class Live:
    """Reads boards and counts streams. `monotonic` is real seconds; the plant's time is `clock`'s; without
    `records` no alarm is known."""

    def __init__(
        self,
        plant: Plant,
        reader: HistorianReader,
        clock: PlantClock,
        *,
        limits: Mapping[str, LimitSet],
        records: StoreReader[RecordsReader] | None = None,
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
        self._records = records
        self._alarms_reader = AlarmsReader(plant.site_id)
        self._alarms = AlarmBoard()
        self._turn = asyncio.Lock()
        self._board: Board | None = None
        self._recent: deque[Board] = deque(maxlen=RECENT)
        self._snapshot = Snapshot()
        self._read_at = 0.0
        self._looking: asyncio.Task[Board] | None = None
        self._closing = asyncio.Event()
        self._news = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._changes: int | None = None
        self._stale = False
        self.streams = 0

    async def board(self) -> Board:
        """The picture, at most READ_EVERY_S old, or TROUBLE_S where the historian did not answer.

        Never raises for an unreadable historian: see `problem`.
        """
        async with self._turn:
            if self._board is None or self._monotonic() - self._read_at >= self._lasts_s(self._board):
                started = self._monotonic()
                self._stale = False
                self._board = await self._read()
                self._recent.append(self._board)
                self._read_at = self._monotonic()
                self._on_read(self._board, self._read_at - started)
            return self._board

    @property
    def last(self) -> Board | None:
        """The picture that was read last, however old; None before the first."""
        return self._board

    def board_of(self, now_ns: int) -> Board | None:
        """One of the last pictures, by its time: what a page that comes back shows. None if it is too old."""
        return next((board for board in self._recent if board.now_ns == now_ns), None)

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
        """The picture again and again, each READ_EVERY_S and soon after a commit, until `close`."""
        while not self._closing.is_set():
            self._watch()
            news = self._news
            yield await self.board()
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), READ_EVERY_S)

    def _watch(self) -> None:
        """See to it that somebody looks for commits."""
        if self._records is not None and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._look_for_commits(self._records))

    async def _look_for_commits(self, records: StoreReader[RecordsReader]) -> None:
        """Wake all streams after a commit, as long as there are any."""
        while self.streams and not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), LOOK_EVERY_S)
            with suppress(HistorianError):  # no records: the streams look each READ_EVERY_S by themselves
                changes = await records.run(RecordsReader.changes)
                self._stale |= changes != self._changes
                self._changes = changes
            if self._stale and self._monotonic() - self._read_at >= LEAST_S:
                self._wake()

    def _wake(self) -> None:
        """All who wait look again; who waits from now on waits for the next news."""
        news, self._news = self._news, asyncio.Event()
        news.set()

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
        self._wake()

    def _lasts_s(self, board: Board) -> float:
        """How long a picture serves."""
        if board.problem == "unavailable":
            return TROUBLE_S
        return LEAST_S if self._stale else READ_EVERY_S

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
        self._alarms = await self._read_alarms()
        now_ns = self._clock.now_ns()
        present = Present(now_ns, self._clock.rate, self._limits)
        picture = overview(self._plant, self._snapshot, present, self._alarms)
        return Board(now_ns, picture, self._snapshot, problem, detail, self._alarms)

    async def _read_alarms(self) -> AlarmBoard:
        if self._records is None:
            return AlarmBoard(problem="absent")
        try:
            return AlarmBoard(await self._records.run(self._alarms_reader.read))
        except Absent:
            return AlarmBoard(problem="absent")
        except Unavailable:
            return AlarmBoard(self._alarms.open, "unavailable")
        except SchemaError:
            return AlarmBoard(problem="schema")
