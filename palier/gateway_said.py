"""What a gateway says, in the reader's language: by its code; what has none is quoted as it came."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from .wire.said import SEVERAL, WHY, Coded, read_code

if TYPE_CHECKING:
    from .locale import Catalogue

_TABLE: Final = "gateway_said"


def told_texts(
    sentences: Sequence[str] | None, codes: Sequence[str] | None, words: Catalogue
) -> tuple[str, ...]:
    """Sentences of a gateway, each with its code by its place; one of before tells no codes."""
    pairs = zip_longest(sentences or (), (codes or ())[: len(sentences or ())], fillvalue="")
    return tuple(told_text(sentence, code, words) for sentence, code in pairs)


def told_text(sentence: str, code: str | None, words: Catalogue) -> str:
    """One sentence. A code that this version does not know, also inside another, is as none; so is one that
    lacks a parameter.
    """
    coded = read_code(code) if code else None
    found = None if coded is None else _text(coded, words)
    return found or quoted(sentence, words)


def quoted(text: str, words: Catalogue) -> str:
    """Somebody else's words, between the quotation marks of the language; in English they are at home."""
    if words.lang == "en" or not text:
        return text
    return words.text("cli.gateway_quoted", text=text)


def _text(coded: Coded, words: Catalogue) -> str | None:
    params: dict[str, str] = {}
    for name, value in coded.params.items():
        text = _param(name, value, words)
        if text is None:
            return None
        params[name] = text
    if coded.code == SEVERAL:
        return words.semicolon.join(params.values())
    key = f"{_TABLE}.{coded.code}"
    if key not in words:
        return None
    try:
        return words.text(key, **params)
    except (KeyError, IndexError, ValueError):
        return None


def _param(name: str, value: str | int | float | Coded, words: Catalogue) -> str | None:
    if isinstance(value, Coded):
        return _text(value, words)
    if isinstance(value, str):
        return quoted(value, words) if name == WHY or name.isdigit() else value
    return words.number(value, 0 if float(value).is_integer() else 1)
