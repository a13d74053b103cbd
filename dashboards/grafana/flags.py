"""Flags on the time axis, read from the `event` series: when a state became worse, and what people did."""

from __future__ import annotations

from models.types import State

from . import queries as q
from .looks import colour_of, colours
from .sdk import InfluxQuery, data_source, models
from .words import Words


def of_machine(words: Words) -> list[models.AnnotationQuery]:
    """Alert and danger of the machine and its points, and interventions."""
    states = [
        _flag(
            words.shared(f"state.{state}"),
            colour_of(state),
            f'"kind" = {q.text_of(q.STATE)}',
            f'"state" = {q.text_of(state)}',
        )
        for state in (State.DANGER, State.ALERT)
    ]
    done = _flag(
        words("annotation.interventions"), colours()["accent"], f'"kind" = {q.text_of(q.INTERVENTION)}'
    )
    return [*states, done]


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
