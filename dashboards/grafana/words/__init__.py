"""What the dashboards say, in French and in English: `fr.toml` and `en.toml`, the same keys in both.

The names of states, letters, defects, features, reasons and remedies are those of `palier.locale`, so that
a word is the same here and on the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from palier.locale import Catalogue

LANGUAGES: Final = ("fr", "en")
"""French first: it is the language of the floor."""


class Words:
    """The texts of one language. Raises ValueError for a language that the dashboards do not speak."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise ValueError(f"the dashboards speak {', '.join(LANGUAGES)}, got {lang!r}")
        self.lang = lang
        self._own = _load(lang)
        self._catalogue = Catalogue(lang)

    def __call__(self, key: str, **params: object) -> str:
        """The text of "table.key" of our own files. Raises KeyError: a key is no title."""
        text = self._own[key]
        return text.format(**params) if params else text  # alert rules hold {{ $labels.machine }}

    def __contains__(self, key: str) -> bool:
        return key in self._own

    def keys(self) -> frozenset[str]:
        """All keys of our own files."""
        return frozenset(self._own)

    def shared(self, key: str, **params: object) -> str:
        """The text of a key of `palier.locale`, filled in from `params`. Raises KeyError."""
        if key not in self._catalogue:
            raise KeyError(key)
        return self._catalogue.text(key, **params)

    def table(self, name: str) -> Mapping[str, str]:
        """All texts of one table of `palier.locale`, by key without the table's name."""
        return self._catalogue.table(name)


@cache
def _load(lang: str) -> Mapping[str, str]:
    data = tomllib.loads(resources.files(__name__).joinpath(f"{lang}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text for table, entries in data.items() for key, text in entries.items()}
