"""The value types of a diagnosis: what is wrong, how sure, how bad, and what says so.

Text for people never stands here: every key is a key of the locale, every number a parameter of a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

Params = Mapping[str, float | str]
"""Parameters of a sentence: numbers in the unit that the key's name or sentence states, or words and ids."""

NO_PARAMS: Final[Params] = MappingProxyType({})


class Fault(StrEnum):
    """What can be wrong with a rotating machine, as far as vibration and temperature tell."""

    OUTER_RING = "outer_ring"
    INNER_RING = "inner_ring"
    ROLLING_ELEMENT = "rolling_element"
    CAGE = "cage"
    UNBALANCE = "unbalance"
    MISALIGNMENT = "misalignment"
    STRUCTURAL_LOOSENESS = "structural_looseness"
    ROTATING_LOOSENESS = "rotating_looseness"
    BENT_SHAFT = "bent_shaft"
    RESONANCE = "resonance"
    ELECTRICAL_EROSION = "electrical_erosion"
    LUBRICATION = "lubrication"
    GEAR_WEAR = "gear_wear"
    TOOTH_CRACK = "tooth_crack"
    GEAR_MISALIGNMENT = "gear_misalignment"
    CAVITATION = "cavitation"
    BLOCKED_VANE = "blocked_vane"
    BELT = "belt"
    STATOR = "stator"
    ROTOR_BARS = "rotor_bars"
    FAN_DEPOSIT = "fan_deposit"
    TOOL = "tool"
    UNIDENTIFIED = "unidentified"


BEARING_FAULTS: Final = (Fault.OUTER_RING, Fault.INNER_RING, Fault.ROLLING_ELEMENT, Fault.CAGE)
"""The faults of a bearing's parts, in the order of `models.types.BEARING_DEFECTS` (bpfo, bpfi, bsf, ftf)."""


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One thing seen (or not seen) that speaks for a fault, or against it.

    `met` (0..1) is how far the condition is met: 0 not at all, or unknown. A negative `weight` is evidence
    against. `params` carry what the sentence `evidence.<key>` says: usually `value` and `limit`, in the unit
    of `feature`. `needed` evidence must be met before its fault is named. `point` is the id of the point of
    measurement, "" for the machine as a whole.
    """

    key: str
    weight: float
    met: float
    needed: bool = False
    params: Params = field(default_factory=lambda: NO_PARAMS)
    feature: str = ""
    point: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be a share: `met` outside 0..1 or NaN."""
        if not 0.0 <= self.met <= 1.0:
            raise ValueError(f"evidence {self.key}: met must be within 0..1, got {self.met}")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A fault that is named, with its confidence (0..1), its severity (1..5) and its evidence.

    `not_separated` are faults that look the same in what was measured; `separate_by` are keys
    (`separate.<key>`) of the measurements that would tell them apart.
    """

    fault: Fault
    confidence: float
    severity: int
    point: str = ""
    evidence: tuple[EvidenceItem, ...] = ()
    not_separated: tuple[Fault, ...] = ()
    separate_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a confidence outside 0..1 and a severity outside 1..5."""
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"diagnosis {self.fault}: confidence must be within 0..1, got {self.confidence}")
        if self.severity not in (1, 2, 3, 4, 5):
            raise ValueError(f"diagnosis {self.fault}: severity must be 1 to 5, got {self.severity}")
