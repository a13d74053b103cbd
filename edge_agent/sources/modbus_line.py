"""A Modbus connection, over TCP or a serial line, by pymodbus. Its exceptions end here.

What was heard is trusted only so far as it answers what was asked: the function, the slave and the number of
registers must be right. pymodbus checks slave, transaction and checksum; it does not count registers.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from palier.wire.said import said

from .modbus_registers import Kind
from .modbus_requests import Request

if TYPE_CHECKING:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
    from pymodbus.pdu import ModbusPDU

INSTALL: Final = "reading Modbus needs pymodbus and pyserial: pip install 'palier[modbus]'"
MOST_BYTES: Final = 600
"""The longest answer has 260 bytes; a device that goes on and on has lost its way."""

CONNECT_S: Final = (1.0, 5.0)
"""A connection may take longer than an answer (a mobile link), and must not hold up the next attempt."""

GLITCHES: Final = 2
"""Bytes of nothing that two wires without bias may show when the line turns round, before an answer."""

BITS_A_BYTE: Final = 11  # start, eight, parity or a second stop, stop (Serial Line V1.02, 2.5.1)
DEFAULT_BAUD: Final = 19_200
DEFAULT_PARITY: Final = "E"
"""The protocol's own choice (MODBUS over Serial Line V1.02, 2.5.1); many devices leave their factory with
9,600 baud and none."""


class LineError(OSError):
    """The line itself is not there: refused, unplugged, closed by the device."""


class EndedError(LineError):
    """The connection was there, and ended while something was asked."""


class NoAnswerError(Exception):
    """Nothing came in time, or what came is no answer to what was asked."""


class RefusedError(Exception):
    """The device answered with an exception; `code` is the protocol's (V1.1b3, 7)."""

    def __init__(self, code: int) -> None:
        super().__init__(CODES.get(code, f"exception {code}, which the protocol does not know"))
        self.code = code


ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
CODES: Final = {
    ILLEGAL_FUNCTION: "illegal function",
    ILLEGAL_ADDRESS: "illegal data address",
    ILLEGAL_VALUE: "illegal data value",
    4: "device failure",
    5: "busy with a long command",
    6: "busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway: no path to the slave",
    11: "gateway: the slave does not answer",
}


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial line."""

    device: str
    baud: int = DEFAULT_BAUD
    parity: str = DEFAULT_PARITY
    stop_bits: int = 1

    def __str__(self) -> str:
        return f"{self.device} ({self.baud} baud, 8{self.parity}{self.stop_bits})"


@dataclass(frozen=True, slots=True)
class Tcp:
    """A device, or a gateway to a serial line, in the network."""

    host: str
    port: int = 502

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass
class Line:
    """One connection, opened when it is needed. One thread at a time."""

    where: Serial | Tcp
    fresh: bool = False  # nothing was asked of the present connection yet
    _client: ModbusSerialClient | ModbusTcpClient | None = None
    _functions: dict[Kind, Callable[..., ModbusPDU]] = field(default_factory=dict)
    _sent: bytes = b""  # the present request
    _came: bytes = b""  # what the answer to it began with

    def open(self, answer_s: float) -> None:
        """Connect, unless it is. Raises LineError with a sentence."""
        client = self._made()
        if client.socket is not None:
            return
        try:
            client.socket = self._connected(answer_s)
        except Exception as error:  # pyserial lets termios.error through, too
            raise LineError(said("line_closed", where=str(self.where), why=reason(error))) from error
        self.fresh = True

    def close(self) -> None:
        """End the connection; the next request begins another."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]

    def read(self, request: Request, answer_s: float) -> Sequence[int]:
        """Registers (0 to 65535) or bits, `request.count` of them, begun within `answer_s`, or twice that
        where something comes and is no answer. Raises LineError (EndedError where the connection was there),
        NoAnswerError and RefusedError.
        """
        self.open(answer_s)
        client = self._made()
        wait_s = answer_s + _wire_s(self.where, request)
        client.comm_params.timeout_connect = wait_s
        client.transaction.comm_params.timeout_connect = wait_s
        ask, self._came = self._functions[request.kind], b""
        try:
            answer = ask(request.first, count=request.count, device_id=request.slave)
        except Exception as error:
            raise self._dressed(error) from error
        self.fresh = False
        return _checked(answer, request)

    def _dressed(self, error: Exception) -> Exception:
        from pymodbus.exceptions import ConnectionException, ModbusIOException

        if isinstance(error, ConnectionException | OSError):
            self.close()
            return EndedError(said("line_ended", where=str(self.where)))
        if isinstance(error, ModbusIOException) and not self._came:
            return NoAnswerError(said("no_answer"))
        if not isinstance(self.where, Serial):
            cause = "is it a Modbus device?"
        elif self._came == self._sent:
            cause = "the adapter hears its own request: switch its echo off"
        else:
            cause = "two slaves of one number, or a wrong baud or parity"
        began = f"what comes is no answer, it begins with {self._came[:8].hex(' ')}"
        return NoAnswerError(f"{began} ({cause})")

    def _heard(self, sending: bool, data: bytes) -> bytes:
        """Sees all bytes that go and come."""
        from pymodbus.exceptions import ModbusIOException

        if sending:
            self._sent = data
        else:
            self._came = data[:8]
            if len(data) > MOST_BYTES:
                raise ModbusIOException(f"{len(data)} bytes and no end")
        return data

    def _made(self) -> ModbusSerialClient | ModbusTcpClient:
        if self._client is None:
            client = self._client = _client(self.where, self._heard)
            self._functions = {
                Kind.COIL: client.read_coils,
                Kind.DISCRETE: client.read_discrete_inputs,
                Kind.HOLDING: client.read_holding_registers,
                Kind.INPUT: client.read_input_registers,
            }
        return self._client

    def _connected(self, answer_s: float) -> Any:
        if isinstance(self.where, Tcp):
            wait_s = min(max(answer_s, CONNECT_S[0]), CONNECT_S[1])
            return socket.create_connection((self.where.host, self.where.port), timeout=wait_s)
        import serial

        return serial.serial_for_url(
            self.where.device,
            baudrate=self.where.baud,
            parity=self.where.parity,
            stopbits=self.where.stop_bits,
            timeout=answer_s,
            write_timeout=answer_s,
            exclusive=True,
        )


def require_library() -> None:
    """ValueError with the remedy where pymodbus is not installed."""
    try:
        import pymodbus.client  # noqa: F401
        import serial  # noqa: F401
    except ImportError as error:
        raise ValueError(f"{INSTALL} ({error})") from error
    library = logging.getLogger("pymodbus")
    if library.level == logging.NOTSET:  # what it would say of each failure is said once, by the source
        library.setLevel(logging.CRITICAL)


def reason(error: BaseException) -> str:
    """Why a line can't be opened, with what to do where that is known."""
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError) or number == errno.ETIMEDOUT:
        return said("nobody_there")
    if number == errno.EACCES:
        return said("no_permission")
    if number in (errno.EAGAIN, errno.EBUSY):
        return said("line_busy")
    return os.strerror(number) if number and number > 0 else str(getattr(error, "strerror", None) or error)


def _wire_s(where: Serial | Tcp, request: Request) -> float:
    """How long the bytes of request and answer take themselves: at 2,400 baud more than a second."""
    if isinstance(where, Tcp):
        return 0.0
    answer = 5 + (-(-request.count // 8) if request.kind.of_bits else 2 * request.count)
    return (8 + answer) * BITS_A_BYTE / where.baud


def _client(
    where: Serial | Tcp, heard: Callable[[bool, bytes], bytes]
) -> ModbusSerialClient | ModbusTcpClient:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
    from pymodbus.exceptions import ConnectionException

    if isinstance(where, Tcp):
        return ModbusTcpClient(where.host, port=where.port, retries=0, trace_packet=heard)

    class SerialClient(ModbusSerialClient):
        """Waits by pyserial's monotonic clock: by the library's own, that of the wall, a clock that is set
        back while nobody answers holds the line up for as long as it was set back.
        """

        begins = False  # nothing has come since the last request

        def send(self, request: bytes, addr: tuple[object, ...] | None = None) -> int:
            """Send a request."""
            self.begins = True
            return super().send(request, addr)

        def recv(self, size: int | None) -> bytes:
            """What comes within the time that an answer may take; nothing where nothing does."""
            if self.socket is None:
                raise ConnectionException(str(self))
            try:
                if self.socket.timeout != self.comm_params.timeout_connect:
                    self.socket.timeout = self.comm_params.timeout_connect
                first: bytes = self.socket.read(1)
                for _ in range(GLITCHES if self.begins else 0):
                    if first in {b"\x00", b"\xff"}:  # no slave has such a number
                        first = self.socket.read(1)
                self.begins = False
                if first:
                    time.sleep(self._recv_interval)  # four characters more, rather than one at a time
                    first += self.socket.read(self.socket.in_waiting)
            except Exception as error:  # pyserial lets termios.error through, too
                self.close()  # type: ignore[no-untyped-call]
                raise ConnectionException(str(self)) from error
            return first

    return SerialClient(
        where.device,
        baudrate=where.baud,
        parity=where.parity,
        stopbits=where.stop_bits,
        retries=0,  # a late answer to the first request would be taken for one to the second
        trace_packet=heard,
    )


def _checked(answer: ModbusPDU, request: Request) -> Sequence[int]:
    if answer.isError():
        raise RefusedError(answer.exception_code)
    if answer.function_code != request.kind:
        raise NoAnswerError(f"an answer to function {answer.function_code}, not {request.kind.value}")
    if request.kind.of_bits:
        got: Sequence[int] = answer.bits
        right = 0 <= len(got) - request.count < 8  # bits come by the byte
    else:
        got = answer.registers
        right = len(got) == request.count
    if not right:
        raise NoAnswerError(f"{len(got)} values, and {request.count} were asked for")
    return got
