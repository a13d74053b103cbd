"""How a person puts an alarm aside: on a shelf for a while, or out of service. Value types."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shelf:
    """An alarm put aside by a person until a plant time."""

    until_ns: int
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Outage:
    """An alarm taken out of service by a person."""

    since_ns: int
    by: str
    why: str
