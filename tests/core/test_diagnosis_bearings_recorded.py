"""The bearing rule on recorded bearings: one rule, nothing trained, nothing set for a record."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from models.diagnosis.bearings import BEARING_DOUBTFUL, BearingFinding, diagnose_bearings
from models.diagnosis.types import Fault
from models.types import Refusal
from tests.support.recordings import data_folder

ORDERS_6205 = (3.5848, 5.4152, 2.3568, 0.39828)
OWN = {"OR": Fault.OUTER_RING, "IR": Fault.INNER_RING, "B": Fault.ROLLING_ELEMENT}

Told = tuple[str, str, BearingFinding | Refusal]


def told(folder: str, archive: str, index: str, suffix: str = "", **more: object) -> Iterator[Told]:
    """(record, fault of the index, what is said) of a set."""
    path = data_folder(folder, archive)
    with (path.parent / index).open(newline="", encoding="utf-8") as lines, np.load(path) as arrays:
        for entry in csv.DictReader(lines):
            if (name := entry["file"] + suffix) in arrays:
                yield name, entry["fault"], _ask(entry, arrays[name], more)


def _ask(entry: dict[str, str], samples: np.ndarray, more: dict[str, object]) -> BearingFinding | Refusal:
    speed = float(entry["rate_hz"]) if "rate_hz" in entry else float(entry["rpm"]) / 60
    orders: tuple[float, ...] = ORDERS_6205
    if "BPFO" in entry:  # in Hz; of eight balls the cage is an eighth of BPFO
        outer, inner, element = (float(entry[name]) / speed for name in ("BPFO", "BPFI", "BSF"))
        orders = (outer, inner, element, outer / 8)
    arguments = {"speed_hz": speed, "orders": orders} | more
    (found,) = diagnose_bearings(samples[None, :], float(entry["fs"]), **arguments)  # type: ignore[arg-type]
    return found


def counts(found: list[Told]) -> tuple[int, int, int]:
    """(leading is the damaged part, named, named and right) of the damaged records."""
    said = [(OWN[fault], one) for _, fault, one in found if fault in OWN and isinstance(one, BearingFinding)]
    leading = sum(one.leading is own for own, one in said)
    named = [(own, one.fault) for own, one in said if one.fault]
    return leading, len(named), sum(own is fault for own, fault in named)


@pytest.mark.long
def test_cwru_rig() -> None:
    """Missed: the inner rings of 28 mil, whose combs are those of another bearing; weak balls; OR014."""
    found = list(told("cwru", "de12.npz", "index.csv", "|DE"))
    assert len(found) == 60
    leading, named, right = counts(found)
    assert leading >= 47
    assert named >= 42
    assert right == named


@pytest.mark.long
def test_cwru_rig_from_the_other_end() -> None:
    leading, named, right = counts(list(told("cwru", "de12.npz", "index.csv", "|FE")))
    assert leading >= 44
    assert named == right >= 29


def test_the_healthy_cwru_rig_is_not_named() -> None:
    ((_, fault, said),) = told("cwru", "normal_48k.npz", "index.csv", "|DE")
    assert fault == "N"
    assert isinstance(said, BearingFinding)
    assert said.confidence < 0.05


def test_hit_sm_rig() -> None:
    found = list(told("hitsm", "mfs.npz", "index_mfs.csv"))
    assert counts(found) == (18, 18, 18)
    healthy = [one for _, fault, one in found if fault == "N"]
    assert len(healthy) == 3
    assert all(isinstance(one, BearingFinding) and one.confidence < 0.3 for one in healthy)


def test_mfpt_rig() -> None:
    assert counts(list(told("mfpt", "mfpt.npz", "index.csv"))) == (10, 10, 10)


@pytest.mark.long
@pytest.mark.parametrize(
    ("orders", "doubted"), [((3.053, 4.947, 1.994, 0.3817), 12), ((8.15, 10.85, 3.47, 0.4288), 9)]
)
def test_another_bearing_than_the_rigs_is_doubted_or_left_open(
    orders: tuple[float, ...], doubted: int
) -> None:
    found = list(told("hitsm", "mfs.npz", "index_mfs.csv", orders=orders))
    kinds = Counter("doubted" if one == BEARING_DOUBTFUL else "open" for _, _, one in found)
    named = [name for name, _, one in found if isinstance(one, BearingFinding) and one.fault]
    assert kinds["doubted"] >= doubted
    assert not named
