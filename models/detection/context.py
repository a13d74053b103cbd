"""What is known about blocks besides their features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray


@dataclass(frozen=True, slots=True)
class Context:
    """When m blocks were measured and what the machine did, each (m,), or one value for all.

    `time_s` seconds of any clock; `speed_hz` and `load` NaN where unknown; `others` (m, q) further causes of
    the level (ambient temperature; never what a fault changes itself); `running` False for blocks that are
    stopped, transient or refused; `in_alarm` blocks to be left out of learning; `interventions_s` when
    something was done to the machine; `cycles` full cycles that a technician declares these blocks to hold.
    Raises ValueError for shapes that do not fit, infinite values, and flags that are not true or false (a
    `Regime` is no flag: unknown would count as running).
    """

    time_s: DoubleArray
    speed_hz: DoubleArray = field(default=cast(DoubleArray, np.nan))
    load: DoubleArray = field(default=cast(DoubleArray, np.nan))
    others: DoubleArray = field(default=cast(DoubleArray, ()))
    running: npt.NDArray[np.bool_] = field(default=cast("npt.NDArray[np.bool_]", True))
    in_alarm: npt.NDArray[np.bool_] = field(default=cast("npt.NDArray[np.bool_]", False))
    interventions_s: tuple[float, ...] = ()
    cycles: int = 0

    def __post_init__(self) -> None:
        time_s = np.asarray(self.time_s, dtype=np.float64)
        if time_s.ndim != 1:
            raise ValueError(f"time_s must be seconds of shape (m,), got shape {time_s.shape}")
        object.__setattr__(self, "time_s", time_s)
        for name in ("speed_hz", "load"):
            object.__setattr__(
                self, name, _each(name, np.asarray(getattr(self, name), np.float64), len(time_s))
            )
        for name in ("running", "in_alarm"):
            object.__setattr__(self, name, _each(name, _flags(name, getattr(self, name)), len(time_s)))
        object.__setattr__(self, "others", _causes(np.asarray(self.others, dtype=np.float64), len(time_s)))
        for name in ("time_s", "speed_hz", "load", "others"):
            if np.isinf(getattr(self, name)).any():
                raise ValueError(f"{name} must be finite, and NaN where it is unknown, got inf")


def _flags(name: str, value: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    flags = np.asarray(value)
    if flags.size and flags.dtype != np.bool_:
        raise ValueError(f"{name} must be true or false, got values of type {flags.dtype}")
    return flags.astype(np.bool_)


def _causes(others: DoubleArray, m: int) -> DoubleArray:
    if not others.size:
        return np.empty((m, 0))
    if others.ndim not in (1, 2) or len(others) != m:
        raise ValueError(f"others must be causes of shape ({m}, q), a row each time, got {others.shape}")
    return others.reshape(m, -1)


def _each(name: str, value: npt.NDArray[np.generic], m: int) -> npt.NDArray[np.generic]:
    if value.shape not in ((), (m,)):
        raise ValueError(f"{name} must be one value, or one for each of {m} blocks, got shape {value.shape}")
    return np.broadcast_to(value, (m,))
