"""One machine: what it is in, velocity with its zones, temperature, high frequencies, spectra, long run."""

from __future__ import annotations

from typing import Final

from models.features.bands import LEVEL_BANDS_HZ
from models.types import AMBIENT_NAMES, BEARING_DEFECTS

from . import fields as f
from . import flags, judgement, spectra
from . import panels as p
from . import queries as q
from . import variables as v
from .bands import bracketed, of_health, overrides
from .board import Board
from .kit import Kit
from .looks import colours, reason_mappings, state_mappings, text_mappings
from .overview import state_tiles
from .sdk import InfluxQuery, models

VELOCITY: Final = "velocity_rms_mm_s"
HIGH_HZ: Final = 1000.0
"""From here up bearings, lubrication and cavitation speak."""

HERE: Final = (q.SITE, q.MACHINE, q.POINT)
CHANNEL: Final = (*HERE, q.CHANNEL)
CELSIUS: Final = "\"unit\" = '°C'"
R_MIN: Final = "\"unit\" = 'r/min'"
_OF_VELOCITY: Final = f"\"leading\" = '${{channel:raw}}/{VELOCITY}'"
A_YEAR: Final = "1y"
ALL_YEARS: Final = "5y"


def machine(kit: Kit) -> Board:
    """The dashboard of a machine and one of its points."""
    w = kit.words
    board = Board(
        w,
        "machine",
        w("machine.title"),
        w("machine.about"),
        variables=[
            v.raw(w),
            v.hourly(w),
            v.sites(w, several=False),
            v.machine(w),
            v.point(w),
            v.channel(w),
            v.limits(w, kit.limits.values()),
            v.thermal(w, kit.limits.values()),
            v.bearing(w, kit.bearings.values()),
            v.block(w),
            v.speed(w),
            v.console(kit.console_url),
        ],
        since="now-7d",
        annotations=flags.of_machine(w),
    )
    _now(board, kit)
    judgement.add_diagnosis(board, kit)
    judgement.add_health(board, kit)
    _velocity(board, kit)
    judgement.add_scores(board, kit)
    _temperature(board, kit)
    _high_frequencies(board, kit)
    spectra.add(board, kit)
    _long_run(board, kit)
    return board


def _now(board: Board, kit: Kit) -> None:
    w = kit.words
    board.row(w("machine.row_now"))
    tiles = state_tiles(kit, q.SITE, q.MACHINE, since=q.IN_RANGE)
    about = p.About(w("machine.state"), w("machine.state_about"), unit="none", no_value=w("machine.no_state"))
    tile = p.tiles(about, tiles.targets, tiles.overrides)
    tile.links = [f.page_link(w("link.page"), kit.to_page("${machine}"))]
    board.add(tile, 4, 5)
    board.add(_health(kit), 3, 5)
    for key, of, name, where, unit in (
        ("velocity", "feature", VELOCITY, CHANNEL, w("unit.velocity")),
        ("speed", "feature", "speed_rpm", CHANNEL, w("unit.speed")),
        ("temperature", "reading", "value", (*HERE, CELSIUS), "celsius"),
    ):
        statement = q.select(f"last({q.field(of, name)}) AS {q.quoted(name)}", of, *where, q.IN_RANGE)
        about = p.About(
            w(f"machine.{key}"), w(f"machine.{key}_about"), unit=unit, decimals=1, no_value=w("machine.none")
        )
        board.add(p.single(about, InfluxQuery("A", q.RAW, statement, as_table=True)), 3, 5)
    board.add(_why(kit), 8, 5)
    board.add(_timeline(kit), 24, 6)


def _health(kit: Kit) -> models.Panel:
    w = kit.words
    newest = f'last({q.field("health", "health_index")}) AS "health_index"'
    statement = q.select(newest, "health", q.SITE, q.MACHINE, q.OF_MACHINE, q.IN_RANGE)
    about = p.About(
        w("column.health"), w("machine.health_about"), unit="none", decimals=0, no_value=w("machine.none")
    )
    return p.single(about, InfluxQuery("A", q.RAW, statement, as_table=True), limits=of_health())


def _why(kit: Kit) -> models.Panel:
    """Why the machine and its points are in their states, and what to do."""
    w = kit.words
    fields = ", ".join(q.field("state", name) for name in ("zone", "limit_name", "reason", "remedy"))
    newest = q.select(
        f'last("state") AS "state", {fields}', "state", q.SITE, q.MACHINE, q.IN_RANGE, by=("point",)
    )
    return p.rows(
        p.About(w("machine.why"), w("machine.why_about"), unit="none"),
        [InfluxQuery("A", q.RAW, newest, as_table=True)],
        [
            f.Column("Time", w("column.newest"), unit=p.AGE, width=110),
            f.Column("point", w("variable.point"), width=60),
            f.Column("state", w("column.state"), mappings=state_mappings(w), coloured=True, width=170),
            f.Column("zone", w("column.zone"), width=60),
            f.Column("limit_name", w("variable.limits")),
            f.Column("reason", w("column.reason"), mappings=reason_mappings(w)),
            f.Column("remedy", w("column.remedy"), mappings=text_mappings(w.table("remedy"))),
        ],
    )


def _timeline(kit: Kit) -> models.Panel:
    w = kit.words
    last = f'last({q.field("state", "state")}) AS "state"'
    of_machine = q.select(
        last, "state", q.SITE, q.MACHINE, q.OF_MACHINE, q.IN_RANGE, by=(q.EVERY,), fill="none"
    )
    of_points = q.select(
        last, "state", q.SITE, q.MACHINE, q.OF_POINTS, q.IN_RANGE, by=(q.EVERY, "point"), fill="none"
    )
    return p.timeline(
        p.About(w("machine.timeline"), w("machine.timeline_about"), unit="none"),
        [
            InfluxQuery("A", q.RAW, of_machine, alias="${machine}"),
            InfluxQuery("B", q.RAW, of_points, alias=w("legend.point")),
        ],
        state_mappings(w),
    )


def _velocity(board: Board, kit: Kit) -> None:
    w = kit.words
    board.row(w("machine.row_velocity"))
    zoned = InfluxQuery(
        "A",
        q.RAW,
        q.trend("feature", VELOCITY, *CHANNEL, by=q.CHANNELS),
        alias=f"{w('legend.channel')} {bracketed('${limits:raw}')}",
    )
    judged = InfluxQuery(
        "B",
        q.RAW,
        q.trend("state", "value", *HERE),
        alias=f"{w('legend.judged')} {bracketed('${limits:raw}')}",
    )
    # The baseline's own limit: told while the velocity is what speaks loudest.
    baseline = InfluxQuery(
        "C",
        q.RAW,
        q.trend("score", "alert", *HERE, _OF_VELOCITY),
        alias=w("legend.baseline_alert"),
    )
    about = p.About(w("machine.zones"), w("machine.zones_about"), unit=w("unit.velocity"), decimals=2)
    bands = [
        *overrides(kit.of_quantity("velocity_")),
        f.painted(w("legend.baseline_alert"), colours()["alert"]),
    ]
    board.add(p.trend(about, [zoned, judged, baseline], drawn=p.Trend(bands=True), overrides=bands), 16, 10)
    every = InfluxQuery(
        "A",
        q.RAW,
        q.trend("feature", VELOCITY, q.SITE, q.MACHINE, by=q.CHANNELS),
        alias=w("legend.channel"),
    )
    about = p.About(w("machine.points"), w("machine.points_about"), unit=w("unit.velocity"), decimals=2)
    board.add(p.trend(about, [every]), 8, 10)
    turning = InfluxQuery("A", q.RAW, q.trend("feature", "speed_rpm", *CHANNEL), alias=w("legend.speed"))
    about = p.About(w("machine.turning"), w("machine.turning_about"), unit=w("unit.speed"), decimals=0)
    board.add(p.trend(about, [turning]), 24, 6)


def _temperature(board: Board, kit: Kit) -> None:
    w = kit.words
    board.row(w("machine.row_temperature"))
    measured = InfluxQuery(
        "A",
        q.RAW,
        q.trend("reading", "value", *HERE, CELSIUS, by=q.CHANNELS),
        alias=f"{w('legend.channel')} {bracketed('${thermal:raw}')}",
    )
    about = p.About(w("machine.temperatures"), w("machine.temperatures_about"), unit="celsius", decimals=1)
    drawn = p.Trend(bands=True, from_zero=False)
    board.add(
        p.trend(about, [measured], drawn=drawn, overrides=overrides(kit.of_quantity(v.TEMPERATURES))), 16, 9
    )
    every = InfluxQuery(
        "A",
        q.RAW,
        q.trend("reading", "value", q.SITE, q.MACHINE, CELSIUS, by=q.CHANNELS),
        alias=w("legend.channel"),
    )
    about = p.About(w("machine.bearings"), w("machine.bearings_about"), unit="celsius", decimals=1)
    board.add(p.trend(about, [every], drawn=p.Trend(from_zero=False)), 8, 9)
    named = f"=~ /(?i)^({'|'.join(AMBIENT_NAMES)})$/"
    air = InfluxQuery(
        "A",
        q.RAW,
        q.trend("reading", "value", q.SITE, q.MACHINE, CELSIUS, f'("channel" {named} OR "point" {named})'),
        alias=w("machine.ambient"),
    )
    about = p.About(w("machine.ambient"), w("machine.ambient_about"), unit="celsius", decimals=1)
    board.add(p.trend(about, [air], drawn=p.Trend(from_zero=False)), 12, 8)
    off = InfluxQuery("A", q.RAW, q.trend("score", "residual_k", *HERE), alias=w("machine.residual"))
    about = p.About(w("machine.residual"), w("machine.residual_about"), unit="kelvin", decimals=1)
    board.add(p.trend(about, [off], drawn=p.Trend(from_zero=False)), 12, 8)


def _high_frequencies(board: Board, kit: Kit) -> None:
    w = kit.words
    board.row(w("machine.row_high"))
    bands = [f"band_{low:.0f}_{high:.0f}_m_s2" for low, high in LEVEL_BANDS_HZ if low >= HIGH_HZ]
    for key, names, unit, width in (
        ("high", [*bands, "envelope_rms_m_s2"], w("unit.acceleration"), 12),
        ("shape", ["crest_factor", "kurtosis"], "none", 12),
        ("defects", [f"{defect}_bits" for defect in BEARING_DEFECTS], w("unit.bits"), 12),
        ("shaft", ["order_1x_mm_s", "order_2x_mm_s", "order_3x_mm_s"], w("unit.velocity"), 12),
    ):
        targets = [
            InfluxQuery(
                chr(ord("A") + i),
                q.RAW,
                q.trend("feature", name, *CHANNEL),
                alias=w.shared(f"page.feature_{name}"),
            )
            for i, name in enumerate(names)
        ]
        about = p.About(w(f"machine.{key}"), w(f"machine.{key}_about"), unit=unit, decimals=2)
        board.add(p.trend(about, targets), width, 9)


def _long_run(board: Board, kit: Kit) -> None:
    """Hourly values, for as long as those are kept: the raw ones end after a season."""
    w = kit.words
    board.row(w("machine.row_long"), closed=True)
    limits = overrides(kit.of_quantity("velocity_"))
    for years in (A_YEAR, ALL_YEARS):
        about = p.About(
            w(f"machine.long_{years}"), w("machine.long_about"), unit=w("unit.velocity"), decimals=2
        )
        targets = _hourly(kit, VELOCITY, "feature", CHANNEL, bracketed("${limits:raw}"))
        panel = p.trend(about, targets, drawn=p.Trend(bands=True), overrides=limits, source=q.HOURLY)
        board.add(_over(panel, years), 24, 9)
    about = p.About(w("machine.long_temperature"), w("machine.long_about"), unit="celsius", decimals=1)
    targets = _hourly(kit, "value", "reading", (*HERE, CELSIUS), "")
    board.add(_over(p.trend(about, targets, drawn=p.Trend(from_zero=False), source=q.HOURLY), A_YEAR), 24, 8)


def _hourly(kit: Kit, name: str, of: str, where: tuple[str, ...], limits: str) -> list[InfluxQuery]:
    targets = []
    for ref, what, how in (("A", "mean", "mean"), ("B", "max", "max"), ("C", "min", "min")):
        statement = q.trend(f"{of}_hourly", f"{name}_{what}", *where, how=how)
        label = kit.words(f"legend.{what}")
        targets.append(InfluxQuery(ref, q.HOURLY, statement, alias=f"{label} {limits}".strip()))
    return targets


def _over(panel: models.Panel, period: str) -> models.Panel:
    """The panel over a period of its own, whatever period the dashboard shows."""
    panel.time_from = period
    panel.hide_time_override = True
    panel.interval = "1h"
    return panel
