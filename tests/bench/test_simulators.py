"""The bench of the simulated plant: its diagnoses are right, its page can be written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.command import simulators
from benchmarks.simulators import LADDERS, Report, Speed, Verdict, bench_simulators
from benchmarks.simulators_levels import SEVERITIES, Sound, diagnosed, point_of
from benchmarks.simulators_tables import BEGIN, END, markdown, replaced
from models.types import Refusal
from palier.options import CommandError
from simulators.faults import BEARING_KINDS, FaultKind
from tests.support.commands import app_of
from tests.support.simulated import plant

PAGE = Path(__file__).parents[2] / "docs" / "simulators.md"


def leading(machine: str, point: str, kind: FaultKind | None, severity: float = 0.5) -> str:
    found = diagnosed(*point_of(plant(), machine, point), kind, severity)
    assert not isinstance(found, Refusal)
    return found[0].fault.value if found else ""


@pytest.mark.parametrize(
    ("machine", "point", "kind"),
    [
        ("P-101", "2", FaultKind.OUTER_RING),
        ("P-101", "2", FaultKind.CAVITATION),
        ("L-401", "1", FaultKind.GEAR_WEAR),
    ],
)
def test_a_fault_is_led_by_its_own_name(machine: str, point: str, kind: FaultKind) -> None:
    assert leading(machine, point, kind) == kind.value


def test_a_sound_machine_is_led_by_nothing_and_stones_by_no_bearing() -> None:
    assert leading("P-101", "2", None) == ""
    assert leading("P-101", "2", FaultKind.SLURRY_SHOCKS, 1.0) not in BEARING_KINDS


def report() -> Report:
    sound = Sound(2.3, 2.2, 3.0, 4.4, math.nan, 1.1, math.nan, math.nan, 52.0)
    ladders = {key: (sound,) * len(SEVERITIES) for key in LADDERS}
    verdicts = (
        Verdict("P-101", "2", FaultKind.CAGE, "cage", 0.98),
        Verdict("P-101", "2", FaultKind.BELT, "unbalance", 0.6),
        Verdict("P-101", "2", FaultKind.SLURRY_SHOCKS, "unidentified", 1.0),
        Verdict("P-101", "2", None, "", 0.0),
    )
    return Report((Speed("in good order", 14.2, 281.0),), {("P-101", "1"): sound}, ladders, verdicts)


def test_the_page_says_what_was_measured_beside_what_is_expected() -> None:
    page = markdown(report())
    assert "| in good order | 14.2 | 281 |" in page
    assert "| P-101/1 | 2.30 | 2.2 | 3.0 | 4.4 | – | 1.10 | – | – | 52 | 2.3 / 2.2 / 52 |" in page
    assert "| 0.25 | 2.30 (2.29) |" in page
    assert "3 of 4 are right" in page
    assert "| P-101/2 | belt | unbalance | 0.60 | **no** |" in page


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(page, "new") == "before\nnew\nafter\n"
    with pytest.raises(ValueError, match="must have the lines"):
        replaced("no marks", "new")


def test_the_page_in_docs_can_be_written() -> None:
    text = PAGE.read_text("utf-8")
    assert BEGIN in replaced(text, markdown(report()))


def test_a_page_that_can_not_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks", "utf-8")
    for arguments, sentence in (
        (("--write", str(page)), "must have the lines"),
        (("--write", str(tmp_path / "none.md")), "can't be read"),
        (("--quick", "--write", str(PAGE)), "leave out --quick"),
    ):
        with pytest.raises(CommandError, match=sentence):
            CliRunner().invoke(app_of(simulators), arguments, catch_exceptions=False)


def test_a_report_is_json_without_what_is_not_a_number() -> None:
    json.dumps(report().as_json(), allow_nan=False)


def test_quick_measures_speed_alone() -> None:
    found = bench_simulators(quick=True, tell=lambda what: None)
    assert [speed.what for speed in found.speeds] == ["in good order", "outer_ring", "cavitation"]
    assert all(speed.ratio > 0 for speed in found.speeds)
    assert "###" not in markdown(found)
    assert found.as_json()["diagnoses"] == []
