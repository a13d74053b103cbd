"""Jobs for tests of `palier.fleet`: other processes import them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt


def spectrum(seed: int) -> npt.NDArray[np.float64]:
    """Some linear algebra, whose last digits tell whether it was computed alike."""
    x = np.random.default_rng(seed).normal(size=(400, 40))
    return np.linalg.eigh(np.cov(x.T))[1]


def refused(machine: str) -> str:
    """Fails for one of its jobs."""
    if machine == "C-201":
        raise ValueError("too few healthy days")
    return machine


def dies_once(marker: Path) -> int:
    """Ends its process by kill -9, the first time that it is done."""
    if marker.name == "victim":
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return 1
        os.kill(os.getpid(), signal.SIGKILL)
    return 0


def dies(_: int) -> None:
    """Ends its process each time."""
    os.kill(os.getpid(), signal.SIGKILL)


def begun(job: tuple[Path, int]) -> tuple[int, int]:
    """Notes which process works on it, takes half a second, and notes that it is done; (number, process)."""
    folder, number = job
    (folder / f"{number}.{os.getpid()}").touch()
    time.sleep(0.5)
    (folder / f"{number}.{os.getpid()}.done").touch()
    return number, os.getpid()
