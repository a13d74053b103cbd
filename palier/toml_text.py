"""Writes TOML of plain data: one way of writing, so that two texts can be compared line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

HIDDEN: Final = "***"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SECRET: Final = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)


def is_secret(key: str) -> bool:
    """Whether a key holds a secret by its name; the name of a file is none."""
    return bool(_SECRET.search(key)) and not key.endswith("_file")


def toml_text(data: Mapping[str, object], *, hide: Callable[[str], bool] = is_secret) -> str:
    """The data as TOML, plain values before tables; values of keys that `hide` names are masked."""
    return "\n".join(_lines(data, (), hide)).strip("\n") + "\n"


def _lines(data: Mapping[str, object], path: tuple[str, ...], hide: Callable[[str], bool]) -> Iterator[str]:
    for key, value in data.items():
        if not isinstance(value, Mapping) and not _is_tables(value):
            yield f"{_key(key)} = {_value(HIDDEN if hide(key) else value, hide)}"
    for key, value in data.items():
        place = (*path, key)
        name = ".".join(map(_key, place))
        if isinstance(value, Mapping):
            yield from ("", f"[{name}]", *_lines(value, place, hide))
        elif _is_tables(value):
            for one in value:  # type: ignore[attr-defined]
                yield from ("", f"[[{name}]]", *_lines(one, place, hide))


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value(value: object, hide: Callable[[str], bool]) -> str:
    """JSON and TOML write flags, numbers, texts and lists alike; tables in lists become inline tables."""
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value)  # inf and nan are TOML's words too
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        told = (f"{_key(k)} = {_value(HIDDEN if hide(k) else v, hide)}" for k, v in value.items())
        return "{ " + ", ".join(told) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(one, hide) for one in value) + "]"
    return str(value)  # a date or a time
