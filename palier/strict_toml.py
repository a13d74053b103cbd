"""Strict reading of TOML: unknown keys are refused, and every mistake has its line (standard library only).

document = read_toml(path)
root = document.root()
port = root.table("broker").integer("port", default=1883)
document.refuse()          # raises ConfigError with all mistakes at once
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeGuard, TypeVar

from .frames import NAME_PATTERN
from .toml_lines import KeyPath, key_lines


class _Required:
    """Marks a key without a default."""


REQUIRED: Final = _Required()
V = TypeVar("V", str, bool, int)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: `text` is a sentence, `line` counts from 1, None where there is no place to point at."""

    line: int | None
    text: str


class ConfigError(ValueError):
    """A configuration that can't be used: commands exit with 2. str() is a line each."""

    def __init__(self, file: Path | str, mistakes: tuple[Mistake, ...]) -> None:
        self.file = file
        self.mistakes = mistakes
        super().__init__("\n".join(self.sentences()))

    def sentences(self) -> list[str]:
        """A "file:line: sentence" for each mistake."""
        return [
            f"{self.file}:{m.line}: {m.text}" if m.line else f"{self.file}: {m.text}" for m in self.mistakes
        ]


@dataclass(slots=True)
class Document:
    """A parsed TOML text that gathers mistakes while it is read."""

    file: Path | str
    data: Mapping[str, object]
    lines: Mapping[KeyPath, int]
    mistakes: list[Mistake] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)  # read so far, to be asked for unknown keys

    def root(self) -> Table:
        """The whole document as a table."""
        return Table(self, (), self.data)

    def line(self, path: KeyPath) -> int | None:
        """The line of a key, or of the nearest table around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def mistake(self, path: KeyPath, text: str) -> None:
        """Note a mistake at a key."""
        self.mistakes.append(Mistake(self.line(path), text))

    def refuse(self, error: type[ConfigError] = ConfigError) -> None:
        """Raise `error` when there was any mistake, keys that nobody asked for included. In order of line."""
        for table in self.tables:
            table.note_unknown_keys()
        self.tables.clear()
        if self.mistakes:
            unique = dict.fromkeys(self.mistakes)
            raise error(self.file, tuple(sorted(unique, key=lambda m: m.line or 0)))


def read_toml(path: Path) -> Document:
    """Read a file. Raises ConfigError when it can't be read or is not TOML."""
    try:
        text = path.read_text("utf-8-sig")  # Windows editors put a mark before the first character
    except UnicodeDecodeError as error:
        raise ConfigError(path, (Mistake(None, "must be UTF-8 text, and is not"),)) from error
    except OSError as error:
        raise ConfigError(path, (Mistake(None, f"can't be read: {error.strerror or error}"),)) from error
    return parse_toml(text, path)


def parse_toml(text: str, file: Path | str) -> Document:
    """As `read_toml`, from text; `file` is only named in mistakes."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at line ")
        number = place.split(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1  # "at end of document"
        raise ConfigError(file, (Mistake(line, f"is not TOML: {what[:1].lower()}{what[1:]}"),)) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
        what = "numbers must be shorter and lists less nested than here"
        raise ConfigError(file, (Mistake(None, f"can't be followed: {what}"),)) from error
    return Document(file, data, key_lines(text))


class Table:
    """Reads the keys of one table; what it does not find right becomes a mistake, never an exception.

    After a mistake a reader returns the default, or a harmless value of the type, so that reading goes on.
    Keys that were not asked for by the time of `Document.refuse` are mistakes.
    """

    def __init__(self, document: Document, path: KeyPath, data: Mapping[str, object]) -> None:
        self.document = document
        self.path = path
        self.data = data
        self._asked: dict[str, None] = {}
        document.tables.append(self)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def mistake(self, key: str | None, text: str) -> None:
        """Note a mistake at a key of this table, or at the table itself."""
        self.document.mistake(self.path if key is None else (*self.path, key), text)

    def note_unknown_keys(self) -> None:
        """A mistake for each key that nobody asked for, with the nearest name that there is."""
        for key in self.data:
            if key not in self._asked:
                where = f" in [{_dotted(self.path)}]" if self.path else ""
                known = ", ".join(sorted(self._asked))
                hint = did_you_mean(key, self._asked) or f" (known: {known})"
                self.mistake(key, f"unknown key {key!r}{where}{hint}")

    def text(self, key: str, default: str | _Required = REQUIRED) -> str:
        """A string that is not empty, unless the default is."""
        value = self._get(key, default, str, "text in quotes")
        if self.data.get(key) == "" and default != "":
            self.mistake(key, f"{key} must not be empty")
        return value

    def name(self, key: str) -> str:
        """A required name of a site, machine, point or channel."""
        value = self.text(key)
        if value and not NAME_PATTERN.fullmatch(value):
            self.mistake(key, f"{key} must be 1 to 64 of A-Z a-z 0-9 _ . - without blanks, got {value!r}")
        return value

    def choice(self, key: str, choices: Collection[str], default: str | _Required = REQUIRED) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value and value not in choices and key in self.data:
            quoted = ", ".join(f'"{c}"' for c in choices)
            self.mistake(key, f"{key} must be one of {quoted}, got {value!r}{did_you_mean(value, choices)}")
        return value

    def flag(self, key: str, default: bool | _Required = REQUIRED) -> bool:
        """true or false."""
        return self._get(key, default, bool, "true or false")

    def integer(self, key: str, default: int | _Required = REQUIRED, *, low: int | None = None) -> int:
        """A whole number of at least `low`."""
        value = self._get(key, default, int, "a whole number")
        if low is not None and value < low and value == self.data.get(key):
            self.mistake(key, f"{key} must be at least {low}, got {value}")
        return value

    def number(
        self, key: str, default: float | _Required | None = REQUIRED, *, above: float | None = None
    ) -> float | None:
        """A finite number above `above`; None only where the default is, or after a mistake."""
        value = self.data.get(key, default)
        self._asked[key] = None
        if value is None:
            return None
        if isinstance(value, _Required):
            self.mistake(None, self._missing(key))
            return None
        if not _finite(value):
            self.mistake(key, f"{key} must be a number, got {_shown(value)}")
            return None
        if above is not None and not value > above:
            self.mistake(key, f"{key} must be above {above:g}, got {value:g}")
            return None
        return float(value)

    def listed(self, key: str) -> list[object]:
        """The values of a list, whatever they are; an empty one where it is missing."""
        self._asked[key] = None
        value = self.data.get(key, [])
        if not isinstance(value, list):
            self.mistake(key, f"{key} must be a list, got {_shown(value)}")
            return []
        return list(value)

    def table(self, key: str, *, required: bool = False) -> Table:
        """A table below this one; an empty one where it is missing or no table."""
        self._asked[key] = None
        value = self.data.get(key, {})
        if required and key not in self.data:
            self.mistake(None, self._missing(f"[{key}]"))
        if not isinstance(value, dict):
            self.mistake(key, f"{key} must be a table, got {_shown(value)}")
            value = {}
        return Table(self.document, (*self.path, key), value)

    def array(self, key: str) -> list[Table]:
        """The tables of [[key]], an empty list where there are none."""
        self._asked[key] = None
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            wanted = f"[[{_dotted((*self.path, key))}]]"
            self.mistake(key, f"{key} must be tables written as {wanted}, got {_shown(value)}")
            return []
        return [Table(self.document, (*self.path, key, i), item) for i, item in enumerate(value)]

    def _get(self, key: str, default: V | _Required, kind: type[V], must_be: str) -> V:
        self._asked[key] = None
        value = self.data.get(key, default)
        if isinstance(value, _Required):
            self.mistake(None, self._missing(key))
            return kind()
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.mistake(key, f"{key} must be {must_be}, got {_shown(value)}")
            return kind()
        return value

    def _missing(self, key: str) -> str:
        return f"{key} is missing in [{_dotted(self.path)}]" if self.path else f"{key} is missing"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' (did you mean "..."?)' with up to three near names, or an empty text.

    Of names like "iso10816-7:cat1" those of the same family, before the first colon, come first.
    """
    by_folded, folded = {name.casefold(): name for name in known}, word.casefold()
    family = folded[: folded.find(":") + 1]
    kin = [name for name in by_folded if family and name.startswith(family)]
    near = [*get_close_matches(folded, kin, n=3, cutoff=0.0), *get_close_matches(folded, by_folded, n=3)]
    names = " or ".join(f'"{by_folded[n]}"' for n in list(dict.fromkeys(near))[:3])
    return f" (did you mean {names}?)" if near else ""


def _dotted(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _finite(value: object) -> TypeGuard[int | float]:
    """Whether it is a number that a float can hold; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # hexadecimal digits may be many where decimal ones may not
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
