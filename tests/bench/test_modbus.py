"""`palier bench modbus`: what it says of a run, and one short run with real processes."""

from __future__ import annotations

import pytest

from benchmarks.machine import look
from benchmarks.modbus import CASES, MOST_SHARE, Report, Row, bench_modbus

pytest.importorskip("pymodbus", reason="pip install 'palier[modbus]'")


def report(registers_s: float, share: float, case: int = 0) -> Report:
    return Report(look(), 1.0, (Row(CASES[case], registers_s, share, 0.01, 50_000_000),))


def test_it_fails_where_registers_are_left_out_or_cost_too_much() -> None:
    assert not report(1000, MOST_SHARE).failed
    assert report(1000, MOST_SHARE + 0.01).failed
    assert report(900, 0.01).failed
    assert not report(900, 0.9, case=2).failed  # measured, and no goal


@pytest.mark.long
def test_a_real_agent_reads_a_real_device() -> None:
    told: list[str] = []
    found = bench_modbus(4.0, told.append, CASES[:1])
    assert told == [CASES[0].what]
    assert all(row.registers_s > 0 for row in found.rows)  # four seconds hold one round at least
    assert [row["must"] for row in found.as_json()["cases"]] == [True]
