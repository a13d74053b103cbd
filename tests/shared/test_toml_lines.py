"""The scanner that finds on which line of a TOML text a key stands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.toml_lines import KeyPath, key_lines

TEXT = '''# a [comment] = with structure
a = 1
b.c = "x # [y] ]"
arr = [1,
  2, # c ]
  "q]",
  [3, {z = 1, y="}"}],
]
[site]
id = """multi = 1
[line] = 3
"""
s = { source = "fixed", rpm = 3 }
[[machine]]
id = 'x'
[[machine.point]]
when = 1979-05-27T07:32:00Z
"quoted.key" . d = 1
[[machine.point]]
q = \'\'\'it''s\'\'\'
[[machine]]
[[machine.point]]
z = [ ]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("b",), 3),
        (("b", "c"), 3),
        (("arr", 2), 6),
        (("arr", 3, 1, "y"), 7),
        (("site",), 9),
        (("site", "id"), 10),
        (("site", "s", "rpm"), 13),
        (("machine", 0), 14),
        (("machine", 0, "point", 0, "quoted.key", "d"), 18),
        (("machine", 0, "point", 1, "q"), 20),
        (("machine", 1, "point", 0), 22),
        (("machine", 1, "point", 0, "z"), 23),
    ],
)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    assert key_lines(TEXT)[path] == line


def test_every_value_of_tomllib_has_a_line() -> None:
    assert set(_paths(tomllib.loads(TEXT))) == set(key_lines(TEXT))


def test_line_ends_of_windows_count_once() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


CONTROL: tuple[Literal["C"]] = ("C",)
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=CONTROL), max_size=6),
)
SCALARS = st.one_of(
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=CONTROL), max_size=12),
)
VALUES = st.recursive(
    SCALARS, lambda v: st.one_of(st.lists(v, max_size=4), st.dictionaries(KEYS, v, max_size=4))
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_document_is_followed_to_its_end(data: dict[str, object]) -> None:
    """Whatever brackets and quotes stand in keys and values: each pair is on the line where it was put."""
    text = "".join(f"{_quoted(key)} = {_inline(value)}\n\n" for key, value in data.items())
    assert tomllib.loads(text) == data
    lines = key_lines(text)
    assert set(_paths(data)) == set(lines)
    assert all(lines[key,] == 2 * i + 1 for i, key in enumerate(data))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _paths(value: object, here: KeyPath = ()) -> Iterator[KeyPath]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*here, key)
        yield from _paths(below, (*here, key))
