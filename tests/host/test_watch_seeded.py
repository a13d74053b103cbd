"""Faults of every kind that a pump may have are found before they are half as bad as they get.

At which severity each fault of each machine is first seen: `palier bench detection --only seeded-faults`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.detection_seeded import CASES
from ingest.watch_states import ABNORMAL
from simulators.faults import HARMLESS, FaultKind
from tests.support import watched_pump as pump

HALF = 0.45
BLOCKS = 20  # three hours and more


@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES if case.machine == pump.PUMP}))
def test_a_fault_of_the_pump_is_seen_before_one_half(tmp_path: Path, kind: FaultKind) -> None:
    host = pump.learned_host(tmp_path)
    (sick,) = pump.simulated([HALF], 700, kind)
    host.commit([pump.at(sick, pump.LEARNED + k) for k in range(BLOCKS)])
    host.historian.close()
    assert host.state().judgement.state in ABNORMAL


def test_every_kind_that_does_harm_is_in_the_table() -> None:
    assert {case.kind for case in CASES} == set(FaultKind) - HARMLESS
