"""Tables as people and historians write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palier.recording_formats import RecordingError
from palier.table_cells import parsed_times
from palier.table_parquet import write_columns
from palier.tables import TableNote, read_table


def written(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


PLAIN = "time,flow,pressure\n2026-03-09 10:14:33,32.5,4\n2026-03-09 10:14:34,32.25,\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "utf-8"),
        (PLAIN, "utf-8-sig"),
        (PLAIN.replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace(",", ";"), "utf-8"),
        (PLAIN.replace(",", "\t"), "utf-16"),
        (PLAIN.replace(",", ";").replace(".", ","), "cp1252"),
        (PLAIN.replace("2026-03-09 ", "09/03/2026 "), "utf-8"),
        (PLAIN.replace("time", "Horodatage").replace("2026-03-09 ", "2026-03-09T"), "utf-8"),
        (PLAIN.replace(":33", ":33Z").replace(":34", ":34+00:00"), "utf-8"),
        (PLAIN.replace(",\n", ",n/a\n"), "utf-8"),
        (PLAIN.replace("time,", "quand,"), "utf-8"),
    ],
)
def test_separator_decimals_time_and_encoding_are_recognised(
    tmp_path: Path, text: str, encoding: str
) -> None:
    table = read_table(written(tmp_path, text, encoding=encoding))
    assert table.channels == ("flow", "pressure")
    assert np.array_equal(table.rows, [[32.5, 4], [32.25, np.nan]], equal_nan=True)
    assert table.times is not None
    assert [str(t) for t in table.times] == ["2026-03-09T10:14:33.000", "2026-03-09T10:14:34.000"]
    assert table.notes == ()


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["1773051273", "1773051274"], "2026-03-09T10:14:33.000"),
        (["1773051273000", "1773051274000"], "2026-03-09T10:14:33.000"),
        (["1773051273000000000", "1773051274000000000"], "2026-03-09T10:14:33.000"),
        (["3/9/2026 9:05", "3/31/2026 9:06"], "2026-03-09T09:05:00.000"),
        (["9.3.2026 09:05:07", "31.3.2026 09:06:00"], "2026-03-09T09:05:07.000"),
        (["2026-03-09T12:14:33+02:00"], "2026-03-09T10:14:33.000"),
        (["2026-03-09T05:44:33-04:30"], "2026-03-09T10:14:33.000"),
        (["2026-03-09"], "2026-03-09T00:00:00.000"),
    ],
)
def test_times_are_read_however_they_are_written(cells: list[str], first: str) -> None:
    times = parsed_times(np.array(cells))
    assert times is not None
    assert str(times[0]) == first


@pytest.mark.parametrize(
    "cells", [["hier"], ["12"], ["2026-13-45"], ["2026-03-09", "soon"], ["1e9", "nan"], []]
)
def test_what_is_no_time_is_none(cells: list[str]) -> None:
    assert parsed_times(np.array(cells, dtype=str)) is None


def test_text_is_left_out_and_said(tmp_path: Path) -> None:
    path = written(
        tmp_path, "time,operator,flow\n2026-03-09 10:00,Anne,3\n2026-03-09 10:01,Ali,x\n2026-03-09 10:02,,4\n"
    )
    table = read_table(path)
    assert table.channels == ("flow",)
    assert table.notes == (
        TableNote("column_text", {"column": "operator"}),
        TableNote("cells_unreadable", {"column": "flow", "cells": 1}),
    )


def test_a_clock_that_goes_back_and_gaps_are_said(tmp_path: Path) -> None:
    minutes = [0, 1, 2, 3, 2, 3, 4, 5, 600, 601]
    lines = [f"2026-03-{9 + m // 1440:02} {m // 60:02}:{m % 60:02},{i}" for i, m in enumerate(minutes)]
    table = read_table(written(tmp_path, "\n".join(["time,flow", *lines]) + "\n"))
    assert table.rows[:, 0].tolist() == list(range(10))  # in the order of the file
    assert table.notes == (
        TableNote("clock_back", {"times": 1, "row": 5}),
        TableNote("clock_gaps", {"times": 1, "longest": "10 h"}),
    )


def test_a_table_without_times_is_counted(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "flow;pressure\n1,5;2\n2,5;3\n"))
    assert table.rows.tolist() == [[1.5, 2], [2.5, 3]]
    assert table.notes == (TableNote("time_none", {}),)
    with pytest.raises(RecordingError, match="give --fit-rows"):
        table.rows_until(np.datetime64("2026-03-09"))


def test_times_that_nobody_can_read_are_said(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "time,flow\nmonday,1\ntuesday,2\n"))
    assert table.times is None
    assert table.channels == ("flow",)
    assert table.notes == (TableNote("time_unreadable", {"column": "time", "got": "monday"}),)


def test_columns_can_be_chosen_and_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "time,a,b,c\n2026-03-09,1,2,3\n")
    assert read_table(path, columns=("c", "a")).channels == ("c", "a")
    assert read_table(path, ignore=("a",)).channels == ("b", "c")


def test_rows_until_a_moment_include_it(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, PLAIN))
    assert table.rows_until(np.datetime64("2026-03-09T10:14:33")) == 1
    assert table.rows_until(np.datetime64("2027-01-01")) == 2


def test_a_last_line_that_is_still_being_written_is_left_out_and_said(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, PLAIN + "2026-03-09 10:1"))
    assert len(table) == 2
    assert table.notes == (TableNote("rows_cut", {}),)


def test_numbers_without_a_header_are_named_by_their_place(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "1,2\n3,4\n"))
    assert table.channels == ("1", "2")
    assert table.rows.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("", {}, "is empty"),
        ("a,b\n", {}, "holds a header and no row"),
        ("name\nx\ny\n", {}, "holds no column of numbers"),
        ("a,b\n1,2\n1,2,3\n1,2\n", {}, "row 2 after the header must have 2 cells like it, got 3"),
        ("a,a\n1,2\n", {}, "two columns are called 'a'"),
        ("flow\n1\n", {"time": "tme"}, "has no column 'tme'; it has flow"),
        ("flow\n1\n", {"columns": ("flo",)}, "has no column 'flo'.*flow"),
        ("flow,t0\n1,x\n", {"time": "t0"}, "time column t0 must hold times like .* got 'x'"),
        ("PAR1\0\0", {}, "is binary"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, options: dict[str, str], sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RecordingError, match=sentence) as caught:
        read_table(path, **options)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such file"):
        read_table(tmp_path / "x.csv")
    with pytest.raises(RecordingError, match="is a folder"):
        read_table(tmp_path)


def test_parquet_is_read_like_text(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    times = np.array(["2026-03-09T10:14:33", "2026-03-09T10:14:34"], dtype="datetime64[ms]")
    write_columns(path, {"when": times, "flow": np.array([1.5, np.nan]), "who": np.array(["a", "b"])})
    table = read_table(path)
    assert table.time == "when"
    assert np.array_equal(table.rows, [[1.5], [np.nan]], equal_nan=True)
    assert table.notes == (TableNote("column_text", {"column": "who"}),)
    path.write_bytes(b"no parquet")
    with pytest.raises(RecordingError, match="is no Parquet file"):
        read_table(path)
