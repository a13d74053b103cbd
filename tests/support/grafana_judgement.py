"""What the ingest decides in the week of `grafana_week`: a machine degrades, and people answer.

Rows are made by the ingest's own builders where these take plain values. The outer ring at point 2 of the
first machine fails in the course of the week; its second machine still learns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ingest.alarm_life import Move
from ingest.alarms import transition
from ingest.drift_rows import advice_event, drift_rows
from ingest.rows import event_rows
from ingest.watch_health import MODES, Health
from ingest.watch_rows import HealthLine, health_rows, life_rows
from models.detection.decision import TESTS
from models.diagnosis import Fault
from models.prognosis.types import NO_DEGRADATION, Assumption, Method, RemainingLife
from models.training.drift import DRIFT_TOO_SHORT, ColumnDrift, Drift, Reason
from models.types import Refusal
from palier.alarm_aside import Shelf
from palier.alarm_finding import Finding
from palier.alarms import Alarm, AlarmKey, Level, Mode, Priority, What
from palier.historian.base import Rows
from palier.historian.rows import Transition
from palier.operations import BaselineStatus
from tests.support.grafana_week import (
    BLOCK_NS,
    DAY_NS,
    DAYS,
    GATEWAY,
    HOUR_NS,
    MACHINE,
    SECOND,
    SECOND_NS,
    SITE,
    frames,
    rows_of,
)

POINT: Final = "2"
PERSON: Final = "h.alami"
VELOCITY: Final = "H/velocity_rms_mm_s"
THRESHOLD: Final = 5.0
FAULT: Final = Fault.OUTER_RING
P10_H: Final = 40.0
"""Remaining life of the failing point at the end of the week."""


def judged(now_ns: int) -> Iterator[Rows]:
    """All rows, by measurement; the newest are of `now_ns`."""
    times = now_ns - np.arange(0, DAYS * DAY_NS, BLOCK_NS)[::-1]
    yield _scores("1", times, highest=1.5)
    yield _scores(POINT, times, highest=9.0)
    yield from _diagnoses(times[-400::6])
    yield _health(times)
    yield from _lives(times[-400::36])
    yield from _drift(now_ns)
    yield from _model_scores(times[-400:])
    events = (_alarms(now_ns), _baselines(now_ns), _people(now_ns), _models(now_ns), _advice(now_ns))
    yield event_rows([one for some in events for one in some])


def _scores(point: str, times: np.ndarray, *, highest: float) -> Rows:
    """A score that rises through the threshold; each test is on for a while then."""
    score = np.linspace(0.5, highest, len(times))
    level = np.clip((score - THRESHOLD).astype(int) + (score > THRESHOLD), 0, 3)
    tests = [
        json.dumps({TESTS[i % len(TESTS)]: [VELOCITY]}, separators=(",", ":")) if on else None
        for i, on in enumerate(level > 0)
    ]
    return rows_of(
        "score",
        (MACHINE, point, ""),
        times,
        {
            "score": score,
            "threshold": THRESHOLD,
            "level": level,
            "tests": tests,
            "leading": VELOCITY,
            "value": np.linspace(2.0, 6.5, len(times)),
            "alert": 4.0,
            "residual_k": np.linspace(0.2, 6.0, len(times)),
            "frame": frames(times),
        },
    )


def _diagnoses(times: np.ndarray) -> Iterator[Rows]:
    """Nobody could say at first, then nothing was named, then the outer ring, with another as rank 2."""
    told = {"action": "intervene", "deadline_h": 72.0, "severity": 4, "at": POINT, "detail": "{}"}
    frame = frames(times)
    for fault, rank, some, more in (
        ("refused", 1, slice(0, 5), {"reason": "speed_unknown", "remedy": "give_speed", "severity": 3}),
        ("none", 1, slice(5, 10), {"action": "plan", "severity": 3}),
        (str(FAULT), 1, slice(10, None), {**told, "confidence": 0.78}),
        (str(Fault.LUBRICATION), 2, slice(10, None), {**told, "severity": 3, "confidence": 0.4}),
    ):
        fields = {"fault": fault, "rank": rank, "frame": frame[some], **more}
        yield rows_of("diagnosis", (MACHINE, POINT, ""), times[some], fields)
    # A less severe one at the other point, and later.
    last = times[-1:] + SECOND_NS
    fields = {"fault": str(Fault.UNBALANCE), "rank": 1, "severity": 3, "confidence": 0.9}
    yield rows_of("diagnosis", (MACHINE, "1", ""), last, {**fields, "action": "plan", "frame": frame[-1:]})


def _health(times: np.ndarray) -> Rows:
    lines = []
    for ts, index in zip(times.tolist(), np.linspace(100.0, 35.0, len(times)).tolist(), strict=True):
        bad = Health(tuple((mode, index if mode == "bearing" else 90.0) for mode in MODES), complete=True)
        good = Health(tuple((mode, 92.0) for mode in MODES), complete=True)
        for point, health in (("1", good), (POINT, bad), ("", bad)):
            lines.append(HealthLine((SITE, MACHINE, point), ts, health, None))
    return health_rows(lines)


def _lives(times: np.ndarray) -> Iterator[Rows]:
    """Refused while there is no degradation, then shorter each time; refused at the other point."""
    assumptions = (Assumption("regime_unchanged"), Assumption("threshold", {"name": "danger", "value": 7.1}))
    for i, ts in enumerate(times.tolist()):
        left = P10_H + (len(times) - 1 - i) * 6
        life = RemainingLife(left, 2 * left, 4 * left, Method.MIXTURE, assumptions, confidence="medium")
        found: RemainingLife | Refusal = NO_DEGRADATION if i < 2 else life
        yield life_rows((SITE, MACHINE, POINT), ts, VELOCITY, 7.1, found)
        yield life_rows((SITE, MACHINE, "1"), ts, VELOCITY, 7.1, NO_DEGRADATION)


def _alarms(now_ns: int) -> list[Transition]:
    """A bearing's is open, a temperature's shelved, a sensor's acknowledged; a gateway's chattered."""
    bearing = AlarmKey(SITE, MACHINE, POINT, Mode.BEARING)
    found = Finding(now_ns, str(FAULT), 0.78, 4, "intervene", 72.0, "bearing", POINT)
    alert = _raised(bearing, Level.ALERT, Priority.LOW, action="action.plan", found=found)
    danger = replace(alert, level=Level.DANGER, standing=Level.DANGER, priority=Priority.HIGH, version=2)
    shelved = AlarmKey(SITE, MACHINE, "1", Mode.TEMPERATURE)
    warm = _raised(shelved, Level.ALERT, Priority.MEDIUM, action="action.plan")
    shelf = Shelf(now_ns + HOUR_NS, PERSON, "essai en charge")
    sensor = _raised(AlarmKey(SITE, MACHINE, POINT, Mode.SENSOR), Level.ALERT, Priority.LOW)
    seen = replace(sensor, acknowledged=True, version=2)
    gateway = _raised(AlarmKey(SITE, GATEWAY, "", Mode.GATEWAY), Level.ALERT, Priority.LOW)
    over = replace(gateway, level=None, standing=None, acknowledged=True, version=2)
    steps = [
        (What.RAISED, Alarm(bearing), alert, 3 * DAY_NS, "", ""),
        (What.ESCALATED, alert, danger, DAY_NS, "", ""),
        (What.RAISED, Alarm(shelved), warm, 2 * DAY_NS, "", ""),
        (What.SHELVED, warm, replace(warm, shelf=shelf, version=2), 2 * HOUR_NS, PERSON, shelf.why),
        (What.RAISED, Alarm(sensor.key), sensor, 8 * HOUR_NS, "", ""),
        (What.ACKNOWLEDGED, sensor, seen, 7 * HOUR_NS, PERSON, "vu"),
    ]
    into_hour = (now_ns - 5 * HOUR_NS) % HOUR_NS  # a dashboard counts by the hours of the clock
    for i in range(3):  # raises 40 s apart
        since = 5 * HOUR_NS + into_hour - i * 40 * SECOND_NS
        steps += [
            (What.RAISED, over, gateway, since, "", ""),
            (What.RETURNED, gateway, over, since - 20 * SECOND_NS, "", ""),
        ]
    moves = [
        transition(Move(before, after, what, now_ns - ago, who, why))
        for what, before, after, ago, who, why in steps
    ]
    # As an older version wrote it, and wrote it once more since: nobody can acknowledge it any more.
    return [*moves, replace(moves[0], channel="", event_id="of an older version")]


def _raised(
    key: AlarmKey, level: Level, priority: Priority, *, action: str = "", found: Finding | None = None
) -> Alarm:
    return Alarm(
        key,
        version=1,
        level=level,
        standing=level,
        acknowledged=False,
        priority=priority,
        action=action,
        found=found,
    )


def _baselines(now_ns: int) -> list[Transition]:
    history: Sequence[tuple[str, BaselineStatus, str, str, str, float, int]] = (
        (MACHINE, BaselineStatus.LEARNED, BaselineStatus.LEARNING, "", "", 1.0, 6 * DAY_NS),
        (
            MACHINE,
            BaselineStatus.CONFIRMED,
            BaselineStatus.LEARNED,
            PERSON,
            "vu au collecteur",
            1.0,
            5 * DAY_NS,
        ),
        (
            SECOND,
            BaselineStatus.LEARNING,
            BaselineStatus.LEARNED,
            PERSON,
            "roulement changé",
            0.0,
            2 * DAY_NS,
        ),
    )
    machines = [
        _event(
            (machine, ""),
            ("baseline", status, previous),
            {"who": who, "why": why, "version": 1, "progress": progress, "points": {}},
            now_ns - ago,
        )
        for machine, status, previous, who, why, progress, ago in history
    ]
    fitted = {"who": "", "why": "", "version": 1, "progress": 1.0, "blocks": 1012, "days": 7, "z": THRESHOLD}
    said = ("baseline", BaselineStatus.LEARNED, "")
    points = [_event((MACHINE, point), said, fitted, now_ns - 6 * DAY_NS) for point in ("1", POINT)]
    return [*machines, *points]


def drift_of(*, moved: bool) -> Drift:
    """What the look of a day found."""
    columns = tuple(
        ColumnDrift(name, "", 0.9 if moved else 0.15, 0.2, 0.4, 0.3, 6.0, 5.0, 1.4, 80.0)
        for name in (VELOCITY, "H/kurtosis")
    )
    params = {"columns": [VELOCITY], "n": 2, "psi": 0.9, "shift": 1.4, "regime": ""}
    reasons = (Reason("levels_moved", params),) if moved else ()
    return Drift(columns, 0.04, 120.0, 1900, 12, reasons)


def _drift(now_ns: int) -> Iterator[Rows]:
    """A look a day; the failing point's last one advises to learn anew, nobody can say of the other."""
    for day in range(DAYS):
        ts_ns = now_ns - day * DAY_NS - HOUR_NS
        yield from drift_rows((SITE, MACHINE, POINT), ts_ns, drift_of(moved=day == 0), "own:1")
        unknown = Drift((), 0.0, 120.0, 0, 0, (), DRIFT_TOO_SHORT)
        yield from drift_rows((SITE, MACHINE, "1"), ts_ns, unknown, "baselines:2")


def _advice(now_ns: int) -> list[Transition]:
    return [advice_event((SITE, MACHINE, POINT), now_ns - HOUR_NS, drift_of(moved=True), "none", "own:1")]


def _model_scores(times: np.ndarray) -> Iterator[Rows]:
    """A detector in force and its follower in the shadow; a classifier names the outer ring."""
    for name, version, stage in (("isolation-forest", 1, "in force"), ("isolation-forest", 2, "shadow")):
        fields = {"score": np.linspace(0.4, 0.7, len(times)), "threshold": 0.6, "level": 0}
        more = {"model": name, "version": version, "stage": stage, "leading": VELOCITY}
        yield rows_of("model_score", (MACHINE, POINT, ""), times, {**fields, **more, "frame": frames(times)})
    named = {"label": str(FAULT), "confidence": 0.9, "model": "faults-pump", "version": 3, "level": 0}
    last = times[-6:]
    more = {"stage": "in force", "leading": VELOCITY, "frame": frames(last)}
    yield rows_of("model_score", (MACHINE, POINT, ""), last, {**named, **more})


def _models(now_ns: int) -> list[Transition]:
    told = {"version": 1, "previous": None, "who": PERSON, "why": "rejeu sans fausse alerte"}
    said = ("model", "in force", "none")
    return [_event(("isolation-forest", ""), said, told, now_ns - 3 * DAY_NS)]


def _people(now_ns: int) -> list[Transition]:
    work = {"who": PERSON, "why": "22220 E", "cause": "5.1.2"}
    verdict = {"who": PERSON, "why": "", "alarm": f"{MACHINE}/{POINT}/bearing", "fault": str(FAULT)}
    return [
        _event((MACHINE, POINT), ("intervention", "greasing", ""), work, now_ns - 4 * DAY_NS),
        _event((MACHINE, POINT), ("verdict", "confirmed", ""), verdict, now_ns - HOUR_NS),
    ]


def _event(
    place: tuple[str, str], said: tuple[str, str, str], detail: Mapping[str, object], ts_ns: int
) -> Transition:
    (machine, point), (kind, state, previous) = place, said
    return Transition(
        event_id=f"{kind}:{machine}/{point}:{ts_ns}",
        site=SITE,
        machine=machine,
        point=point,
        channel="",
        ts_ns=ts_ns,
        kind=kind,
        state=str(state),
        previous=str(previous),
        detail=json.dumps(detail, ensure_ascii=False),
    )
