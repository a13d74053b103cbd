"""A Modbus TCP device of its own process: `python -P -m benchmarks.modbus_device PORT COUNTED`.

All 65,536 holding registers hold their number; how many were read so far stands in the file COUNTED.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

WRITTEN_S: Final = 0.1  # between two looks at how many were read
ALL: Final = 65_536


async def serve(port: int, counted: Path) -> None:
    """Until it is killed."""
    count = 0

    async def reads(
        _function: int, _start: int, _address: int, n: int, _now: list[int], _set: object
    ) -> ExcCodes | None:
        nonlocal count
        count += n
        return None

    registers = SimData(0, values=list(range(ALL)), datatype=DataType.REGISTERS)
    device = SimDevice(1, [registers], action=reads)
    server = asyncio.create_task(ModbusTcpServer(device, address=("127.0.0.1", port)).serve_forever())
    while not server.done():
        await asyncio.sleep(WRITTEN_S)
        counted.write_text(str(count))
    await server


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
