"""Text for people, in French, English and Arabic: one TOML file a language, the same keys in each.

Keys are "table.key": "state.alert", "letter.alert", "refusal.<reason>", "remedy.<remedy>", "limit.<name>",
"defect.<name>", "cli.<...>", "page.<...>".
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from .digits import digits_of
from .spacing import HARD_SPACE, NARROW_SPACE, french

LANGUAGES: Final = ("fr", "en", "ar")
"""French first: it is the language of the floor."""

# French: a narrow no-break space; Arabic: digits and marks as they are written in Morocco.
_THOUSANDS: Final = {"fr": "\u202f", "en": ",", "ar": "."}
_DECIMAL: Final = {"fr": ",", "en": ".", "ar": ","}


class Catalogue:
    """The text of one language. Raises ValueError for a language we do not speak."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise ValueError(f"the language must be one of {', '.join(LANGUAGES)}, got {lang!r}")
        self.lang = lang
        self._text = _load(lang)

    @property
    def direction(self) -> str:
        """ "rtl" for Arabic, otherwise "ltr"."""
        return "rtl" if self.lang == "ar" else "ltr"

    @property
    def colon(self) -> str:
        """What stands between a name and what is said of it."""
        return f"{HARD_SPACE}: " if self.lang == "fr" else ": "

    @property
    def semicolon(self) -> str:
        """What stands between two sentences of one line."""
        return {"fr": f"{NARROW_SPACE}; ", "ar": "؛ "}.get(self.lang, "; ")

    def __contains__(self, key: str) -> bool:
        return key in self._text

    def keys(self) -> frozenset[str]:
        """All keys, the same in every language."""
        return frozenset(self._text)

    def text(self, key: str, /, **params: object) -> str:
        """The sentence of a key, with `{name}` filled from `params`.

        A key nobody wrote is shown as it is: a page with one odd word serves better than no page.
        """
        template = self._text.get(key)
        return key if template is None else template.format(**params)

    def table(self, name: str) -> Mapping[str, str]:
        """All text of one table, by key without the table's name: what a page hands to its script."""
        prefix = name + "."
        return {key.removeprefix(prefix): text for key, text in self._text.items() if key.startswith(prefix)}

    def number(self, x: float, digits: int = 1) -> str:
        """A number as people write it: 1 234,5 in French. NaN is a dash: not known is not zero."""
        if math.isnan(x):
            return "–"
        whole, _, part = f"{x:,.{digits}f}".partition(".")
        whole = whole.replace(",", _THOUSANDS[self.lang]).replace("-", "\u2212")
        return f"{whole}{_DECIMAL[self.lang]}{part}" if part else whole

    def quantity(self, x: float, unit: str) -> str:
        """A number with its unit on the same line, with the digits that such a unit is told with."""
        told = self.number(x, digits_of(x, unit))
        return f"{told}{HARD_SPACE}{unit}" if unit not in ("", "1") else told


@cache
def _load(lang: str) -> Mapping[str, str]:
    data = tomllib.loads(resources.files(__name__).joinpath(f"{lang}.toml").read_text("utf-8"))
    told = {f"{table}.{key}": text for table, entries in data.items() for key, text in entries.items()}
    return {key: french(text) for key, text in told.items()} if lang == "fr" else told
