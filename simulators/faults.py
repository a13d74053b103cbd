"""What is wrong with a machine, apart from the machine itself: each fault says what it does to it by when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .machines.bearing import Place


@dataclass(frozen=True, slots=True)
class Condition:
    """How far a machine is from sound. The default is a sound machine; conditions of several faults add up.

    `unbalance` and `misalignment` are multiples of what a sound machine has, added to it; `gear_wear` and the
    severities in `bearing` are 0..1; `friction` multiplies the heat of the bearings.
    """

    unbalance: float = 0.0
    misalignment: float = 0.0
    gear_wear: float = 0.0
    friction: float = 1.0
    bearing: tuple[tuple[str, Place, float], ...] = ()  # (point, place, severity)


@dataclass(frozen=True, slots=True)
class BearingDamage:
    """A local spall at the bearing of `point`: from `severity` on, growing each hour, at most 1."""

    point: str
    place: Place
    severity: float
    growth_per_hour: float = 0.0

    def on(self, condition: Condition, hours: float) -> Condition:
        """The condition with this damage after so many hours. A spall adds up to a quarter to the heat."""
        now = min(1.0, self.severity + self.growth_per_hour * hours)
        return replace(
            condition,
            friction=condition.friction * (1 + 0.25 * now),
            bearing=(*condition.bearing, (self.point, self.place, now)),
        )


@dataclass(frozen=True, slots=True)
class Deposit:
    """Dust that sticks to an impeller, unevenly, and falls off when it is thick.

    In multiples of the residual unbalance: `start` at first, growing by `growth_per_hour` up to `limit`,
    where a lump falls off and leaves `start` again.
    """

    start: float
    growth_per_hour: float
    limit: float

    def on(self, condition: Condition, hours: float) -> Condition:
        """The condition with the deposit of that hour."""
        span = self.limit - self.start
        grown = (self.growth_per_hour * hours) % span if span > 0 else 0.0
        return replace(condition, unbalance=condition.unbalance + self.start + grown)


@dataclass(frozen=True, slots=True)
class Misaligned:
    """A coupling out of line, in multiples of what a sound alignment leaves."""

    amount: float

    def on(self, condition: Condition, hours: float) -> Condition:
        """The condition with this misalignment."""
        return replace(condition, misalignment=condition.misalignment + self.amount)


@dataclass(frozen=True, slots=True)
class GearWear:
    """Worn tooth flanks, 0..1."""

    amount: float

    def on(self, condition: Condition, hours: float) -> Condition:
        """The condition with this wear."""
        return replace(condition, gear_wear=min(1.0, condition.gear_wear + self.amount))


Fault = BearingDamage | Deposit | Misaligned | GearWear


def condition_of(faults: Sequence[Fault], hours: float) -> Condition:
    """What all faults together make of a sound machine after so many hours."""
    condition = Condition()
    for fault in faults:
        condition = fault.on(condition, hours)
    return condition
