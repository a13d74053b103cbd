"""InfluxQL as it is sent: names come from `schema.py` alone, values are bound or quoted by one function.

A statement keeps its values apart. Where a server takes bound parameters they go beside it; else `rendered`
puts them in, quoted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

TAGS: Final = ("machine", "point", "channel")
"""Tags that an answer has beside its time; the site is always asked for."""

FIRST_NS: Final = -(2**63) + 2
LAST_NS: Final = 2**63 - 2
"""The first and last nanosecond that InfluxDB has."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER: Final = re.compile(r"\$(p[0-9]+)\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with `$pN` where a value stands."""

    text: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)

    def rendered(self) -> str:
        """The statement with its values quoted into it."""
        return _PARAMETER.sub(lambda found: literal(self.parameters[found.group(1)]), self.text)


class Values:
    """Gives out the parameters of the statements of one request: no two of them share a name."""

    def __init__(self) -> None:
        self._names: Iterator[str] = (f"p{i}" for i in itertools.count())

    def statement(self, *parts: str | Value) -> Statement:
        """A statement of texts and values."""
        parameters: dict[str, str | int] = {}
        text = ""
        for part in parts:
            if isinstance(part, Value):
                name = next(self._names)
                parameters[name] = part.value
                text += f"${name}"
            else:
                text += part
        return Statement(text, parameters)


@dataclass(frozen=True, slots=True)
class Value:
    """A value within a statement."""

    value: str | int


def literal(value: str | int) -> str:
    """A value as InfluxQL writes it: texts in single quotes, with what would end them escaped."""
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """A name of the schema in double quotes. Raises ValueError for what the schema could not have given."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name in a query must come from the schema, got {name!r}")
    return f'"{name}"'


def database_name(name: str) -> str:
    """A database's name in double quotes. Raises ValueError for what could mean something else."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise ValueError(
            f"a database must be named [A-Za-z0-9_.-]{{1,64}}, got {name!r}; a slash names a retention policy"
        )
    return f'"{name}"'


def select(names: Sequence[str], measurement: str) -> str:
    """SELECT of fields and tags."""
    listed = ", ".join(identifier(name) for name in names)
    return f"SELECT {listed} FROM {identifier(measurement)}"  # noqa: S608 - names of the schema


def where(site: str, tags: Mapping[str, str | None], first_ns: int, last_ns: int) -> list[str | Value]:
    """The condition on a site, on tags that are not None, and on both bounds of time (inside)."""
    parts: list[str | Value] = [' WHERE "site" = ', Value(site)]
    for name, value in tags.items():
        if value is not None:
            parts += [f" AND {identifier(name)} = ", Value(value)]
    # Without an upper bound a grouping by time would end at the server's present.
    first, last = Value(max(first_ns, FIRST_NS)), Value(min(last_ns, LAST_NS))
    return [*parts, " AND time >= ", first, " AND time <= ", last]
