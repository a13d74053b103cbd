"""The month before the demonstration: taken from the cache, or filling in, and then kept for the next
time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from palier.embedded import EmbeddedPlant
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.plant import Plant

from .demo_cache import Cache, CacheError
from .history import DAYS, blocks_of
from .service_metrics import read_metrics

STORED: Final = "palier_ingest_historical_total"
PENDING: Final = "palier_agent_frames_pending"
ENDED: Final = "palier_agent_sources_ended"

FEW_PENDING: Final = 16
"""Live blocks that are on their way at any moment; with the past behind there are no more."""

CLOSING_S: Final = 10.0


class Stage(StrEnum):
    """How far the past is."""

    RESTORED = "restored"
    FILLING = "filling"
    SETTLING = "settling"  # all is stored, hourly rows are still to be computed
    KEEPING = "keeping"
    DONE = "done"


Told = tuple[str, dict[str, object]]
"""A key of the locale and its parameters."""


class Past:
    """Look at it about once a second. `agent` and `ingest` name the services in the embedded plant."""

    def __init__(self, cache: Cache, plant: Plant, origin_ns: int, *, restored: bool, agent: str) -> None:
        self.stage = Stage.RESTORED if restored else Stage.FILLING
        self._cache = cache
        self._plant = plant
        self._origin_ns = origin_ns
        self._agent = agent
        self._total = blocks_of(plant)
        self._stored = 0.0
        self._thread: threading.Thread | None = None
        self._outcome: Told | None = None

    @property
    def progress(self) -> float | None:
        """The share of the frames that is stored, 0 to 1; None where nothing fills in."""
        return min(1.0, self._stored / self._total) if self.stage is Stage.FILLING else None

    def look(self, embedded: EmbeddedPlant) -> Iterator[Told]:
        """What is new since the last look."""
        match self.stage:
            case Stage.FILLING:
                ports = embedded.health_ports
                self._stored = read_metrics(ports["ingest"]).get(STORED, self._stored)
                agent = read_metrics(ports[self._agent])
                if agent.get(ENDED, 0.0) >= 1 and agent.get(PENDING, 1e9) <= FEW_PENDING:
                    self.stage = Stage.SETTLING
                    yield "past_done", {"days": DAYS}
            case Stage.SETTLING:
                if self._settled(embedded):
                    self.stage = Stage.KEEPING
                    self._thread = threading.Thread(target=self._keep, args=(embedded,), daemon=True)
                    self._thread.start()
            case Stage.KEEPING:
                if self._outcome is not None:
                    self.stage = Stage.DONE
                    yield self._outcome

    def close(self) -> None:
        """Let the keeping come to its end, if it is under way."""
        if self._thread is not None:
            self._thread.join(CLOSING_S)

    def _settled(self, embedded: EmbeddedPlant) -> bool:
        """Whether every hour of the past has its hourly row."""
        try:
            records = RecordsReader(embedded.data.records)
        except HistorianError:
            return False
        try:
            return not records.dirty_hours(self._origin_ns, 1)
        except HistorianError:
            return False
        finally:
            records.close()

    def _keep(self, embedded: EmbeddedPlant) -> None:
        try:
            self._cache.keep(embedded.data.historian, self._plant, self._origin_ns)
            self._outcome = ("past_kept", {"folder": self._cache.folder})
        except CacheError as error:
            self._outcome = ("past_not_kept", {"reason": error})
