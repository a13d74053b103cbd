"""The journal of a model's versions: who did what to which, when and why. Pure.

A line of the registry is a name ("baselines", "faults-pump") with versions 1, 2, 3 ... Its journal has one
line of JSON an act and is only ever appended to: in which stage each version is follows from it, so that an
act, which may move two versions at once, is done wholly or not at all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from models.bundle_checks import each_once

_HASH: Final = re.compile(r"([0-9a-f]{64})?")
_MOST: Final = 10**9
"""Versions: one a minute for two thousand years."""


class RegistryError(Exception):
    """What can't be read or done: the sentence says why, and what to do. `key` is a short word for it.

    A locale may say it too, as `registry.<text>` (by default `registry.<key>`) with `params`.
    """

    def __init__(self, key: str, sentence: str, *, text: str = "", **params: object) -> None:
        super().__init__(sentence)
        self.key = key
        self.text = text or key
        self.params: Mapping[str, object] = params


class Stage(StrEnum):
    """How far a version has come. Of each name at most one is in force, and at most one in shadow."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    IN_FORCE = "in force"
    RETIRED = "retired"


class Act(StrEnum):
    """What was done."""

    TRAINED = "trained"
    REPLAYED = "replayed"
    PROMOTED = "promoted"
    SHADOWED = "shadowed"
    RETIRED = "retired"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class Note:
    """Who did something, why, and when (ns since 1970 UTC)."""

    who: str
    why: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `version` is what it was done to (None: a rollback to nothing), `start` and `end` its stages,
    `before` the version that was in force, `report` the fingerprint of the replay report that it rests on,
    `forced` whether it rests on none. Of a version that was trained: `kind`, the version that was in force
    then (`parent`), and the SHA-256 of each file.
    """

    act: Act
    version: int | None
    note: Note
    start: Stage | None = None
    end: Stage | None = None
    before: int | None = None
    report: str = ""
    forced: bool = False
    kind: str = ""
    parent: int | None = None
    sha256: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def told(self) -> dict[str, Any]:
        """For JSON; what is empty is left out."""
        told = {
            "act": self.act.value,
            "version": self.version,
            "at_ns": self.note.at_ns,
            "who": self.note.who,
            "why": self.note.why,
            "from": self.start,
            "to": self.end,
            "before": self.before,
            "report": self.report,
            "forced": self.forced,
            "kind": self.kind,
            "parent": self.parent,
            "sha256": dict(self.sha256),
        }
        always = ("act", "at_ns", "who", "why")
        return {name: value for name, value in told.items() if name in always or value}


@dataclass(frozen=True, slots=True)
class Version:
    """One trained model: when, by whom and why it was made, from which (`parent`), the hash of each of its
    files, and its newest replay report ("" without one).
    """

    name: str
    version: int
    kind: str
    stage: Stage
    created: Note
    parent: int | None
    sha256: Mapping[str, str]
    report: str = ""

    @property
    def spec(self) -> str:
        """How people name it: "baselines:5"."""
        return f"{self.name}:{self.version}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its files' names and hashes: what a replay report is bound to."""
        return fingerprint_of(self.sha256)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "kind": self.kind,
            "stage": self.stage.value,
            "created_ns": self.created.at_ns,
            "by": self.created.who,
            "why": self.created.why,
            "parent": self.parent,
            "fingerprint": self.fingerprint,
            "signed": SIGNATURE in self.sha256,
            "report": self.report,
        }


def fingerprint_of(sha256: Mapping[str, str]) -> str:
    """SHA-256 over the names and hashes of files."""
    listed = "".join(f"{digest}  {file}\n" for file, digest in sorted(sha256.items()))
    return hashlib.sha256(listed.encode()).hexdigest()


MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
FILES: Final = (MANIFEST, "arrays.npz", "model.skops", SIGNATURE)
"""All that a version may be made of; nothing else is ever read."""


@dataclass(frozen=True, slots=True)
class Line:
    """A name with its versions, oldest first, and its journal. `problems` tell what is not as it
    should be: versions that are not there, or not whole.
    """

    name: str
    versions: tuple[Version, ...]
    entries: tuple[Entry, ...]
    problems: tuple[RegistryError, ...] = ()

    @property
    def in_force(self) -> Version | None:
        """The version in force."""
        return self._staged(Stage.IN_FORCE)

    @property
    def shadow(self) -> Version | None:
        """The version that scores beside it."""
        return self._staged(Stage.SHADOW)

    @property
    def newest(self) -> Version | None:
        """The version made last."""
        return self.versions[-1] if self.versions else None

    @property
    def changed(self) -> Entry | None:
        """The last act that changed what is in force."""
        acts = (Act.PROMOTED, Act.ROLLED_BACK, Act.RETIRED)
        found = [e for e in self.entries if e.act in acts and (e.end is Stage.IN_FORCE or e.before)]
        return found[-1] if found else None

    @property
    def last_retired(self) -> int | None:
        """The version that was taken out of use last, of those that are retired."""
        retired = {one.version for one in self.versions if one.stage is Stage.RETIRED}
        left = (e.version if e.act is Act.RETIRED else e.before for e in reversed(self.entries))
        return next((number for number in left if number in retired), None)

    def version(self, number: int) -> Version:
        """The version of that number. Raises RegistryError."""
        for one in self.versions:
            if one.version == number:
                return one
        known = ", ".join(str(one.version) for one in self.versions) or "none"
        raise RegistryError(
            "no_such_version",
            f"{self.name} has no version {number}; it has {known}",
            name=self.name,
            version=number,
            known=known,
        )

    def former(self) -> int | None:
        """What a rollback puts in force: what was before the version in force, None for nothing."""
        stack: list[int | None] = []
        for entry in self.entries:
            if entry.act is Act.ROLLED_BACK:
                stack = _unwound(stack, entry.version)
            elif entry.act is Act.PROMOTED:
                stack.append(entry.version)
            elif entry.act is Act.RETIRED and entry.start is Stage.IN_FORCE:
                stack.append(None)
        return stack[-2] if len(stack) > 1 else None

    def was_in_force(self, number: int) -> bool:
        """Whether a version ever was in force."""
        return any(entry.act is Act.PROMOTED and entry.version == number for entry in self.entries)

    def _staged(self, stage: Stage) -> Version | None:
        return next((one for one in self.versions if one.stage is stage), None)


def _unwound(stack: list[int | None], version: int | None) -> list[int | None]:
    """What was in force, oldest first, after a rollback to a version."""
    below = stack[:-1]
    while below and below[-1] != version:
        below.pop()
    return below or [version]


def parse(name: str, text: str) -> tuple[Entry, ...]:
    """The entries of a journal. A last line without its end is still being written, and not there yet.

    Raises RegistryError for a line that is damaged or out of its place.
    """
    lines = text.split("\n")[:-1]
    return tuple(_entry(name, number, line) for number, line in enumerate(lines, start=1))


def line_of(number: int, entry: Entry) -> str:
    """An entry as the journal keeps it; `number` counts from 1."""
    return json.dumps({"n": number, **entry.told()}, ensure_ascii=False, separators=(",", ":")) + "\n"


def _entry(name: str, number: int, text: str) -> Entry:
    try:
        told = json.loads(text, object_pairs_hook=each_once)
        if told["n"] != number:
            raise ValueError(f"it says that it is line {told['n']}")
        return Entry(
            Act(told["act"]),
            _number(told, "version"),
            Note(str(told["who"]), str(told["why"]), _time(told)),
            _stage(told.get("from")),
            _stage(told.get("to")),
            _number(told, "before"),
            _hash(told.get("report", "")),
            told.get("forced") is True,
            str(told.get("kind", "")),
            _number(told, "parent"),
            {str(file): _hash(digest) for file, digest in told.get("sha256", {}).items()},
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise RegistryError(
            "journal_damaged",
            f"line {number} of the journal of {name} can't be read ({error}): it is damaged, or two "
            "registries were mixed; copy journal.jsonl again from where the models are trained",
            name=name,
            line=number,
        ) from error


def _number(told: Mapping[str, Any], what: str) -> int | None:
    """A number of a version: it becomes the name of a folder, and is nothing else than a number."""
    value = told.get(what)
    if value is not None and (type(value) is not int or not 0 < value <= _MOST):
        raise ValueError(f"{what} must be a number from 1 on, got {str(value)[:40]!r}")
    return value


def _time(told: Mapping[str, Any]) -> int:
    at_ns = told["at_ns"]
    if type(at_ns) is not int or not 0 <= at_ns < 2**63:
        raise ValueError(f"at_ns must be ns since 1970, got {str(at_ns)[:40]!r}")
    return at_ns


def _hash(text: Any) -> str:
    if not isinstance(text, str) or not _HASH.fullmatch(text):
        raise ValueError(f"a SHA-256 must be 64 digits in hex, got {str(text)[:40]!r}")
    return text


def _stage(text: str | None) -> Stage | None:
    return None if text is None else Stage(text)


def versions_of(name: str, entries: Sequence[Entry]) -> tuple[Version, ...]:
    """Every version in the stage that the acts so far have brought it to."""
    found: dict[int, Version] = {}
    for entry in entries:
        if entry.act is Act.TRAINED and entry.version is not None:
            found[entry.version] = Version(
                name, entry.version, entry.kind, Stage.CANDIDATE, entry.note, entry.parent, entry.sha256
            )
            continue
        if entry.version is not None and entry.version not in found:
            raise RegistryError(
                "journal_damaged",
                f"the journal of {name} speaks of version {entry.version}, which it never added: copy "
                "journal.jsonl again from where the models are trained",
            )
        found = _after(found, entry)
    return tuple(found[number] for number in sorted(found))


def _after(versions: Mapping[int, Version], entry: Entry) -> dict[int, Version]:
    """The versions after one act: who is put in force or in shadow takes the place of who was."""
    found = dict(versions)
    leaves = {Stage.IN_FORCE: Stage.RETIRED, Stage.SHADOW: Stage.CANDIDATE}
    stage = Stage.IN_FORCE if entry.act is Act.ROLLED_BACK else entry.end
    if stage in leaves:
        for number, one in versions.items():
            if one.stage is stage:
                found[number] = replace(one, stage=leaves[stage])
    if entry.version is None:
        return found
    mine = found[entry.version]
    if entry.act is Act.REPLAYED:
        found[entry.version] = replace(mine, report=entry.report)
    elif stage is not None:
        found[entry.version] = replace(mine, stage=stage)
    return found
