"""The work order as a page that prints on A4: of a machine, or of one of its alarms."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import numpy as np
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.advice import Advice
from models.advice.advise import LEADS
from models.detection.zones import LimitKind, LimitSet
from models.diagnosis.types import Diagnosis
from models.types import MachineSpec, PointSpec
from palier.advice_text import advice_text, confirm_text, deadline_text, evidence_text
from palier.alarm_text import found_line, measured_lines
from palier.alarms import Alarm, AlarmKey
from palier.historian.base import Historian, HistorianError
from palier.report.plots import Axis, Band, Level, Line, Mark, plot
from palier.typesetting import Typeset

from .alarm_pages import alarm_in, story_of
from .context import RANGES_S, Console, console_of, words_of
from .freshness import NS
from .live import Board
from .machine import MachineView, machine_view
from .machine_judgement import MachineJudgement
from .machine_rendering import judgement_of
from .order import WorkOrder, work_order
from .rendering import page, page_settings
from .series import ChannelRef, Spectrum, Trend, spectrum, trend
from .words import Words
from .work import machine_in

MOST_EVIDENCE: Final = 6
"""Sentences of evidence: as many as leave room for two plots on the sheet."""

PERIODS: Final = ("30d", "24h", "1h")
FEWEST_POINTS: Final = 24
"""Points of a trend that fill a plot."""

_ZONES: Final = ("A", "B", "C", "D")


async def alarm_order_page(request: Request) -> Response:
    """GET /alarm/<machine>/<point>/<mode>/order: the work order for what raised this alarm."""
    console, words = console_of(request), words_of(request)
    key = alarm_in(request)
    story = await story_of(console, key)
    spec = console.plant.machine(key.machine)
    if story is None or spec is None:
        raise HTTPException(404, words.t("error_alarm", alarm=key.id))
    return await _order(request, spec, spec.point(key.point), story.alarm)


async def machine_order_page(request: Request) -> Response:
    """GET /machine/<id>/order: the work order for the most urgent of its alarms, or a blank one."""
    console = console_of(request)
    spec = machine_in(request)
    board = await console.live.board()
    alarm = next(iter(board.alarms.of(spec.id)), None)
    return await _order(request, spec, _point(spec, alarm.key if alarm else None), alarm)


def _point(spec: MachineSpec, key: AlarmKey | None) -> PointSpec | None:
    return spec.point(key.point) if key and key.point else next(iter(spec.points), None)


async def _order(
    request: Request, spec: MachineSpec, point: PointSpec | None, alarm: Alarm | None
) -> Response:
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    view = machine_view(console, board, spec.id, _channel(spec, board, console, point))
    judged = await judgement_of(console, view)
    found = () if judged == "unread" or point is None else _found(judged, point.id, view, spec)
    order = work_order(
        spec,
        point,
        alarm=alarm,
        found=found,
        limits=console.limits.get(point.limits) if point and point.limits else None,
        timezone=console.plant.timezone,
        now_ns=board.now_ns,
    )
    return page(
        request,
        words,
        "order.html",
        order=order,
        problem=board.problem,
        unread=judged == "unread",
        said=_said(order, words),
        plots=await _plots(console, words, view, order, board.now_ns),
        now_ns=board.now_ns,
        href=quote(alarm.key.id) if alarm else "",
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


def _found(
    judged: MachineJudgement, point: str, view: MachineView, spec: MachineSpec
) -> tuple[tuple[Diagnosis, Advice], ...]:
    named = [(diagnosis, advice, point) for diagnosis, advice in judged.advised(point)]
    return judged.in_force(named, view.data.states, spec.criticality)


def _channel(spec: MachineSpec, board: Board, console: Console, point: PointSpec | None) -> ChannelRef | None:
    """The first vibration channel of the point, None where it has none: then the machine's own is shown."""
    channels = machine_view(console, board, spec.id).channels
    return next((channel for channel in channels if point and channel.point == point.id), None)


def _said(order: WorkOrder, words: Words) -> dict[str, object]:
    """What the sheet says in sentences."""
    texts, advice, alarm = Typeset(words.lang), order.advice, order.alarm
    items = sorted(
        (item for item in order.diagnosis.evidence if item.met > 0 and item.weight > 0)
        if order.diagnosis
        else (),
        key=lambda item: (item.key not in LEADS, -item.weight * item.met),
    )
    hours = advice.deadline_h if advice else alarm.deadline_h if alarm else None
    return {
        "advice": advice_text(advice, texts) if advice else "",
        "raised": words.raised(advice) if advice else "",
        "found": found_line(alarm, texts) if alarm and not advice else "",
        "measured": measured_lines(alarm, texts) if alarm else [],
        "evidence": list(dict.fromkeys(evidence_text(item, texts) for item in items))[:MOST_EVIDENCE],
        "confirm": [confirm_text(key, texts) for key in advice.confirm] if advice else [],
        "deadline": "" if hours is None else deadline_text(hours, texts),
    }


async def _plots(
    console: Console, words: Words, view: MachineView, order: WorkOrder, now_ns: int
) -> list[Markup]:
    """The velocity of a month and the last spectrum; none while the historian can't be read."""
    channel = view.channel
    if channel is None:
        return []
    site, machine, feature = console.plant.site_id, view.tile.machine, view.feature

    def course(historian: Historian) -> Trend:
        """The trend of the longest period that the history fills: a young one is no flat line."""
        for period in PERIODS:
            found = trend(
                historian,
                measurement="feature",
                field=feature,
                unit="mm/s",
                site=site,
                machine=machine,
                channel=channel,
                start_ns=now_ns - RANGES_S[period] * NS,
                end_ns=now_ns + 1,
            )
            if len(found.times_ns) >= FEWEST_POINTS:
                break
        return found

    try:
        rows = await console.ask(course)
        last = await console.ask(
            lambda historian: spectrum(
                historian, site=site, machine=machine, channel=channel, point=view.point
            )
        )
    except HistorianError:
        return []
    where = f"{channel.point}/{channel.channel}"
    title = f"{words.feature(feature)} · {where}"
    drawn = [_trend_plot(rows, order.limits, console, words, title)] if len(rows.times_ns) > 1 else []
    return drawn + ([_spectrum_plot(last, words, channel)] if last else [])


def _trend_plot(
    course: Trend,
    limits: LimitSet | None,
    console: Console,
    words: Words,
    title: str,
) -> Markup:
    mean = np.array([np.nan if value is None else value for value in course.mean])
    zones = limits is not None and limits.kind is LimitKind.ZONES and limits.quantity.startswith("velocity_")
    values = limits.values if limits and limits.quantity.startswith("velocity_") else ()
    bands: list[Band] = []
    if zones:
        edges: list[float | None] = [0.0, *values, None]
        bands = [Band(edges[i] or 0.0, edges[i + 1], name, name) for i, name in enumerate(_ZONES)]
    levels = (
        []
        if zones or limits is None
        else [Level(value, words.limit(name)) for value, name in zip(values, limits.names, strict=False)]
    )
    svg = plot(
        [Line(np.array(course.times_ns) / NS, mean)],
        title=title,
        description=words.t("order_trend"),
        x=Axis("", zone=console.zone),
        y=Axis(words.unit("mm/s"), low=0.0),
        number=words.catalogue.number,
        bands=bands,
        levels=levels,
    )
    return Markup(svg)  # noqa: S704 - `plot` escapes every text that it is given


def _spectrum_plot(last: Spectrum, words: Words, channel: ChannelRef) -> Markup:
    amplitude = np.array([np.nan if value is None else value for value in last.amplitude])
    frequency = np.array([np.nan if value is None else value for value in last.frequency_hz])
    velocity = last.kind.startswith("velocity")
    shown = frequency <= (1000.0 if velocity else np.inf)
    svg = plot(
        [Line(frequency[shown], amplitude[shown])],
        title=f"{words.t('spectrum')} · {channel.point}/{channel.channel}",
        description=words.t("order_spectrum"),
        x=Axis("Hz", low=0.0),
        y=Axis(words.unit("mm/s peak" if velocity else "m/s² peak"), low=0.0),
        number=words.catalogue.number,
        marks=[
            Mark(
                m.frequency_hz,
                f"{m.harmonic}×" if m.name == "1×" else m.name.upper() if m.harmonic == 1 else "",
                "shaft" if m.name == "1×" else m.name,
            )
            for m in last.markers
            if m.frequency_hz <= float(np.max(frequency[shown], initial=0.0))
        ],
    )
    return Markup(svg)  # noqa: S704 - `plot` escapes every text that it is given
