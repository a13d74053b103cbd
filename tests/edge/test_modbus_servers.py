"""The Modbus source against real pymodbus servers in processes of their own, over TCP and a pty."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest

from edge_agent.sources.modbus import open_source
from palier.clock import PlantClock
from palier.frames import Readings
from tests.support.modbus_server import BAUD, BUSY, MISSING, NOISY, SILENT, SLOW, ModbusServer, serial_line
from tests.support.services import free_port
from tests.support.waiting import eventually

pytest.importorskip("pymodbus", reason="pip install 'palier[modbus]'")

AGAIN_S = 15.0
"""What is promised."""
BUSY_S = 60.0
"""Until a test that does not measure it gives up: the machine has other things to do."""
QUICK: Mapping[str, object] = {"every_s": 0.1, "send_every_s": 0.1, "answer_s": 0.25}


def row(slave: int, register: int, kind: str = "holding", **more: object) -> dict[str, object]:
    of_bits = kind in {"coil", "discrete"}
    typed = {} if of_bits else {"type": "uint16", "scale": 1}
    name = {"channel": f"{kind}-{slave}-{register}", "slave": slave, "kind": kind, "register": register}
    return {"machine": "P-101", "point": "1", "unit": "1", **typed, **name, **more}


class Reader:
    """A source in a thread of its own. `values` are the newest, by channel without its point."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self.source = open_source(table, PlantClock())
        self.frames: queue.SimpleQueue[tuple[float, Readings]] = queue.SimpleQueue()
        self.values: dict[str, float] = {}
        self.counted: list[int] = []  # every value of a holding register 0: no two may be equal
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for frame in self.source.frames(self._stop):
            assert isinstance(frame, Readings)
            for name, values in zip(frame.channels, frame.values, strict=True):
                known = values[np.isfinite(values)]
                if known.size:  # those of a device that is away are bad, and no number
                    self.values[name.partition("/")[2]] = float(known[-1])
                self.counted += [int(one) for one in known if name.endswith("-0")]

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def served(*slaves: int) -> Iterator[tuple[ModbusServer, dict[str, object]]]:
    """A TCP server with the [[source]] that reads it."""
    port = free_port()
    with ModbusServer(("tcp", str(port)), slaves) as server:
        yield server, {"host": "127.0.0.1", "port": port, **QUICK}


def test_over_tcp_values_come_from_a_real_server() -> None:
    rows = [row(1, 0), row(1, 7, scale=0.5, offset=-1), row(1, 3, "coil")]
    with served(1) as (_, table), Reader({**table, "value": rows}) as reader:
        eventually(lambda: len(reader.counted) > 1, 30, "two values")
    assert (reader.values["holding-1-7"], reader.values["coil-1-3"]) == (2.5, 1.0)


@pytest.mark.long
def test_over_tcp_every_kind_is_read_and_what_is_wrong_is_told_by_its_register(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [
        *(row(1, register) for register in (0, 1, 2, 499, MISSING[3], 520)),
        *(row(1, 30, "input"), row(1, 3, "coil"), row(1, 4, "discrete"), row(BUSY, 5), row(SILENT, 5)),
        row(NOISY, 5),
    ]
    with (
        served(1, BUSY, SILENT, NOISY) as (_, table),
        caplog.at_level(logging.WARNING),
        Reader({**table, "value": rows}) as reader,
    ):
        eventually(lambda: len(reader.values) == 8, 30, "the values of slave 1")
        eventually(
            lambda: f"slave {BUSY}, {SILENT}, {NOISY}" in reader.source.problem, 30, "three slaves away"
        )
        values = {name: value for name, value in reader.values.items() if name != "holding-1-0"}
    assert values == {
        **{f"holding-1-{register}": float(register) for register in (1, 2, 499, 520)},
        **{"input-1-30": 1030.0, "coil-1-3": 1.0, "discrete-1-4": 0.0},
    }
    said = "\n".join(caplog.messages)
    assert (
        f"refuses holding register {MISSING[3]} of slave 1, wanted by value 5 (P-101 1/holding-1-503)" in said
    )
    assert f"slave {BUSY} at 127.0.0.1" in said
    assert f"slave {SILENT} at 127.0.0.1" in said
    assert "what comes is no answer, it begins with 00 00 00 00" in said


@pytest.mark.long
def test_over_a_serial_line_a_slave_that_is_slow_or_away_leaves_the_others_their_pace() -> None:
    rows = [row(1, 0), row(1, 30, "input"), row(SLOW, 5), row(SILENT, 5), row(NOISY, 5)]
    slow = {"slow": {str(SLOW): 1.0}, "answer_s": 0.15}
    with serial_line() as (ours, theirs), ModbusServer(("rtu", theirs), (1, SLOW, SILENT, NOISY)):
        line = {"device": ours, "baud": BAUD, "parity": "N"}
        with Reader({**QUICK, **line, **slow, "value": rows}) as reader:
            eventually(lambda: f"slave {SILENT}, {NOISY}" in reader.source.problem, 30, "two slaves away")
            before = len(reader.counted)
            eventually(lambda: len(reader.counted) > before + 3, 30, "more of slave 1")
            assert reader.values["input-1-30"] == 1030
            assert reader.values[f"holding-{SLOW}-5"] == 5
    assert len(set(reader.counted)) == len(reader.counted)


@pytest.mark.long
def test_an_answer_that_comes_too_late_is_never_taken_for_another() -> None:
    rows = [row(1, 0), *(row(SLOW, register) for register in (5, 100, 300))]
    with (
        serial_line(1, SLOW) as (ours, theirs, slow_one),
        ModbusServer(("rtu", theirs), (1,)),
        ModbusServer(("rtu", slow_one), (SLOW,)),
        Reader(
            {**QUICK, "device": ours, "baud": BAUD, "parity": "N", "answer_s": 0.3, "value": rows}
        ) as reader,
    ):
        eventually(lambda: f"slave {SLOW}" in reader.source.problem, 30, "the slow slave away")
        before = len(reader.counted)
        eventually(lambda: len(reader.counted) > before + 30, 30, "more of slave 1")
    assert len(set(reader.counted)) == len(reader.counted)
    wrong = {
        name: value for name, value in reader.values.items() if not name.endswith((f"-{value:.0f}", "-0"))
    }
    assert not wrong


def test_a_serial_device_that_is_not_there_is_a_problem_with_its_name() -> None:
    table = {**QUICK, "device": "/dev/ttyNONE", "value": [row(1, 0)]}
    with Reader(table) as reader:
        eventually(lambda: reader.source.problem, 30, "the problem")
    assert reader.source.problem.startswith("/dev/ttyNONE (19200 baud, 8E1) can't be opened:")
    assert "No such file or directory" in reader.source.problem
    assert reader.counted == []


def killed_and_restarted(server: ModbusServer, reader: Reader, away_s: float) -> float:
    """Seconds from the restart to the first new value; nothing may be said while the server is away."""
    server.kill()
    eventually(lambda: reader.source.problem, 30, "the loss")  # so what was read before is through
    before = len(reader.counted)
    time.sleep(away_s)
    assert len(reader.counted) == before
    server.start()
    began_s = time.monotonic()
    eventually(lambda: len(reader.counted) > before, BUSY_S, f"data after {away_s:.1f} s away")
    return time.monotonic() - began_s


@pytest.mark.long
def test_a_server_that_is_killed_is_read_again_when_it_is_back() -> None:
    with served(1) as (server, table), Reader({**table, "value": [row(1, 0)]}) as reader:
        eventually(lambda: reader.counted, 30, "the first value")
        killed_and_restarted(server, reader, 1.0)
    assert reader.source.problem == ""


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("line", ["tcp", "rtu"])
def test_servers_killed_twenty_times_give_data_again_within_fifteen_seconds(line: str) -> None:
    """kill -9, away for up to 6 s (longer than most pauses of the source), back on the same port or line."""
    chance = random.Random(9)
    port = free_port()
    with serial_line() as (ours, theirs):
        where = ("tcp", str(port)) if line == "tcp" else ("rtu", theirs)
        source = {"host": "127.0.0.1", "port": port} if line == "tcp" else {"device": ours, "baud": BAUD}
        parity = {} if line == "tcp" else {"parity": "N"}
        with (
            ModbusServer(where, (1, 2)) as server,
            Reader({**QUICK, **source, **parity, "value": [row(1, 0), row(2, 0)]}) as reader,
        ):
            eventually(lambda: len(reader.counted) > 3, 30, "the first values")
            away_s = [chance.uniform(0.0, 1.0) if i % 5 else 6.0 for i in range(20)]
            took = [killed_and_restarted(server, reader, seconds) for seconds in away_s]
    print(f"{line}: data again after {max(took):.1f} s at most, {sum(took) / 20:.1f} s on average")  # noqa: T201
    assert max(took) < AGAIN_S
