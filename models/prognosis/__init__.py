"""How long a machine still has: onset, models of degradation, their mixture, and refusals.

`remaining_life` answers for one trend; `courses`, `forecast` and `answers` for a batch of one class.

What computes is found on first use: who only words an answer (page, report) does not pay for the special
functions of scipy (21 MB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .courses import Courses, courses
from .mixture import GENERIC, LEVELS, NOMINAL, Calibration, calibrate
from .population import population_life
from .types import (
    REFUSALS,
    Assumption,
    Method,
    Quantity,
    RemainingLife,
    Threshold,
    Trend,
)
from .words import Spoken, Unit, spoken

if TYPE_CHECKING:
    from .history import ClassHistory, class_history
    from .life import ANSWERED, Forecasts, Lives, answers, forecast, remaining_life

__all__ = [
    "ANSWERED",
    "GENERIC",
    "LEVELS",
    "NOMINAL",
    "REFUSALS",
    "Assumption",
    "Calibration",
    "ClassHistory",
    "Courses",
    "Forecasts",
    "Lives",
    "Method",
    "Quantity",
    "RemainingLife",
    "Spoken",
    "Threshold",
    "Trend",
    "Unit",
    "answers",
    "calibrate",
    "class_history",
    "courses",
    "forecast",
    "population_life",
    "remaining_life",
    "spoken",
]

_NAMES = {
    "history": ("ClassHistory", "class_history"),
    "life": ("ANSWERED", "Forecasts", "Lives", "answers", "forecast", "remaining_life"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
