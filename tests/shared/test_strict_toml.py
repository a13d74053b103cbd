"""Strict reading: every mistake, at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from palier.strict_toml import ConfigError, did_you_mean, parse_toml, read_toml


def test_all_mistakes_are_told_in_order_of_line() -> None:
    document = parse_toml('rate = "fast"\nextra = 1\n[broker]\nport = true\nhots = "x"\n', "agent.toml")
    root = document.root()
    root.number("rate", 1.0)
    broker = root.table("broker")
    broker.integer("port", 1883)
    broker.text("host", "127.0.0.1")
    with pytest.raises(ConfigError) as caught:
        document.refuse()
    assert str(caught.value).splitlines() == [
        "agent.toml:1: rate must be a number, got 'fast'",
        "agent.toml:2: unknown key 'extra' (known: broker, rate)",
        "agent.toml:4: port must be a whole number, got True",
        "agent.toml:5: unknown key 'hots' in [broker] (did you mean \"host\"?)",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "f: name is missing"),
        ("name = 3", "f:1: name must be text in quotes, got 3"),
        ('name = ""', "f:1: name must not be empty"),
        ('name = "a b"', "f:1: name must be 1 to 64 of A-Z a-z 0-9 _ . - without blanks, got 'a b'"),
        (f'name = "{"x" * 65}"', "f:1: name must be 1 to 64"),
    ],
)
def test_a_name_is_checked(text: str, sentence: str) -> None:
    document = parse_toml(text, "f")
    document.root().name("name")
    with pytest.raises(ConfigError) as caught:
        document.refuse()
    assert str(caught.value).startswith(sentence)


def test_one_mistake_is_told_once() -> None:
    document = parse_toml("name = 3\nsamples = 5.0", "f")
    root = document.root()
    root.name("name")
    root.integer("samples", low=2)
    with pytest.raises(ConfigError) as caught:
        document.refuse()
    assert caught.value.sentences() == [
        "f:1: name must be text in quotes, got 3",
        "f:2: samples must be a whole number, got 5.0",
    ]


def test_the_mark_that_windows_editors_write_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_toml(tmp_path / "f.toml").root().integer("x") == 1


@pytest.mark.parametrize(
    "written", ["inf", "nan", "0", "-1", "true", '"2"', "[2]", "1" + "0" * 400, "0x" + "f" * 5000]
)
def test_a_number_is_finite_and_above_its_bound(written: str) -> None:
    document = parse_toml(f"x = {written}", "f")
    assert document.root().number("x", above=0) is None
    with pytest.raises(ConfigError, match=r"^f:1: x must be"):
        document.refuse()


def test_a_table_that_is_none_is_a_mistake_and_reads_as_empty() -> None:
    document = parse_toml("broker = 1\nsource = [1]", "f")
    root = document.root()
    assert "host" not in root.table("broker")
    assert root.array("source") == []
    with pytest.raises(ConfigError) as caught:
        document.refuse()
    assert [m.line for m in caught.value.mistakes] == [1, 2]


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = ", 2), ("a = 1\na = 2", 2), ("[x\n", 1), ('a = "open', 1), ("a = {\n", 1)]
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        parse_toml(text, "f")
    assert caught.value.mistakes[0].line in {line, line + 1}  # tomllib names the place where it gave up


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000])
def test_what_nobody_can_mean_is_told_and_not_followed(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^f: can't be followed: numbers must be shorter"):
        parse_toml(f"x = {value}", "f")


def test_a_file_that_is_absent_or_not_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigError, match="must be UTF-8"):
        read_toml(tmp_path / "latin.toml")


def test_near_names_are_suggested_whatever_their_case() -> None:
    assert did_you_mean("NU 2210", ["NU2210", "6205"]) == ' (did you mean "NU2210"?)'
    assert did_you_mean("zzz", ["NU2210"]) == ""


def test_names_of_the_same_family_are_suggested_first() -> None:
    known = ["iso14694:bv1:rigid", "iso20816-3:g1:rigid", "iso10816-1:class1", "iso10816-7:cat1:upto200kw"]
    assert did_you_mean("iso10816-7:cat9", known).startswith(' (did you mean "iso10816-7:cat1:upto200kw"')
