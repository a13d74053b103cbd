"""What the historian says of a replay: the defect lines of each record, counted by the label `fault`.

A reading of the numbers, not a diagnosis: a record's defect *leads* when enough of its harmonics stand above
the local floor and no other defect's lines stand higher, in the channel and block where they stand highest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from models.features.defects import NEEDED, leading_defect
from models.types import BEARING_DEFECTS
from palier.historian.base import Historian

if TYPE_CHECKING:
    from .replay_run import Outcome

DEFECT_OF_LABEL: Final[Mapping[str, str]] = {
    **dict.fromkeys(("or", "outer", "outer ring", "outer race", "bpfo"), "bpfo"),
    **dict.fromkeys(("ir", "inner", "inner ring", "inner race", "bpfi"), "bpfi"),
    **dict.fromkeys(("b", "ball", "roller", "re", "bsf"), "bsf"),
    **dict.fromkeys(("c", "cage", "ftf"), "ftf"),
}
"""The words that public recordings use for the four defects; any other word is a record without one."""


@dataclass(frozen=True, slots=True)
class RecordLines:
    """The lines of one record: bits and harmonics of each defect where they stand highest, and what leads."""

    record: str
    fault: str
    bits: Mapping[str, float]
    harmonics: Mapping[str, int]
    leading: str | None

    @property
    def own(self) -> str | None:
        """The defect that its label names."""
        return DEFECT_OF_LABEL.get(self.fault.casefold())

    @property
    def above_floor(self) -> bool:
        """Whether enough harmonics of its own defect stand above the local floor."""
        return self.own is not None and self.harmonics.get(self.own, 0) >= NEEDED

    @property
    def above_others(self) -> bool:
        """Whether its own defect leads."""
        return self.own is not None and self.leading == self.own


@dataclass(frozen=True, slots=True)
class FaultCount:
    """All records of one label together."""

    fault: str
    own: str | None
    records: int
    above_floor: int
    above_others: int
    leading: Mapping[str, int]  # "" counts the records where no defect leads


def read_lines(
    historian: Historian, site: str, outcome: Outcome, machines: Mapping[str, tuple[str, str]]
) -> tuple[RecordLines, ...]:
    """The lines of this run's frames; `machines` gives record and fault of each. Raises HistorianError."""
    columns = [f"{defect}_{what}" for defect in BEARING_DEFECTS for what in ("bits", "harmonics")]
    found = []
    for machine, (record, fault) in machines.items():
        table = historian.read("feature", [*columns, "frame"], site=site, machine=machine)
        rows = [
            {name: float(table.columns[name][i]) for name in columns}  # type: ignore[arg-type]
            for i, frame in enumerate(table.columns["frame"])
            if _is_of(str(frame), outcome)
        ]
        if rows:
            found.append(_summarise(record, fault, rows))
    return tuple(found)


def count_faults(lines: Iterable[RecordLines]) -> tuple[FaultCount, ...]:
    """By label, in the order of the alphabet."""
    by_fault: dict[str, list[RecordLines]] = {}
    for line in lines:
        by_fault.setdefault(line.fault, []).append(line)
    return tuple(
        FaultCount(
            fault=fault,
            own=group[0].own,
            records=len(group),
            above_floor=sum(line.above_floor for line in group),
            above_others=sum(line.above_others for line in group),
            leading=dict(Counter(line.leading or "" for line in group)),
        )
        for fault, group in sorted(by_fault.items())
    )


def _is_of(frame: str, outcome: Outcome) -> bool:
    """Whether a frame of the historian, "edge:epoch:seq", is one that this run read."""
    edge, epoch, seq = frame.rsplit(":", 2)
    return edge == outcome.edge and epoch == outcome.epoch and outcome.first <= int(seq) <= outcome.last


def _summarise(record: str, fault: str, rows: list[dict[str, float]]) -> RecordLines:
    """Over channels and blocks: each defect, and the leading one, where it stands highest."""
    best = {defect: max(rows, key=partial(_bits, defect)) for defect in BEARING_DEFECTS}
    leads = [(row[f"{lead}_bits"], lead) for row in rows if (lead := leading_defect(row)) is not None]
    return RecordLines(
        record=record,
        fault=fault,
        bits={d: row[f"{d}_bits"] for d, row in best.items()},
        harmonics={d: _count(row[f"{d}_harmonics"]) for d, row in best.items()},
        leading=max(leads)[1] if leads else None,
    )


def _bits(defect: str, row: Mapping[str, float]) -> float:
    value = row[f"{defect}_bits"]
    return -math.inf if math.isnan(value) else value


def _count(value: float) -> int:
    return 0 if math.isnan(value) else round(value)
