"""Sentences that a gateway says, each with a code, so that who reads them reads their own language.

A gateway writes its log and its own page in English. Beside a sentence it tells the code it was made of and
what stands in it: the host knows the code in the reader's language. What has no code is in words that are not
ours (an operating system's, a driver's, a device's) and is shown as it came.

Only the standard library: a running agent imports this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .letters import shown
from .sentences import SENTENCES

SEVERAL: Final = "several"
"""Sentences one behind the other: the parameters are they, by their place."""

WHY: Final = "why"
"""The parameter that is a sentence itself: with a code of its own, or somebody else's words."""

MAX_CODE: Final = 1200
"""Letters of a code with its parameters, as it is told; where it is longer the sentence stands alone."""

MAX_DEPTH: Final = 4

LARGEST: Final = 2.0**63
"""Of the numbers in a code: no gateway counts further, and more digits would fill a page."""


class Said(str):
    """An English sentence that knows what it was made of. Cut or put together otherwise it is plain text."""

    code: str
    params: Mapping[str, str | int | float]

    def __str__(self) -> str:
        """Itself: a sentence that went through an exception keeps its code."""
        return self


def said(code: str, /, **params: str | int | float) -> Said:
    """The sentence of a code. KeyError for one that there is not."""
    return _made(SENTENCES[code].format(**params), code, params)


def said_all(sentences: Iterable[str]) -> str:
    """Sentences one behind the other; one alone is itself."""
    found = list(sentences)
    if len(found) == 1:
        return found[0]
    return _made("; ".join(found), SEVERAL, {str(place): one for place, one in enumerate(found)})


def _made(text: str, code: str, params: Mapping[str, str | int | float]) -> Said:
    made = Said(text)
    made.code, made.params = code, params
    return made


def cut(text: str, longest: int) -> str:
    """At most so many letters; what is short enough keeps its code."""
    return text if len(text) <= longest else text[:longest]


def code_of(text: str) -> str:
    """What tells how a sentence was made; "" where it has no code, or that would be too long."""
    if not isinstance(text, Said):
        return ""
    told = json.dumps(_told(text), separators=(",", ":"))
    return told if len(told) <= MAX_CODE else ""


def _told(text: Said) -> list[object]:
    params = {name: _told(value) if isinstance(value, Said) else value for name, value in text.params.items()}
    return [text.code, params]


@dataclass(frozen=True, slots=True)
class Coded:
    """A code that was told, with its parameters: numbers, texts that can be printed, or codes again."""

    code: str
    params: Mapping[str, str | int | float | Coded]


def read_code(told: str) -> Coded | None:
    """What `code_of` told; None where it is none. A code need not be one of ours: it may be younger."""
    try:
        return _read(json.loads(told), MAX_DEPTH) if told else None
    except (ValueError, RecursionError):
        return None


def again(text: str, told: str) -> str:
    """A sentence with the code that was kept beside it, where both say the same."""
    coded = read_code(told)
    made = None if coded is None else _sentence(coded)
    return made if made is not None and made.startswith(text) else text


def _sentence(coded: Coded) -> str | None:
    params = {
        name: _sentence(value) if isinstance(value, Coded) else value for name, value in coded.params.items()
    }
    known = {name: value for name, value in params.items() if value is not None}
    if coded.code == SEVERAL:
        return said_all(str(value) for value in known.values())
    try:
        return said(coded.code, **known)
    except (KeyError, ValueError, IndexError):
        return None


def _read(told: object, depth: int) -> Coded:
    if not (isinstance(told, list) and len(told) == 2 and depth):
        raise ValueError("a code must be a name and its parameters")
    code, params = told
    if not (isinstance(code, str) and code.isascii() and code.isidentifier() and isinstance(params, dict)):
        raise ValueError("a code must be a name and its parameters")
    found: dict[str, str | int | float | Coded] = {}
    for name, value in params.items():
        if isinstance(value, list):
            found[name] = _read(value, depth - 1)
        elif isinstance(value, str):
            found[name] = shown(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
            found[name] = value
        else:
            raise ValueError(f"{name} must be a text, a number up to {LARGEST:g} or a code")
    return Coded(code, found)
