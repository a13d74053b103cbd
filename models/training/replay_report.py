"""What a replay found, for each machine and in all: values for a table, for a registry and for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from scipy.special import gammaincinv

from .replay_courses import Became
from .replay_naming import Naming
from .replay_truth import Contradiction, Failure

CONFIDENCE: Final = 0.95
"""Of the interval about a count."""

FORM: Final = 1
"""Of `ReplayReport.told`: rises with what a reader of older reports would misread."""


class Fate(StrEnum):
    """What became of a call: alerts of a machine's points that overlap are one."""

    DETECTION = "detection"  # the first word of a failure
    REPEAT = "repeat"  # one more of a failure that was told already
    ANSWERED = "answered"  # work that may be meant for it was recorded within a month
    FALSE = "false"  # nothing was done within a month, or nothing was wrong
    OPEN = "open"  # too young to tell
    CONTESTED = "contested"  # the labels contradict each other there
    TRAINED = "trained"  # the model had seen that time: it does not count


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a machine: when it began and ended (None: it stands), of which points, and why."""

    machine: str
    points: tuple[str, ...]
    raised_s: float
    ended_s: float | None
    cause: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Rate:
    """Events in a time, `months` of 30 days of a machine, with the interval of a Poisson count (Garwood)."""

    count: int
    months: float

    @property
    def per_month(self) -> float:
        """NaN without any time."""
        return self.count / self.months if self.months else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of `per_month`; NaN without any time.

        F. Garwood, Biometrika 28 (1936) 437: half a chi-square of 2k and of 2k + 2 degrees of freedom.
        """
        if not self.months:
            return float("nan"), float("nan")
        tail = (1 - CONFIDENCE) / 2
        low = float(gammaincinv(self.count, tail)) if self.count else 0.0
        return low / self.months, float(gammaincinv(self.count + 1, 1 - tail)) / self.months

    def told(self) -> dict[str, Any]:
        """For JSON."""
        low, high = self.interval
        return {"count": self.count, "months": self.months} | {
            "per_month": _finite(self.per_month),
            "low": _finite(low),
            "high": _finite(high),
        }


@dataclass(frozen=True, slots=True)
class Side:
    """What one model did on a machine: its calls, false ones over the time that counted, hours it stood on
    without a cause, and how many blocks `became` what (in the order of `Became`). `naming` is what a
    classifier said.
    """

    calls: tuple[Call, ...]
    false: Rate
    false_hours: float
    became: tuple[int, ...]
    naming: Naming | None = None

    def count(self, fate: Fate) -> int:
        """How many calls came to that."""
        return sum(call.fate is fate for call in self.calls)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "calls": [asdict(call) for call in self.calls],
            "fates": {str(fate): self.count(fate) for fate in Fate},
            "false": self.false.told(),
            "false_hours": self.false_hours,
            "blocks": {one.name.lower(): n for one, n in zip(Became, self.became, strict=True)},
            "naming": self.naming.told() if self.naming else None,
        }


class Verdict(StrEnum):
    """How the candidate's word on a failure stands to that in force."""

    EARLIER = "earlier"
    LATER = "later"
    SAME = "same"
    EXTRA = "extra"  # only the candidate saw it
    LOST = "lost"  # only the one in force saw it
    MISSED = "missed"  # neither
    SEEN = "seen"  # nothing is in force to compare with
    TRAINED = "trained"  # a model had seen that time: not compared
    UNASKED = "unasked"  # a classifier calls nobody: see what it named
    UNOBSERVED = "unobserved"  # there is no block of the time in which it could have been seen


@dataclass(frozen=True, slots=True)
class Compared:
    """A failure and when each side first told of it (None: never)."""

    failure: Failure
    candidate_s: float | None
    in_force_s: float | None
    verdict: Verdict

    @property
    def counts(self) -> bool:
        """Whether it could be compared."""
        return self.verdict not in (Verdict.TRAINED, Verdict.UNOBSERVED, Verdict.UNASKED)

    @property
    def hours_earlier(self) -> float | None:
        """How much earlier the candidate was; negative: later. None where one of them was silent."""
        if self.candidate_s is None or self.in_force_s is None:
            return None
        return (self.in_force_s - self.candidate_s) / 3600

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self.failure) | {
            "candidate_s": self.candidate_s,
            "in_force_s": self.in_force_s,
            "verdict": str(self.verdict),
            "hours_earlier": self.hours_earlier,
        }


@dataclass(frozen=True, slots=True)
class Prices:
    """What a false call and a breakdown cost, in one currency; a warning less than `lead_h` before the end of
    a failure is no help: parts, people and a stop have to be found.
    """

    false_call: float
    breakdown: float
    lead_h: float = 48.0

    def __post_init__(self) -> None:
        for name in ("false_call", "breakdown", "lead_h"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more and finite, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the false calls and the failures without a timely warning would have cost."""

    false_calls: int
    untimely: int
    total: float


@dataclass(frozen=True, slots=True)
class Note:
    """What limits what the report says: a key of the locale (`replay.note_<key>`), and its parameters."""

    key: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MachineReplay:
    """One machine. `in_force` is None where nothing was in force there."""

    machine: str
    candidate: Side
    in_force: Side | None
    failures: tuple[Compared, ...]
    contradictions: tuple[Contradiction, ...]
    notes: tuple[Note, ...]

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "machine": self.machine,
            "candidate": self.candidate.told(),
            "in_force": self.in_force.told() if self.in_force else None,
            "failures": [one.told() for one in self.failures],
            "contradictions": [asdict(one) for one in self.contradictions],
            "notes": [asdict(one) for one in self.notes],
        }


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """A candidate beside what was in force, over start <= t < end (s since 1970 UTC).

    `candidate` and `in_force` are "NAME:VERSION" ("" for none); `prices` None where no cost was asked for.
    `left_out` says of which machines nothing is told, and why: a sentence each.
    """

    candidate: str
    in_force: str
    start_s: float
    end_s: float
    machines: tuple[MachineReplay, ...]
    prices: Prices | None = None
    left_out: tuple[str, ...] = ()

    @classmethod
    def joined(cls, reports: Sequence[ReplayReport]) -> ReplayReport:
        """Reports of the same models and period over other machines, as one. Raises ValueError for none."""
        if not reports:
            raise ValueError("reports must be one at least, got none")
        return replace(reports[0], machines=tuple(m for one in reports for m in one.machines))

    @property
    def failures(self) -> tuple[Compared, ...]:
        """Of all machines, in order of time."""
        found = [one for machine in self.machines for one in machine.failures]
        return tuple(sorted(found, key=lambda one: one.failure.known.end_s))

    def count(self, verdict: Verdict) -> int:
        """Failures of which it was so."""
        return sum(one.verdict is verdict for one in self.failures)

    def false(self, *, in_force: bool = False) -> Rate:
        """False calls of all machines together."""
        sides = [m.in_force if in_force else m.candidate for m in self.machines]
        known = [side for side in sides if side is not None]
        return Rate(sum(s.false.count for s in known), sum(s.false.months for s in known))

    @property
    def judged_nothing(self) -> bool:
        """Whether no time and no block counted: of a candidate that saw it all in training, say."""
        named = [m.candidate.naming for m in self.machines if m.candidate.naming is not None]
        return not self.false().months and not any(one.failures or one.healthy for one in named)

    def cost(self, *, in_force: bool = False) -> Cost | None:
        """None without prices, and where nothing was judged (a classifier calls nobody). A failure that may
        still be told in time when the period ends costs nothing yet.
        """
        if self.prices is None or not self.false(in_force=in_force).months:
            return None
        lead_s = 3600 * self.prices.lead_h
        told = [(one.in_force_s if in_force else one.candidate_s, one) for one in self.failures if one.counts]
        last = [(at, one.failure.known.end_s - lead_s) for at, one in told]  # when a warning still helps
        untimely = sum(until <= self.end_s and (at is None or at > until) for at, until in last)
        false = self.false(in_force=in_force).count
        total = false * self.prices.false_call + untimely * self.prices.breakdown
        return Cost(false, untimely, total)

    def told(self) -> dict[str, Any]:
        """For JSON: plain values only, no NaN."""
        costs = {"candidate": self.cost(), "in_force": self.cost(in_force=True) if self.in_force else None}
        rates = {"candidate": self.false(), "in_force": self.false(in_force=True) if self.in_force else None}
        return {
            "form": FORM,
            "candidate": self.candidate,
            "in_force": self.in_force,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "prices": asdict(self.prices) if self.prices else None,
            "verdicts": {str(verdict): self.count(verdict) for verdict in Verdict},
            "false": {name: rate.told() if rate else None for name, rate in rates.items()},
            "cost": {name: asdict(cost) if cost else None for name, cost in costs.items()},
            "machines": [machine.told() for machine in self.machines],
            "left_out": list(self.left_out),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
