"""`palier bench core`: that it measures what it says. How fast anything is, no test asserts."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import core, extraction, peers, stages
from benchmarks.accuracy import EQUAL, deviations, find_oracle
from benchmarks.extraction import LONG, SHORT, Variant
from benchmarks.goals import AIMS, goals
from benchmarks.memory import peak_added, sliding
from benchmarks.report import Report
from benchmarks.rounds import Case, Timing, measure
from benchmarks.scipy_loop import ScipyLoop
from benchmarks.subjects import FS_HZ, MOTOR, ORDERS, SCALE, SLOW_SPINDLE, SPINDLE, blocks, counts
from benchmarks.tables import show
from models.features import CORE, Extractor
from models.features.catalogue import NAMES

TINY = core.Plan(1, 1, {SHORT: 64, LONG: 2}, (32, 64), (SHORT,))


def refuse(constant: str) -> float:
    raise AssertionError(f"JSON has no {constant}")


pytestmark = [pytest.mark.long, pytest.mark.xdist_group("bench_core")]  # one run for the file


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """What programs get, from the command itself."""
    done = subprocess.run(
        [sys.executable, "-m", "palier", "bench", "core", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout, parse_constant=refuse)
    return report


@pytest.fixture(scope="module")
def report() -> Report:
    """The same, smaller, as values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "MEMORY_WINDOWS", 64)
        return core.bench_core(TINY, quick=True, tell=lambda _: None)


def test_the_json_has_the_keys_that_programs_rely_on(printed: dict[str, Any]) -> None:
    assert {key: printed[key] for key in ("bench", "version", "quick", "rounds")} == {
        "bench": "core",
        "version": 1,
        "quick": True,
        "rounds": 2,
    }
    assert printed.keys() >= {"machine", "bare_fft", "two_threads", "memory", "sizes", "accuracy", "missing"}
    assert printed["machine"]["blas_threads"] == "1"
    assert {goal["key"] for goal in printed["goals"]} == {aim.key for aim in AIMS}
    assert all(
        goal.keys() == {"key", "what", "unit", "beside", "sense", "goal", "figure", "reference", "ratio"}
        | {"met", "note"}
        for goal in printed["goals"]
    )  # fmt: skip
    assert all({"stage", "features", "times"} <= c.keys() for s in printed["stages"] for c in s["costs"])


def test_every_ratio_is_positive_and_every_time_too(printed: dict[str, Any]) -> None:
    rows = printed["timings"] + printed["sizes"]
    assert all(row["times_b"] > 0 and row["us_per_window"] > 0 for row in rows)
    assert {(row["n_samples"], row["input"]) for row in printed["timings"]} >= {
        (n, kind) for n in (SHORT, LONG) for kind in ("float32", "int16")
    }
    assert all(row["speed_up"] > 0 for row in printed["two_threads"])
    assert all(used["allocated"] > 0 for used in printed["memory"])


def test_what_is_not_measured_says_why(printed: dict[str, Any]) -> None:
    goals_by_key = {goal["key"]: goal for goal in printed["goals"]}
    for goal in goals_by_key.values():
        assert goal["met"] is not None or goal["note"]
    assert (goals_by_key["tsfel"]["met"] is None) == ("tsfel" in printed["missing"])


def test_core_gives_all_its_features_at_the_speeds_that_are_benched(printed: dict[str, Any]) -> None:
    assert not any(row["not_given"] for row in printed["timings"] if row["key"].startswith("core"))


def test_the_goal_of_a_length_is_that_of_its_dearest_speed(report: Report) -> None:
    """Combs are searched at 165 Hz; the 4 turns of an ordinary machine hold none. Both are told."""
    rows = {row.speed_hz: row for row in report.timings if row.key.startswith("catalogue_4096_float32_numpy")}
    assert set(rows) == {SPINDLE.speed_hz, MOTOR.speed_hz}
    assert "bpfo_bits" in rows[MOTOR.speed_hz].not_given
    assert "bpfo_bits" not in rows[SPINDLE.speed_hz].not_given
    for dearer in rows:
        timings = tuple(
            row._replace(times_b=9.0 if row.speed_hz == dearer else 3.0) for row in report.timings
        )
        found = {goal.aim.key: goal for goal in goals(replace(report, timings=timings))}
        assert found["catalogue_4096"].ratio == 9.0
        assert f"{dearer:g} Hz" in found["catalogue_4096"].note
    assert {(s.n_samples, s.speed_hz) for s in report.stages} == {
        (SHORT, SPINDLE.speed_hz),
        (SHORT, MOTOR.speed_hz),
        (LONG, MOTOR.speed_hz),
    }


def test_the_stages_hold_every_feature_once(printed: dict[str, Any]) -> None:
    for apart in printed["stages"]:
        assert sum(cost["features"] for cost in apart["costs"]) == len(NAMES)


def test_clocks_around_the_stages_change_no_feature() -> None:
    variant = Variant("catalogue", SHORT, "float32", compiled=False, machine=SPINDLE)
    data = extraction.batch(40, SHORT)
    plain, counted = variant.extractor(), variant.extractor()
    clock = stages.Clock()
    stages._put_clocks(counted, clock)
    expected, got = (extraction.extract(e, data.float32, 1.0, variant.machine) for e in (plain, counted))
    np.testing.assert_array_equal(expected, got)
    assert stages.SHARED in clock.spent
    assert len(clock.spent) > 5


def test_people_see_goals_stages_and_what_to_install(report: Report) -> None:
    paper = io.StringIO()
    show(replace(report, missing=("tsfel", "tsfresh")), Console(file=paper, width=120))
    text = paper.getvalue()
    assert "core set, 4,096 samples, numpy" in text
    assert "combs" in text
    assert "pip install '.[bench]'" in text
    assert "NaN in the whole catalogue at 4,096 samples and 24.65 Hz" in text
    assert "NaN in the whole catalogue at 4,096 samples and 165 Hz" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("  NaN")) <= 200


def test_a_goal_without_its_package_is_not_measured(report: Report) -> None:
    numpy_only = replace(report, timings=tuple(row for row in report.timings if not row.compiled))
    found = {goal.aim.key: goal for goal in goals(numpy_only)}
    assert found["core_compiled"].met is None
    assert "'.[fast]'" in found["core_compiled"].note
    assert found["core"].met in {True, False}


def test_goals_are_limits_from_above_and_from_below(report: Report) -> None:
    quick = tuple(row._replace(times_b=1.0) for row in report.timings)
    found = {goal.aim.key: goal.met for goal in goals(replace(report, timings=quick))}
    assert found["core"] is True
    assert found["catalogue_102400"] is True
    assert found["loop"] is False  # as fast as ours


@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_the_scipy_loop_computes_the_same_core_set(kind: str) -> None:
    x = blocks(4, SHORT, SLOW_SPINDLE)
    samples, scale = (x, 1.0) if kind == "float32" else (counts(x), SCALE)
    speed = SLOW_SPINDLE.speed_hz
    fast = Extractor(FS_HZ, SHORT, features=CORE).extract(samples, scale, speed_hz=speed, orders=ORDERS)
    loop = ScipyLoop(FS_HZ, SHORT).table(samples, scale, speed, ORDERS)
    least = {"mean_m_s2": 1 / math.sqrt(SHORT), "skewness": math.sqrt(6 / SHORT)}
    for row, plain in zip(fast, loop, strict=True):
        assert set(plain) == set(CORE)
        for name, value in zip(CORE, row.tolist(), strict=True):
            assert value == pytest.approx(plain[name], rel=1e-3, abs=1e-3 * least.get(name, 0.0)), name


@pytest.mark.parametrize("n_samples", [SHORT, LONG])
def test_the_fast_path_is_the_oracle_to_a_thousandth(n_samples: int) -> None:
    oracle = find_oracle()
    assert oracle is not None
    passes = (False, True) if extraction.compiled_here() else (False,)
    worst = deviations(oracle, (n_samples,), passes)
    assert {found.feature for found in worst} == set(NAMES)
    far = [found for found in worst if found.rank > EQUAL]
    assert not far


def test_each_case_stands_between_two_runs_of_the_reference() -> None:
    order: list[str] = []
    cases = {name: Case(partial(order.append, name), 2) for name in ("a", "b")}
    us, timed = measure(Case(partial(order.append, "B"), 4), cases, rounds=2)
    assert "".join(order) == "Bab" + 2 * "BaBbB"
    assert us > 0
    assert {key: len(timing.ratios) for key, timing in timed.items()} == {"a": 2, "b": 2}


def test_medians_are_of_the_ratios_of_the_rounds() -> None:
    slow, fast = Timing(1.0, (2.0, 30.0, 4.0)), Timing(1.0, (1.0, 10.0, 1.0))
    assert slow.times == 4.0
    assert slow.over(fast) == 3.0
    assert Timing(1.0, (2.0,)).quartiles == (2.0, 2.0)


def test_memory_that_is_added_is_seen() -> None:
    assert 8e6 <= peak_added(lambda: np.ones(1_000_000)) < 9e6
    assert peak_added(lambda: None) < 1e5


def test_a_long_record_is_seen_as_many_windows_without_a_copy() -> None:
    windows = sliding(blocks(3, SHORT, SLOW_SPINDLE), 100)
    assert windows.shape == (100, SHORT)
    assert windows.base is not None
    np.testing.assert_array_equal(windows[1, :-1024], windows[0, 1024:][: SHORT - 1024])


def test_peers_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    assert peers.cases(blocks(1, SHORT, SLOW_SPINDLE)) == ({}, ["tsfel", "tsfresh"])
