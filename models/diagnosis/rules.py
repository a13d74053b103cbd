"""What a rule is made of: signs, clauses that need, support or exclude, and what looks alike.

A rule is data: there is one for each fault, and all read as the table of an analyst. A sign measures one
number at a point and says from which limit on it counts; a clause is met by the best of its signs; the
clauses of a rule carry weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from models.types import MachineSpec

from .types import NO_PARAMS, EvidenceItem, Fault, Params
from .view import PointView

AT_LIMIT: Final = 0.8
"""How far evidence is met that just reaches its limit. The rest comes with distance from it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number read at a point, NaN where unknown, and the feature it is read from.

    `against` is the feature that it is compared with, where there is one. `limit` replaces that of the sign
    where detection has one of its own; `key` replaces its sentence where the number has another meaning.
    """

    value: float
    feature: str = ""
    against: str = ""
    limit: float | None = None
    params: Params = field(default_factory=lambda: NO_PARAMS)
    key: str = ""


UNREAD: Final = Reading(np.nan)

Measure = Callable[[PointView], Reading]


@dataclass(frozen=True, slots=True)
class Of:
    """A measure of some features, which it names: so that a table of rules can be read."""

    features: tuple[str, ...]
    read: Measure

    def __call__(self, view: PointView) -> Reading:
        """The reading at a point."""
        return self.read(view)


@dataclass(frozen=True, slots=True)
class Sign:
    """A number that counts from `limit` on, fully at `full`; downwards where `full` is below `limit`.

    `trust` lowers a sign that says less than the others of its clause, `at_limit` is how far it is met where
    it just reaches its limit. `key` names its sentence.
    """

    key: str
    measure: Measure
    limit: float
    full: float
    trust: float = 1.0
    at_limit: float = AT_LIMIT

    def read(self, view: PointView) -> tuple[Reading, float]:
        """The reading and how far it is met: 0 unless known and at its limit."""
        reading = self.measure(view)
        limit = self.limit if reading.limit is None else reading.limit
        full = self.full if reading.limit is None else limit * self.full / self.limit
        return reading, self.trust * _met(reading.value, limit, full, self.at_limit)


def _met(value: float, limit: float, full: float, at_limit: float) -> float:
    if np.isnan(value):
        return 0.0
    beyond, span = (value - limit, full - limit) if full >= limit else (limit - value, limit - full)
    if beyond < 0:
        return 0.0
    return 1.0 if span == 0 or beyond >= span else at_limit + (1 - at_limit) * beyond / span


class Role(StrEnum):
    """What a clause does for its fault."""

    NEEDED = "needed"
    SUPPORTS = "supports"
    EXCLUDES = "excludes"


@dataclass(frozen=True, slots=True)
class Clause:
    """Evidence of one kind: the best of its signs, times its weight.

    It is refuted when none of its signs is met although all are known; with `any_known`, although one is.
    One that excludes tells its fault from those of `instead`.
    """

    role: Role
    weight: float
    signs: tuple[Sign, ...]
    any_known: bool = False
    instead: tuple[Fault, ...] = ()


def needed(weight: float, *signs: Sign, any_known: bool = False) -> Clause:
    """Without one of these signs the fault is not named."""
    return Clause(Role.NEEDED, weight, signs, any_known)


def supports(weight: float, *signs: Sign) -> Clause:
    """One of these signs makes the fault more likely."""
    return Clause(Role.SUPPORTS, weight, signs)


def excludes(weight: float, *signs: Sign, instead: tuple[Fault, ...]) -> Clause:
    """One of these signs makes the fault less likely; `weight` is what it takes away.

    Each fault of `instead` is a look-alike of the rule: where nobody looked, it may be that one.
    """
    return Clause(Role.EXCLUDES, weight, signs, instead=instead)


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A fault that shows the same, unless `told_apart` says that what was measured tells them apart.

    `by` are the measurements that would. It counts where its own rule applies; with `undescribed` also on a
    machine of which nobody said whether it has that part.
    """

    fault: Fault
    told_apart: Callable[[PointView], bool]
    by: tuple[str, ...]
    undescribed: bool = False


def known(measure: Measure) -> Callable[[PointView], bool]:
    """Told apart wherever this could be read."""
    return lambda view: not np.isnan(measure(view).value)


def never(view: PointView) -> bool:
    """Nothing that the features hold tells them apart."""
    del view
    return False


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. `applies` says to which machines, `confirm` what would confirm it, `source` who says so.

    `local` faults are of a point: two points may have them. Others are of the machine, and are reported where
    they show best.
    """

    fault: Fault
    clauses: tuple[Clause, ...]
    source: str
    confirm: tuple[str, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()
    applies: Callable[[MachineSpec], bool] = lambda machine: True
    local: bool = False

    def weight(self, role: Role) -> float:
        """Sum of the weights of one role."""
        return sum(clause.weight for clause in self.clauses if clause.role is role)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A rule held against a point.

    `score` is the sum of the weights that are met, 0..1. `refuted` is set where needed evidence is known not
    to be there, `missing` counts needed evidence that is not known. Neither is named.
    """

    rule: Rule
    score: float
    evidence: tuple[EvidenceItem, ...]
    refuted: bool
    missing: int


def weigh(rule: Rule, view: PointView) -> Weighed:
    """The rule's clauses at a point. Of items only those that are met stand in `evidence`."""
    items: list[EvidenceItem] = []
    score, refuted, missing = 0.0, False, 0
    for clause in rule.clauses:
        item, known = _weigh_clause(clause, view)
        score += item.weight * item.met
        if item.met > 0:
            items.append(item)
        elif clause.role is Role.NEEDED:
            refuted |= known
            missing += not known
    return Weighed(rule, min(1.0, max(0.0, score)), tuple(items), refuted, missing)


def _weigh_clause(clause: Clause, view: PointView) -> tuple[EvidenceItem, bool]:
    """The item of the sign that is met best, and whether it is known."""
    weight = -clause.weight if clause.role is Role.EXCLUDES else clause.weight
    best, known = None, []
    for sign in clause.signs:
        reading, met = sign.read(view)
        known.append(not np.isnan(reading.value))
        item = item_of(sign, reading, weight=weight, met=met, point=view.point.id)
        if best is None or item.met > best.met:
            best = item
    if best is None:
        raise ValueError(f"a clause needs at least one sign, got {clause}")
    judged = any(known) if clause.any_known else all(known)
    return replace(best, needed=clause.role is Role.NEEDED), judged


def item_of(sign: Sign, reading: Reading, *, weight: float, met: float, point: str) -> EvidenceItem:
    """The evidence that a sign and its reading make."""
    limit = sign.limit if reading.limit is None else reading.limit
    params: dict[str, float | str] = {"value": float(reading.value), "limit": float(limit), **reading.params}
    if reading.against:
        params["against"] = reading.against
    return EvidenceItem(
        reading.key or sign.key, weight, met, params=params, feature=reading.feature, point=point
    )
