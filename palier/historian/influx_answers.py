"""What an InfluxDB answers: series out of JSON, its own sentence out of a refusal.

What stands before a server, or in its place, answers too: a proxy's page, a login, half of a body. None of
that may be taken for an answer, least of all for a refusal of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_SHOWN: Final = 200
"""Bytes of a stranger's answer that a sentence quotes."""

_COMMA: Final = re.compile(r"(?<!\\),")
_ESCAPED: Final = re.compile(r"\\(.)")


class Failed(Exception):
    """A statement failed: the server's sentence."""


class Garbled(Exception):
    """This is no answer of an InfluxDB, or not all of one."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: `columns` by name, each as long as there are rows; `tags` of the grouping."""

    name: str
    tags: Mapping[str, str]
    columns: Mapping[str, Sequence[Any]]


def said(answer: bytes) -> str | None:
    """The server's own sentence; None where this is not an InfluxDB's JSON."""
    try:
        told = _loads(answer)
    except ValueError:
        return None
    text = (told.get("error") or told.get("message")) if isinstance(told, dict) else None
    return text if isinstance(text, str) else None


def shown(answer: bytes) -> str:
    """What was answered, short enough for a sentence and on one line; a web page is only named."""
    text = said(answer)
    if text is None:
        text = answer[:_SHOWN].decode("utf-8", "replace")
        if text.lstrip().startswith("<"):
            return "a web page"
    return " ".join(text.split())


def series_of(answer: bytes, statements: int) -> list[list[Series]]:
    """The series of each statement, of an answer in one piece or in many. Raises Failed, Garbled."""
    found: list[list[dict[str, Any]] | None] = [None] * statements
    try:
        for result in _results(answer):
            place = result.get("statement_id", 0)
            known = found[place] = found[place] or []
            for raw in result.get("series", ()):
                _add(known, raw)
        return [[_series(raw) for raw in _given(known)] for known in found]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise Garbled(shown(answer)) from error


def tags_of(listed: Sequence[Series], names: Sequence[str]) -> list[tuple[str, ...]]:
    """These tags of each series that SHOW SERIES lists, "" where it has none of that name."""
    found = []
    for key in (key for series in listed for key in series.columns["key"]):
        parts = (part.partition("=") for part in _COMMA.split(key)[1:])
        tags = {name: _ESCAPED.sub(r"\1", value) for name, _, value in parts}
        found.append(tuple(tags.get(name, "") for name in names))
    return found


def _results(answer: bytes) -> Iterator[dict[str, Any]]:
    """The results of all pieces. Line breaks within a text are escaped in JSON."""
    for piece in answer.splitlines():
        told = _loads(piece)
        if error := told.get("error"):
            raise Failed(error)
        for result in told["results"]:
            if error := result.get("error"):
                raise Failed(error)
            yield result


def _add(known: list[dict[str, Any]], raw: dict[str, Any]) -> None:
    """A series may go on in the next piece."""
    last = known[-1] if known else None
    if last is not None and all(last.get(what) == raw.get(what) for what in ("name", "tags", "columns")):
        last["values"] += raw.get("values", ())
    else:
        known.append({**raw, "values": list(raw.get("values", ()))})


def _given(known: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    if known is None:
        raise ValueError("a statement without an answer")
    return known


def _series(raw: Mapping[str, Any]) -> Series:
    columns: Sequence[str] = raw["columns"]
    rows = raw["values"]
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return Series(raw.get("name", ""), raw.get("tags", {}), dict(zip(columns, values, strict=True)))


def _loads(text: bytes) -> Any:
    import orjson

    return orjson.loads(text)
