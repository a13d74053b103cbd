"""Histories of healthy points that remember themselves, as machines do, and of points that go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from models.detection.context import Context
from models.training.dataset import PointHistory

START_S: Final = 1_790_000_000.0
EVERY_S: Final = 600.0
A_DAY: Final = 144
FEATURES: Final = (
    "velocity_rms_mm_s", "acceleration_rms_m_s2", "crest_factor", "kurtosis", "band_10_100_m_s2",
    "band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2", "order_1x_mm_s", "order_2x_mm_s",
    "envelope_rms_m_s2", "envelope_modulation",
)  # fmt: skip


def healthy(
    days: float = 10,
    *,
    machine: str = "M-1",
    point: str = "1",
    channels: tuple[str, ...] = ("H",),
    features: tuple[str, ...] = FEATURES,
    memory: float = 0.7,
    seed: int = 0,
    kind: str = "pump",
    speed: bool = False,
) -> PointHistory:
    """Blocks ten minutes apart: a tenth of spread, half of it common to all columns, `memory` from one to
    the next."""
    rng = np.random.default_rng([seed, len(machine), *machine.encode(), *point.encode()])
    m, names = round(days * A_DAY), tuple(f"{c}/{f}" for c in channels for f in features)
    own, common = (_remembering(rng, m, k, memory) for k in (len(names), 1))
    hz = 15 * np.exp(0.1 * _remembering(rng, m, 1, 0.95)[:, 0]) if speed else np.full(m, np.nan)
    level = rng.uniform(0.5, 5.0, len(names))
    x = level * np.exp(0.1 * (0.7 * own + 0.7 * common)) * (hz[:, None] / 15 if speed else 1.0)
    time_s = START_S + EVERY_S * np.arange(m, dtype=np.float64)
    return PointHistory(
        "site", machine, point, kind, names, ("1",) * len(names), x, Context(time_s, hz), 25600.0, 102400
    )


def worse(history: PointHistory, from_row: int, factor: float, *features: str) -> PointHistory:
    """The same, some features of every channel times a factor from a row on (all, where none is named)."""
    x = history.x.copy()
    some = [not features or name.rpartition("/")[2] in features for name in history.names]
    x[from_row:, some] *= factor
    return replace(history, x=x)


def _remembering(
    rng: np.random.Generator, m: int, c: int, memory: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    from scipy.signal import lfilter

    noise = rng.normal(size=(m + 200, c)) * np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise, axis=0)[200:])
