"""Exercises drawn by lot: the seed chooses among the candidates of the scenario `training`."""

from __future__ import annotations

from typing import Final

from palier.locale import LANGUAGES, Catalogue
from palier.plant import Plant
from palier.training import Exercise, Expected, Session, Text, Wrong

from .draws import key_of, uniform
from .plans import Line, PlannedFault, PlannedImpairment
from .scenario import shipped_scenario
from .training_file import expected_names
from .training_times import blocks_each

DRAWN: Final = 3
"""Exercises of a session: half an hour."""

SINCE_DAYS: Final = (5.0, 13.0)
"""Between these a fault began, days ago: weeks of a sound machine are before it."""

LEVEL: Final = 3


def drawn_session(seed: int, plant: Plant) -> Session:
    """A session of machines that nobody has chosen. Same seed, same machines."""
    candidates = shipped_scenario("training", plant).candidates
    order = sorted(range(len(candidates)), key=lambda k: uniform(key_of(seed, "exercise", k)))
    exercises = tuple(
        _exercise(number, candidates[k], seed, plant) for number, k in enumerate(order[:DRAWN], 1)
    )
    return Session("", _text("drawn_title", seed=seed), 0, exercises)


def _exercise(number: int, candidate: PlannedFault | PlannedImpairment, seed: int, plant: Plant) -> Exercise:
    key = key_of(seed, "exercise", "course", number)
    spec = plant.machine(candidate.machine)
    since_days = round(uniform(key_of(key, "since"), *SINCE_DAYS), 1)
    wrong = Wrong(candidate.kind.value, candidate.point, _severity(candidate, key), since_days)
    names = expected_names(wrong.kind, "" if spec is None else spec.kind)
    return Exercise(
        id=f"EX-{number:02d}",
        title=_text("drawn_exercise", number=number),
        text=_text("drawn_text"),
        level=LEVEL,
        seed=seed * DRAWN + number,
        model=candidate.machine,
        blocks=blocks_each(),
        truth=(wrong,),
        expected=Expected(names, (wrong.point,) if wrong.point else (), 0, ()),
        explanation=_text("drawn_explanation"),
    )


def _severity(candidate: PlannedFault | PlannedImpairment, key: int) -> float:
    if isinstance(candidate, PlannedFault) and isinstance(candidate.plan, Line):
        return round(uniform(key_of(key, "level"), candidate.plan.low, candidate.plan.high), 2)
    return 0.0


def _text(name: str, **params: object) -> Text:
    return {lang: Catalogue(lang).text(f"training.{name}", **params) for lang in LANGUAGES}
