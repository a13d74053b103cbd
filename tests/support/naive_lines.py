"""The oracle's lines: of the shaft, of gears, vanes, belts and the supply, and the cepstrum."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tests.support.naive_levels import ratio
from tests.support.naive_spectrum import SLACK, Block, Spectrum, between

SHAFT_ORDERS = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10)
FEWEST_BINS = 5  # between two lines, so that the windows of ±2 bins around them do not touch
LOWEST_HZ, HIGHEST_HZ = 2 * (1 - SLACK), 1000  # of velocity


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _fits(s: Spectrum, line: float, aside: float, top_hz: float = math.inf) -> bool:
    """Whether all of a line's window lies above bin 0, that of the mean, and below the top."""
    return line - aside > SLACK and math.floor(line + aside + SLACK) <= s.last_bin(top_hz)


# Shaft ------------------------------------------------------------------------------------------------


def velocity_line(s: Spectrum, line: float, aside: float | None = None) -> float:
    """Mean square velocity of the line at `line` bins; NaN where it is unknown or out of range."""
    reach = max(2.0, 0.015 * line) if aside is None else aside
    if not (line * s.df >= LOWEST_HZ and _fits(s, line, reach, HIGHEST_HZ)):
        return math.nan
    return between(s.velocity, line - reach, line + reach)


def shaft(s: Spectrum, speed_hz: float) -> dict[str, float]:
    """Velocity at multiples of the speed, at the whirl of plain bearings, and what is synchronous."""
    turn = speed_hz / s.df
    out = {}
    for order in SHAFT_ORDERS:
        fewest = 2 * FEWEST_BINS if order in (0.5, 1.5) else FEWEST_BINS
        found = velocity_line(s, order * turn) if turn >= fewest else math.nan
        out[f"order_{order:g}x_mm_s".replace(".", "_")] = math.sqrt(found)
    low, high = 0.38 * turn, 0.48 * turn
    given = (
        0.02 * turn >= 2 * (1 - SLACK)
        and low * s.df >= LOWEST_HZ
        and math.floor(high + SLACK) <= s.last_bin(HIGHEST_HZ)
    )
    out["order_whirl_mm_s"] = math.sqrt(between(s.velocity, low, high)) if given else math.nan
    out["synchronous_ratio"] = _synchronous_ratio(s, turn)
    return out


def _synchronous_ratio(s: Spectrum, turn: float) -> float:
    low, high = 0.2 * turn, 10.5 * turn
    if not (
        turn >= FEWEST_BINS and low * s.df >= LOWEST_HZ and math.floor(high + SLACK) <= s.last_bin(HIGHEST_HZ)
    ):
        return math.nan
    lines: set[int] = set()
    for line in (order * turn for order in range(1, 11)):
        aside = max(2.0, 0.015 * line)
        lines.update(range(math.ceil(line - aside - SLACK), math.floor(line + aside + SLACK) + 1))
    rest = set(range(math.ceil(low - SLACK), math.floor(high + SLACK) + 1)) - lines
    v = s.velocity
    return ratio(math.fsum(v[k] for k in lines), math.fsum(v[k] for k in rest))


# Gear -------------------------------------------------------------------------------------------------


def gear(s: Spectrum, speed_hz: float, known: Mapping[str, float]) -> dict[str, float]:
    """Acceleration at the mesh and its sidebands; the driving shaft is the point's where nothing is said."""
    turn = speed_hz / s.df
    mesh = _known(known.get("mesh_order")) * turn
    shafts = {
        "driving": _known(known.get("driving_order", 1.0)) * turn,
        "driven": _known(known.get("driven_order")) * turn,
    }
    slowest = min((v for v in shafts.values() if not math.isnan(v)), default=math.nan)
    out = {}
    for k in (1, 2, 3):
        line = k * mesh
        aside = min(max(2.0, 0.015 * line), max(2.0, 0.4 * slowest))
        given = slowest >= FEWEST_BINS and _fits(s, line, aside)
        out[f"mesh_{k}x_m_s2"] = (
            math.sqrt(between(s.power, line - aside, line + aside)) if given else math.nan
        )
    for name, turns in shafts.items():
        out[f"sidebands_{name}_m_s2"], out[f"sideband_ratio_{name}"] = _sidebands(s, mesh, turns)
        out[f"cepstrum_{name}"] = rahmonic(s, turns)
    return out


def _sidebands(s: Spectrum, mesh: float, turn: float) -> tuple[float, float]:
    """(RMS of all twelve, sum of their amplitudes over that of the mesh line), each line within 2 bins."""
    places = [mesh + j * turn for j in range(-6, 7) if j]
    if not (turn >= FEWEST_BINS and all(_fits(s, place, 2) for place in places)):
        return math.nan, math.nan
    energies = [between(s.power, place - 2, place + 2) for place in places]
    amplitudes = math.fsum(math.sqrt(e) for e in energies)
    middle = math.sqrt(between(s.power, mesh - 2, mesh + 2))
    return math.sqrt(math.fsum(energies)), ratio(amplitudes, middle)


def rahmonic(s: Spectrum, turn: float) -> float:
    """Highest value of the cepstrum within 1.5 % of one turn of a shaft of `turn` bins."""
    if not turn >= FEWEST_BINS * (1 - SLACK) or s.n / turn * 0.985 < 8 * (1 - SLACK):
        return math.nan
    power = np.abs(s.lines) ** 2
    looked = sorted(power[:: math.ceil(len(power) / 256)])  # no more than 256 bins, evenly spaced
    floor = 1e-2 * float(looked[len(looked) // 2])
    if floor == 0:
        return math.nan
    cepstrum: Block = np.fft.irfft(0.5 * np.log(power + floor), s.n)
    q = s.n / turn
    places = {round(q) - 1, round(q), round(q) + 1, *range(math.ceil(0.985 * q), math.floor(1.015 * q) + 1)}
    return float(max(cepstrum[i] for i in places))


# Vanes, belts, supply ---------------------------------------------------------------------------------


def others(s: Spectrum, speed_hz: float, known: Mapping[str, float]) -> dict[str, float]:
    turn = speed_hz / s.df
    vanes = _known(known.get("vane_order")) * turn
    belt = _known(known.get("belt_order")) * turn
    supply = 2 * _known(known.get("supply_hz")) / s.df
    poles = _known(known.get("pole_pass_hz")) / s.df
    fine = s.df <= 0.25 * (1 + SLACK)
    belts = velocity_line(s, belt) + velocity_line(s, 2 * belt) if belt >= FEWEST_BINS else math.nan
    twice = velocity_line(s, supply, 2) if fine and not _is_an_order(supply, turn) else math.nan
    sides = math.nan
    if fine and poles >= FEWEST_BINS and turn >= FEWEST_BINS:
        sides = velocity_line(s, turn - poles, 2) + velocity_line(s, turn + poles, 2)
    return {
        "vane_pass_mm_s": math.sqrt(velocity_line(s, vanes)) if turn >= FEWEST_BINS else math.nan,
        "belt_mm_s": math.sqrt(belts),
        "twice_supply_mm_s": math.sqrt(twice),
        "pole_pass_mm_s": math.sqrt(sides),
    }


def _is_an_order(line: float, turn: float) -> bool:
    """Whether a multiple of the speed stands too close to a line to tell them apart."""
    if math.isnan(line) or not turn > 0:
        return False
    nearest = max(round(line / turn), 1)
    return abs(line - nearest * turn) < FEWEST_BINS
