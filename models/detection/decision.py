"""What a monitor says of machine parts after a block: levels, what they rest on, and what speaks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray
from models.types import State

from .persistence import Flags
from .regimes import Kinds

TESTS: Final = (
    "danger", "far", "alert", "low", "ewma", "cusum", "slope", "t2", "spe", "hot", "warm", "residual",
    "residual_danger",
)  # fmt: skip
"""What may be on, in the order of `Decision.tests`: the zone's danger, four times the baseline, alert, low
limit, drift charts, slope, T², SPE, temperature danger and alert, and the alert and danger of a temperature
beside what ambient, load and speed explain."""


class Level(IntEnum):
    """What a part has on, all tests grouped."""

    NONE = 0
    WATCH = 1
    ALERT = 2
    DANGER = 3


class Basis(IntEnum):
    """What a verdict rests on."""

    NONE = 0
    STANDARD = 1
    BASELINE = 2


STATES: Final = (State.NORMAL, State.WATCH, State.ALERT, State.DANGER, State.STOPPED, State.TRANSIENT,
                  State.LEARNING, State.UNKNOWN)  # fmt: skip
"""The codes of `Decision.said`, in their order."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said of n parts after a block, arrays (n, ...), or (m, n, ...) of a stretch.

    `advanced` False where a block was late or absent: what stood still stands. `regime` is a `Regime`, `said`
    what people see (`state`), `basis` a `Basis`, `level` a `Level`, `raised` where the level has risen.
    `tests` (..., 13) what is on, in the order of `TESTS`; `columns` (..., 7, c) the same for those of single
    columns. `z` (..., c) residuals in σ, `alert` (..., c) the limits that applied.
    """

    advanced: Flags
    regime: Kinds
    said: npt.NDArray[np.int8]
    basis: npt.NDArray[np.int8]
    level: npt.NDArray[np.int8]
    raised: Flags
    tests: Flags
    columns: Flags
    z: DoubleArray
    alert: DoubleArray

    def state(self, part: int = 0) -> State:
        """The state of a part, of a decision at one time."""
        return STATES[int(self.said[part])]

    def reasons(self, names: Sequence[str], part: int = 0) -> dict[str, tuple[str, ...]]:
        """What is on at a part, of a decision at one time: the columns of each test; () where it has none."""
        found: dict[str, tuple[str, ...]] = {}
        for t in np.flatnonzero(self.tests[part]):
            of_column = self.columns[part, t] if t < self.columns.shape[-2] else ()
            found[TESTS[int(t)]] = tuple(names[int(i)] for i in np.flatnonzero(of_column))
        return found
