"""`palier bench training`: what it makes of what was measured, and that it runs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.command import bench
from benchmarks.machine import look
from benchmarks.training_data import SITE, Months, history_of, plant_text, write_months
from benchmarks.training_faults import QUICK, Named
from benchmarks.training_faults import Report as Faults
from benchmarks.training_reload import Reload, _longest, _stretches, _usual
from benchmarks.training_report import Fits, Reads, Replays, Report, goals
from benchmarks.training_tables import BEGIN, END, markdown, replaced
from palier import historian
from palier.plant import parse_plant

MONTHS = Months(1, 2)
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def _report(*, quick: bool = False, reload: Reload | None = None, right: int = 6) -> Report:
    named = Named("outer_ring", 6, right, 100, 10 * right, (("outer_ring", right),))
    return Report(
        machine=look(),
        quick=quick,
        months=Months(50, 90),
        fits=Fits(150, 10.0, 19.0, 38.0, 0, 2),
        command_s=44.0,
        reads=Reads(648_000, 3.0, 2.0),
        replays=Replays(90, 38_880, 5.0, 4.0, 1),
        faults=Faults(QUICK, (named,), (named,), named),
        reload=reload,
    )


def test_goals_are_met_or_not_by_the_figures() -> None:
    swapped = Reload(9000, 8999, 1000.0, 3, 12.0, 80.0, 70.0, 2.0, 40)
    found = {goal.aim.key: goal for goal in goals(_report(reload=swapped, right=5))}
    assert {key for key, goal in found.items() if goal.met is False} == {"lost", "named", "unseen"}
    assert found["loop"].ratio == 2.0
    assert found["replay"].figure == 9.0


def test_what_was_not_measured_is_said_not_missed() -> None:
    found = {goal.aim.key: goal for goal in goals(_report(quick=True))}
    assert {found[key].met for key in ("fit", "command", "replay", "read", "lost", "pause", "taken")} == {
        None
    }
    assert found["again"].met


def test_the_page_gets_what_was_measured_between_its_marks() -> None:
    page = PAGE.read_text("utf-8")
    text = markdown(_report())
    assert text.startswith(BEGIN)
    assert replaced(replaced(page, text), text) == replaced(page, text)
    with pytest.raises(ValueError, match="must have the lines"):
        replaced("nothing", END)


def test_a_pause_is_the_longest_time_without_an_acknowledgement() -> None:
    acknowledged = np.array([*np.arange(0, 5, 0.1), *np.arange(5.5, 10, 0.1)])
    stretches = _stretches([4.0], [4.9])
    assert stretches == [(4.0, 5.9)]
    assert _longest(acknowledged, *stretches[0]) == pytest.approx(0.6, abs=0.01)
    assert _usual(acknowledged, stretches) == pytest.approx(0.1, abs=0.01)
    assert math.isnan(_usual(acknowledged, []))


def test_what_is_drawn_is_read_back_as_training_takes_it(tmp_path: Path) -> None:
    write_months(tmp_path, MONTHS)
    drawn = history_of(parse_plant(plant_text(MONTHS), file=Path("plant.toml")).machines[0], 0, MONTHS)
    with historian.open(tmp_path) as history:
        read = history.point("M-001", "1")
    assert read.site == SITE
    np.testing.assert_allclose(read.columns(drawn.names).x, drawn.x, rtol=1e-6)
    np.testing.assert_array_equal(read.context.running, drawn.context.running)


@pytest.mark.long
def test_quick_runs() -> None:
    result = CliRunner().invoke(bench, ["training", "--quick", "--json", "--quiet"], catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["bench"] == "training"
    assert {goal["key"]: goal["met"] for goal in told["goals"]}["again"]
    assert [one["fault"] for one in told["faults"]["unseen"]] == [
        one["fault"] for one in told["faults"]["held_out"]
    ]
