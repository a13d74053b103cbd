"""How full the disk of the data folder is: told before it is full, and while a byte budget does not hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Final

import structlog

from palier.alarm_modes import Mode
from palier.disk_forecast import Sample, days_left
from palier.historian.base import Unavailable
from palier.historian.rows import RecordsBatch, StateRow
from palier.historian.space import Level
from palier.historian.sqlite import SqliteHistorian

from .conditions import Say
from .stores import OpenStores

LOOK_S: Final = 5.0  # how often it is looked at: a disk that somebody fills is full within minutes
SAMPLE_S: Final = 3600.0
KEPT_S: Final = 7 * 86_400.0
"""The rate is that of the last week: a plant has a rhythm of shifts and of days without work."""

DAYS_AHEAD: Final = 14.0
"""It is told so long before: a disk is ordered, or a budget decided, by people who have other work too."""

DAYS_OVER: Final = 16.0
"""It is over when more are left than this: at the bound itself free space moves to and fro with each log that
is written and cut back."""

OVER: Final = 1.05
"""A store is over its budget when it stands so far above it: what is let go of day by day overshoots."""

OVER_S: Final = 900.0
"""And only when it stays so for so long: it is let go of in steps, waveforms once a minute."""

_STORES: Final = ("historian", "records", "waveforms")

KEY: Final = "host/disk"
GB: Final = 1e9

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of each store beside its budget, and what is free. `historian` is 0 where it is elsewhere."""

    historian: int
    records: int
    waveforms: int
    free: int
    budgets: Mapping[str, int]

    @property
    def held(self) -> tuple[int, ...]:
        """Bytes of each store, in the order of their names."""
        return tuple(getattr(self, name) for name in _STORES)

    @property
    def allowed(self) -> tuple[int, ...]:
        """What each store may still take; of one that is elsewhere nothing."""
        return tuple(max(0, self.budgets.get(name, 0) - getattr(self, name)) for name in _STORES)

    def over(self) -> dict[str, float]:
        """The stores that stand over their budget, and by how many GB."""
        return {
            f"{name}_gb": max(0.1, round((getattr(self, name) - budget) / GB, 1))
            for name, budget in self.budgets.items()
            if getattr(self, name) > OVER * budget
        }


class Disk:
    """Looks at the disk every few seconds, from the one thread that owns the stores."""

    def __init__(
        self,
        stores: OpenStores,
        say: Say,
        *,
        host: str,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` is the host's own name as of a gateway, "site/host_id"."""
        self._stores = stores
        self._say = say
        self._host = host
        self._site = host.partition("/")[0]
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._look_at_s = monotonic_s()
        self._samples = _read(stores.records.states(self._site, KEY).get((self._site, KEY), "[]"))
        self._over_since_s: dict[str, float] = {}
        self.usage: Usage | None = None
        self.days: float | None = None
        self._soon = False

    def turn(self) -> None:
        """Look where it is time. Never raises for a store."""
        now_s = self._monotonic_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        try:
            self.usage = usage = self._measured()
        except Unavailable as error:
            log.warning("disk_not_measured", error=str(error))
            return
        self._sample(usage)
        room = usage.free - self._stores.space.reserve_bytes
        self.days = days_left(self._samples, room, usage.allowed)
        self._tell(usage)

    def _measured(self) -> Usage:
        stores = self._stores
        budgets = {"records": stores.budgets.records_bytes, "waveforms": stores.waveforms.budget_bytes}
        historian = 0
        if isinstance(stores.historian, SqliteHistorian):
            historian = stores.historian.used_bytes()
            budgets["historian"] = stores.budgets.historian_bytes
        return Usage(
            historian,
            stores.records.used_bytes(),
            stores.waveforms.size_bytes,
            stores.space.free_bytes,
            budgets,
        )

    def _tell(self, usage: Usage) -> None:
        level = self._stores.space.level
        told: dict[str, float | None] = {}
        if level is not Level.ROOM:
            told["stopped" if level is Level.SHORT else "full"] = None
        self._soon = self.days is not None and self.days < (DAYS_OVER if self._soon else DAYS_AHEAD)
        if self._soon and self.days is not None and level is Level.ROOM:
            told["days"] = round(self.days)
        told |= self._over(usage)
        if told:
            told["free_gb"] = round(usage.free / GB, 1)
        self._say(self._host, Mode.DISK, told, bool(told))

    def _over(self, usage: Usage) -> dict[str, float]:
        """The stores that have been over their budget for long."""
        over, now_s = usage.over(), self._monotonic_s()
        self._over_since_s = {name: self._over_since_s.get(name, now_s) for name in over}
        return {name: gb for name, gb in over.items() if now_s - self._over_since_s[name] >= OVER_S}

    def _sample(self, usage: Usage) -> None:
        """One an hour, kept over restarts: a week's rate is not begun anew with each of them."""
        now_s = self._wall_s()
        kept = [one for one in self._samples if now_s - KEPT_S <= one.at_s <= now_s]
        if kept and now_s - kept[-1].at_s < SAMPLE_S:
            return
        self._samples = [*kept, Sample(round(now_s), usage.free, usage.held)]
        text = json.dumps([astuple(one) for one in self._samples], separators=(",", ":"))
        try:
            self._stores.records.commit(RecordsBatch(states=(StateRow(self._site, KEY, text),)))
        except Unavailable as error:
            log.warning("disk_sample_not_kept", error=str(error))


def _read(text: str) -> list[Sample]:
    try:
        told = [(float(at_s), int(free), tuple(map(int, held))) for at_s, free, held in json.loads(text)]
        return [Sample(*one) for one in told if len(one[2]) == len(_STORES)]
    except (TypeError, ValueError):  # an older or newer version's: the rate begins anew
        return []
