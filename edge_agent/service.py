"""The agent: outbox, recorder, link, sources and health, wired together. Constructors only store."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import entry_points
from typing import Final

from palier.clock import PlantClock
from palier.source import ENTRY_POINT_GROUP, OpenSource, Source

from . import events as ev
from .health import HealthServer, Report
from .link import LinkThread
from .outbox import EPOCH_DIGITS, Kept, Outbox, open_outbox
from .recorder import Recorder, SourceThread
from .settings import AgentSettings, SourceSettings
from .window import Phase

STUCK_S: Final = 30.0  # the link's loop comes round four times a second; a connect attempt takes at most 10 s

log = logging.getLogger(__name__)


class SourceError(Exception):
    """A source that can't be opened as configured; the sentence says which and why."""


def open_source(settings: SourceSettings, clock: PlantClock) -> Source:
    """The source of one [[source]]. Raises SourceError."""
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if settings.type not in found:
        raise SourceError(f"a source's type must be one of {', '.join(sorted(found))}, got {settings.type!r}")
    try:
        opener: OpenSource = found[settings.type].load()
        return opener(settings.options, clock)
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {settings.type!r} can't be loaded: {error}") from error
    except (ValueError, OSError) as error:
        raise SourceError(f"source {settings.type!r}: {error}") from error


def draw_epoch() -> str:
    """A new epoch: 64 random bits, so that two outboxes never share one."""
    return secrets.token_hex(EPOCH_DIGITS // 2)


class AgentService:
    """One running agent. `start`, `stop`; `sources` is handed over open, so that a mistake shows before."""

    def __init__(
        self,
        settings: AgentSettings,
        outbox: Outbox,
        sources: Sequence[tuple[str, Source, Callable[[], Source]]],
        *,
        clock: PlantClock,
        monotonic_s: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        serve_health: bool = True,
    ) -> None:
        """Each source with its name and what opens it again after a failure."""
        self.settings = settings
        self.outbox = outbox
        self._monotonic_s = monotonic_s
        devices = [device for _, source, _ in sources for device in source.devices()]
        self.link = LinkThread(settings, outbox, devices, clock=clock, monotonic_s=monotonic_s, jitter=jitter)
        self.recorder = Recorder(outbox, self._kept)
        self.sources = [
            SourceThread(name, first, again, self.recorder, lambda: self.link.state.waiting)
            for name, first, again in sources
        ]
        self.health = HealthServer(self.report, settings.health_port) if serve_health else None

    def start(self) -> None:
        """Start every thread; sources last."""
        if self.health is not None:
            self.health.start()
        self.link.start()
        self.recorder.start()
        for source in self.sources:
            source.start()
        log.info(
            "agent %s started: outbox epoch %s at %s, %d frames pending, health on port %s",
            self.settings.edge,
            self.outbox.epoch,
            self.settings.data,
            self.outbox.totals().pending,
            self.health.port if self.health is not None else "none",
        )

    def stop_sampling(self) -> None:
        """End the sources; what they yielded goes to disk."""
        for source in self.sources:
            source.stop()
        for source in self.sources:
            source.join()
        self.recorder.stop()

    def stop(self) -> None:
        """Sources first, then what they yielded goes to disk, then the link says goodbye."""
        self.stop_sampling()
        self.link.stop()
        if self.health is not None:
            self.health.stop()
        totals = self.outbox.totals()
        self.outbox.close()
        log.info("agent %s stopped: %d frames pending", self.settings.edge, totals.pending)

    @property
    def sampled_all(self) -> bool:
        """Whether every source came to its end."""
        return all(source.ended for source in self.sources)

    def report(self) -> Report:
        """What health and progress bars show."""
        link, totals = self.link.state, self.outbox.totals()
        beat_age = self._monotonic_s() - self.link.beat_s
        sent = self.link.counters.sent
        return Report(
            alive=self.link.alive and self.recorder.alive and beat_age < STUCK_S,
            ready=link.phase is Phase.OPEN and not self.link.unanswered,
            detail=self.link.detail,
            values={
                "frames_acquired_total": totals.acquired,
                "frames_acknowledged_total": self.link.counters.acknowledged,
                "frames_dropped_total": totals.dropped,
                "frames_refused_total": self.recorder.refused,
                "frames_pending": totals.pending,
                "frames_in_flight": len(link.in_flight),
                **{f'frames_sent_total{{cause="{cause}"}}': sent[cause] for cause in ev.Cause},
                "credit_frames": link.window[0],
                "outbox_bytes": totals.bytes,
                "outbox_disk_refusals_total": self.recorder.disk_refusals,
                "connections_total": self.link.counters.connections,
                "link_errors_total": self.link.counters.errors,
                "messages_ignored_total": self.link.counters.ignored,
                "source_failures_total": sum(source.failures for source in self.sources),
                "sources_ended": sum(source.ended for source in self.sources),
            },
        )

    def _kept(self, kept: Kept) -> None:
        news: list[ev.Event] = []
        if kept.dropped:
            news.append(ev.FramesDropped(self.outbox.epoch, kept.dropped))
        if kept.seqs is not None:
            news.append(ev.FramesAdded(self.outbox.epoch, *kept.seqs))
        self.link.tell(*news)


def build(settings: AgentSettings) -> AgentService:
    """An agent from its settings. Raises SourceError, OutboxError; nothing is left open then."""
    clock = settings.clock.plant_clock()
    sources = [
        (one.type, open_source(one, clock), partial(open_source, one, clock)) for one in settings.sources
    ]
    outbox = open_outbox(
        settings.data, settings.edge, draw_epoch=draw_epoch, cap_bytes=settings.outbox_mb * 1_000_000
    )
    try:
        return AgentService(settings, outbox, sources, clock=clock)
    except BaseException:
        outbox.close()
        raise


def run_until(service: AgentService, stop: threading.Event) -> int:
    """Run until `stop` is set: exit code 0; 1 when a thread that must run has ended."""
    service.start()
    try:
        while not stop.wait(1.0):
            if not (service.link.alive and service.recorder.alive):
                log.critical("a thread of the agent has ended: leaving, so that a supervisor starts it again")
                return 1
    finally:
        service.stop()
    return 0
