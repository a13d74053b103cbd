"""Flags on the time axis, read from the `event` series: when an alarm was raised, and what people did."""

from __future__ import annotations

from models.types import State
from palier.alarms import Level

from . import alarm_queries as a
from . import queries as q
from .looks import colour_of, colours
from .sdk import InfluxQuery, data_source, models
from .words import Words


def of_machine(words: Words) -> list[models.AnnotationQuery]:
    """Alarms of the machine and its points that were raised, by level, and interventions."""
    raised = [
        _flag(
            words.shared(f"state.{level}"),
            colour_of(State(level)),
            *a.RAISED,
            a.level(level),
        )
        for level in (Level.DANGER, Level.ALERT)
    ]
    done = _flag(
        words("annotation.interventions"), colours()["accent"], f'"kind" = {q.text_of(q.INTERVENTION)}'
    )
    return [*raised, done]


def _flag(name: str, colour: str, *conditions: str) -> models.AnnotationQuery:
    # A tag can only be selected beside a field; its columns are the text and the tag of the flag.
    statement = q.select('"state", "machine", "point"', "event", q.SITE, q.MACHINE, *conditions, q.IN_RANGE)
    return models.AnnotationQuery(
        name=name,
        datasource=data_source(q.RAW),
        enable=True,
        hide=False,
        icon_color=colour,
        target=InfluxQuery("Anno", q.RAW, statement, as_table=True, columns=("machine", "point")),
    )
