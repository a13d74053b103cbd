"""The spaces at which no line may end: before the signs of French, and between a number and its unit."""

from __future__ import annotations

import re
from typing import Final

HARD_SPACE: Final = "\u00a0"
NARROW_SPACE: Final = "\u202f"

UNIT: Final = (
    r"(?:%|°C|Hz\b|kHz\b|kW\b|kB\b|Mo\b|MB\b|mm/s(?:²|\b)|mm\b|µm\b|m/s²?|tr/min\b|r/min\b|min\b"
    r"|[Kghjds]\b(?!['’]))"
)
"""A unit in Latin letters; a letter with an apostrophe behind it begins a word: "3 d'entre eux"."""

_BEFORE_UNIT: Final = re.compile(rf"(?<=[\d}}\u202f]) (?={UNIT}|\{{unit\}})")
_BEFORE_SIGN: Final = re.compile(r" (?=[;?!])")
_BEFORE_COLON: Final = re.compile(r" (?=[:»])|(?<=«) ")


def plain(text: str) -> str:
    """The same with ordinary spaces: for a subject that other programs search, cut and pass on."""
    return text.replace(HARD_SPACE, " ").replace(NARROW_SPACE, " ")


def french(text: str) -> str:
    """A sentence, or its template, as French is set: narrow before ; ? !, whole before : and », within « »,
    and before a unit."""
    text = _BEFORE_UNIT.sub(HARD_SPACE, text)
    return _BEFORE_COLON.sub(HARD_SPACE, _BEFORE_SIGN.sub(NARROW_SPACE, text))
