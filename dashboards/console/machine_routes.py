"""The routes of the machine page, and the page itself."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palier.historian.base import HistorianError

from .context import (
    RANGES_S,
    Console,
    console_of,
    feature_in,
    first_ranges,
    window_in,
    words_of,
)
from .freshness import NS
from .machine import MachineView
from .machine_api import (
    compare_json,
    family_json,
    fan_json,
    marks_json,
    warmth_json,
)
from .machine_away import away_of
from .machine_rendering import machine_context
from .machine_words import MachineWords
from .pages import view_in
from .rendering import page, page_settings
from .series import FEATURES, has_history
from .spectra_api import lines_json, waterfall_json, wave_json


async def machine_page(request: Request) -> Response:
    """GET /machine/<id>?point=&channel=&range=&feature=: state and reason, diagnosis, charts, values."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    view = view_in(request, board)
    window = window_in(request, await _first_range(console, view, board.now_ns))
    feature = feature_in(request) or view.feature
    query = {"lang": words.lang}
    if view.channel is not None:
        query |= {"point": view.channel.point, "channel": view.channel.channel}
    context = await machine_context(console, words, board, view, request.scope.get("root_path", ""))
    away = away_of(context["values"], board.now_ns)
    follow = urlencode({**query, "machine": view.tile.machine})
    return page(
        request,
        words,
        "machine.html",
        **context,
        feature=feature,
        features=FEATURES,
        ranges=tuple(RANGES_S),
        window=window,
        problem=board.problem,
        away=away,
        settings=page_settings(request, words, board, stream=f"/events?{follow}")
        | {
            "api": f"/api/machines/{view.tile.machine}",
            "query": query,
            "range": window.name,
            "feature": feature,
            "label": words.feature(feature),
            "judged": feature == view.feature,
            "machine": MachineWords(words).table(),
            "away": away is not None,
        },
    )


async def _first_range(console: Console, view: MachineView, now_ns: int) -> str:
    """The range that a page begins with: one that the history of its channel can fill."""
    first, young = first_ranges(console.clock.rate)
    channel, before_ns = view.channel, now_ns - RANGES_S[first] * NS
    if channel is None:
        return first
    try:
        old = await console.ask(
            lambda historian: has_history(
                historian,
                site=console.plant.site_id,
                machine=view.tile.machine,
                channel=channel,
                before_ns=before_ns,
            )
        )
    except HistorianError:  # the page's banner says so already
        return first
    return first if old else young


ROUTES: Final = [
    Route("/machine/{machine}", machine_page),
    Route("/api/machines/{machine}/families/{family}", family_json),
    Route("/api/machines/{machine}/warmth", warmth_json),
    Route("/api/machines/{machine}/marks", marks_json),
    Route("/api/machines/{machine}/lines", lines_json),
    Route("/api/machines/{machine}/wave", wave_json),
    Route("/api/machines/{machine}/waterfall", waterfall_json),
    Route("/api/machines/{machine}/fan", fan_json),
    Route("/api/machines/{machine}/compare", compare_json),
]
"""What the application serves of machines, beside the API that stands in `api.py`."""
