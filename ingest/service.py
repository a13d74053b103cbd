"""The service: wires link, pipeline and stores together, and performs what the pipeline decides.

Threads: the link's (network), this one (everything else), one that serves /healthz, one that looks whether
this one still moves. A dead or failing part ends the process: a supervisor starts it again, and nothing is
lost by it."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

import structlog

from palier.clock import PlantClock
from palier.health import Health, HealthServer
from palier.historian.base import Unavailable
from palier.limits import load_limits
from palier.plant import Plant, load_plant
from palier.wire.messages import rebirth_payload, stored_payload
from palier.wire.topics import Kind, Topic

from . import rows
from .accounting import INTERVAL_S, Accounts
from .batch import Acknowledge, AskRebirth, Batch, Commit, Committed, Effect, Now, QueueEmpty, StoreFailed
from .commit import Committer, Stores
from .failpoints import Failpoints
from .inbox import Inbox
from .knowledge import Knowledge
from .link import HostLink
from .metrics import IngestCollector, commit_histogram
from .pipeline import Pipeline
from .probation import EndedWell, Probation
from .settings import IngestSettings
from .stores import OpenStores, newest_live, open_stores
from .upkeep import Upkeep

TICK_S: Final = 0.1  # how often timers are looked at when nothing arrives
STUCK_S: Final = 30.0  # without a turn of the loop for so long the service is not ready

log = structlog.get_logger(__name__)


class IngestError(Exception):
    """The ingest can't go on: the sentence says why. Start it again."""


def run(settings: IngestSettings, stop: threading.Event, failpoints: Failpoints | None = None) -> None:
    """Run an ingest until `stop` is set.

    Raises ConfigError (plant, password file), HistorianError (data folder), OSError (health port taken) at
    the start, IngestError when a part died."""
    settings.broker.password_text()  # its mistakes are the configuration's: found here, not by the link
    plant = load_plant(settings.plant)
    knowledge = Knowledge(plant, load_limits(plant.limits_file))
    with ExitStack() as stack:
        stores = stack.enter_context(
            open_stores(settings.data, settings.waveform_budget_bytes, settings.historian)
        )
        health = Health("ingest", ("broker", "store", "progress"))
        end = EndedWell(settings.data)
        probation = None if end.begin() else Probation(stores.records, time.monotonic)
        if probation is not None:
            log.warning(
                "last_run_ended_badly", what="frames are noted before they are worked on, for a while"
            )
        Service(
            settings,
            plant,
            knowledge,
            stores,
            health=health,
            failpoints=failpoints or Failpoints(),
            probation=probation,
        ).run(stop)
        end.end()


class Service:
    """One ingest at work. `run` blocks until it is told to stop."""

    def __init__(
        self,
        settings: IngestSettings,
        plant: Plant,
        knowledge: Knowledge,
        stores: OpenStores,
        *,
        health: Health,
        failpoints: Failpoints,
        probation: Probation | None = None,
    ) -> None:
        self._clock: PlantClock = settings.clock.plant_clock()
        self._stores = stores
        self._health = health
        self._health_port = settings.health_port
        self._failpoints = failpoints
        in_force = stores.in_force()
        self._pipeline = Pipeline(knowledge, stores.seen(), newest_live(in_force))
        self._committer = Committer(
            Stores(stores.historian, stores.records, stores.waveforms),
            knowledge,
            spectrum_interval_s=settings.spectrum_interval_s,
            wall_ns=time.time_ns,
            in_force=in_force,
            failpoints=failpoints,
            probation=probation,
        )
        self._upkeep = Upkeep(stores.historian, stores.records, failpoints)
        self._inbox = Inbox()
        self._link = HostLink(
            settings.host_id,
            settings.groups or (plant.site_id,),
            settings.broker,
            self._inbox,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            monotonic_s=time.monotonic,
            jitter=random.random,
        )
        self._accounts = Accounts()
        self._events_rewritten = False
        self._account_at_s = 0.0
        self._turned_s = time.monotonic()
        self._store_says = ""
        self._commit_seconds = commit_histogram(health.registry)
        health.registry.register(
            IngestCollector(self._pipeline, self._inbox, self._link, self._committer.doubts)
        )

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises IngestError, or what made the work impossible."""
        with HealthServer(self._health, self._health_port) as server:
            log.info("ingest_started", health_port=server.port)
            watching = threading.Event()
            watchdog = threading.Thread(
                target=self._watch, args=(watching,), name="ingest-watch", daemon=True
            )
            watchdog.start()
            self._link.start()
            try:
                while not stop.is_set():
                    self._turn()
                self._perform(self._pipeline.step(QueueEmpty(), self._now()))
            except BaseException as error:
                self._health.fail(f"{type(error).__name__}: {error}")
                raise
            finally:
                self._link.stop()
                watching.set()
                watchdog.join()
        log.info("ingest_stopped", stored=self._pipeline.counts.stored)

    def _turn(self) -> None:
        """Take one item, do what follows from it, and look at the timers."""
        item = self._inbox.take(TICK_S)
        self._perform(self._pipeline.step(item if item is not None else QueueEmpty(), self._now()))
        if item is not None and not len(self._inbox):
            self._perform(self._pipeline.step(QueueEmpty(), self._now()))
        if not self._link.alive:
            raise IngestError(f"the link died: {self._link.failure!r}")
        if time.monotonic() >= self._account_at_s:
            self._account()
            self._stores_thin()
        if self._pipeline.store_up and not len(self._inbox):
            self._upkeep.turn(self._clock.now_ns())
        self._health.set("broker", self._link.status.online, self._link.status.detail)
        self._health.set(
            "store", self._pipeline.store_up, "" if self._pipeline.store_up else self._store_says
        )
        self._turned_s = time.monotonic()

    def _perform(self, effects: Iterable[Effect]) -> None:
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case Commit(batch):
                    todo.extend(self._commit(batch))
                case Acknowledge(edge, stored):
                    self._failpoints.reach("before_acknowledgement")
                    self._command(edge, stored_payload(stored, _wall_ms()))
                case AskRebirth(edge):
                    self._command(edge, rebirth_payload(_wall_ms()))

    def _commit(self, batch: Batch) -> tuple[Effect, ...]:
        began_s = time.monotonic()
        try:
            moved = self._committer.commit(batch)
        except Unavailable as error:
            if self._pipeline.store_up:
                log.error("store_unavailable", error=str(error))
            self._store_says = str(error)
            return self._pipeline.step(StoreFailed(), self._now())
        seconds = time.monotonic() - began_s
        self._commit_seconds.observe(seconds)
        if not self._pipeline.store_up:
            log.info("store_back")
        if batch.ledgers:
            self._account_at_s = 0.0  # after what is owed to the gateways
        return self._pipeline.step(Committed(batch, seconds, moved), self._now())

    def _account(self) -> None:
        """Write what the ledgers say now; if the store is down, again in a minute."""
        self._account_at_s = time.monotonic() + INTERVAL_S
        plant_ns = self._clock.now_ns()
        try:
            if not self._events_rewritten:
                self._stores.rewrite_events(plant_ns)
                self._events_rewritten = True
            lines, events = self._accounts.news(self._stores.records.ledger_lines(time.time_ns()), plant_ns)
            if lines:
                self._committer.note([rows.ledger_rows(lines, plant_ns)], events)
                self._accounts.written(lines)
        except Unavailable as error:
            log.warning("ledger_not_written", error=str(error))
            return
        for event in events:
            log.warning(
                "ledger", edge=f"{event.site}/{event.machine}", state=event.state, detail=event.detail
            )

    def _stores_thin(self) -> None:
        try:
            self._stores.thin()
        except Unavailable as error:
            log.warning("waveforms_not_thinned", error=str(error))

    def _command(self, edge: str, payload: bytes) -> None:
        """Tell an edge node something; what gets lost the next birth brings."""
        group, _, node = edge.partition("/")
        self._link.publish(str(Topic(group, Kind.NCMD, node)), payload)

    def _watch(self, ended: threading.Event) -> None:
        """States whether the work moves: being connected proves nothing."""
        while True:
            still_s = time.monotonic() - self._turned_s
            self._health.set("progress", still_s < STUCK_S, f"last turn {still_s:.0f} s ago")
            if ended.wait(1.0):
                return

    def _now(self) -> Now:
        return Now(time.monotonic(), self._clock.now_ns(), time.time_ns())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
