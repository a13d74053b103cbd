"""What a point is said to be in, from what the limits say of a block and what the detector says. Pure.

Rules:
1. While a point is learning, the standard's limits alone judge it, and `learning` says so; without limits it
   is *learning*.
2. With a baseline the worse of both speaks: the limits of one block, the detector of what lasts.
3. A machine that stands or settles is *stopped* or *transient*, unless its levels are a danger.
4. Without limits, and in a regime that was never learned, a point is unknown, with reason and remedy.
5. What the limits can't judge (no unit, a sensor at fault) is unknown: the detector's word stands only where
   it has one of its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from models.detection.baseline import REGIME_UNSEEN
from models.detection.decision import Basis, Level
from models.detection.measured import feature_of
from models.detection.regimes import Regime
from models.detection.zones import Judgement, rank, unknown
from models.types import Refusal, State

from .judging import Assessed
from .watch import Verdict
from .watch_parts import Place

BASELINE_LOST: Final = Refusal("baseline_lost", "relearn_baseline")
"""Of a point without limits whose confirmed baseline cannot be used any more."""

BASELINE: Final = "baseline"
"""The name of a limit that comes of a machine's own baseline."""

ABNORMAL: Final = frozenset({State.WATCH, State.ALERT, State.DANGER})
"""States that ask for a diagnosis."""

_SEVERITY: Final[Mapping[Level, int]] = {Level.NONE: 1, Level.WATCH: 2, Level.ALERT: 3, Level.DANGER: 5}
_STATE: Final[Mapping[Level, State]] = {
    Level.NONE: State.NORMAL,
    Level.WATCH: State.WATCH,
    Level.ALERT: State.ALERT,
    Level.DANGER: State.DANGER,
}
_STILL: Final[Mapping[Regime, State]] = {
    Regime.STOPPED: State.STOPPED,
    Regime.TRANSIENT: State.TRANSIENT,
}


def merged(said: Judgement, verdict: Verdict) -> Judgement:
    """The judgement of a point after a live block: of `said`, what the limits say, and of the detector's."""
    still = _STILL.get(verdict.regime)
    danger = said.state is State.DANGER or verdict.level is Level.DANGER
    unjudged = said.state in (State.UNKNOWN, State.UNCONFIGURED)
    if still is not None and not danger and not unjudged:
        return Judgement(still, value=said.value, limits_id=said.limits_id)
    if verdict.learning or (unjudged and (verdict.level is Level.NONE or _blind(verdict))):
        return said
    if verdict.basis is Basis.NONE and verdict.level is Level.NONE and said.state is State.LEARNING:
        return replace(unknown(REGIME_UNSEEN), value=said.value)
    mine = (rank(_STATE[verdict.level]), _SEVERITY[verdict.level])
    if said.judged is None or (rank(said.state), said.severity) < mine:
        return _of_detector(said, verdict)
    return _learned(said) if said.learning else said


def merge(
    assessed: Sequence[Assessed], verdicts: Mapping[int, Verdict], lost: Collection[Place] = ()
) -> list[Assessed]:
    """The blocks of a batch, each with what its point is said to be in; `verdicts` by place in the batch.

    What came late is said nothing of by the detector, and does not advance the board either. A point whose
    confirmed baseline is `lost` does not learn: without limits nobody can say how it is.
    """
    told = list(assessed)
    for i, verdict in verdicts.items():
        if verdict.advanced:
            entry = assessed[i]
            said = merged(entry.said, verdict)
            if said.state is State.LEARNING and verdict.watched.place in lost:
                said = replace(unknown(BASELINE_LOST), value=said.value)
            told[i] = Assessed(entry.scored, said, entry.zones)
    return told


def leading(verdict: Verdict) -> int | None:
    """The column that speaks loudest for what is on: the farthest off its limit; None where nothing is."""
    if not verdict.tests:
        return None
    names = {name for columns in verdict.tests.values() for name in columns}
    places = [i for i, name in enumerate(verdict.watched.names) if name in names]
    return max(places, key=lambda i: _excess(verdict, i), default=None)


def _blind(verdict: Verdict) -> bool:
    """Whether nothing was measured that it could judge: then its level is what once stood."""
    return not np.isfinite(verdict.x).any()


def _learned(said: Judgement) -> Judgement:
    """What the limits say of a point that has a baseline."""
    return Judgement(
        said.state, said.judged, False, said.severity, said.zone, said.value,
        said.limits_id, said.limit_name, said.limit, said.reason, said.remedy,
    )  # fmt: skip


def _of_detector(said: Judgement, verdict: Verdict) -> Judgement:
    place = leading(verdict)
    value, limit, name = said.value, None, None
    if place is not None:
        name = BASELINE
        if feature_of(verdict.watched.names[place]).startswith("velocity_rms"):
            value, limit = _known(verdict.x[place]), _known(verdict.alert[place])
    return Judgement(
        _STATE[verdict.level],
        judged=said.judged,
        learning=False,
        severity=_SEVERITY[verdict.level],
        zone=said.zone,
        value=value,
        limits_id=said.limits_id,
        limit_name=name,
        limit=limit,
    )


def _excess(verdict: Verdict, i: int) -> float:
    """How far a column is off, as its limit goes; a low one, or a drift, by its residual."""
    ratio = verdict.x[i] / verdict.alert[i] if verdict.alert[i] > 0 else math.nan
    residual = abs(verdict.z[i]) / 100  # less than any ratio that alerts, and in order among themselves
    return float(max((v for v in (ratio, residual) if not math.isnan(v)), default=0.0))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
