"""The past of a demonstration, kept for the next one."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from palier.historian.base import Rows
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant, load_sample_plant
from simulators.demo_cache import COMPUTED_BY, KEPT, Cache, CacheError, key_of
from tests.support.stores import readings, rows

PLANT: Plant = load_sample_plant()
ORIGIN_NS = 100


def blocks(machine: str) -> list[Rows]:
    """Features and a temperature of a machine, before and after the origin."""
    times = [ORIGIN_NS - 2, ORIGIN_NS - 1, ORIGIN_NS, ORIGIN_NS + 1]
    columns = {"frame": ["e:a:1"] * 4, "velocity_rms_mm_s": np.arange(4.0), "zone": ["A", None, "B", "D"]}
    where = {"site": PLANT.site_id, "machine": machine}
    warm = readings([ORIGIN_NS - 2], [50.0], **where)  # type: ignore[arg-type]
    lines = {"line": np.array([0, 1]), "amplitude": np.array([1.0, np.nan]), "frame": ["e:a:1"] * 2}
    return [
        rows("feature", times, columns, **where),
        warm,
        rows("spectrum", [ORIGIN_NS - 2] * 2, lines, **where),
    ]


@pytest.fixture
def historian(tmp_path: Path) -> Path:
    path = tmp_path / "historian.sqlite"
    one = SqliteHistorian(path)
    for machine in PLANT.machines:
        for report in one.write(blocks(machine.id)):
            assert not report.rejected
    one.close()
    return path


def test_what_was_before_the_origin_is_kept_and_comes_back(historian: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "past", "k1")
    assert not cache.restore(tmp_path / "new" / "historian.sqlite", PLANT)
    cache.keep(historian, PLANT, ORIGIN_NS)
    assert [path.name for path in cache.folder.iterdir()] == ["past-k1.sqlite"]
    assert cache.restore(tmp_path / "new" / "historian.sqlite", PLANT)
    assert [path.name for path in cache.folder.iterdir()] == ["past-k1.sqlite"]
    found = SqliteHistorian(tmp_path / "new" / "historian.sqlite")  # as an ingest opens it
    where = {"site": PLANT.site_id, "machine": "P-101"}
    features = found.read("feature", ["velocity_rms_mm_s", "zone", "frame"], **where)
    warm = found.read("reading", ["value", "unit"], **where)
    lines = found.read("spectrum", ["line", "amplitude"], **where)
    found.close()
    assert features.ts_ns.tolist() == [ORIGIN_NS - 2, ORIGIN_NS - 1]
    assert features.columns["velocity_rms_mm_s"].tolist() == [0.0, 1.0]  # type: ignore[union-attr]
    assert features.columns["zone"] == ("A", None)
    assert warm.columns["unit"] == ("°C",)
    assert np.array_equal(np.asarray(lines.columns["amplitude"]), [1.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("content", [b"", b"not a database at all", None])
def test_one_that_is_broken_or_lacks_a_machine_is_removed(
    content: bytes | None, historian: Path, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "past", "k1")
    cache.folder.mkdir()
    if content is None:
        SqliteHistorian(cache.file).close()
    else:
        cache.file.write_bytes(content)
    assert not cache.restore(tmp_path / "new.sqlite", PLANT)
    assert not cache.file.exists()
    assert not (tmp_path / "new.sqlite").exists()


def test_only_the_newest_are_kept(historian: Path, tmp_path: Path) -> None:
    for number in range(KEPT + 1):
        one = Cache(tmp_path / "past", f"k{number}")
        one.keep(historian, PLANT, ORIGIN_NS)
        os.utime(one.file, (number, number))
    Cache(tmp_path / "past", "last").keep(historian, PLANT, ORIGIN_NS)
    assert sorted(path.name for path in one.folder.iterdir()) == ["past-k2.sqlite", "past-last.sqlite"]


def test_a_folder_that_can_not_be_written_is_a_sentence(historian: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="can't be kept"):
        Cache(tmp_path / "file" / "past", "k").keep(historian, PLANT, ORIGIN_NS)


def test_the_name_follows_from_all_it_is_made_of() -> None:
    assert key_of("plant", 1) == key_of("plant", 1)
    assert len({key_of("plant", 1), key_of("plant", 2), key_of("plan", "t", 1)}) == 3


@pytest.mark.parametrize("package", ["simulators", "models", "ingest", "palier"])
def test_the_name_follows_from_the_code_that_makes_the_series(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept was scored and written by the ingest: an edit there makes another past as well."""
    for name in COMPUTED_BY:
        (tmp_path / name / "locale").mkdir(parents=True)
        (tmp_path / name / "code.py").write_text("a = 1")
    monkeypatch.setattr(resources, "files", lambda name: tmp_path / name)
    before = key_of(1)
    (tmp_path / package / "locale" / "fr.toml").write_text("words decide nothing")
    assert key_of(1) == before
    (tmp_path / package / "code.py").write_text("a = 2")
    assert key_of(1) != before
