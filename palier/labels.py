"""What technicians found, as labels to learn from: the fault of a verdict, or of a work order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from models.diagnosis.types import Fault
from models.training.dataset import HEALTHY

from .operations import CauseCode, Found

OF_CAUSE: Final[Mapping[CauseCode, Fault]] = MappingProxyType(
    {
        CauseCode.EXCESSIVE_CURRENT: Fault.ELECTRICAL_EROSION,
        CauseCode.CURRENT_LEAKAGE: Fault.ELECTRICAL_EROSION,
        CauseCode.SURFACE_FATIGUE: Fault.LUBRICATION,
        CauseCode.ADHESIVE_WEAR: Fault.LUBRICATION,
    }
)
"""Failure modes of ISO 15243 that are one fault by themselves: those of current, and those that the standard
puts down to a film of lubricant that is too thin. The others tell how a part failed, not which part."""


def fault_of(
    verdict: Found, *, said: str | None = None, found: Fault | None = None, cause: CauseCode | None = None
) -> str | None:
    """The fault of a label: a key of the diagnosis, `HEALTHY` for an alarm that was false; None where a
    verdict tells nothing that could be learned.

    `said` is what the alarm's diagnosis named, `found` what the technician named, `cause` the clause of
    ISO 15243 that the part showed.
    """
    if verdict is Found.REFUTED:
        return HEALTHY
    if found is not None and found is not Fault.UNIDENTIFIED:
        return found.value
    if cause is not None and cause in OF_CAUSE:
        return OF_CAUSE[cause].value
    confirmed = verdict is Found.CONFIRMED and said not in (None, "", Fault.UNIDENTIFIED.value)
    return said if confirmed else None
