"""The protocols on recorded bearings, with simulated ones in their place: what they count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection_bearings import PROTOCOLS
from benchmarks.detection_protocol import Figure
from tests.support.damaged_bearings import FS_HZ, N_SAMPLES, ORDERS, SPEED_HZ, damaged, in_noise
from tests.support.npz import write_npz

FAULTS = {"OR_1": ("OR", "outer"), "OR_2": ("OR", "outer"), "IR_1": ("IR", "inner"), "N_1": ("N", "")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three sets, four records each."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(1)
    blocks = {
        name: (damaged(part, 4.0, rng) if part else in_noise(np.zeros(N_SAMPLES), rng))[0]
        for name, (_, part) in FAULTS.items()
    }
    rpm, hz = 60 * SPEED_HZ, [order * SPEED_HZ for order in ORDERS]
    for name, index, head, row in (
        ("cwru", "index.csv", "file,group,fault,fs,rpm", f"{{0}},de12,{{1}},{FS_HZ},{rpm}"),
        ("hitsm", "index_rig.csv", "file,fault,fs,rpm", f"{{0}},{{1}},{FS_HZ},{rpm}"),
        (
            "mfpt",
            "index.csv",
            "file,fault,rate_hz,fs,FTF,BPFO,BPFI,BSF",
            f"{{0}},{{1}},{SPEED_HZ},{FS_HZ},1,{hz[0]},{hz[1]},{hz[2]}",
        ),
    ):
        (folder / name).mkdir()
        suffix = "|DE" if name == "cwru" else ""
        write_npz(folder / name / "rig.npz", {key + suffix: block for key, block in blocks.items()})
        rows = [row.format(key, fault) for key, (fault, _) in FAULTS.items()]
        (folder / name / index).write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return folder


def figures(data: Path, name: str) -> dict[str, Figure]:
    (protocol,) = (p for p in PROTOCOLS if p.name == f"bearings-{name}")
    return {figure.name: figure for figure in protocol.run(data)}


def test_rings_that_are_named_and_healthy_ones_that_are_not(data: Path) -> None:
    found = figures(data, "hitsm")
    assert [(f.value, f.unit, f.met) for f in found.values()] == [
        (3, "of 3", True),
        (4, "of 4", True),
        (0, "of 1", True),
    ]
    assert found["damaged part named"].always_alarm == 2
    assert found["damaged part named"].random == 1.0


def test_frequencies_of_the_index_are_the_orders(data: Path) -> None:
    assert figures(data, "mfpt")["damaged part named"].value == 3


def test_precision_coverage_and_what_leads(data: Path) -> None:
    found = figures(data, "cwru")
    assert found["part that leads is the damaged one"].value == 3
    assert found["part that leads is the damaged one"].note == "OR 2/2, IR 1/1"
    assert (found["precision of what is named"].value, found["coverage"].value) == (1.0, 1.0)
    assert found["healthy records named damaged"].value == 0
