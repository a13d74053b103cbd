"""Letters that make a text read, or a terminal behave, otherwise than it is written. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

REPLACEMENT: Final = "\ufffd"

_TURNED: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the reading around."""


def is_strange(letter: str, *, lines: bool) -> bool:
    """Whether no person's words hold it: controls, the end of a line unless `lines`, turning marks."""
    if letter == "\n":
        return not lines
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNED


def shown(text: str, *, lines: bool = False, tabs: bool = False) -> str:
    """The text with what is strange in it replaced, so that it can be printed."""
    if lines:
        text = text.replace("\r\n", "\n")
    return "".join(
        REPLACEMENT if is_strange(letter, lines=lines) and not (tabs and letter == "\t") else letter
        for letter in text
    )
