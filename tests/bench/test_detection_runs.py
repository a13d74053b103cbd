"""Runs to failure and regimes left out: how alarms are counted, and what the recordings give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import detection_gearbox, detection_ims, detection_ldm, detection_uestc
from benchmarks.detection_left_out import FEW_OUT, HEALTHY, MOST_SPLITS, blocks, figures, splits
from benchmarks.detection_protocol import Figure
from benchmarks.detection_runs import SUSTAINED, Life, learned_rows, random_early, random_leads_s
from models.detection.context import Context
from tests.support.recordings import data_folder


def life(alarm: Iterable[int], *, first: int = 10) -> Life:
    level = np.array(list(alarm), dtype=np.int8)
    return Life("one", 60.0 * np.arange(float(first + level.size)), first, level)


def test_leads_run_from_the_first_alarm_and_from_the_one_that_stands() -> None:
    one = life([0, 0, 2, 2, 0, 1, 1, 1, 1, 1])
    assert one.starts().tolist() == [12, 15]
    assert one.lead_s() == 7 * 60
    assert one.standing_s() == 4 * 60
    assert one.lead_s(one.level >= 2) == 7 * 60
    assert one.early(0.7) == 1


def test_without_an_alarm_there_is_no_lead() -> None:
    calm = life([0] * 10)
    assert calm.lead_s() is None
    assert calm.standing_s() is None
    assert life([1, 0, 0]).standing_s() is None
    assert calm.lead_s(calm.always()) == 9 * 60


def test_a_random_detector_needs_as_many_in_a_row() -> None:
    rare = life([1] * 10 + [0] * 990)
    assert max(max(draw) for draw in random_leads_s([rare])) == 0
    assert all(draw == [0] for draw in random_early([rare], 1.0))
    often = life([1] * 1000, first=0)
    on = often.at_random(np.random.default_rng(0))
    assert on.tolist() == [False] * (SUSTAINED - 1) + [True] * (1000 - SUSTAINED + 1)


def test_a_baseline_is_learned_of_as_few_rows_as_the_rule_allows() -> None:
    times = 600.0 * np.arange(1500.0)
    features = np.ones((1500, 1))
    assert learned_rows(features, Context(times, running=np.arange(1500) >= 30)) == 1030
    assert learned_rows(features[:900], Context(times[:900])) is None


def made(regimes: int) -> dict[tuple[str, float], np.ndarray]:
    rng = np.random.default_rng(1)
    shifts = 0.2 * rng.standard_normal((regimes, 6))
    healthy = {(HEALTHY, float(i)): s + 0.1 * rng.standard_normal((25, 6)) for i, s in enumerate(shifts)}
    return healthy | {("broken", i): rows + 4.0 for (_, i), rows in healthy.items()}


def test_every_split_judges_only_what_it_did_not_learn() -> None:
    for run in splits(made(4), 2):
        assert {regime for _, regime in run.counts} == {0, 1, 2, 3} - set(run.learned)
        assert all(windows == 25 for windows, _ in run.counts.values())
    assert len(splits(made(4), 2)) == 6
    assert len(splits(made(9), 4)) == MOST_SPLITS


def test_goals_hold_where_one_or_two_regimes_are_left_out() -> None:
    found = list(figures(made(5), least=3, what="loads", worst="<= 2"))
    goals = {figure.name.split(" of ")[0] for figure in found if figure.goal is not None}
    assert goals == {str(5 - out) for out in range(1, FEW_OUT + 1)}
    assert all(figure.met for figure in found if figure.goal is not None)


def test_windows_drop_the_rest_of_a_record() -> None:
    assert blocks(np.arange(10), 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def found(run: Callable[[Path], Iterable[Figure]], *folder: str) -> dict[str, Figure]:
    return {figure.name: figure for figure in run(data_folder(*folder).parent)}


def unmet(of: dict[str, Figure]) -> list[tuple[str, float | None]]:
    return [(figure.name, figure.value) for figure in of.values() if figure.met is False]


@pytest.mark.long
def test_ims_failures_are_told_days_before_and_nothing_too_early() -> None:
    of = found(detection_ims.run, "ims_features")
    assert unmet(of) == []
    assert sum(figure.goal is not None for figure in of.values()) == 5
    assert of["failing bearings, alarms in the first half"].value == 0
    assert of["other bearings, alarms in the first half"].value == 1


@pytest.mark.long
def test_every_ldm_bearing_is_alarmed_in_time() -> None:
    of = found(detection_ldm.run, "ldm")
    assert unmet(of) == []
    assert of["bearings alarmed, of 8"].value == 8
    assert of["alarmed before 30 % of life"].value == 0


@pytest.mark.parametrize(
    ("run", "folder", "learned"),
    [(detection_uestc.run, "uestc", ["1"]), (detection_gearbox.run, "gearbox_sq", ["4", "3"])],
)
def test_faults_are_found_in_regimes_that_were_not_learned(
    run: Callable[[Path], Iterable[Figure]], folder: str, learned: list[str]
) -> None:
    judged = [figure for figure in found(run, folder).values() if figure.goal is not None]
    assert list(dict.fromkeys(figure.name.split()[0] for figure in judged)) == learned
    assert {figure.value for figure in judged if "hit rate" in figure.name} == {1.0}
    assert {figure.value for figure in judged if "hit rate" not in figure.name} == {0.0}
