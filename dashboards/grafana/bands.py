"""Zone bands and limit lines of a trend, from the limit sets: no number of a limit stands in a dashboard.

A panel does not know which limits are in force; the `state` series does, by name. So the name is put into
the name of the drawn series ("2/H [iso10816-7:cat2:over200kw]"), and each limit set brings an override that
finds its name there and draws its own lines. A band has the colour of the state that a value in it is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from models.detection.zones import LimitSet, judge
from models.diagnosis.health import AT_ALERT, AT_DANGER
from models.types import State

from .looks import TRANSPARENT, colour_of
from .sdk import models


def bracketed(limits_id: str) -> str:
    """How a limit set is named in the name of a series; it may be a variable."""
    return f"[{limits_id}]"


def thresholds(limits: LimitSet | None) -> models.ThresholdsConfig:
    """The lines of a limit set, each band below the next line in the colour of its state."""
    steps = [models.Threshold(value=None, color=TRANSPARENT)]
    if limits is not None:
        edges = (0.0, *limits.values, limits.values[-1] * 2)
        middles = [(low + high) / 2 for low, high in pairwise(edges)]
        colours = [colour_of(judge(middle, limits).state) for middle in middles]
        steps = [
            models.Threshold(value=None, color=colours[0]),
            *(
                models.Threshold(value=value, color=colour)
                for value, colour in zip(limits.values, colours[1:], strict=True)
            ),
        ]
    return models.ThresholdsConfig(mode=models.ThresholdsMode.ABSOLUTE, steps=steps)


def overrides(limit_sets: Iterable[LimitSet]) -> list[models.DashboardFieldConfigSourceOverrides]:
    """One override a limit set, for series that bear its name in brackets."""
    return [
        models.DashboardFieldConfigSourceOverrides(
            matcher=models.MatcherConfig(id_val="byRegexp", options=_regex(limits.id)),
            properties=[models.DynamicConfigValue(id_val="thresholds", value=thresholds(limits))],
        )
        for limits in limit_sets
    ]


def must_be_zero() -> models.ThresholdsConfig:
    """For counts that the law of conservation wants to be 0: anything above is red."""
    return _lines((1, State.DANGER), below=colour_of(State.NORMAL))


def wants_none() -> models.ThresholdsConfig:
    """For counts of what waits for somebody: none is no reason to look, anything above is an alert."""
    return _lines((1, State.ALERT), below=TRANSPARENT)


def of_health() -> models.ThresholdsConfig:
    """The lines of the health index: below the index of an alert, and below that of a danger."""
    return _lines((AT_DANGER, State.ALERT), (AT_ALERT, State.NORMAL), below=colour_of(State.DANGER))


def of_alert() -> models.ThresholdsConfig:
    """The line of an alert limit, for values that are told as parts of it."""
    return _lines((1, State.ALERT), below=colour_of(State.NORMAL))


def _lines(*steps: tuple[float, State], below: str) -> models.ThresholdsConfig:
    return models.ThresholdsConfig(
        mode=models.ThresholdsMode.ABSOLUTE,
        steps=[
            models.Threshold(value=None, color=below),
            *(models.Threshold(value=value, color=colour_of(state)) for value, state in steps),
        ],
    )


def _regex(limits_id: str) -> str:
    return f"/{re.escape(bracketed(limits_id)).replace('/', chr(92) + '/')}$/"
