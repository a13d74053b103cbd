"""docs/security.md names tests and pages that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_what_it_names_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) > 30
    for file, test in set(named):
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), f"{file}::{test}"


def anchor(heading: str) -> str:
    """As a web page of the repository names it."""
    return "#" + re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def test_what_it_links_to_is_there() -> None:
    for page, place in re.findall(r"\]\((\w[\w-]*\.md)(#[\w-]+)?\)", TEXT):
        text = (ROOT / "docs" / page).read_text("utf-8")
        headings = map(anchor, re.findall(r"^#+ (.+)", text, re.MULTILINE))
        assert not place or place in headings, (page, place)


def test_each_requirement_has_a_test_or_a_gap() -> None:
    rows = re.findall(r"^\| (CR [^|]+)\|[^|]+\|([^|]+)\|$", TEXT, re.MULTILINE)
    assert len(rows) >= 20
    assert [name for name, last in rows if "::" not in last and "gap" not in last] == []
