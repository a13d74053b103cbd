"""What turns in a machine beside the shaft and its bearing: gears, vanes, belts, and what drives them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .gate import DoubleArray, per_window


@dataclass(frozen=True, slots=True, eq=False)
class Kinematics:
    """Of each window, one number or (n,); None or NaN where it is unknown or there is none.

    Orders are multiples of the speed given with the window, that of the point's shaft. `mesh_order` is the
    teeth of the driving wheel times the order of its shaft, `vane_order` the vanes or blades of the shaft,
    `belt_order` the turns of the belt (π·D/L for a sheave of diameter D and a belt of length L).
    `pole_pass_hz` is the number of poles times the slip frequency of an induction motor.
    """

    mesh_order: npt.ArrayLike | None = None
    driving_order: npt.ArrayLike | None = 1.0
    driven_order: npt.ArrayLike | None = None
    vane_order: npt.ArrayLike | None = None
    belt_order: npt.ArrayLike | None = None
    supply_hz: npt.ArrayLike | None = None
    pole_pass_hz: npt.ArrayLike | None = None


UNKNOWN_KINEMATICS: Final = Kinematics()

MOST_BINS: Final = 2.0**53
"""Bins from which on float64 has no fractions of one, and far more than any spectrum has. Below the inverse a
shaft does not turn."""


class Known(NamedTuple):
    """What is known of the windows of a batch, in bins of their spectra; NaN where it is not.

    `turns` (n,) is the speed, `defects` (n, 4) the lines of the bearing in the order of `BEARING_DEFECTS`,
    `uncertainty` (n,) the relative standard deviation of the speed. The others are (n,).
    """

    turns: DoubleArray
    defects: DoubleArray
    uncertainty: DoubleArray
    mesh: DoubleArray
    driving: DoubleArray
    driven: DoubleArray
    vanes: DoubleArray
    belt: DoubleArray
    supply: DoubleArray
    pole_pass: DoubleArray

    def part(self, rows: slice) -> Known:
        """The same of some windows."""
        return Known(*(array[rows] for array in self))


def in_bins(
    df_hz: float,
    speed_hz: DoubleArray,
    orders: DoubleArray,
    sigma_hz: DoubleArray,
    kinematics: Kinematics | None,
) -> Known:
    """Checked speeds (n,) in Hz, orders (n, 4) and kinematics as places in spectra with lines `df_hz` apart.

    A speed of 0 is a machine at rest: it has no orders, as if it were unknown.
    """
    n = len(speed_hz)
    if kinematics is not None and not isinstance(kinematics, Kinematics):
        raise ValueError(
            f"kinematics must be a Kinematics, got {kinematics!r}: write Kinematics(mesh_order=23)"
        )
    known = {
        field.name: _known(field.name, getattr(kinematics or UNKNOWN_KINEMATICS, field.name), n)
        for field in fields(Kinematics)
    }
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of what is no place in a spectrum
        turns = _places(speed_hz / df_hz)
        # From 1 on nothing is known of the speed, and nothing more is unknown.
        uncertainty = np.minimum(sigma_hz / np.where(speed_hz > 0, speed_hz, np.nan), 1.0)
        return Known(
            turns=turns,
            defects=_places(turns[:, None] * orders),
            uncertainty=uncertainty,
            mesh=_places(known["mesh_order"] * turns),
            driving=_places(known["driving_order"] * turns),
            driven=_places(known["driven_order"] * turns),
            vanes=_places(known["vane_order"] * turns),
            belt=_places(known["belt_order"] * turns),
            supply=_places(known["supply_hz"] / df_hz),
            pole_pass=_places(known["pole_pass_hz"] / df_hz),
        )


def _places(bins: DoubleArray) -> DoubleArray:
    """The same in bins; NaN what is nowhere in a spectrum, or at its very beginning."""
    return np.where((bins > 1 / MOST_BINS) & (bins < MOST_BINS), bins, np.nan)


def _known(name: str, value: npt.ArrayLike | None, n: int) -> DoubleArray:
    array = per_window(name, np.nan if value is None else value, n)
    if np.isinf(array).any() or (array <= 0).any():
        wrong = array[np.isinf(array) | (array <= 0)][0]
        raise ValueError(f"{name} must be above 0, and NaN where it is unknown, got {wrong:g}")
    return array
