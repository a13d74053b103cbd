"""From values to HTML with automatic escaping: whole pages, and the fragments that streams replace."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from models.types import BEARING_DEFECTS
from palier.local_time import offsets

from .access import is_secure
from .acting import VISIT_COOKIE, form_token, new_visit, user_of, visit_of
from .appearance import look_of
from .context import Console, console_of, spoken
from .live import Board
from .overview import Tile
from .roles import Role, needed_for, person_of
from .words import LANG_COOKIE, Words, spark_path

LANGUAGE_NAMES: Final = (("fr", "Français"), ("en", "English"), ("ar", "العربية"))
"""Each language by its own name: who looks for it can read it."""

THEME_COOKIE: Final = "palier_theme"
THEMES: Final = ("auto", "light", "dark")
_DARK_MEDIA: Final = {"auto": "(prefers-color-scheme: dark)", "light": "not all", "dark": "all"}
"""When the dark colours hold, as a media query."""

MOST_FULL: Final = 60
"""Tiles up to which each has all: as many as a wall screen can show."""

FEW: Final = 6
SOME: Final = 12
"""Tiles up to which three, or four, stand side by side."""

YEAR_S: Final = 365 * 86_400


@cache
def templates() -> jinja2.Environment:
    """The environment of the page's templates, one for the process: a template is compiled once. An unknown
    variable is an error, never an empty place."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["spark_path"] = spark_path
    environment.globals["languages"] = LANGUAGE_NAMES
    environment.globals["themes"] = THEMES
    environment.globals["line_key"] = line_key
    environment.globals["defects"] = BEARING_DEFECTS
    environment.globals["new_id"] = lambda: secrets.token_hex(12)
    return environment


def warm_up(environment: jinja2.Environment) -> None:
    """Have ready what the first viewer would wait for: compiled templates (a third of a second on a busy
    machine), and the system's table of file types."""
    for name in environment.list_templates():
        environment.get_template(name)
    mimetypes.init()


def page(
    request: Request, words: Words, template: str, *, status: int = 200, **values: object
) -> HTMLResponse:
    """A whole page; language and theme asked for in the URL are remembered in a cookie."""
    console = console_of(request)
    visit, theme = visit_of(request) or new_visit(), theme_of(request)
    board, person = console.live.last, person_of(request.scope)
    given: dict[str, object] = {
        "w": words,
        "root": request.scope.get("root_path", ""),
        "path": request.url.path,
        "plant": console.plant,
        "query_with": lambda name, value: query_with(request, name, value),
        "settings": None,
        "at": console.at,
        "theme": theme,
        "dark_media": _DARK_MEDIA[theme],
        "token": form_token(request, visit),
        "user": user_of(request),
        "person": person,
        "stranger": console.access is not None and person is None,
        "may": lambda verb: person is None or person.role.may(needed_for(verb)),
        "orders": person is None or person.role.may(Role.TECHNICIAN),
        "why_not": console.messenger.why_not(request),
        "training": is_training(request),
        "waiting": board.alarms.waiting if board else 0,
    }
    body = console.templates.get_template(template).render(given | values)
    response = HTMLResponse(body, status_code=status)
    _remember(request, response, LANG_COOKIE, "lang", words.lang)
    _remember(request, response, THEME_COOKIE, "theme", theme)
    if visit != visit_of(request):
        keep(request, response, VISIT_COOKIE, visit)
    return response


def error_answer(
    request: Request, status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal as a sentence: a page, or JSON for a script."""
    if request.url.path.startswith(("/api/", "/events", "/session")) or wants_json(request):
        return JSONResponse({"error": sentence}, status, headers=headers)
    words = spoken(request)
    response = page(request, words, "error.html", status=status, code=status, sentence=sentence)
    response.headers.update(headers or {})
    return response


def page_settings(request: Request, words: Words, board: Board, *, stream: str) -> dict[str, object]:
    """What a page's script needs to know."""
    console = console_of(request)
    return {
        "lang": words.lang,
        "root": request.scope.get("root_path", ""),
        "offsets": offsets(console.plant.timezone, board.now_ns),
        "now_ms": board.now_ns // 1_000_000,
        "rate": console.clock.rate,
        "stream": f"{stream}&since={board.now_ns}",
        "words": words.table(),
    }


def keep(request: Request, response: Response, cookie: str, value: str) -> None:
    """Have the browser remember a value for a year; no script reads it and no other site sends it along."""
    response.set_cookie(
        cookie, value, max_age=YEAR_S, httponly=True, samesite="lax", secure=is_secure(request)
    )


def wants_json(request: Request) -> bool:
    """Whether a script asks, and not a form by itself."""
    return "application/json" in request.headers.get("accept", "")


def is_training(request: Request) -> bool:
    """Whether this is the page of a training, which says so on each screen and overlooks no plant."""
    return getattr(request.app.state, "training", None) is not None


def theme_of(request: Request) -> str:
    """The colours that a viewer chose: "auto" (as their system), "light" or "dark"."""
    asked = request.query_params.get("theme", request.cookies.get(THEME_COOKIE, ""))
    return asked if asked in THEMES else THEMES[0]


def query_with(request: Request, name: str, value: str) -> str:
    """The request's query with one parameter set anew."""
    kept: Mapping[str, str] = request.query_params
    return urlencode({**{key: kept[key] for key in kept}, name: value})


def _remember(request: Request, response: Response, cookie: str, name: str, value: str) -> None:
    if request.query_params.get(name) == value:
        keep(request, response, cookie, value)


def fragment(console: Console, template: str, words: Words, **values: object) -> str:
    """A part of a page, to put in the place of the one that stands there."""
    return console.templates.get_template(template).render(w=words, **values)


def is_lean(board: Board) -> bool:
    """Whether there are so many tiles that each goes without its small trend and its points: nobody reads
    hundreds of them, and they are most of the page's weight."""
    return len(board.overview.tiles) > MOST_FULL


def tile_html(
    console: Console, words: Words, tile: Tile, now_ns: int, root: str, *, lean: bool = False
) -> str:
    """The fragment of one tile."""
    return fragment(console, "_tile.html", words, tile=tile, now_ns=now_ns, root=root, lean=lean)


def line_key(line: str) -> str:
    """What tells the head of a line from a machine in the list of tiles: no machine's name has a slash."""
    return f"/{line}"


def line_html(console: Console, words: Words, line: str) -> str:
    """The fragment that stands over the tiles of a line."""
    return fragment(console, "_line.html", words, line=line)


def order_of(board: Board) -> list[str]:
    """What the list of tiles holds, from its top: the keys of lines, where there are any, and of machines."""
    tiles, lined = board.overview.tiles, board.overview.lined
    before = (None, *(tile.line for tile in tiles))
    return [
        key
        for tile, line in zip(tiles, before, strict=False)
        for key in ((line_key(tile.line),) if lined and tile.line != line else ()) + (tile.machine,)
    ]


def size_of(board: Board) -> str:
    """How large tiles may be: a few without lines fill a wall screen."""
    count = len(board.overview.tiles)
    if count <= FEW and not board.overview.lined:
        return "few"
    return "some" if count <= SOME else "many"


def summary_html(console: Console, words: Words, board: Board) -> str:
    """The fragment that counts machines by state."""
    return fragment(console, "_summary.html", words, counts=counts_of(board))


def banner_html(console: Console, words: Words, board: Board) -> str:
    """The fragment that says what keeps the historian from being read; empty when nothing does."""
    return fragment(console, "_banner.html", words, problem=board.problem)


def counts_of(board: Board) -> list[tuple[object, int]]:
    """(look, number of machines) of each state there is, the most urgent first."""
    return [(look_of(state), count) for state, count in (board.overview.counts or {}).items()]


def summary_text(words: Words, board: Board) -> str:
    """The counts as a sentence, for a screen reader."""
    counts = (board.overview.counts or {}).items()
    return ", ".join(f"{count} {words.state(state)}" for state, count in counts)
