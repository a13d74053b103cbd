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

from palier.alarm_modes import Mode
from palier.clock import PlantClock
from palier.health import Health, HealthServer
from palier.historian.folder import DataFolder
from palier.limits import load_limits
from palier.notify_systemd import Notifier as ServiceManager
from palier.plant import Plant, load_plant
from palier.wire.messages import (
    Configuration,
    configuration_payload,
    limits_payload,
    rebirth_payload,
    replay_payload,
    stored_payload,
)
from palier.wire.operations import command_topic
from palier.wire.topics import Kind, Topic

from .alarm_keeping import AlarmKeeper
from .alarms import Alarms
from .batch import (
    Acknowledge,
    AskRebirth,
    AskReplay,
    Commit,
    Committed,
    Contact,
    Effect,
    GatewaySays,
    Now,
    QueueEmpty,
    StoreFailed,
    TellLimits,
)
from .commit import Committer, Stores
from .conditions import CertificateWatch, Conditions
from .disk import Disk
from .drift import DriftKeeper
from .expected import Expected, reported_lately
from .failpoints import Failpoints
from .foreign import Foreign
from .gateways import Gateways
from .housekeeping import Housekeeping
from .inbox import Inbox
from .knowledge import Knowledge
from .limits_told import in_alarm
from .link import HostLink, LinkStatus
from .metrics import AlarmCollector, DiskCollector, IngestCollector, commit_histogram
from .model_opening import open_models
from .notify_delivery import Notifier, channels
from .people import People
from .pipeline import Event, Pipeline
from .probation import EndedWell, Probation
from .settings import IngestSettings
from .stores import OpenStores, newest_live, open_stores
from .upkeep import Upkeep
from .worker import Worker

TICK_S: Final = 0.1  # how often timers are looked at when nothing arrives
STORE_S: Final = 60.0
"""A store that fails for longer is news: a server that restarts, or is slow once, is none."""

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
            open_stores(settings.data, settings.waveform_budget_bytes, settings.historian, settings.budgets)
        )
        DataFolder(settings.data).note_timezone(plant.timezone)
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
        watch = stores.watch(knowledge, in_force)
        self._models = open_models(settings, stores.records, watch)
        recalls = stores.recalls()
        self._pipeline = Pipeline(
            knowledge, stores.seen(), newest_live(in_force), stores.configurations(), recalls
        )
        self._pipeline.edges.gateways = Gateways(stores.gateways())
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
            watch=watch,
            recalls=recalls,
        )
        upkeep = Upkeep(stores.historian, stores.records, failpoints, make_room=stores.make_room)
        self._notifier = Notifier(stores.records, stores.records.notices(), ways, wall_ns=time.time_ns)
        self._inbox = Inbox()
        self._people = People(
            alarms,
            plant,
            stores.records,
            stores.historian,
            self._clock,
            answer=self._answer,
            send=self._notifier.take,
            failpoints=failpoints,
            host_id=settings.host_id,
            want=self._inbox.tell,
            gateway=stores.gateway,
            nodes=lambda edge: self._nodes(stores, edge),
            configure=self._configure,
        )
        say, host = self._people.gateway_says, self._people.host
        disk = Disk(stores, say, host=host)
        self._housekeeping = Housekeeping(
            stores,
            self._committer,
            upkeep,
            self._people,
            clock=self._clock,
            models=self._models,
            drift=DriftKeeper(stores.historian, stores.records),
            disk=disk,
            conditions=Conditions(stores.records, say, host=host),
            certificate=CertificateWatch(settings.broker, say, host=host),
        )
        self._worker = Worker(self._committer, self._housekeeping, self._inbox.tell)
        self._link = HostLink(
            settings.host_id,
            tuple(dict.fromkeys((*(settings.groups or (plant.site_id,)), *Foreign(plant).groups))),
            settings.broker,
            self._inbox,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            monotonic_s=time.monotonic,
            jitter=random.random,
            asked={command_topic(plant.site_id): self._people.offer},
            broker_dropped=self._people.broker_dropped,
        )
        self._expected = Expected(reported_lately(stores.records.ledger_reports(), time.time_ns()))
        self._alarms = alarms
        self._attended: Alarms | None = None  # whose machines in alarm the pipeline knows
        self._rival: bool | None = None
        self._connection = 0  # the last one that went online
        self._turned_s = time.monotonic()
        self._look_at_s = 0.0
        self._store_says = ""
        self._stored_s = time.monotonic()  # when the store was last up
        self._commit_seconds = commit_histogram(health.registry)
        health.registry.register(IngestCollector(self._pipeline, self._inbox, self._link, self._committer))
        health.registry.register(
            AlarmCollector(alarms, self._notifier, self._people.contacts, self._people.words)
        )
        health.registry.register(DiskCollector(disk))
        self._manager = ServiceManager()

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
            if self._models is not None:
                self._models.start()
            self._link.start()
            self._manager.ready("stores open, threads started")
            try:
                while not stop.is_set():
                    self._turn()
                self._finish()
            except BaseException as error:
                self._health.fail(f"{type(error).__name__}: {error}")
                raise
            finally:
                self._manager.stopping()
                self._link.stop()
                ended = self._worker.stop(FINISH_S)
                self._notifier.stop()
                if self._models is not None:
                    self._models.stop(1.0)
                watching.set()
                watchdog.join()
                self._manager.close()
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
                self._perform(event.said)
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
        self._attend()
        self._stored_s = self._turned_s if store_up else self._stored_s
        if store_up or self._turned_s - self._stored_s >= STORE_S:
            self._people.gateway_says(self._people.host, Mode.STORE, {}, not store_up)
        self._health.set("broker", link.online and not link.rival, link.detail)
        self._health.set("store", store_up, "" if store_up else self._store_says)

    def _watch_out(self, link: LinkStatus) -> None:
        """Who should be heard and is not, who may have changed unheard, and who speaks under our name."""
        if link.online and link.generation != self._connection:
            self._connection = link.generation
            self._pipeline.foreign.were_away()
        for contact in self._expected.turn(self._now(), self._pipeline.edges.spoke, up=link.online):
            self._people.met(contact)
        if link.rival is not None and link.rival is not self._rival:
            self._rival = link.rival
            self._people.host_taken(self._link.host_id, taken=link.rival)

    def _attend(self) -> None:
        """Who is in alarm is sampled more often: the pipeline tells the gateways."""
        alarms = self._alarms.desk.alarms
        if alarms is not self._attended:
            self._attended = alarms
            self._pipeline.limits.attend(in_alarm(alarms))

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
                case AskReplay(edge, replay):
                    self._command(edge, replay_payload(replay, _wall_ms()))
                case TellLimits(edge, limits, attention):
                    self._command(edge, limits_payload(limits, _wall_ms(), attention))
                case Contact():
                    self._people.met(effect)
                case GatewaySays(edge, kind, numbers, active):
                    self._people.gateway_says(edge, kind, numbers, active)

    def _command(self, edge: str, payload: bytes) -> None:
        """Tell an edge node something; what gets lost the next birth brings."""
        group, _, node = edge.partition("/")
        topic = self._pipeline.foreign.command_topic(edge) or str(Topic(group, Kind.NCMD, node))
        self._link.publish(topic, payload)

    def _configure(self, sent: Configuration) -> None:
        """Send a gateway its configuration; what gets lost is asked again by who waits for the answer."""
        self._command(sent.edge, configuration_payload(sent, _wall_ms()))

    def _nodes(self, stores: OpenStores, edge: str) -> frozenset[str]:
        """The gateways that there are; one that is heard for the first time may not be durable yet."""
        heard = {edge} if self._pipeline.edges.spoke(edge) else set()
        return stores.nodes(edge.partition("/")[0]) | heard

    def _answer(self, topic: str, payload: bytes) -> None:
        """Reply to a person; who gets no reply asks again."""
        self._link.publish(topic, payload, qos=1)

    def _watch(self, ended: threading.Event) -> None:
        """States whether the work moves, to who asks and to systemd's watchdog: being connected proves
        nothing.
        """
        while True:
            still_s = max(time.monotonic() - self._turned_s, self._worker.still_s)
            moves, said = still_s < STUCK_S, f"last turn {still_s:.0f} s ago"
            self._health.set("progress", moves, said)
            (self._manager.alive if moves else self._manager.status)(said)
            if ended.wait(1.0):
                return

    def _now(self) -> Now:
        return Now(time.monotonic(), self._clock.now_ns(), time.time_ns())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
