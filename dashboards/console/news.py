"""What is new between two pictures of the plant, as messages for pages; drawn once for all told alike.

Fifty wall screens and phones that show the same cost one drawing: the message from one picture to the next is
kept while the next is the present one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .alarm_rows import ALL, AlarmRow, Wanted, rows_of, sentences
from .rendering import (
    banner_html,
    fragment,
    is_lean,
    line_html,
    line_key,
    order_of,
    size_of,
    summary_html,
    summary_text,
    tile_html,
)
from .words import Words

if TYPE_CHECKING:
    from .context import Console
    from .live import Board

Told = dict[str, Any]


@dataclass(frozen=True)
class Audience:
    """Pages that are told the same: their language, where they are mounted, which page it is ("overview",
    "alarms" or ""), and what it is narrowed to."""

    words: Words
    root: str
    page: str = ""
    wanted: Wanted = ALL

    @property
    def key(self) -> tuple[str, str, str, Wanted]:
        """What tells one audience from another."""
        return self.words.lang, self.root, self.page, self.wanted


class News:
    """Draws the messages to a present picture, each once."""

    def __init__(self) -> None:
        self._present: Board | None = None
        self._drawn: dict[tuple[object, int], tuple[Board | None, list[str]]] = {}

    def messages(self, console: Console, audience: Audience, before: Board | None, now: Board) -> list[str]:
        """What brings pages of that audience from one picture to another; empty where nothing changed."""
        if self._present is not now:
            self._present, self._drawn = now, {}
        key = (audience.key, id(before))
        if key not in self._drawn:  # `before` is kept with it: its id is its own as long as this stands
            self._drawn[key] = (before, _messages(console, audience, before, now))
        return list(self._drawn[key][1])


def event(name: str, data: object, identity: int | None = None) -> str:
    """One server-sent event; JSON has no line breaks of its own. A browser that lost the stream tells the
    identity of the last one it heard."""
    head = "" if identity is None else f"id: {identity}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _messages(console: Console, audience: Audience, before: Board | None, now: Board) -> list[str]:
    parts = [("shell", _shell(console, audience.words, before, now))]
    if audience.page == "overview":
        parts.append(("overview", _overview(console, audience, before, now)))
    elif audience.page == "alarms":
        parts.append(("alarms", _alarms(console, audience, before, now)))
    now_ms = {"now_ms": now.now_ns // 1_000_000}
    return [event(name, now_ms | told, now.now_ns) for name, told in parts if told]


def _shell(console: Console, words: Words, before: Board | None, now: Board) -> Told:
    told: Told = {}
    if before is None or before.problem != now.problem:
        told["banner"] = banner_html(console, words, now)
    if before is None or before.alarms.waiting != now.alarms.waiting:
        told["waiting"] = now.alarms.waiting
    return told


def _overview(console: Console, audience: Audience, before: Board | None, now: Board) -> Told:
    old = {tile.machine: tile for tile in before.overview.tiles} if before else {}
    tiles = {tile.machine: tile for tile in now.overview.tiles}
    changed = [tile for name, tile in tiles.items() if old.get(name) != tile]
    told: Told = {}
    if before is None or before.overview.counts != now.overview.counts:
        told["summary"] = summary_html(console, audience.words, now)
        told["announce"] = summary_text(audience.words, now)
    order, order_before = order_of(now), order_of(before) if before else []
    if not (told or changed or order != order_before):
        return {}
    lean = is_lean(now)
    drawn = {
        tile.machine: tile_html(console, audience.words, tile, now.now_ns, audience.root, lean=lean)
        for tile in changed
    }
    heads = {line_key(tile.line): tile.line for tile in now.overview.tiles}
    for key in set(order) & heads.keys() - set(order_before):
        drawn[key] = line_html(console, audience.words, heads[key])
    return {"order": order, "size": size_of(now), "tiles": drawn, **told}


def _alarms(console: Console, audience: Audience, before: Board | None, now: Board) -> Told:
    rows = _rows(console, audience, now)
    old = _rows(console, audience, before) if before else {}
    same = before is not None and before.alarms.problem == now.alarms.problem
    if same and old == rows and list(old) == list(rows):
        return {}
    changed = [row for name, row in rows.items() if old.get(name) != row]
    return {
        "order": list(rows),
        "rows": alarm_rows_html(console, audience, changed, now.now_ns),
        "announce": audience.words.t("alarms_waiting", n=now.alarms.waiting),
        "problem": now.alarms.problem or "",
    }


def _rows(console: Console, audience: Audience, board: Board) -> Mapping[str, AlarmRow]:
    return {row.id: row for row in rows_of(board.alarms.open, console.plant, audience.wanted)}


def alarm_rows_html(
    console: Console, audience: Audience, rows: Sequence[AlarmRow], now_ns: int
) -> dict[str, str]:
    """The fragment of each row, by the id of its alarm. They carry no token: the page has it."""
    words = audience.words
    return {
        row.id: fragment(
            console,
            "_alarm_row.html",
            words,
            row=row,
            said=sentences(row.alarm, words),
            now_ns=now_ns,
            root=audience.root,
            at=console.at,
        )
        for row in rows
    }
