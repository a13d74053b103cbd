"""The protocol on the bearing of UESTC: trained on health at some speeds, judged at others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from models.detection.calibration import WATCHED, regime_rows
from models.features import Extractor
from palier.recordings import open_recordings

from .detection_left_out import DEGREES, HEALTHY, Windows, blocks, figures
from .detection_protocol import Figure, Protocol

LENGTH: Final = 16_384
"""Samples of a window, 0.82 s: ten turns at 800 r/min, in which the cage comes round four times."""

LEAST: Final = 1
"""Speeds that must be learned: the law of speed is known, so that one is enough."""


def windows(data: Path, length: int = LENGTH) -> Windows:
    """Rows by fault and nominal speed in r/min; the true one is up to 6 % off, which no feature minds."""
    folder = data / "uestc"
    recordings = open_recordings(folder / "uestc.npz", folder / "index.csv")
    found: dict[tuple[str, float], list[np.ndarray]] = {}
    extractor: Extractor | None = None
    degrees = np.array([DEGREES[name] for name in WATCHED])
    for record in recordings:
        if record.rpm is None:
            raise ValueError(f"{record.name}: must have a speed")
        extractor = extractor or Extractor(record.fs_hz, length, features=WATCHED)
        features = extractor.extract(blocks(record.samples[0], length), record.scale[0])
        fault = {"N": HEALTHY}.get(record.labels["fault"], record.labels["fault"])
        rows = regime_rows(features, degrees, record.rpm / 60)
        found.setdefault((fault, record.rpm), []).append(rows)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def run(data: Path) -> Iterator[Figure]:
    """Hits and false positives at speeds that were left out."""
    yield from figures(windows(data), least=LEAST, what="speeds", scale=math.log)


PROTOCOL: Final = Protocol(
    "uestc",
    "UESTC, faults at speeds not trained on",
    ("uestc",),
    run,
    "Healthy windows of 0.82 s of some speeds are learned, windows of all other speeds are judged. The "
    "threshold is twice the strangest speed of those learned, each scored by the others; with one speed a "
    "ratio of two between levels over the square of the speed. The unit is not known: levels count only "
    "relative to what was learned.",
)
