"""Recorded runs to failure as trends of one level, asked for remaining life on the way.

The levels have no danger limit of their own: for an acceleration without a standard four times the level in
health stands for it, for a housing 55 K above the room; the alert is a quarter above the level in health,
or 40 K.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.prognosis import Quantity, RemainingLife, Threshold, Trend, remaining_life
from models.types import Refusal

from .life_acceptance import MOMENTS
from .lives import Array

RUN_IN, LEARNT = 30, 200
"""Files of a run that are left out, and those after them that stand for health."""

DANGER_RATIO, ALERT_RATIO = 4.0, 1.25
DANGER_K, ALERT_K = 55.0, 40.0

SUSTAINED: Final = 6
"""Values in a row that make an alert."""

IMS_FAILED: Final = (
    ("test1_raw", "Bearing3_ch1_rms"),
    ("test1_raw", "Bearing4_ch1_rms"),
    ("test3_raw", "Bearing3_ch1_rms"),
)
"""The bearings that failed: test 1 inner ring and roller, test 3 outer ring."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the share of the way from alert to end, hours left, and the answer or why there is none.
    `reached`: whether the end is the threshold; if not it is that of the run, before which nothing crossed
    it."""

    share: float
    left_h: float
    reached: bool
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    why: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the end (that of the run where it came first) lay in the interval; None without answer."""
        if self.p10 is None or self.p90 is None:
            return None
        return self.p10 <= self.left_h <= self.p90

    def __str__(self) -> str:
        said = self.why or f"[{self.p10:.3g}; {self.p50:.3g}; {self.p90:.3g}] h"
        return f"{self.share:g}: {said}, was {self.left_h:.3g} h" + (
            "" if self.reached else " to the end of the run, below the threshold"
        )


def ask(trend: Trend, threshold: Threshold) -> tuple[Asked, ...]:
    """The questions of one run; none where it never came to a sustained alert."""
    hours, values = np.asarray(trend.hours, dtype=np.float64), np.asarray(trend.values, dtype=np.float64)
    begin = _sustained(values >= (trend.alert or np.inf), SUSTAINED)
    if begin is None:
        return ()
    crossing = _sustained(values >= threshold.value, 3)
    end = len(values) - 1 if crossing is None else crossing
    found = []
    for share in MOMENTS:
        now = int(np.searchsorted(hours, hours[begin] + share * (hours[end] - hours[begin]), side="right"))
        past = Trend(
            hours[:now],
            values[:now],
            trend.unit,
            trend.alert,
            baseline=trend.baseline,
            spread=trend.spread,
            quantity=trend.quantity,
        )
        left = float(hours[end] - hours[now - 1])
        found.append(_answered(share, left, crossing is not None, remaining_life(past, threshold)))
    return tuple(found)


def _answered(share: float, left_h: float, reached: bool, answer: RemainingLife | Refusal) -> Asked:
    if isinstance(answer, Refusal):
        return Asked(share, left_h, reached, why=answer.reason)
    return Asked(share, left_h, reached, answer.p10, answer.p50, answer.p90)


def _sustained(over: npt.NDArray[np.bool_], run: int) -> int | None:
    """The first place from which `run` values in a row are over."""
    if len(over) < run:
        return None
    whole = np.lib.stride_tricks.sliding_window_view(over, run).all(axis=1)
    return int(whole.argmax()) if whole.any() else None


def ims(data: Path) -> Iterator[tuple[str, tuple[Asked, ...]]]:
    """The three bearings of the IMS runs that failed and are kept as features."""
    for test, column in IMS_FAILED:
        stamps, values = _columns(data / "ims_features" / f"{test}.parquet", ("timestamp", column))
        hours = _hours(stamps)[RUN_IN:]
        level = np.asarray(values, dtype=np.float64)[RUN_IN:]
        healthy = np.log(level[:LEARNT])
        base = float(np.exp(np.median(healthy)))
        spread = float(1.4826 * np.median(np.abs(healthy - np.log(base))))
        trend = Trend(hours, level, "g", ALERT_RATIO * base, base, spread)
        yield f"IMS {test[:5]} {column[:8]}", ask(trend, Threshold(DANGER_RATIO * base, "g"))


def ldm(data: Path) -> Iterator[tuple[str, tuple[Asked, ...]]]:
    """The housings of the LDM bearings, from their records of temperature."""
    for path in sorted((data / "ldm").glob("*_op_temp.parquet")):
        names = ("Time", "Mean Abs. Temp. T1 / °C", "Mean Room Temp. / °C")
        stamps, housing, room = _columns(path, names)
        hours = _hours(stamps)
        rise = np.asarray(housing, dtype=np.float64) - np.asarray(room, dtype=np.float64)
        trend = Trend(hours, rise, "K", ALERT_K, quantity=Quantity.TEMPERATURE)
        yield f"LDM {path.name[:3]}", ask(trend, Threshold(DANGER_K, "K"))


def _hours(stamps: Sequence[Any]) -> Array:
    """Hours since the first of times or of texts that hold one."""
    times = [stamp if isinstance(stamp, datetime) else datetime.fromisoformat(stamp) for stamp in stamps]
    return np.array([(time - times[0]).total_seconds() / 3600 for time in times])


def _columns(path: Path, names: Sequence[str]) -> list[list[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=list(names))
    return [table[name].to_pylist() for name in names]
