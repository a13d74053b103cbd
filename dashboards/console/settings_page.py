"""GET /settings: the settings in force, to read: page, plant, limits. Secrets are masked."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from palier.settings import settings_text

from .context import console_of, words_of
from .rendering import page, page_settings


async def settings_page(request: Request) -> Response:
    """GET /settings: what this page runs with, and what plant.toml says of each machine."""
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    used = {p.limits for machine in console.plant.machines for p in machine.points if p.limits}
    return page(
        request,
        words,
        "settings.html",
        problem=board.problem,
        text=settings_text(console.shown) if console.shown else "",
        limits=[console.limits[name] for name in sorted(used) if name in console.limits],
        rate=console.clock.rate,
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )
