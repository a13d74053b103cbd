"""An outbox as a long cut leaves it: blocks of 25 kB, one for each point and ten minutes."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.outbox import open_outbox
from palier.frames import Waveform

SAMPLES: Final = 12_500  # int16: 25 kB, the block that all figures of the link are given for
APART_S: Final = 600
RATE_HZ: Final = 12_500.0
AT_ONCE: Final = 100


def block(machine: str, number: int, points: int, start_ns: int, seed: int = 0) -> Waveform:
    """The block number `number` of a machine: point by point, then ten minutes later."""
    samples = np.random.default_rng((seed, number)).integers(-3000, 3000, (1, SAMPLES)).astype("<i2")
    return Waveform(
        machine=machine,
        point=f"p{number % points + 1}",
        channels=("h",),
        samples=samples,
        scale=(0.001,),
        unit=("m/s²",),
        fs_hz=RATE_HZ,
        start_ns=start_ns + number // points * APART_S * 10**9,
    )


def fill(folder: Path, edge: str, epoch: str, *, machine: str, blocks: int, points: int) -> None:
    """So many blocks, of the time up to now, as if nobody had come to fetch them."""
    start_ns = time.time_ns() - (blocks // points + 1) * APART_S * 10**9
    with closing(open_outbox(folder, edge, draw_epoch=lambda: epoch, cap_bytes=4 * 10**9)) as outbox:
        for first in range(0, blocks, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, blocks))
            outbox.put([block(machine, number, points, start_ns) for number in numbers])
