"""What rules measure on the lines of the shaft: shares, directions, harmonics, growth with speed."""

from __future__ import annotations

from typing import Final

import numpy as np

from .evidence import ChannelEvidence, Floats
from .lines import HALVES, LINE_SHARE, POLES, STRONG_SHARE, Floor, foreign, is_vane_order, stands_out
from .measures import TIME
from .rules import UNREAD, Measure, Reading
from .types import Fault
from .view import PointView

ONE: Final = "order_1x_mm_s"
TWO: Final = "order_2x_mm_s"
THREE: Final = "order_3x_mm_s"
RADIAL: Final = "order_1x_mm_s across"
"""1x in the other direction: another number, of another channel."""

SPEED: Final = "speed"
SUPPLY: Final = "twice_supply_mm_s"

TWO_POLE_SLIP: Final = 0.94
"""Small two-pole motors turn down to 94 % of their field under load."""

LEAST_SPEED_SPAN: Final = 0.05
"""Speed must have moved by 5 % to say how a level follows it."""

SWEEP_SPAN: Final = 0.10
"""A resonance shows in a sweep of 10 % or more."""


def share_of_1x(view: PointView) -> Reading:
    """Share of 1x in the energy of the velocity, in the radial channel where 1x is highest."""
    channel = view.strongest(ONE, view.radial)
    if channel is None:
        return UNREAD
    overall = view.level(channel, view.velocity)
    if not overall > 0:
        return UNREAD
    return Reading(min(1.0, (view.level(channel, ONE) / overall) ** 2), ONE, view.velocity)


def one_over_two(view: PointView) -> Reading:
    """1x over 2x, in the radial channel where 1x is highest."""
    channel = view.strongest(ONE, view.radial)
    if channel is None:
        return UNREAD
    two = second_harmonic(view, channel)
    if np.isnan(two):
        two = view.level(channel, TWO)  # with the line of the supply: at least what 2x is
    return Reading(view.level(channel, ONE) / two if two > 0 else np.nan, ONE, TWO)


def two_over_one(view: PointView) -> Reading:
    """2x over 1x, the highest of the radial channels; without the line of the supply, 0 where it is noise."""
    known = [
        two / one if stands_out(view, c, TWO) else 0.0
        for c in view.radial
        if (one := view.level(c, ONE)) > 0 and not np.isnan(two := second_harmonic(view, c))
    ]
    return Reading(max(known), TWO, ONE) if known else UNREAD


def three_over_one(view: PointView) -> Reading:
    """3x over 1x, the highest of all channels."""
    pairs = ((view.level(c, THREE), view.level(c, ONE)) for c in view.point.channels)
    known = [three / one for three, one in pairs if one > 0 and not np.isnan(three)]
    return Reading(max(known), THREE, ONE) if known else UNREAD


def second_harmonic(view: PointView, channel: ChannelEvidence) -> float:
    """2x in mm/s without twice the supply's frequency, where that lies within its line.

    NaN where the window can't tell the two apart, or vanes pass twice a turn: what is there may be either.
    """
    two = view.level(channel, TWO)
    if is_vane_order(view, 2):
        return np.nan
    if supply_beside_two(view):
        supply = view.level(channel, SUPPLY)
        return float(np.sqrt(max(0.0, two * two - supply * supply))) if not np.isnan(supply) else np.nan
    return two


def supply_beside_two(view: PointView) -> bool:
    """Whether twice the frequency of the motor's supply lies within the line at 2x."""
    motor, two_hz = view.machine.motor, 2 * view.shaft_hz
    return motor is not None and abs(2 * motor.supply_hz - two_hz) <= LINE_SHARE * two_hz + 1.0


def supply_told_apart(view: PointView) -> bool:
    """Whether 2x is known not to be twice the supply: elsewhere in the spectrum, or resolved from it.

    Of a machine whose motor nobody described, 50 and 60 Hz with a two-pole motor's slip are what it may be.
    """
    if view.machine.motor is None:
        two_hz = 2 * view.shaft_hz
        return not any(TWO_POLE_SLIP * line <= two_hz <= line * (1 + LINE_SHARE) for line in (100.0, 120.0))
    return not supply_beside_two(view) or not np.isnan(view.highest(SUPPLY))


def unresolved_supply(view: PointView) -> tuple[Fault, ...]:
    """What one strong line may be: twice the supply, unresolved from a multiple of the shaft's speed."""
    motor, hz = view.machine.motor, view.shaft_hz
    if motor is None or np.isnan(hz) or not np.isnan(view.highest(SUPPLY)):
        return ()
    order = round(2 * motor.supply_hz / hz)
    line, overall = view.highest(f"order_{order}x_mm_s"), view.highest(view.velocity)
    if not line**2 >= STRONG_SHARE * overall**2:
        return ()
    return (Fault.STATOR, Fault.MISALIGNMENT) if order == 2 else (Fault.STATOR,)


def axial_over_radial(view: PointView) -> Reading:
    """Axial 1x over the highest radial 1x."""
    return Reading(_over(view.highest(ONE, view.axial), view.highest(ONE, view.radial)), ONE, RADIAL)


def axial_pair_over_radial(view: PointView) -> Reading:
    """Axial 1x and 2x together over the highest radial 1x."""
    pairs = [np.hypot(view.level(c, ONE), view.level(c, TWO)) for c in view.axial]
    known = [float(p) for p in pairs if not np.isnan(p)]
    return Reading(_over(max(known, default=np.nan), view.highest(ONE, view.radial)), ONE, RADIAL)


def axial_two_over_one(view: PointView) -> Reading:
    """Axial 2x over axial 1x: a bent shaft has both."""
    return Reading(_over(view.highest(TWO, view.axial), view.highest(ONE, view.axial)), TWO, ONE)


def vertical_over_horizontal(view: PointView) -> Reading:
    """1x upright, over 1x across."""
    return Reading(_over(1.0, _directions(view)), ONE, RADIAL)


def unequal_directions(view: PointView) -> Reading:
    """The higher of the two radial 1x over the lower."""
    ratio = _directions(view)
    return Reading(max(ratio, 1 / ratio) if ratio > 0 else np.nan, ONE, RADIAL)


def radial_pair(view: PointView) -> bool:
    """Whether both radial directions are measured."""
    return bool(_directions(view) > 0)


def axial_known(view: PointView) -> bool:
    """Whether 1x is known along the shaft and across."""
    return not np.isnan(axial_over_radial(view).value)


def _directions(view: PointView) -> float:
    across, upright = view.along("H"), view.along("V")
    if across is None or upright is None:
        return np.nan
    return _over(view.level(across, ONE), view.level(upright, ONE))


def harmonics(view: PointView) -> Reading:
    """How many of 2x to 10x stand above the floor, in the channel where most do.

    The floor is what `synchronous_ratio` leaves between the lines; orders of the vanes are not counted.
    """
    counts = [_count(view, c) for c in view.point.channels]
    known = [count for count in counts if not np.isnan(count)]
    return Reading(max(known), "order_4x_mm_s", ONE) if known else UNREAD


def _count(view: PointView, channel: ChannelEvidence) -> float:
    floor = Floor(view, channel)
    lines = {k: view.level(channel, f"order_{k}x_mm_s") for k in range(1, 11)}
    if not floor.known or np.isnan(lines[1]):
        return np.nan
    least = 0.05 * max(v for v in lines.values() if not np.isnan(v))
    own = [k for k in range(2, 11) if not is_vane_order(view, k)]
    return float(sum(lines[k] >= max(least, floor.limit(k)) for k in own))


def half_orders(view: PointView) -> Reading:
    """The higher of 0.5x and 1.5x over 1x, where it stands above the floor and is no belt or other shaft.

    1x is the highest at this point: where the shaft itself is hardly felt, noise is soon a share of it.
    """
    one, best = view.highest(ONE), UNREAD
    own = [(name, k) for name, k in zip(HALVES, (0.5, 1.5), strict=True) if not foreign(view, k)]
    for channel in view.point.channels:
        floor = Floor(view, channel)
        for name, order in own:
            level = view.level(channel, name)
            if not floor.known or np.isnan(level) or not one > 0:
                continue
            value = level / one if level >= floor.limit(order) else 0.0
            if np.isnan(best.value) or value > best.value:
                best = Reading(value, name, ONE)
    return best


def pole_pass_over_1x(view: PointView) -> Reading:
    """Sidebands at the pole pass over 1x, where they stand above the floor beside it; the highest."""
    known = [
        level / one if stands_out(view, c, POLES) else 0.0
        for c in view.point.channels
        if (one := view.level(c, ONE)) > 0 and not np.isnan(level := view.level(c, POLES))
    ]
    return Reading(max(known), POLES, ONE) if known else UNREAD


def speed_exponent(view: PointView) -> Reading:
    """The power of the speed with which the radial 1x grows over all blocks: 2 for unbalance."""
    channel, speed = view.strongest(ONE, view.radial), view.evidence.speed_hz
    if channel is None or speed is None:
        return UNREAD
    n, y = _paired(speed, channel.features[ONE])
    if n.size < 6 or n.max() < (1 + LEAST_SPEED_SPAN) * n.min():
        return UNREAD
    return Reading(float(np.polyfit(np.log(n), np.log(y), 1)[0]), ONE, SPEED)


def follows_square(view: PointView) -> Reading:
    """How far that power is from 2: within 1 the force is centrifugal.

    The velocity of what yields as a spring grows with n³, that of what yields as a mass with n: one more or
    one less than the force.
    """
    return Reading(abs(speed_exponent(view).value - 2.0), ONE, SPEED)


def peak_in_sweep(view: PointView) -> Reading:
    """How far the radial 1x at some speed stands above that at both slower and faster ones."""
    channel, speed = view.strongest(ONE, view.radial), view.evidence.speed_hz
    if channel is None or speed is None:
        return UNREAD
    n, y = _paired(speed, channel.features[ONE])
    if n.size < 9 or n.max() < (1 + SWEEP_SPAN) * n.min():
        return UNREAD
    edges = np.linspace(n.min(), n.max(), 6)
    bins = np.clip(np.digitize(n, edges) - 1, 0, 4)
    levels = np.array([np.median(y[bins == k]) if (bins == k).any() else np.nan for k in range(5)])
    if np.isnan(levels[[0, 4]]).any() or np.isnan(levels[1:4]).all():
        return UNREAD
    return Reading(float(np.nanmax(levels[1:4]) / max(levels[0], levels[4])), ONE, SPEED)


def swept(view: PointView) -> bool:
    """Whether the speed moved enough to show a resonance."""
    return not np.isnan(peak_in_sweep(view).value)


def ramp_days(feature: str) -> Measure:
    """How many times a radial feature grew by a slow ramp over at least two days; 1 where it did not.

    The blocks are cut in four: each quarter must be above the one before, and none by most of the growth.
    """

    def measure(view: PointView) -> Reading:
        channel, hours = view.strongest(feature, view.radial), view.evidence.hours
        if channel is None or hours is None:
            return UNREAD
        t, y = _paired(hours - hours[0] + 1.0, channel.features[feature])
        if t.size < 12 or t[-1] - t[0] < 48.0:
            return UNREAD
        top = int(np.argmax(_smooth(y))) + 1  # what falls off afterwards was a deposit all the same
        if top < 12:
            return Reading(1.0, feature)
        quarters = np.array([np.median(part) for part in np.array_split(y[:top], 4)])
        steps = np.diff(np.log(quarters))
        grown = float(quarters[-1] / quarters[0])
        return Reading(grown if (steps > 0).all() and steps.max() < 0.7 * steps.sum() else 1.0, feature, TIME)

    return measure


def drop_share(feature: str) -> Measure:
    """By which share of itself a radial feature fell from its highest to its last blocks."""

    def measure(view: PointView) -> Reading:
        channel = view.strongest(feature, view.radial)
        if channel is None:
            return UNREAD
        y = channel.features[feature]
        y = y[np.isfinite(y)]
        if y.size < 12:
            return UNREAD
        return Reading(float(1 - np.median(y[-3:]) / _smooth(y).max()), feature, TIME)

    return measure


def unsteadiness(feature: str) -> Measure:
    """Spread of a radial feature from block to block over its median: what two close lines make beat."""

    def measure(view: PointView) -> Reading:
        channel = view.strongest(feature, view.radial)
        if channel is None:
            return UNREAD
        y = channel.features[feature]
        y = y[np.isfinite(y)]
        if y.size < 6 or np.median(y) <= 0:
            return UNREAD
        spread = 1.4826 * np.median(np.abs(y - np.median(y)))
        return Reading(float(spread / np.median(y)), feature, TIME)

    return measure


def _smooth(y: Floats) -> Floats:
    """Medians of three neighbours: one odd block is no peak."""
    padded = np.concatenate((y[:1], y, y[-1:]))
    return np.median(np.stack((padded[:-2], padded[1:-1], padded[2:])), axis=0)


def _paired(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    return x[known], y[known]


def _over(a: float, b: float) -> float:
    return float(a / b) if b > 0 else np.nan
