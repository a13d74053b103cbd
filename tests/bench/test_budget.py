"""The budget of false alerts and the power of the detector, by a small simulation of the bench's own kind."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection_budget import PROTOCOL, Change, Plan, delays, false_alerts


@pytest.mark.long
def test_a_healthy_machine_alarms_less_than_once_a_month() -> None:
    assert false_alerts(Plan(12, 0.95, 7), machines=16).per_month < 1


def test_a_large_step_is_alarmed_within_40_minutes() -> None:
    blocks = delays(Plan(6, 0.7, 7), Change(step=10.0), machines=8, blocks=30)
    assert np.median(blocks) == 3
    assert blocks.max() <= 4


def test_a_drift_is_found_although_no_block_stands_out() -> None:
    blocks = delays(Plan(6, 0.7, 7), Change(drift_per_day=1.0), machines=8, blocks=720)
    assert np.median(blocks) < 4 * 144  # at 5 σ a single feature would say so


def test_the_bench_knows_the_protocol() -> None:
    assert PROTOCOL.needs == ()
