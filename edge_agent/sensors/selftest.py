"""The self-test of accelerometers: a force of their own moves the mass, and the output must follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

AXES: Final = ("x", "y", "z")
TRIES: Final = 3
READINGS: Final = 500
READ_EVERY_S: Final = 0.001
"""Half a second, weighted by Hann's window: a machine that runs shakes the sensor meanwhile, a screen by 5 g
fourteen times a second, and of that less than a thousandth is left in such a mean."""

Axes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """How far an axis must move, in g, by the data sheet; which way is not the same for all axes."""

    low_g: float
    high_g: float

    def fits(self, change_g: float) -> bool:
        """Whether an axis moved so."""
        return self.low_g <= abs(change_g) <= self.high_g


def run(
    mean_g: Callable[[], Axes],
    switch: Callable[[bool], None],
    changes: Sequence[Change],
    pause: Callable[[float], None],
    *,
    settle_s: float,
) -> str | None:
    """None where every axis moved as it must; else what was wrong, a sentence. Leaves it switched off."""
    failed: str | None = None
    for _ in range(TRIES):
        try:
            switch(False)
            pause(settle_s)
            off = mean_g()
            switch(True)
            pause(settle_s)
            on = mean_g()
        finally:
            switch(False)
            pause(settle_s)
        failed = verdict(on - off, changes)
        if failed is None:
            return None
    return failed


def verdict(moved_g: Axes, changes: Sequence[Change]) -> str | None:
    """What is wrong with the movement of the axes; None where nothing is."""
    wrong = [
        f"axis {axis} must move by {change.low_g:g} to {change.high_g:g} g, it moved by {moved:.2f} g"
        for axis, moved, change in zip(AXES, moved_g, changes, strict=True)
        if not change.fits(float(moved))
    ]
    if not wrong:
        return None
    return (
        "; ".join(wrong)
        + ". The sensor is damaged (a hard fall is enough), or the machine shakes it too much to test"
    )


def mean(read_g: Callable[[], Axes], pause: Callable[[float], None] = time.sleep) -> Axes:
    """Mean of the axes (3,) over half a second, without what shakes them."""
    total = np.zeros(len(AXES))
    weights = np.hanning(READINGS + 2)[1:-1]
    for weight in weights:
        total += weight * read_g()
        pause(READ_EVERY_S)
    return np.asarray(total / weights.sum())
