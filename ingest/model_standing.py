"""Which models of the registry the ingest has, as the records keep it, and what is told of a change. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from palier.alarms import AlarmKey, Cause, Level, Mode
from palier.historian.rows import StateRow, Transition
from palier.registry import Line

from .alarm_life import Evidence

REGISTRY: Final = "#registry"
"""Key of the models that the ingest has, in the records of a site."""

EVENT: Final = "model"
"""Kind of the events of models; `machine` is the model's name."""

NONE: Final = "none"
REFUSED: Final = "refused"

ACTION: Final = "remedy.check_model"

_CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "incomplete": ("not_there_yet", "missing_file", "no_such_name", "no_such_version"),
    "unreachable": ("no_registry", "unreadable", "not_writable"),
    "damaged": ("damaged", "journal_damaged", "not_json", "broken", "tampered"),
    "unsigned": ("unsigned", "wrong_signature"),
    "not_allowed": ("pickled", "unknown_file", "strange_file", "refused_type"),
    "other_version": (
        *("schema_version", "library_missing", "library_version", "unknown_detector"),
        "feature_order",
    ),
    "wrong_answers": ("not_a_number", "wrong_answer"),
    "too_large": ("too_large",),
    "too_slow": ("too_slow", "slow"),
    "nothing_fits": ("nothing_fits",),
    "overlaps": ("overlaps",),
    "fails": ("fails",),
}
"""What an alarm says, and the keys of errors that it says so of: people need fewer words than programs."""

_CAUSE_OF: Final = {key: cause for cause, keys in _CAUSES.items() for key in keys}


@dataclass(frozen=True, slots=True)
class Taken:
    """A version that the ingest has: its number, and the fingerprint of its files."""

    version: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What of one name is in force at the ingest, and what is in shadow. It follows from a journal of so many
    `acts`, the newest of which was at `acted_ns`.
    """

    kind: str
    in_force: Taken | None = None
    shadow: Taken | None = None
    acts: int = field(default=0, compare=False)
    acted_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A model that could not be taken: its name and version ("" of the registry as a whole), a short key of
    why, and the sentence.
    """

    name: str
    version: int | None
    key: str
    sentence: str


def row_of(site: str, standings: Mapping[str, Standing]) -> StateRow:
    """As the records keep it."""
    told = {name: asdict(one) for name, one in sorted(standings.items())}
    return StateRow(site, REGISTRY, json.dumps(told, separators=(",", ":")))


def standings_of(told: Mapping[tuple[str, str], str], site: str) -> dict[str, Standing]:
    """What `row_of` wrote; nothing where a later version wrote it."""
    try:
        read = json.loads(told.get((site, REGISTRY), "{}"))
        return {
            name: Standing(
                str(one["kind"]),
                _taken(one["in_force"]),
                _taken(one["shadow"]),
                int(one.get("acts", 0)),
                int(one.get("acted_ns", 0)),
            )
            for name, one in read.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def acts_of(line: Line) -> tuple[int, int]:
    """(how many acts a journal has, when the newest was)."""
    return len(line.entries), max((entry.note.at_ns for entry in line.entries), default=0)


def cut_short(line: Line, before: Standing | None) -> str:
    """The sentence where a journal is only the beginning of the one that `before` follows from: what it does
    not say yet, or any more, takes nothing out of force. "" where it is not.
    """
    acts, acted_ns = acts_of(line)
    if before is None or acts >= before.acts or acted_ns > before.acted_ns:
        return ""
    return (
        f"the journal of {line.name} has {acts} lines, and had {before.acts}: it is being copied, or an "
        "older one was put in its place; what is in force stays. Copy journal.jsonl again from where the "
        "models are trained, or decide anew there (`palier model promote`)"
    )


def _taken(told: Mapping[str, Any] | None) -> Taken | None:
    return None if told is None else Taken(int(told["version"]), str(told["fingerprint"]))


def changed(
    place: tuple[str, str], before: Standing | None, now: Standing, ts_ns: int, told: Mapping[str, Any]
) -> tuple[Transition, ...]:
    """The events of a change at (site, name): of what is in force, and of what is in shadow."""
    site, name = place
    found = []
    for stage, was, is_now in (
        ("in force", before and before.in_force, now.in_force),
        ("shadow", before and before.shadow, now.shadow),
    ):
        if was != is_now:
            detail = {"stage": stage, "version": is_now and is_now.version, "previous": was and was.version}
            state = stage if is_now else NONE
            found.append(_event(site, name, state, ts_ns, detail | {"kind": now.kind} | dict(told)))
    return tuple(found)


def refused(site: str, trouble: Trouble, ts_ns: int) -> Transition:
    """The event of a model that could not be taken."""
    detail = {"version": trouble.version, "key": trouble.key, "sentence": trouble.sentence}
    return _event(site, trouble.name, REFUSED, ts_ns, detail)


def _event(site: str, name: str, state: str, ts_ns: int, detail: Mapping[str, Any]) -> Transition:
    version, stage = detail.get("version"), detail.get("stage", state)
    return Transition(
        event_id=f"{EVENT}:{site}/{name}:{stage}:{version}:{ts_ns}",
        site=site,
        machine=name,
        point="",
        channel="",
        ts_ns=ts_ns,
        kind=EVENT,
        state=state,
        previous=str(detail.get("previous") or ""),
        detail=json.dumps(detail, ensure_ascii=False, separators=(",", ":")),
    )


def evidence(site: str, name: str, ts_ns: int, trouble: Trouble | None) -> Evidence:
    """A model could not be taken, or can again: an alarm named by the model."""
    cause = (
        ()
        if trouble is None
        else (Cause(f"model_{_CAUSE_OF.get(trouble.key, 'refused')}", level=Level.ALERT),)
    )
    return Evidence(
        AlarmKey(site, name, "", Mode.MODEL),
        ts_ns,
        None if trouble is None else Level.ALERT,
        causes=cause,
        action="" if trouble is None else ACTION,
    )
