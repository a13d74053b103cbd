"""`palier bench detection`: the harness, and the protocols on tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks import detection_nab, detection_skab
from benchmarks.command import bench
from benchmarks.detection import bench_detection, choose, find_protocols
from benchmarks.detection_protocol import Figure, Protocol
from benchmarks.detection_tables import markdown, number
from palier.options import CommandError
from tests.support.recordings import data_folder

RUN = CliRunner()


def protocol(name: str = "p", needs: tuple[str, ...] = (), *figures: Figure) -> Protocol:
    return Protocol(name, name.upper(), needs, lambda _: figures, "About it.")


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (">= 0.83", 0.83, True),
        (">= 0.83", 0.829, False),
        ("<= 12", 11, True),
        ("< 3", 3, False),
        ("> -1", 0, True),
        ("= 10", 10, True),
        (None, 5, None),
        ("<= 1", None, None),
    ],
)
def test_a_figure_knows_whether_it_meets_its_goal(
    goal: str | None, value: float | None, met: bool | None
) -> None:
    assert Figure("f", value, "", goal).met is met


def test_a_goal_that_nobody_can_read_and_a_figure_that_is_none_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a sense and a number"):
        Figure("f", 1, "", "about 3")
    with pytest.raises(ValueError, match="must be finite"):
        Figure("f", float("nan"), "")


def test_protocols_are_found_by_their_modules() -> None:
    found = {protocol.name for protocol in find_protocols()}
    assert {"skab-outliers", "skab-events", "skab-changepoints", "nab-temperature"} <= found


def test_a_name_that_no_protocol_has_is_said() -> None:
    with pytest.raises(CommandError, match=r"no protocol 'skab'.*skab-events"):
        choose([protocol("skab-events")], ["skab"])


def test_a_protocol_without_its_recordings_is_not_run_and_one_that_breaks_hides_no_other(
    tmp_path: Path,
) -> None:
    def broken(_: Path) -> Iterable[Figure]:
        yield Figure("half", 1, "")
        raise OSError("disk")

    one = protocol("fine", (), Figure("f", 0.5, "s", "<= 1", "0.7", 2.0, 3.0, "a note"))
    report = bench_detection(
        tmp_path, [protocol("absent", ("nowhere",)), Protocol("b", "B", (), broken), one]
    )
    absent, half, fine = report.outcomes
    assert absent.why == f"not run: nowhere is absent from {tmp_path.name}"
    assert half.why == "broke off: OSError: disk"
    assert [figure.name for figure in half.figures] == ["half"]
    assert report.failed
    assert fine.as_json()["figures"][0]["met"] is True
    card = markdown(report)
    assert "| f | 0.5 s | <= 1 | met | 2 | 3 | 0.7 |" in card
    assert "- f: a note" in card
    assert "1 of 1 goals met." in card


def test_a_folder_that_holds_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds nothing that a protocol needs: there must be folders skab"):
        bench_detection(tmp_path, [protocol("s", ("skab",))])
    with pytest.raises(CommandError, match="must be the folder"):
        bench_detection(tmp_path / "no", [])


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (16.0, "16"), (0.87184, "0.8718"), (-22_489.1, "-22,489")]
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_command_prints_a_table_and_writes_the_score_card(tmp_path: Path) -> None:
    data = data_folder()
    data_folder("skab")
    card = tmp_path / "scorecard.md"
    done = RUN.invoke(
        bench, ["detection", "--data", str(data), "--only", "skab-events", "--write", str(card)]
    )
    assert done.exit_code == 0
    assert "false episodes" in done.stdout
    assert "## SKAB events" in card.read_text("utf-8")


def by_name(protocol: Protocol) -> dict[str, dict[str, Any]]:
    report = bench_detection(data_folder(), [protocol])
    assert not report.failed, report.outcomes
    figures: list[dict[str, Any]] = json.loads(json.dumps(report.as_json()))["protocols"][0]["figures"]
    return {figure["name"]: figure for figure in figures}


@pytest.mark.long
def test_the_recorded_runs_meet_their_goals() -> None:
    data_folder("skab")
    for one in detection_skab.PROTOCOLS:
        missed = [name for name, figure in by_name(one).items() if figure["met"] is False]
        assert not missed, one.name


def test_the_recorded_temperatures_meet_their_goal() -> None:
    data_folder("nab")
    figures = by_name(detection_nab.PROTOCOL)
    assert figures["score, standard"]["met"] is True
    assert figures["score, standard"]["always_alarm"] < 0
