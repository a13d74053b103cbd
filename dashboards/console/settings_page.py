"""GET /settings: the settings in force, to read: page, plant, limits. Secrets are masked.

Where the page has accounts, its own settings, the accounts and the journal of access are for engineers.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from palier.settings import settings_text

from .context import console_of, words_of
from .rendering import page, page_settings
from .roles import Role, person_of

MOST_LINES: Final = 100
"""Lines of the journal that a page shows: some days; the rest by `palier user log`."""


async def settings_page(request: Request) -> Response:
    """GET /settings: what this page runs with, and what plant.toml says of each machine."""
    console, words = console_of(request), words_of(request)
    board, access, person = await console.live.board(), console.access, person_of(request.scope)
    engineer = person is None or person.role.may(Role.ENGINEER)
    used = {p.limits for machine in console.plant.machines for p in machine.points if p.limits}
    return page(
        request,
        words,
        "settings.html",
        problem=board.problem,
        text=settings_text(console.shown) if console.shown and engineer else "",
        people=access.accounts() if access and engineer else (),
        journal=access.journal(MOST_LINES) if access and engineer else (),
        limits=[console.limits[name] for name in sorted(used) if name in console.limits],
        rate=console.clock.rate,
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )
