"""Whether temperatures may be judged: open and short circuits, jumps, sensors that came off. Batches."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.gate import DoubleArray, per_window
from models.types import Refusal

from .sensors import Assessment, Rules, Verdict, settled

OPEN_CIRCUIT: Final = Refusal("open_circuit", "check_sensor")
SHORT_CIRCUIT: Final = Refusal("short_circuit", "check_sensor")
TEMPERATURE_JUMP: Final = Refusal("temperature_jump", "check_sensor")
SENSOR_OFF: Final = Refusal("sensor_off", "tighten_sensor")

TEMPERATURE_RULES: Final[Rules] = (
    (OPEN_CIRCUIT, Verdict.REFUSED),
    (SHORT_CIRCUIT, Verdict.REFUSED),
    (TEMPERATURE_JUMP, Verdict.REFUSED),
    (SENSOR_OFF, Verdict.REFUSED),
)
"""Everything that is looked at, by weight. All refuse: a false temperature is worse than none."""

RANGE_C: Final = (-50.0, 250.0)
"""No housing of a machine is outside. A broken Pt100 or thermocouple reads several hundred degrees, by its
burn-out current; a short-circuited Pt100 -200 °C or less."""

JUMP_K_PER_MIN: Final = 10.0
"""A housing does not warm so fast: even the seizure of a bearing takes 3 K/min, and shakes."""

JUMP_OVER_S: Final = 60.0
"""Time over which a rise is taken, at least: over a second the last digit of the reading is a jump."""

KEPT: Final = (1 / 1.25, 1.25)
"""Change of vibration within which it counts as constant."""

AMBIENT_K: Final = 0.5
"""Difference to ambient that the tolerances of two sensors make."""

WARM_AFTER_S: Final = 7200.0
"""Running time after which every bearing is warmer than the air around it."""


def broken_wire(value_c: float) -> Refusal | None:
    """Why one temperature in °C is none of a housing, None where it may be."""
    if value_c > RANGE_C[1]:
        return OPEN_CIRCUIT
    return SHORT_CIRCUIT if value_c < RANGE_C[0] else None


@np.errstate(invalid="ignore")  # of two infinite readings no difference is known
def assess_temperatures(
    values_c: npt.ArrayLike,
    times_s: npt.ArrayLike,
    *,
    ambient_c: npt.ArrayLike | None = None,
    running_s: npt.ArrayLike | None = None,
    vibration_change: npt.ArrayLike | None = None,
) -> Assessment:
    """What temperature sensors are worth at the last of `times_s` (t,): `values_c` (n, t) with NaN unknown.

    `ambient_c` (t,) or (n, t) is the air beside the machine; `running_s` how long each machine has been
    running, one or (n,); `vibration_change` the velocity now over that before, one or (n,). What is None or
    NaN is not judged; an infinite reading is that of a broken wire. Raises ValueError where shapes do not fit
    or times do not rise.
    """
    values, times = np.asarray(values_c, dtype=np.float64), np.asarray(times_s, dtype=np.float64)
    if values.ndim != 2 or times.shape != values.shape[1:] or not times.size:
        raise ValueError(
            f"values_c must be (n, t) with a time each, got shapes {values.shape} and {times.shape}"
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ValueError(
            f"times_s must be finite and rise, got {times[0]:g} … {times[-1]:g}: sort the readings"
        )
    n = len(values)
    change = per_window("vibration_change", np.nan if vibration_change is None else vibration_change, n)
    running = per_window("running_s", np.nan if running_s is None else running_s, n)
    ambient = np.asarray(np.nan if ambient_c is None else ambient_c, dtype=np.float64)
    if ambient.shape not in ((), values.shape[1:], values.shape):
        raise ValueError(
            f"ambient_c must be one number, {values.shape[1:]} or {values.shape}, got {ambient.shape}"
        )
    last = _last_known(values)
    found = (
        last > RANGE_C[1],
        last < RANGE_C[0],
        _jumps(values, times) & (change >= KEPT[0]) & (change <= KEPT[1]),
        _as_ambient(values - ambient, times) & (running > WARM_AFTER_S),
    )
    return settled(np.stack(found, axis=1), TEMPERATURE_RULES)


def _last_known(values: DoubleArray) -> DoubleArray:
    n, t = values.shape
    last = t - 1 - (~np.isnan(values))[:, ::-1].argmax(axis=1)
    return np.asarray(values[np.arange(n), last], dtype=np.float64)


def _jumps(values: DoubleArray, times: DoubleArray) -> npt.NDArray[np.bool_]:
    """Whether a reading is further from the last known one, a minute or more before, than a housing gets."""
    earlier = np.searchsorted(times, times - JUMP_OVER_S, side="right") - 1
    later = np.flatnonzero(earlier >= 0)
    known = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(times.size)), axis=1)
    before = known[:, earlier[later]]
    rise = np.abs(values[:, later] - np.take_along_axis(values, before, axis=1))
    rate = 60 * rise / (times[later] - times[before])
    return np.asarray((rate > JUMP_K_PER_MIN).any(axis=1), dtype=np.bool_)


def _as_ambient(difference: DoubleArray, times: DoubleArray) -> npt.NDArray[np.bool_]:
    """Whether every reading of the last two hours, all of which must be there, is that of the air."""
    inside = times >= times[-1] - WARM_AFTER_S
    same = (np.abs(difference[:, inside]) <= AMBIENT_K).all(axis=1)
    return np.asarray(same & (times[-1] - times[0] >= WARM_AFTER_S), dtype=np.bool_)
