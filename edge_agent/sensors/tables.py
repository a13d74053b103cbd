"""Reading a sensor's own keys of agent.toml."""

from __future__ import annotations

import math
from collections.abc import Mapping


def one_of(table: Mapping[str, object], key: str, allowed: tuple[int, ...], default: int) -> int:
    """A number of those a device has. Raises ValueError naming the key."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise ValueError(f"{key} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    return value


def number(table: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`. Raises ValueError naming the key."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)


def text(table: Mapping[str, object], key: str, example: str) -> str:
    """Text in quotes that must be there."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be given, text in quotes, e.g. {key} = {example!r}, got {value!r}")
    return value


def text_or_none(table: Mapping[str, object], key: str) -> str | None:
    """Text in quotes, or None where the key is not there."""
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"{key} must be text in quotes, got {value!r}")
    return value


def texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    """A list of texts; empty where the key is not there."""
    value = table.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f'{key} must be a list of texts, e.g. {key} = ["a", "b"], got {value!r}')
    return tuple(value)


def positive(table: Mapping[str, object], key: str, example: float, default: float | None = None) -> float:
    """A number above 0; it must be there unless there is a default."""
    value = table.get(key, default)
    if not _is_positive(value):
        raise ValueError(f"{key} must be a number above 0, e.g. {key} = {example:g}, got {value!r}")
    return float(value)  # type: ignore[arg-type]  # looked at above


def positives(table: Mapping[str, object], key: str) -> tuple[float, ...]:
    """A list of numbers above 0; empty where the key is not there."""
    value = table.get(key, [])
    if not isinstance(value, list | tuple) or not all(map(_is_positive, value)):
        raise ValueError(
            f"{key} must be a list of numbers above 0, e.g. {key} = [100.0, 99.2], got {value!r}"
        )
    return tuple(map(float, value))


def whole(table: Mapping[str, object], key: str, default: int, *, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{key} must be a whole number from {low} to {high}, got {value!r}")
    return value


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
