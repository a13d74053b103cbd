"""The gate: what it lets through, every historian can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palier.historian.base import Rejected, Rows
from palier.historian.checking import FIRST_NS, LAST_NS, MAX_TEXT_BYTES, Checked, check
from palier.historian.schema import MEASUREMENTS, measurement
from palier.historian.shifting import SPAN_NS
from tests.support.stores import readings, rows

SINGLE = measurement("feature").fields[0].name


def column(checked: Checked, name: str) -> Any:
    return dict(zip(checked.names, checked.values, strict=True))[name]


def spectrum(lines: list[float]) -> Rows:
    return rows("spectrum", [0] * len(lines), {"line": np.array(lines)})


def test_numbers_are_of_the_precision_of_their_field() -> None:
    assert SINGLE in MEASUREMENTS["feature"].names
    features = check(rows("feature", [1], {SINGLE: np.array([0.1]), "speed_rpm": [1487.5]}))  # type: ignore[list-item]
    assert column(features, SINGLE).dtype == np.float32
    assert column(features, "speed_rpm").dtype == np.float64


def test_beyond_single_precision_is_not_known_as_infinity_is() -> None:
    checked = check(rows("feature", [1, 2, 3], {SINGLE: np.array([1e39, -np.inf, 3e38])}))
    assert np.isnan(column(checked, SINGLE)).tolist() == [True, True, False]
    assert len(checked) == 3


def test_a_time_that_influxdb_can_not_count_is_refused_alone() -> None:
    checked = check(readings([FIRST_NS - 1, FIRST_NS, LAST_NS, LAST_NS + 1], [1.0] * 4))
    assert list(checked.index) == [1, 2]
    assert checked.rejected == (Rejected(0, "time"), Rejected(3, "time"))


def test_a_text_longer_than_influxdb_takes_is_refused_alone() -> None:
    fits, beyond = "é" * (MAX_TEXT_BYTES // 2), "é" * (MAX_TEXT_BYTES // 2 + 1)
    checked = check(rows("event", [1, 2], {"event_id": ["a", "b"], "detail": [beyond, fits]}))
    assert list(checked.index) == [1]
    assert checked.rejected == (Rejected(0, "type"),)


@pytest.mark.parametrize("line", [-1.0, 0.5, np.nan, float(SPAN_NS)])
def test_a_number_of_the_key_that_can_not_move_a_time_is_refused_alone(line: float) -> None:
    checked = check(spectrum([0.0, line, SPAN_NS - 1.0]))
    assert checked.rejected == (Rejected(1, "type"),)
    assert column(checked, "line").tolist() == [0.0, SPAN_NS - 1.0]


def test_numpys_texts_become_pythons() -> None:
    checked = check(rows("event", [1, 2], {"event_id": np.array(["a", "b"]), "kind": [np.str_("c"), None]}))
    assert [type(text) for text in (*column(checked, "event_id"), *column(checked, "kind"))] == [
        str,
        str,
        str,
        type(None),
    ]


def test_columns_and_key_are_cut_to_the_good_rows_together() -> None:
    checked = check(readings([3, 2, 1], [1.0, 2.0, 3.0], frame="a/b:e:1", machine="m"))
    bad = Rows("reading", ["s", "", "s"], ["m", "m", "n"], *(["p", "q", "r"],) * 2, np.array([3, 2, 1]), {
        "value": np.array([1.0, 2.0, 3.0]), "unit": ["a", "b", "c"]})  # fmt: skip
    cut = check(bad)
    assert len(checked) == 3
    assert [list(part) for part in cut.key] == [["s", "s"], ["m", "n"], ["p", "r"], ["p", "r"], [3, 1]]
    assert column(cut, "value").tolist() == [1.0, 3.0]
    assert column(cut, "unit") == ["a", "c"]
