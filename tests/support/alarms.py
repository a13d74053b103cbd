"""Evidence and commands for tests of the alarm engine."""

from __future__ import annotations

import itertools

from ingest.alarm_commands import decide
from ingest.alarm_desk import Decision, Desk
from ingest.alarm_life import Evidence
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode
from palier.operations import Ask, Command
from palier.plant import Plant, load_plant, sample_plant_path

BLOCK_NS = 600 * 10**9
"""A block each ten minutes."""

PLANT: Plant = load_plant(sample_plant_path())
SITE = PLANT.site_id
MACHINE = PLANT.machines[0].id
POINT = PLANT.machines[0].points[0].id
KEY = AlarmKey(SITE, MACHINE, POINT, Mode.VIBRATION)

ALERT_MM_S, DANGER_MM_S = 4.5, 7.1

_ids = itertools.count()


def level(value: float) -> Level | None:
    """What zones B/C and C/D make of a velocity in mm/s."""
    if value > DANGER_MM_S:
        return Level.DANGER
    return Level.ALERT if value > ALERT_MM_S else None


def velocity(
    block: int,
    value: float | None,
    *,
    key: AlarmKey = KEY,
    live: bool = True,
    action: str = "action.plan",
    sigma: float = 0.0,
) -> Evidence:
    """A velocity of one block; None: the block was refused."""
    said = None if value is None else level(value)
    cause = Cause("velocity_rms_mm_s", value, "mm/s", ALERT_MM_S, DANGER_MM_S, sigma, said)
    return Evidence(
        key,
        block * BLOCK_NS,
        said,
        (cause,),
        action=action,
        live=live,
        known=value is not None,
        frame=f"f{block}",
    )


def command(ask: Ask, *, id: str | None = None, version: int | None = None, user: str = "h.alami") -> Command:  # noqa: A002
    """A command of its own id."""
    return Command(id or f"command-{next(_ids):08d}", user, ask, version)


def ask(desk: Desk, what: Ask, now_ns: int = 0, *, version: int | None = None) -> Decision:
    """The decision on a new command."""
    return decide(desk, command(what, version=version), PLANT, now_ns)


def alarm_of(desk: Desk, key: AlarmKey = KEY) -> Alarm:
    """The alarm of a part."""
    return desk.alarms.get(key)
