"""Plant overview: a tile a machine, the worst first; what is open since when; how old the data are."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.console.appearance import STATES_BY_URGENCY
from models.types import State

from . import fields as f
from . import panels as p
from . import queries as q
from . import variables as v
from .board import Board
from .kit import Kit
from .looks import colour_of, face, number_mappings, state_mappings
from .sdk import InfluxQuery, models

_HAS_NO_LEARNING = (State.LEARNING, State.UNKNOWN, State.UNCONFIGURED, State.STOPPED)
"""States whose look does not depend on whether the machine still learns."""


def overview(kit: Kit) -> Board:
    """The dashboard of the wall screen."""
    w = kit.words
    board = Board(
        w,
        "overview",
        w("overview.title"),
        w("overview.about"),
        variables=[v.raw(w), v.sites(w), v.silence(w), v.console(kit.console_url)],
    )
    board.add(_tiles(kit), 24, 11)
    board.add(open_now(kit), 12, 9)
    board.add(_ages(kit), 12, 9)
    board.add(_velocities(kit), 24, 9)
    board.row(w("overview.row_health"))
    board.add(
        p.words_panel(p.About(w("overview.health"), w("overview.health_about")), kit.pending("health")), 24, 4
    )
    return board


@dataclass(frozen=True)
class Tiles:
    """Queries for the tiles, in their order, and how the answers of each look."""

    targets: tuple[InfluxQuery, ...]
    overrides: tuple[f.Override, ...]


def state_tiles(kit: Kit, *where: str, since: str, silent: bool = False) -> Tiles:
    """One query for each look that a machine can have, the most urgent first: so are the tiles.

    With `silent`, machines that are known but not heard stand beside those that can't be judged.
    """
    w = kit.words
    targets: list[InfluxQuery] = []
    overrides: list[f.Override] = []
    for state in STATES_BY_URGENCY:
        for learning in (None,) if state in _HAS_NO_LEARNING else (False, True):
            ref = _ref(len(targets))
            statement = q.in_state(state, learning=learning, where=where, since=since)
            targets.append(InfluxQuery(ref, q.RAW, statement, alias="$tag_machine"))
            overrides.append(f.mapped(ref, state_mappings(w, learning=bool(learning))))
        if state is State.UNKNOWN and silent:
            ref = _ref(len(targets))
            targets.append(InfluxQuery(ref, q.RAW, q.silent_machines(), alias="$tag_machine"))
            text = f"{face(w, State.UNKNOWN)}, {w('overview.no_data')}"
            overrides.append(f.mapped(ref, number_mappings([(0, text, colour_of(State.UNKNOWN))], text)))
    return Tiles(tuple(targets), tuple(overrides))


def _ref(number: int) -> str:
    return chr(ord("A") + number)


def _tiles(kit: Kit) -> models.Panel:
    w = kit.words
    tiles = state_tiles(kit, q.SITE, since=q.FRESH, silent=True)
    return p.tiles(
        p.About(
            w("overview.tiles"), w("overview.tiles_about"), unit="none", no_value=w("overview.no_machine")
        ),
        tiles.targets,
        tiles.overrides,
        link=(w("link.machine"), kit.to_machine("${__field.labels.machine}", "${__field.labels.site}")),
    )


def open_now(kit: Kit) -> models.Panel:
    """Machines and points whose last transition asks for something, the newest first."""
    w = kit.words
    return p.rows(
        p.About(w("overview.open"), w("overview.open_about"), unit="none", no_value=w("overview.open_none")),
        [InfluxQuery("A", q.RAW, q.open_states(), as_table=True)],
        [
            f.Column("Time", w("column.since"), unit=p.AGE, width=150),
            f.Column("site", w("variable.site"), width=130),
            f.Column("machine", w("variable.machine"), width=110),
            f.Column("point", w("variable.point"), width=80),
            f.Column("state", w("column.state"), mappings=state_mappings(w), coloured=True),
            f.Column("previous", w("column.previous"), mappings=state_mappings(w)),
        ],
        sort=(w("column.since"), True),
        link=("machine", w("link.page"), kit.to_page("${__value.raw}")),
    )


def _ages(kit: Kit) -> models.Panel:
    w = kit.words
    newest = q.select(
        f'last({q.field("state", "live")}) AS "heard"', "state", q.OF_MACHINE, q.SITE, q.KEPT, by=q.MACHINES
    )
    heard = number_mappings(
        [(1, w("column.live"), colour_of(State.NORMAL)), (0, w("column.late"), colour_of(State.UNKNOWN))],
        w("column.late"),
    )
    return p.rows(
        p.About(w("overview.ages"), w("overview.ages_about"), unit="none"),
        [InfluxQuery("A", q.RAW, newest, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=200),
            f.Column("site", w("variable.site")),
            f.Column("machine", w("variable.machine")),
            f.Column("heard", w("column.arrived"), mappings=heard),
        ],
        sort=(w("column.newest"), False),
        link=("machine", w("link.machine"), kit.to_machine("${__value.raw}", "${__data.fields.site}")),
    )


def _velocities(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.trend("state", "value", q.OF_MACHINE, q.SITE, by=q.MACHINES, how="max")
    return p.trend(
        p.About(w("overview.velocity"), w("overview.velocity_about"), unit=w("unit.velocity"), decimals=1),
        [InfluxQuery("A", q.RAW, statement, alias="$tag_machine")],
    )
