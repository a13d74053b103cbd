"""`palier bench sensors`: its goals are judged by what was lost, used and delayed, in its own process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.machine import look
from benchmarks.sensors import Run, SensorsReport, _child

GOOD = Run(
    kind="iis3dwb",
    seconds=600.0,
    cpu_s=24.0,
    fake_cpu_s=2.0,
    peak_bytes=54_000_000,
    produced=16_000_200,
    taken=16_000_000,
    lost_by_fifo=0,
    gaps=0,
    rate_hz=26_667.0,
    waveforms=10,
    broken=0,
    failures=0,
    urgent=True,
    intervals_ms={"p50": 10.0, "p99": 11.0, "p99.9": 12.0, "max": 13.0},
)


def met(*changed: Run) -> dict[str, bool]:
    """The goals of a report whose runs are good but for these."""
    runs = {kind: replace(GOOD, kind=kind) for kind in ("iis3dwb", "beside", "mcc172")}
    runs |= {run.kind: run for run in changed}
    report = SensorsReport(look(), 0.02, tuple(runs.values()))
    return {goal: reached for goal, _, reached in report.goals()}


def test_all_is_met_by_a_good_run() -> None:
    assert all(met().values())


@pytest.mark.parametrize(
    ("changed", "goal"),
    [
        (replace(GOOD, lost_by_fifo=1), "no sample lost (iis3dwb)"),
        (replace(GOOD, kind="mcc172", gaps=1), "no sample lost (mcc172)"),
        (replace(GOOD, kind="beside", broken=1), "no sample lost (beside)"),
        (replace(GOOD, cpu_s=61.0), "at most 10% of a core"),
        (replace(GOOD, peak_bytes=61_000_000), "at most 60 MB"),
        (
            replace(GOOD, kind="beside", intervals_ms={**GOOD.intervals_ms, "p99": 15.0}),
            "a dead sensor costs the others nothing",
        ),
    ],
)
def test_what_is_not_met_is_said_and_nothing_else(changed: Run, goal: str) -> None:
    assert [name for name, reached in met(changed).items() if not reached] == [goal]


@pytest.mark.long
def test_a_gateway_of_its_own_process_measures_itself(tmp_path: Path) -> None:
    run = Run(kind="iis3dwb", **_child("iis3dwb", 5.0, tmp_path))
    # A machine that is busy may lose samples; it knows of them, and none is missing within a block.
    assert run.produced > 5 * 26_000
    assert run.taken > 0
    assert run.rate_hz == pytest.approx(26_667, rel=0.05)
    assert run.cpu_s > 0
    assert run.broken == 0
