"""What is decided in the simulated year of `historian_year_rows`: scores, health, diagnoses, lives, alarms.

Scores of each point and health of each point and machine with every block, as the ingest writes them. Every
point is examined once an hour and asked for its remaining life every six hours, as if none were well, and
raises an alarm a day: more than any plant has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.decision import TESTS
from palier.alarms import Alarm, AlarmKey, Level, Mode, Priority, What
from palier.historian.base import Rows
from palier.historian.rows import HOUR_NS

from .historian_rows import SITE
from .historian_year_rows import (
    BLOCK_NS,
    CHANNELS,
    DAY_NS,
    SPECTRA_AT_NS,
    VELOCITY,
    Column,
    Place,
    frames,
    rows_of,
    scatter,
)

MODES: Final = ("vibration", "shaft", "high_frequency", "shocks", "bearing")
LEADING: Final = f"{CHANNELS[0]}/{VELOCITY}"
ALL_ON: Final = json.dumps({test: [LEADING] for test in TESTS}, separators=(",", ":"))
AN_HOUR: Final = HOUR_NS // BLOCK_NS
"""Blocks of an hour."""


def judged_day(
    machines: Sequence[str], points: Sequence[str], first_ns: int, random: np.random.Generator
) -> Iterator[Rows]:
    """All rows of a day of some machines."""
    times = first_ns + np.arange(0, DAY_NS, BLOCK_NS)
    of_points = [(name, point, "") for name in machines for point in points]
    yield _scores(of_points, times, random)
    yield _health([*of_points, *((name, "", "") for name in machines)], times, random)
    yield _diagnoses(of_points, times[::AN_HOUR])
    yield _lives(of_points, times[:: 6 * AN_HOUR], random)
    yield _alarms(of_points, first_ns + SPECTRA_AT_NS)


def _scores(places: Sequence[Place], times: npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    n = len(places) * len(times)
    tests = [ALL_ON if i % AN_HOUR == 0 else None for i in range(len(times))]
    fields: dict[str, Column] = {
        "score": scatter(random, n),
        "threshold": np.full(n, 5.0),
        "level": np.tile(np.array([int(one is not None) for one in tests]), len(places)),
        "tests": tests * len(places),
        "leading": [LEADING] * n,
        "value": scatter(random, n),
        "alert": np.full(n, 4.0),
        "residual_k": scatter(random, n),
        "frame": frames(len(places), times),
    }
    return rows_of("score", places, times, fields)


def _health(places: Sequence[Place], times: npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    n = len(places) * len(times)
    index = 30 * scatter(random, n)
    fields: dict[str, Column] = {
        "health_index": index,
        "mode": ["bearing"] * n,
        "complete": np.ones(n, dtype=np.int64),
        "modes": [json.dumps(dict.fromkeys(MODES, round(one, 1))) for one in index.tolist()],
        "frame": frames(len(places), times),
    }
    return rows_of("health", places, times, fields)


def _diagnoses(places: Sequence[Place], times: npt.NDArray[np.int64]) -> Rows:
    n = len(places) * len(times)
    evidence = [{"key": "bearing_lines", "weight": 1.0, "met": 1.0, "params": {"value": 3}, "feature": ""}]
    fields: dict[str, Column] = {
        "rank": np.ones(n, dtype=np.int64),
        "fault": ["outer_ring"] * n,
        "confidence": np.full(n, 0.8),
        "severity": np.full(n, 4),
        "action": ["intervene"] * n,
        "deadline_h": np.full(n, 168.0),
        "detail": [json.dumps({"evidence": evidence * 5})] * n,
        "frame": frames(len(places), times),
    }
    return rows_of("diagnosis", places, times, fields)


def _lives(places: Sequence[Place], times: npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    n = len(places) * len(times)
    left = 100 * scatter(random, n)
    fields: dict[str, Column] = {
        "method": ["mixture"] * n,
        "p10_h": left,
        "p50_h": 2 * left,
        "p90_h": 4 * left,
        "confidence": ["medium"] * n,
        "leading": [LEADING] * n,
        "threshold": np.full(n, 7.1),
        "assumptions": ['[{"key":"regime_unchanged","params":{}}]'] * n,
    }
    return rows_of("life", places, times, fields)


def _alarms(places: Sequence[Place], ts_ns: int) -> Rows:
    """An alarm of each point that is raised and acknowledged within the hour."""
    told = [_told(name, point, what) for name, point, _ in places for what in _STEPS]
    fields: dict[str, Column] = {
        "event_id": [f"alarm:{name}/{point}:{ts_ns}:{what}" for name, point, _ in places for what in _STEPS],
        "kind": ["alarm"] * len(told),
        "state": ["unacknowledged", "acknowledged"] * len(places),
        "previous": ["normal", "unacknowledged"] * len(places),
        "detail": told,
    }
    of_mode = [(name, point, Mode.VIBRATION.value) for name, point, _ in places]
    return rows_of("event", of_mode, ts_ns + np.array([0, HOUR_NS]), fields)


_STEPS: Final = (What.RAISED, What.ACKNOWLEDGED)


def _told(name: str, point: str, what: What) -> str:
    key = AlarmKey(SITE, name, point, Mode.VIBRATION)
    seen = what is What.ACKNOWLEDGED
    alarm = Alarm(
        key,
        level=Level.ALERT,
        standing=Level.ALERT,
        acknowledged=seen,
        priority=Priority.LOW,
        action="action.plan",
    )
    detail = alarm.told() | {"what": what, "who": "h.alami" if seen else "", "why": ""}
    return json.dumps(detail, separators=(",", ":"))
