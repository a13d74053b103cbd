"""The machine that measured: without it a time means nothing."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

BUSY: Final = 0.3
"""Runnable programs (one minute's mean) from which on others take time, cache and memory from us."""

PACKAGES: Final = ("palier", "numpy", "scipy", "numba", "tsfel", "tsfresh", "orjson", "influxdb-client")

BLAS_VARIABLES: Final = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What numpy's linear algebra reads when it is first imported; OpenBLAS in numpy's own wheels."""


@dataclass(frozen=True)
class Machine:
    """`cache_l2` is as the system words it, per core or shared; `load` is None where it keeps none."""

    cpu: str
    cores: int
    cache_l2: str
    system: str
    python: str
    packages: dict[str, str]
    load: float | None
    blas_threads: str

    @property
    def busy(self) -> bool:
        """Whether others were using it when the measurement began."""
        return self.load is not None and self.load > BUSY

    def line(self) -> str:
        """One line for people."""
        packages = " · ".join(f"{name} {number}" for name, number in self.packages.items())
        load = "unknown" if self.load is None else f"{self.load:.2f}"
        return (
            f"{self.cpu}, {self.cores} cores, L2 {self.cache_l2} · {self.system} · Python {self.python} · "
            f"{packages} · BLAS threads {self.blas_threads} · load {load}"
        )


def hold_blas_to_one_thread() -> None:
    """Sets what numpy's linear algebra reads when it is imported; too late, and not done, where it was."""
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))


def look() -> Machine:
    """The machine as it is now."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cache_l2=_read(Path("/sys/devices/system/cpu/cpu0/cache/index2/size")) or "unknown",
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: number for name in PACKAGES if (number := _version(name))},
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        blas_threads=os.environ.get(BLAS_VARIABLES[0], "unknown"),
    )


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used. Linux; 0.0 elsewhere."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _cpu() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
