"""How `palier analyze` tells its results to people: a few records in full, many as a table."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Final

from models.advice import Advice
from models.advice.advise import LEADS, UNTOLD
from models.diagnosis.bearings import BearingFinding
from models.diagnosis.types import Diagnosis, Fault
from models.types import Bearing, Refusal, State
from palier.advice_text import advice_text, evidence_text, fault_text
from palier.analysis import ChannelAnalysis, RecordAnalysis
from palier.locale import Catalogue
from palier.recordings import Skipped

from .analysis_rows import Rows, level, said_of, table, velocity

MISSING: Final = ("unit_unknown", "speed_unknown", "bearing_unknown", "limits_not_given")
"""What an option would give: the first is told in full, the others by their names."""

MOST_EVIDENCE: Final = 5

NEAR: Final = 0.1
"""Confidence below which the nearest part of a bearing is not told: it would worry for nothing."""


class Writer:
    """Writes records in one language; `in_full` is a paragraph each, otherwise a row of a table each."""

    def __init__(self, words: Catalogue, bearing: Bearing | None, *, in_full: bool) -> None:
        self._words = words
        self._bearing = bearing
        self._in_full = in_full
        self._rows = Rows(words, of_bearing=bearing is not None)
        self._started = False
        self._estimated = False
        self._refused: dict[str, None] = {}

    def record(self, record: RecordAnalysis) -> str:
        """The text of one record."""
        if self._in_full:
            return "\n".join(self._paragraph(record)) + "\n"
        rows = [self._rows.row(record, channel) for channel in record.channels]
        if not self._started:
            self._started = True
            rows.insert(0, self._rows.header())
        self._refused.update(dict.fromkeys(self._not_judged(record)))
        self._estimated |= record.rpm_sigma is not None
        return "\n".join(rows)

    def skipped(self, item: Skipped) -> str:
        """A record that is not among the results."""
        return self._words.text("cli.skipped", name=item.name, reason=item.told(self._words))

    def said(self, record: RecordAnalysis) -> str:
        """What is named of a record in a word: a fault's key, or why there is none."""
        return said_of(record)

    def end(
        self,
        records: int,
        skipped: int,
        leading: Counter[tuple[str, str | None]],
        named: Counter[tuple[str, str]] | None = None,
    ) -> str:
        """What holds for all records together; nothing when each was told in full.

        `leading` and `named` count, by the label `fault` of the records, which defect leads, what is named.
        """
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
            lines += self._rows.counts(leading) if self._bearing else []
            lines += self._rows.confusion(named or Counter())
        return "".join(f"{line}\n" for line in lines)

    def _paragraph(self, record: RecordAnalysis) -> list[str]:
        """What a technician asks, in that order: signal, levels, state, what is wrong, what is not judged."""
        levels = [line for channel in record.channels for line in self._levels(channel)]
        lines = [line for channel in record.channels for line in self._lines(record, channel)]
        told = [*levels, self._state(record), *self._diagnoses(record), *self._not_judged(record), *lines]
        return [self._head(record), *(f"  {line}" for line in told)]

    def _head(self, record: RecordAnalysis) -> str:
        text, number = self._words.text, self._words.number
        seconds = number(record.n_samples / record.fs_hz, 2)
        head = [f"{text('cli.record')} {record.record}", self._rotation(record)]
        head.append(text("cli.seconds", value=seconds, fs=number(record.fs_hz, 0)))
        head += [f"{name} {value}" for name, value in record.labels.items() if name == "fault"]
        return " · ".join(head)

    def _rotation(self, record: RecordAnalysis) -> str:
        """The speed; one that is not exact with two standard deviations, 95 of 100 cases."""
        text, number = self._words.text, self._words.number
        if record.rpm is None:
            return text("cli.rotation_unknown")
        value = number(record.rpm, 0)
        if record.rpm_sigma is None:
            return text("cli.rotation", value=value)
        key = "cli.rotation_estimated" if record.speed_source == "estimated" else "cli.rotation_about"
        return text(key, value=value, aside=number(math.ceil(2 * record.rpm_sigma - 1e-9), 0))

    def _levels(self, channel: ChannelAnalysis) -> list[str]:
        """The signal of a channel and its levels."""
        text, words = self._words.text, self._words
        crest, kurtosis = (level(channel, name, 2, words) for name in ("crest_factor", "kurtosis"))
        shape = text("cli.shape", crest=crest, kurtosis=kurtosis)
        name = text("cli.channel", name=channel.channel)
        lines = [f"{name} · {text(f'cli.quality_{channel.quality}')} · {shape}"]
        if channel.features.get("velocity_rms_mm_s") is not None:
            lines.append("  " + text("cli.velocity", value=velocity(channel, words)))
            if said := self._judged(channel):
                lines[-1] = text("cli.judged_of", what=lines[-1], judged=said)
        elif said := self._judged(channel):
            lines.append(f"  {said}")
        if channel.features.get("acceleration_rms_m_s2") is not None:
            rms, peak = (level(channel, f"acceleration_{name}_m_s2", 2, words) for name in ("rms", "peak"))
            lines.append("  " + text("cli.acceleration", rms=rms, peak=peak))
        return lines

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

    def _state(self, record: RecordAnalysis) -> str:
        """The state of the record. Without limits it is not judged: one record learns nothing."""
        text, state = self._words.text, record.judgement.state
        said = text("cli.state_open") if state is State.LEARNING else text(f"state.{state}")
        return text("cli.state", state=said)

    def _diagnoses(self, record: RecordAnalysis) -> list[str]:
        """What is named, each with evidence and advice; else what comes nearest, or that nothing shows."""
        text = self._words.text
        several = len(record.diagnosis) > 1
        said = []
        for place, (found, advice) in enumerate(zip(record.diagnosis, record.advice, strict=True), start=1):
            said += self._diagnosis(found, advice, f"{place}. " if several else "")
        if isinstance(record.bearing, BearingFinding) and record.bearing.fault is None:
            said.append(self._open(record, record.bearing))
        elif record.shaft_judged and not record.diagnosis:
            said.append(text("cli.diagnosis_no_shaft"))
        return said

    def _open(self, record: RecordAnalysis, finding: BearingFinding) -> str:
        """That no part of the bearing is named, and which comes nearest if any comes near."""
        if finding.confidence >= NEAR:
            sure = self._words.number(100 * finding.confidence, 0)
            fault = fault_text(finding.leading, self._words)
            return self._words.text("cli.diagnosis_open", fault=fault, confidence=sure)
        nothing = record.shaft_judged and not record.diagnosis
        return self._words.text("cli.diagnosis_nothing" if nothing else "cli.diagnosis_no_bearing")

    def _diagnosis(self, found: Diagnosis, advice: Advice, place: str) -> list[str]:
        text, number = self._words.text, self._words.number
        key = "cli.diagnosis_unidentified" if found.fault is Fault.UNIDENTIFIED else "cli.diagnosis"
        fault = fault_text(found.fault, self._words)
        said = text(key, fault=f"{place}{fault}", confidence=number(100 * found.confidence, 0))
        said = text("cli.diagnosis_severity", diagnosis=said, severity=found.severity)
        if found.not_separated:
            others = self._words.text("cli.comma").join(
                fault_text(f, self._words) for f in found.not_separated
            )
            key = (
                "cli.diagnosis_may_be" if found.fault is Fault.UNIDENTIFIED else "cli.diagnosis_not_separated"
            )
            said = text(key, diagnosis=said, others=others)
        proof = dict.fromkeys(f"  {mark} {sentence}" for mark, sentence in self._proof(found))
        advised = replace(advice, machine="", blocks=0)  # it stands under its record, which is one block
        return [
            said,
            *list(proof)[:MOST_EVIDENCE],
            "  " + text("cli.advice", advice=advice_text(advised, self._words)),
        ]

    def _proof(self, found: Diagnosis) -> list[tuple[str, str]]:
        """What speaks for a diagnosis and against it, leads first; one number may be evidence twice."""
        told = [item for item in found.evidence if item.met > 0 and item.key not in UNTOLD]
        ranked = sorted(told, key=lambda item: item.key not in LEADS)  # sorts stably
        return [("−" if item.weight < 0 else "+", evidence_text(item, self._words)) for item in ranked]

    def _not_judged(self, record: RecordAnalysis) -> list[str]:
        """Why something is not judged: one line for all that an option would give, one for anything else."""
        missing = [r for reason in MISSING for r in record.refusals if r.reason == reason]
        lines = []
        if missing:
            lines.append(self._told("cli.refused", missing[0]))
        if len(missing) > 1:
            names = self._words.text("cli.comma").join(
                self._words.text(f"cli.missing_{r.reason}") for r in missing[1:]
            )
            lines[0] += " " + self._words.text("cli.missing", names=names)
        rest = [("cli.refused", r) for r in record.refusals if r not in missing]
        rest += [("cli.doubted", doubt) for doubt in record.doubts]
        return lines + [self._of_channels(record, key, told) for key, told in rest]

    def _of_channels(self, record: RecordAnalysis, key: str, told: Refusal) -> str:
        """A refusal or doubt, with the channels that it is about unless it is about all."""
        about = [c.channel for c in record.channels if told in (*c.refusals, *c.doubts)]
        line = self._told(key, told)
        if len(about) == len(record.channels):
            return line
        return f"{line} ({', '.join(self._words.text('cli.channel', name=name) for name in about)})"

    def _told(self, key: str, told: Refusal) -> str:
        return self._words.text(
            key,
            reason=self._words.text(f"refusal.{told.reason}"),
            remedy=self._words.text(f"remedy.{told.remedy}"),
        )

    def _lines(self, record: RecordAnalysis, channel: ChannelAnalysis) -> list[str]:
        """The table of defect lines, and which of them stand highest."""
        if not channel.lines:
            return []
        text, number = self._words.text, self._words.number
        several = len(record.channels) > 1
        if several and channel.leading is None and not channel.unsearched:
            return [f"{text('cli.channel', name=channel.channel)} · {self._highest(channel)}"]
        rows = [[text(f"cli.{name}") for name in ("defect", "order", "frequency", "harmonics", "bits")]]
        if several:
            rows[0][0] = f"{rows[0][0]}, {text('cli.channel', name=channel.channel)}"
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
        return [*table(rows), self._highest(channel)]

    def _highest(self, channel: ChannelAnalysis) -> str:
        first = channel.leading
        if first is None:
            return self._words.text("cli.no_line")
        return self._words.text(
            "cli.leading",
            defect=self._words.text(f"defect.{first.defect}"),
            harmonics=first.harmonics,
            bits=self._words.number(first.bits, 1),
        )
