"""A made-up past of a point: blocks ten minutes apart that remember each other, with faults put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from scipy.signal import lfilter

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.features.gate import DoubleArray
from models.training.dataset import Label, PointHistory
from models.types import Refusal

DAY_S: Final = 86_400.0
PACE_S: Final = 600.0
A_DAY: Final = 144
START_S: Final = 1_750_032_000.0  # midnight UTC
NAMES: Final = ("H/velocity_rms_mm_s", "H/acceleration_rms_m_s2", "H/kurtosis", "H/envelope_rms_m_s2")
WEATHER: Final = 0.997
"""Autocorrelation of what lasts: after 2.3 days a third of it is left."""

SPEED_HZ: Final = 25.0
LEVELS: Final = (2.0, 3.0, 3.2, 0.8)


def noise(rng: np.random.Generator, m: int, c: int, memory: float = 0.7) -> DoubleArray:
    """Standard normal residuals (m, c) with this autocorrelation from one block to the next."""
    fresh = rng.standard_normal((m + 300, c)) * np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], fresh, axis=0)[300:])


def past(
    days: float,
    *,
    seed: int = 0,
    memory: float = 0.7,
    sigma: float = 0.15,
    names: Sequence[str] = NAMES,
    machine: str = "P-101",
    point: str = "1",
    labels: Sequence[Label] = (),
    done_s: Sequence[float] = (),
    start_s: float = START_S,
    weather: float = 0.0,
) -> PointHistory:
    """A healthy machine at 25 Hz for so many days; `weather` σ of it vary within days, not hours."""
    m, c = round(days * A_DAY), len(names)
    rng = np.random.default_rng(seed)
    z = noise(rng, m, c, memory)
    if weather:
        z = z + weather * noise(rng, m, c, WEATHER)
    level = np.resize(LEVELS, c)
    context = Context(
        start_s + PACE_S * np.arange(m), np.full(m, SPEED_HZ), running=np.ones(m, np.bool_),
        in_alarm=np.zeros(m, np.bool_), interventions_s=tuple(done_s),
    )  # fmt: skip
    return PointHistory(
        "usine", machine, point, "pump", tuple(names), ("1",) * c, level * np.exp(sigma * z), context,
        labels=tuple(labels),
    )  # fmt: skip


def at(days: float) -> float:
    """A time so many days after the start."""
    return START_S + days * DAY_S


def grown(
    history: PointHistory, start_day: float, end_day: float, factor: float, *columns: int
) -> PointHistory:
    """The history with these columns growing exponentially to `factor` from one day to another, then back."""
    t, x = history.time_s, history.x.copy()
    share = np.clip((t - at(start_day)) / (at(end_day) - at(start_day)), 0.0, 1.0)
    share[t >= at(end_day)] = 0.0
    for j in columns or range(x.shape[1]):
        x[:, j] *= factor**share
    return replace(history, x=x)


def baseline_of(history: PointHistory, days: float) -> Baseline:
    """The baseline of its first days."""
    first = history.between(history.time_s[0], history.time_s[0] + days * DAY_S)
    found = Baseline.fit(first.x, first.context, names=first.names)
    assert not isinstance(found, Refusal), found
    return found
