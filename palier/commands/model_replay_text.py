"""A replay and the drift of points as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from models.training.dataset import HEALTHY
from models.training.replay_courses import Became
from models.training.replay_naming import Called
from models.training.replay_report import (
    Compared,
    Fate,
    MachineReplay,
    Note,
    Rate,
    ReplayReport,
    Side,
)
from models.training.replay_truth import DAY_S, MONTH_S
from palier.locale import Catalogue

_COARSE: Final = 10.0
"""From here on one digit behind the point is enough."""

_COLUMNS: Final = (
    "machine", "side", "judged", "calls", "detections", "answered", "false", "rate", "rest", "unseen",
    "no_values",
)  # fmt: skip


def report_lines(report: ReplayReport, words: Catalogue) -> Iterator[str]:
    """Title, a table of the machines, the failures one by one, costs, and what limits all that."""
    start, end = (_time(at) for at in (report.start_s, report.end_s))
    yield words.text("model_replay.title", candidate=report.candidate, start=start, end=end)
    if report.in_force:
        yield words.text("model_replay.beside", in_force=report.in_force)
    else:
        yield words.text("model_replay.nothing_in_force")
    yield ""
    if any(machine.candidate.calls or machine.candidate.false.months for machine in report.machines):
        yield from table_lines([_headings(words), *_machine_rows(report, words)])
        yield ""
    if report.failures:
        yield words.text("model_replay.failures")
        for one in report.failures:
            yield f"  {_failure(one, report, words)}"
    else:
        yield words.text("model_replay.no_failures")
    yield from _naming(report, words)
    yield from _costs(report, words)
    yield from _notes(report, words)


def table_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()


def note_text(note: Note, machine: str, words: Catalogue) -> str:
    """A note as a sentence."""
    shown = {name: _shown(value, words) for name, value in note.params.items()}
    return words.text(f"model_replay.note_{note.key}", machine=machine, **shown)


def _notes(report: ReplayReport, words: Catalogue) -> Iterator[str]:
    """Each note once, with the machines that it is of."""
    of: dict[str, tuple[Note, list[str]]] = {}
    for machine in report.machines:
        for note in machine.notes:
            if _matters(note, report):
                of.setdefault(note_text(note, "", words), (note, []))[1].append(machine.machine)
    yield from (note_text(note, ", ".join(machines), words) for note, machines in of.values())
    yield from (words.text("model_replay.left_out", why=why) for why in report.left_out)


def _matters(note: Note, report: ReplayReport) -> bool:
    """That there was no failure anywhere is said once."""
    return note.key != "no_failures" or bool(report.failures)


def _headings(words: Catalogue) -> list[str]:
    return [words.text(f"model_replay.column_{name}") for name in _COLUMNS]


def _machine_rows(report: ReplayReport, words: Catalogue) -> Iterator[list[str]]:
    for machine in report.machines:
        for name, side in (("candidate", machine.candidate), ("in_force", machine.in_force)):
            if side is not None:
                yield _row(machine.machine, name, [side], words)
    if len(report.machines) > 1:
        for name in ("candidate", "in_force"):
            sides = [getattr(machine, name) for machine in report.machines]
            if known := [side for side in sides if side is not None]:
                yield _row(words.text("model_replay.all"), name, known, words)


def _row(machine: str, name: str, sides: Sequence[Side], words: Catalogue) -> list[str]:
    rate = Rate(sum(s.false.count for s in sides), sum(s.false.months for s in sides))
    counts = {fate: sum(side.count(fate) for side in sides) for fate in Fate}
    became = [sum(side.became[code] for side in sides) for code in Became]
    return [
        machine,
        words.text(f"model_replay.side_{name}"),
        words.number(rate.months * MONTH_S / DAY_S, 1),
        str(sum(len(side.calls) for side in sides)),
        str(counts[Fate.DETECTION]),
        str(counts[Fate.ANSWERED]),
        str(counts[Fate.FALSE]),
        _rate(rate, words),
        *(words.number(became[code], 0) for code in (Became.AT_REST, Became.UNSEEN, Became.NO_VALUES)),
    ]


def _rate(rate: Rate, words: Catalogue) -> str:
    low, high = rate.interval
    told = {"rate": rate.per_month, "low": low, "high": high}
    return words.text("model_replay.rate", **{name: words.number(v, 2) for name, v in told.items()})


def _failure(one: Compared, report: ReplayReport, words: Catalogue) -> str:
    failure, hours = one.failure, one.hours_earlier
    seen = one.candidate_s if one.candidate_s is not None else one.in_force_s
    told = {"hours": "" if hours is None else words.number(abs(hours), 1)}
    told["answer"] = _answer(one, report, words)
    told["ahead"] = "" if seen is None else words.number((failure.known.end_s - seen) / 3600, 1)
    return words.text(
        "model_replay.failure",
        time=_time(failure.known.end_s),
        machine=failure.machine,
        points="+".join(failure.points),
        fault=words.text(f"fault.{failure.fault}"),
        verdict=words.text(f"model_replay.verdict_{one.verdict}", **told),
    )


def _answer(one: Compared, report: ReplayReport, words: Catalogue) -> str:
    """What a classifier called a failure."""
    named = [
        found
        for machine in report.machines
        if machine.machine == one.failure.machine and machine.candidate.naming
        for found in machine.candidate.naming.failures
        if (found.fault, found.end_s) == (one.failure.fault, one.failure.known.end_s)
    ]
    answer = named[0].answer if named else ""
    if answer in ("", HEALTHY):
        return words.text(f"model_replay.called_{answer or 'refused'}")
    return words.text(f"fault.{answer}")


def _naming(report: ReplayReport, words: Catalogue) -> Iterator[str]:
    for name in ("candidate", "in_force"):
        found = [_naming_of(machine, name) for machine in report.machines]
        known = [one for one in found if one is not None]
        if not known:
            continue
        counts = {called: sum(one.count(called) for one in known) for called in Called}
        yield words.text(
            "model_replay.naming",
            side=words.text(f"model_replay.side_{name}"),
            right=counts[Called.RIGHT],
            wrong=counts[Called.WRONG],
            unidentified=counts[Called.UNIDENTIFIED],
            healthy=counts[Called.HEALTHY],
            false=words.number(sum(one.false_names for one in known), 0),
            blocks=words.number(sum(one.healthy for one in known), 0),
            refused=words.number(sum(one.refused for one in known), 0),
        )


def _naming_of(machine: MachineReplay, name: str) -> Any:
    side = getattr(machine, name)
    return None if side is None else side.naming


def _costs(report: ReplayReport, words: Catalogue) -> Iterator[str]:
    if report.prices is None or report.cost() is None:
        return
    for name, cost in (("candidate", report.cost()), ("in_force", report.cost(in_force=True))):
        if cost is not None and (name == "candidate" or report.in_force):
            yield words.text(
                "model_replay.cost",
                side=words.text(f"model_replay.side_{name}"),
                total=words.number(cost.total, 0),
                false=cost.false_calls,
                untimely=cost.untimely,
            )
    yield words.text("model_replay.assumption", lead=words.number(report.prices.lead_h, 0))


def drift_rows(rows: Sequence[Mapping[str, Any]], words: Catalogue) -> Iterator[str]:
    """The newest look at each point as a table, then the reasons of each advice and refusal."""
    names = ("machine", "point", "day", "age", "psi", "moved", "outside", "in_alarm", "advice")
    headings = [words.text(f"model_drift.column_{name}") for name in names]
    yield from table_lines([headings, *(_drift_row(row, words) for row in rows)])
    for row in rows:
        yield from (f"{row['machine']}/{row['point']}: {text}" for text in _reasons(row, words))
    if any(row["advice"] == "retrain" for row in rows):
        yield words.text("model_drift.check_first")


def _drift_row(row: Mapping[str, Any], words: Catalogue) -> list[str]:
    return [
        row["machine"],
        row["point"],
        f"{datetime.fromtimestamp(row['ts_ns'] / 1e9, UTC):%Y-%m-%d}",
        words.number(row["age_days"], 0),
        words.number(row["psi"], 2),
        words.number(row["moved"], 0),
        f"{words.number(100 * row['outside'], 0)} %",
        words.number(row["in_alarm"], 0),
        words.text(f"model_drift.advice_{row['advice']}"),
    ]


def _reasons(row: Mapping[str, Any], words: Catalogue) -> Iterator[str]:
    for reason in row["reasons"]:
        params = {name: _shown(value, words) for name, value in reason["params"].items()}
        if "share" in reason["params"]:
            params["share"] = words.number(100 * reason["params"]["share"], 0)
        yield words.text(f"model_drift.{reason['key']}", **params)
    if row["reason"]:
        why, way_out = words.text(f"refusal.{row['reason']}"), words.text(f"remedy.{row['remedy']}")
        yield f"{why}{words.semicolon}{way_out}"


def _shown(value: object, words: Catalogue) -> str:
    if isinstance(value, float):
        return words.number(value, 0 if value.is_integer() else 1 if abs(value) >= _COARSE else 2)
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)


def _time(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"
