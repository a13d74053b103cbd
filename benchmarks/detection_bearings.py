"""The protocols on recorded bearings: CWRU, HIT-SM and MFPT, each record by itself, nothing trained.

One frozen rule for all of them: that of `models.diagnosis.bearings`. The sets give no more than speed, sample
rate and bearing. Nearly all of their records are damaged, so beside the right ones stand the healthy ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import scipy.signal

from models.diagnosis.bearings import BearingFinding, diagnose_bearings
from models.diagnosis.types import Fault
from palier.limits import load_bearings
from palier.recordings import Recording, open_recordings

from .detection_protocol import Figure, Protocol

HEALTHY: Final = "N"
FAULTS: Final = {"OR": Fault.OUTER_RING, "IR": Fault.INNER_RING, "B": Fault.ROLLING_ELEMENT}
"""What the indexes call the parts; three in all, so that chance names one in three right."""

CWRU_FS_HZ: Final = 12_000.0
"""The damaged records' rate; the healthy one was recorded four times as fast."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a record: its own `fault` (None: healthy), what is `named`, what `leading`."""

    fault: Fault | None
    named: Fault | None
    leading: Fault | None


def answer(recording: Recording, orders: Sequence[float]) -> Answer:
    """Asks for the first channel of a recording, of a bearing with these orders."""
    (found,) = diagnose_bearings(
        recording.samples[:1],
        recording.fs_hz,
        speed_hz=None if recording.rpm is None else recording.rpm / 60,
        orders=orders,
    )
    fault = FAULTS.get(recording.labels["fault"])
    if not isinstance(found, BearingFinding):
        return Answer(fault, None, None)
    parts = {part: found.scores[part] for part in FAULTS.values()}
    return Answer(fault, found.fault, max(parts, key=lambda part: parts[part]))


def cwru(data: Path) -> Iterator[Figure]:
    """Drive-end damage at its own end, then the same damage heard at the other end."""
    orders = load_bearings()["6205"].orders
    ends: dict[str, list[Answer]] = {"DE": [], "FE": []}
    for record in _records(data / "cwru"):
        for end, said in ends.items():
            if record.labels["group"].startswith("de") and end in record.channels:
                said.append(answer(_at_12_khz(_one_channel(record, end)), orders))
    yield from _drive_end(ends["DE"])
    if ends["FE"]:
        yield from _other_end(ends["FE"])


def _drive_end(said: list[Answer]) -> Iterator[Figure]:
    damaged, healthy = _split(said)
    n, named = len(damaged), [one for one in damaged if one.named]
    chance, commonest = 1 / len(FAULTS), _commonest(damaged)
    right = sum(one.leading is one.fault for one in damaged)
    yield Figure(
        "part that leads is the damaged one",
        right,
        f"of {n}",
        f">= {math.ceil(46 / 60 * n)}",
        "43 of 60: envelope prototype, untrained",
        always_alarm=round(commonest * n),
        random=round(chance * n, 1),
        note=_by_fault(damaged),
    )
    yield Figure(
        "precision of what is named",
        _share(sum(one.named is one.fault for one in named), len(named)) if named else None,
        "",
        ">= 0.95",
        "1.00 at coverage 0.60: the same",
        always_alarm=round(commonest, 3),
        random=round(chance, 3),
    )
    yield Figure(
        "coverage", _share(len(named), n), "", ">= 0.65", "0.60: the same", always_alarm=1.0, random=1.0
    )
    yield Figure(
        "healthy records named damaged",
        sum(one.named is not None for one in healthy),
        f"of {len(healthy)}",
        "<= 0",
        "",
        always_alarm=len(healthy),
        random=round(len(healthy) * _share(len(named), n), 2),
    )


def _other_end(said: list[Answer]) -> Iterator[Figure]:
    damaged, _ = _split(said)
    n, named = len(damaged), [one for one in damaged if one.named]
    yield Figure(
        "at the other end: part that leads is the damaged one",
        sum(one.leading is one.fault for one in damaged),
        f"of {n}",
        always_alarm=round(_commonest(damaged) * n),
        random=round(n / len(FAULTS), 1),
        note=f"named {len(named)}, of these right {sum(one.named is one.fault for one in named)}",
    )


def hitsm(data: Path) -> Iterator[Figure]:
    """Damaged rings of a 6205 at three speeds, and the healthy bearing."""
    orders = load_bearings()["6205"].orders
    damaged, healthy = _split([answer(record, orders) for record in _records(data / "hitsm")])
    n, m = len(damaged), len(healthy)
    right = sum(one.named is one.fault for one in damaged)
    false = sum(one.named is not None for one in healthy)
    commonest, chance = _commonest(damaged), 1 / len(FAULTS)
    yield Figure(
        "damaged part named",
        right,
        f"of {n}",
        f">= {n}",
        "",
        always_alarm=round(commonest * n),
        random=round(chance * n, 1),
    )
    yield Figure(
        "right, with the healthy records",
        right + m - false,
        f"of {n + m}",
        f">= {math.floor(20 / 21 * (n + m))}",
        "",
        always_alarm=round(commonest * n),
        random=round(chance * n, 1),
    )
    yield Figure("healthy records named damaged", false, f"of {m}", "<= 0", "", always_alarm=m, random=m)


def mfpt(data: Path) -> Iterator[Figure]:
    """Damaged rings under rising load; each record brings the frequencies of its bearing."""
    said = [answer(record, _orders_of(record)) for record in _records(data / "mfpt")]
    damaged, _ = _split(said)
    n = len(damaged)
    yield Figure(
        "damaged part named",
        sum(one.named is one.fault for one in damaged),
        f"of {n}",
        f">= {n}",
        "",
        always_alarm=round(_commonest(damaged) * n),
        random=round(n / len(FAULTS), 1),
    )


def _records(folder: Path) -> Iterator[Recording]:
    """Every record of every archive of a folder that its index lists: index_NAME.csv, or index.csv."""
    for archive in sorted(folder.glob("*.npz")):
        own = folder / f"index_{archive.stem}.csv"
        index = own if own.exists() else folder / "index.csv"
        for record in open_recordings(archive, index):
            if record.labels.get("fault") in (HEALTHY, *FAULTS):
                yield record


def _one_channel(record: Recording, name: str) -> Recording:
    """One channel of a record."""
    i = record.channels.index(name)
    part = slice(i, i + 1)
    return replace(
        record, samples=record.samples[part], scale=record.scale[part], channels=record.channels[part]
    )


def _at_12_khz(record: Recording) -> Recording:
    """The record at the rate of the others of its set."""
    factor = round(record.fs_hz / CWRU_FS_HZ)
    if factor == 1:
        return record
    slower = scipy.signal.decimate(record.samples.astype(np.float64), factor, ftype="fir", axis=1)
    return replace(record, samples=slower.astype(np.float32), fs_hz=record.fs_hz / factor)


def _orders_of(record: Recording) -> tuple[float, float, float, float]:
    """Orders from the frequencies of the index. Both rings' together are the number of elements; the cage's
    is that of the outer ring over it: the index gives another, which belongs to no bearing."""
    speed_hz = (record.rpm or math.nan) / 60
    outer, inner, element = (float(record.labels[name]) / speed_hz for name in ("BPFO", "BPFI", "BSF"))
    return outer, inner, element, outer / round(outer + inner)


def _split(said: Sequence[Answer]) -> tuple[list[Answer], list[Answer]]:
    """The damaged, and the healthy."""
    return [one for one in said if one.fault], [one for one in said if not one.fault]


def _commonest(damaged: Sequence[Answer]) -> float:
    """The share of the commonest fault: what always saying it would get right."""
    return _share(max(Counter(one.fault for one in damaged).values(), default=0), len(damaged))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _by_fault(damaged: Sequence[Answer]) -> str:
    """How many of each fault are right."""
    total = Counter(label for one in damaged for label, fault in FAULTS.items() if fault is one.fault)
    right = Counter(label for one in damaged for label, f in FAULTS.items() if f is one.fault is one.leading)
    return ", ".join(f"{label} {right[label]}/{n}" for label, n in total.items())


_ABOUT: Final = (
    "Each record by itself, untrained, with one rule for all sets: bearing, speed and sample rate are all it "
    "is given. Named is what has a confidence of one half or more. Beside it always the commonest part of a "
    "set, and one of three by chance."
)

PROTOCOLS: Final = (
    Protocol("bearings-cwru", "CWRU, drive-end damage", ("cwru",), cwru, _ABOUT),
    Protocol("bearings-hitsm", "HIT-SM, damaged rings at three speeds", ("hitsm",), hitsm, _ABOUT),
    Protocol("bearings-mfpt", "MFPT, damaged rings under load", ("mfpt",), mfpt, _ABOUT),
)
