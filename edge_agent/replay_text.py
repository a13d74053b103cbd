"""How `palier replay` tells what it did: to people in their language, to programs as one JSON object."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict

from models.types import BEARING_DEFECTS
from palier.commands.analysis_rows import table
from palier.locale import Catalogue

from .replay_job import Result
from .replay_summary import RecordLines, count_faults


def as_json(result: Result) -> str:
    """One object; what is not known is null."""
    outcome = result.outcome
    return json.dumps(
        {
            **asdict(outcome),
            "frames": outcome.frames,
            "complete": outcome.complete,
            "folder": str(result.folder),
            "ledger": None if result.ledger is None else asdict(result.ledger),
            "faults": [asdict(count) for count in count_faults(result.lines)],
            "records": [_record(line) for line in result.lines],
        },
        ensure_ascii=False,
    )


def as_text(result: Result, words: Catalogue) -> str:
    """A paragraph on the frames, the ledger's line, and the defect lines by label."""
    return "\n".join([*_frames(result, words), *_ledger(result, words), *_faults(result, words)])


def _record(line: RecordLines) -> dict[str, object]:
    bits = {defect: None if math.isnan(value) else value for defect, value in line.bits.items()}
    return {**asdict(line), "bits": bits, "above_floor": line.above_floor, "above_others": line.above_others}


def _frames(result: Result, words: Catalogue) -> Iterator[str]:
    outcome = result.outcome
    yield words.text(
        "replay.sent",
        frames=outcome.frames,
        stored=outcome.frames - max(0, outcome.left - outcome.earlier),
        again=outcome.sent_again,
        seconds=words.number(outcome.seconds, 1),
    )
    if outcome.earlier:
        yield words.text("replay.earlier", frames=outcome.earlier)
    if outcome.left:
        yield words.text("replay.left", frames=outcome.left, detail=outcome.detail)
    if outcome.failed:
        yield words.text("replay.failed")
    if outcome.refused or outcome.dropped:
        yield words.text("replay.refused", refused=outcome.refused, dropped=outcome.dropped)


def _ledger(result: Result, words: Catalogue) -> Iterator[str]:
    if not result.embedded:
        return
    line = result.ledger
    if line is None:
        yield words.text("cli.ledger_never", edge=result.outcome.edge, epoch=result.outcome.epoch)
        return
    yield words.text("cli.ledger_line", **asdict(line))
    if line.adds_up:
        yield words.text("cli.ledger_adds_up")
    else:
        yield words.text("cli.ledger_wrong", missing=line.missing, twice=line.twice)
    yield words.text("replay.data", folder=result.folder / "data")


def _faults(result: Result, words: Catalogue) -> Iterator[str]:
    """By label: how many records show the lines of their own defect, and which defect leads."""
    counts = count_faults(result.lines)
    if not any(math.isfinite(bits) for line in result.lines for bits in line.bits.values()):
        return
    names = ("records", "own", "above_floor", "above_others")
    head = ["fault", *(words.text(f"replay.{name}") for name in names)]
    rows = [[*head, *(defect.upper() for defect in BEARING_DEFECTS), words.text("cli.none")]]
    for count in counts:
        own = "–" if count.own is None else words.text(f"defect.{count.own}")
        shown = (count.above_floor, count.above_others) if count.own else ("–", "–")
        leading = [count.leading.get(defect, 0) for defect in (*BEARING_DEFECTS, "")]
        rows.append([str(cell) for cell in (count.fault or "–", count.records, own, *shown, *leading)])
    yield ""
    yield words.text("replay.lines")
    yield from table(rows)
