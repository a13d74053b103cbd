"""What comes over a Modbus line is an answer to what was asked, or none, whatever a device says."""

from __future__ import annotations

import os
import pty
import random
import socket
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from edge_agent.sources.modbus import ModbusSource
from edge_agent.sources.modbus_line import Line, LineError, NoAnswerError, RefusedError, Serial, Tcp, reason
from edge_agent.sources.modbus_options import read_options
from edge_agent.sources.modbus_registers import Kind, Register
from edge_agent.sources.modbus_requests import gather
from palier.clock import PlantClock
from tests.support.services import free_port

pytest.importorskip("pymodbus", reason="pip install 'palier[modbus]'")

Answer = Callable[[bytes], bytes]
SURELY_S = 30.0
"""For an answer that comes: however late the thread that gives it is let run."""

(REQUEST,) = gather([Register(0, 3, Kind.HOLDING, 10, 1, "H"), Register(1, 3, Kind.HOLDING, 11, 1, "H")], 0)


@contextmanager
def device(answer: Answer) -> Iterator[Line]:
    """A line to a device that makes its answers of the requests' bytes; an empty one ends the connection."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        listener.settimeout(SURELY_S)

        def serve() -> None:
            try:
                while True:
                    client, _ = listener.accept()
                    with client:
                        while (asked := client.recv(260)) and (said := answer(asked)):
                            client.sendall(said)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        line = Line(Tcp(*listener.getsockname()))
        try:
            yield line
        finally:
            line.close()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SURELY_S)


def frame(asked: bytes, body: bytes, *, slave: int = 3, transaction: int | None = None) -> bytes:
    number = struct.unpack(">H", asked[:2])[0] if transaction is None else transaction
    return struct.pack(">HHHB", number, 0, len(body) + 1, slave) + body


RIGHT = b"\x03\x04" + struct.pack(">HH", 7, 8)


def test_an_answer_is_what_was_asked_for() -> None:
    with device(lambda asked: frame(asked, RIGHT)) as line:
        assert list(line.read(REQUEST, SURELY_S)) == [7, 8]
        assert not line.fresh


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("too few registers", lambda asked: frame(asked, b"\x03\x02\x00\x07")),
        ("too many registers", lambda asked: frame(asked, b"\x03\x06" + bytes(6))),
        ("no registers", lambda asked: frame(asked, b"\x03\x00")),
        ("another function", lambda asked: frame(asked, b"\x04" + RIGHT[1:])),
        ("another slave", lambda asked: frame(asked, RIGHT, slave=4)),
        ("another transaction", lambda asked: frame(asked, RIGHT, transaction=9999)),
        ("half an answer", lambda asked: frame(asked, RIGHT)[:-1]),
        ("a web server", lambda _asked: b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("no end", lambda _asked: b"\x00" * 5000),
        ("a byte count that lies", lambda asked: frame(asked, b"\x03\xff\x00\x07\x00\x08")),
        ("a function that nobody knows", lambda asked: frame(asked, b"\x63\x04" + bytes(4))),
    ],
)
def test_what_is_no_answer_is_no_value(what: str, answer: Answer) -> None:
    with device(answer) as line, pytest.raises(NoAnswerError):
        print(what, line.read(REQUEST, 0.05))  # noqa: T201


def test_a_device_that_refuses_says_why() -> None:
    with device(lambda asked: frame(asked, b"\x83\x02")) as line, pytest.raises(RefusedError) as raised:
        line.read(REQUEST, SURELY_S)
    assert (raised.value.code, str(raised.value)) == (2, "illegal data address")


def test_a_device_that_closes_the_connection_has_lost_the_line() -> None:
    with device(lambda _asked: b"") as line, pytest.raises(LineError, match="the connection ended"):
        line.read(REQUEST, SURELY_S)


def test_a_slave_at_whose_request_the_gateway_hangs_up_leaves_the_others_alone() -> None:
    asked_slaves: list[int] = []

    def answer(asked: bytes) -> bytes:
        asked_slaves.append(asked[6])
        return b"" if asked[6] == 7 else frame(asked, b"\x03\x02\x00\x07", slave=asked[6])

    row = {"machine": "P-101", "point": "1", "unit": "1", "register": 0, "type": "uint16", "scale": 1}
    rows = [{**row, "channel": f"s{slave}", "slave": slave} for slave in (1, 7, 8)]
    with device(answer) as line:
        assert isinstance(line.where, Tcp)
        table = {"host": line.where.host, "port": line.where.port, "value": rows}
        source = ModbusSource(read_options(table), PlantClock(), line=line)
        with pytest.raises(OSError, match=r"^slave 7 at [\d.:]+: the connection ends when it is asked$"):
            source.attempt()
    assert asked_slaves == [1, 7, 7, 8]


@contextmanager
def serial(baud: int) -> Iterator[tuple[Line, int]]:
    """A serial line, and the other end of it."""
    other, ours = pty.openpty()
    tty.setraw(ours)
    line = Line(Serial(os.ttyname(ours), baud, "N"))
    try:
        yield line, other
    finally:
        line.close()
        os.close(ours)
        os.close(other)


def test_a_clock_that_is_set_back_does_not_hold_a_serial_line_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import pymodbus.client.serial as library

    looks: list[float] = []

    def set_back() -> float:
        looks.append(time.time())
        return looks[-1] - (3600 if len(looks) > 1 else 0)

    said: list[str] = []

    def ask(line: Line) -> None:
        with pytest.raises(NoAnswerError) as raised:
            line.read(REQUEST, 0.1)
        said.append(str(raised.value))

    with serial(19_200) as (line, _):
        line.open(0.1)
        monkeypatch.setattr(library, "time", SimpleNamespace(time=set_back, sleep=time.sleep))
        thread = threading.Thread(target=ask, args=(line,), daemon=True)
        thread.start()
        thread.join(SURELY_S)
        monkeypatch.undo()
        assert said == ["no answer"]


def test_an_adapter_that_hears_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with serial(19_200) as (line, other):
        line.open(0.1)
        port = line._made().socket
        write = port.write

        def heard(request: bytes) -> int:
            count: int = write(request)
            os.write(other, os.read(other, 8))  # before anybody waits for an answer
            return count

        monkeypatch.setattr(port, "write", heard)
        with pytest.raises(NoAnswerError, match="the adapter hears its own request: switch its echo off"):
            line.read(REQUEST, 0.5)  # so long nothing follows


@pytest.mark.parametrize("glitch", [b"\x00", b"\xff", b"\xff\x00"])
def test_a_line_that_twitches_as_it_turns_round_is_read(glitch: bytes) -> None:
    answer = ended(b"\x03\x03\x04" + struct.pack(">HH", 7, 8))
    with serial(19_200) as (line, other):
        slave = threading.Thread(target=lambda: os.write(other, glitch + answer * len(os.read(other, 1))))
        slave.start()
        assert list(line.read(REQUEST, SURELY_S)) == [7, 8]
        slave.join()


def ended(body: bytes) -> bytes:
    """With its checksum."""
    from pymodbus.framer.rtu import FramerRTU

    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def test_a_slow_line_gets_the_time_that_its_bytes_take() -> None:
    """Four seconds at 150 baud, in which the answer comes in two pieces: the second too late for 0.1 s."""
    wanted = gather([Register(i, 3, Kind.HOLDING, i, 1, "H") for i in range(20)], 0)[0]
    answer = ended(bytes((3, 3, 40)) + struct.pack(">20H", *range(20)))

    def serve(other: int) -> None:
        os.read(other, 8)
        os.write(other, answer[:20])
        time.sleep(0.5)  # longer than four characters take, which are waited for in any case
        os.write(other, answer[20:])

    with serial(150) as (line, other):
        slave = threading.Thread(target=serve, args=(other,), daemon=True)
        slave.start()
        assert list(line.read(wanted, 0.1)) == list(range(20))
        slave.join()


def test_whatever_bytes_come_there_is_a_sentence_and_no_wrong_value() -> None:
    chance = random.Random(5)

    def damaged(asked: bytes) -> bytes:
        good = bytearray(frame(asked, RIGHT))
        for _ in range(chance.randrange(1, 4)):
            good[chance.randrange(9)] = chance.randrange(256)  # the header; the numbers have no checksum
        return bytes(good[: chance.randrange(1, len(good) + 1)])

    sentences: set[str] = set()
    with device(damaged) as line:
        for _ in range(60):
            try:  # so long is waited for what is missing of it; a few that come within are enough
                assert list(line.read(REQUEST, 0.05)) == [7, 8]  # a byte that was changed into itself
            except (NoAnswerError, RefusedError, LineError) as error:
                sentences.add(str(error))
                line.close()
    assert len(sentences) > 3
    assert all(sentences)


def test_why_a_line_can_not_be_opened() -> None:
    assert reason(PermissionError(13, "Permission denied")) == (
        "no permission; the agent's account must be in the group dialout"
    )
    assert reason(BlockingIOError(11, "busy")) == "another program uses it"
    assert reason(TimeoutError()) == "nobody answers at that address"
    assert str(Serial("/dev/ttyUSB0", 9600, "N", 2)) == "/dev/ttyUSB0 (9600 baud, 8N2)"
