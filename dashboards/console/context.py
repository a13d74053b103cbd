"""What every handler of the page works with, and the questions that a request asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import jinja2
from pydantic_settings import BaseSettings
from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.detection.zones import LimitSet
from palier.clock import PlantClock
from palier.frames import NAME_PATTERN
from palier.health import Health
from palier.historian.base import Historian
from palier.historian.records import RecordsReader
from palier.local_time import local, zone_of
from palier.locale import LANGUAGES
from palier.plant import Plant

from .access import Access
from .acting import Messenger
from .freshness import NS
from .live import Live
from .machine_desk import MachineDesk
from .metrics import Metrics
from .reader import HistorianReader, StoreReader
from .series import FEATURES, TREND_BUCKETS, ChannelRef
from .words import LANG_COOKIE, Words, choose_language

if TYPE_CHECKING:
    from .news import News

T = TypeVar("T")

RANGES_S: Final = {"15m": 900, "1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
"""Lengths of the trends that a page may ask for, in seconds."""

DEFAULT_RANGE: Final = "1h"
"""The range that is shown first, on the wall's clock."""

LOOKED_S: Final = 180.0
"""How long somebody looks at a plant whose clock runs faster: what happens meanwhile fits the first range."""


def first_ranges(rate: float) -> tuple[str, str]:
    """The range that is shown first on a plant clock of that rate, and that of a channel whose history is
    shorter than it: an hour and a quarter of one on the wall's clock.
    """
    names = list(RANGES_S)
    fitting = [name for name in names if RANGES_S[name] >= LOOKED_S * rate]
    first = max(names.index(fitting[0] if fitting else names[-1]), names.index(DEFAULT_RANGE))
    return names[first], names[first - 1]


_LATEST_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Console:
    """The page's parts. `queries` and `records` answer single requests on threads of their own, so that a
    long trend never holds up the overview. `shown` are the settings in force, for people to read;
    `waveforms` is the folder of raw blocks, None where there is none; `access` the accounts, None where the
    page has none."""

    plant: Plant
    limits: Mapping[str, LimitSet]
    clock: PlantClock
    live: Live
    queries: HistorianReader
    records: StoreReader[RecordsReader]
    messenger: Messenger
    templates: jinja2.Environment
    words: Mapping[str, Words]
    health: Health
    metrics: Metrics
    lang: str
    news: News
    shown: BaseSettings | None = None
    waveforms: Path | None = None
    access: Access | None = None
    desk: MachineDesk = field(default_factory=MachineDesk)

    @property
    def zone(self) -> tzinfo:
        """The plant's own time zone."""
        return zone_of(self.plant.timezone)

    def at(self, ts_ns: int) -> str:
        """A time of the plant's own zone as the floor writes it, in every language: 22/11/2026 14:32."""
        return f"{local(ts_ns, self.plant.timezone):%d/%m/%Y %H:%M}"

    async def ask(self, query: Callable[[Historian], T]) -> T:
        """The answer of the historian. Raises HistorianError, at once where it was just found not to answer:
        a page asks five times, and must not wait for it each time."""
        await self.live.board()
        self.live.refuse_while_away()

        def asked(historian: Historian) -> T:
            self.live.refuse_while_away()  # it may have been found out while this waited for its turn
            return query(historian)

        return await self.queries.run(asked)


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time to draw: its name in RANGES_S and its ends (ns of plant time)."""

    name: str
    start_ns: int
    end_ns: int


def console_of(request: Request) -> Console:
    """The parts of the application that a request reached."""
    return cast(Console, request.app.state.console)


def words_of(request: Request) -> Words:
    """The words of the language that a request asks for. HTTPException 400 for one that we do not speak."""
    console = console_of(request)
    try:
        lang = choose_language(
            request.query_params.get("lang"), request.cookies.get(LANG_COOKIE), console.lang
        )
    except ValueError as error:
        got = request.query_params.get("lang", "")[:20]
        sentence = console.words[console.lang].t("error_lang", allowed=", ".join(LANGUAGES), got=got)
        raise HTTPException(400, sentence) from error
    return console.words[lang]


def spoken(request: Request) -> Words:
    """As `words_of`, for an error page: never raises."""
    try:
        return words_of(request)
    except HTTPException:
        console = console_of(request)
        return console.words[console.lang]


def name_in(request: Request, text: str | None, what: str) -> str:
    """A name from a URL. HTTPException 400 where it can't be one."""
    if text is None or not NAME_PATTERN.fullmatch(text):
        raise HTTPException(400, words_of(request).t("error_name", what=what, got=(text or "")[:40]))
    return text


def channel_in(request: Request) -> ChannelRef | None:
    """The channel of `?point=&channel=`, None without both; its name is "" where the point alone is given.

    HTTPException 400 for what can't be a name.
    """
    point, channel = request.query_params.get("point"), request.query_params.get("channel")
    if point is None and channel is None:
        return None
    name = "" if channel is None else name_in(request, channel, "channel")
    return ChannelRef(name_in(request, point, "point"), name)


def window_in(request: Request, default: str = DEFAULT_RANGE) -> Window:
    """The window of `?range=&end=` (end in ms of plant time, default now). HTTPException 400.

    Its end is the end of a bucket, so that buckets hold the same rows from one reading to the next.
    """
    name = request.query_params.get("range", default)
    if name not in RANGES_S:
        raise HTTPException(
            400, words_of(request).t("error_range", allowed=", ".join(RANGES_S), got=name[:20])
        )
    given = request.query_params.get("end")
    end_ns = console_of(request).clock.now_ns() if given is None else _end_ns(request, given)
    width_ns = RANGES_S[name] * NS // TREND_BUCKETS
    end_ns = -(-end_ns // width_ns) * width_ns
    return Window(name, end_ns - RANGES_S[name] * NS, end_ns)


def _end_ns(request: Request, given: str) -> int:
    longest = max(RANGES_S.values()) * NS
    # isascii as well: "²".isdigit() is true and int() refuses it
    end_ns = int(given) * 1_000_000 if given.isascii() and given.isdigit() and len(given) < 16 else -1
    if not longest <= end_ns <= _LATEST_NS:
        raise HTTPException(400, words_of(request).t("error_end", got=given[:20]))
    return end_ns


def feature_in(request: Request) -> str | None:
    """The feature of `?feature=`, None without one. HTTPException 400 for one that the catalogue lacks."""
    feature = request.query_params.get("feature")
    if feature is not None and feature not in FEATURES:
        raise HTTPException(400, words_of(request).t("error_feature", got=feature[:40]))
    return feature
