"""Alarms in the records, as the ingest would have written them: for tests of what shows them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from palier.alarm_aside import Outage, Shelf
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode, Priority, What
from palier.frames import FrameId
from palier.historian.records import Records
from palier.historian.rows import (
    AlarmRow,
    BaselineRow,
    InterventionRow,
    LedgerReceipt,
    QuarantineRow,
    RecordsBatch,
    Transition,
)
from palier.operations import Baseline, BaselineStatus
from palier.wire.messages import LedgerReport
from tests.support.seeding import NOW_NS, NS

SITE = "khouribga"
HOUR_NS = 3600 * NS
VELOCITY = "velocity_rms_mm_s"


def alarm(
    machine: str,
    point: str = "1",
    mode: Mode = Mode.VIBRATION,
    level: Level = Level.ALERT,
    *,
    age_ns: int = HOUR_NS,
    now_ns: int = NOW_NS,
    version: int = 1,
    acknowledged: bool = False,
    by: str = "",
    comment: str = "",
    shelf: Shelf | None = None,
    outage: Outage | None = None,
) -> Alarm:
    """An alarm that stands since `age_ns`."""
    danger = level is Level.DANGER
    unit, value, limits = ("mm/s", 9.9 if danger else 6.2, (4.5, 7.1))
    if mode is Mode.TEMPERATURE:
        unit, value, limits = "°C", 88.0, (80.0, 90.0)
    feature = "temperature_c" if mode is Mode.TEMPERATURE else VELOCITY
    return Alarm(
        AlarmKey(SITE, machine, point, mode),
        version=version,
        level=level,
        standing=level,
        acknowledged=acknowledged,
        priority=Priority.HIGH if danger else Priority.LOW,
        raises=1,
        raised_ns=now_ns - age_ns,
        since_ns=now_ns - age_ns,
        causes=(Cause(feature, value, unit, *limits, level=level),),
        action="action.stop" if danger else "action.plan",
        severity=5 if danger else 3,
        by=by,
        comment=comment,
        shelf=shelf,
        outage=outage,
    )


def sample_alarms(now_ns: int = NOW_NS) -> tuple[Alarm, ...]:
    """One of each kind that a list shows."""
    return (
        alarm("V-301", level=Level.DANGER, age_ns=600 * NS, now_ns=now_ns),
        alarm("P-101", "2", now_ns=now_ns, version=3),
        alarm("P-101", "1", Mode.TEMPERATURE, now_ns=now_ns, acknowledged=True, by="H. Alami", comment="vu"),
        alarm(
            "C-201",
            now_ns=now_ns,
            shelf=Shelf(now_ns + 2 * HOUR_NS, "S. Idrissi", "essai en charge"),
        ),
        alarm(
            "L-401", "1", Mode.SENSOR, now_ns=now_ns, outage=Outage(now_ns, "H. Alami", "capteur en commande")
        ),
    )


def transition(one: Alarm, what: What, ts_ns: int, *, who: str = "", why: str = "") -> Transition:
    """A step of an alarm as the ingest records it."""
    told = one.told() | {"what": what.value, "who": who, "why": why}
    key = one.key
    return Transition(
        event_id=f"alarm:{key.id}:{one.version}:{what}",
        site=key.site,
        machine=key.machine,
        point=key.point,
        channel=key.mode.value,
        ts_ns=ts_ns,
        kind="alarm",
        state=one.life.value,
        previous="",
        detail=json.dumps(told, ensure_ascii=False),
    )


def write_alarms(path: Path, alarms: Sequence[Alarm], transitions: Sequence[Transition] = ()) -> None:
    """Write them into the records at `path`, which are made where they are missing."""
    records = Records(path)
    try:
        rows = tuple(AlarmRow(one.key.site, one.key.id, one.to_json()) for one in alarms)
        records.commit(RecordsBatch(alarms=rows, transitions=tuple(transitions)))
    finally:
        records.close()


def seeded_alarms(folder: Path, now_ns: int = NOW_NS) -> Path:
    """The path of records with the sample alarms and their raises."""
    path, alarms = folder / "records.sqlite", sample_alarms(now_ns)
    write_alarms(path, alarms, [transition(one, What.RAISED, one.raised_ns) for one in alarms])
    return path


def seeded_accounts(path: Path, now_ns: int = NOW_NS) -> None:
    """A gateway that adds up, one that lacks frames, one that is silent, and a message put aside."""
    wall_ns = time.time_ns()
    epochs = ("00000000000000e1", "00000000000000e2", "00000000000000e3")
    edges = tuple(
        f"{SITE}/{node}" for node in ("gw-1", "gw-2", "gw-with-the-longest-name-that-a-gateway-may-have")
    )
    receipts = [
        LedgerReceipt(edge, wall_ns - age * NS, LedgerReport(epoch, 5, 5, (), None, 0))
        for edge, epoch, age in zip(edges, epochs, (5, 5, 900), strict=True)
    ]
    stored = [FrameId(edges[0], epochs[0], seq) for seq in range(1, 6)]
    stored += [FrameId(edges[1], epochs[1], seq) for seq in range(1, 4)]
    aside = QuarantineRow(wall_ns, edges[1], "spBv1.0/x", "not_finite", "sample 4 is NaN", b"", None)
    contact = Transition("gateway:1", SITE, "gw-1", "", "", now_ns, "gateway", "new_outbox", "", "")
    done = InterventionRow("command-1", SITE, "P-101", "2", "greasing", now_ns, now_ns, "H. Alami", "30 g")
    learned = Baseline("P-101", status=BaselineStatus.LEARNED, opened_ns=now_ns - HOUR_NS, progress=1.0)
    records = Records(path)
    try:
        records.commit(
            RecordsBatch(
                stored=tuple(stored),
                ledgers=tuple(receipts),
                quarantine=(aside,),
                transitions=(contact,),
                interventions=(done,),
                baselines=(BaselineRow(SITE, "P-101", 1, json.dumps(learned.told())),),
            )
        )
    finally:
        records.close()
