"""How people name a model of the registry, and a version of it."""

from __future__ import annotations

from pathlib import Path

from .frames import FrameError, check_name
from .registry_journal import RegistryError


def parse_spec(text: str) -> tuple[str, int | None]:
    """What people name: "NAME" or "NAME:VERSION". Raises RegistryError."""
    name, colon, number = text.partition(":")
    try:
        check_name(name)
        if not colon:
            return name, None
        if not number.isdecimal() or int(number) < 1:
            raise ValueError(f"a version is a number from 1 on, got {number[:20]!r}")
        return name, int(number)
    except (FrameError, ValueError) as error:
        raise RegistryError(
            "bad_name",
            f"a model must be NAME or NAME:VERSION, like baselines:3: {error}",
            got=repr(text[:40]),
        ) from error


def is_name(path: Path) -> bool:
    """Whether a folder may be that of a model."""
    try:
        check_name(path.name)
    except FrameError:
        return False
    return not path.name.startswith(".")
