"""`palier bench modbus`: what reading a thousand Modbus registers a second costs the agent's process.

The device is a pymodbus server in a process of its own, the agent the real one (`python -m edge_agent`) with
its outbox on the disk and no broker. The reference is pymodbus alone: the same requests, the answers thrown
away.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from palier.children import Family, accepts, free_port, start, wait_until

from .machine import Machine, cpu_seconds, look
from .tables import circumstances, print_parts, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MOST_SHARE: Final = 0.20  # of a core, for a thousand registers a second
REGISTERS: Final = 1000
ANSWERS: Final = 1000  # registers a second, so that none was left out
START_S: Final = 30.0
WARM_UP_S: Final = 4.0
MEGABYTE: Final = 1e6
NO_LIBRARY: Final = "pymodbus is not installed: pip install 'palier[modbus]'"


class Case(NamedTuple):
    """What is read each second: `values` numbers, each `step` registers behind the one before."""

    what: str
    kind: str
    values: int
    step: int
    send_every_s: int
    must: bool


CASES: Final = (
    Case("1,000 uint16 in a row, sent each 30 s", "uint16", 1000, 1, 30, must=True),
    Case("1,000 uint16 in a row, sent each second", "uint16", 1000, 1, 1, must=False),
    Case("500 float32, a request for each", "float32", 500, 50, 30, must=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One case: registers read a second, shares of a core, and the agent's largest memory."""

    case: Case
    registers_s: float
    share: float
    reference: float
    peak_bytes: int

    @property
    def met(self) -> bool:
        """Whether all were read, on the share of a core that is allowed."""
        return self.registers_s >= 0.98 * ANSWERS and self.share <= MOST_SHARE


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    machine: Machine
    seconds: float
    rows: tuple[Row, ...]

    @property
    def failed(self) -> bool:
        """Whether a case that must be reached was not."""
        return any(row.case.must and not row.met for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "most_share": MOST_SHARE,
            "seconds": self.seconds,
            "machine": self.machine.line(),
            "cases": [
                {
                    "what": row.case.what,
                    "registers_s": row.registers_s,
                    "share": row.share,
                    "reference_share": row.reference,
                    "peak_bytes": row.peak_bytes,
                    "must": row.case.must,
                    "met": row.met,
                }
                for row in self.rows
            ],
        }


def bench_modbus(seconds: float, tell: Callable[[str], None], cases: Sequence[Case] = CASES) -> Report:
    """Measures each case for so long. Raises ChildError where a process does not start."""
    machine = look()
    return Report(machine, seconds, tuple(_row(case, seconds, tell) for case in cases))


def _row(case: Case, seconds: float, tell: Callable[[str], None]) -> Row:
    tell(case.what)
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        folder, port = Path(name), free_port()
        counted, family = folder / "counted", Family()
        try:
            command = ["-P", "-m", "benchmarks.modbus_device", str(port), str(counted)]
            device = start("device", [sys.executable, *command], folder / "device.log")
            family.members.append(device)
            wait_until(device, lambda: accepts(port), START_S)
            reference = _alone(case, port, max(int(seconds / 4), 5))
            config, alone = _config(folder, port, case), _count(counted)
            agent = start(
                "agent",
                [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)],
                folder / "agent.log",
            )
            family.members.append(agent)
            wait_until(agent, lambda: _count(counted) > alone, START_S)
            time.sleep(WARM_UP_S)
            before, began_s, cpu_s = _count(counted), time.monotonic(), cpu_seconds(agent.process.pid)
            time.sleep(seconds)
            took_s, cpu_s = time.monotonic() - began_s, cpu_seconds(agent.process.pid) - cpu_s
            family.check()
            read, peak = _count(counted) - before, _peak_bytes(agent.process.pid)
        finally:
            family.stop()
    return Row(case, read / took_s, cpu_s / took_s, reference, peak)


def _alone(case: Case, port: int, rounds: int) -> float:
    """Share of a core that pymodbus alone takes for a round of the same requests each second."""
    from pymodbus.client import ModbusTcpClient

    client = ModbusTcpClient("127.0.0.1", port=port)
    together = 125 if case.step == 1 else 2
    firsts = range(0, REGISTERS, together) if case.step == 1 else range(0, case.values * case.step, case.step)
    with client:
        began_s = time.process_time()
        for _ in range(rounds):
            for first in firsts:
                client.read_holding_registers(first, count=together)
        return (time.process_time() - began_s) / rounds


def _config(folder: Path, port: int, case: Case) -> Path:
    rows = "".join(
        f'[[source.value]]\nchannel = "c{i}"\nregister = {i * case.step}\ntype = "{case.kind}"\n'
        'unit = "1"\nscale = 0.1\n'
        for i in range(case.values)
    )
    config = folder / "agent.toml"
    config.write_text(
        f'site = "bench"\nnode = "gw"\ndata = "data"\n[broker]\nport = {free_port()}\n[[source]]\n'
        f'type = "modbus"\nhost = "127.0.0.1"\nport = {port}\nevery_s = 1\n'
        f'send_every_s = {case.send_every_s}\nmachine = "M-1"\npoint = "1"\n{rows}'
    )
    return config


def _count(counted: Path) -> int:
    return int(counted.read_text() or 0) if counted.exists() else 0


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    return 0


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterable[RenderableType]:
    from rich.table import Table

    yield from circumstances(report.machine)
    yield title(f"1,000 Modbus registers a second, {report.seconds:g} s each: processor time of the agent")
    table = Table("what is read", "registers/s", "of a core", "pymodbus alone", "memory", "goal")
    for row in report.rows:
        table.add_row(*_cells(row))
    yield table


def _cells(row: Row) -> Sequence[str]:
    goal = ("met" if row.met else "NOT MET") if row.case.must else "-"
    return (
        row.case.what,
        f"{row.registers_s:,.0f}",
        f"{100 * row.share:.1f} %",
        f"{100 * row.reference:.1f} %",
        f"{row.peak_bytes / MEGABYTE:.0f} MB",
        f"{goal} (<= {100 * MOST_SHARE:g} %)" if row.case.must else goal,
    )
