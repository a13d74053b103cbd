"""Plant overview: a tile a machine, the worst first; health and faults; open alarms; age of the data."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.console.appearance import STATES_BY_URGENCY
from models.types import State

from . import alarm_queries as a
from . import fields as f
from . import judgement
from . import panels as p
from . import queries as q
from . import variables as v
from .alarms import open_now
from .bands import of_health, wants_none
from .board import Board
from .kit import Kit
from .looks import (
    colour_of,
    face,
    fault_mappings,
    number_mappings,
    severity_mappings,
    state_mappings,
)
from .sdk import InfluxQuery, models
from .transforms import joined

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
    board.add(_machines(kit), 24, 10)
    board.add(open_now(kit, q.SITE), 16, 9)
    board.add(_ages(kit), 8, 9)
    board.add(_velocities(kit), 24, 9)
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


def _to_machine(kit: Kit) -> tuple[str, str]:
    """The link of a machine's name in a table."""
    return kit.words("link.machine"), kit.to_machine("${__value.raw}", "${__data.fields.site}")


def _machines(kit: Kit) -> models.Panel:
    """A line a machine: state, health, what it suffers from, how long it lasts, and who should look."""
    w = kit.words
    of_machine = (q.SITE, q.OF_MACHINE, q.KEPT)
    index = f'last({q.field("health", "health_index")}) AS "health_index", {q.field("health", "mode")}'
    waiting = a.count_open(q.SITE, a.OF_A_MACHINE, states=a.WAITING, by=q.MACHINES, name="unacknowledged")
    statements = {
        "A": q.select('last("state") AS "state"', "state", *of_machine, by=q.MACHINES),
        "B": q.select(index, "health", *of_machine, by=q.MACHINES),
        "C": judgement.worst_faults(q.SITE),
        "D": judgement.shortest_lives(q.SITE),
        "E": a.count_open(q.SITE, a.OF_A_MACHINE, by=q.MACHINES),
        "F": waiting,
    }
    return p.rows(
        p.About(
            w("overview.machines"),
            w("overview.machines_about"),
            unit="none",
            no_value=w("overview.no_machine"),
        ),
        [InfluxQuery(ref, q.RAW, one, as_table=True) for ref, one in statements.items()],
        _columns(kit),
        sort=(w("column.health"), False),
        transforms=joined(tuple(statements)),
    )


def _columns(kit: Kit) -> list[f.Column]:
    w = kit.words
    return [
        f.Column("Time", w("column.newest"), unit=p.AGE, width=130),
        f.Column("site", w("variable.site"), width=110),
        f.Column("machine", w("variable.machine"), width=100, link=_to_machine(kit)),
        f.Column("state", w("column.state"), mappings=state_mappings(w), coloured=True, width=150),
        f.Column("health_index", w("column.health"), decimals=0, coloured=True, limits=of_health(), width=90),
        f.Column("mode", w("column.mode"), mappings=judgement.mode_mappings(kit)),
        f.Column("severity", w("column.severity"), mappings=severity_mappings(w), width=130),
        f.Column("fault", w("column.fault"), mappings=fault_mappings(w)),
        f.Column("confidence", w("column.confidence"), unit="percentunit", decimals=0, width=90),
        f.Column("p10_h", w("life.p10"), unit=w("unit.hours"), decimals=0, width=120),
        f.Column("open", w("column.open"), unit=p.COUNT, width=90),
        f.Column(
            "unacknowledged",
            w("column.unacknowledged"),
            unit=p.COUNT,
            coloured=True,
            limits=wants_none(),
            width=110,
        ),
    ]


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
            f.Column("machine", w("variable.machine"), link=_to_machine(kit)),
            f.Column("heard", w("column.arrived"), mappings=heard),
        ],
        sort=(w("column.newest"), False),
    )


def _velocities(kit: Kit) -> models.Panel:
    w = kit.words
    statement = q.trend("state", "value", q.OF_MACHINE, q.SITE, by=q.MACHINES, how="max")
    return p.trend(
        p.About(w("overview.velocity"), w("overview.velocity_about"), unit=w("unit.velocity"), decimals=1),
        [InfluxQuery("A", q.RAW, statement, alias="$tag_machine")],
    )
