"""How much of the disk an ingest may take: a number of bytes for each of what it keeps, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .quarantine_tables import MAX_QUARANTINE_BYTES
from .space import RESERVE_BYTES

GIBIBYTE: Final = 1024**3

HISTORIAN_BYTES: Final = 64 * GIBIBYTE
"""Fifty machines of twelve channels with a block each ten minutes fill some 50 GB in five years."""

RECORDS_BYTES: Final = 4 * GIBIBYTE
"""A hundred transitions a day, of 2 kB each, are 70 MB a year; the index of 340,000 waveforms is as much."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Bytes of the historian's file, of the records', of the quarantine in them; and what stays free."""

    historian_bytes: int = HISTORIAN_BYTES
    records_bytes: int = RECORDS_BYTES
    quarantine_bytes: int = MAX_QUARANTINE_BYTES
    free_space_bytes: int = RESERVE_BYTES
