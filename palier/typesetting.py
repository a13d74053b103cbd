"""Sentences as print and page set them: what belongs together stays on one line, and in its order."""

from __future__ import annotations

import re
from typing import Final

from .locale import Catalogue
from .locale.spacing import HARD_SPACE, UNIT, french

ISOLATED: Final = "\u2066"
ISOLATED_END: Final = "\u2069"
"""What stands between them runs from left to right, and what follows is none of it."""

_QUANTITY: Final = re.compile(
    r"\u2066[^\u2069]*\u2069"
    r"|(?<![\w.,])[−+±×]?\d[\d.,\u202f]*(?:[–-]\d[\d.,\u202f]*)?[ \u00a0]?" + UNIT + r"(?:[ \u00a0]RMS\b)?"
)
"""A number, or from one to another, with its unit in Latin letters; or what is isolated already."""


def typeset(text: str, lang: str) -> str:
    """A sentence whose numbers stay with their units on a line, and within Arabic in their order; in French
    with the spaces before its signs that no line may end at.
    """

    def kept(found: re.Match[str]) -> str:
        told = found[0].replace(" ", HARD_SPACE)
        if told.startswith(ISOLATED):
            return told
        return f"{ISOLATED}{told}{ISOLATED_END}" if lang == "ar" else told

    text = _QUANTITY.sub(kept, text)
    return french(text) if lang == "fr" else text


class Typeset(Catalogue):
    """A catalogue for print: every sentence of it is typeset."""

    def text(self, key: str, /, **params: object) -> str:
        """The sentence of a key, typeset."""
        return typeset(super().text(key, **params), self.lang)
