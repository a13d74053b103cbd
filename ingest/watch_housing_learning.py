"""How a point learns how warm its housing should be, from hourly means of its past. Pure: the shell reads.

Rules:
1. It is learned once the point has a baseline, of the same machine in the same good health: not of hours in
   zone C or D, nor above its absolute alert, nor within 24 h after an intervention. Where nobody measures a
   speed or a load, a machine at rest is known by its vibration, and neither rest nor warming up is learned.
2. It never adapts, and is forgotten with the baseline that it belongs to.
3. After a refusal (too little weather, too short) it is tried again a day later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.baseline import SETTLED_AFTER_S
from models.detection.housing import Housing
from models.detection.temperature_sensors import RANGE_C
from models.features.temperature import AMBIENT_UNKNOWN
from models.types import Refusal, State
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS

from .knowledge import Knowledge, ambient_of, housing_of
from .watch_learning import LONGEST_NS, Ask
from .watch_parts import FEATURE, Watched, measured_hz

EVERY_NS: Final = 24 * HOUR_NS
"""How often it is tried: a day more of weather is what was missing."""

ALARM_ZONES: Final = ("C", "D")

WARMED_UP_H: Final = 4
"""After a rest: several time constants of a housing."""

REST_SHARE: Final = 0.5
"""Of its velocity in good health: an hour of less was not all of work. No load takes so much away."""

VELOCITY: Final = "velocity_rms_mm_s"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the shell reads to learn a housing: hourly rows of its temperature, the air, and its work."""

    warm: Ask
    air: Ask
    work: Ask


def asked(one: Watched, since_ns: int, now_ns: int) -> Asked | Refusal:
    """What is to be read; a refusal where nobody measures the air. A point without a thermometer is refused
    likewise, as its housing's temperature is not known.
    """
    air, mine = ambient_of(one.machine), housing_of(one.point)
    if air is None or mine is None:
        return AMBIENT_UNKNOWN
    site, machine, _ = one.place
    start_ns = -(-max(since_ns, now_ns - LONGEST_NS) // HOUR_NS) * HOUR_NS

    def ask(measurement: str, fields: tuple[str, ...], point: str) -> Ask:
        return Ask(measurement, fields, site, machine, point, start_ns, now_ns // HOUR_NS * HOUR_NS)

    value = ("value_mean",)
    work = ("speed_rpm_mean", "load_percent_mean", f"{VELOCITY}_mean", "zone")
    return Asked(
        ask("reading_hourly", value, mine.partition("/")[0]),
        ask("reading_hourly", value, air.partition("/")[0]),
        ask("feature_hourly", work, one.place[2]),
    )


def learned(
    one: Watched,
    knowledge: Knowledge,
    asks: Asked,
    tables: tuple[Table, Table, Table],
    interventions_ns: Iterable[int] = (),
) -> Housing | Refusal:
    """The model of a housing from the rows of `asked`, in their order, or why there is none."""
    air, mine = ambient_of(one.machine), housing_of(one.point)
    assert air is not None  # noqa: S101 - it was asked for
    assert mine is not None  # noqa: S101
    first, hours = asks.warm.start_ns, (asks.warm.end_ns - asks.warm.start_ns) // HOUR_NS
    warm_rows, air_rows, work = tables
    warm = _grid(warm_rows, mine.partition("/")[2], "value_mean", first, hours)
    ambient = _grid(air_rows, air.partition("/")[2], "value_mean", first, hours)
    rpm, load, velocity = (
        _grid(work, one.channels[0], f"{name}_mean", first, hours)
        for name in ("speed_rpm", "load_percent", VELOCITY)
    )
    limits = knowledge.temperature_limits(*one.place[:2])
    alert = None if limits is None else limits.limit_of(State.ALERT)
    bad = _rested(one, rpm, load, velocity) | (warm < RANGE_C[0])
    if alert is not None:
        bad |= warm > alert
    zones = np.array([str(zone) for zone in work.columns["zone"]], dtype=object)
    loud = work.ts_ns[np.isin(zones, ALARM_ZONES)]
    bad[(loud - first) // HOUR_NS] = True
    times = first + HOUR_NS * np.arange(hours, dtype=np.int64)
    for done in interventions_ns:
        bad |= (times > done - HOUR_NS) & (times < done + round(SETTLED_AFTER_S * 1e9))
    t_h = np.arange(hours, dtype=np.float64)
    return Housing.fit(t_h, np.where(bad, np.nan, warm), ambient, load, rpm / 60)


def _rested(one: Watched, rpm: Floats, load: Floats, velocity: Floats) -> npt.NDArray[np.bool_]:
    """Hours of rest, and of warming up after it, of a machine whose speed and load nobody measures."""
    if one.model is None:
        return np.zeros(len(rpm), dtype=np.bool_)
    hz = np.array(
        [measured_hz(one.machine, one.point, None if np.isnan(n) else n / 60) for n in rpm.tolist()]
    )
    usual = one.model.levels[0, FEATURE[VELOCITY]]
    rest = np.isnan(hz) & np.isnan(load) & (velocity < REST_SHARE * usual)
    return np.convolve(rest, np.ones(1 + WARMED_UP_H), "full")[: len(rest)] > 0


def _grid(table: Table, channel: str, field: str, first_ns: int, hours: int) -> Floats:
    """A value of each hour, NaN where there is none."""
    grid = np.full(hours, np.nan)
    mine = np.array([name == channel for name in table.channel], dtype=np.bool_)
    places = (table.ts_ns[mine] - first_ns) // HOUR_NS
    inside = (places >= 0) & (places < hours)
    values = np.asarray(table.columns[field], dtype=np.float64)[mine]
    grid[places[inside]] = values[inside]
    return grid
