"""A line per machine for a terminal, from what the historian holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import SLOW_BELOW_HZ
from models.types import MachineSpec
from palier.historian.base import Historian, Table
from palier.locale import Catalogue
from palier.plant import Plant

VELOCITIES: Final = ("velocity_rms_mm_s", "velocity_rms_low_mm_s", "speed_rpm")


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """What is known of a machine now. NaN: not known. `ts_ns` is the newest of its rows, None without any."""

    id: str
    name: str
    state: str = "unknown"
    learning: bool = False
    velocity_mm_s: float = math.nan
    temperature_c: float = math.nan
    ts_ns: int | None = None


def read_status(historian: Historian, plant: Plant) -> tuple[MachineStatus, ...]:
    """Every machine of the plant as the historian knows it. Raises HistorianError."""
    states = historian.latest("state", ["state", "learning"], site=plant.site_id)
    features = historian.latest("feature", VELOCITIES, site=plant.site_id)
    readings = historian.latest("reading", ["value", "unit"], site=plant.site_id)
    return tuple(_status(m, states, features, readings) for m in plant.machines)


def status_line(status: MachineStatus, words: Catalogue, now_ns: int) -> tuple[str, ...]:
    """The cells of a machine's line: id, name, state and its letter, velocity, temperature, age (plant
    time)."""
    if status.ts_ns is None:
        return (status.id, status.name, words.text("demo.waiting"), "", "", "")
    state = f"{words.text(f'letter.{status.state}')} {words.text(f'state.{status.state}')}"
    if status.learning and status.state != "learning":
        state += f" ({words.text('letter.learning')})"
    age_min = max(0, round((now_ns - status.ts_ns) / 60e9))
    return (
        status.id,
        status.name,
        state,
        words.text("demo.velocity", value=words.number(status.velocity_mm_s, 1)),
        words.text("demo.temperature", value=words.number(status.temperature_c, 1)),
        words.text("demo.age", minutes=age_min),
    )


def _status(spec: MachineSpec, states: Table, features: Table, readings: Table) -> MachineStatus:
    """State of the whole machine, the highest velocity and temperature of its points, the newest time."""
    whole = next((k for k in _rows_of(states, spec.id) if states.point[k] == ""), None)
    blocks = _rows_of(features, spec.id)
    warm = [k for k in _rows_of(readings, spec.id) if readings.columns["unit"][k] == "°C"]
    return MachineStatus(
        id=spec.id,
        name=spec.name,
        state="unknown" if whole is None else str(states.columns["state"][whole]),
        learning=whole is not None and states.columns["learning"][whole] == 1,
        velocity_mm_s=_highest(_velocities(features)[blocks]),
        temperature_c=_highest(np.asarray(readings.columns["value"], dtype=np.float64)[warm]),
        ts_ns=max((int(features.ts_ns[k]) for k in blocks), default=None),
    )


def _rows_of(table: Table, machine: str) -> list[int]:
    return [k for k, name in enumerate(table.machine) if name == machine]


def _velocities(features: Table) -> npt.NDArray[np.float64]:
    """The velocity of each block in the band of its speed (ISO 20816-3: from 2 Hz on below 600 r/min)."""
    usual, low, rpm = (np.asarray(features.columns[name], dtype=np.float64) for name in VELOCITIES)
    return np.where((rpm > 0) & (rpm < SLOW_BELOW_HZ * 60), low, usual)


def _highest(values: npt.NDArray[np.float64]) -> float:
    """The highest known value, NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else math.nan
