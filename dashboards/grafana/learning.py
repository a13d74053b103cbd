"""Models: who still learns, how far each baseline is, how its scores lie, what it could not judge."""

from __future__ import annotations

from models.types import State
from palier.operations import BaselineStatus

from . import drifting
from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .board import Board
from .kit import Kit
from .looks import alarm_mappings, colour_of, colours, number_mappings, text_mappings
from .sdk import InfluxQuery, models
from .transforms import joined, taken_apart

WHERE = (q.SITE, q.MACHINE)
UNSEEN = "regime_unseen"
"""Why a point that only its baseline can judge is unknown: its speed or load was never learned."""

DRIFTS = ("ewma", "cusum", "slope")
"""Tests that tell of slow change."""

RUNNING = (State.NORMAL, State.WATCH, State.ALERT, State.DANGER, State.UNKNOWN, State.LEARNING)
"""States of a point whose machine is not known to stand still or to settle."""


def learning(kit: Kit) -> Board:
    """The dashboard of baselines and scores."""
    w = kit.words
    board = Board(
        w,
        "models",
        w("learning.title"),
        w("learning.about"),
        variables=[v.raw(w), v.hourly(w), v.sites(w), v.machines(w)],
        since="now-30d",
    )
    board.add(_baselines(kit), 12, 9)
    board.add(_learned(kit), 12, 9)
    board.add(_learning(kit), 10, 9)
    board.add(_measured(kit), 14, 9)
    board.row(w("learning.row_scores"))
    board.add(_quantiles(kit), 12, 9)
    board.add(_scores(kit), 12, 9)
    board.row(w("learning.row_coverage"))
    board.add(_judged(kit), 8, 9)
    board.add(_unseen(kit), 8, 9)
    board.add(_drifts(kit), 8, 9)
    drifting.add_registry(board, kit)
    drifting.add_drift(board, kit)
    board.row(w("learning.row_journal"))
    board.add(_journal(kit), 24, 8)
    return board


def _baselines(kit: Kit) -> models.Panel:
    """The newest word on the baseline of each machine, and who said it."""
    w = kit.words
    last = f'last("state") AS "state", {q.field("event", "detail")}'
    statement = q.select(last, "event", _OF_BASELINE, *WHERE, q.OF_MACHINE, q.KEPT, by=q.MACHINES)
    return p.rows(
        p.About(
            w("learning.baselines"), w("learning.baselines_about"), unit="none", no_value=w("learning.none")
        ),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [f.Column("Time", w("column.since"), unit=p.AGE, width=140), *_of_baseline(kit)],
        sort=(w("variable.machine"), False),
        transforms=taken_apart("detail", _PATHS),
    )


_OF_BASELINE = f'"kind" = {q.text_of(q.BASELINE)}'
_PATHS = {name: name for name in ("version", "progress", "who", "why")}


def _of_baseline(kit: Kit) -> list[f.Column]:
    w = kit.words
    mappings = alarm_mappings(w)
    faces = {status: w.shared(f"baseline.{status}") for status in BaselineStatus}
    return [
        f.Column("site", w("variable.site"), width=110),
        f.Column("machine", w("variable.machine"), width=100),
        f.Column("state", w("column.baseline"), mappings=text_mappings(faces), width=150),
        f.Column("version", w("column.version"), mappings=mappings["why"], width=80),
        f.Column("progress", w("column.progress"), unit="percentunit", mappings=mappings["why"], width=110),
        f.Column("who", w("column.who"), mappings=mappings["who"], width=120),
        f.Column("why", w("column.why"), mappings=mappings["why"]),
    ]


def _learned(kit: Kit) -> models.Panel:
    """Since when each point has the baseline that judges it, and what it stands on: it never adapts."""
    w = kit.words
    last = f'last("state") AS "state", {q.field("event", "detail")}'
    learned = f'"state" = {q.text_of(BaselineStatus.LEARNED)}'
    statement = q.select(last, "event", _OF_BASELINE, learned, *WHERE, q.OF_POINTS, q.KEPT, by=q.POINTS)
    none = alarm_mappings(w)["why"]
    paths = ("version", "blocks", "days", "z")
    return p.rows(
        p.About(w("learning.age"), w("learning.age_about"), unit="none", no_value=w("learning.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.learned"), unit=p.AGE, width=140),
            f.Column("site", w("variable.site"), width=110),
            f.Column("machine", w("variable.machine"), width=100),
            f.Column("point", w("variable.point"), width=60),
            f.Column("state", w("column.baseline"), mappings=text_mappings({"learned": w("learning.no")})),
            *(f.Column(name, w(f"column.{name}"), mappings=none, width=100) for name in paths),
        ],
        sort=(w("column.learned"), False),
        transforms=taken_apart("detail", {name: name for name in paths}),
    )


def _learning(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        f'last({q.field("state", "learning")}) AS "learning"',
        "state",
        *WHERE,
        q.OF_POINTS,
        q.KEPT,
        by=q.POINTS,
    )
    faces = number_mappings(
        [
            (1, w("learning.yes"), colour_of(State.LEARNING)),
            (0, w("learning.no"), colour_of(State.NORMAL)),
        ],
        w("learning.unknown"),
    )
    return p.rows(
        p.About(w("learning.points"), w("learning.points_about"), unit="none"),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=140),
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.machine")),
            f.Column("point", w("variable.point")),
            f.Column("learning", w("column.baseline"), mappings=faces, coloured=True),
        ],
        sort=(w("variable.machine"), False),
    )


def _measured(kit: Kit) -> models.Panel:
    """How many blocks there are to learn from."""
    w = kit.words
    statement = q.select(
        f'sum({q.field("feature_hourly", "blocks")}) AS "blocks"',
        "feature_hourly",
        *WHERE,
        q.IN_RANGE,
        by=("time(1d)", "machine"),
        fill="none",
    )
    return p.bars(
        p.About(w("learning.measured"), w("learning.measured_about"), unit=w("unit.blocks"), decimals=0),
        [InfluxQuery("A", q.HOURLY, statement, alias="$tag_machine")],
        source=q.HOURLY,
    )


def _quantiles(kit: Kit) -> models.Panel:
    """How the scores of all points lie over time."""
    w = kit.words
    score = q.field("score", "score")
    asked = (
        ("A", f'median({score}) AS "score"', w("score.median")),
        ("B", f'percentile({score}, 95) AS "score"', w("score.p95")),
        ("C", f'max({score}) AS "score"', w("score.max")),
        ("D", f'min({q.field("score", "threshold")}) AS "threshold"', w("score.threshold")),
    )
    targets = [
        InfluxQuery(
            ref, q.RAW, q.select(what, "score", *WHERE, q.IN_RANGE, by=(q.EVERY,), fill="none"), alias=alias
        )
        for ref, what, alias in asked
    ]
    about = p.About(w("learning.scores"), w("learning.scores_about"), unit=w("unit.sigmas"), decimals=1)
    return p.trend(about, targets, overrides=[f.painted(w("score.threshold"), colours()["alert"])])


def _scores(kit: Kit) -> models.Panel:
    """The same of each point over the whole period."""
    w = kit.words
    score = q.field("score", "score")
    of_each = (
        f'count({score}) AS "blocks", median({score}) AS "median", percentile({score}, 95) AS "p95", '
        f'max({score}) AS "max"'
    )
    statements = {
        "A": q.select(of_each, "score", *WHERE, q.IN_RANGE, by=q.POINTS),
        "B": q.select(
            f'count({score}) AS "above"', "score", *WHERE, '"score" > "threshold"', q.IN_RANGE, by=q.POINTS
        ),
    }
    return p.rows(
        p.About(w("learning.by_point"), w("learning.by_point_about"), unit="none", no_value=w("score.none")),
        [InfluxQuery(ref, q.RAW, one, as_table=True) for ref, one in statements.items()],
        [
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.machine")),
            f.Column("point", w("variable.point")),
            f.Column("blocks", w("column.blocks"), unit=p.COUNT),
            *(
                f.Column(name, w(f"score.{name}"), unit=w("unit.sigmas"), decimals=1)
                for name in ("median", "p95", "max")
            ),
            f.Column("above", w("column.above"), unit=p.COUNT),
        ],
        sort=(w("score.p95"), True),
        transforms=joined(tuple(statements), time=False),
    )


def _judged(kit: Kit) -> models.Panel:
    """Hours of points in operation, and those of them that a baseline judged."""
    w = kit.words
    targets = [
        InfluxQuery(
            ref,
            q.RAW,
            q.among(
                'count("rows") AS "hours"',
                q.select(
                    f'count({q.field(of, name)}) AS "rows"',
                    of,
                    *WHERE,
                    *which,
                    q.IN_RANGE,
                    by=("time(1h)", *q.POINTS),
                    fill="none",
                ),
                where=(q.IN_RANGE,),
                by=("time(1d)",),
                fill="none",
            ),
            alias=alias,
        )
        for ref, of, name, which, alias in (
            ("A", "state", "live", (q.OF_POINTS, q.one_of("state", RUNNING)), w("learning.running")),
            ("B", "score", "score", (), w("learning.judged")),
        )
    ]
    about = p.About(w("learning.coverage"), w("learning.coverage_about"), unit=w("unit.hours"), decimals=0)
    return p.trend(about, targets, drawn=p.Trend(steps=True, gap_ms=2 * 86_400_000))


def _unseen(kit: Kit) -> models.Panel:
    """The share of blocks in a regime that was never learned, of points that nothing else can judge."""
    w = kit.words
    live = q.field("state", "live")
    # Both counts stand in both, or InfluxDB would know of that of the first only.
    all_of_them, strange = (
        q.select(
            what,
            "state",
            *WHERE,
            q.OF_POINTS,
            *which,
            q.IN_RANGE,
            by=("time(1d)", *q.POINTS),
            fill="none",
        )
        for what, which in (
            (f'count({live}) AS "blocks", count({live}) * 0 AS "unseen"', ()),
            (
                f'count({live}) * 0 AS "blocks", count({live}) AS "unseen"',
                (f'"reason" = {q.text_of(UNSEEN)}',),
            ),
        )
    )
    sums = q.among(
        'sum("unseen") AS "unseen", sum("blocks") AS "blocks"',
        all_of_them,
        strange,
        where=(q.IN_RANGE,),
        by=("time(1d)", "machine"),
        fill="none",
    )
    share = q.among(
        '"unseen" / "blocks" AS "share"', sums, where=('"unseen" > 0', q.IN_RANGE), by=("machine",)
    )
    about = p.About(w("learning.unseen"), w("learning.unseen_about"), unit="percentunit", decimals=0)
    return p.bars(about, [InfluxQuery("A", q.RAW, share, alias="$tag_machine")])


def _drifts(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        f'count({q.field("score", "level")}) AS "blocks"',
        "score",
        *WHERE,
        f'"tests" =~ /"({"|".join(DRIFTS)})":/',
        q.IN_RANGE,
        by=("time(1d)", "machine"),
        fill="none",
    )
    about = p.About(w("learning.drifts"), w("learning.drifts_about"), unit=w("unit.blocks"), decimals=0)
    return p.bars(about, [InfluxQuery("A", q.RAW, statement, alias="$tag_machine")])


def _journal(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        '"site", "machine", "point", "state", "detail"',
        "event",
        _OF_BASELINE,
        *WHERE,
        q.IN_RANGE,
        newest=p.MANY,
    )
    return p.rows(
        p.About(w("learning.journal"), w("learning.journal_about"), unit="none", no_value=w("learning.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=170),
            f.Column("point", w("variable.point"), width=60),
            *_of_baseline(kit),
        ],
        sort=(w("column.time"), True),
        transforms=taken_apart("detail", _PATHS),
    )
