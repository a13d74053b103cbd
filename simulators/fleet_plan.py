"""A fleet with a past: pumps and fans that differ as machines of one type do, and what happens to each.

Of eight machines seven are pumps. Each machine is in good order for five sixths of the time; then a fault
grows on most of them, is found and mostly repaired. Each fourth pump has none: it is put to other work, has
stones in its slurry, which both look strange, or stays as it was. Everything follows from the seed and the
number of the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.types import MachineSpec
from palier.plant import Plant, parse_plant

from .courses import Course as FaultCourse
from .courses import Mended, Ramp
from .draws import key_of, normal, uniform
from .faults import LOCAL_KINDS, Fault, FaultKind
from .machines.anatomy import Anatomy, structure
from .machines.duty import Stops
from .machines.fleet import FAN, PUMP
from .machines.machine import Course, Machine

SITE: Final = "jorf"
POINT: Final = "1"
FS_HZ: Final = 25_600.0
SAMPLES: Final = 12_800
"""0.5 s: twelve turns of the pumps, eight of the fans, which orders need; a block of 4 s takes eight times as
long."""

DAY_S: Final = 86_400.0
_K: Final = FaultKind
PUMP_FAULTS: Final = (_K.OUTER_RING, _K.UNBALANCE, _K.CAVITATION)
FAN_FAULTS: Final = (_K.INNER_RING, _K.UNBALANCE, _K.ROTATING_LOOSENESS)
"""What machines of a kind have, in turn: each fault on several, so that whole machines can be held out."""

NO_FAULT_EACH: Final = 4
"""Each fourth machine of a kind has no fault; of the pumps in turn other work, stones, and nothing."""

ONSET: Final = (0.84, 0.87)
"""Share of the history after which a fault begins: of 40 days every 40 minutes, 1,200 blocks are sound, and
more than 1,000 when the days before a label are left out."""

GROWN: Final = 0.05
"""Share of the history that it takes to come to its worst."""

WORST: Final = (0.55, 0.75)
MENDED: Final = (0.955, 0.975)
NOT_MENDED: Final = 5
"""Each fifth machine is still waiting for its repair."""

CHANGED: Final = 0.85
CHANGED_SPEED: Final = 0.86
CHANGED_LOAD: Final = 1.3
"""Other work: a seventh slower and a third harder, outside all that was learned."""

STOP_EVERY_S: Final = 14 * DAY_S
STOP_LASTING_S: Final = 10 * 3600.0
"""A planned stop each fortnight."""

# Pumps and fans on the motor's own shaft, at 1485 and 990 r/min: what shakes a belt-driven slurry pump at 890
# r/min would shake one at 1485 eightfold.
_PUMP: Final = replace(
    PUMP,
    rpm=1485,
    unbalance_kg_m=0.024,
    misalignment_n=70,
    blades=5,
    belt_mm_s=0.0,
    supply_mm_s=0.0,
    support=replace(PUMP.support, natural_hz=78),
)
_FAN: Final = replace(FAN, unbalance_kg_m=0.015, supply_mm_s=0.0)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to a machine, seconds since 1970 UTC; None: it does not. `severity` at its worst."""

    fault: FaultKind | None = None
    severity: float = 0.0
    onset_s: float | None = None
    worst_s: float | None = None
    mended_s: float | None = None
    changed_s: float | None = None

    def course(self) -> FaultCourse:
        """The fault over time."""
        if self.onset_s is None or self.worst_s is None:
            return Ramp(math.inf, math.inf, 0.0)
        grown = Ramp(self.onset_s, self.worst_s, self.severity)
        if self.mended_s is None:
            return grown
        return Mended(grown, self.mended_s, Ramp(self.mended_s, self.mended_s, 0.0))


@dataclass(frozen=True, slots=True)
class Member:
    """A machine of the fleet: as the plant knows it, how it is made in truth, and its story."""

    spec: MachineSpec
    anatomy: Anatomy
    story: Story
    seed: int
    start_s: float

    def machine_at(self, seconds: float) -> Machine:
        """The machine as it works at that time."""
        changed = self.story.changed_s is not None and seconds >= self.story.changed_s
        spec = self.spec
        if changed and spec.speed_rpm is not None:
            spec = replace(spec, speed_rpm=spec.speed_rpm * CHANGED_SPEED)
        stops = Stops((), STOP_EVERY_S, STOP_LASTING_S, self.start_s + 5 * DAY_S)
        course = Course(stops, load_factor=CHANGED_LOAD if changed else 1.0)
        return Machine(spec, self.anatomy, seed=self.seed, faults=self._faults(), course=course)

    def _faults(self) -> tuple[Fault, ...]:
        kind = self.story.fault
        return (
            () if kind is None else (Fault(kind, self.story.course(), POINT if kind in LOCAL_KINDS else ""),)
        )


@dataclass(frozen=True, slots=True)
class Fleet:
    """The members of a plant, its file as text, and from when to when their past goes."""

    plant: Plant
    text: str
    members: tuple[Member, ...]
    start_s: float
    end_s: float


def fleet(machines: int, *, seed: int, start_s: float, end_s: float) -> Fleet:
    """So many machines and what happens to them. Raises ValueError for less than one."""
    if machines < 1:
        raise ValueError(f"machines must be at least 1, got {machines}")
    kinds = ["fan" if k % 8 == 7 else "pump" for k in range(machines)]
    numbers = [kinds[:k].count(kind) for k, kind in enumerate(kinds)]
    text = _plant_text([_entry(kind, n, seed) for kind, n in zip(kinds, numbers, strict=True)])
    plant = parse_plant(text, file=Path("plant.toml"))
    found = []
    for spec, n in zip(plant.machines, numbers, strict=True):
        story = story_of(_fault_of(spec.kind, n), key_of(seed, "story", spec.id), start_s, end_s)
        if story.fault is None and spec.kind == "pump" and n // NO_FAULT_EACH % 3 == 0:
            story = replace(story, changed_s=start_s + CHANGED * (end_s - start_s))
        if n % NOT_MENDED == NOT_MENDED - 1:
            story = replace(story, mended_s=None)
        found.append(member(spec, story, seed=seed, start_s=start_s))
    return Fleet(plant, text, tuple(found), start_s, end_s)


def _fault_of(kind: str, number: int) -> FaultKind | None:
    """What the machine of that number (of its kind) has, None for nothing."""
    faults = PUMP_FAULTS if kind == "pump" else FAN_FAULTS
    before, place = divmod(number, NO_FAULT_EACH)
    if place == NO_FAULT_EACH - 1:
        return FaultKind.SLURRY_SHOCKS if kind == "pump" and before % 3 == 1 else None
    return faults[(number - before) % len(faults)]


def member(spec: MachineSpec, story: Story, *, seed: int, start_s: float) -> Member:
    """A machine of that spec, an individual of its kind."""
    anatomy = individual(_FAN if spec.kind == "fan" else _PUMP, key_of(seed, "anatomy", spec.id))
    return Member(spec, anatomy, story, seed, start_s)


def story_of(fault: FaultKind | None, key: int, start_s: float, end_s: float) -> Story:
    """When a fault begins, how bad it gets and when it is repaired."""
    if fault is None:
        return Story()
    lasting = end_s - start_s
    onset_s = start_s + lasting * uniform(key_of(key, "onset"), *ONSET)
    return Story(
        fault,
        uniform(key_of(key, "worst"), *WORST),
        onset_s,
        onset_s + GROWN * lasting,
        start_s + lasting * uniform(key_of(key, "mended"), *MENDED),
    )


def individual(kind: Anatomy, key: int) -> Anatomy:
    """A machine of a kind: no two are balanced, aligned, mounted or lubricated alike.

    Spreads of ln(value), as between machines of one type in one hall: forces a quarter, noise a tenth,
    natural frequencies a twentieth.
    """

    def off(what: str, spread: float) -> float:
        return math.exp(spread * normal(key_of(key, what)))

    first = kind.modes[0]
    return replace(
        kind,
        unbalance_kg_m=kind.unbalance_kg_m * off("unbalance", 0.25),
        misalignment_n=kind.misalignment_n * off("misalignment", 0.25),
        modes=structure(first.natural_hz * off("modes", 0.05), first.damping),
        rolling_m_s2=kind.rolling_m_s2 * off("rolling", 0.1),
        spall=replace(kind.spall, strike_m_s2=kind.spall.strike_m_s2 * off("spall", 0.15)),
        support=replace(kind.support, natural_hz=kind.support.natural_hz * off("support", 0.05)),
        blade_velocity_mm_s=kind.blade_velocity_mm_s * off("blades", 0.2),
    )


_BEARINGS: Final = {"pump": ("6309", "NU2210"), "fan": ("22220", "22228")}
_NAMES: Final = {"pump": ("P", "Pompe", 160, 1485, 5), "fan": ("V", "Ventilateur", 132, 990, 12)}
_LIMITS: Final = {"pump": "iso10816-7:cat2:upto200kw", "fan": "iso20816-3:g2:rigid"}


def _entry(kind: str, number: int, seed: int) -> str:
    letter, name, power, rpm, vanes = _NAMES[kind]
    bearings = _BEARINGS[kind]
    bearing = bearings[key_of(seed, "bearing", kind, number) % len(bearings)]
    return f"""
[[machine]]
id = "{letter}-{101 + number}"
name = "{name} {101 + number}"
kind = "{kind}"
criticality = "B"
power_kw = {power}
speed = {{ source = "frame", rpm = {rpm} }}
limits = "{_LIMITS[kind]}"
impeller = {{ vanes = {vanes} }}

[[machine.point]]
id = "{POINT}"
name = "Palier côté accouplement (CA)"
bearing = "{bearing}"

[[machine.point.channel]]
id = "H"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = {FS_HZ:g}
samples = {SAMPLES}

[[machine.point.channel]]
id = "T"
quantity = "temperature"
unit = "°C"
"""


def _plant_text(entries: Sequence[str]) -> str:
    site = f'[site]\nid = "{SITE}"\nname = "Parc simulé, Jorf Lasfar"\ntimezone = "Africa/Casablanca"\n'
    return site + "".join(entries)
