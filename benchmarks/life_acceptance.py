"""The acceptance of remaining life on simulated lives: what is taught, what is asked, and what is counted.

Three sets of lives of the same five kinds, of different seeds: from the first the class histories (how fast a
kind degrades, its failed courses), from the second the calibration (how far the models could be believed),
the third is asked at 0.5, 0.75 and 0.9 of the time from onset to end. No life is in two sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.evaluate import answered, interval_coverage, late_error_rate, relative_accuracy
from models.prognosis import (
    Calibration,
    ClassHistory,
    Courses,
    Forecasts,
    Lives,
    answers,
    calibrate,
    class_history,
    courses,
    forecast,
)

from .lives import CLASSES, Array, LifeClass, LifeSet, simulate

MOMENTS: Final = (0.5, 0.75, 0.9)
TEACHING, CALIBRATING, ASKED = 60, 80, 200
"""Lives of each kind in the three sets."""

ALERT_SPREADS: Final = 5.0
"""The alert level of a simulated machine, in spreads of its healthy logarithms."""

SEEDS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Case:
    """The lives of one kind at one moment: `share` of the way from onset to end, and the hours left (n,)."""

    kind: str
    share: float
    told: Forecasts
    left_h: Array


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted over some cases: of the answers, not of the refusals."""

    cases: int
    answered: float
    coverage: float
    late: float
    accuracy: float
    p50: float
    """Median of P50 over what was left."""
    width: float
    """Median of P90/P10."""


def seen(lives: LifeSet, kind: LifeClass, now: npt.NDArray[np.intp]) -> Courses:
    """What a platform knows of each life at its step `now` (n,)."""
    m = int(now.max()) + 1
    past = np.arange(m) <= now[:, None]
    return courses(
        np.where(past, lives.hours[:m], np.nan),
        np.where(past, lives.level[:, :m], np.nan),
        threshold=lives.baseline * kind.ratio,
        alert=lives.baseline * np.exp(ALERT_SPREADS * lives.spread),
        baseline=lives.baseline,
        spread=lives.spread,
        use=lives.use[:, :m],
        start=lives.repair_h,
    )


def teach(kinds: Sequence[LifeClass], lives: int, seed: int) -> list[ClassHistory | None]:
    """The history of each kind, from lives that ran to their end."""
    found = []
    for place, kind in enumerate(kinds):
        failed = simulate(kind, lives, np.random.default_rng([seed, place]))
        found.append(class_history(seen(failed, kind, failed.end)))
    return found


def believe(
    kinds: Sequence[LifeClass], histories: Sequence[ClassHistory | None], lives: int, seed: int
) -> Calibration:
    """The calibration from other lives, each looked at four times in the second half of its degradation."""
    told = []
    for place, (kind, history) in enumerate(zip(kinds, histories, strict=True)):
        rng = np.random.default_rng([seed, place])
        past = simulate(kind, lives, rng)
        for _ in range(4):
            now = (past.onset + rng.uniform(0.5, 0.95, lives) * (past.end - past.onset)).astype(np.intp)
            known = forecast(seen(past, kind, now), history)
            told.append((known.models, known.spans((past.end - now) * kind.step_h)))
    return calibrate(told, lives * len(kinds))


def ask(
    kinds: Sequence[LifeClass], histories: Sequence[ClassHistory | None], lives: int, seed: int
) -> Iterator[Case]:
    """Lives that nothing was learnt from, at each of `MOMENTS`."""
    for place, (kind, history) in enumerate(zip(kinds, histories, strict=True)):
        test = simulate(kind, lives, np.random.default_rng([seed, place]))
        for share in MOMENTS:
            now = (test.onset + share * (test.end - test.onset)).astype(np.intp)
            told = forecast(seen(test, kind, now), history)
            left = np.asarray((test.end - now) * kind.step_h, dtype=np.float64)
            yield Case(kind.name, share, told, left)


def count(cases: Sequence[Case], said: Sequence[Lives]) -> Counted:
    """The figures of some cases with their answers."""
    p10, p50, p90 = (
        np.concatenate([getattr(lives, name) for lives in said]) for name in ("p10", "p50", "p90")
    )
    left = np.concatenate([case.left_h for case in cases])
    with np.errstate(invalid="ignore", divide="ignore"):
        return Counted(
            cases=len(left),
            answered=answered(p50),
            coverage=interval_coverage(p10, p90, left),
            late=late_error_rate(p10, left),
            accuracy=float(np.nanmedian(relative_accuracy(p50, left))),
            p50=float(np.nanmedian(p50 / left)),
            width=float(np.nanmedian(np.where(p10 > 0, p90 / p10, np.nan))),
        )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All cases with their answers under one calibration."""

    cases: tuple[Case, ...]
    said: tuple[Lives, ...]
    calibration: Calibration

    def pooled(self, *, kind: str | None = None, share: float | None = None) -> Counted:
        """The figures of one kind, of one moment, or of all."""
        chosen = [
            (case, lives)
            for case, lives in zip(self.cases, self.said, strict=True)
            if kind in (None, case.kind) and share in (None, case.share)
        ]
        return count([case for case, _ in chosen], [lives for _, lives in chosen])


def acceptance(
    *,
    kinds: Sequence[LifeClass] = CLASSES,
    taught_by: Sequence[LifeClass] | None = CLASSES,
    calibration: Calibration | None = None,
    lives: tuple[int, int, int] = (TEACHING, CALIBRATING, ASKED),
    seeds: tuple[int, int, int] = SEEDS,
) -> Acceptance:
    """Teach, calibrate and ask. `taught_by` are the kinds that history and calibration come from, None for no
    history; a `calibration` that is given is taken as it is."""
    if taught_by is None:
        histories: list[ClassHistory | None] = [None] * len(kinds)
    else:
        histories = teach(taught_by, lives[0], seeds[0])
    if calibration is None:
        calibration = believe(taught_by or kinds, histories, lives[1], seeds[1])
    cases = tuple(ask(kinds, histories, lives[2], seeds[2]))
    return Acceptance(cases, tuple(answers(case.told, calibration) for case in cases), calibration)


def other(kinds: Sequence[LifeClass] = CLASSES) -> tuple[LifeClass, ...]:
    """Kinds like these that degrade half as fast again, with less noise: a history that is not quite
    right."""
    return tuple(replace(kind, fold_h=kind.fold_h / 1.5, noise=kind.noise * 0.7) for kind in kinds)
