"""On which line of a TOML text each key stands: tomllib tells the values, and no place.

The scanner trusts the text to be valid TOML (`tomllib` has read it first) and only follows its structure:
headers, dotted keys, inline tables, arrays and strings, so that a bracket or a # inside a string misleads it
no more than it misleads tomllib.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Where a value stands, e.g. ("machine", 0, "point", 1, "bearing")."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
# Longest delimiter first. A multi-line string may end in up to two quotes of its own.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{1,2}(?!"))?'
    r"|'''.*?'''(?:'{1,2}(?!'))?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line (from 1) of every key, table and array element of a valid TOML text.

    A table that was never written itself (the `a` of `[a.b]`) has the line where it first appears.
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables: dict[KeyPath, int] = {}  # arrays of tables: how many elements so far
        self._counted = (0, 1)

    def scan(self) -> Mapping[KeyPath, int]:
        here: KeyPath = ()
        while self._skip_space():
            here = self._header() if self.text[self.at] == "[" else self._pair(here)
        return self.lines

    def _header(self) -> KeyPath:
        array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if array else 1
        keys = self._dotted_key()
        self.at += 2 if array else 1
        path = self._resolve(keys[:-1]) + keys[-1:]
        if array:
            self._note(path, start)
            self.tables[path] = self.tables.get(path, 0) + 1
            path = (*path, self.tables[path] - 1)
        self._note_all(path, start)
        return path

    def _resolve(self, keys: KeyPath) -> KeyPath:
        """A header's parents: an array of tables stands for its newest element."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
        return path

    def _pair(self, here: KeyPath) -> KeyPath:
        start = self.at
        path = here + self._dotted_key()
        self._note_all(path, start)
        self.at += 1  # "="
        self._value(path)
        return here

    def _dotted_key(self) -> KeyPath:
        keys: list[str | int] = []
        while True:
            self._skip_space()
            keys.append(self._key())
            self._skip_space()
            if self.text[self.at] != ".":
                return tuple(keys)
            self.at += 1

    def _key(self) -> str:
        quoted = self.text[self.at] in "\"'"
        match = (_STRING if quoted else _BARE_KEY).match(self.text, self.at)
        if match is None:
            raise ValueError(f"no key at character {self.at}: the text is not valid TOML")
        self.at = match.end()
        if not quoted:
            return match[0]
        (key,) = tomllib.loads(f"{match[0]} = 0")
        return str(key)

    def _value(self, path: KeyPath) -> None:
        self._skip_space()
        match self.text[self.at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self._skip_space() and self.text[self.at] != "]":
            self._note((*path, index), self.at)
            self._value((*path, index))
            index += 1
            self._skip_comma()
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self._skip_space() and self.text[self.at] != "}":
            self._pair(path)
            self._skip_comma()
        self.at += 1

    def _skip_comma(self) -> None:
        self._skip_space()
        if self.text[self.at] == ",":
            self.at += 1

    def _take(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self.text, self.at):
            self.at = match.end()

    def _skip_space(self) -> bool:
        """Past blanks and comments; False at the end of the text."""
        self._take(_SPACE)
        return self.at < len(self.text)

    def _note_all(self, path: KeyPath, at: int) -> None:
        for n in range(1, len(path) + 1):
            self._note(path[:n], at)

    def _note(self, path: KeyPath, at: int) -> None:
        before, line = self._counted
        line += self.text.count("\n", before, at) if at >= before else 0
        if at >= before:
            self._counted = (at, line)
        self.lines.setdefault(path, line)
