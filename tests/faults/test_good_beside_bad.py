"""Good frames take no longer while bad input comes in between."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest

from palier.plant import load_plant
from tests.faults.test_bad_input import CASES
from tests.host.conftest import PLANT
from tests.support.figures import tell
from tests.support.gateway import waveform
from tests.support.host_at_hand import SECOND, T0, HostAtHand, host_at_hand

pytestmark = pytest.mark.faults

ROUNDS = 300
FRAMES = 10
WARM_UP = 20
GOOD = "spBv1.0/usine/DDATA/g1/ventilateur"


def test_one_bad_message_in_ten_costs_good_ones_less_than_a_fifth(tmp_path: Path) -> None:
    """Rounds of ten frames, in turn with and without a bad message among them, from arrival to
    acknowledgement. The time of the processor is compared: what else the machine does is not in it.
    """
    (tmp_path / "plant.toml").write_text(PLANT, "utf-8")
    with host_at_hand(load_plant(tmp_path / "plant.toml"), tmp_path / "data") as host:
        host.born()
        took = _took(host, random.Random(8))
        assert len(host.acked) >= ROUNDS * FRAMES
    clean, dirty = (np.array(took[is_dirty][WARM_UP:]) for is_dirty in (False, True))
    ratios = {q: float(np.percentile(dirty, q) / np.percentile(clean, q)) for q in (50, 99)}
    tell(f"good frames beside bad input: {ratios[50]:.2f} (p50), {ratios[99]:.2f} (p99) of their time alone")
    assert ratios[50] < 1.2
    assert ratios[99] < 1.5  # of some hundred rounds it is the second longest: the collector's, as a rule


def _took(host: HostAtHand, rng: random.Random) -> dict[bool, list[float]]:
    cases = [case for name, case in CASES.items() if name != "beyond 4 MiB"]
    took: dict[bool, list[float]] = {False: [], True: []}
    seq = 0
    for k in range(ROUNDS):
        is_dirty, start_ns = bool(k % 2), T0 - 10**15 + k * 100 * SECOND
        good = [
            host.bytes_of(seq + i, waveform(start_ns + i * SECOND, machine="ventilateur"))
            for i in range(1, FRAMES + 1)
        ]
        case = rng.choice(cases)
        bad = (case.topic, case.make(host.bytes_of(seq + FRAMES + 1, case.of(start_ns))))
        seq += FRAMES + 1
        begun_s = time.thread_time()
        for i, data in enumerate(good):
            host.message(GOOD, data)
            if is_dirty and i == FRAMES // 2:
                host.message(*bad)
        host.settle()
        took[is_dirty].append(time.thread_time() - begun_s)
    return took
