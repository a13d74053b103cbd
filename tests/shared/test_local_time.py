"""Plant-local times: one answer, from the newest database that is here."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tzdata
from hypothesis import given
from hypothesis import strategies as st

from palier import local_time
from palier.local_time import NS, NoSuchZoneError, local, offsets, zone_of
from palier.plant_times import times_in
from tests.support.local_times import told_by

NOVEMBER_NS = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * NS
ZONES = ("Africa/Casablanca", "Europe/Paris", "America/St_Johns", "Asia/Tokyo", "UTC")


def _forget() -> None:
    for cached in (local_time.zone_of, local_time._package_is_newer, local_time._offsets):
        cached.cache_clear()


@pytest.mark.parametrize(("system", "hour"), [("2025b", 12), ("9999a", 13)])
def test_the_newer_of_package_and_system_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, hour: int
) -> None:
    """Morocco left UTC+1 in 2026, which a system's database of the year before does not know."""
    if tzdata.IANA_VERSION < "2026f":
        pytest.skip("the package tzdata is older than the change: update it")
    (tmp_path / "Africa").mkdir()
    (tmp_path / "tzdata.zi").write_text(f"# version {system}\n")
    rules = b"TZif2" + b"\0" * 15 + (0).to_bytes(4) * 3 + (0).to_bytes(4) + (1).to_bytes(4) + (4).to_bytes(4)
    one = (3600).to_bytes(4) + b"\0\0" + b"+01\0"
    (tmp_path / "Africa" / "Casablanca").write_bytes(rules + one + rules + one + b"\n<+01>-1\n")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    zoneinfo.ZoneInfo.clear_cache()
    _forget()
    try:
        assert local(NOVEMBER_NS, "Africa/Casablanca").hour == hour
    finally:
        zoneinfo.reset_tzpath(before)
        zoneinfo.ZoneInfo.clear_cache()
        _forget()


@given(zone=st.sampled_from(ZONES), aside_min=st.integers(-2_600_000, 2_600_000))
def test_the_offsets_tell_what_the_zone_tells(zone: str, aside_min: int) -> None:
    at = datetime.fromtimestamp(NOVEMBER_NS // NS, UTC) + timedelta(minutes=aside_min)
    assert told_by(offsets(zone, NOVEMBER_NS), at) == at.astimezone(zone_of(zone)).replace(tzinfo=None)


@pytest.mark.parametrize("name", ["", "../etc/passwd", "Africa", "Africa/Agadirr"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(NoSuchZoneError, match="there is no time zone"):
        zone_of(name)


def test_a_time_that_a_person_wrote_is_the_plants_unless_it_names_a_zone() -> None:
    plant = times_in("Africa/Casablanca")
    assert plant.ns("2026-07-14T08:30") == plant.ns("2026-07-14T07:30+00:00")
    assert plant.text(plant.ns("2026-07-14T08:30")) == "2026-07-14 08:30"
    assert times_in("nowhere") == times_in("")
