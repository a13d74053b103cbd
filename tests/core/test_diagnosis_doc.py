"""docs/diagnosis.md tells the rules as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.diagnosis.severity import ACTIONS, RATIOS
from tests.support.diagnosis_doc import evidence_rows, fault_rows

DOC = (Path(__file__).resolve().parents[2] / "docs" / "diagnosis.md").read_text("utf-8")


@pytest.mark.parametrize("rows", [fault_rows(), evidence_rows()], ids=["rules", "evidence"])
def test_every_rule_and_every_evidence_stands_in_its_table(rows: list[str]) -> None:
    missing = [row for row in rows if row not in DOC.splitlines()]
    assert not missing, "write these rows:\n" + "\n".join(missing)


def test_the_ratios_and_actions_are_those_of_the_code() -> None:
    steps = " | ".join(f"{ratio:g}" for ratio in RATIOS)
    assert f"| below 2 | {steps} |" in DOC
    for level, (action, _) in ACTIONS.items():
        assert f"| {level} | {action.value}" in DOC
