"""Alarms: what is open and waits for whom, what happened, how often they come, and which keep coming back."""

from __future__ import annotations

from models.types import State
from palier.alarms import Life, Priority
from palier.operations import Found, InterventionKind

from . import alarm_queries as a
from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .bands import wants_none
from .board import Board
from .kit import Kit
from .looks import alarm_mappings, colour_of, text_mappings
from .sdk import InfluxQuery, models
from .transforms import joined, taken_apart

WHERE = (q.SITE, q.MACHINE)
HIDDEN = (Life.SHELVED, Life.SUPPRESSED, Life.OUT_OF_SERVICE)
_TONES = {Priority.HIGH: State.DANGER, Priority.MEDIUM: State.ALERT, Priority.LOW: State.WATCH}


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
    for key, states in (
        ("waiting", a.WAITING),
        ("acknowledged", (Life.ACKNOWLEDGED,)),
        ("hidden", HIDDEN),
    ):
        statement = a.count_open(*WHERE, states=states, name="count")
        board.add(_number(kit, key, statement, calm=key != "waiting"), 4, 4)
    for state in (State.DANGER, State.ALERT, State.UNKNOWN):
        board.add(_count(kit, state), 4, 4)
    board.add(open_now(kit, *WHERE, whole=True), 24, 10)
    board.add(_journal(kit), 24, 11)
    board.row(w("alarms.row_figures"))
    board.add(_per_day(kit), 12, 9)
    board.add(_bad_actors(kit), 12, 9)
    for key, how, window in (("a_day", "mean", "1d"), ("in_an_hour", "max", "1h")):
        board.add(_number(kit, key, a.per_window(how, window, "raises", *WHERE), calm=True), 4, 7)
    board.add(_ranking(kit), 16, 7)
    board.row(w("alarms.row_people"))
    board.add(_people(kit), 24, 9)
    return board


def open_now(kit: Kit, *where: str, whole: bool = False) -> models.Panel:
    """The alarms that are not over, the newest first; the `whole` list says who did what, and why."""
    w = kit.words
    mappings = alarm_mappings(w)
    columns = [
        f.Column("Time", w("column.since"), unit=p.AGE, width=140),
        f.Column("site", w("variable.site"), width=110),
        *_of_an_alarm(kit),
    ]
    names = ["alarm", "level", "priority", "fault", "action"]
    if whole:
        names += ["what", "who", "why"]
        columns += [f.Column(n, w(f"column.{n}"), mappings=mappings[n]) for n in ("what", "who", "why")]
    return p.rows(
        p.About(w("alarms.open"), w("alarms.open_about"), unit="none", no_value=w("alarms.open_none")),
        [InfluxQuery("A", q.RAW, a.open_alarms(*where), as_table=True)],
        columns,
        sort=(w("column.since"), True),
        transforms=taken_apart("detail", {name: a.DETAILS[name] for name in names}),
    )


def _of_an_alarm(kit: Kit) -> list[f.Column]:
    """What both lists tell of an alarm."""
    w = kit.words
    mappings = alarm_mappings(w)
    widths = {"channel": 110, "level": 130, "priority": 90}
    return [
        f.Column(
            "machine",
            w("variable.machine"),
            width=100,
            link=(w("link.machine"), kit.to_machine("${__value.raw}", "${__data.fields.site}")),
        ),
        f.Column("point", w("variable.point"), width=60),
        f.Column("alarm", w("column.alarm"), link=(w("link.alarm"), kit.to_alarm("${__value.raw}"))),
        *(
            f.Column(
                name,
                w(f"column.{name}"),
                mappings=mappings[name],
                coloured=name == "level",
                width=widths.get(name),
            )
            for name in ("channel", "state", "level", "priority", "fault", "action")
        ),
    ]


def _journal(kit: Kit) -> models.Panel:
    w = kit.words
    mappings = alarm_mappings(w)
    names = ("alarm", "level", "priority", "fault", "action", "what", "who", "why")
    return p.rows(
        p.About(w("alarms.journal"), w("alarms.journal_about"), unit="none", no_value=w("alarms.none")),
        [InfluxQuery("A", q.RAW, a.journal(*WHERE, newest=p.MANY), as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=170),
            f.Column("site", w("variable.site"), width=110),
            *_of_an_alarm(kit),
            *(f.Column(name, w(f"column.{name}"), mappings=mappings[name]) for name in names[5:]),
        ],
        sort=(w("column.time"), True),
        transforms=taken_apart("detail", {name: a.DETAILS[name] for name in names}),
    )


def _number(kit: Kit, key: str, statement: str, *, calm: bool) -> models.Panel:
    w = kit.words
    about = p.About(w(f"alarms.{key}"), w(f"alarms.{key}_about"), unit=p.COUNT, no_value="0")
    target = InfluxQuery("A", q.RAW, statement, as_table=True)
    return p.single(about, target, limits=None if calm else wants_none())


def _count(kit: Kit, state: State) -> models.Panel:
    w = kit.words
    newest = q.select('last("state") AS "state"', "state", q.OF_MACHINE, *WHERE, q.KEPT, by=q.MACHINES)
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


def _per_day(kit: Kit) -> models.Panel:
    w = kit.words
    targets, paints = [], []
    for ref, which in zip("ABC", reversed(Priority), strict=True):
        name = w("alarms.of_priority", priority=w.shared(f"alarm.priority_{which}"))
        statement = a.raises("raises", *WHERE, a.priority(which), by=("time(1d)",), fill="none")
        targets.append(InfluxQuery(ref, q.RAW, statement, alias=name))
        paints.append(f.painted(name, colour_of(_TONES[which])))
    about = p.About(w("alarms.per_day"), w("alarms.per_day_about"), unit=p.COUNT, decimals=0)
    return p.bars(about, targets, paints)


def _bad_actors(kit: Kit) -> models.Panel:
    """The alarms that come most, and those that come again at once."""
    w = kit.words
    refs = ("A", "B")
    statements = (a.raises("raises", *WHERE, by=a.ALARMS), a.at_once("at_once", *WHERE))
    return p.rows(
        p.About(w("alarms.actors"), w("alarms.actors_about"), unit="none", no_value=w("alarms.none")),
        [
            InfluxQuery(ref, q.RAW, statement, as_table=True)
            for ref, statement in zip(refs, statements, strict=True)
        ],
        [
            f.Column("site", w("variable.site"), width=110),
            f.Column("machine", w("variable.machine"), width=100),
            f.Column("point", w("variable.point"), width=60),
            f.Column("channel", w("column.channel"), mappings=alarm_mappings(w)["channel"]),
            f.Column("raises", w("column.raises"), unit=p.COUNT),
            f.Column("at_once", w("column.at_once"), unit=p.COUNT, coloured=True, limits=wants_none()),
        ],
        sort=(w("column.raises"), True),
        transforms=joined(refs, time=False),
    )


def _ranking(kit: Kit) -> models.Panel:
    w = kit.words
    return p.ranking(
        p.About(
            w("alarms.ranking"),
            w("alarms.ranking_about"),
            unit=p.COUNT,
            decimals=0,
            no_value=w("alarms.none"),
        ),
        InfluxQuery("A", q.RAW, a.raises(w("column.raises"), *WHERE, by=("machine",)), as_table=True),
        x="machine",
    )


def _people(kit: Kit) -> models.Panel:
    """What people did beside alarms: work on machines, and their verdicts."""
    w = kit.words
    statement = q.select(
        '"site", "machine", "point", "kind", "state", "detail"',
        "event",
        q.one_of("kind", (q.INTERVENTION, q.VERDICT)),
        *WHERE,
        q.IN_RANGE,
        newest=p.MANY,
    )
    mappings = alarm_mappings(w)
    kinds = {kind: w(f"kind.{kind}") for kind in (q.INTERVENTION, q.VERDICT)}
    done = {str(kind): w.shared(f"intervention.{kind}") for kind in InterventionKind}
    done |= {str(verdict): w.shared(f"page.verdict_{verdict}") for verdict in Found}
    return p.rows(
        p.About(w("alarms.people"), w("alarms.people_about"), unit="none", no_value=w("alarms.people_none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.time"), unit=p.TIME, width=170),
            f.Column("site", w("variable.site"), width=110),
            f.Column("machine", w("variable.machine"), width=100),
            f.Column("point", w("variable.point"), width=60),
            f.Column("kind", w("column.kind"), mappings=text_mappings(kinds), width=140),
            f.Column("state", w("column.done"), mappings=text_mappings(done)),
            *(f.Column(name, w(f"column.{name}"), mappings=mappings[name]) for name in ("who", "why")),
            f.Column("fault", w("column.fault"), mappings=mappings["fault"]),
        ],
        sort=(w("column.time"), True),
        transforms=taken_apart("detail", {name: a.DETAILS[name] for name in ("who", "why", "fault")}),
    )
