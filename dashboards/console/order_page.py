"""The work order as a page that prints on A4: of a machine, or of one of its alarms."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.advice import Advice
from models.advice.advise import LEADS
from models.diagnosis.types import Diagnosis
from models.types import MachineSpec, PointSpec
from palier.advice_text import advice_text, confirm_text, deadline_text, evidence_text
from palier.alarm_text import found_line, measured_lines
from palier.alarms import Alarm, AlarmKey
from palier.typesetting import Typeset

from .alarm_pages import alarm_in, story_of
from .context import Console, console_of, words_of
from .live import Board
from .machine import MachineView, machine_view
from .machine_judgement import MachineJudgement
from .machine_rendering import judgement_of
from .order import WorkOrder, work_order
from .order_evidence import evidence_plots
from .rendering import page, page_settings
from .series import ChannelRef
from .words import Words
from .work import machine_in

MOST_EVIDENCE: Final = 5
"""Sentences of evidence: as many as leave room for three plots on one sheet."""

MOST_MEASURED: Final = 3
"""What exceeds its limit beside that: an alarm tells the strongest causes first."""


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
        plots=await evidence_plots(console, words.lang, view, order, board.now_ns),
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
        "measured": measured_lines(alarm, texts)[:MOST_MEASURED] if alarm else [],
        "evidence": list(dict.fromkeys(evidence_text(item, texts) for item in items))[:MOST_EVIDENCE],
        "confirm": [confirm_text(key, texts) for key in advice.confirm] if advice else [],
        "deadline": "" if hours is None else deadline_text(hours, texts),
    }
