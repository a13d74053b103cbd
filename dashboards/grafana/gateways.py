"""Gateways and the ledger: who is silent, what waits, whether every frame is accounted for."""

from __future__ import annotations

from models.types import State
from palier.ledger import OTHER, REASONS, SILENT_AFTER_S

from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .bands import must_be_zero
from .board import Board
from .kit import Kit
from .looks import colour_of, number_mappings, text_mappings
from .sdk import InfluxQuery, models
from .words import Words

COUNTS = ("acquired", "stored", "quarantined", "dropped", "pending")
WRONG = ("missing", "twice", "lost")
"""Frames that are nowhere, frames in two places, and frames that were in an outbox that was replaced:
the law of conservation wants none."""


def gateways(kit: Kit) -> Board:
    """The dashboard of the way of the data."""
    w = kit.words
    board = Board(
        w,
        "gateways",
        w("gateways.title"),
        w("gateways.about"),
        variables=[v.raw(w), v.sites(w, of=("ledger",)), v.gateways(w)],
    )
    board.add(_lines(kit), 24, 9)
    board.row(w("gateways.row_backlog"))
    board.add(_silence(kit), 8, 9)
    board.add(_backlog(kit), 16, 9)
    board.row(w("gateways.row_law"))
    board.add(_wrong(kit), 12, 8)
    board.add(_flow(kit), 12, 8)
    board.add(_dropped(kit), 24, 8)
    board.row(w("gateways.row_device"))
    board.add(_told(kit), 24, 8)
    board.add(_clock(kit), 12, 7)
    board.add(_card(kit), 12, 7)
    return board


def _told(kit: Kit) -> models.Panel:
    w = kit.words
    names = (
        "clock",
        "configuration",
        "configuration_state",
        "card_free",
        "cpu_celsius",
        "uptime_s",
        "problems",
    )
    fields = ", ".join(q.field("gateway", name) for name in names)
    version = f'last({q.field("gateway", "version")}) AS "version"'
    statement = q.select(f"{version}, {fields}", "gateway", q.SITE, q.GATEWAY, q.KEPT, by=q.MACHINES)
    return p.rows(
        p.About(w("gateways.told"), w("gateways.told_about"), unit="none", no_value=w("gateways.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.line"), unit=p.AGE, width=140),
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.gateway")),
            f.Column("version", w("gateways.version")),
            f.Column("clock", w("gateways.clock"), mappings=_clock_mappings(w), coloured=True),
            f.Column("configuration", w("gateways.configuration"), unit=p.COUNT),
            f.Column("configuration_state", w("gateways.state"), mappings=text_mappings(_states(w))),
            f.Column("card_free", w("gateways.card_free"), unit="decbytes"),
            f.Column("cpu_celsius", w("gateways.cpu"), unit="celsius"),
            f.Column("uptime_s", w("gateways.uptime"), unit="dtdurations"),
            f.Column("problems", w("gateways.problems"), unit=p.COUNT, coloured=True, limits=must_be_zero()),
        ],
    )


def _states(w: Words) -> dict[str, str]:
    return {name: w(f"gateways.state_{name}") for name in ("local", "trial", "kept", "broken")}


def _clock_mappings(w: Words) -> list[models.ValueMapping]:
    colours = {
        "synced": colour_of(State.NORMAL),
        "holdover": colour_of(State.NORMAL),
        "unsynced": colour_of(State.WATCH),
        "held": colour_of(State.ALERT),
    }
    options = {
        name: models.ValueMappingResult(text=w.shared(f"cli.gateway_clock_{name}"), color=color, index=i)
        for i, (name, color) in enumerate(colours.items())
    }
    return [models.ValueMap(options=options)]


def _clock(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.select(
        f'last({q.field("gateway", "clock")}) AS "clock"',
        "gateway",
        q.SITE,
        q.GATEWAY,
        q.IN_RANGE,
        by=(q.EVERY, *q.MACHINES),
        fill="none",
    )
    about = p.About(w("gateways.clock_title"), w("gateways.clock_about"), unit="none")
    return p.timeline(about, [InfluxQuery("A", q.RAW, statement, alias="$tag_machine")], _clock_mappings(w))


def _card(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.trend("gateway", "card_free", q.SITE, q.GATEWAY, by=q.MACHINES, how="min")
    about = p.About(w("gateways.card_title"), w("gateways.card_about"), unit="decbytes")
    return p.trend(about, [InfluxQuery("A", q.RAW, statement, alias="$tag_machine")])


def _lines(kit: Kit) -> models.Panel:
    w = kit.words
    names = (*COUNTS[1:], *WRONG, "adds_up", "age_s")
    fields = ", ".join(q.field("ledger", name) for name in names)
    statement = q.select(
        f'last({q.field("ledger", "acquired")}) AS "acquired", {fields}',
        "ledger",
        q.SITE,
        q.GATEWAY,
        q.KEPT,
        by=q.MACHINES,
    )
    verdict = number_mappings(
        [
            (1, w.shared("cli.ledger_adds_up"), colour_of(State.NORMAL)),
            (0, w("ledger.wrong"), colour_of(State.DANGER)),
        ],
        w("ledger.unknown"),
    )
    return p.rows(
        p.About(w("gateways.lines"), w("gateways.lines_about"), unit="none", no_value=w("gateways.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.line"), unit=p.AGE, width=140),
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.gateway")),
            *(f.Column(name, w(f"ledger.{name}"), unit=p.COUNT) for name in COUNTS),
            *(
                f.Column(name, w(f"ledger.{name}"), unit=p.COUNT, coloured=True, limits=must_be_zero())
                for name in WRONG
            ),
            f.Column("adds_up", w("ledger.adds_up"), mappings=verdict, coloured=True, width=260),
            f.Column("age_s", w("ledger.age_s"), unit="s"),
        ],
    )


def _silence(kit: Kit) -> models.Panel:
    w = kit.words
    # While a gateway is silent its lines say nothing of whether they add up.
    statement = q.select(
        f'last({q.field("ledger", "adds_up")}) AS "heard"', "ledger", q.SITE, q.GATEWAY, q.KEPT, by=q.MACHINES
    )
    heard = number_mappings(
        [
            (1, w.shared("cli.ledger_adds_up"), colour_of(State.NORMAL)),
            (0, w("ledger.wrong"), colour_of(State.DANGER)),
        ],
        w("ledger.unknown"),
    )
    about = w("gateways.silence_about", minutes=f"{SILENT_AFTER_S / 60:.0f}")
    return p.rows(
        p.About(w("gateways.silence"), about, unit="none", no_value=w("gateways.none")),
        [InfluxQuery("A", q.RAW, statement, as_table=True)],
        [
            f.Column("Time", w("column.heard"), unit=p.AGE),
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.gateway")),
            f.Column("heard", w("column.verdict"), mappings=heard),
        ],
        sort=(w("column.heard"), False),
    )


def _backlog(kit: Kit) -> models.Panel:
    w = kit.words
    return p.trend(
        p.About(w("gateways.backlog"), w("gateways.backlog_about"), unit=w("unit.frames"), decimals=0),
        [InfluxQuery("A", q.RAW, q.of_all_epochs("pending"), alias="$tag_machine")],
    )


def _wrong(kit: Kit) -> models.Panel:
    w = kit.words
    targets = [
        InfluxQuery(ref, q.RAW, q.of_all_epochs(name), alias=w("legend.of_gateway", what=w(f"ledger.{name}")))
        for ref, name in zip("ABC", WRONG, strict=True)
    ]
    about = p.About(w("gateways.wrong"), w("gateways.wrong_about"), unit=w("unit.frames"), decimals=0)
    return p.trend(about, targets, drawn=p.Trend(steps=True))


def _dropped(kit: Kit) -> models.Panel:
    w = kit.words
    targets = [
        InfluxQuery(
            ref,
            q.RAW,
            q.of_all_epochs(f"dropped_{reason}"),
            alias=w("legend.of_gateway", what=w(f"ledger.dropped_{reason}")),
        )
        for ref, reason in zip("ABCDE", (*REASONS, OTHER), strict=True)
    ]
    about = p.About(w("gateways.dropped"), w("gateways.dropped_about"), unit=w("unit.frames"), decimals=0)
    return p.trend(about, targets, drawn=p.Trend(steps=True))


def _flow(kit: Kit) -> models.Panel:
    w = kit.words
    targets = []
    for ref, name in zip("ABC", COUNTS[1:4], strict=True):
        total = q.of_all_epochs(name)
        statement = q.among(
            f"non_negative_difference({q.quoted(name)}) AS {q.quoted(name)}",
            total,
            where=(q.IN_RANGE,),
            by=q.MACHINES,
        )
        alias = w("legend.of_gateway", what=w(f"ledger.{name}"))
        targets.append(InfluxQuery(ref, q.RAW, statement, alias=alias))
    about = p.About(w("gateways.flow"), w("gateways.flow_about"), unit=w("unit.frames"), decimals=0)
    return p.trend(about, targets, drawn=p.Trend(steps=True))
