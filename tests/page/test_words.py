"""What people read: language, numbers, ages, names."""

from __future__ import annotations

import re

import pytest

from dashboards.console.freshness import NS
from dashboards.console.series import FEATURES, GROUPS
from dashboards.console.words import Words, choose_language, spark_path
from models.detection.zones import _MAPS
from palier.locale import LANGUAGES, Catalogue
from palier.plant import KINDS


@pytest.mark.parametrize(
    ("query", "cookie", "plant", "chosen"),
    [
        (None, None, "fr", "fr"),
        (None, None, "ar", "ar"),
        ("en", "ar", "fr", "en"),
        (None, "ar", "en", "ar"),
        (None, "xx", "en", "en"),
    ],
)
def test_the_language_is_asked_for_remembered_or_the_plants(
    query: str | None, cookie: str | None, plant: str, chosen: str
) -> None:
    assert choose_language(query, cookie, plant) == chosen


def test_a_language_that_nobody_speaks_here_is_refused() -> None:
    with pytest.raises(ValueError, match="lang must be one of fr, en, ar, got 'de'"):
        choose_language("de", None)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-2, "0\u00a0s"),
        (3, "3\u00a0s"),
        (59, "59\u00a0s"),
        (60, "1\u00a0min"),
        (3599, "59\u00a0min"),
        (7200, "2\u00a0h"),
        (200_000, "2\u00a0j"),
    ],
)
def test_ages_are_told_in_french(seconds: int, told: str) -> None:
    assert Words("fr").age(seconds * NS) == f"il y a {told}"


def test_numbers_have_a_decimal_comma_in_french_and_a_dash_when_unknown() -> None:
    words = Words("fr")
    assert words.number(2.345, 2) == "2,35"
    assert words.number(None) == "–"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (0.01234, "0,0123"),
        (3.14159, "3,14"),
        (27.18, "27,2"),
        (1234.5, "1\u202f234"),
        (None, "–"),
    ],
)
def test_values_of_all_sizes_keep_three_digits(value: float | None, told: str) -> None:
    assert Words("fr").significant(value) == told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_feature_kind_and_limit_has_a_name(lang: str) -> None:
    words = Words(lang)
    assert [name for name in FEATURES if words.feature(name) == name] == []
    assert len({words.feature(name) for name in FEATURES}) == len(FEATURES)
    assert (
        len({words.t(f"group_{group}") for group in GROUPS} - {f"page.group_{group}" for group in GROUPS})
        == 7
    )
    assert [kind for kind in KINDS if words.kind(kind) == kind and lang != "en" and kind != "machine"] == []
    names = {name for row in _MAPS.values() for name in row.names}
    assert [name for name in names if words.limit(name) == name] == []


def test_a_text_is_for_a_feature_that_there_is() -> None:
    told = {key for key in Catalogue("fr").table("page") if key.startswith("feature_")}
    assert told == {f"feature_{name}" for name in FEATURES}


def test_latin_letters_and_bands_keep_their_order_in_arabic() -> None:
    """Runs of numbers and Latin letters stand in isolates, or a sentence from right to left turns them."""
    words = Words("ar")
    bare = {name: re.sub("\u2066.*?\u2069", "", words.feature(name)) for name in FEATURES}
    assert {name: text for name, text in bare.items() if re.search("[0-9A-Za-z]", text)} == {}


def test_a_name_without_a_text_is_shown_as_it_is() -> None:
    words = Words("fr")
    assert (words.feature("new_one"), words.kind("crane"), words.limit("own"), words.unit("bar")) == (
        "new_one",
        "crane",
        "own",
        "bar",
    )


def test_units_are_those_of_the_trade() -> None:
    words = Words("fr")
    assert [words.unit(unit) for unit in ("mm/s", "mm/s peak", "r/min", "1", "m/s²")] == [
        "mm/s eff.",
        "mm/s crête",
        "tr/min",
        "",
        "m/s²",
    ]


def test_nothing_of_a_chart_is_left_in_latin_letters_for_an_arabic_reader() -> None:
    words, table = Words("ar"), Words("ar").table()
    told = [table["chart_min"], table["chart_max"], words.unit("bit")]
    assert [text for text in told if text.isascii()] == []


def test_a_small_trend_leaves_gaps_open_and_needs_two_values() -> None:
    assert spark_path([1.0]) == ""
    assert spark_path([None, None]) == ""
    path = spark_path([1.0, 2.0, None, 1.0, 2.0])
    assert path.count("M") == 2
    assert path.count("L") == 2
