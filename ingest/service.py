"""The service: wires link, pipeline and stores together, and performs what the pipeline decides.

Threads: the link's (network), this one (decisions), two that work on batches (`worker.py`), one that sends
messages to people, one that serves /healthz, one that looks whether the others still move. A dead or failing
part ends the process: a supervisor starts it again, and nothing is lost by it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

import structlog

from palier.clock import PlantClock
from palier.health import Health, HealthServer
from palier.limits import load_limits
from palier.plant import Plant, load_plant
from palier.wire.messages import rebirth_payload, stored_payload
from palier.wire.operations import command_topic
from palier.wire.topics import Kind, Topic

from .alarm_keeping import AlarmKeeper
from .batch import Acknowledge, AskRebirth, Commit, Committed, Contact, Effect, Now, QueueEmpty, StoreFailed
from .commit import Committer, Stores
from .expected import Expected, reported_lately
from .failpoints import Failpoints
from .housekeeping import Housekeeping
from .inbox import Inbox
from .knowledge import Knowledge
from .link import HostLink, LinkStatus
from .metrics import AlarmCollector, IngestCollector, commit_histogram
from .notify_delivery import Notifier, channels
from .people import People
from .pipeline import Event, Pipeline
from .probation import EndedWell, Probation
from .settings import IngestSettings
from .stores import OpenStores, newest_live, open_stores
from .upkeep import Upkeep
from .worker import Worker

TICK_S: Final = 0.1  # how often timers are looked at when nothing arrives
STUCK_S: Final = 30.0  # without a turn of the loop, or at one batch, for so long the service is not ready
FINISH_S: Final = 15.0
"""What is in hand may take at the end. A server that does not answer takes longer, and who started us waits
half a minute before it kills."""

log = structlog.get_logger(__name__)


class IngestError(Exception):
    """The ingest can't go on: the sentence says why. Start it again."""


def run(settings: IngestSettings, stop: threading.Event, failpoints: Failpoints | None = None) -> None:
    """Run an ingest until `stop` is set.

    Raises ConfigError (plant, files of secrets), HistorianError (data folder), OSError (health port taken) at
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
        self._health = health
        self._health_port = settings.health_port
        self._failpoints = failpoints
        in_force, spectra = stores.in_force()
        ways = channels(settings.notify, plant.timezone)
        alarms = AlarmKeeper(stores.desk(), wall_ns=time.time_ns, channels=ways)
        self._pipeline = Pipeline(knowledge, stores.seen(), newest_live(in_force))
        self._committer = Committer(
            Stores(stores.historian, stores.records, stores.waveforms),
            knowledge,
            spectrum_interval_s=settings.spectrum_interval_s,
            wall_ns=time.time_ns,
            in_force=in_force,
            spectra=spectra,
            failpoints=failpoints,
            probation=probation,
            alarms=alarms,
            watch=stores.watch(knowledge, in_force),
        )
        upkeep = Upkeep(stores.historian, stores.records, failpoints)
        self._notifier = Notifier(stores.records, stores.records.notices(), ways, wall_ns=time.time_ns)
        self._people = People(
            alarms,
            plant,
            stores.records,
            stores.historian,
            self._clock,
            answer=self._answer,
            send=self._notifier.take,
            failpoints=failpoints,
        )
        self._inbox = Inbox()
        self._housekeeping = Housekeeping(stores, self._committer, upkeep, self._people, clock=self._clock)
        self._worker = Worker(self._committer, self._housekeeping, self._inbox.tell)
        self._link = HostLink(
            settings.host_id,
            settings.groups or (plant.site_id,),
            settings.broker,
            self._inbox,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            monotonic_s=time.monotonic,
            jitter=random.random,
            asked={command_topic(plant.site_id): self._people.offer},
        )
        self._expected = Expected(reported_lately(stores.records.ledger_reports(), time.time_ns()))
        self._rival: bool | None = None
        self._turned_s = time.monotonic()
        self._look_at_s = 0.0
        self._store_says = ""
        self._commit_seconds = commit_histogram(health.registry)
        health.registry.register(IngestCollector(self._pipeline, self._inbox, self._link, self._committer))
        health.registry.register(AlarmCollector(alarms, self._notifier, self._people.contacts))

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises IngestError, or what made the work impossible."""
        with HealthServer(self._health, self._health_port) as server:
            log.info("ingest_started", health_port=server.port)
            watching = threading.Event()
            watchdog = threading.Thread(
                target=self._watch, args=(watching,), name="ingest-watch", daemon=True
            )
            watchdog.start()
            self._notifier.start()
            self._worker.start()
            self._link.start()
            try:
                while not stop.is_set():
                    self._turn()
                self._finish()
            except BaseException as error:
                self._health.fail(f"{type(error).__name__}: {error}")
                raise
            finally:
                self._link.stop()
                ended = self._worker.stop(FINISH_S)
                self._notifier.stop()
                watching.set()
                watchdog.join()
            if not ended:
                raise IngestError(f"a commit did not end within {FINISH_S:g} s: its frames come again")
        log.info("ingest_stopped", stored=self._pipeline.counts.stored)

    def _turn(self) -> None:
        """Take what comes next, do what follows from it, and look at the timers."""
        item = self._inbox.take(TICK_S, arrivals=self._pipeline.has_room)
        if item is not None:
            self._step(item)
        if not len(self._inbox):
            self._step(QueueEmpty())
        self._look()

    def _finish(self) -> None:
        """Make durable what was taken from the queue, and say so; what is in the queue comes again."""
        deadline_s = time.monotonic() + FINISH_S
        self._step(QueueEmpty())
        while self._pipeline.store_up and not self._pipeline.at_rest and time.monotonic() < deadline_s:
            self._step(self._inbox.take(TICK_S, arrivals=False) or QueueEmpty())
            self._look()

    def _step(self, event: Event) -> None:
        was_up = self._pipeline.store_up
        effects = self._pipeline.step(event, self._now())
        match event:
            case Committed():
                self._commit_seconds.observe(event.seconds)
                if not was_up:
                    log.info("store_back")
            case StoreFailed():
                self._store_says = event.why
                if was_up:
                    log.error("store_unavailable", error=event.why)
        self._perform(effects)

    def _look(self) -> None:
        """Whether all parts live, and what to tell of them."""
        if not self._link.alive:
            raise IngestError(f"the link died: {self._link.failure!r}")
        if self._worker.failure is not None:
            raise self._worker.failure
        if not self._worker.alive:
            raise IngestError("a thread that works on batches ended without a word")
        self._turned_s = time.monotonic()
        if self._turned_s < self._look_at_s:
            return
        self._look_at_s = self._turned_s + TICK_S
        store_up, link = self._pipeline.store_up, self._link.status
        self._watch_out(link)
        self._health.set("broker", link.online and not link.rival, link.detail)
        self._health.set("store", store_up, "" if store_up else self._store_says)

    def _watch_out(self, link: LinkStatus) -> None:
        """Who should be heard and is not, and who speaks under our name."""
        for contact in self._expected.turn(self._now(), self._pipeline.edges.spoke, up=link.online):
            self._people.met(contact)
        if link.rival is not None and link.rival is not self._rival:
            self._rival = link.rival
            self._people.host_taken(self._link.host_id, taken=link.rival)

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Commit(batch):
                    self._worker.begin(batch)
                case Acknowledge(edge, stored):
                    self._failpoints.reach("before_acknowledgement")
                    self._command(edge, stored_payload(stored, _wall_ms()))
                case AskRebirth(edge):
                    self._command(edge, rebirth_payload(_wall_ms()))
                case Contact():
                    self._people.met(effect)

    def _command(self, edge: str, payload: bytes) -> None:
        """Tell an edge node something; what gets lost the next birth brings."""
        group, _, node = edge.partition("/")
        self._link.publish(str(Topic(group, Kind.NCMD, node)), payload)

    def _answer(self, topic: str, payload: bytes) -> None:
        """Reply to a person; who gets no reply asks again."""
        self._link.publish(topic, payload, qos=1)

    def _watch(self, ended: threading.Event) -> None:
        """States whether the work moves: being connected proves nothing."""
        while True:
            still_s = max(time.monotonic() - self._turned_s, self._worker.still_s)
            self._health.set("progress", still_s < STUCK_S, f"last turn {still_s:.0f} s ago")
            if ended.wait(1.0):
                return

    def _now(self) -> Now:
        return Now(time.monotonic(), self._clock.now_ns(), time.time_ns())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
