"""What a scenario plans: which machine has which fault, sensor trouble, stop and repair, and when.

Hours are counted from the scenario's origin; negative ones lie in its history. A plan becomes a course over
time when an origin, a seed and a machine are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from models.types import MachineSpec, Quantity
from palier.plant import Plant

from .courses import Constant, Course, Degradation, Deposit, Growth, Mended, Ramp, mended
from .draws import Floats, key_of, uniform
from .faults import BEARING_KINDS, GEAR_KINDS, WHEEL_KINDS, FaultKind
from .impairments import FRAME_KINDS, TEMPERATURES, ImpairmentKind
from .kinds import anatomy_of

HOUR_S: Final = 3600.0
IMPERFECT: Final = 0.1
"""Share of repairs after which something is left."""

FOLLOWED_S: Final = 3 * 365.25 * 86400.0
"""Lives are drawn for so long after the origin."""

Load = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Timing:
    """Where hour 0 of a scenario lies, s since 1970 UTC, and how far what comes after it is stretched."""

    origin_s: float
    time_scale: float = 1.0

    def at(self, hours: float) -> float:
        """The instant of an hour of the scenario: history is never stretched."""
        return self.origin_s + HOUR_S * (hours * self.time_scale if hours > 0 else hours)

    def lasting(self, hours: float, from_h: float) -> float:
        """Seconds of a duration that begins at an hour."""
        return HOUR_S * hours * (self.time_scale if from_h >= 0 else 1.0)


@dataclass(frozen=True, slots=True)
class Level:
    """A severity that stays; `low` and `high` apart: drawn between them."""

    low: float
    high: float

    def course(self, key: int, timing: Timing, load: Load, repairs_s: tuple[float, ...]) -> Course:
        """The course over time."""
        level = Constant(uniform(key_of(key, "level"), self.low, self.high))
        return mended(level, repairs_s, key, IMPERFECT)


@dataclass(frozen=True, slots=True)
class Line:
    """From 0 at `from_h` to a severity at `full_h`, drawn within `low` and `high`; a step where they meet."""

    from_h: float
    full_h: float
    low: float
    high: float

    def course(self, key: int, timing: Timing, load: Load, repairs_s: tuple[float, ...]) -> Course:
        """The course over time."""
        level = uniform(key_of(key, "level"), self.low, self.high)
        line = Ramp(timing.at(self.from_h), timing.at(self.full_h), level)
        return mended(line, tuple(at for at in repairs_s if at > line.start_s), key, IMPERFECT)


@dataclass(frozen=True, slots=True)
class Sawtooth:
    """A deposit that grows from `low` to `high` in `period_h` and falls off."""

    from_h: float
    period_h: float
    low: float
    high: float

    def course(self, key: int, timing: Timing, load: Load, repairs_s: tuple[float, ...]) -> Course:
        """The course over time."""
        period_s = timing.lasting(self.period_h, self.from_h)
        course: Course = Deposit(timing.at(self.from_h), period_s, self.low, self.high, key_of(key, "lumps"))
        for at_s in repairs_s:  # a clean wheel gathers dust again
            if at_s < timing.at(self.from_h):
                continue  # there was none to clean off yet
            fresh = Deposit(at_s, period_s, self.low, self.high, key_of(key, "lumps", round(at_s)))
            course = Mended(course, at_s, fresh)
        return course


@dataclass(frozen=True, slots=True)
class Growing:
    """Degradation to the end of life, as courses.Growth tells it; the first life begins at `from_h`."""

    life_h: float
    from_h: float = 0.0
    onset_h: float | None = None
    onset_scale_h: float = 0.0
    onset_shape: float = 1.8
    start: float = 0.02
    life_spread: float = 0.0
    load_exponent: float = 3.0
    jumps: float = 0.0
    plateau: float = 0.0
    repair_after_h: float = math.inf
    imperfect: float = IMPERFECT

    def course(self, key: int, timing: Timing, load: Load, repairs_s: tuple[float, ...]) -> Course:
        """The course over time."""

        def lasting(hours: float) -> float:
            return timing.lasting(hours, self.from_h)

        growth = Growth(
            life_s=lasting(self.life_h),
            onset_s=None if self.onset_h is None else lasting(self.onset_h),
            onset_scale_s=lasting(self.onset_scale_h),
            onset_shape=self.onset_shape,
            start=self.start,
            life_spread=self.life_spread,
            load_exponent=self.load_exponent,
            jumps=self.jumps,
            plateau=self.plateau,
            repair_after_s=lasting(self.repair_after_h),
            imperfect=self.imperfect,
        )
        return self._lives(growth, key, timing, load, repairs_s)

    def _lives(
        self, growth: Growth, key: int, timing: Timing, load: Load, repairs_s: tuple[float, ...]
    ) -> Degradation:
        until_s = timing.origin_s + FOLLOWED_S
        return growth.lives(key, timing.at(self.from_h), repairs_s, load, until_s=until_s)


Plan = Level | Line | Sawtooth | Growing


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault that a machine will have."""

    machine: str
    kind: FaultKind
    plan: Plan
    point: str = ""


@dataclass(frozen=True, slots=True)
class PlannedImpairment:
    """A sensor's or gateway's trouble that a machine will have; `amount` None is the usual one."""

    machine: str
    kind: ImpairmentKind
    amount: float | None = None
    from_h: float = -math.inf
    to_h: float = math.inf
    point: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Intervention:
    """Somebody repairs a machine: the faults of `kinds` (none: all) at `point` ("": all) begin a new life."""

    machine: str
    at_h: float
    kinds: tuple[FaultKind, ...] = ()
    point: str = ""

    def treats(self, fault: PlannedFault) -> bool:
        """Whether it ends a life of that fault."""
        ours = self.machine == fault.machine and self.point in ("", fault.point)
        return ours and (not self.kinds or fault.kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a machine is driven: when it stands (hours), whether its drive moves, how hard it works."""

    stopped: tuple[tuple[float, float], ...] = ()
    stop_every_h: float = 0.0
    stop_lasting_h: float = 0.0
    variable: bool = False
    load: float = 1.0
    reversing: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is planned. A machine that is not named is sound and runs steadily.

    Of the `candidates`, `choose` are drawn by the seed: nobody knows beforehand which.
    """

    machines: Mapping[str, Settings] = field(default_factory=dict)
    faults: tuple[PlannedFault, ...] = ()
    impairments: tuple[PlannedImpairment, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    candidates: tuple[PlannedFault | PlannedImpairment, ...] = ()
    choose: int = 0

    def drawn(self, seed: int) -> Scenario:
        """The scenario with its candidates drawn."""
        order = sorted(range(len(self.candidates)), key=lambda k: uniform(key_of(seed, "candidate", k)))
        chosen = [self.candidates[k] for k in sorted(order[: self.choose])]
        return replace(
            self,
            faults=(*self.faults, *(one for one in chosen if isinstance(one, PlannedFault))),
            impairments=(*self.impairments, *(one for one in chosen if isinstance(one, PlannedImpairment))),
            candidates=(),
            choose=0,
        )

    def fitting(self, plant: Plant) -> Scenario:
        """What of it is about machines and points that the plant has."""
        return replace(
            self,
            machines={name: one for name, one in self.machines.items() if plant.machine(name) is not None},
            faults=tuple(one for one in self.faults if not strange(plant, one)),
            impairments=tuple(one for one in self.impairments if not strange(plant, one)),
            interventions=tuple(one for one in self.interventions if not strange(plant, one)),
            candidates=tuple(one for one in self.candidates if not strange(plant, one)),
        )


def strange(plant: Plant, one: PlannedFault | PlannedImpairment | Intervention) -> str:
    """What does not fit the plant, as a sentence, or nothing."""
    spec = plant.machine(one.machine)
    if spec is None:
        return f"the plant has no machine {one.machine!r}; it has {', '.join(m.id for m in plant.machines)}"
    point = spec.point(one.point)
    if one.point and point is None:
        have = ", ".join(p.id for p in spec.points)
        return f"machine {one.machine!r} has no point {one.point!r}; it has {have}"
    if isinstance(one, PlannedFault):
        if one.kind in BEARING_KINDS and point is not None and point.bearing is None:
            return f"point {one.point!r} of machine {one.machine!r} has no bearing that could have this fault"
        return _missing_part(spec, one.kind)
    return _unheard(spec, one) if isinstance(one, PlannedImpairment) else ""


def _missing_part(spec: MachineSpec, kind: FaultKind) -> str:
    """Why nobody could hear a fault of a machine, or nothing: the truth must not tell what is not there."""
    anatomy = anatomy_of(spec)
    wheel = not anatomy.cutting and (anatomy.blades > 0 or spec.impeller is not None)
    needs = {
        FaultKind.BELT: ("belt", spec.belt is not None),
        FaultKind.STATOR: ("motor", spec.motor is not None),
        FaultKind.TOOL: ("tool that cuts", anatomy.cutting),
        **dict.fromkeys(WHEEL_KINDS, ("wheel with vanes or blades", wheel)),
        **dict.fromkeys(GEAR_KINDS, ("gears", anatomy.mesh is not None)),
    }
    part, there = needs.get(kind, ("", True))
    return "" if there else f"machine {spec.id!r} has no {part} that could have the fault {kind}"


def _unheard(spec: MachineSpec, one: PlannedImpairment) -> str:
    """Why an impairment of a channel changes nothing that this channel tells, or nothing."""
    if not one.channel:
        return ""
    of = f"point {one.point!r} of machine {spec.id!r}" if one.point else f"machine {spec.id!r}"
    channels = [c for p in spec.points if one.point in ("", p.id) for c in p.channels if c.id == one.channel]
    if not channels:
        return f"{of} has no channel {one.channel!r}"
    wanted = Quantity.TEMPERATURE if one.kind in TEMPERATURES else Quantity.ACCELERATION
    if one.kind not in FRAME_KINDS and all(c.quantity is not wanted for c in channels):
        return f"channel {one.channel!r} of {of} is none of {wanted.value}, which alone can have {one.kind}"
    return ""
