"""A source of slow sensors: each is asked every so often, and one that is dead costs the others nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from edge_agent.sources.reading_table import ReadingTable, Told
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Frame
from palier.source import Device
from palier.table_mistakes import TableMistakes
from palier.wire.said import said, said_all

EVERY_S: Final = 30.0
"""So two values over a temperature's danger limit are with the host within a minute of its crossing."""

FASTEST_S: Final = 1.0
TURN_S: Final = 5.0  # longest sleep: `beat_s` says that it lives, however long the pause
SAID_AGAIN_S: Final = 3600.0

log = logging.getLogger(__name__)


class Probe(Protocol):
    """One value of a sensor."""

    def read(self) -> float:
        """In the sensor's unit. Raises OSError with a sentence where it gives none that can be believed."""
        ...


class PolledSource:
    """Reads every probe each `every_s`; what one does not give is NaN, quality BAD, and a sentence."""

    def __init__(
        self,
        table: ReadingTable,
        probes: Sequence[Probe],
        every_s: float,
        clock: PlantClock,
        *,
        addresses: tuple[str, ...] = (),
        close: Sequence[Callable[[], None]] = (),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`probes` in the order of the table's rows; `close` lets their buses go, and never raises."""
        self.addresses = addresses
        self.beat_s = monotonic_s()  # when it last came round
        self.every_s = every_s
        self._table = table
        self._probes = tuple(probes)
        self._close = tuple(close)
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._wrong: dict[int, str] = {}
        self._said: dict[int, tuple[str, float]] = {}

    def devices(self) -> tuple[Device, ...]:
        """What to announce at birth."""
        return self._table.devices()

    @property
    def problem(self) -> str:
        """The sensors that give nothing, a sentence each; empty where all do."""
        return said_all(self._wrong.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing beside the problem."""
        return ()

    def attempt(self) -> None:
        """Read all once. Raises OSError naming every one that gives nothing."""
        try:
            self._read_all()
        finally:
            self._let_go()
        if self._wrong:
            raise OSError(self.problem)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """A row of each machine, each `every_s`."""
        due_s = self._monotonic_s()
        try:
            while not stop.is_set():
                yield from self._table.frames(self._read_all())
                due_s = max(due_s + self.every_s, self._monotonic_s())
                while not stop.is_set() and (left_s := due_s - self._monotonic_s()) > 0:
                    self.beat_s = self._monotonic_s()
                    stop.wait(min(left_s, TURN_S))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for close in self._close:
            close()

    def _read_all(self) -> list[Told]:
        """All of one round bear one time, that of its end: one row a machine."""
        values = [self._read(place, probe) for place, probe in enumerate(self._probes)]
        now_ns = self._clock.now_ns()
        return [
            Told(place, value, now_ns, QUALITY_BAD if value is None else QUALITY_GOOD)
            for place, value in enumerate(values)
        ]

    def _read(self, place: int, probe: Probe) -> float | None:
        self.beat_s = self._monotonic_s()
        try:
            value = probe.read()
        except OSError as error:
            self._note(place, said("row_says", row=str(self._table.rows[place]), why=str(error)))
            return None
        if self._wrong.pop(place, None) is not None:
            log.info("%s gives values again", self._table.rows[place])
            del self._said[place]
        return value

    def _note(self, place: int, sentence: str) -> None:
        """Told when it is new, and each hour."""
        self._wrong[place] = sentence
        now_s = self._monotonic_s()
        before, at_s = self._said.get(place, ("", 0.0))
        if sentence != before or now_s - at_s >= SAID_AGAIN_S:
            self._said[place] = (sentence, now_s)
            log.error("%s", sentence)


def polled_source(
    table: Mapping[str, object],
    rows: ReadingTable,
    probes: Sequence[Probe | None],
    clock: PlantClock,
    found: TableMistakes,
    *,
    addresses: tuple[str, ...] = (),
    close: Sequence[Callable[[], None]] = (),
) -> PolledSource:
    """The source of a [[source]] table; a probe is None where its row does not say which it is.

    Raises TableError where anything is wrong in the table; the probes that there are can be tried by it.
    """
    every_s = found.read(EVERY_S, read_every_s, table)
    made = [(row, probe) for row, probe in zip(rows.rows, probes, strict=True) if probe is not None]
    source = PolledSource(
        ReadingTable(row for row, _ in made),
        [probe for _, probe in made],
        every_s,
        clock,
        addresses=addresses,
        close=close,
    )
    found.refuse(source.attempt, addresses)
    return source


def read_every_s(table: Mapping[str, object]) -> float:
    """The key `every_s`. Raises ValueError."""
    value = table.get("every_s", EVERY_S)
    if isinstance(value, bool) or not isinstance(value, int | float) or not FASTEST_S <= value <= 3600:
        raise ValueError(f"every_s must be a number of seconds from {FASTEST_S:g} to 3600, got {value!r}")
    return float(value)
