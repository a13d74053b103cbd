"""Models: who still learns, how much was measured, and the places of what baselines will bring."""

from __future__ import annotations

from models.types import State

from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .board import Board
from .kit import Kit
from .looks import colour_of, number_mappings
from .sdk import InfluxQuery, models


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
    board.add(_learning(kit), 12, 10)
    board.add(_measured(kit), 12, 10)
    board.row(w("learning.row_models"))
    for key in ("age", "scores", "drift"):
        about = p.About(w(f"pending.{key}_title"), w("pending.about"))
        board.add(p.words_panel(about, kit.pending(key)), 8, 4)
    return board


def _learning(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        f'last({q.field("state", "learning")}) AS "learning"',
        "state",
        q.SITE,
        q.MACHINE,
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
        q.SITE,
        q.MACHINE,
        q.IN_RANGE,
        by=("time(1d)", "machine"),
        fill="none",
    )
    return p.bars(
        p.About(w("learning.measured"), w("learning.measured_about"), unit=w("unit.blocks"), decimals=0),
        [InfluxQuery("A", q.HOURLY, statement, alias="$tag_machine")],
        source=q.HOURLY,
    )
