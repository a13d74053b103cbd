"""Recorded bearings with seeded faults: their own defect stands above the floor and above the other defects.

One configuration for all: the defaults. Counts are asserted over whole sets, nothing is set for one file.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from models.features import Extractor, leading_defect
from models.features.defects import NEEDED
from models.types import BEARING_DEFECTS
from tests.support.recordings import data_folder

ORDERS_6205 = (3.5848, 5.4152, 2.3568, 0.39828)
OWN = {"OR": "bpfo", "IR": "bpfi", "B": "bsf"}


@dataclass(frozen=True)
class Record:
    name: str
    fault: str
    row: dict[str, float]

    @property
    def own_stands_out(self) -> bool:
        """Above the floor (enough harmonics), and above every other defect."""
        own = OWN[self.fault]
        others = (self.row[f"{defect}_bits"] for defect in BEARING_DEFECTS if defect != own)
        return self.row[f"{own}_harmonics"] >= NEEDED and self.row[f"{own}_bits"] > max(others)


def _records(folder: str, archive: str, index: str, suffix: str = "") -> Iterator[Record]:
    path = data_folder(folder, archive)
    with (path.parent / index).open(newline="", encoding="utf-8") as lines, np.load(path) as arrays:
        for entry in csv.DictReader(lines):
            if entry["file"] + suffix in arrays:
                yield _record(entry, arrays[entry["file"] + suffix])


def _record(entry: dict[str, str], samples: np.ndarray) -> Record:
    speed = float(entry["rate_hz"]) if "rate_hz" in entry else float(entry["rpm"]) / 60
    orders = ORDERS_6205
    if "BPFO" in entry:
        # In Hz, at the speed of the record. Of eight balls the cage line is an eighth of BPFO.
        bpfo, bpfi, bsf = (float(entry[name]) / speed for name in ("BPFO", "BPFI", "BSF"))
        orders = (bpfo, bpfi, bsf, bpfo / 8)
    extractor = Extractor(float(entry["fs"]), samples.size)
    row = extractor.extract(samples[None, :], speed_hz=speed, orders=orders)[0]
    return Record(entry["file"], entry["fault"], dict(zip(extractor.names, row.tolist(), strict=True)))


def _count(records: list[Record]) -> tuple[Counter[str], Counter[str]]:
    faulty = [record for record in records if record.fault in OWN]
    return Counter(r.fault for r in faulty), Counter(r.fault for r in faulty if r.own_stands_out)


def _told(records: list[Record]) -> str:
    return "\n".join(
        f"{r.name} {r.fault}: "
        + " ".join(f"{d} {r.row[f'{d}_bits']:.1f}/{r.row[f'{d}_harmonics']:.0f}" for d in BEARING_DEFECTS)
        for r in records
    )


def test_hit_sm_rig() -> None:
    """All 18 faulty records; the healthy ones show lines too, of all defects alike, and far weaker."""
    records = list(_records("hitsm", "mfs.npz", "index_mfs.csv"))
    total, found = _count(records)
    assert total == {"IR": 9, "OR": 9}, _told(records)
    assert found == total, _told(records)
    healthy = [record for record in records if record.fault == "N"]
    assert len(healthy) == 3
    strongest = [max(r.row[f"{d}_bits"] for d in BEARING_DEFECTS) for r in healthy]
    weakest_own = min(r.row[f"{OWN[r.fault]}_bits"] for r in records if r.fault in OWN)
    assert max(strongest) < weakest_own, _told(records)


def test_mfpt_rig() -> None:
    records = list(_records("mfpt", "mfpt.npz", "index.csv"))
    total, found = _count(records)
    assert total == {"IR": 5, "OR": 5}
    assert found == total, _told(records)


def test_cwru_rig() -> None:
    """What is reached without any diagnosis; ball faults rarely show the ball's own line there."""
    records = list(_records("cwru", "de12.npz", "index.csv", "|DE"))
    total, found = _count(records)
    assert total == {"B": 16, "IR": 16, "OR": 28}
    assert sum(found.values()) >= 36, _told(records)
    assert found["IR"] + found["OR"] >= 33, _told(records)


@pytest.mark.parametrize("unit", [1.0, 9.80665])
def test_the_unit_of_a_recording_does_not_matter_to_its_lines(unit: float) -> None:
    path = data_folder("hitsm", "mfs.npz")
    with np.load(path) as arrays:
        samples, scale = arrays["OR5_900"], float(arrays["OR5_900__scale"])
    extractor = Extractor(51_200.0, samples.size)
    row = extractor.extract(samples[None, :], scale * unit, speed_hz=15.0, orders=ORDERS_6205)[0]
    assert leading_defect(dict(zip(extractor.names, row.tolist(), strict=True))) == "bpfo"
