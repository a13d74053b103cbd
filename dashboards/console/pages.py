"""The two pages: plant overview and machine."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from palier.historian.base import HistorianError

from .context import (
    DEFAULT_RANGE,
    RANGES_S,
    YOUNG_RANGE,
    Console,
    channel_in,
    console_of,
    feature_in,
    name_in,
    window_in,
    words_of,
)
from .freshness import NS
from .live import Board
from .machine import MachineView, NoSuchChannelError, NoSuchMachineError, machine_view, newest_values
from .rendering import counts_of, page
from .series import FEATURES, has_history
from .words import Words


async def overview_page(request: Request) -> Response:
    """GET /: a tile for each machine, the worst first."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    return page(
        request,
        words,
        "overview.html",
        tiles=board.overview.tiles,
        counts=counts_of(board),
        problem=board.problem,
        now_ns=board.now_ns,
        settings=_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


async def machine_page(request: Request) -> Response:
    """GET /machine/<id>?point=&channel=&range=&feature=: state, trends, last spectrum and values."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    view = view_in(request, board)
    window = window_in(request, await _first_range(console, view, board.now_ns))
    feature = feature_in(request) or view.feature
    values = await newest_values(console, view.tile.machine, view.channel)
    query = {"lang": words.lang}
    if view.channel is not None:
        query |= {"point": view.channel.point, "channel": view.channel.channel}
    return page(
        request,
        words,
        "machine.html",
        view=view,
        values=values,
        feature=feature,
        features=FEATURES,
        ranges=tuple(RANGES_S),
        window=window,
        problem=board.problem,
        now_ns=board.now_ns,
        settings=_settings(
            request, words, board, stream="/events?" + urlencode({**query, "machine": view.tile.machine})
        )
        | {
            "api": f"/api/machines/{view.tile.machine}",
            "query": query,
            "range": window.name,
            "feature": feature,
            "judged": feature == view.feature,
        },
    )


async def _first_range(console: Console, view: MachineView, now_ns: int) -> str:
    """The range that a page begins with: one that the history of its channel can fill."""
    channel, before_ns = view.channel, now_ns - RANGES_S[DEFAULT_RANGE] * NS
    if channel is None:
        return DEFAULT_RANGE
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
        return DEFAULT_RANGE
    return DEFAULT_RANGE if old else YOUNG_RANGE


def view_in(request: Request, board: Board) -> MachineView:
    """The machine (and channel) that a URL names. HTTPException 400 or 404 with a sentence."""
    words = words_of(request)
    machine = name_in(request, request.path_params.get("machine"), "machine")
    try:
        return machine_view(console_of(request), board, machine, channel_in(request))
    except NoSuchMachineError as error:
        raise HTTPException(404, words.t("error_machine", machine=machine)) from error
    except NoSuchChannelError as error:
        raise HTTPException(404, words.t("error_channel", machine=machine)) from error


def _settings(request: Request, words: Words, board: Board, *, stream: str) -> dict[str, object]:
    """What the page's script needs to know."""
    console: Console = console_of(request)
    return {
        "lang": words.lang,
        "root": request.scope.get("root_path", ""),
        "timezone": console.plant.timezone,
        "now_ms": board.now_ns // 1_000_000,
        "rate": console.clock.rate,
        "stream": stream,
        "words": words.table(),
    }
