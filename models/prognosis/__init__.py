"""How long a machine still has: onset, models of degradation, their mixture, and refusals.

`remaining_life` answers for one trend; `courses`, `forecast` and `answers` for a batch of one class.
"""

from .courses import Courses, courses
from .history import ClassHistory, class_history
from .life import ANSWERED, Forecasts, Lives, answers, forecast, remaining_life
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
