"""GET /events: what changed, as server-sent events, soon after it was committed.

- `shell` {"now_ms", "banner"?, "waiting"?}: what stands on every page;
- `overview` {"now_ms", "order": [machine], "tiles": {machine: html}, "summary"?, "announce"?}, with
  `?page=overview`: only the tiles that changed stand in `tiles`; `order` is all of them, the worst first;
- `alarms` {"now_ms", "order": [alarm], "rows": {alarm: html}, "announce"}, with `?page=alarms`, likewise;
- `alarm` {"now_ms", "fragments": {id: html}}, with `?alarm=`;
- `machine` {"now_ms", "fragments": {id: html}, "newest_ms"}, with `?machine=`;
- `beat` {"now_ms"}: the link stands; at its beginning, and when nothing changed for a while.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from palier.alarms import Alarm, AlarmKey

from .account_file import AccountError
from .alarm_pages import alarm_in, story_or_none, story_values
from .alarm_rows import Wanted
from .context import Console, channel_in, console_of, name_in, words_of
from .live import Board
from .machine import NoSuchChannelError, NoSuchMachineError, machine_view
from .machine_rendering import machine_fragments
from .news import Audience, News, event
from .overview import Tile
from .rendering import fragment
from .roles import Person, person_of
from .series import ChannelRef
from .snapshot import MachineData

QUIET_S: Final = 15.0
"""Without news before a beat: below the minute after which proxies cut a silent connection."""

RETRY_MS: Final = 2000
"""How soon a browser connects again: soon enough that nobody reloads the page by hand."""


async def events(request: Request) -> Response:
    """GET /events?lang=&page=&machine=&point=&channel=&alarm=. 503 when too many pages follow already."""
    console, words = console_of(request), words_of(request)
    query = request.query_params
    audience = Audience(words, request.scope.get("root_path", ""), query.get("page", ""), Wanted.of(query))
    machine = None
    if "machine" in query and not audience.page:
        machine = name_in(request, query["machine"], "machine")
    alarm = alarm_in(request) if "alarm" in query else None
    if console.live.full:
        raise HTTPException(503, words.t("error_streams"), headers={"Retry-After": "30"})
    follower = Follower(console, audience, machine, channel_in(request), alarm, shown=_shown(request))
    return StreamingResponse(
        _told(console, follower, person_of(request.scope)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _shown(request: Request) -> Board | None:
    """The picture that the page shows already: the one of the last event it heard, or that it was drawn from.
    None where that is too old; then it is told everything."""
    heard = request.headers.get("last-event-id") or request.query_params.get("since", "")
    known = heard.isascii() and heard.isdigit() and len(heard) < 20
    return console_of(request).live.board_of(int(heard)) if known else None


def _is_over(console: Console, person: Person | None) -> bool:
    """Whether who follows has no session any more: a role that was taken ends an open stream too."""
    if console.access is None or person is None:
        return False
    try:
        return console.access.person(person.session, active=False) is None
    except AccountError:
        return True


async def _told(console: Console, follower: Follower, person: Person | None = None) -> AsyncIterator[str]:
    with console.live.following():
        yield f"retry: {RETRY_MS}\n\n" + event("beat", {"now_ms": console.clock.now_ns() // 1_000_000})
        spoke_s = time.monotonic()
        async for board in console.live.boards():
            if _is_over(console, person):
                return
            news = await follower.news(board)
            for message in news:
                yield message
            if news:
                spoke_s = time.monotonic()
            elif time.monotonic() - spoke_s >= QUIET_S:
                spoke_s = time.monotonic()
                yield event("beat", {"now_ms": board.now_ns // 1_000_000})


class Follower:
    """Remembers what one page was told, to tell it only what is new."""

    def __init__(
        self,
        console: Console,
        audience: Audience,
        machine: str | None = None,
        channel: ChannelRef | None = None,
        alarm: AlarmKey | None = None,
        *,
        shown: Board | None = None,
    ) -> None:
        self._console = console
        self._audience = audience
        self._machine = machine
        self._channel = channel
        self._alarm = alarm
        self._board = shown
        self._data: tuple[MachineData | None, Tile | None, tuple[Alarm, ...], str | None] | None = None
        self._shown: tuple[Alarm, ...] | None = None

    async def news(self, board: Board) -> list[str]:
        """The events that bring the page up to this board; empty when nothing changed."""
        before, self._board = self._board, board
        newsroom: News = self._console.news
        messages = newsroom.messages(self._console, self._audience, before, board)
        if self._machine is not None:
            messages.append(await self._of_machine(board, self._machine))
        if self._alarm is not None:
            messages.append(await self._of_alarm(board, self._alarm))
        return [message for message in messages if message]

    async def _of_alarm(self, board: Board, key: AlarmKey) -> str:
        now = tuple(alarm for alarm in board.alarms.open if alarm.key == key)
        if board.alarms.problem or now == self._shown:
            return ""
        story = await story_or_none(self._console, key)
        if story is None:
            return ""
        self._shown = now
        words = self._audience.words
        values = story_values(self._console, words, story)
        values |= {"now_ns": board.now_ns, "root": self._audience.root, "at": self._console.at}
        names = {"facts": "_alarm_facts.html", "story": "_alarm_story.html"}
        told = {name: fragment(self._console, template, words, **values) for name, template in names.items()}
        data = {
            "now_ms": board.now_ns // 1_000_000,
            "fragments": told,
            "version": story.alarm.version,
            "can": sorted(values["row"].can),
        }
        return event("alarm", data)

    async def _of_machine(self, board: Board, machine: str) -> str:
        alarms = board.alarms.of(machine)
        state = (board.snapshot.machines.get(machine), board.overview.tile(machine), alarms, board.problem)
        if state == self._data:
            return ""
        self._data = state
        try:
            view = machine_view(self._console, board, machine, self._channel)
        except (NoSuchMachineError, NoSuchChannelError):  # the page itself answered 404: nothing to follow
            return ""
        words, root = self._audience.words, self._audience.root
        fragments = await machine_fragments(self._console, words, board, view, root)
        newest = view.data.newest_ns
        return event(
            "machine",
            {
                "now_ms": board.now_ns // 1_000_000,
                "fragments": fragments,
                "newest_ms": None if newest is None else newest // 1_000_000,
            },
        )
