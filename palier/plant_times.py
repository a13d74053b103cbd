"""Times on the command line: on the plant's clocks, whichever computer tells them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from .local_time import NS, NoSuchZoneError, zone_of

if TYPE_CHECKING:
    from .locale import Catalogue


@dataclass(frozen=True, slots=True)
class Times:
    """Tells times (ns since 1970, UTC) in a time zone; `zone` None is that of this computer."""

    name: str = ""
    zone: tzinfo | None = None

    def text(self, ts_ns: int) -> str:
        """A time to the minute: 2026-11-22 14:32."""
        return f"{self._at(ts_ns):%Y-%m-%d %H:%M}"

    def to_the_second(self, ts_ns: int) -> str:
        """The same to the second."""
        return f"{self._at(ts_ns):%Y-%m-%d %H:%M:%S}"

    def note(self, words: Catalogue) -> str:
        """Whose clocks these times are on."""
        return words.text("cli.times_plant", zone=self.name) if self.zone else words.text("cli.times_own")

    def ns(self, text: str) -> int:
        """The time that a person wrote, of this zone where it names none. Raises ValueError, OverflowError or
        OSError."""
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=self.zone) if at.tzinfo is None else at
        return round(at.timestamp()) * NS

    def _at(self, ts_ns: int) -> datetime:
        return datetime.fromtimestamp(ts_ns // NS, UTC).astimezone(self.zone)


def times_of(data: Path | None) -> Times:
    """The times of the plant whose ingest keeps this data folder; of this computer where it noted none."""
    from .historian.folder import DataFolder

    return times_in(DataFolder(data).timezone if data else "")


def times_in(timezone: str) -> Times:
    """The times of a time zone; of this computer for one that it does not know."""
    try:
        return Times(timezone, zone_of(timezone)) if timezone else Times()
    except NoSuchZoneError:
        return Times()
