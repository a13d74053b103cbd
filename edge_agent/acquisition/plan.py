"""`[source.plan]`: which blocks are cut how often. Read strictly; a mistake is a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from palier.frames import MAX_FRAME_BYTES
from palier.strict_toml import did_you_mean
from palier.table_mistakes import TableMistakes

from .sensor import MM_S_PER, Sensor
from .velocity import LOWEST_RATE_HZ

SLOW_RPM: Final = 600.0
"""Below it the standards judge from 2 Hz on, and four seconds hold too few turns."""

LEAST_TURNS: Final = 20
"""Revolutions that a block must hold: with fewer the window's leakage alone moves a level by 0.1 % and more,
and a cage has not turned ten times."""

L_S: Final = 16.0  # 0.06 Hz between lines: 2x beside twice the supply frequency, and what passes a pole
L_HZ: Final = 2560.0  # its usable band ends at 1000 Hz, as the velocity does

ROOM_FOR_FIELDS: Final = 16 * 1024
"""Kept free in a message for names and properties: some 200 bytes a channel."""

LONGEST_S: Final = 86_400.0
SHORTEST_S: Final = 0.25  # a shorter block has no velocity from 10 Hz on


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in s. `l_factor` is how many samples of the sensor make one of an L block.

    `danger_mm_s` is the limit above which a danger block is kept with its waveform, beside the host's own;
    None: only the host's. `speed_rpm` is the machine's fixed speed, None where it is not fixed or not known.
    """

    h_every_s: float = 600.0
    h_s: float = 4.0
    l_every_s: float = 3600.0
    l_s: float = L_S
    l_factor: int = 10
    danger: bool = True
    danger_mm_s: float | None = None
    speed_rpm: float | None = None


KEYS: Final = ("h_every_s", "h_s", "l_every_s", "l_s", "l_hz", "danger", "danger_mm_s")


def read_plan(table: object, sensor: Sensor, speed_rpm: float | None = None) -> Plan:
    """The plan of a source's `plan` table (None: all as it is by default). TableError naming the keys.

    `speed_rpm` is the machine's speed where the source's table says that it is fixed.
    """
    told = {} if table is None else table
    if not isinstance(told, Mapping):
        raise ValueError(f"plan must be a table, [source.plan], got {told!r}")
    found = TableMistakes()
    for unknown in sorted(str(key) for key in told if key not in KEYS):
        hint = did_you_mean(unknown, KEYS) or f" (known: {', '.join(KEYS)})"
        found.note(f"plan: unknown key {unknown!r}{hint}")
    if sensor.unit not in MM_S_PER:
        found.note(f'plan: unit must be "g" or "m/s²" to be cut into blocks, got {sensor.unit!r}')
    standard = {field.name: field.default for field in fields(Plan)}
    h_every_s, h_s, l_every_s = (
        found.read(1.0, _seconds, told, key, float(str(standard[key])))
        for key in ("h_every_s", "h_s", "l_every_s")
    )
    limit = told.get("danger_mm_s")
    plan = Plan(
        h_every_s,
        h_s,
        l_every_s,
        found.read(1.0, _seconds, told, "l_s", _l_s(speed_rpm)),
        found.read(1, _factor, told, sensor.fs_hz),
        found.read(False, _danger, told, sensor.fs_hz),
        None if limit is None else found.read(None, _positive, "danger_mm_s", limit),
        speed_rpm,
    )
    found.refuse()  # what follows is about several keys, which must be right one by one
    _note_lengths(plan, found)
    found.read(None, _check_turns, plan)
    _note_sizes(plan, sensor, found)
    found.refuse()
    return plan


def is_slow(speed_rpm: float | None) -> bool:
    """Whether a machine needs long blocks each time: below 600 r/min, or nobody knows."""
    return speed_rpm is None or abs(speed_rpm) < SLOW_RPM


def _l_s(speed_rpm: float | None) -> float:
    """Long enough for twenty turns."""
    return L_S if not speed_rpm else max(L_S, float(math.ceil(LEAST_TURNS * 60 / abs(speed_rpm))))


def _factor(told: Mapping[str, object], fs_hz: float) -> int:
    if "l_hz" not in told:
        return max(1, math.floor(fs_hz / L_HZ))
    l_hz = _positive("l_hz", told["l_hz"])
    factor = round(fs_hz / l_hz)
    if factor < 1 or abs(factor * l_hz - fs_hz) > 1e-6 * fs_hz:
        near = max(1, factor)
        raise ValueError(
            f"plan: l_hz must go into the sensor's {fs_hz:g} Hz a whole number of times, got {l_hz:g}; "
            f"{fs_hz / near:g} does, or leave it out"
        )
    return factor


def _danger(told: Mapping[str, object], fs_hz: float) -> bool:
    """On where the rate can give the velocity."""
    if "danger" not in told:
        return fs_hz >= LOWEST_RATE_HZ
    danger = told["danger"]
    if not isinstance(danger, bool):
        raise ValueError(f"plan: danger must be true or false, got {danger!r}")
    if danger and fs_hz < LOWEST_RATE_HZ:
        raise ValueError(
            f"plan: danger = true needs a velocity up to 1000 Hz, so at least {LOWEST_RATE_HZ:g} Hz; the "
            f"sensor gives {fs_hz:g}: take a faster rate, or danger = false"
        )
    return danger


def _note_lengths(plan: Plan, found: TableMistakes) -> None:
    if plan.h_s > plan.h_every_s:
        found.note(
            f"plan: h_s must not be longer than h_every_s, got {plan.h_s:g} s each {plan.h_every_s:g} s"
        )
    if plan.l_s > plan.l_every_s:
        found.note(
            f"plan: l_s must not be longer than l_every_s, got {plan.l_s:g} s each {plan.l_every_s:g} s"
        )
    if is_slow(plan.speed_rpm) and plan.l_s > plan.h_every_s:
        found.note(
            f"plan: below {SLOW_RPM:g} r/min, or without speed_rpm, an L block comes with each H block, so "
            f"l_s must not be longer than h_every_s, got {plan.l_s:g} s each {plan.h_every_s:g} s"
        )


def _check_turns(plan: Plan) -> None:
    """Twenty turns in the block that the machine is judged by: H, and L of a slow one."""
    if not plan.speed_rpm:
        return
    key, seconds = ("l_s", plan.l_s) if is_slow(plan.speed_rpm) else ("h_s", plan.h_s)
    turns = seconds * abs(plan.speed_rpm) / 60
    if turns < LEAST_TURNS:
        raise ValueError(
            f"plan: a block must hold at least {LEAST_TURNS} revolutions: at {plan.speed_rpm:g} r/min {key} "
            f"must be at least {LEAST_TURNS * 60 / abs(plan.speed_rpm):.4g}, got {seconds:g}"
        )


def _note_sizes(plan: Plan, sensor: Sensor, found: TableMistakes) -> None:
    room = (MAX_FRAME_BYTES - ROOM_FOR_FIELDS) // len(sensor.channels)
    for key, seconds, rate, width in (
        ("h_s", plan.h_s, sensor.fs_hz, np.dtype(sensor.dtype).itemsize),
        ("l_s", plan.l_s, sensor.fs_hz / plan.l_factor, 4),
    ):
        if seconds * rate * width > room:
            found.note(
                f"plan: {key} must be at most {math.floor(room / (rate * width))} s: {len(sensor.channels)} "
                f"channels of {rate:g} Hz must fit a message of 4 MiB, got {seconds:g}"
            )


def _seconds(told: Mapping[str, object], key: str, default: float) -> float:
    if key not in told:
        return default
    value = _positive(key, told[key])
    if not SHORTEST_S <= value <= LONGEST_S:
        raise ValueError(f"plan: {key} must be {SHORTEST_S:g} to {LONGEST_S:g} seconds, got {value:g}")
    return value


def _positive(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"plan: {key} must be a number above 0, got {value!r}")
    return float(value)
