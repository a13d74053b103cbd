"""While a server is away, its values are told as bad: at the loss, and each minute after it."""

from __future__ import annotations

from typing import Final

from palier.frames import QUALITY_BAD

from .reading_table import ReadingTable, Told

BAD_EVERY_S: Final = 60.0
"""The silence of a server must look neither like the gateway's own nor like a value that holds."""


class Absent:
    """When to tell all values of a table as bad."""

    def __init__(self, rows: ReadingTable) -> None:
        self._rows = rows
        self._told_s: float | None = None

    def told(self, now_s: float, now_ns: int) -> list[Told]:
        """Every value as bad, where that is due (`now_s` is monotonic)."""
        if self._told_s is not None and now_s - self._told_s < BAD_EVERY_S:
            return []
        self._told_s = now_s
        return [Told(row.place, None, now_ns, QUALITY_BAD) for row in self._rows.rows]

    def over(self) -> None:
        """The server is back."""
        self._told_s = None
