"""GET /events: what changed, as server-sent events, at most once a second.

- `overview` {"now_ms", "order": [machine], "tiles": {machine: html}, "summary"?, "announce"?, "banner"?}:
  only the tiles that changed stand in `tiles`; `order` is all of them, the worst first;
- `machine` {"now_ms", "fragments": {id: html}, "newest_ms"}: only with `?machine=`;
- `beat` {"now_ms"}: nothing changed for a while, the link stands.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .context import Console, channel_in, console_of, name_in, words_of
from .live import Board
from .machine import NoSuchChannelError, NoSuchMachineError, machine_view, newest_values
from .overview import Tile
from .rendering import banner_html, machine_html, summary_html, summary_text, tile_html
from .series import ChannelRef
from .snapshot import MachineData
from .words import Words

QUIET_BOARDS: Final = 15
"""Boards without news before a beat: below the minute after which proxies cut a silent connection."""

RETRY_MS: Final = 2000
"""How soon a browser connects again: soon enough that nobody reloads the page by hand."""


async def events(request: Request) -> Response:
    """GET /events?lang=&machine=&point=&channel=. 503 when too many pages follow already."""
    console, words = console_of(request), words_of(request)
    wanted = request.query_params.get("machine")
    machine = None if wanted is None else name_in(request, wanted, "machine")
    if console.live.full:
        raise HTTPException(503, words.t("error_streams"), headers={"Retry-After": "30"})
    follower = Follower(console, words, request.scope.get("root_path", ""), machine, channel_in(request))
    return StreamingResponse(
        _told(console, follower), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _told(console: Console, follower: Follower) -> AsyncIterator[str]:
    with console.live.following():
        yield f"retry: {RETRY_MS}\n\n"
        quiet = 0
        async for board in console.live.boards():
            news = await follower.news(board)
            for message in news:
                yield message
            quiet = 0 if news else quiet + 1
            if quiet >= QUIET_BOARDS:
                quiet = 0
                yield event("beat", {"now_ms": board.now_ns // 1_000_000})


def event(name: str, data: object) -> str:
    """One server-sent event; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


class Follower:
    """Remembers what one page was told, to tell it only what is new."""

    def __init__(
        self,
        console: Console,
        words: Words,
        root: str,
        machine: str | None = None,
        channel: ChannelRef | None = None,
    ) -> None:
        self._console = console
        self._words = words
        self._root = root
        self._machine = machine
        self._channel = channel
        self._tiles: dict[str, Tile] = {}
        self._told: dict[str, str] = {}
        self._data: tuple[MachineData | None, Tile | None, str | None] | None = None

    async def news(self, board: Board) -> list[str]:
        """The events that bring the page up to this board; empty when nothing changed."""
        messages = [self._overview(board)]
        if self._machine is not None:
            messages.append(await self._of_machine(board, self._machine))
        return [message for message in messages if message]

    def _overview(self, board: Board) -> str:
        tiles = {tile.machine: tile for tile in board.overview.tiles}
        changed = {name: tile for name, tile in tiles.items() if self._tiles.get(name) != tile}
        reordered = list(self._tiles) != list(tiles)
        self._tiles = tiles
        texts = {
            "summary": summary_html(self._console, self._words, board),
            "announce": summary_text(self._words, board),
            "banner": banner_html(self._console, self._words, board),
        }
        new = {name: text for name, text in texts.items() if self._told.get(name) != text}
        self._told = texts
        if not (changed or reordered or new):
            return ""
        drawn = {
            name: tile_html(self._console, self._words, tile, board.now_ns, self._root)
            for name, tile in changed.items()
        }
        data: dict[str, object] = {"now_ms": board.now_ns // 1_000_000, "order": list(tiles), "tiles": drawn}
        return event("overview", data | new)

    async def _of_machine(self, board: Board, machine: str) -> str:
        state = (board.snapshot.machines.get(machine), board.overview.tile(machine), board.problem)
        if state == self._data:
            return ""
        self._data = state
        try:
            view = machine_view(self._console, board, machine, self._channel)
        except (NoSuchMachineError, NoSuchChannelError):  # the page itself answered 404: nothing to follow
            return ""
        values = await newest_values(self._console, machine, view.channel)
        fragments = machine_html(
            self._console, self._words, view, values, now_ns=board.now_ns, root=self._root
        )
        if values == "unread":
            fragments.pop("values", None)  # those that are shown grow old, as the banner says
        newest = view.data.newest_ns
        return event(
            "machine",
            {
                "now_ms": board.now_ns // 1_000_000,
                "fragments": fragments,
                "newest_ms": None if newest is None else newest // 1_000_000,
            },
        )
