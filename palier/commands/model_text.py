"""Models as people read them in a terminal: tables, one version, what is different between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from palier.historian.rows import Transition
from palier.locale import Catalogue
from palier.registry import MANIFEST, Line, Version

from .registry_text import bundle_text, refusal_text
from .trained_text import metrics_lines

_NOT_TOLD = frozenset({"golden", "files", "schema", "name"})
"""Of a manifest: what is for programs."""

MOST_ALIKE: Final = 3
"""Lines that tell the same of several points or features, before they are counted in the place of shown."""

MOST_WIDE: Final = 80
_DIGITS: Final = 12
"""Of a SHA-256: as many tell a plant's models apart."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_OF_ONE: Final = re.compile(r"\[[^\]]*\]")
_COLUMNS = ("name", "version", "kind", "stage", "created", "by", "replayed", "signed")


def version_table(versions: Sequence[Version], words: Catalogue) -> list[str]:
    """A line for each version under its headings; nothing for none."""
    if not versions:
        return []
    yes, no = words.text("model.yes"), words.text("model.no")
    rows = [[words.text(f"model.column_{name}") for name in _COLUMNS]]
    for one in versions:
        told = one.told()
        rows.append(
            [
                one.name,
                str(one.version),
                words.text(f"model.kind_{one.kind}"),
                stage_text(str(one.stage), words),
                utc(one.created.at_ns),
                one.created.who,
                yes if one.report else no,
                yes if told["signed"] else no,
            ]
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(_COLUMNS))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def stage_text(stage: str, words: Catalogue) -> str:
    """A stage in a word."""
    return words.text(f"model.stage_{stage.replace(' ', '_')}")


def held_lines(events: Sequence[Transition], words: Catalogue) -> Iterator[str]:
    """What the ingest has of each name by its last events, and what it could not take."""
    last: dict[tuple[str, str], Transition] = {}
    refused: dict[str, Transition] = {}
    for event in events:
        detail = _detail(event)
        if event.state == "refused":
            refused[event.machine] = event
        else:
            last[event.machine, str(detail.get("stage"))] = event
            refused.pop(event.machine, None)
    for (name, _), event in sorted(last.items()):
        if event.state != "none":
            told = {"name": name, "version": _detail(event).get("version"), "time": utc(event.ts_ns)}
            yield words.text("model.held", stage=stage_text(event.state, words), **told)
    for name, event in sorted(refused.items()):
        detail = _detail(event)
        version = f":{detail['version']}" if detail.get("version") else ""
        why = bundle_text(str(detail.get("key")), str(detail.get("sentence")), words)
        told = {"model": f"{name}{version}", "why": why, "time": utc(event.ts_ns)}
        yield words.text("model.not_taken", **told)


def problem_lines(lines: Sequence[Line], words: Catalogue) -> Iterator[str]:
    """What is not as it should be in the registry."""
    for line in lines:
        for problem in line.problems:
            yield words.text("model.problem", what=refusal_text(problem, words))


def show_lines(
    one: Version, line: Line, manifest: Mapping[str, Any], events: Sequence[Transition], words: Catalogue
) -> Iterator[str]:
    """A version: who made it, what it tells of itself, and what was done to it."""
    yield words.text(
        "model.head",
        model=one.spec,
        kind=words.text(f"model.kind_{one.kind}"),
        stage=stage_text(str(one.stage), words),
    )
    parent = words.text("model.from_parent", parent=f"{one.name}:{one.parent}") if one.parent else ""
    yield words.text(
        "model.made", who=one.created.who, time=utc(one.created.at_ns), why=one.created.why, parent=parent
    )
    yield words.text("model.fingerprint", fingerprint=one.fingerprint)
    yield from (f"  {text}" for text in _manifest_lines(manifest, words))
    yield words.text("model.history")
    for entry in line.entries:
        if one.version in (entry.version, entry.before):
            what = words.text(f"model.act_{entry.act.replace(' ', '_')}")
            forced = f" ({words.text('model.forced')})" if entry.forced else ""
            of = f"{one.name}:{entry.version}" if entry.version else "-"
            yield f"  {utc(entry.note.at_ns)}  {of}  {what}{forced}  {entry.note.who}: {entry.note.why}"
    yield from held_lines(events, words)
    yield from problem_lines([line], words)


def _manifest_lines(manifest: Mapping[str, Any], words: Catalogue) -> Iterator[str]:
    """What a manifest tells people; programs read all of it with --json."""
    if "detector" in manifest:
        per = words.text(f"trained.per_{manifest.get('per', 'point')}")
        yield words.text("trained.detector", detector=manifest["detector"], per=per)
    yield from metrics_lines(manifest.get("metrics", {}), words, manifest.get("thresholds"))
    for point in manifest.get("points", ()):
        trained = point.get("trained", {})
        counts = {name: trained.get(name, "?") for name in ("blocks", "days")}
        yield words.text("model.point", place="/".join(point["place"]), **counts).lstrip()
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.get("libraries", {}).items())
    if libraries:
        yield words.text("trained.libraries", libraries=libraries)
    if manifest.get("data_sha256"):
        yield words.text("trained.data", digest=str(manifest["data_sha256"])[:_DIGITS])
    yield words.text("trained.whole")


def manifest_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest among a version's files. Raises BundleError."""
    from models.bundle_checks import read_manifest

    return read_manifest(files[MANIFEST])


def flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A manifest as values by path; points by their place, lists of plain values as one."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name in _NOT_TOLD and not prefix:
            continue
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}.")
        elif (
            isinstance(value, list) and value and all(isinstance(v, Mapping) and "place" in v for v in value)
        ):
            for part in value:
                inside = {key: inner for key, inner in part.items() if key != "place"}
                found |= flat(inside, f"{path}[{'/'.join(part['place'])}].")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) and "name" in v for v in value):
            found[path] = [str(part["name"]) for part in value]
        else:
            found[path] = value
    return found


def brief(rows: Iterable[tuple[str, str]], words: Catalogue) -> Iterator[str]:
    """(path, line) as lines for people: what there are many of, of each point or feature, is one line."""
    lines: dict[str, list[str]] = {}
    for path, line in rows:
        lines.setdefault(_alike(path), []).append(line)
    for what, found in lines.items():
        if len(found) <= MOST_ALIKE:
            yield from found
        else:
            yield words.text("model.alike", what=what, n=len(found))


def _alike(path: str) -> str:
    """What paths of one kind have in common: "points[*].trained.blocks", "metrics.selection.*.ratio"."""
    parts = _OF_ONE.sub("[*]", path).split(".")
    return ".".join(parts if len(parts) < 4 else [*parts[:2], "*", parts[-1]])


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, value in the first, value in the second) of what is different; None where it is not there. A
    point that only one of them has is one line.
    """
    before, after = (dict(_points(told)) for told in (first, second))
    rows = [
        (f"points[{place}]", _size(before.get(place)), _size(after.get(place)))
        for place in dict.fromkeys((*before, *after))
        if (place in before) is not (place in after)
    ]
    common = before.keys() & after.keys()
    old, new = (
        flat({**told, "points": [point for place, point in _points(told) if place in common]})
        for told in (first, second)
    )
    return rows + [
        (p, old.get(p), new.get(p)) for p in dict.fromkeys((*old, *new)) if old.get(p) != new.get(p)
    ]


def difference_text(row: tuple[str, Any, Any], specs: tuple[str, str], words: Catalogue) -> str:
    """A row of `differences` as a line; `specs` name the two versions."""
    path, was, now = row
    place = path.removeprefix("points[").removesuffix("]")
    if path == f"points[{place}]":
        where, n = (specs[0], was) if now is None else (specs[1], now)
        return words.text("trained.only_in", place=place, model=where, n=n)
    return f"{path}{words.colon}{value_text(path, was, words)} → {value_text(path, now, words)}"


def _points(told: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("/".join(point["place"]), point) for point in told.get("points", ())]


def _size(point: Mapping[str, Any] | None) -> int | None:
    """How many features a point has, None where it is not there."""
    return None if point is None else len(point.get("features", ()))


def utc(ts_ns: int) -> str:
    """A time; models travel between sites, so that it is UTC."""
    return f"{datetime.fromtimestamp(ts_ns // 10**9, UTC):%Y-%m-%d %H:%M} UTC"


def value_text(path: str, value: Any, words: Catalogue) -> str:
    """A value in a line: numbers rounded, times as such, of a SHA-256 its beginning."""
    if value is None:
        return "–"
    if isinstance(value, float):
        if path.endswith("_s"):
            return utc(round(value * 1e9))
        return words.number(value, 0 if value.is_integer() else 3)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if _SHA256.fullmatch(text):
        return text[:_DIGITS]
    return text if len(text) <= MOST_WIDE else f"{text[: MOST_WIDE - 3]}..."


def _detail(event: Transition) -> dict[str, Any]:
    try:
        told = json.loads(event.detail)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
