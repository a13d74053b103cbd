"""What an examination found behind an alarm: the surest fault, and what to do about it. Value type, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at a point when it was examined last.

    `fault` is the key of the surest one ("" where none is named), `confidence` 0 to 1, `severity` 1 to 5,
    `at` its point ("" for the machine as a whole), `also` what else it may be, (fault, confidence), surest
    first. `action` is that of the advice (none, watch, plan, intervene, stop), `deadline_h` within how many
    hours of `ts_ns` (0 now, None no deadline), `task` the key of what to do about the fault. `ts_ns` is the
    time of the block, by which the rows of the `diagnosis` series are found. Where nobody can say, `reason`
    and `remedy` are those of the refusal. `columns` are the features that speak for the fault: what an alarm
    shows first of its causes.
    """

    ts_ns: int
    fault: str = ""
    confidence: float = 0.0
    severity: int = 0
    action: str = ""
    deadline_h: float | None = None
    task: str = ""
    at: str = ""
    also: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    remedy: str = ""
    columns: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """As alarms, events and replies tell it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> Finding:
        """What `told` told. Raises KeyError, TypeError or ValueError for anything else."""
        also = tuple((str(fault), float(sure)) for fault, sure in told["also"])
        columns = tuple(str(name) for name in told.get("columns", ()))  # older ones told none
        return cls(**{**told, "also": also, "columns": columns})
