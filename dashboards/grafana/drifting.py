"""Models of the registry, and drift, on the dashboard of models: what is in force, says, and has moved.

A feature is no tag, for a tag of each would make a series of each: what is told by feature stands in a table.
"""

from __future__ import annotations

from typing import Final

from models.training.drift import REASONS

from . import fields as f
from . import panels as p
from . import queries as q
from .board import Board
from .kit import Kit
from .looks import alarm_mappings, fault_mappings, text_mappings
from .sdk import InfluxQuery, models
from .transforms import ABSENT, taken_apart

WHERE: Final = (q.SITE, q.MACHINE)
OF_POINT: Final = "\"channel\" = ''"
"""Rows of `drift` that are of a point as a whole."""

OF_COLUMN: Final = "\"channel\" != ''"
STAGES: Final = ("in force", "shadow")
FAR: Final = 0.1
"""PSI from which a feature is worth a line (the customary first limit)."""

FAR_OR_MOVED: Final = f'("psi" > {FAR} OR "moved" = 1)'
"""A mean that moves by little each day, and for long, is told by its sum and not by PSI."""

DAY_MS: Final = 86_400_000


def add_registry(board: Board, kit: Kit) -> None:
    """What of the registry is in force, and what it says."""
    board.row(kit.words("drift.row_registry"))
    board.add(_in_force(kit), 12, 8)
    board.add(_named(kit), 12, 8)
    board.add(_model_scores(kit), 24, 9)


def add_drift(board: Board, kit: Kit) -> None:
    """How far points have moved from what their baselines were trained on."""
    board.row(kit.words("drift.row_drift"))
    board.add(_points(kit), 24, 9)
    board.add(_trend(kit, "psi"), 8, 9)
    board.add(_trend(kit, "outside", unit="percentunit"), 8, 9)
    board.add(_trend(kit, "age"), 8, 9)
    board.add(_features(kit), 14, 10)
    board.add(_advice(kit), 10, 10)


def _in_force(kit: Kit) -> models.Panel:
    """The newest word of the ingest on each model; what stands for a machine is the model's name."""
    w = kit.words
    last = f'last("state") AS "state", {q.field("event", "detail")}'
    of_models = f'"kind" = {q.text_of("model")}'
    statement = q.select(last, "event", of_models, q.SITE, q.KEPT, by=q.MACHINES)
    none = alarm_mappings(w)["why"]
    stages = text_mappings({one: w(f"drift.stage_{one.replace(' ', '_')}") for one in _STATES})
    return p.rows(
        p.About(w("drift.registry"), w("drift.registry_about"), unit="none", no_value=w("drift.no_model")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.since"), unit=p.AGE, width=130),
            f.Column("site", w("variable.site"), width=110),
            f.Column("machine", w("column.model"), width=130),
            f.Column("state", w("column.state"), mappings=stages, width=120),
            f.Column("version", w("column.version"), mappings=none, width=80),
            f.Column("who", w("column.who"), mappings=alarm_mappings(w)["who"], width=110),
            f.Column("why", w("column.why"), mappings=none),
        ],
        sort=(w("column.model"), False),
        transforms=taken_apart("detail", {name: name for name in ("version", "who", "why")}),
    )


_STATES: Final = (*STAGES, "none", "refused")


def _named(kit: Kit) -> models.Panel:
    """What a classifier called each point last."""
    w = kit.words
    columns = ", ".join(
        q.field("model_score", name) for name in ("confidence", "model", "version", "stage", "leading")
    )
    last = f'last("label") AS "label", {columns}'
    statement = q.select(last, "model_score", *WHERE, "\"label\" != ''", q.IN_RANGE, by=q.POINTS)
    stages = text_mappings({one: w(f"drift.stage_{one.replace(' ', '_')}") for one in STAGES})
    return p.rows(
        p.About(w("drift.named"), w("drift.named_about"), unit="none", no_value=w("drift.no_name")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=120),
            f.Column("site", w("variable.site"), width=100),
            f.Column("machine", w("variable.machine"), width=90),
            f.Column("point", w("variable.point"), width=60),
            f.Column("label", w("column.fault"), mappings=fault_mappings(w)),
            f.Column("confidence", w("column.confidence"), unit="percentunit", decimals=0, width=90),
            f.Column("model", w("column.model"), width=110),
            f.Column("version", w("column.version"), width=80),
            f.Column("stage", w("column.stage"), mappings=stages, width=110),
            f.Column("leading", w("column.leading")),
        ],
        sort=(w("column.confidence"), True),
    )


def _model_scores(kit: Kit) -> models.Panel:
    """Scores of detectors with their threshold, those in force and those in the shadow."""
    w = kit.words
    asked = [
        (stage, name, w(f"drift.{name}_{stage.replace(' ', '_')}"))
        for stage in STAGES
        for name in ("score", "threshold")
    ]
    targets = [
        InfluxQuery(
            chr(ord("A") + i),
            q.RAW,
            q.trend(
                "model_score", name, *WHERE, f'"stage" = {q.text_of(stage)}', by=("machine", "point"), how=how
            ),
            alias=f"$tag_machine/$tag_point {label}",
        )
        for i, (stage, name, label) in enumerate(asked)
        for how in ("max" if name == "score" else "mean",)
    ]
    about = p.About(w("drift.scores"), w("drift.scores_about"), unit="none", decimals=2)
    return p.trend(about, targets, drawn=p.Trend(from_zero=False))


def _points(kit: Kit) -> models.Panel:
    """The newest look at each point, and what it advises."""
    w = kit.words
    told = ("psi", "moved", "outside", "age_days", "blocks", "in_alarm", "model", "reason", "remedy")
    columns = ", ".join(q.field("drift", name) for name in told)
    last = f'last("advice") AS "advice", {columns}'
    statement = q.select(last, "drift", *WHERE, OF_POINT, q.KEPT, by=q.POINTS)
    return p.rows(
        p.About(w("drift.points"), w("drift.points_about"), unit="none", no_value=w("drift.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=120),
            f.Column("site", w("variable.site"), width=100),
            f.Column("machine", w("variable.machine"), width=90),
            f.Column("point", w("variable.point"), width=60),
            f.Column("advice", w("column.advice"), mappings=_advices(kit), width=150),
            f.Column("psi", w("column.psi"), decimals=2, width=80),
            f.Column("moved", w("column.moved"), decimals=0, width=90),
            f.Column("outside", w("column.outside"), unit="percentunit", decimals=0, width=100),
            f.Column("age_days", w("column.age_days"), decimals=0, width=90),
            f.Column("blocks", w("column.blocks"), decimals=0, width=90),
            f.Column("in_alarm", w("column.in_alarm"), decimals=0, width=90),
            f.Column("model", w("column.baseline"), width=110),
            f.Column("reason", w("column.reason"), mappings=text_mappings(w.table("refusal"))),
            f.Column("remedy", w("column.remedy"), mappings=text_mappings(w.table("remedy"))),
        ],
        sort=(w("column.psi"), True),
    )


def _advices(kit: Kit) -> list[models.ValueMapping]:
    return text_mappings({one: kit.words(f"drift.advice_{one}") for one in ("retrain", "none")})


def _trend(kit: Kit, key: str, *, unit: str = "none") -> models.Panel:
    """A figure of the points, once a day."""
    w = kit.words
    name = "age_days" if key == "age" else key
    statement = q.trend("drift", name, *WHERE, OF_POINT, by=("machine", "point"), how="max")
    about = p.About(w(f"drift.{key}"), w(f"drift.{key}_about"), unit=unit, decimals=2 if key == "psi" else 0)
    drawn = p.Trend(steps=True, gap_ms=3 * DAY_MS)
    return p.trend(about, [InfluxQuery("A", q.RAW, statement, alias="$tag_machine/$tag_point")], drawn=drawn)


def _features(kit: Kit) -> models.Panel:
    """The features that have moved, look by look."""
    w = kit.words
    numbers = ("psi", "psi_limit", "ks", "ks_limit", "page_hinkley", "page_hinkley_limit", "shift")
    told = ("machine", "point", "channel", "feature", *numbers, "regime")
    columns = ", ".join(q.quoted(name) for name in told)
    statement = q.select(columns, "drift", *WHERE, OF_COLUMN, FAR_OR_MOVED, q.IN_RANGE, newest=p.MANY)
    everywhere = text_mappings({"": w("drift.everywhere")})
    return p.rows(
        p.About(w("drift.features"), w("drift.features_about"), unit="none", no_value=w("drift.unmoved")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=150),
            f.Column("machine", w("variable.machine"), width=80),
            f.Column("point", w("variable.point"), width=55),
            f.Column("channel", w("variable.channel"), width=55),
            f.Column("feature", w("column.feature")),
            *(f.Column(name, w(f"column.{name}"), decimals=2, width=80) for name in numbers),
            f.Column("regime", w("column.regime"), mappings=everywhere, width=90),
        ],
        sort=(w("column.time"), True),
    )


def _advice(kit: Kit) -> models.Panel:
    """When learning anew was advised, and why."""
    w = kit.words
    statement = q.select(
        '"site", "machine", "point", "state", "detail"',
        "event",
        f'"kind" = {q.text_of("drift")}',
        *WHERE,
        q.IN_RANGE,
        newest=p.MANY,
    )
    reasons = text_mappings({one: w(f"drift.reason_{one}") for one in REASONS} | {"": "–", ABSENT: "–"})
    return p.rows(
        p.About(w("drift.journal"), w("drift.journal_about"), unit="none", no_value=w("drift.no_advice")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=150),
            f.Column("site", w("variable.site"), width=90),
            f.Column("machine", w("variable.machine"), width=80),
            f.Column("point", w("variable.point"), width=55),
            f.Column("state", w("column.advice"), mappings=_advices(kit), width=130),
            f.Column("why", w("column.why"), mappings=reasons),
        ],
        sort=(w("column.time"), True),
        transforms=taken_apart("detail", {"why": "why"}),
    )
