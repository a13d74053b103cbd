"""Text for people: three languages with the same keys, and a text for whatever the core can say."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from models.types import BEARING_DEFECTS, State
from palier.locale import LANGUAGES, Catalogue

FRENCH = Catalogue("fr")
KEYS = sorted(FRENCH.keys())
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("models", "palier", "edge_agent", "ingest", "dashboards", "simulators")
EMPTY = {"page.unit_none"}  # the unit of a pure number


@cache
def table(lang: str, name: str) -> Mapping[str, str]:
    return Catalogue(lang).table(name)


def raw(catalogue: Catalogue, key: str) -> str:
    """The text before its parameters are filled in."""
    name, entry = key.split(".", 1)
    return table(catalogue.lang, name)[entry]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_every_key_with_the_same_parameters(lang: str) -> None:
    other = Catalogue(lang)
    assert other.keys() == FRENCH.keys()
    assert not {key for key in KEYS if fields(raw(other, key)) != fields(raw(FRENCH, key))}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_is_empty(lang: str) -> None:
    assert {key for key in KEYS if not raw(Catalogue(lang), key).strip()} == EMPTY


@pytest.mark.parametrize("lang", LANGUAGES)
def test_only_french_has_a_blank_before_a_colon(lang: str) -> None:
    spaced = {key for key in KEYS if re.search(r"\s:", raw(Catalogue(lang), key))}
    assert bool(spaced) == (lang == "fr"), spaced


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_remedy_names_plant_toml_before_an_option(lang: str) -> None:
    # Grafana and the page show it too, to people who give no command.
    remedies = Catalogue(lang).table("remedy")
    wrong = {
        key
        for key, text in remedies.items()
        if " --" in text.replace("\u200e", " ") and not -1 < text.find("plant.toml") < text.find("--")
    }
    assert not wrong


def refusals() -> Iterator[tuple[str, str]]:
    """(reason, remedy) of every Refusal that stands in the sources as such."""
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            text = file.read_text("utf-8")
            for node in ast.walk(ast.parse(text)) if "Refusal(" in text else ():
                match node:
                    case ast.Call(
                        func=ast.Name(id="Refusal"),
                        args=[ast.Constant(value=str(reason)), ast.Constant(value=str(remedy))],
                    ):
                        yield reason, remedy


def test_every_refusal_has_a_reason_and_a_remedy_in_words() -> None:
    found = set(refusals())
    assert len(found) >= 5
    wanted = {f"refusal.{reason}" for reason, _ in found} | {f"remedy.{remedy}" for _, remedy in found}
    assert not wanted - FRENCH.keys()


def test_states_defects_and_limits_have_names() -> None:
    limits = ("A/B", "B/C", "C/D", "startup", "alarm", "shutdown", "alert", "danger")
    wanted = {f"{table}.{state}" for state in State for table in ("state", "letter")}
    wanted |= {f"defect.{name}" for name in BEARING_DEFECTS} | {f"limit.{name}" for name in limits}
    assert not wanted - FRENCH.keys()


def test_letters_tell_the_states_apart() -> None:
    letters = [FRENCH.text(f"letter.{state}") for state in State]
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize(
    ("lang", "x", "digits", "text"),
    [
        ("fr", 2.3, 1, "2,3"),
        ("fr", 1234.5, 1, "1\u202f234,5"),
        ("fr", -0.5, 2, "\u22120,50"),
        ("fr", 1485.0, 0, "1\u202f485"),
        ("en", 1234.5, 1, "1,234.5"),
        ("ar", 1234.5, 1, "1.234,5"),
        ("fr", float("nan"), 1, "–"),
    ],
)
def test_numbers_are_written_as_people_write_them(lang: str, x: float, digits: int, text: str) -> None:
    assert Catalogue(lang).number(x, digits) == text


def test_parameters_are_filled_in() -> None:
    assert FRENCH.text("cli.zone", zone="B") == "zone B"


def test_an_unknown_key_is_shown_as_it_is() -> None:
    assert FRENCH.text("refusal.never_heard_of") == "refusal.never_heard_of"


def test_arabic_runs_from_right_to_left() -> None:
    assert [Catalogue(lang).direction for lang in LANGUAGES] == ["ltr", "ltr", "rtl"]


def test_a_language_we_do_not_speak_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of fr, en, ar, got 'de'"):
        Catalogue("de")
