"""Exercise files: TOML that a trainer writes, read strictly. Every mistake is a sentence with file and line.

title = "Session 1"

[[exercise]]
title = "Pompe bruyante"
text = "..."                     # what the pupil is told; or {fr = "...", en = "..."}
machine = "P-101"                # a machine of the sample plant
fault = "outer_ring"             # a fault or a sensor's trouble of docs/simulators.md, or "none"
point = "2"                      # of a bearing's or a sensor's fault
severity = 0.45                  # 0 to 1, at the end; a sensor's trouble has none
since_days = 9                   # how long ago it began (default 9)
seed = 11                        # default: the exercise's number
level = 2                        # 1 easy to 3 hard (default 1)
explanation = "..."              # what should have led there
hints = ["...", "..."]           # asked for one by one, each costs 5 points
[exercise.expected]              # left out: the fault itself, and what Palier judges
faults = ["outer_ring"]
points = ["2"]
severity = 3
actions = ["plan"]
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from palier.plant import Plant
from palier.strict_toml import Document, Table, did_you_mean, parse_toml, read_toml
from palier.training import ACTIONS, FAULTS, NOTHING, SENSOR, Exercise, Expected, Session, Text, Wrong

from .faults import HARMLESS, LOCAL_KINDS, FaultKind
from .impairments import ImpairmentKind
from .plans import Line, PlannedFault, PlannedImpairment, strange
from .training_times import LONGEST_DAYS, blocks_each

TROUBLES: Final = (
    ImpairmentKind.STUCK,
    ImpairmentKind.CLIPPING,
    ImpairmentKind.LOOSE_MOUNT,
    ImpairmentKind.SKI_SLOPE,
    ImpairmentKind.PICK_UP,
    ImpairmentKind.SPIKES,
    ImpairmentKind.NOISE,
)
"""Troubles of a sensor that can be seen in its blocks; one that loses blocks leaves nothing to look at."""

KINDS: Final = (NOTHING, *(kind.value for kind in FaultKind), *(kind.value for kind in TROUBLES))

ON_A_FAN: Final = (FaultKind.UNBALANCE.value, FaultKind.FAN_DEPOSIT.value)
"""Both are 1x and no more; only the drop when a deposit falls off tells which."""

SINCE_DAYS: Final = 9.0
MOST_EXERCISES: Final = 40
"""Each takes some seconds to prepare and 20 MB."""

LANGUAGES: Final = ("fr", "en", "ar")


def shipped_session(plant: Plant) -> Session:
    """The graded exercises that come with Palier."""
    text = resources.files(__package__).joinpath("scenarios", "exercises.toml").read_text("utf-8")
    return _session(parse_toml(text, "exercises.toml"), plant)


def read_exercises(file: Path, plant: Plant) -> Session:
    """The session of a trainer's file, for machines of `plant`. Its `key` and `end_ns` are not yet given.

    Raises palier.strict_toml.ConfigError (a ValueError) with all mistakes.
    """
    return _session(read_toml(file), plant)


def _session(document: Document, plant: Plant) -> Session:
    root = document.root()
    title = _text(root, "title")
    tables = root.array("exercise")
    if not tables:
        root.mistake(None, "there must be at least one [[exercise]] table")
    if len(tables) > MOST_EXERCISES:
        root.mistake("exercise", f"a session has at most {MOST_EXERCISES} exercises, got {len(tables)}")
    exercises = tuple(_exercise(table, number, plant) for number, table in enumerate(tables, 1))
    document.refuse()
    return Session("", title, 0, exercises)


def _exercise(table: Table, number: int, plant: Plant) -> Exercise:
    machine = table.name("machine")
    kind = table.choice("fault", KINDS)
    point = table.text("point", "")
    wrong = Wrong(kind, point, _severity(table, kind), _since(table))
    _fitting(table, machine, wrong, plant)
    return Exercise(
        id=f"EX-{number:02d}",
        title=_text(table, "title"),
        text=_text(table, "text"),
        level=_within(table, "level", 1, 1, 3),
        seed=table.integer("seed", number, low=0),
        model=machine,
        blocks=blocks_each(),
        truth=() if kind == NOTHING else (wrong,),
        expected=_expected(table, machine, wrong, plant),
        explanation=_text(table, "explanation"),
        hints=_hints(table),
    )


def _severity(table: Table, kind: str) -> float:
    """How bad it is at the end. What has no severity must not be given one."""
    graded = kind in tuple(FaultKind)
    if not graded:
        if "severity" in table:
            table.mistake("severity", f'a severity belongs to a fault of the machine, and "{kind}" is none')
        table.number("severity", None)
        return 0.0
    value = table.number("severity")
    if value is not None and not 0 < value <= 1:
        table.mistake("severity", f"severity must be above 0 and at most 1, got {value:g}")
    return value or 0.0


def _since(table: Table) -> float:
    value = table.number("since_days", SINCE_DAYS, above=0)
    if value is not None and value > LONGEST_DAYS:
        table.mistake(
            "since_days",
            f"since_days must be at most {LONGEST_DAYS:g}, or no healthy past is left, got {value:g}",
        )
    return value or SINCE_DAYS


def _fitting(table: Table, machine: str, wrong: Wrong, plant: Plant) -> None:
    """Notes what the machine or the fault can't have."""
    kind = wrong.kind
    if not machine or kind not in KINDS:
        return
    local = kind in tuple(LOCAL_KINDS) or kind in tuple(TROUBLES)
    if local and not wrong.point:
        table.mistake("fault", f'"{kind}" is of one point: point must say of which')
    if not local and wrong.point:
        table.mistake("point", f'"{kind}" is of the whole machine: point must be left out')
    sentence = strange(plant, planned_of(machine, wrong))
    if sentence:
        table.mistake("machine" if "no machine" in sentence else "point", sentence)


def planned_of(machine: str, wrong: Wrong) -> PlannedFault | PlannedImpairment:
    """What a scenario plans of it: a fault that grows in a straight line until hour 0, a trouble that is
    there from one moment on. "none" is a sound machine, as a fault of no severity."""
    from_h = -24 * wrong.since_days
    if wrong.kind in tuple(TROUBLES):
        return PlannedImpairment(machine, ImpairmentKind(wrong.kind), None, from_h, point=wrong.point)
    kind = FaultKind.UNBALANCE if wrong.kind == NOTHING else FaultKind(wrong.kind)
    return PlannedFault(machine, kind, Line(from_h, 0.0, wrong.severity, wrong.severity), wrong.point)


def _expected(table: Table, machine: str, wrong: Wrong, plant: Plant) -> Expected:
    inner = table.table("expected")
    spec = plant.machine(machine)
    known_as = expected_names(wrong.kind, "" if spec is None else spec.kind)
    faults = _names(inner, "faults", FAULTS) or known_as
    known = tuple(point.id for point in spec.points) if spec is not None else None
    points = _names(inner, "points", known)
    severity = _within(inner, "severity", 0, 1, 5)
    actions = _names(inner, "actions", ACTIONS)
    return Expected(faults, points or ((wrong.point,) if wrong.point else ()), severity, actions)


def expected_names(kind: str, machine_kind: str) -> tuple[str, ...]:
    """What is to be named of a kind of the simulators on a kind of machine, the truth's own name first."""
    if kind in tuple(TROUBLES):
        return (SENSOR,)
    if kind in tuple(HARMLESS) or kind not in FAULTS:
        return (NOTHING,)
    if machine_kind == "fan" and kind in ON_A_FAN:  # one look at it does not tell them apart
        return (kind, *(name for name in ON_A_FAN if name != kind))
    return (kind,)


def _within(table: Table, key: str, default: int, low: int, high: int) -> int:
    value = table.integer(key, default)
    if key in table and not low <= value <= high:
        table.mistake(key, f"{key} must be from {low} to {high}, got {value}")
    return value


def _names(table: Table, key: str, allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    """A list of words, each of which must be allowed (None: by somebody else)."""
    values = table.listed(key)
    found = tuple(value for value in values if isinstance(value, str))
    if len(found) != len(values):
        table.mistake(key, f"{key} must be a list of texts in quotes")
    for value in found:
        if allowed is not None and value not in allowed:
            listed = ", ".join(f'"{name}"' for name in allowed)
            table.mistake(key, f"{key} must be of {listed}, got {value!r}{did_you_mean(value, allowed)}")
    return found


def _text(table: Table, key: str) -> Text:
    """A text, or one in each of some languages."""
    if isinstance(table.data.get(key), dict):
        inner = table.table(key)
        found = {lang: inner.text(lang, "") for lang in LANGUAGES}
        if not any(found.values()):
            table.mistake(key, f"{key} must have a text in one of {', '.join(LANGUAGES)}")
        return {lang: text for lang, text in found.items() if text}
    return {"": table.text(key)}


def _hints(table: Table) -> tuple[Text, ...]:
    """Texts, or tables of a text in each language."""
    found: list[Text] = []
    for value in table.listed("hints"):
        if isinstance(value, str) and value.strip():
            found.append({"": value})
        elif (
            isinstance(value, dict)
            and value
            and all(lang in LANGUAGES and isinstance(text, str) for lang, text in value.items())
        ):
            found.append({str(lang): str(text) for lang, text in value.items()})
        else:
            table.mistake("hints", 'hints must be a list of texts, or of tables {fr = "...", en = "..."}')
    return tuple(found)
