"""The limits and bearings that ship, and a plant's own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from models.detection.zones import LimitKind
from models.features.catalogue import NAMES
from palier.limits import LimitsError, load_bearings, load_limits, wrong_orders


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(text, "utf-8")
    return path


def test_every_row_has_source_edition_and_who_verified_it() -> None:
    for row in load_limits().values():
        assert row.source
        assert row.edition
        assert row.verified_by
        assert row.quantity in NAMES or row.quantity.startswith("temperature_")


def test_rows_that_nobody_has_compared_with_the_standard_say_so() -> None:
    unverified = {row.standard for row in load_limits().values() if row.verified_by == "none"}
    assert unverified == {"ISO 10816-7", "ISO 14694", "temperature practice"}


@pytest.mark.parametrize(
    ("limits_id", "kind", "values"),
    [
        ("iso20816-3:g1:rigid", LimitKind.ZONES, (2.3, 4.5, 7.1)),
        ("iso20816-3:g2:flexible", LimitKind.ZONES, (2.3, 4.5, 7.1)),
        ("iso10816-1:class1", LimitKind.ZONES, (0.71, 1.8, 4.5)),
        ("iso10816-7:cat2:over200kw", LimitKind.ZONES, (4.2, 6.1, 9.5)),
        ("iso14694:bv3:rigid", LimitKind.THREE_VALUES, (4.5, 7.1, 9.0)),
        ("iso14694:bv1:flexible", LimitKind.THREE_VALUES, (11.2, 14.0)),
        ("temperature:bearing:grease", LimitKind.TWO_VALUES, (80.0, 95.0)),
    ],
)
def test_some_rows(limits_id: str, kind: LimitKind, values: tuple[float, ...]) -> None:
    row = load_limits()[limits_id]
    assert (row.kind, row.values) == (kind, values)


def test_displacement_and_velocity_limits_meet_at_one_corner_frequency() -> None:
    """A consistency of the standard itself: at 12.5 Hz for group 1, at 10 Hz for group 2, within 2 %."""
    for name, row in load_limits().items():
        if row.displacement_um:
            corner_hz = 12.5 if ":g1:" in name else 10.0
            for mm_s, um in zip(row.values, row.displacement_um, strict=True):
                assert 2 * math.pi * corner_hz * um / 1000 == pytest.approx(mm_s, rel=0.02)


def test_bearings_have_orders_that_fit_their_rollers() -> None:
    """BPFO + BPFI is the number of rolling elements, and BPFO that number times FTF."""
    for bearing in load_bearings().values():
        elements = round(bearing.bpfo + bearing.bpfi)
        assert bearing.bpfo + bearing.bpfi == pytest.approx(elements, abs=1e-3)
        assert bearing.bpfo == pytest.approx(elements * bearing.ftf, rel=1e-3)
        assert bearing.source


def test_published_orders_are_as_published_and_estimates_say_so() -> None:
    bearings = load_bearings()
    assert bearings["6205"].orders == (3.5848, 5.4152, 2.3568, 0.39828)
    assert bearings["6309"].orders == pytest.approx((3.037, 4.963, 1.955, 0.380), abs=1e-3)
    assert bearings["22228"].bpfo == 8.21
    assert {name for name, b in bearings.items() if b.estimated} == {"NU2210", "22220", "22228", "7014C"}


def test_a_plants_row_replaces_the_shipped_one_and_answers_for_itself(tmp_path: Path) -> None:
    own = _file(
        tmp_path,
        '[[limit]]\nid = "iso20816-3:g2:rigid"\nvalues = { a_b = 1.0, b_c = 2.0, c_d = 3.0 }\n'
        'source = "acceptance test 2026"\nverified_by = "A. Alami"\n',
    )
    row = load_limits(own)["iso20816-3:g2:rigid"]
    assert row.values == (1.0, 2.0, 3.0)
    assert (row.source, row.verified_by) == ("acceptance test 2026", "A. Alami")
    assert row.support == "rigid"
    assert load_limits(own)["iso20816-3:g1:rigid"] == load_limits()["iso20816-3:g1:rigid"]


def test_a_new_row_and_a_new_bearing_of_a_plant(tmp_path: Path) -> None:
    own = _file(
        tmp_path,
        '[[limit]]\nid = "maker:p101"\nkind = "two_values"\nquantity = "temperature_c"\n'
        'values = { alert = 70, danger = 85 }\nsource = "manual"\nverified_by = "none"\n'
        '[[bearing]]\ndesignation = "6206"\nsource = "maker"\nverified_by = "none"\n'
        "orders = { bpfo = 3.572, bpfi = 5.428, bsf = 2.322, ftf = 0.397 }\n",
    )
    assert load_limits(own)["maker:p101"].values == (70.0, 85.0)
    assert load_bearings(own)["6206"].bpfo == 3.572
    assert "6205" in load_bearings(own)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[limit]]\nid = "x"\n', "source is missing"),
        (
            '[[limit]]\nid = "iso20816-3:g2:rigid"\nsource = "s"\nverified_by = "n"\nlimit = 3\n',
            "unknown key 'limit'",
        ),
        ('[[limit]]\nid = "x"\nkind = "four"\nsource = "s"\nverified_by = "n"\n', "kind must be one of"),
        (
            '[[limit]]\nid = "iso20816-3:g2:rigid"\nsource = "s"\nverified_by = "n"\n'
            "values = { a_b = 3, b_c = 2, c_d = 1 }\n",
            "must be positive and rising",
        ),
        (
            '[[limit]]\nid = "iso20816-3:g2:rigid"\nsource = "s"\nverified_by = "n"\nvalues = { a_b = 3 }\n',
            "b_c is missing",
        ),
        ('[[bearing]]\ndesignation = "1"\nsource = "s"\nverified_by = "n"\n', "orders .* or geometry"),
        (
            '[[bearing]]\ndesignation = "1"\nsource = "s"\nverified_by = "n"\n'
            "geometry = { rolling_elements = 2, element_diameter_mm = 5, pitch_diameter_mm = 4 }\n",
            "at least 3 rolling elements",
        ),
        (
            '[[limit]]\nid = "x"\nkind = "two_values"\nquantity = "velocity_mm_s"\n'
            'source = "s"\nverified_by = "n"\nvalues = { alert = 1, danger = 2 }\n',
            "quantity must be a feature or a temperature.*velocity_rms_mm_s",
        ),
        (
            '[[limit]]\nid = "x"\nkind = "two_values"\nquantity = "velocity_rms_mm_s"\n'
            'source = "s"\nverified_by = "n"\nvalues = { alert = 1, danger = 2 }\n',
            "band_hz is missing",
        ),
        (2 * '[[limit]]\nid = "iso10816-1:class1"\nsource = "s"\nverified_by = "n"\n', "stands here twice"),
        ("[[limit]\n", "is not TOML"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, sentence: str) -> None:
    for load in (load_limits, load_bearings):
        with pytest.raises(LimitsError, match=rf"limits\.toml:\d+: .*{sentence}"):
            load(_file(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LimitsError, match=r"nowhere\.toml: can't be read"):
        load_limits(tmp_path / "nowhere.toml")


def test_every_shipped_bearing_has_its_orders_in_order() -> None:
    assert not [b.designation for b in load_bearings().values() if wrong_orders(b.bpfo, b.bpfi, b.ftf)]
