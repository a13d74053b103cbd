"""A real pymodbus server in a process of its own, over TCP or a pty, that a test may kill.

    python -m tests.support.modbus_server tcp PORT SLAVE...
    python -m tests.support.modbus_server rtu DEVICE SLAVE...

Of each slave: holding register 0 counts the reads of it, those from 1 to 999 hold their own number; input
registers 0 to 999 hold 1000 more than their number; coil and discrete input 3 are set. Holding registers 500
to 509 are not there. Slave 9 answers after 0.4 s, slave 66 says that it is busy, slave 77 says nothing, what
slave 88 says is noise.
"""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pymodbus.constants import ExcCodes
    from pymodbus.simulator import SimDevice

BAUD: Final = 115_200
SLOW: Final = 9
BUSY: Final = 66
SILENT: Final = 77
NOISY: Final = 88
MISSING: Final = range(500, 510)


@dataclass
class ModbusServer:
    """The process; `where` is ("tcp", port) or ("rtu", device)."""

    where: tuple[str, str]
    slaves: tuple[int, ...] = (1,)
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        command = [sys.executable, "-m", __name__, *self.where, *map(str, self.slaves)]
        folder = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"serving\n"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def __enter__(self) -> ModbusServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def serial_line(*slaves: int) -> Iterator[list[str]]:
    """Names of serial devices: the master's, and one for each of these slaves, which hears what is for it and
    no other (this server would answer for others, too); without any, one that hears all.
    """
    with ExitStack() as opened:
        ends = [pty.openpty() for _ in range(1 + max(len(slaves), 1))]
        for end, device in ends:
            tty.setraw(device)
            opened.callback(os.close, device)  # held open, so that a process that ends does not hang up
            opened.callback(os.close, end)
        stop = threading.Event()
        masters = [end for end, _ in ends]
        cable = threading.Thread(target=_carry, args=(masters, slaves, stop), daemon=True)
        cable.start()
        opened.callback(cable.join)
        opened.callback(stop.set)
        yield [os.ttyname(device) for _, device in ends]


def _carry(ends: list[int], slaves: tuple[int, ...], stop: threading.Event) -> None:
    master, *others = ends
    while not stop.is_set():
        for end in select.select(ends, [], [], 0.05)[0]:
            heard = os.read(end, 4096)
            if end != master:
                os.write(master, heard)
            elif not slaves:
                os.write(others[0], heard)
            elif heard[0] in slaves:
                os.write(others[slaves.index(heard[0])], heard)


def _device(slave: int) -> SimDevice:
    from pymodbus.constants import ExcCodes
    from pymodbus.simulator import DataType, SimData, SimDevice

    async def action(*request: Any) -> ExcCodes | None:
        """As SimDevice wants it: function, first of the table, address, count, registers, what is written."""
        function, start, address, _, registers, _ = request
        if slave == SLOW:
            await asyncio.sleep(0.4)
        if function == 3 and address == start == 0:
            registers[0] = (registers[0] + 1) % 30_000
        return ExcCodes.DEVICE_BUSY if slave == BUSY else None

    def table(numbers: range, more: int = 0) -> SimData:
        return SimData(numbers.start, values=[n + more for n in numbers], datatype=DataType.REGISTERS)

    bits = [SimData(0, values=[i == 3 for i in range(16)], datatype=DataType.BITS)]
    holding = [table(range(MISSING.start)), table(range(MISSING.stop, 1000))]
    return SimDevice(slave, (bits, bits, holding, [table(range(1000), 1000)]), action=action)


async def _serve(kind: str, where: str, slaves: list[int]) -> None:
    from pymodbus.framer import FramerType
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer

    server: ModbusSerialServer | ModbusTcpServer

    devices = [_device(slave) for slave in slaves]

    def wire(sending: bool, data: bytes) -> bytes:
        slave = data[6 if kind == "tcp" else 0]
        if sending and slave == SILENT:
            return b""
        return bytes(len(data)) + b"\xa5" if sending and slave == NOISY else data

    if kind == "tcp":
        server = ModbusTcpServer(devices, address=("127.0.0.1", int(where)), trace_packet=wire)
    else:
        server = ModbusSerialServer(
            devices, framer=FramerType.RTU, port=where, baudrate=BAUD, trace_packet=wire
        )
    serving = asyncio.create_task(server.serve_forever())
    while not server.is_active():
        await asyncio.sleep(0.01)
        if serving.done():
            await serving
    print("serving", flush=True)  # noqa: T201 - what the test waits for
    await serving


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], [int(one) for one in sys.argv[3:]]))
