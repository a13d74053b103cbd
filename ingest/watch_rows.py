"""What the watch found, as columns of the historian, named as in `palier.historian.schema`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.advice import Advice
from models.diagnosis import Diagnosis
from models.diagnosis.severity import ACTIONS
from models.prognosis import RemainingLife
from models.types import Refusal
from palier.historian.base import Rows

from .watch import Verdict
from .watch_diagnosis import Examined
from .watch_health import Health
from .watch_parts import Place
from .watch_states import leading

Column = npt.NDArray[np.generic] | Sequence[str | None]


@dataclass(frozen=True, slots=True)
class HealthLine:
    """The health of a point, or of a machine (point "")."""

    place: Place
    ts_ns: int
    health: Health
    frame: str | None


def score_rows(verdicts: Sequence[Verdict]) -> Rows:
    """A row for each of these verdicts of points that have a baseline."""
    loud, loudest = _loudest(verdicts)
    shown = [least if (i := leading(v)) is None else i for v, least in zip(verdicts, loudest, strict=True)]
    fields: dict[str, Column] = {
        "score": _floats(loud),
        "threshold": _floats([v.watched.model.baseline.z if v.watched.model else np.nan for v in verdicts]),
        "level": np.array([int(v.level) for v in verdicts], dtype=np.int64),
        "tests": [_json(dict(v.tests)) if v.tests else None for v in verdicts],
        "leading": [v.watched.names[i] for v, i in zip(verdicts, shown, strict=True)],
        "value": _floats([v.x[i] for v, i in zip(verdicts, shown, strict=True)]),
        "alert": _floats([v.alert[i] for v, i in zip(verdicts, shown, strict=True)]),
        "residual_k": _floats([v.residual_k for v in verdicts]),
        "model": [v.watched.model.spec if v.watched.model else None for v in verdicts],
        "frame": [v.frame for v in verdicts],
    }
    return _rows("score", [v.watched.place for v in verdicts], [v.ts_ns for v in verdicts], fields)


def diagnosis_rows(examined: Sequence[Examined]) -> Rows:
    """A row for each fault that was named, one where none was, or where nobody can say."""
    lines = [line for one in examined for line in _lines(one)]
    names = ("fault", "action", "at", "detail", "reason", "remedy", "frame")
    fields: dict[str, Column] = {name: [line[name] for line in lines] for name in names}
    fields |= {name: _floats([line[name] for line in lines]) for name in ("confidence", "deadline_h")}
    fields |= {
        name: np.array([line[name] for line in lines], dtype=np.int64) for name in ("rank", "severity")
    }
    return _rows("diagnosis", [line["place"] for line in lines], [line["ts_ns"] for line in lines], fields)


def health_rows(lines: Sequence[HealthLine]) -> Rows:
    """A row for each whose health is known."""
    known = [(line, line.health.worst) for line in lines]
    told = [(line, worst) for line, worst in known if worst is not None]
    fields: dict[str, Column] = {
        "health_index": _floats([worst[1] for _, worst in told]),
        "mode": [worst[0] for _, worst in told],
        "complete": np.array([line.health.complete for line, _ in told], dtype=np.int64),
        "modes": [_modes(line.health) for line, _ in told],
        "frame": [line.frame for line, _ in told],
    }
    return _rows("health", [line.place for line, _ in told], [line.ts_ns for line, _ in told], fields)


def life_rows(place: Place, ts_ns: int, column: str, threshold: float, life: RemainingLife | Refusal) -> Rows:
    """One row: the remaining life of a point, or why nobody can say."""
    found = None if isinstance(life, Refusal) else life
    refusal = life if isinstance(life, Refusal) else None
    hours = (np.nan,) * 3 if found is None else (found.p10, found.p50, found.p90)
    fields: dict[str, Column] = {
        "method": [str(found.method) if found else "refused"],
        **{name: _floats([h]) for name, h in zip(("p10_h", "p50_h", "p90_h"), hours, strict=True)},
        "confidence": [found.confidence if found else None],
        "leading": [column],
        "threshold": _floats([threshold]),
        "assumptions": [_json([asdict(a) for a in found.assumptions]) if found else None],
        "reason": [refusal.reason if refusal else None],
        "remedy": [refusal.remedy if refusal else None],
    }
    return _rows("life", [place], [ts_ns], fields)


def detail_of(diagnosis: Diagnosis) -> str:
    """Evidence and look-alikes of a diagnosis, as the records and the series keep them."""
    evidence = [
        {
            "key": item.key,
            "weight": item.weight,
            "met": round(item.met, 3),
            "params": dict(item.params),
            "feature": item.feature,
            "point": item.point,
        }
        for item in diagnosis.evidence
        if item.met > 0
    ]
    others = [str(fault) for fault in diagnosis.not_separated]
    return _json({"evidence": evidence, "not_separated": others, "separate_by": list(diagnosis.separate_by)})


def _lines(one: Examined) -> list[dict[str, Any]]:
    blank: dict[str, Any] = {
        "place": one.watched.place,
        "ts_ns": one.ts_ns,
        "rank": 1,
        "confidence": np.nan,
        "severity": one.severity,
        "action": str(ACTIONS[one.severity][0]),
        "deadline_h": np.nan,
        "at": None,
        "detail": None,
        "reason": None,
        "remedy": None,
        "frame": one.frame,
    }
    if isinstance(one.found, Refusal):
        return [{**blank, "fault": "refused", "reason": one.found.reason, "remedy": one.found.remedy}]
    if not one.found:
        return [{**blank, "fault": "none"}]
    return [
        {
            **blank,
            "rank": rank,
            "fault": str(diagnosis.fault),
            "confidence": diagnosis.confidence,
            "severity": diagnosis.severity,
            **_asked(one.advice, diagnosis),
            "at": diagnosis.point,
            "detail": detail_of(diagnosis),
        }
        for rank, diagnosis in enumerate(one.found, start=1)
    ]


def _asked(advice: Sequence[Advice], diagnosis: Diagnosis) -> dict[str, Any]:
    mine = next(a for a in advice if (a.fault, a.point) == (diagnosis.fault, diagnosis.point))
    return {
        "action": str(mine.action),
        "deadline_h": np.nan if mine.deadline_h is None else mine.deadline_h,
    }


def _loudest(verdicts: Sequence[Verdict]) -> tuple[list[float], list[int]]:
    """The largest residual of each in σ, NaN where none is known, and its column."""
    column = [0] * len(verdicts)
    loud = [np.nan] * len(verdicts)
    for size in {len(verdict.z) for verdict in verdicts}:
        some = [i for i, verdict in enumerate(verdicts) if len(verdict.z) == size]
        z = np.abs([verdicts[i].z for i in some])
        where = np.argmax(np.where(np.isnan(z), -1.0, z), axis=1)
        largest = z[np.arange(len(z)), where].tolist()
        for i, most, at in zip(some, largest, where.tolist(), strict=True):
            loud[i], column[i] = most, at
    return loud, column


def _modes(health: Health) -> str:
    """As JSON; by hand, for two are written with each block."""
    return _template(tuple(name for name, _ in health.modes)) % tuple(value for _, value in health.modes)


@cache
def _template(names: tuple[str, ...]) -> str:
    """JSON of a number for each of these plain words."""
    return "{" + ",".join(f'"{name}":%.1f' for name in names) + "}"


def _rows(
    measurement: str, places: Sequence[Place], times_ns: Sequence[int], fields: dict[str, Column]
) -> Rows:
    site, machine, point = ([place[i] for place in places] for i in range(3))
    ts_ns = np.array(times_ns, dtype=np.int64)
    return Rows(measurement, site, machine, point, [""] * len(places), ts_ns, fields)


def _floats(values: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
