"""Figures that a test measured, for who runs it with `-rP` or `-s`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def tell(sentence: str) -> None:
    """One line, with the load of the machine that it was measured on."""
    sys.stdout.write(f"\n[load {os.getloadavg()[0]:.1f}] {sentence}\n")
    sys.stdout.flush()


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def most_memory_mb(pid: int) -> float:
    """The most memory that a process has had (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
