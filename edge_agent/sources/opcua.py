"""The source `opcua`: values of an OPC UA server, by a subscription that never falls silent.

The server tells changes (data change, with its own sampling interval and queue); beside it every value is
read each `read_s`: proof that server, session and subscription live, and the value of what does not change.
What is doubtful ends the connection, and the next one is opened within seconds; until then each value is told
as bad.

Memory: an agent takes 44 MB with its imports, 70 MB with this source at work (CPython 3.11, x86-64): asyncua
costs 24 MB, a connection 1 MB. It is LGPL and comes with the extra `opcua`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from palier.clock import PlantClock
from palier.frames import Frame, Readings
from palier.secret_files import open_to_all
from palier.source import Device
from palier.table_mistakes import TableMistakes

from .absent import Absent
from .opcua_settings import OpcUaSettings, node_id, read_table
from .opcua_values import plausible, reading_of, source_ns
from .reading_pace import Pace
from .reading_table import ReadingTable, Told

if TYPE_CHECKING:
    from asyncua.ua import DataValue

    from .opcua_session import Heard

RETRY_S: Final = (0.5, 5.0)
"""First and longest pause between two connections: a server that restarts is found within seconds."""

TURN_S: Final = 0.2
AT_ONCE: Final = 200
"""Changes in one table: it has a place for each channel at each time, and a busy server tells thousands."""

log = logging.getLogger(__name__)


def open_source(table: Mapping[str, object], clock: PlantClock) -> OpcUaSource:
    """The entry point. ValueError with a sentence for a mistake in the table, or without asyncua."""
    found = TableMistakes()
    settings, rows = read_table(table, found)
    usable = settings.url != ""
    try:
        import asyncua  # noqa: F401 - here, not in the running agent: 24 MB
    except ImportError:
        found.note("asyncua is not installed: pip install 'palier[opcua]'")
        usable = False
    for file in (settings.key_file, settings.password_file):
        if file is not None and (warning := open_to_all(file)):
            log.warning("opcua: %s", warning)
    source = OpcUaSource(settings, rows, clock)
    found.refuse(source.attempt if usable else None)
    return source


class OpcUaSource:
    """Values of one server. `problem` is why there are none now; `notes` tell of certificates."""

    def __init__(self, settings: OpcUaSettings, rows: ReadingTable, clock: PlantClock) -> None:
        self.problem = ""
        self.notes: tuple[str, ...] = ()
        self.connections = 0
        self._settings = settings
        self._rows = rows
        self._clock = clock
        self._node_ids = [node_id(row) for row in rows.rows]
        self._told_s: dict[int, float] = {}  # place: when it was last told, in this connection
        self._read_ns: dict[int, int] = {}  # place: when it was last read
        self._said: dict[int, str] = {}  # place: what is wrong with it
        self._said_clock = False
        self._absent = Absent(rows)
        self._pace = Pace(settings.send_every_s)
        self._tell: Callable[[Readings], None] = lambda _readings: None

    def devices(self) -> tuple[Device, ...]:
        """The machines of the rows."""
        return self._rows.devices()

    def tell(self, told: Callable[[Readings], None]) -> None:
        """`told` hears every value as it comes."""
        self._tell = told

    def attempt(self) -> None:
        """Connect and read once. OSError where that fails, and for values that are none, all named."""
        with asyncio.Runner() as runner:
            runner.run(self._attempt())
        wrong = [
            f"{self._rows.rows[place]}, node {self._node_ids[place]}: {why}"
            for place, why in self._said.items()
            if why
        ]
        if wrong:
            raise OSError("; ".join(wrong))

    async def _attempt(self) -> None:
        from .opcua_session import opened

        async with opened(self._settings, self._node_ids, self._noted) as session:
            self._taken(await session.read())

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The newest value of each row each `send_every_s`; what turned bad, or good again, at once."""
        with asyncio.Runner() as runner:
            told = self._told(stop)
            try:
                while (some := runner.run(_next(told))) is not None:
                    for begin in range(0, len(some), AT_ONCE):
                        for readings in self._rows.frames(some[begin : begin + AT_ONCE]):
                            self._tell(readings)
                    self._pace.take(some)
                    yield from self._rows.frames(self._pace.due(self._clock.now_ns()))
            finally:
                runner.run(_close(told))

    async def _told(self, stop: threading.Event) -> AsyncGenerator[list[Told], None]:
        pause_s = RETRY_S[0]
        while not stop.is_set():
            try:
                async with aclosing(self._connected(stop)) as values:
                    async for some in values:
                        pause_s = RETRY_S[0]
                        yield some
            except OSError as error:
                self._lost(str(error))
            if stop.is_set():
                return
            if bad := self._absent.told(time.monotonic(), self._clock.now_ns()):
                yield bad
            await _wait(stop, pause_s)
            pause_s = min(2 * pause_s, RETRY_S[1])

    async def _connected(self, stop: threading.Event) -> AsyncGenerator[list[Told], None]:
        from .opcua_session import opened

        async with opened(self._settings, self._node_ids, self._noted) as session:
            self._told_s.clear()
            yield self._taken(await session.read())
            self._is_back()
            read_s = told_s = time.monotonic()
            waiting: list[Told] = []
            while not stop.is_set():
                waiting += self._taken(await session.heard())
                if time.monotonic() - read_s >= self._settings.read_s:
                    read_s = time.monotonic()
                    waiting += self._taken(await session.read())
                if time.monotonic() - told_s >= self._settings.every_s:
                    told_s = time.monotonic()
                    yield waiting
                    waiting = []

    def _taken(self, heard: list[Heard]) -> list[Told]:
        """What is new: not what was read of a value that was told just before."""
        now_s, now_ns = time.monotonic(), self._clock.now_ns()
        taken = []
        for place, value, change in heard:
            told_s = self._told_s.get(place)
            if not change and told_s is not None and now_s - told_s < self._settings.read_s / 2:
                continue
            self._told_s[place] = now_s
            reading = reading_of(value)
            self._say(place, reading.said)
            at_ns = self._time_of(place, value, now_ns) if change else now_ns
            if not change:
                self._read_ns[place] = now_ns
            taken.append(Told(place, reading.value, at_ns, reading.quality))
        return taken

    def _time_of(self, place: int, value: DataValue, now_ns: int) -> int:
        """The source's own time of a change where that can be, else now."""
        stamp_ns = source_ns(value)
        if stamp_ns is None or self._clock.start_ns is not None or self._clock.rate != 1.0:
            return now_ns
        if plausible(stamp_ns, now_ns):  # one before what was read is of a clock that is slow
            return min(stamp_ns, now_ns) if stamp_ns > self._read_ns.get(place, 0) else now_ns
        if not self._said_clock:
            self._said_clock = True
            log.warning(
                "opcua: the time of %s is %.0f s off this gateway's: values are dated by their arrival here; "
                "a time server for both would mend it",
                *(self._node_ids[place], (stamp_ns - now_ns) / 1e9),
            )
        return now_ns

    def _say(self, place: int, said: str) -> None:
        if said == self._said.get(place, ""):
            return
        self._said[place] = said
        row, node = self._rows.rows[place], self._node_ids[place]
        if said:
            log.error("opcua: %s, node %s: %s", row, node, said)
        else:
            log.info("opcua: %s, node %s: right again", row, node)

    def _noted(self, notes: tuple[str, ...]) -> None:
        for note in set(notes) - set(self.notes):
            log.warning("opcua: %s", note)
        self.notes = notes

    def _lost(self, why: str) -> None:
        if why != self.problem:
            log.error("opcua: %s; connecting again each %g s", why, RETRY_S[1])
        self.problem = why

    def _is_back(self) -> None:
        self.connections += 1
        self._absent.over()
        if self.problem:
            log.warning("opcua: connected again")
        self.problem = ""


async def _next(told: AsyncGenerator[list[Told], None]) -> list[Told] | None:
    return await anext(told, None)


async def _close(told: AsyncGenerator[list[Told], None]) -> None:
    await told.aclose()


async def _wait(stop: threading.Event, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while not stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
        await asyncio.sleep(min(TURN_S, left_s))
