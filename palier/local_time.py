"""Time zones from the newest data that is here, for everything that tells a plant's time.

A page, its scripts, a report and a message must not tell two times. zoneinfo takes the system's database, and
on a long supported system that is older than a government's last change of mind; the package tzdata (extras
`web` and `report`) is taken where it is newer.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from typing import Final

NS: Final = 10**9

YEARS: Final = 6
"""Around now: hourly values are kept for five years, and a remaining life is told in months."""

_STEP: Final = timedelta(days=7)
"""Less than the shortest spell between two changes of offset (Morocco's Ramadan: about five weeks)."""


class NoSuchZoneError(ValueError):
    """A name that no database of time zones has."""


@lru_cache(maxsize=16)
def zone_of(name: str) -> tzinfo:
    """The time zone of a name such as "Africa/Casablanca". Raises NoSuchZoneError."""
    try:
        if name in zoneinfo.available_timezones() and _package_is_newer():
            with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
                return zoneinfo.ZoneInfo.from_file(data, name)
    except OSError:  # a name that only the system has
        pass
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NoSuchZoneError(f"there is no time zone {name!r}") from error


def zone_names() -> frozenset[str]:
    """All names that there are; empty on a system without any database."""
    return frozenset(zoneinfo.available_timezones())


def local(ts_ns: int, timezone: str) -> datetime:
    """A time (ns since 1970, UTC) as the clocks of a time zone show it, to the second."""
    return datetime.fromtimestamp(ts_ns // NS, zone_of(timezone))


def offsets(timezone: str, now_ns: int) -> tuple[tuple[int, int], ...]:
    """(minutes since 1970, minutes ahead of UTC from then on) of a zone: how the years around now begin, then
    each change within them. A script tells times by it, whatever its browser knows of the zone."""
    year = local(now_ns, "UTC").year
    return _offsets(timezone, max(year - YEARS, MINYEAR + 1), min(year + YEARS, MAXYEAR - 1))


@lru_cache(maxsize=16)
def _offsets(timezone: str, first_year: int, last_year: int) -> tuple[tuple[int, int], ...]:
    zone = zone_of(timezone)
    start, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    return ((_minutes(start), _ahead(start, zone)), *_changes(start, end, zone))


def _changes(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[int, int]]:
    at = start
    while at < end:
        after = at + _STEP
        if _ahead(at, zone) != _ahead(after, zone):
            change = _change_between(at, after, zone)
            yield _minutes(change), _ahead(change, zone)
        at = after


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first minute that has the offset of `after`."""
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        before, after = (before, middle) if _ahead(middle, zone) == _ahead(after, zone) else (middle, after)
    return after


def _ahead(at: datetime, zone: tzinfo) -> int:
    aside = at.astimezone(zone).utcoffset()
    return 0 if aside is None else round(aside.total_seconds() / 60)


def _minutes(at: datetime) -> int:
    return int(at.timestamp()) // 60


@lru_cache(maxsize=1)
def _package_is_newer() -> bool:
    """Whether the package tzdata is here and newer than the system's database ("2026a" after "2025b")."""
    try:
        package = str(import_module("tzdata").IANA_VERSION)
    except (ImportError, AttributeError):
        return False
    return package > _system_version()


def _system_version() -> str:
    """The version that a system's database names, "" where it names none."""
    for folder in zoneinfo.TZPATH:
        try:
            with (Path(folder) / "tzdata.zi").open(encoding="ascii") as file:
                return file.readline().removeprefix("# version").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""
