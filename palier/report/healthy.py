"""What a machine's channels were in good health: the medians that a baseline keeps of every feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from models.features.catalogue import NAMES
from models.types import MachineSpec

from .found import Place

MODEL: Final = "#model"
"""Key of what was learned of a point in the records: "MACHINE/POINT#model:VERSION"."""


def levels_of(
    states: Mapping[tuple[str, str], str], site: str, machine: MachineSpec, version: int
) -> dict[Place, dict[str, float]]:
    """Levels in good health by (point, channel) and feature, of a version of the machine's baseline.

    `states` are those of the records, by (site, key). What another version of Palier wrote is not known.
    """
    found: dict[Place, dict[str, float]] = {}
    for point in machine.points:
        text = states.get((site, f"{machine.id}/{point.id}{MODEL}:{version}"))
        if text:
            found |= {(point.id, channel): levels for channel, levels in _read(text).items()}
    return found


def _read(text: str) -> dict[str, dict[str, float]]:
    from models.detection.plain import decode  # brings a second of scipy, for who has a baseline only

    try:
        arrays = decode(text)
        channels = [str(name) for name in arrays["channels"].tolist()]
        levels = np.asarray(arrays["levels"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return {}
    if levels.shape != (len(channels), len(NAMES)):
        return {}
    return {
        channel: {name: value for name, value in zip(NAMES, row.tolist(), strict=True) if np.isfinite(value)}
        for channel, row in zip(channels, levels, strict=True)
    }
