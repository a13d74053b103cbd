"""What the machine page's questions ask: which machine and channel, over which time, of which kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from .context import Console, Window, console_of, window_in, words_of
from .freshness import NS
from .machine import MachineView
from .machine_series import MachineSeries
from .machine_words import MachineWords
from .pages import view_in
from .series import ChannelRef, Trend
from .waves import KINDS, Kind

T = TypeVar("T")

_LONGEST_MS: Final = 16
"""Digits of a time in ms: below it a number of ns never leaves 64 bits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every question is about."""

    console: Console
    window: Window
    view: MachineView
    m: MachineWords

    @property
    def channel(self) -> ChannelRef:
        """The channel that is looked at. HTTPException 404 without one."""
        if self.view.channel is None:
            raise HTTPException(404, self.m.page.t("error_channel", machine=self.view.tile.machine))
        return self.view.channel

    async def read(self, read: Callable[[MachineSeries], T]) -> T:
        """What the historian answers. HistorianError goes to the application: 503 with a sentence."""
        site, machine = self.console.plant.site_id, self.view.tile.machine
        return await self.console.ask(lambda historian: read(MachineSeries(historian, site, machine)))


async def asked_of(request: Request) -> Asked:
    """What a request asks about. HTTPException 400 or 404 with a sentence."""
    console = console_of(request)
    window, board = window_in(request), await console.live.board()
    return Asked(console, window, view_in(request, board), MachineWords(words_of(request)))


def at_in(request: Request) -> int | None:
    """The time of `?at=` (ns), None without one: ms since 1970, or YYYY-MM-DDTHH:MM of the plant's clock. Two
    times that a clock shows twice are the first one. HTTPException 400."""
    given = request.query_params.get("at", "")
    if not given:
        return None
    if given.isascii() and given.isdigit() and len(given) < _LONGEST_MS:
        return int(given) * 1_000_000
    try:
        local = datetime.strptime(given[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=console_of(request).zone)
        return int(local.astimezone(UTC).timestamp()) * NS
    except (ValueError, OverflowError):
        raise HTTPException(400, MachineWords(words_of(request)).t("error_at", got=given[:20])) from None


def kind_in(request: Request) -> Kind:
    """The kind of spectrum of `?kind=`, velocity without one. HTTPException 400."""
    given = request.query_params.get("kind", KINDS[0])
    for kind in KINDS:
        if kind == given:
            return kind
    sentence = MachineWords(words_of(request)).t("error_kind", allowed=", ".join(KINDS), got=given[:20])
    raise HTTPException(400, sentence)


def bounds_in(request: Request, top: float) -> tuple[float, float]:
    """`?from=&to=` within 0 and `top`; all of it where they are not given or can't be meant."""
    values = []
    for name, otherwise in (("from", 0.0), ("to", top)):
        try:
            value = float(request.query_params.get(name, otherwise))
        except ValueError:
            value = otherwise
        values.append(value if np.isfinite(value) else otherwise)
    low, high = max(0.0, min(values)), min(top, max(values))
    return (low, high) if low < high else (0.0, top)


def ends(window: Window) -> dict[str, object]:
    """The ends of what is drawn."""
    return {"start_ms": ms(window.start_ns), "end_ms": ms(window.end_ns)}


def trend_told(m: MachineWords, found: Trend) -> dict[str, object]:
    """A trend as JSON."""
    return {
        "unit": m.page.unit(found.unit),
        "times_ms": [ms(ts) for ts in found.times_ns],
        "mean": _rounded(found.mean),
        "low": _rounded(found.low),
        "high": _rounded(found.high),
    }


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    """Five figures: more would be noise on the wire."""
    return [None if v is None else float(f"{v:.5g}") for v in values]


def ms(ts_ns: int) -> int:
    """Of ns."""
    return ts_ns // 1_000_000
