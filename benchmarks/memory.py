"""What a batch adds to memory, and whether a window costs the same whatever the batch."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from .subjects import Blocks, Counts, counts

_STEP: Final = 1024
"""Samples between the starts of neighbouring windows of a long record: 100,000 windows share 200 MB."""

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5): resets the peak resident size to the current one


def peak_added(run: Callable[[], object]) -> int:
    """Bytes that numpy and Python allocated at most at once during `run`, beyond what they held before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        run()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def resident_added(run: Callable[[], object]) -> int | None:
    """Bytes by which the peak of the resident memory rose during `run`; None where the system can't tell."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
        before = _status("VmRSS")
    except (OSError, ValueError):
        return None
    run()
    return max(0, _status("VmHWM") - before)


def sliding(blocks: Blocks, windows: int) -> Counts:
    """`windows` overlapping windows of one long record, as a view: (windows, n_samples) int16."""
    n_samples = blocks.shape[1]
    needed = _STEP * (windows - 1) + n_samples
    record = np.resize(counts(blocks[: -(-needed // n_samples)]).reshape(-1), needed)
    return np.lib.stride_tricks.sliding_window_view(record, n_samples)[::_STEP]


def _status(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            return 1024 * int(rest.split()[0])
    raise ValueError(f"{_STATUS} has no {key}")
