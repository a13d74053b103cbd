"""French as it is set: spaces at which no line may end, and figures as exact as a unit deserves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dashboards.console
import palier.report
from palier.locale import Catalogue
from palier.locale.digits import digits_of
from palier.locale.spacing import UNIT, french
from palier.typesetting import typeset

BREAKABLE = re.compile(rf" [;:?!»]|« |[\d}}\u202f] (?={UNIT})")
IN_TEMPLATE = re.compile(r"(?:\}\}|</b>) (?:%|°C|kW|Hz|mm/s|m/s²)")
TEMPLATES = [
    path
    for package in (dashboards.console, palier.report)
    for path in (Path(package.__file__ or "").parent / "templates").glob("*.html")
]


def test_no_line_of_any_french_text_may_end_before_a_sign_or_a_unit() -> None:
    words, names = Catalogue("fr"), Catalogue("fr").keys()
    tables = {name.partition(".")[0] for name in names}
    texts = [text for table in tables for text in words.table(table).values()]
    assert len(texts) == len(names)
    assert not [text for text in texts if BREAKABLE.search(text)]


def test_no_template_parts_a_number_from_its_unit() -> None:
    assert len(TEMPLATES) > 30
    assert not [path.name for path in TEMPLATES if IN_TEMPLATE.search(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("Arrêt : 3 h !", "Arrêt\u00a0: 3\u00a0h\u202f!"),
        ("« palier » ; {value} mm/s", "«\u00a0palier\u00a0»\u202f; {value}\u00a0mm/s"),
        ("1\u202f485 tr/min", "1\u202f485\u00a0tr/min"),
        ("à 12:30, par {who} s'il veut", "à 12:30, par {who} s'il veut"),
    ],
)
def test_french_is_set_as_printers_do(plain: str, set_: str) -> None:
    assert french(plain) == set_
    assert french(set_) == set_


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (88.0, "°C", "88\u00a0°C"),
        (88.25, "°C", "88,2\u00a0°C"),
        (4.2, "mm/s", "4,20\u00a0mm/s"),
        (12.46, "mm/s", "12,5\u00a0mm/s"),
        (0.0312, "m/s²", "0,0312\u00a0m/s²"),
        (1485.4, "r/min", "1\u202f485\u00a0r/min"),
        (8.1, "1", "8,10"),
        (float("nan"), "°C", "–\u00a0°C"),
    ],
)
def test_each_unit_is_told_as_exactly_as_it_deserves(value: float, unit: str, told: str) -> None:
    assert Catalogue("fr").quantity(value, unit) == told
    assert 0 <= digits_of(value, unit) <= 4


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("الحد 7,1 mm/s", "الحد \u20667,1\u00a0mm/s\u2069"),
        (f"الحد {Catalogue('ar').quantity(7.1, 'mm/s')}", "الحد \u20667,10\u00a0mm/s\u2069"),
        ("الحد 7,1 mm/s RMS،", "الحد \u20667,1\u00a0mm/s\u00a0RMS\u2069،"),
        ("الحد \u206610–1000 Hz\u2069", "الحد \u206610–1000\u00a0Hz\u2069"),
    ],
)
def test_a_quantity_keeps_its_order_within_arabic(plain: str, set_: str) -> None:
    assert typeset(plain, "ar") == set_
    assert typeset(set_, "ar") == set_
