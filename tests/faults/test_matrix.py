"""docs/faults.md is whole: each of its rows says what is done, and by which test that is known."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = 75
CANNOT = "can't be tested here"
"""Stands in a row without a test, followed by the reason."""


@cache
def rows() -> dict[int, list[str]]:
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    return {int(number): [cell.strip() for cell in rest] for number, *rest in cells}


def test_every_fault_has_its_row() -> None:
    assert sorted(rows()) == list(range(1, ROWS + 1))
    assert all(len(cells) == 3 and all(cells) for cells in rows().values())


@pytest.mark.parametrize("number", range(1, ROWS + 1))
def test_a_row_says_what_is_done_and_names_tests_that_exist(number: int) -> None:
    _, done, tests = rows()[number]
    assert "to do" not in f"{done} {tests}".lower()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
    assert named or CANNOT in done
    for file, test in named:
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^((async )?def {test}\(|class {test}\b|{test} = )", source, re.MULTILINE), (
            f"{file}::{test}"
        )
