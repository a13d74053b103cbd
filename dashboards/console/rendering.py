"""From values to HTML with automatic escaping: whole pages, and the fragments that streams replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from models.types import BEARING_DEFECTS

from .appearance import look_of
from .context import Console, console_of
from .live import Board
from .machine import MachineView, Unread
from .overview import Tile
from .series import Values
from .words import LANG_COOKIE, Words, spark_path

LANGUAGE_NAMES: Final = (("fr", "Français"), ("en", "English"), ("ar", "العربية"))
"""Each language by its own name: who looks for it can read it."""

_YEAR_S: Final = 365 * 86_400


def templates() -> jinja2.Environment:
    """The environment of the page's templates. An unknown variable is an error, never an empty place."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["spark_path"] = spark_path
    environment.globals["languages"] = LANGUAGE_NAMES
    environment.globals["defects"] = BEARING_DEFECTS
    return environment


def page(
    request: Request, words: Words, template: str, *, status: int = 200, **values: object
) -> HTMLResponse:
    """A whole page; a language asked for in the URL is remembered in a cookie."""
    console = console_of(request)
    body = console.templates.get_template(template).render(
        w=words,
        root=request.scope.get("root_path", ""),
        plant=console.plant,
        query_with=lambda name, value: query_with(request, name, value),
        settings=values.pop("settings", None),
        **values,
    )
    response = HTMLResponse(body, status_code=status)
    if request.query_params.get("lang") == words.lang:
        response.set_cookie(LANG_COOKIE, words.lang, max_age=_YEAR_S, httponly=True, samesite="lax")
    return response


def query_with(request: Request, name: str, value: str) -> str:
    """The request's query with one parameter set anew."""
    kept: Mapping[str, str] = request.query_params
    return urlencode({**{key: kept[key] for key in kept}, name: value})


def tile_html(console: Console, words: Words, tile: Tile, now_ns: int, root: str) -> str:
    """The fragment of one tile."""
    template = console.templates.get_template("_tile.html")
    return template.render(w=words, tile=tile, now_ns=now_ns, root=root)


def summary_html(console: Console, words: Words, board: Board) -> str:
    """The fragment that counts machines by state."""
    return console.templates.get_template("_summary.html").render(w=words, counts=counts_of(board))


def banner_html(console: Console, words: Words, board: Board) -> str:
    """The fragment that says what keeps the historian from being read; empty when nothing does."""
    return console.templates.get_template("_banner.html").render(w=words, problem=board.problem)


def machine_html(
    console: Console,
    words: Words,
    view: MachineView,
    values: Values | Unread | None,
    *,
    now_ns: int,
    root: str,
) -> dict[str, str]:
    """The fragments of a machine page that follow the data, by the id of the element that holds them."""
    given = {"w": words, "view": view, "values": values, "now_ns": now_ns, "root": root}
    names = {"head": "_head.html", "points": "_points.html", "values": "_values.html"}
    return {key: console.templates.get_template(name).render(given) for key, name in names.items()}


def counts_of(board: Board) -> list[tuple[object, int]]:
    """(look, number of machines) of each state there is, the most urgent first."""
    return [(look_of(state), count) for state, count in (board.overview.counts or {}).items()]


def summary_text(words: Words, board: Board) -> str:
    """The counts as a sentence, for a screen reader."""
    counts = (board.overview.counts or {}).items()
    return ", ".join(f"{count} {words.state(state)}" for state, count in counts)
