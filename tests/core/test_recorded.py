"""Recorded bearings with seeded faults: their own defect stands above the floor and above the other defects.

One configuration for all: the defaults. Counts are asserted over whole sets, nothing is set for one file.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.features import Extractor, leading_defect
from models.types import BEARING_DEFECTS
from tests.support.recordings import data_folder

ORDERS_6205 = (3.5848, 5.4152, 2.3568, 0.39828)
OWN = {"OR": "bpfo", "IR": "bpfi", "B": "bsf"}
COMBS = tuple(f"{defect}_{what}" for defect in BEARING_DEFECTS for what in ("bits", "harmonics", "band_hz"))


@dataclass(frozen=True)
class Record:
    """A recording: `samples` in counts at `fs_hz`, the shaft at `speed_hz`, `fault` as its index names it."""

    name: str
    fault: str
    fs_hz: float
    speed_hz: float
    orders: tuple[float, ...]
    samples: np.ndarray

    def halves(self) -> tuple[Record, Record]:
        middle = self.samples.size // 2
        return replace(self, samples=self.samples[:middle]), replace(self, samples=self.samples[middle:])

    def row(self) -> dict[str, float]:
        extractor = Extractor(self.fs_hz, self.samples.size, features=COMBS)
        row = extractor.extract(self.samples[None, :], speed_hz=self.speed_hz, orders=self.orders)[0]
        return dict(zip(extractor.names, row.tolist(), strict=True))


def _records(folder: str, archive: str, index: str, suffix: str = "") -> Iterator[Record]:
    path = data_folder(folder, archive)
    with (path.parent / index).open(newline="", encoding="utf-8") as lines, np.load(path) as arrays:
        for entry in csv.DictReader(lines):
            if entry["file"] + suffix in arrays:
                yield _record(entry, arrays[entry["file"] + suffix])


def _record(entry: dict[str, str], samples: np.ndarray) -> Record:
    speed = float(entry["rate_hz"]) if "rate_hz" in entry else float(entry["rpm"]) / 60
    orders: tuple[float, ...] = ORDERS_6205
    if "BPFO" in entry:
        # In Hz, at the speed of the record. Of eight balls the cage line is an eighth of BPFO.
        bpfo, bpfi, bsf = (float(entry[name]) / speed for name in ("BPFO", "BPFI", "BSF"))
        orders = (bpfo, bpfi, bsf, bpfo / 8)
    return Record(entry["file"], entry["fault"], float(entry["fs"]), speed, orders, samples)


class Outcome:
    """What the faulty records of a set led to: how many there are, were found, were taken for another."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.rows = [(record.name, record.fault, record.row()) for record in records]
        leads = [(fault, leading_defect(row)) for _, fault, row in self.rows]
        self.total = Counter(fault for fault, _ in leads)
        self.found = Counter(fault for fault, lead in leads if lead and OWN.get(fault) == lead)
        self.wrong = Counter(fault for fault, lead in leads if lead and OWN.get(fault) != lead)

    @property
    def rings(self) -> int:
        """Inner and outer rings found."""
        return self.found["IR"] + self.found["OR"]

    def told(self, title: str) -> str:
        counts = (f"{f} {self.found[f]}/{n} (wrong {self.wrong[f]})" for f, n in sorted(self.total.items()))
        return f"{title}: " + ", ".join(counts)

    def __str__(self) -> str:
        return "\n".join(
            f"{name} {fault}: "
            + " ".join(f"{d} {row[f'{d}_bits']:.1f}/{row[f'{d}_harmonics']:.0f}" for d in BEARING_DEFECTS)
            for name, fault, row in self.rows
        )


def _both_halves(records: list[Record]) -> Outcome:
    return Outcome(half for record in records for half in record.halves())


def test_hit_sm_rig() -> None:
    """All 18 faulty records; the healthy ones show lines too, far weaker."""
    records = list(_records("hitsm", "mfs.npz", "index_mfs.csv"))
    whole, halves = Outcome(records), _both_halves(records)
    sys.stdout.write(f"\n{whole.told('hitsm mfs')}\n{halves.told('its halves')}\n")
    assert whole.total == {"IR": 9, "OR": 9, "N": 3}
    assert whole.rings == 18, whole
    assert halves.rings == 36, halves
    healthy = [max(row[f"{d}_bits"] for d in BEARING_DEFECTS) for _, fault, row in whole.rows if fault == "N"]
    weakest_own = min(row[f"{OWN[fault]}_bits"] for _, fault, row in whole.rows if fault in OWN)
    assert max(healthy) < weakest_own, whole
    assert whole.wrong["N"] <= 2, whole


def test_mfpt_rig() -> None:
    records = list(_records("mfpt", "mfpt.npz", "index.csv"))
    whole, halves = Outcome(records), _both_halves(records)
    sys.stdout.write(f"\n{whole.told('mfpt')}\n{halves.told('its halves')}\n")
    assert whole.total == {"IR": 5, "OR": 5}
    assert whole.rings == 10, whole
    assert halves.rings == 20, halves


def test_cwru_rig() -> None:
    """Rings at least; ball faults rarely show the ball's own line there.

    Not found: the inner rings of 28 mil (a bearing of another maker) and half of the outer rings of 14 mil.
    """
    records = list(_records("cwru", "de12.npz", "index.csv", "|DE"))
    whole, halves = Outcome(records), _both_halves(records)
    sys.stdout.write(f"\n{whole.told('cwru, drive end')}\n{halves.told('its halves')}\n")
    assert whole.total == {"B": 16, "IR": 16, "OR": 28}
    assert whole.rings >= 38, whole
    assert whole.wrong["IR"] + whole.wrong["OR"] <= 5, whole
    assert halves.rings >= 72, halves


@pytest.mark.long
def test_cwru_rig_from_the_other_end() -> None:
    """The same faults through the motor, at the sensor of its fan end."""
    records = list(_records("cwru", "de12.npz", "index.csv", "|FE"))
    whole, halves = Outcome(records), _both_halves(records)
    sys.stdout.write(f"\n{whole.told('cwru, fan end')}\n{halves.told('its halves')}\n")
    assert whole.total == {"B": 12, "IR": 12, "OR": 28}
    assert whole.rings >= 36, whole
    assert whole.wrong["IR"] + whole.wrong["OR"] == 0, whole
    assert halves.rings >= 66, halves


@pytest.mark.parametrize("end", ["DE", "FE"])
def test_the_healthy_cwru_rig_leads_to_nothing(end: str) -> None:
    (record,) = _records("cwru", "normal_48k.npz", "index.csv", f"|{end}")
    outcome = Outcome([record, *record.halves()])
    assert outcome.total == {"N": 3}
    assert not outcome.wrong, outcome


@pytest.mark.parametrize("unit", [1.0, 9.80665])
def test_the_unit_of_a_recording_does_not_matter_to_its_lines(unit: float) -> None:
    path = data_folder("hitsm", "mfs.npz")
    with np.load(path) as arrays:
        samples, scale = arrays["OR5_900"], float(arrays["OR5_900__scale"])
    extractor = Extractor(51_200.0, samples.size, features=COMBS)
    row = extractor.extract(samples[None, :], scale * unit, speed_hz=15.0, orders=ORDERS_6205)[0]
    assert leading_defect(dict(zip(extractor.names, row.tolist(), strict=True))) == "bpfo"
