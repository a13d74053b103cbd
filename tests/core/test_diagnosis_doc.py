"""docs/diagnosis.md tells the rules as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.diagnosis.severity import ACTIONS, RATIOS
from tests.support.diagnosis_doc import evidence_rows, fault_rows

DOC = (Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md").read_text("utf-8")


@pytest.mark.parametrize("row", fault_rows(), ids=lambda row: row.split("|")[1].strip())
def test_every_rule_stands_in_the_table(row: str) -> None:
    assert row in DOC.splitlines(), f"write this row:\n{row}"


@pytest.mark.parametrize("row", evidence_rows(), ids=lambda row: row.split("|")[1].strip())
def test_every_evidence_stands_in_the_table(row: str) -> None:
    assert row in DOC.splitlines(), f"write this row:\n{row}"


def test_the_ratios_and_actions_are_those_of_the_code() -> None:
    steps = " | ".join(f"{ratio:g}" for ratio in RATIOS)
    assert f"| below 2 | {steps} |" in DOC
    for level, (action, _) in ACTIONS.items():
        assert f"| {level} | {action.value}" in DOC
