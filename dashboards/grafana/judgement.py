"""What the models say of a machine: scores and tests, diagnoses, health, remaining life."""

from __future__ import annotations

from typing import Final

from models.advice.advise import task_of
from models.detection.decision import TESTS
from models.diagnosis import Fault
from models.diagnosis.severity import Action

from . import fields as f
from . import panels as p
from . import queries as q
from .bands import of_alert, of_health
from .board import Board
from .kit import Kit
from .looks import colours, fault_mappings, level_mappings, severity_mappings, text_mappings
from .sdk import InfluxQuery, models
from .transforms import ABSENT, taken_apart

HERE: Final = (q.SITE, q.MACHINE, q.POINT)
WHOLE: Final = (q.SITE, q.MACHINE)

SUREST: Final = '"rank" = 1'
"""The first of the faults that an examination names."""

MODES: Final = ("vibration", "shaft", "high_frequency", "shocks", "bearing", "gear", "vanes")
"""Failure modes that a health index may be of."""

METHODS: Final = ("mixture", "threshold_crossed", "population_weibull")
"""How a remaining life is found."""

ASSUMED: Final = (
    *("regime_unchanged", "threshold", "no_class_history", "class_history", "calibrated"),
    *("calibrated_on_simulation", "jumps_seen", "capped", "population"),
)
"""Assumptions of a remaining life, here told without their numbers."""

LIFE_GAP_MS: Final = 24 * 3_600_000
"""A life is asked for every six hours: a line is broken where three times were left out."""

DAY: Final = "time > now() - 1d"
"""An examination, and a life, are repeated within a day for as long as there is reason to."""


def add_scores(board: Board, kit: Kit) -> None:
    """The row of the baseline: how far off it the point is, what speaks for it, and since when."""
    w = kit.words
    board.row(w("score.row"))
    score = InfluxQuery("A", q.RAW, q.trend("score", "score", *HERE, how="max"), alias=w("score.score"))
    threshold = InfluxQuery(
        "B", q.RAW, q.trend("score", "threshold", *HERE, how="last"), alias=w("score.threshold")
    )
    about = p.About(w("score.title"), w("score.about"), unit=w("unit.sigmas"), decimals=1)
    lines = [f.painted(w("score.threshold"), colours()["alert"])]
    board.add(p.trend(about, [score, threshold], overrides=lines), 12, 9)
    ratio = f'mean({q.field("score", "value")}) / mean({q.field("score", "alert")}) AS "ratio"'
    statement = q.select(ratio, "score", *WHOLE, q.IN_RANGE, by=(q.EVERY, "point"), fill="none")
    about = p.About(w("score.leading"), w("score.leading_about"), unit="percentunit", decimals=0)
    drawn = p.Trend(bands=True, lines=of_alert())
    board.add(
        p.trend(about, [InfluxQuery("A", q.RAW, statement, alias=w("legend.point"))], drawn=drawn), 12, 9
    )
    board.add(_tests(kit), 12, 9)
    board.add(_loudest(kit), 12, 9)


def add_diagnosis(board: Board, kit: Kit) -> None:
    """The row of the diagnosis."""
    w = kit.words
    board.row(w("diagnosis.row"))
    board.add(_found(kit), 24, 8)
    for key, name, mappings in (
        ("timeline", "fault", fault_mappings(w)),
        ("severities", "severity", severity_mappings(w)),
    ):
        statement = _over_time("diagnosis", name, *WHOLE, SUREST)
        about = p.About(w(f"diagnosis.{key}"), w(f"diagnosis.{key}_about"), unit="none")
        board.add(
            p.timeline(about, [InfluxQuery("A", q.RAW, statement, alias=w("legend.point"))], mappings), 12, 7
        )


def add_health(board: Board, kit: Kit) -> None:
    """The row of health and remaining life."""
    w = kit.words
    board.row(w("health.row"))
    board.add(_index(kit), 12, 9)
    board.add(_by_mode(kit), 12, 9)
    board.add(_worst_modes(kit), 24, 6)
    board.add(_fan(kit), 12, 9)
    board.add(_lives(kit), 12, 9)


def mode_mappings(kit: Kit) -> list[models.ValueMapping]:
    """Value mappings of failure modes."""
    return text_mappings({mode: kit.words.shared(f"machine.mode_{mode}") for mode in MODES})


def worst_faults(*where: str) -> str:
    """Of each machine the fault of the most severe of the newest diagnoses of its points."""
    columns = f'last({q.field("diagnosis", "fault")}) AS "fault", "severity", "confidence"'
    newest = q.select(columns, "diagnosis", *where, SUREST, DAY, by=q.POINTS)
    return q.among('top("severity", 1) AS "severity", "fault", "confidence"', newest, by=q.MACHINES)


def shortest_lives(*where: str) -> str:
    """Of each machine the least of the newest remaining lives of its points."""
    newest = q.select(
        f'last({q.field("life", "method")}) AS "method", {q.field("life", "p10_h")}',
        "life",
        *where,
        DAY,
        by=q.POINTS,
    )
    return q.among('min("p10_h") AS "p10_h"', newest, where=("\"method\" != 'refused'",), by=q.MACHINES)


def _over_time(of: str, name: str, *where: str) -> str:
    what = f"last({q.field(of, name)}) AS {q.quoted(name)}"
    return q.select(what, of, *where, q.IN_RANGE, by=(q.EVERY, "point"), fill="none")


def _tests(kit: Kit) -> models.Panel:
    """A row for each test that was on: the same tests may tell a drift, a step or a strange mixture."""
    w = kit.words
    targets = [
        InfluxQuery(
            chr(ord("A") + i),
            q.RAW,
            q.select(
                f'last({q.field("score", "level")}) AS "level"',
                "score",
                *HERE,
                f'"tests" =~ /"{test}":/',
                q.IN_RANGE,
                by=(q.EVERY,),
                fill="none",
            ),
            alias=w.shared(f"machine.test_{test}"),
        )
        for i, test in enumerate(TESTS)
    ]
    return p.timeline(
        p.About(w("score.tests"), w("score.tests_about"), unit="none"), targets, level_mappings(w)
    )


def _loudest(kit: Kit) -> models.Panel:
    w = kit.words
    names = ("score", "threshold", "leading", "value", "alert")
    newest = q.select(
        f'last({q.field("score", "level")}) AS "level", {_fields("score", names)}',
        "score",
        *WHOLE,
        q.IN_RANGE,
        by=("point",),
    )
    return p.rows(
        p.About(w("score.loudest"), w("score.loudest_about"), unit="none", no_value=w("score.none")),
        [InfluxQuery("A", q.RAW, newest, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=110),
            f.Column("point", w("variable.point"), width=60),
            f.Column("level", w("column.level"), mappings=level_mappings(w), coloured=True, width=170),
            f.Column("score", w("score.score"), unit=w("unit.sigmas"), decimals=1),
            f.Column("threshold", w("score.threshold"), unit=w("unit.sigmas"), decimals=1),
            f.Column("leading", w("column.leading")),
            f.Column("value", w("column.value"), decimals=2),
            f.Column("alert", w("column.alert"), decimals=2),
        ],
    )


def _found(kit: Kit) -> models.Panel:
    w = kit.words
    names = ("fault", "confidence", "severity", "action", "deadline_h", "reason", "remedy")
    # What is to be done about a fault follows from it: the column is there twice, in other words.
    columns = f'{_fields("diagnosis", names)}, {q.field("diagnosis", "fault")} AS "task"'
    statement = q.select(f'"point", "rank", {columns}', "diagnosis", *WHOLE, q.IN_RANGE, newest=p.MANY)
    tasks = {str(fault): w.shared(f"task.{task_of(fault)}") for fault in Fault}
    actions = {action: w(f"action.{action}") for action in Action}
    return p.rows(
        p.About(
            w("diagnosis.title"), w("diagnosis.about"), unit="none", no_value=w("diagnosis.nothing_found")
        ),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=170),
            f.Column("point", w("variable.point"), width=60),
            f.Column("rank", w("column.rank"), width=60),
            f.Column("fault", w("column.fault"), mappings=fault_mappings(w), width=230),
            f.Column("confidence", w("column.confidence"), unit="percentunit", decimals=0, width=90),
            f.Column(
                "severity", w("column.severity"), mappings=severity_mappings(w), coloured=True, width=130
            ),
            f.Column("action", w("column.action"), mappings=text_mappings(actions), width=160),
            f.Column("deadline_h", w("column.deadline"), unit=w("unit.hours"), decimals=0, width=90),
            f.Column("task", w("column.remedy"), mappings=text_mappings({**tasks, **_NOTHING_TO_DO})),
            f.Column("reason", w("column.reason"), mappings=text_mappings(w.table("refusal"))),
            f.Column("remedy", w("column.way_out"), mappings=text_mappings(w.table("remedy"))),
        ],
        sort=(w("column.time"), True),
    )


_NOTHING_TO_DO: Final = {"none": "–", "refused": "–"}


def _index(kit: Kit) -> models.Panel:
    w = kit.words
    targets = [
        InfluxQuery("A", q.RAW, q.trend("health", "health_index", *WHOLE, q.OF_MACHINE), alias="${machine}"),
        InfluxQuery(
            "B",
            q.RAW,
            q.trend("health", "health_index", *WHOLE, q.OF_POINTS, by=("point",)),
            alias=w("legend.point"),
        ),
    ]
    about = p.About(w("health.title"), w("health.about"), unit="none", decimals=0)
    return p.trend(about, targets, drawn=p.Trend(bands=True, up_to=100, lines=of_health()))


def _by_mode(kit: Kit) -> models.Panel:
    w = kit.words
    newest = q.select(
        f'last({q.field("health", "health_index")}) AS "health_index", {q.field("health", "modes")}',
        "health",
        *WHOLE,
        q.IN_RANGE,
        by=("point",),
    )

    def index(name: str, title: str) -> f.Column:
        return f.Column(name, title, decimals=0, coloured=True, limits=of_health())

    return p.rows(
        p.About(w("health.modes"), w("health.modes_about"), unit="none", no_value=w("health.none")),
        [InfluxQuery("A", q.RAW, newest, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=110),
            f.Column("point", w("variable.point"), width=60),
            index("health_index", w("column.health")),
            *(index(mode, w.shared(f"machine.mode_{mode}")) for mode in MODES),
        ],
        transforms=taken_apart("modes"),
    )


def _worst_modes(kit: Kit) -> models.Panel:
    w = kit.words
    statement = _over_time("health", "mode", *WHOLE, q.OF_POINTS)
    about = p.About(w("health.worst"), w("health.worst_about"), unit="none")
    return p.timeline(
        about, [InfluxQuery("A", q.RAW, statement, alias=w("legend.point"))], mode_mappings(kit)
    )


def _fan(kit: Kit) -> models.Panel:
    """Three quantiles, the room between the outer ones filled."""
    w = kit.words
    low, middle, high = (w(f"life.{name}") for name in ("p10", "p50", "p90"))
    targets = [
        InfluxQuery(ref, q.RAW, q.trend("life", name, *HERE, how="last"), alias=alias)
        for ref, name, alias in (("A", "p10_h", low), ("B", "p50_h", middle), ("C", "p90_h", high))
    ]
    trace = colours()["trace"]
    overrides = [
        f.painted(low, trace),
        f.painted(middle, trace, **{"custom.lineWidth": 2}),
        f.painted(high, trace, **{"custom.fillBelowTo": low, "custom.fillOpacity": 20}),
    ]
    about = p.About(w("life.title"), w("life.about"), unit=w("unit.hours"), decimals=0)
    return p.trend(about, targets, drawn=p.Trend(gap_ms=LIFE_GAP_MS), overrides=overrides)


def _lives(kit: Kit) -> models.Panel:
    """The newest life of each point with what it rests on, or why there is none."""
    w = kit.words
    names = ("p10_h", "p50_h", "p90_h", "confidence", "leading", "assumptions", "reason", "remedy")
    newest = q.select(
        f'last({q.field("life", "method")}) AS "method", {_fields("life", names)}',
        "life",
        *WHOLE,
        q.IN_RANGE,
        by=("point",),
    )
    said = {f"assumption_{i}": f"[{i}].key" for i in range(3)}
    assumed = text_mappings({key: w(f"assumed.{key}") for key in ASSUMED} | {ABSENT: "–"})
    return p.rows(
        p.About(w("life.methods"), w("life.methods_about"), unit="none", no_value=w("life.none")),
        [InfluxQuery("A", q.RAW, newest, as_table=True)],
        [
            *_of_a_life(kit),
            *(f.Column(name, w("column.assumption"), mappings=assumed) for name in said),
        ],
        transforms=taken_apart("assumptions", said),
    )


def _of_a_life(kit: Kit) -> list[f.Column]:
    w = kit.words
    methods = {method: w.shared(f"life.{method}") for method in METHODS} | {"refused": "–"}
    sure = {name: w.shared(f"life.{name}") for name in ("high", "medium", "low")}
    return [
        f.Column("Time", w("column.newest"), unit=p.AGE, width=110),
        f.Column("point", w("variable.point"), width=60),
        f.Column("method", w("column.method"), mappings=text_mappings(methods)),
        *(
            f.Column(f"{name}_h", w(f"life.{name}"), unit=w("unit.hours"), decimals=0)
            for name in ("p10", "p50", "p90")
        ),
        f.Column("confidence", w("column.confidence"), mappings=text_mappings(sure)),
        f.Column("leading", w("column.growing")),
        f.Column("reason", w("column.reason"), mappings=text_mappings(w.table("refusal"))),
        f.Column("remedy", w("column.way_out"), mappings=text_mappings(w.table("remedy"))),
    ]


def _fields(of: str, names: tuple[str, ...]) -> str:
    return ", ".join(q.field(of, name) for name in names)
