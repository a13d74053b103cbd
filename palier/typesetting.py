"""Sentences as print and page set them: what belongs together stays on one line, and in its order."""

from __future__ import annotations

import re
from typing import Final

from .locale import Catalogue

ISOLATED: Final = "\u2066"
ISOLATED_END: Final = "\u2069"
"""What stands between them runs from left to right, and what follows is none of it."""

HARD_SPACE: Final = "\u00a0"
NARROW_SPACE: Final = "\u202f"

_QUANTITY: Final = re.compile(
    r"(?<![\w.,])[−+±×]?\d[\d.,\u202f]*(?:[–-]\d[\d.,\u202f]*)? ?"
    r"(?:%|°C|Hz\b|kHz\b|kW\b|K\b|mm/s(?:²|\b)|m/s²?|tr/min\b|r/min\b|[hjd]\b|s\b)"
)
"""A number, or from one to another, with its unit in Latin letters."""


def typeset(text: str, lang: str) -> str:
    """A sentence whose numbers stay with their units on a line, and within Arabic in their order; in French
    with the spaces before its signs that no line may end at.
    """

    def kept(found: re.Match[str]) -> str:
        told = found[0].replace(" ", HARD_SPACE)
        return f"{ISOLATED}{told}{ISOLATED_END}" if lang == "ar" else told

    text = _QUANTITY.sub(kept, text)
    if lang == "fr":
        text = re.sub(r" (?=[;?!])", NARROW_SPACE, text)
        text = re.sub(r" (?=[:»])|(?<=«) ", HARD_SPACE, text)
    return text


class Typeset(Catalogue):
    """A catalogue for print: every sentence of it is typeset."""

    def text(self, key: str, **params: object) -> str:
        """The sentence of a key, typeset."""
        return typeset(super().text(key, **params), self.lang)
