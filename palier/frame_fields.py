"""What all frames have: names, units, qualities, a clock, an identity, and the errors of what is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
"""Largest encoded payload. Brokers are set to this + 64 KiB, for the topic and what MQTT adds."""

NAME_PATTERN: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,64}")
"""What a site, node, machine, point or channel may be called: safe in topics, queries and file names.

`.` and `..` are folders and no names. Use `fullmatch`.
"""

QUALITY_BAD: Final = 0
QUALITY_GOOD: Final = 192
QUALITY_STALE: Final = 500
QUALITIES: Final = (QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE)
"""Sparkplug's three quality codes (tck-id-payloads-propertyset-quality-value-value)."""

SAMPLE_DTYPES: Final = (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))

MAX_RATE_HZ: Final = 1e7
"""No accelerometer is sampled above 10 MHz."""


class FrameError(ValueError):
    """A frame that can't be one: the sentence says what, what it must be, and what it was.

    `reason` is the key under which a host counts it: schema, length, type, range, name, unit, clock or size.
    """

    def __init__(self, sentence: str, reason: str = "schema") -> None:
        super().__init__(sentence)
        self.reason = reason


class Clock(StrEnum):
    """How far a gateway's time of day can be trusted."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNSYNCED = "unsynced"


@dataclass(frozen=True, slots=True, order=True)
class FrameId:
    """The identity under which a frame is stored exactly once."""

    edge: str
    epoch: str
    seq: int


@lru_cache(maxsize=8192)
def split_channel(name: str) -> tuple[str, str]:
    """("POINT", "CHANNEL") of "POINT/CHANNEL"; FrameError where it is not of that form."""
    point, slash, channel = name.partition("/")
    if not slash:
        raise FrameError(f"a channel must be named POINT/CHANNEL, got {name[:80]!r}", "name")
    check_name(point)
    check_name(channel)
    return point, channel


@lru_cache(maxsize=8192)  # those of a plant come again with every frame; what is refused is not kept
def check_name(name: str) -> None:
    """FrameError where a site, node, machine, point or channel can't be called so."""
    if not NAME_PATTERN.fullmatch(name):
        raise FrameError(
            f"a name must match [A-Za-z0-9_.-]{{1,64}} and not be . or .., got {name[:80]!r}", "name"
        )


def check_columns(channels: tuple[str, ...], units: tuple[str, ...], qualities: tuple[int, ...]) -> None:
    """FrameError where channels, their units and their qualities do not fit together."""
    if not channels or len(set(channels)) != len(channels):
        raise FrameError(f"channels must be at least one, each once, got {channels}")
    if not len(units) == len(qualities) == len(channels):
        raise FrameError("unit and quality must have one entry for each channel", "length")
    for unit in units:
        # Printable: no control character, no lone surrogate. 16: the longest of UCUM's common ones has 9.
        if not (0 < len(unit) <= 16 and unit.isprintable()):
            raise FrameError(
                f"a unit must be 1 to 16 printable characters, or 'unknown', got {unit[:80]!r}", "unit"
            )
    if not set(qualities) <= set(QUALITIES):
        raise FrameError(f"a quality must be one of {QUALITIES}, got {qualities}", "range")


def check_time(start_ns: int) -> None:
    """FrameError where it is no time of int64."""
    # What int64 nanoseconds hold. That the clock is right is for who stores it to judge, not for who samples.
    if not 0 <= start_ns < 2**63:
        raise FrameError(f"a time must be 0 to 2^63 - 1 ns since 1970 UTC, got {start_ns}", "clock")
