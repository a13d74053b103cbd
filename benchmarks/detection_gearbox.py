"""The protocol on the gearbox with a broken tooth: trained on health at some loads, judged at others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from models.detection.calibration import WATCHED, regime_rows
from models.features import Extractor
from palier.recordings import open_recordings

from .detection_left_out import DEGREES, HEALTHY, Windows, blocks, figures
from .detection_protocol import Figure, Protocol

LENGTH: Final = 2048
"""Samples of a window: some 45 of each load, so that 2 % is a window. Nobody knows how many seconds it is."""

FS_HZ: Final = 20_000.0
"""The rate is not documented. Bands are shares of it, the same for all records; taken as that of the other
set of regimes, which changes no ratio to what was learned."""

LEAST: Final = 3
"""Loads that must be learned: nobody knows the law of load, and from two differences are not told."""

NAME: Final = re.compile(r"([hb])30hz(\d+)")
"""Healthy or broken, at 30 Hz, and the load in %."""


def windows(data: Path, length: int = LENGTH, fs_hz: float = FS_HZ) -> Windows:
    """Rows by fault and load in %, the columns of all four accelerometers side by side."""
    recordings = open_recordings(data / "gearbox_sq" / "gearbox.npz", fs_hz=fs_hz)
    extractor = Extractor(fs_hz, length, features=WATCHED)
    degrees = np.array([DEGREES[name] for name in WATCHED])
    found = {}
    for record in recordings:
        named = NAME.fullmatch(record.name)
        if named is None:
            raise ValueError(f"{record.name}: must be h30hzLOAD or b30hzLOAD")
        channels = [
            regime_rows(extractor.extract(blocks(samples, length), scale), degrees)
            for samples, scale in zip(record.samples, record.scale, strict=True)
        ]
        fault = HEALTHY if named[1] == "h" else "broken tooth"
        found[fault, float(named[2])] = np.concatenate(channels, axis=1)
    return found


def run(data: Path) -> Iterator[Figure]:
    """Hits and false positives at loads that were left out."""
    yield from figures(windows(data), least=LEAST, what="loads", worst="<= 2")


PROTOCOL: Final = Protocol(
    "gearbox",
    "Gearbox, broken tooth at loads not trained on",
    ("gearbox_sq",),
    run,
    "Healthy windows of some loads are learned, windows of all other loads are judged, four accelerometers "
    "side by side. The threshold is twice the strangest load of those learned, each scored by the others. "
    "Unit and sample rate are not known: levels count only relative to what was learned, bands are shares of "
    "the rate.",
)
