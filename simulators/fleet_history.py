"""A history of months, made in seconds: a data folder as an ingest leaves it, for training and trying.

make_history(Path("history"), machines=21, days=40.0, seed=7)

The folder holds historian.sqlite (features, readings, states, events), records.sqlite (alarms, verdicts,
interventions, baselines), plant.toml and truth.json: what was wrong in truth. The same seed makes the same
rows. See docs/simulators.md for what it leaves out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.catalogue import NAMES
from palier import fleet as processes
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import HOUR_NS, DirtyHour, RecordsBatch
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits

from .draws import key_of
from .fleet_blocks import Past, Stretch, past_of
from .fleet_judged import CHANNEL, Judged, judged
from .fleet_people import people
from .fleet_plan import FS_HZ, POINT, SAMPLES, SITE, Fleet, Member
from .fleet_plan import fleet as fleet_of

END_S: Final = 1_793_606_400.0
"""2026-11-02 08:00 UTC, where the past of the demonstration ends too: a date of its own, so that the same
seed is the same history."""

MACHINES: Final = 21
"""Five pumps of each fault: four to teach it, and one to ask."""
DAYS: Final = 40.0
EVERY_S: Final = 2400.0
"""36 blocks a day: in five sixths of 40 days a baseline has its 1,000, whatever stops and people take."""

MOST_MACHINES: Final = 200
PLANT_FILE: Final = "plant.toml"
TRUTH_FILE: Final = "truth.json"


Column = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: machines, blocks, alarms raised, verdicts given."""

    machines: int
    blocks: int
    alarms: int
    verdicts: int


class Exists(ValueError):
    """The folder is there already: nothing is written over."""


def make_history(
    folder: Path,
    *,
    machines: int = MACHINES,
    days: float = DAYS,
    seed: int = 0,
    every_s: float = EVERY_S,
    tell: Callable[[int, int], None] | None = None,
) -> Made:
    """Make it: machines in processes of their own, then written one after the other. `tell(done, of)`.

    What is not whole does not bear the folder's name. Raises Exists; ValueError for numbers that can't be;
    OSError and palier.historian.base.HistorianError where it can't be written.
    """
    _check(machines, days, every_s)
    if folder.exists():
        raise Exists(f"{folder} is there already: name another folder, or remove it")
    fleet = fleet_of(machines, seed=seed, start_s=END_S - 86_400 * days, end_s=END_S)
    stretches = [Stretch(m, fleet.start_s, fleet.end_s, every_s) for m in fleet.members]
    names = [m.spec.id for m in fleet.members]
    pasts: list[Past] = processes.run(past_of, stretches, names=names, progress=tell)
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        made = _write(unfinished, fleet, pasts)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return made


def _check(machines: int, days: float, every_s: float) -> None:
    if not 1 <= machines <= MOST_MACHINES:
        raise ValueError(f"machines must be from 1 to {MOST_MACHINES}, got {machines}")
    if not 0.5 <= days <= 400:
        raise ValueError(f"days must be from 0.5 to 400, got {days:g}")
    if not SAMPLES / FS_HZ <= every_s <= 86_400:
        raise ValueError(f"blocks must be {SAMPLES / FS_HZ:g} s to a day apart, got {every_s:g} s")


def _write(folder: Path, fleet: Fleet, pasts: list[Past]) -> Made:
    data = DataFolder(folder).create()
    (folder / PLANT_FILE).write_text(fleet.text, "utf-8")
    truth = [truth_of(one) for one in fleet.members]
    (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n", "utf-8")
    limits = load_limits()
    historian, records = SqliteHistorian(data.historian), Records(data.records)
    alarms = verdicts = 0
    try:
        for member, past in zip(fleet.members, pasts, strict=True):
            told = judged(member, past, limits.get(member.spec.points[0].limits or ""))
            batch = people(SITE, member, past, told, round(fleet.end_s * 1e9))
            historian.write([*rows_of(member, past, told), _events(batch)])
            records.commit(replace(batch, dirty_hours=_hours(past)))
            alarms += sum(event.detail.find('"what": "raised"') >= 0 for event in batch.transitions)
            verdicts += len(batch.verdicts)
    finally:
        historian.close()
        records.close()
    return Made(len(pasts), sum(len(past.ts_ns) for past in pasts), alarms, verdicts)


def truth_of(member: Member) -> Mapping[str, object]:
    """What was wrong with a machine in truth; times in seconds since 1970 UTC, None: never."""
    story = member.story
    return {
        "machine": member.spec.id,
        "point": POINT,
        "kind": member.spec.kind,
        "fault": None if story.fault is None else story.fault.value,
        "severity": round(story.severity, 4),
        "onset_s": story.onset_s,
        "worst_s": story.worst_s,
        "mended_s": story.mended_s,
        "other_work_s": story.changed_s,
    }


def rows_of(member: Member, past: Past, told: Judged) -> tuple[Rows, Rows, Rows]:
    """The features, temperatures and states of a past, as the ingest writes them."""
    m, name = len(past.ts_ns), member.spec.id
    frames = _frames(member, m)
    zones = [said.zone for said in told.said]
    fields: dict[str, Column] = {feature: past.features[:, i] for i, feature in enumerate(NAMES)}
    fields |= {"speed_rpm": past.speed_rpm, "load_percent": past.load_percent}
    feature = Rows(
        "feature", [SITE] * m, [name] * m, [POINT] * m, [CHANNEL] * m, past.ts_ns,
        {**fields, "zone": zones, "frame": frames},
    )  # fmt: skip
    ends_ns = past.ts_ns + round(SAMPLES / FS_HZ * 1e9)
    reading = Rows(
        "reading", [SITE] * m, [name] * m, [POINT] * m, ["T"] * m, ends_ns,
        {"value": past.temperature_c, "unit": ["°C"] * m, "frame": frames},
    )  # fmt: skip
    return feature, reading, _states(member, past, told, frames)


def _states(member: Member, past: Past, told: Judged, frames: list[str]) -> Rows:
    """A row of the point and one of the machine, which has no other point, after each block."""
    m, said = len(past.ts_ns), told.said * 2
    values = [np.nan if one.value is None else one.value for one in said]
    return Rows(
        "state",
        [SITE] * (2 * m),
        [member.spec.id] * (2 * m),
        [POINT] * m + [""] * m,
        [""] * (2 * m),
        np.tile(past.ts_ns, 2),
        {
            "state": [one.state.value for one in said],
            "judged": [None if one.judged is None else one.judged.value for one in said],
            "learning": np.array([one.learning for one in said], dtype=np.int64),
            "severity": np.array([one.severity for one in said], dtype=np.int64),
            "zone": [one.zone for one in said],
            "value": np.array(values, dtype=np.float64),
            "limit_name": [one.limits_id for one in said],
            "frame": frames * 2,
            "live": np.ones(2 * m, dtype=np.int64),
        },
    )


def _events(batch: RecordsBatch) -> Rows:
    each = batch.transitions
    return Rows(
        "event",
        [one.site for one in each],
        [one.machine for one in each],
        [one.point for one in each],
        [one.channel for one in each],
        np.array([one.ts_ns for one in each], dtype=np.int64),
        {
            name: [getattr(one, name) for one in each]
            for name in ("event_id", "kind", "state", "previous", "detail")
        },
    )


def _frames(member: Member, m: int) -> list[str]:
    """The identities that frames would have had: one gateway, one epoch a seed."""
    edge, epoch = f"{SITE}/{member.spec.id}", f"{key_of(member.seed, 'epoch'):016x}"
    return [f"{edge}:{epoch}:{seq}" for seq in range(1, m + 1)]


def _hours(past: Past) -> tuple[DirtyHour, ...]:
    """Hours that wait for their hourly rows: an ingest that opens the folder makes them."""
    hours = np.unique(past.ts_ns // HOUR_NS) * HOUR_NS
    return tuple(DirtyHour(SITE, past.machine, int(hour)) for hour in hours)
