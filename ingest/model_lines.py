"""What models of the registry say of blocks, as rows of the series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palier.historian.base import Rows

from .watch_parts import Place


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the series."""

    place: Place
    ts_ns: int
    frame: str | None
    model: str
    version: int
    stage: str
    score: float = np.nan
    threshold: float = np.nan
    level: int | None = None
    label: str | None = None
    confidence: float = np.nan
    leading: str | None = None


def rows_of(lines: Sequence[Line]) -> Rows:
    """The rows of these scores."""
    site, machine, point = ([line.place[k] for line in lines] for k in range(3))
    numbers = {
        name: np.array([getattr(line, name) for line in lines], dtype=np.float64)
        for name in ("score", "threshold", "confidence")
    }
    fields: dict[str, Any] = {
        "model": [line.model for line in lines],
        "version": np.array([line.version for line in lines], dtype=np.int64),
        "stage": [line.stage for line in lines],
        "level": np.array([np.nan if line.level is None else line.level for line in lines], dtype=np.float64),
        "label": [line.label for line in lines],
        "leading": [line.leading for line in lines],
        "frame": [line.frame for line in lines],
        **numbers,
    }
    ts_ns = np.array([line.ts_ns for line in lines], dtype=np.int64)
    return Rows("model_score", site, machine, point, [""] * len(lines), ts_ns, fields)
