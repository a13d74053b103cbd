"""From a diagnosis to advice that can be followed: what is seen, what it means, what to do and by when.

No text stands here: keys of the locale and numbers, from which every language writes the same advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.diagnosis import BEARING_FAULTS, Diagnosis, EvidenceItem, Fault
from models.diagnosis.severity import Action
from models.types import MachineSpec

from .demand import asked_of
from .drive import over_drive

MOST_FACTS: Final = 2
"""A technician reads two facts; who wants all has the evidence."""

MOST_CONFIRMATIONS: Final = 1

LEADS: Final = ("bearing_lines", "velocity_zone")
"""Evidence that is told first: where the shocks are, and how much the machine shakes."""

UNTOLD: Final = (
    "bearing_found",
    "bearing_stage",
    "bearing_contrast",
    "bearing_views",
    "single_record",
    "loaded",
)
"""Evidence about other evidence, in bits and views: of use in a list, not as a fact."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person is told.

    `facts` is the evidence to tell, the strongest first; `evidence` is all of it. `action` is what the
    severity asks for, `deadline_h` within how many hours (0 now, None no deadline), `task` the key of what to
    do about this fault (`task.<task>`). `confirm` are keys of measurements that would settle it
    (`confirm.<key>`), `not_separated` what else it may be. `stage` is that of a bearing, 0 where it has none;
    `blocks` is how many blocks it stands on where they are too few, 0 otherwise. `raised_by` is the state of
    the point where that asks for more than the diagnosis did: severity, action and deadline are then its own.
    `in_danger` says that the machine is in danger, for whatever reason: then no stage of it is called early.
    """

    machine: str
    point: str
    fault: Fault
    confidence: float
    severity: int
    action: Action
    deadline_h: float | None
    task: str
    facts: tuple[EvidenceItem, ...]
    confirm: tuple[str, ...]
    evidence: tuple[EvidenceItem, ...] = ()
    not_separated: tuple[Fault, ...] = ()
    stage: int = 0
    blocks: int = 0
    raised_by: str = ""
    in_danger: bool = False


def advise(diagnosis: Diagnosis, machine: MachineSpec, *, fast: bool = False) -> Advice:
    """The advice on one diagnosis of a machine; `fast` says that the trend doubles within a week."""
    action, deadline_h = asked_of(diagnosis.severity, machine.criticality, fast=fast)
    return Advice(
        machine=machine.id,
        point=diagnosis.point,
        fault=diagnosis.fault,
        confidence=diagnosis.confidence,
        severity=diagnosis.severity,
        action=action,
        deadline_h=deadline_h,
        task=task_on(machine, diagnosis.fault),
        facts=facts_of(diagnosis.evidence),
        confirm=over_drive(diagnosis.separate_by, machine)[:MOST_CONFIRMATIONS],
        evidence=diagnosis.evidence,
        not_separated=diagnosis.not_separated,
        stage=_remark(diagnosis, "bearing_stage"),
        blocks=_remark(diagnosis, "single_record"),
    )


def advise_all(
    diagnoses: tuple[Diagnosis, ...], machine: MachineSpec, *, fast: bool = False
) -> tuple[Advice, ...]:
    """Advice on every diagnosis, the most severe first, the surest of equals."""
    ranked = sorted(diagnoses, key=lambda d: (-d.severity, -d.confidence))
    return tuple(advise(diagnosis, machine, fast=fast) for diagnosis in ranked)


def task_of(fault: Fault) -> str:
    """The key of what to do about a fault: one for all rings and elements, one for every other fault."""
    return "bearing" if fault in BEARING_FAULTS else fault.value


def task_on(machine: MachineSpec, fault: Fault) -> str:
    """The key of what to do about a fault of this machine: as `task_of`, but for how it is driven."""
    return over_drive((task_of(fault),), machine)[0]


def facts_of(evidence: tuple[EvidenceItem, ...]) -> tuple[EvidenceItem, ...]:
    """The facts to tell: evidence that speaks for the fault, each sentence once, leads first."""
    spoken = [item for item in evidence if item.weight >= 0 and item.met > 0 and item.key not in UNTOLD]
    if not spoken:  # a bearing rule that gave no lines of its own
        spoken = [item for item in evidence if item.key == "bearing_found"]
    ranked = sorted(spoken, key=lambda item: (item.key not in LEADS, -item.weight * item.met))
    once: dict[tuple[str, str], EvidenceItem] = {}
    for item in ranked:
        once.setdefault((item.key, item.feature), item)
    return tuple(once.values())[:MOST_FACTS]


def _remark(diagnosis: Diagnosis, key: str) -> int:
    found = next((item for item in diagnosis.evidence if item.key == key), None)
    return 0 if found is None else int(found.params["value"])
