"""How `palier analyze` tells many records to people: a row a channel, and what was counted at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from models.diagnosis.bearings import BearingFinding
from models.diagnosis.types import BEARING_FAULTS, Fault
from models.types import BEARING_DEFECTS, Refusal, State
from palier.analysis import ChannelAnalysis, RecordAnalysis
from palier.locale import Catalogue

OPEN: Final = "none"
REFUSED: Final = "refused"
"""What stands where no fault is named: nothing was likely enough, or nothing could be judged."""

_WIDTHS: Final = (28, 8, 8, 10, 10, 8, 9, 9, 9, 9, 9, 20)
"""Columns of the running table: rows are printed as they come, before the widest cell is known."""


class Rows:
    """Writes rows in one language; `of_bearing` adds the columns of a bearing that was told."""

    def __init__(self, words: Catalogue, *, of_bearing: bool) -> None:
        self._words = words
        self._of_bearing = of_bearing

    def header(self) -> str:
        """The names of the columns."""
        names = [self._words.text(f"cli.{name}") for name in ("record", "channel_column", "rotation_column")]
        names += [self._words.text(f"cli.{n}_column") for n in ("velocity", "zone", "crest", "kurtosis")]
        defects = [*map(str.upper, BEARING_DEFECTS)] if self._of_bearing else []
        last = ["leading", "diagnosis"] if self._of_bearing else ["diagnosis"]
        return _columns([*names, *defects, *(self._words.text(f"cli.{name}_column") for name in last)])

    def row(self, record: RecordAnalysis, channel: ChannelAnalysis) -> str:
        """One channel of a record."""
        number = self._words.number
        judgement = channel.judgement
        rpm = number(float("nan") if record.rpm is None else record.rpm, 0)
        stopped = self._words.text("state.stopped") if judgement.state is State.STOPPED else "–"
        cells = [
            record.record,
            channel.channel,
            rpm if record.rpm_sigma is None else f"≈{rpm}",
            velocity(channel, self._words),
            judgement.zone or judgement.limit_name or stopped,
            *(level(channel, name, 1, self._words) for name in ("crest_factor", "kurtosis")),
        ]
        if self._of_bearing:
            found = {line.defect: f"{line.harmonics}/{number(line.bits, 1)}" for line in channel.lines}
            cells += [found.get(defect, "–") for defect in BEARING_DEFECTS]
            first = channel.leading.defect if channel.leading else None
            cells.append(self._leading(first) if channel.lines else "–")  # nothing was searched
        return _columns([*cells, self._verdict(record, channel)])

    def _verdict(self, record: RecordAnalysis, channel: ChannelAnalysis) -> str:
        """What is named: of the bearing at each channel, else of the record at the channel worst off."""
        found = channel.bearing
        if channel.judgement.state is State.STOPPED:
            return "–"
        if isinstance(found, BearingFinding) and found.fault is not None:
            return self._sure(found.fault, found.confidence)
        others = [one for one in record.diagnosis if one.fault not in BEARING_FAULTS]
        if others and channel is record.worst:
            return self._sure(others[0].fault, others[0].confidence)
        return self._named(OPEN if isinstance(found, BearingFinding) else said_of(record, bearing=False))

    def _sure(self, fault: Fault, confidence: float) -> str:
        if fault is Fault.UNIDENTIFIED:
            return self._named(fault)
        sure = self._words.quantity(round(100 * confidence), "%")
        return f"{self._named(fault)} {sure}"

    def _named(self, said: str) -> str:
        """A fault, or what stands where none is named."""
        return self._words.text(f"cli.diagnosis_{said}" if said in (OPEN, REFUSED) else f"fault.{said}")

    def _leading(self, defect: str | None) -> str:
        return self._words.text(f"defect.{defect}" if defect else "cli.none")

    def counts(self, leading: Counter[tuple[str, str | None]]) -> list[str]:
        """How often each defect leads, for each value of the label `fault`."""
        if not leading:
            return []
        faults = sorted({fault for fault, _ in leading})
        defects = [*BEARING_DEFECTS, None]
        rows = [["fault", *(self._leading(defect) for defect in defects)]]
        rows += [[fault, *(str(leading[fault, defect]) for defect in defects)] for fault in faults]
        return ["", self._words.text("cli.counts", label="fault"), *table(rows)]

    def confusion(self, named: Counter[tuple[str, str]]) -> list[str]:
        """How often each fault is named, for each value of the label `fault`."""
        if not named:
            return []
        labels = sorted({label for label, _ in named})
        said = [fault for fault in (*Fault, OPEN, REFUSED) if any(named[v, fault] for v in labels)]
        rows = [["fault", *(self._named(fault) for fault in said)]]
        rows += [[label, *(str(named[label, fault]) for fault in said)] for label in labels]
        return ["", self._words.text("cli.confusion", label="fault"), *table(rows)]


def said_of(record: RecordAnalysis, *, bearing: bool = True) -> str:
    """What is named of a record in a word: a fault's key, or why there is none.

    Without `bearing`, as if nobody had asked for it.
    """
    if record.diagnosis and bearing:
        return record.diagnosis[0].fault
    judged = bearing and record.bearing is not None and not isinstance(record.bearing, Refusal)
    return OPEN if judged or record.shaft_judged else REFUSED


def velocity(channel: ChannelAnalysis, words: Catalogue) -> str:
    """The velocity that was judged (from 2 Hz on below 600 r/min), else that of 10-1000 Hz."""
    judgement = channel.judgement
    if judgement.judged is not None and judgement.value is not None:
        return words.number(judgement.value, 2)
    return level(channel, "velocity_rms_mm_s", 2, words)


def level(channel: ChannelAnalysis, feature: str, digits: int, words: Catalogue) -> str:
    """A feature of a channel, a dash where it is not known."""
    value = channel.features.get(feature)
    return words.number(float("nan") if value is None else value, digits)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right, as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _columns(cells: Sequence[str]) -> str:
    padded = [
        cell.ljust(w) if i < 2 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(cells, _WIDTHS, strict=False))
    ]
    return "  ".join([*padded[: len(cells) - 1], cells[-1]])
