"""What was found of a point's drift, as rows of the series `drift` and as the event of an advice. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import numpy.typing as npt

from models.training.drift import ColumnDrift, Drift
from palier.historian.base import Rows
from palier.historian.rows import Transition

from .watch_parts import Place

DRIFT: Final = "drift"
"""Kind of the events, and name of the series."""

RETRAIN: Final = "retrain"
NOTHING: Final = "none"
"""What is advised."""

_NUMBERS: Final = (
    "psi", "psi_limit", "ks", "ks_limit", "page_hinkley", "page_hinkley_limit", "shift", "effective",
)  # fmt: skip

Column = npt.NDArray[np.generic] | Sequence[str | None]


def drift_rows(place: Place, ts_ns: int, drift: Drift, model: str) -> list[Rows]:
    """A row of the point, and one for each of its columns."""
    refusal = drift.refusal
    of_point: dict[str, Column] = {
        "feature": [""],
        "outside": np.array([drift.outside]),
        "age_days": np.array([drift.age_days]),
        "blocks": np.array([drift.blocks], dtype=np.int64),
        "in_alarm": np.array([drift.in_alarm], dtype=np.int64),
        "moved": np.array([sum(one.moved for one in drift.columns)], dtype=np.int64),
        "psi": np.array([_largest(drift.columns)]),
        "advice": [advice_of(drift)],
        "detail": [detail_of(drift)],
        "reason": [refusal.reason if refusal else None],
        "remedy": [refusal.remedy if refusal else None],
        "model": [model],
    }
    found = [_rows(place, ts_ns, [""], of_point)]
    if drift.columns:
        names = [one.name.partition("/") for one in drift.columns]
        of_columns: dict[str, Column] = {
            name: np.array([getattr(one, name) for one in drift.columns]) for name in _NUMBERS
        }
        of_columns["feature"] = [feature for _, _, feature in names]
        of_columns["regime"] = [one.regime for one in drift.columns]
        of_columns["moved"] = np.array([one.moved for one in drift.columns], dtype=np.int64)
        of_columns["model"] = [model] * len(names)
        found.append(_rows(place, ts_ns, [channel for channel, _, _ in names], of_columns))
    return found


def advice_of(drift: Drift) -> str:
    """RETRAIN or NOTHING."""
    return RETRAIN if drift.advised else NOTHING


def detail_of(drift: Drift) -> str:
    """The reasons, as JSON."""
    reasons = [asdict(reason) for reason in drift.reasons]
    return json.dumps({"reasons": reasons}, ensure_ascii=False, separators=(",", ":"))


def advice_event(place: Place, ts_ns: int, drift: Drift, previous: str, model: str) -> Transition:
    """That learning anew is advised now, or no more."""
    site, machine, point = place
    why = drift.reasons[0].key if drift.reasons else ""
    detail = json.loads(detail_of(drift)) | {"why": why, "model": model, "in_alarm": drift.in_alarm}
    return Transition(
        event_id=f"{DRIFT}:{site}/{machine}/{point}:{ts_ns}",
        site=site,
        machine=machine,
        point=point,
        channel="",
        ts_ns=ts_ns,
        kind=DRIFT,
        state=advice_of(drift),
        previous=previous,
        detail=json.dumps(detail, ensure_ascii=False, separators=(",", ":")),
    )


def _largest(columns: Sequence[ColumnDrift]) -> float:
    known = [one.psi for one in columns if not np.isnan(one.psi)]
    return max(known, default=float("nan"))


def _rows(place: Place, ts_ns: int, channels: Sequence[str], fields: dict[str, Column]) -> Rows:
    site, machine, point = ([part] * len(channels) for part in place)
    times = np.full(len(channels), ts_ns, dtype=np.int64)
    return Rows(DRIFT, site, machine, point, channels, times, fields)
