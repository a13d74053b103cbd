"""`palier export`: files for other programs, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from palier.commands import export_files
from palier.commands.export import export
from palier.historian import history_reading
from palier.historian.folder import DataFolder
from palier.historian.history_table import Tidy
from palier.historian.sqlite import SqliteHistorian
from palier.options import CommandError
from tests.support.commands import app_of
from tests.support.stores import SECOND, Columns, rows

NOON = 1_780_056_000 * SECOND  # 29 May 2026 12:00 UTC
MINUTE = 60 * SECOND
COLUMNS = "velocity_rms_mm_s,speed_rpm,zone"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of an ingest: two machines, three blocks each, with a gap in what is known."""
    folder = DataFolder(tmp_path / "data").create()
    historian = SqliteHistorian(folder.historian)
    for machine in ("P-101", "C-201"):
        columns: Columns = {
            "velocity_rms_mm_s": np.array([2.6, np.nan, 0.1]),
            "speed_rpm": np.array([1484.25, np.nan, 1485.0]),
        }
        texts: Columns = {"zone": ["A", None, 'B,"C"'], "frame": [f"gw:e:{k}" for k in range(3)]}
        times = [NOON, NOON + 1, NOON + 2 * MINUTE]
        historian.write([rows("feature", times, {**columns, **texts}, machine=machine)])
    state: Columns = {"state": ["normal", "alert"], "severity": np.array([1, 3])}
    historian.write([rows("state", [NOON, NOON + MINUTE], state, machine="P-101", channel="")])
    historian.close()
    return folder.path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app_of(export), [str(argument) for argument in arguments])


def refused(*arguments: object) -> CommandError:
    error = run(*arguments).exception
    assert isinstance(error, CommandError), error
    return error


def left(folder: Path) -> list[str]:
    """What lies in a folder beside the data."""
    return sorted(path.name for path in folder.iterdir() if path.name != "data")


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def test_a_csv_has_its_numbers_as_they_are_and_its_units_beside_it(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "pump.csv"
    result = run(out, "--data", data, "--machine", "P-101", "--columns", COLUMNS)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 rows of feature, 7 columns\n")
    assert cells(out.read_text("utf-8")) == [
        ["time", "machine", "point", "channel", "velocity_rms_mm_s", "speed_rpm", "zone"],
        ["2026-05-29T12:00:00.000000000Z", "P-101", "palier-1", "x", "2.6", "1484.25", "A"],
        ["2026-05-29T12:00:00.000000001Z", "P-101", "palier-1", "x", "", "", ""],
        ["2026-05-29T12:02:00.000000000Z", "P-101", "palier-1", "x", "0.1", "1485.0", 'B,"C"'],
    ]
    told = json.loads((tmp_path / "pump.csv.units.json").read_text("utf-8"))
    assert (told["measurement"], told["site"], told["time"]) == ("feature", "usine", "ISO 8601, UTC")
    assert told["columns"]["velocity_rms_mm_s"]["unit"] == "mm/s"
    assert left(tmp_path) == ["pump.csv", "pump.csv.units.json"]


def test_a_gzip_holds_the_same_and_the_same_rows_are_the_same_bytes(data: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "b.csv.gz"):
        run(tmp_path / name, "--data", data, "--columns", COLUMNS)
    plain = (tmp_path / "a.csv").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == plain
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_a_parquet_has_types_units_and_nulls(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reading, "NUMBERS_AT_ONCE", 7)  # a row a piece
    pq = pytest.importorskip("pyarrow.parquet")
    run(tmp_path / "all.parquet", "--data", data, "--columns", COLUMNS)
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.num_rows == 6
    assert table["time"][1].value == NOON + 1
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert table["velocity_rms_mm_s"].to_pylist() == pytest.approx([2.6, None, 0.1] * 2)
    assert table["machine"].to_pylist() == ["C-201"] * 3 + ["P-101"] * 3
    assert str(table.schema.field("velocity_rms_mm_s").type) == "float"
    assert table.schema.field("velocity_rms_mm_s").metadata[b"unit"] == b"mm/s"
    assert table.schema.metadata[b"site"] == b"usine"
    assert left(tmp_path) == ["all.parquet"]


def test_whole_numbers_stay_whole_and_times_choose(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "state.csv"
    asked = ("--measurement", "state", "--columns", "state,severity", "--from", "2026-05-29T14:01+02:00")
    result = run(out, "--data", data, *asked, "--json")
    assert json.loads(result.stdout)["rows"] == 1
    assert cells(out.read_text("utf-8"))[1][1:] == ["P-101", "palier-1", "", "alert", "3"]


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["out.xlsx"], "must be FILE.csv, FILE.csv.gz or FILE.parquet", 2),
        (["out.csv", "--machine", "P-102"], "has no machine 'P-102' (did you mean \"P-101\"?)", 2),
        (["out.csv", "--columns", "velocity"], "'feature' has no column 'velocity'", 2),
        (["out.csv", "--measurement", "features"], "there is no measurement 'features'", 2),
        (["out.csv", "--from", "2026-05-30", "--to", "2026-05-29"], "the period is empty", 2),
        (["out.csv", "--from", "2026-06-01"], "no rows of 'feature' in that time", 1),
        (["out.csv", "--measurement", "labels"], "no rows of 'labels'", 1),
        (["nowhere/out.csv"], "can't be written: No such file or directory; nothing is left of it", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_t_be_exported_says_why_and_leaves_nothing(
    data: Path, tmp_path: Path, arguments: Sequence[str], told: str, code: int
) -> None:
    name, *options = arguments
    error = refused(tmp_path / name, "--data", data, *options)
    assert told in str(error)
    assert error.exit_code == code
    assert left(tmp_path) == []


def test_an_export_that_breaks_off_leaves_the_older_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "pump.csv"
    run(out, "--data", data, "--columns", COLUMNS)
    before = out.read_bytes()

    def full(file: object, piece: Tidy) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_files._Csv, "write", full)
    assert "No space left on device" in str(refused(out, "--data", data))
    assert out.read_bytes() == before
    assert left(tmp_path) == ["pump.csv", "pump.csv.units.json"]


def test_a_place_without_a_historian_is_a_sentence(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert f"did you mean {data}?" in str(refused(out, "--data", tmp_path))
    assert "there is no" in str(refused(out, "--data", tmp_path / "nowhere"))
    assert "give --data FOLDER, or --config FILE" in str(refused(out))
    assert refused(out, "--data", data, "--config", tmp_path / "x.toml").exit_code == 2


def test_the_settings_of_the_ingest_say_where(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "ingest.toml"
    config.write_text('data = "data"\nhost_id = "palier"\n', "utf-8")
    assert run(tmp_path / "a.csv", "--config", config, "-q").stdout == ""
    assert len(cells((tmp_path / "a.csv").read_text("utf-8"))) == 7


def test_a_time_of_day_is_told_in_utc() -> None:
    at = np.array([int(datetime(1969, 12, 31, 23, tzinfo=UTC).timestamp()) * SECOND]).view("M8[ns]")
    assert export_files._cells(at, whole=False) == ["1969-12-31T23:00:00.000000000Z"]
    assert export_files._cells(np.array(["NaT"], dtype="M8[ns]"), whole=False) == [""]
