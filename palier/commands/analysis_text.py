"""How `palier analyze` tells its results to people: a few records in full, many as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from models.types import BEARING_DEFECTS, Bearing, State
from palier.analysis import ChannelAnalysis, RecordAnalysis
from palier.locale import Catalogue
from palier.recordings import Skipped


class Writer:
    """Writes records in one language; `in_full` is a paragraph each, otherwise a row of a table each."""

    def __init__(self, words: Catalogue, bearing: Bearing | None, *, in_full: bool) -> None:
        self._words = words
        self._bearing = bearing
        self._in_full = in_full
        self._started = False
        self._estimated = False
        self._refused: dict[str, None] = {}

    def record(self, record: RecordAnalysis) -> str:
        """The text of one record."""
        if self._in_full:
            return "\n".join(line for c in record.channels for line in self._paragraph(record, c)) + "\n"
        rows = [self._row(record, channel) for channel in record.channels]
        if not self._started:
            self._started = True
            rows.insert(0, self._header())
        for channel in record.channels:
            self._refused.update(dict.fromkeys(self._refusals(channel)))
        self._estimated |= record.speed_source == "estimated"
        return "\n".join(rows)

    def skipped(self, item: Skipped) -> str:
        """A record that is not among the results."""
        return self._words.text("cli.skipped", name=item.name, reason=item.told(self._words))

    def end(self, records: int, skipped: int, leading: Counter[tuple[str, str | None]]) -> str:
        """What holds for all records together; nothing when each was told in full."""
        lines = []
        if self._bearing is not None and self._bearing.estimated:
            lines.append(self._words.text("cli.estimated", designation=self._bearing.designation))
        if not self._in_full:
            note = self._words.text(
                "cli.lines_note",
                harmonics=self._words.text("cli.harmonics"),
                bits=self._words.text("cli.bits"),
            )
            lines += ["", self._words.text("cli.summary", records=records, skipped=skipped)]
            lines += ([note] if self._bearing else []) + list(self._refused)
            lines += [self._words.text("cli.rotation_note")] if self._estimated else []
            lines += self._counts(leading)
        return "".join(f"{line}\n" for line in lines)

    def _paragraph(self, record: RecordAnalysis, channel: ChannelAnalysis) -> list[str]:
        text, number = self._words.text, self._words.number
        feature = channel.features.get
        head = [f"{text('cli.record')} {record.record}", text("cli.channel", name=channel.channel)]
        head.append(self._rotation(record))
        seconds = number(record.n_samples / record.fs_hz, 2)
        head.append(text("cli.seconds", value=seconds, fs=number(record.fs_hz, 0)))
        head += [f"{name} {value}" for name, value in record.labels.items() if name == "fault"]
        lines = [" · ".join(head)]
        if feature("velocity_rms_mm_s") is not None:
            lines.append("  " + text("cli.velocity", value=self._velocity(channel)))
        if said := self._judged(channel):
            lines[-1] = text("cli.judged_of", what=lines[-1], judged=said)
        if feature("acceleration_rms_m_s2") is not None:
            rms, peak = (self._value(channel, f"acceleration_{name}_m_s2", 2) for name in ("rms", "peak"))
            lines.append("  " + text("cli.acceleration", rms=rms, peak=peak))
        crest, kurtosis = (self._value(channel, name, 2) for name in ("crest_factor", "kurtosis"))
        lines.append("  " + text("cli.shape", crest=crest, kurtosis=kurtosis))
        lines += [f"  {line}" for line in self._lines(channel)]
        return lines + [f"  {line}" for line in self._refusals(channel)]

    def _rotation(self, record: RecordAnalysis) -> str:
        """The speed; of an estimate, within what it lies in 95 of 100 cases (two standard deviations)."""
        text, number = self._words.text, self._words.number
        if record.rpm is None:
            return text("cli.rotation_unknown")
        value = number(record.rpm, 0)
        if record.rpm_sigma is None:
            return text("cli.rotation", value=value)
        return text("cli.rotation_estimated", value=value, aside=number(math.ceil(2 * record.rpm_sigma), 0))

    def _judged(self, channel: ChannelAnalysis) -> str:
        """What is said of the velocity; nothing where it is not judged."""
        judgement = channel.judgement
        if judgement.state is State.STOPPED:
            return self._words.text("cli.at_rest")
        if judgement.judged is None:
            return ""
        zone = self._zone(channel)
        state = self._words.text(f"state.{judgement.judged}")
        return self._words.text("cli.judged", state=state, zone=zone, limits=judgement.limits_id)

    def _zone(self, channel: ChannelAnalysis) -> str:
        """The zone, or the limit that is exceeded where a standard has no zones."""
        judgement = channel.judgement
        if judgement.zone is not None:
            return self._words.text("cli.zone", zone=judgement.zone)
        if judgement.limit_name is not None:
            return f"> {self._words.text(f'limit.{judgement.limit_name}')}"
        return self._words.text("cli.no_zone")

    def _lines(self, channel: ChannelAnalysis) -> list[str]:
        """The table of defect lines, and which of them stand highest."""
        if not channel.lines:
            return []
        text, number = self._words.text, self._words.number
        rows = [[text(f"cli.{name}") for name in ("defect", "order", "frequency", "harmonics", "bits")]]
        for line in channel.lines:
            cells = (
                number(line.order, 3),
                number(line.frequency_hz, 2),
                str(line.harmonics),
                number(line.bits, 1),
            )
            rows.append([text(f"defect.{line.defect}"), *cells])
        for gap in channel.unsearched:
            cells = (number(gap.order, 3), number(gap.frequency_hz, 2), text(f"cli.{gap.reason}"), "–")
            rows.append([text(f"defect.{gap.defect}"), *cells])
        first = channel.leading
        verdict = (
            text("cli.no_line")
            if first is None
            else text(
                "cli.leading",
                defect=text(f"defect.{first.defect}"),
                harmonics=first.harmonics,
                bits=number(first.bits, 1),
            )
        )
        return [*table(rows), verdict]

    def _refusals(self, channel: ChannelAnalysis) -> list[str]:
        return [
            self._words.text(
                key,
                reason=self._words.text(f"refusal.{refusal.reason}"),
                remedy=self._words.text(f"remedy.{refusal.remedy}"),
            )
            for key, refusals in (("cli.refused", channel.refusals), ("cli.doubted", channel.doubts))
            for refusal in refusals
        ]

    def _velocity(self, channel: ChannelAnalysis) -> str:
        """The velocity that was judged (from 2 Hz on below 600 r/min), else that of 10-1000 Hz."""
        judgement = channel.judgement
        if judgement.judged is not None and judgement.value is not None:
            return self._words.number(judgement.value, 2)
        return self._value(channel, "velocity_rms_mm_s", 2)

    def _value(self, channel: ChannelAnalysis, feature: str, digits: int) -> str:
        value = channel.features.get(feature)
        return self._words.number(float("nan") if value is None else value, digits)

    def _header(self) -> str:
        names = [self._words.text(f"cli.{name}") for name in ("record", "channel_column", "rotation_column")]
        names += [self._words.text(f"cli.{n}_column") for n in ("velocity", "zone", "crest", "kurtosis")]
        defects = [name.upper() for name in BEARING_DEFECTS] if self._bearing else []
        return _columns([*names, *defects, self._words.text("cli.leading_column")])

    def _row(self, record: RecordAnalysis, channel: ChannelAnalysis) -> str:
        number = self._words.number
        judgement = channel.judgement
        cells = [
            record.record,
            channel.channel,
            ("" if record.rpm_sigma is None else "≈")
            + number(float("nan") if record.rpm is None else record.rpm, 0),
        ]
        stopped = self._words.text("state.stopped") if judgement.state is State.STOPPED else "–"
        cells += [self._velocity(channel), judgement.zone or judgement.limit_name or stopped]
        cells += [self._value(channel, name, 1) for name in ("crest_factor", "kurtosis")]
        if self._bearing:
            found = {line.defect: f"{line.harmonics}/{number(line.bits, 1)}" for line in channel.lines}
            cells += [found.get(defect, "–") for defect in BEARING_DEFECTS]
        first = channel.leading.defect if channel.leading else None
        return _columns([*cells, self._leading(first) if channel.lines else "–"])  # nothing was searched

    def _leading(self, defect: str | None) -> str:
        return self._words.text(f"defect.{defect}" if defect else "cli.none")

    def _counts(self, leading: Counter[tuple[str, str | None]]) -> list[str]:
        """How often each defect leads, for each value of the label `fault`."""
        if not leading:
            return []
        faults = sorted({fault for fault, _ in leading})
        defects = [*BEARING_DEFECTS, None]
        rows = [["fault", *(self._leading(defect) for defect in defects)]]
        rows += [[fault, *(str(leading[fault, defect]) for defect in defects)] for fault in faults]
        return ["", self._words.text("cli.counts", label="fault"), *table(rows)]


_WIDTHS = (28, 8, 8, 10, 10, 8, 9, 9, 9, 9, 9)
"""Columns of the running table: rows are printed as they come, before the widest cell is known."""


def _columns(cells: Sequence[str]) -> str:
    padded = [
        cell.ljust(w) if i < 2 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(cells, _WIDTHS, strict=False))
    ]
    return "  ".join([*padded[: len(cells) - 1], cells[-1]])


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right, as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
