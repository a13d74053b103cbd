"""The work order of a machine: what was found, by when, how to do it safely, what must hold afterwards. Pure.

It is a sheet for people who stand before the machine: keys of the locale and numbers, no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.advice import Advice
from models.detection.zones import LimitKind, LimitSet
from models.diagnosis.types import Diagnosis
from models.types import Bearing, MachineSpec, PointSpec
from palier.alarms import Alarm
from palier.local_time import local

TRADES: Final = {
    "bearing": "bearing",
    "electrical_erosion": "bearing",
    "unbalance": "balance",
    "fan_deposit": "balance",
    "tool": "balance",
    "bent_shaft": "balance",
    "misalignment": "alignment",
    "pulleys": "belt",
    "belt": "belt",
    "structural_looseness": "tighten",
    "rotating_looseness": "tighten",
    "lubrication": "grease",
    "gear_wear": "gear",
    "gear_misalignment": "gear",
    "tooth_crack": "gear",
    "stator": "electric",
    "rotor_bars": "electric",
    "cavitation": "flow",
    "blocked_vane": "flow",
}
"""The trade that each task asks for: it says which tools to bring and what must hold afterwards."""

GENERAL: Final = "general"

RELEARNED: Final = frozenset({"bearing", "balance", "alignment", "belt", "tighten", "gear"})
"""Trades after which the machine is another: its baseline is learned anew."""

SAFETY_OF: Final = {
    "pump": "pump",
    "fan": "fan",
    "gearmotor": "conveyor",
    "spindle": "spindle",
    "compressor": "compressor",
}
"""Kinds of machines with a danger of their own, beside what holds for all."""


RETENSIONED: Final = frozenset({"bearing", "balance", "tighten"})
"""Trades that move a shaft or its housing: a belt on it has to be set again."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One sheet. `alarm` and `advice` are None where there is none; `advice` is of the surest diagnosis.

    `limit_mm_s` is the velocity that the machine should keep below afterwards (the first limit of its set),
    None without one; `due_ns` the plant time by which, None without a deadline.
    """

    number: str
    machine: MachineSpec
    point: PointSpec | None
    alarm: Alarm | None
    advice: Advice | None
    diagnosis: Diagnosis | None
    trade: str
    task: str
    bearing: Bearing | None
    limits: LimitSet | None
    limit_mm_s: float | None
    due_ns: int | None
    safety: tuple[str, ...]

    @property
    def relearn(self) -> bool:
        """Whether the baseline is to be learned anew afterwards."""
        return self.trade in RELEARNED

    @property
    def retension(self) -> bool:
        """Whether a belt is to be set again after work on something else."""
        return self.machine.belt is not None and self.trade in RETENSIONED


def work_order(
    machine: MachineSpec,
    point: PointSpec | None,
    *,
    alarm: Alarm | None,
    found: Sequence[tuple[Diagnosis, Advice]],
    limits: LimitSet | None,
    timezone: str,
    now_ns: int,
) -> WorkOrder:
    """The sheet for a point of a machine (None: the machine as a whole) with what was found there."""
    diagnosis, advice = found[0] if found else (None, None)
    task = advice.task if advice else (alarm.found.task if alarm and alarm.found else "") or "unidentified"
    begun_ns = alarm.raised_ns if alarm else now_ns
    velocity = limits is not None and limits.quantity.startswith("velocity_")
    zones = limits.values[:1] if limits and limits.kind is not LimitKind.TWO_VALUES and velocity else ()
    return WorkOrder(
        number=number_of(machine.id, begun_ns, timezone),
        machine=machine,
        point=point,
        alarm=alarm,
        advice=advice,
        diagnosis=diagnosis,
        trade=TRADES.get(task, GENERAL),
        task=task,
        bearing=point.bearing if point else None,
        limits=limits,
        limit_mm_s=zones[0] if zones else None,
        due_ns=alarm.due_ns if alarm else None,
        safety=_safety(machine),
    )


def _safety(machine: MachineSpec) -> tuple[str, ...]:
    own = SAFETY_OF.get(machine.kind)
    return ("lockout", *((own,) if own else ()), *(("belt",) if machine.belt else ()), "area")


def number_of(machine: str, ts_ns: int, timezone: str) -> str:
    """A number that is the same each time the same sheet is printed: "OT-P-101-20261122-1427"."""
    return f"OT-{machine}-{local(ts_ns, timezone):%Y%m%d-%H%M}"
