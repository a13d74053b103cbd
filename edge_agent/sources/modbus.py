"""Registers of Modbus devices, over TCP or a serial line (RTU), as readings. Needs the extra `modbus`.

    [[source]]
    type = "modbus"
    host = "10.0.0.20"         # Modbus TCP, port 502: a device, or a gateway to a serial line; or
    device = "/dev/ttyUSB0"    # Modbus RTU: baud = 19200, parity = "E" (N, O), stop_bits = 1
    every_s = 10               # how often everything is read
    send_every_s = 30          # how often a value travels; what is read between serves the blocks here
    answer_s = 1.0             # how long an answer may take; the serial line waits for it, too
    slow = { 7 = 2.5 }         # that of single slaves
    gap = 8                    # so many registers that nobody wants may be read to save a request
    slave = 1                  # may stand here for all values, as may machine and point

    [[source.value]]           # a PT100 transmitter, tenths of a degree in input register 0 of slave 3
    machine = "P-101"
    point = "2"
    channel = "T"
    slave = 3
    kind = "input"             # holding (without it), input, coil, discrete
    register = 0               # counted from 0: what manuals call 30001 or 40001
    type = "int16"             # int16 uint16 int32 uint32 float32 float64
    order = "ABCD"             # CDAB: the lower register first; BADC, DCBA: the bytes turned, too
    unit = "°C"
    scale = 0.1                # whole numbers need one
    low = -50
    high = 250

The values of a device that is away are told as bad, without a number: when it is lost, and each
`send_every_s` while it is tried again, at least each 10 s. No value is ever repeated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from palier.clock import PlantClock
from palier.frames import Frame, Readings
from palier.source import Device
from palier.table_mistakes import TableMistakes
from palier.wire.said import said, said_all

from .modbus_line import (
    ILLEGAL_FUNCTION,
    EndedError,
    Line,
    LineError,
    NoAnswerError,
    RefusedError,
    Serial,
    Tcp,
    require_library,
)
from .modbus_options import NOWHERE, ModbusOptions, read_options
from .modbus_registers import Kind
from .modbus_requests import Request
from .modbus_slaves import AWAY, PAUSE_S, Slave
from .reading_pace import Pace
from .reading_table import Told

RECONNECT_S: Final = (0.5, 5.0)  # first and longest pause until the line is opened again
TURN_S: Final = 5.0  # longest sleep: `beat_s` says that the loop lives
NOTES: Final = 5  # refused registers that are named; the journal has them all

_NOT_NOW: Final = (5, 6, 10, 11)  # busy, or behind a gateway that does not reach it: the slave as a whole
_FAILING: Final = (4, 7, 8)
"""What is behind these registers is broken; behind others it may not be. They are asked for each time."""

log = logging.getLogger(__name__)


def open_source(table: Mapping[str, object], clock: PlantClock) -> ModbusSource:
    """The entry point. Raises ValueError for a wrong table; a device that is away is no mistake."""
    found = TableMistakes()
    options = read_options(table, found)
    usable = found.read(None, _usable) is not None and options.where != NOWHERE
    source = ModbusSource(options, clock)
    found.refuse(source.attempt if usable and options.requests else None, source.addresses)
    return source


def _usable() -> bool:
    require_library()
    return True


class ModbusSource:
    """Reads one line, slave after slave. `beat_s` is when its loop last came round (monotonic)."""

    def __init__(
        self,
        options: ModbusOptions,
        clock: PlantClock,
        *,
        line: Line | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.beat_s = monotonic_s()
        self.addresses = _own_wires(options.where)
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._line = Line(options.where) if line is None else line
        self._slaves = _slaves(options)
        self._pace = Pace(options.send_every_s)
        self._told: Callable[[Readings], None] = lambda _readings: None
        self._lost = True  # the line is to be opened
        self._why = ""  # it is away; until a slave answers again
        self._losses = 0  # in a row
        self._pause_s = RECONNECT_S[0]
        self._refused: dict[int, str] = {}  # by the row it begins with: the sentence
        self._slow_told = False

    def devices(self) -> tuple[Device, ...]:
        """What to announce at birth."""
        return self.options.table.devices()

    def tell(self, told: Callable[[Readings], None]) -> None:
        """Who hears every value at once."""
        self._told = told

    def attempt(self) -> None:
        """Read everything once. Raises OSError with what can't be read, a sentence for each."""
        if self._opened():
            self._ask(self._slaves, threading.Event())
        self._line.close()
        away = [one for one in self._slaves if one.away]
        found = [
            said("slaves_say", slaves=one.number, where=str(self.options.where), why=one.why) for one in away
        ]
        wrong = [*([self._why] if self._why else found), *self._refused.values()]
        if wrong:
            raise OSError(said_all(wrong))

    @property
    def problem(self) -> str:
        """What keeps it from reading now; empty while every slave answers."""
        away = [one for one in self._slaves if one.failures >= AWAY]
        if not away or (self._lost and self._why):
            return self._why
        numbers = ", ".join(str(one.number) for one in away)
        return said("slaves_say", slaves=numbers, where=str(self.options.where), why=away[0].why)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the devices refuse: a mistake in the table, or in the device's settings."""
        sentences = list(self._refused.values())
        more = len(sentences) - NOTES
        return (*sentences[:NOTES], *([said("more_in_journal", more=more)] if more > 0 else []))

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Readings, one for each machine, each `send_every_s`."""
        try:
            while not stop.is_set():
                self.beat_s = self._monotonic_s()
                if self._opened():
                    yield from self._round(stop)
                if self._lost and self._losses >= AWAY:
                    yield from self._heard(self._absent(self._slaves))
                stop.wait(self._wait_s())
        finally:
            self._line.close()

    def _opened(self) -> bool:
        """Whether the line is there; when it comes back every slave is asked at once."""
        if not self._lost:
            return True
        try:
            self._line.open(self.options.answer_s)
        except LineError as error:
            self._lose(str(error))
            return False
        self._lost = False
        for slave in self._slaves:
            slave.back(self._monotonic_s())
        return True

    def _lose(self, why: str) -> None:
        if not self._why:
            log.error("modbus: %s; trying again, at least each %g s", why, RECONNECT_S[1])
        self._why, self._lost = why, True
        self._losses += 1

    def _round(self, stop: threading.Event) -> Iterator[Frame]:
        """Everything that is due now: those that answer first, then one of those that do not."""
        now_s = self._monotonic_s()
        due = sorted((one for one in self._slaves if one.due_s <= now_s), key=lambda one: one.due_s)
        away = [one for one in due if one.away]
        yield from self._heard(self._ask([one for one in due if not one.away], stop))
        told = self._ask(away[:1], stop)
        got = {one.place for one in told}
        lost = self._absent(one for one in away[:1] if one.failures >= AWAY)
        yield from self._heard([*told, *(one for one in lost if one.place not in got)])
        if all(one.failures > AWAY for one in self._slaves) and not self._why:
            self._line.close()  # a serial adapter that hangs comes back by this; TCP begins anew, too

    def _heard(self, told: list[Told]) -> Iterator[Frame]:
        if told:
            for readings in self.options.table.frames(told):
                self._told(readings)
            self._pace.take(told)
            yield from self.options.table.frames(self._pace.due(self._clock.now_ns()))

    def _absent(self, slaves: Iterable[Slave]) -> list[Told]:
        """All values of these slaves as bad."""
        now_ns = self._clock.now_ns()
        registers = (one for slave in slaves for request in slave.plan for one in request.registers)
        return [Told(one.place, None, now_ns) for one in registers]

    def _wait_s(self) -> float:
        if self._lost:
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, RECONNECT_S[1])
            return pause_s
        left_s = min(one.due_s for one in self._slaves) - self._monotonic_s()
        return min(max(left_s, 0.0), TURN_S)

    def _ask(self, slaves: Sequence[Slave], stop: threading.Event) -> list[Told]:
        """All of these slaves in turn; what the line does not give is left out."""
        told: list[Told] = []
        for slave in slaves:
            if stop.is_set() or self._lost:
                break
            told += self._ask_one(slave, stop)
        return told

    def _ask_one(self, slave: Slave, stop: threading.Event) -> list[Told]:
        numbers: list[tuple[int, float]] = []
        failing: list[tuple[Request, RefusedError]] = []
        requests = slave.begin(self._monotonic_s())
        heard_ns = self._clock.now_ns()
        try:
            while requests and not stop.is_set():
                request = requests.popleft()
                try:
                    numbers += request.numbers(self._read(request, slave.answer_s))
                    heard_ns = self._clock.now_ns()
                except RefusedError as error:
                    if error.code in _FAILING:
                        failing.append((request, error))
                    else:
                        requests.extendleft(reversed(self._refuse(slave, request, error)))
            if failing and not numbers:
                raise NoAnswerError(str(failing[0][1]))
        except NoAnswerError as error:
            self._fail(slave, str(error))
        except LineError as error:
            self._end(slave, error)
        else:
            self._answered(slave)
        for place in self._refused.keys() & dict(numbers):
            del self._refused[place]
        return [
            *(Told(place, value, heard_ns) for place, value in numbers),
            *(Told(place, None, heard_ns) for place in self._failing(failing if numbers else ())),
        ]

    def _failing(self, failing: Iterable[tuple[Request, RefusedError]]) -> Iterator[int]:
        """The rows that a slave failed to give, while it gave others."""
        for request, error in failing:
            self._say_refused(request, error)
            yield from (one.place for one in request.registers)

    def _end(self, slave: Slave, error: LineError) -> None:
        """A gateway to a serial line may hang up at a request to one slave, and answer for all others."""
        if isinstance(error, EndedError) and isinstance(self.options.where, Tcp):
            self._fail(slave, "the connection ends when it is asked")
        else:
            self._lose(str(error))

    def _read(self, request: Request, answer_s: float) -> Sequence[int]:
        """One request; once more where the device had closed the connection since the last one."""
        self.beat_s = self._monotonic_s()
        try:
            return self._line.read(request, answer_s)
        except LineError:
            if self._line.fresh:
                raise
            return self._line.read(request, answer_s)

    def _refuse(self, slave: Slave, request: Request, error: RefusedError) -> tuple[Request, ...]:
        """What to ask instead. A device that only can't now is left alone for a while."""
        if error.code in _NOT_NOW:
            raise NoAnswerError(str(error)) from error
        # one register of it is not there, or it asks for more than the device gives at once
        instead = slave.part(request, self._monotonic_s(), parts=error.code != ILLEGAL_FUNCTION)
        if not instead:
            self._say_refused(request, error)
        return instead

    def _say_refused(self, request: Request, error: RefusedError) -> None:
        place = request.registers[0].place
        if place in self._refused:
            return
        rows = ", ".join(str(self.options.table.rows[one.place]) for one in request.registers[:3])
        why = f"{error}{_hint(request, error)}"
        where = str(self.options.where)
        self._refused[place] = said(
            "registers_refused", where=where, request=str(request), rows=rows, why=why
        )
        log.error("modbus: %s", self._refused[place])

    def _fail(self, slave: Slave, why: str) -> None:
        slave.failed(self._monotonic_s(), why)
        if isinstance(self.options.where, Tcp):
            self._line.close()  # so that no late answer meets the next request
        if slave.failures == AWAY:
            log.error(
                "modbus: slave %d at %s: %s; trying again, at least each %g s",
                *(slave.number, self.options.where, why, PAUSE_S[1]),
            )

    def _answered(self, slave: Slave) -> None:
        if self._why:
            log.warning("modbus: %s is there again", self.options.where)
        self._why, self._losses, self._pause_s = "", 0, RECONNECT_S[0]
        if slave.failures >= AWAY:
            log.warning("modbus: slave %d at %s answers again", slave.number, self.options.where)
        in_time = slave.answered(self._monotonic_s(), self.options.every_s)
        if not (in_time or self._slow_told):
            self._slow_told = True
            log.warning(
                "modbus: %s takes longer than every_s = %g for one round of its slaves; it is read as fast "
                "as it goes: give every_s more, or the line more baud",
                *(self.options.where, self.options.every_s),
            )


def _own_wires(where: Serial | Tcp) -> tuple[str, ...]:
    """What no other source of the gateway may use: a serial line has one master."""
    return (f"serial line {Path(where.device).resolve()}",) if isinstance(where, Serial) else ()


def _hint(request: Request, error: RefusedError) -> str:
    if error.code == ILLEGAL_FUNCTION:
        return "; it has no such table: is kind right?"
    if error.code in _FAILING:
        return ""
    for kind, base in ((Kind.HOLDING, 40_001), (Kind.INPUT, 30_001)):
        if request.kind is kind and base <= request.first < base + 9_999:
            return (
                f"; registers are counted from 0 here: a manual's {request.first} is {request.first - base}"
            )
    return "; registers are counted from 0: a manual that counts from 1 means the one before"


def _slaves(options: ModbusOptions) -> list[Slave]:
    numbers = dict.fromkeys(request.slave for request in options.requests)
    plans = {number: tuple(one for one in options.requests if one.slave == number) for number in numbers}
    slow = options.slow or {}
    return [Slave(number, plan, slow.get(number, options.answer_s)) for number, plan in plans.items()]
