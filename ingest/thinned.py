"""Blocks of a lower rate than their channel: long ones, thinned by the gateway for lines close together.

What such a block has of a whole band is of another band than that of the other blocks of its channel: its RMS
acceleration is the one up to 1000 Hz. Side by side in one series the two are a step that no machine made. So
of a thinned block only what names its band, or a line, is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.features.catalogue import CATALOGUE

from .knowledge import Knowledge
from .scoring import Scored

THINNED: Final = 0.75
"""Of the rate that the plant states. Oscillators are within 10 %, and the least thinning is by 2."""

_WHOLE: Final = np.array(
    [
        spec.band is None
        and spec.domain in ("time", "frequency", "envelope", "cepstrum")
        and spec.name != "mean_m_s2"
        for spec in CATALOGUE
    ]
)
"""Features of all of the band that a block has."""


def forget_whole_bands(entries: Iterable[Scored], knowledge: Knowledge) -> None:
    """Make unknown, in place, what a thinned block can't tell."""
    for entry in entries:
        block = entry.block
        point = knowledge.point(entry.work.site, block.machine, block.point)
        rates = {} if point is None else {channel.id: channel.fs_hz for channel in point.channels}
        for c, name in enumerate(block.channels):
            stated_hz = rates.get(name)
            if stated_hz is not None and block.fs_hz < THINNED * stated_hz:
                entry.features[c, _WHOLE] = np.nan
