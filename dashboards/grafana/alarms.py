"""Alarms: how many machines are in which state, what is open, what happened, and who keeps coming back."""

from __future__ import annotations

from models.types import State

from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .board import Board
from .kit import Kit
from .looks import colour_of, state_mappings
from .overview import open_now
from .sdk import InfluxQuery, models

_OF_STATE = f'"kind" = {q.text_of(q.STATE)}'


def alarms(kit: Kit) -> Board:
    """The dashboard of alarms."""
    w = kit.words
    board = Board(
        w,
        "alarms",
        w("alarms.title"),
        w("alarms.about"),
        variables=[v.raw(w), v.sites(w), v.machines(w), v.console(kit.console_url)],
        since="now-7d",
    )
    for state in (State.DANGER, State.ALERT, State.WATCH, State.UNKNOWN):
        board.add(_count(kit, state), 6, 4)
    board.add(open_now(kit), 14, 10)
    board.add(
        p.words_panel(p.About(w("alarms.unacknowledged"), w("pending.about")), kit.pending("alarms")), 10, 10
    )
    board.add(_journal(kit), 14, 12)
    board.add(_ranking(kit), 10, 12)
    board.add(_over_time(kit), 24, 8)
    return board


def _count(kit: Kit, state: State) -> models.Panel:
    w = kit.words
    newest = q.select('last("state") AS "state"', "state", q.OF_MACHINE, q.SITE, q.KEPT, by=q.MACHINES)
    statement = q.among('count("state") AS "count"', newest, where=(f'"state" = {q.text_of(state)}',))
    name = w.shared(f"state.{state}")
    about = p.About(
        w("alarms.count", state=name),
        w("alarms.count_about", state=name),
        unit=p.COUNT,
        decimals=0,
        no_value="0",
    )
    # Only a count above 0 is coloured: nothing open is no reason to look.
    lines = models.ThresholdsConfig(
        mode=models.ThresholdsMode.ABSOLUTE,
        steps=[
            models.Threshold(value=None, color=colour_of(State.STOPPED)),
            models.Threshold(value=1, color=colour_of(state)),
        ],
    )
    return p.single(about, InfluxQuery("A", q.RAW, statement, as_table=True), limits=lines)


def _journal(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        '"site", "machine", "point", "previous", "state"',
        "event",
        _OF_STATE,
        q.SITE,
        q.MACHINE,
        q.IN_RANGE,
        newest=p.MANY,
    )
    return p.rows(
        p.About(w("alarms.journal"), w("alarms.journal_about"), unit="none", no_value=w("alarms.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=170),
            f.Column("site", w("variable.site"), width=120),
            f.Column("machine", w("variable.machine"), width=110),
            f.Column("point", w("variable.point"), width=70),
            f.Column("previous", w("column.previous"), mappings=state_mappings(w)),
            f.Column("state", w("column.state"), mappings=state_mappings(w), coloured=True),
        ],
        sort=(w("column.time"), True),
        link=("machine", w("link.machine"), kit.to_machine("${__value.raw}", "${__data.fields.site}")),
    )


def _ranking(kit: Kit) -> models.Panel:
    w = kit.words
    worse = q.one_of("state", (State.ALERT, State.DANGER))
    statement = q.select(
        f"count({q.field('event', 'state')}) AS {q.quoted(w('alarms.transitions'))}",
        "event",
        _OF_STATE,
        worse,
        q.SITE,
        q.MACHINE,
        q.OF_MACHINE,
        q.IN_RANGE,
        by=("machine",),
    )
    return p.ranking(
        p.About(
            w("alarms.ranking"),
            w("alarms.ranking_about"),
            unit=p.COUNT,
            decimals=0,
            no_value=w("alarms.none"),
        ),
        InfluxQuery("A", q.RAW, statement, as_table=True),
        x="machine",
    )


def _over_time(kit: Kit) -> models.Panel:
    w = kit.words
    targets, paints = [], []
    for ref, state in zip("ABC", (State.WATCH, State.ALERT, State.DANGER), strict=True):
        name = w.shared(f"state.{state}")
        statement = q.select(
            f'count({q.field("event", "state")}) AS "count"',
            "event",
            _OF_STATE,
            f'"state" = {q.text_of(state)}',
            q.SITE,
            q.MACHINE,
            q.IN_RANGE,
            by=("time(1d)",),
            fill="none",
        )
        targets.append(InfluxQuery(ref, q.RAW, statement, alias=name))
        paints.append(f.painted(name, colour_of(state)))
    about = p.About(w("alarms.per_day"), w("alarms.per_day_about"), unit=p.COUNT, decimals=0)
    return p.bars(about, targets, paints)
