"""Where a value lies in a JSON document: a path of names and places. Pure.

    values.palier_2.temperature        names, separated by dots
    mesures[0].v                       the first of a list
    data["/a/b[1]"].x                  a name in quotes, as JSON writes it, where it holds dots or brackets
    (nothing)                          the document itself

Nothing else: no wildcard, no search, no arithmetic. A path has one value or none.
"""

from __future__ import annotations

import json
import re
from typing import Final

Path = tuple[str | int, ...]
"""Names and places from the outside in; () is the document itself."""

LONGEST: Final = 512
_STEP: Final = re.compile(
    r'(?P<dot>\.)?(?P<name>[^.\[\]"\s]+)|\[(?P<place>\d{1,6})\]|\[(?P<quoted>"(?:[^"\\]|\\.)+")\]'
)


class NothingThereError(LookupError):
    """A document without a value at a path."""


def parse_path(text: str) -> Path:
    """The steps of a path. ValueError with a sentence naming the place where it can't be read."""
    if len(text) > LONGEST:
        raise ValueError(f"a path must have at most {LONGEST} characters, got {len(text)}")
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        dot_fits = match is not None and (match["name"] is None or (match["dot"] is not None) == (at > 0))
        if match is None or not dot_fits:
            raise ValueError(
                f"the path {text!r} can't be read from character {at + 1} on: names are separated by dots, "
                '[0] is a place in a list, ["a.b"] a name with dots or brackets'
            )
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> str | int:
    if match["place"] is not None:
        return int(match["place"])
    if match["quoted"] is not None:
        return str(json.loads(match["quoted"]))
    return match["name"]


def value_at(document: object, path: Path) -> object:
    """What stands there. NothingThereError where nothing does."""
    for step in path:
        in_table = isinstance(step, str) and isinstance(document, dict) and step in document
        in_list = isinstance(step, int) and isinstance(document, list) and step < len(document)
        if not (in_table or in_list):
            raise NothingThereError(f"there is nothing at {step!r}")
        document = document[step]  # type: ignore[index]
    return document
