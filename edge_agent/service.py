"""The agent: outbox, recorder, link, sources and health, wired together. Constructors only store."""

from __future__ import annotations

import contextlib
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from palier import ranges
from palier.clock import PlantClock
from palier.notify_systemd import Notifier
from palier.source import Device, Source
from palier.wire.said import said
from palier.wire.status import GatewayStatus

from . import events as ev
from .card_writes import CardMeter
from .clock_keeper import ClockKeeper
from .configured import ConfigurationFile
from .configuring import Configurer, Start
from .hands import AgentHands
from .health import HealthServer, Report
from .heap import keep_small
from .host_word import HostWord
from .kernel_clock import boot_id
from .link import LinkThread
from .opening import SourceError, open_all, open_source
from .outbox import EPOCH_DIGITS, Kept, Outbox, OutboxFullError, open_outbox
from .process_values import Attaching, ProcessValues
from .progress import Progress, Signs, judge
from .recorder import Recorder
from .remote_settings import Local
from .sampling import SourceThread
from .settings import AgentSettings, SourceSettings
from .source_set import SourceSet
from .steward import Steward
from .telling import Telling, codes, sentences
from .transmitting import OfSource, Transmitting
from .window import Phase

__all__ = ["AgentService", "SourceError", "build", "draw_epoch", "open_source", "run_until"]

WATCH_S: Final = 1.0  # between two looks whether the agent makes progress

log = logging.getLogger(__name__)


def draw_epoch() -> str:
    """A new epoch: 64 random bits, so that two outboxes never share one."""
    return secrets.token_hex(EPOCH_DIGITS // 2)


class AgentService:
    """One running agent. `start`, `stop`; `sources` is handed over open, so that a mistake shows before."""

    def __init__(
        self,
        settings: AgentSettings,
        outbox: Outbox,
        sources: Sequence[tuple[str, Source | None, Callable[[], Source]]],
        *,
        clock: PlantClock,
        monotonic_s: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        serve_health: bool = True,
    ) -> None:
        """Each source with its name and what opens it again after a failure; None: not open yet."""
        self.settings = settings
        self.outbox = outbox
        self._monotonic_s = monotonic_s
        self.values = ProcessValues(settings.attachments)
        self.word = HostWord(outbox, lambda machine: self.values.speed_rpm(machine, clock.now_ns()))
        self.keeper = self._keeper(clock)
        self.transmitting = Transmitting(
            outbox,
            outbox if self.keeper is None else self.keeper,
            settings.transmit,
            clock.now_ns,
            released=self._kept,
            alarmed=self.word.in_alarm,
        )
        self.recorder = Recorder(self.transmitting, self._kept, self.transmitting.look)
        known = {one.name: one for one in settings.sources}
        opened = [(known.get(name, SourceSettings(name)), first, again) for name, first, again in sources]
        self.source_set = SourceSet(clock, self._thread_of, opened)
        self.sources = self.source_set.threads
        self.link = LinkThread(
            settings,
            outbox,
            self.source_set.devices,
            clock=clock,
            monotonic_s=monotonic_s,
            jitter=jitter,
            word=self.word,
        )
        outbox.replaced = lambda epoch: self.link.tell(ev.OutboxReplaced(epoch))
        self.steward = Steward(self.sources, self.keeper, lambda: self.link.connected)
        self.card = CardMeter(lambda: outbox.commits)
        self.configurer: Configurer | None = None
        self.telling = Telling(settings.data, self._tell_core, self._tell, monotonic_s=monotonic_s)
        self.link.speaker.telling = self.telling
        self.link.replays.wished = self.transmitting.ask
        self._progress = Progress()
        self._totals = outbox.totals()
        self.health = HealthServer(self.report, settings.health_port) if serve_health else None

    def _keeper(self, clock: PlantClock) -> ClockKeeper | None:
        if clock.start_ns is not None or clock.rate != 1.0:
            return None
        return ClockKeeper(self.outbox, boot_id(), self._released)

    def _thread_of(
        self, settings: SourceSettings, first: Source | None, again: Callable[[], Source]
    ) -> SourceThread:
        """The thread of a source, of those of the start and of those that come later."""
        return SourceThread(
            settings.name,
            first,
            again,
            Attaching(self.values, OfSource(self.transmitting, settings.mode, self.recorder)),
            lambda: self.link.state.waiting,
            told=self.values.take,
            standing=self.word.standing,
            timeout_s=settings.timeout_s,
        )

    def take_configurations(self, local: Local, file: ConfigurationFile, begun: Start) -> None:
        """Let the host send configurations from now on; before `start`."""
        hands = AgentHands(
            self.source_set,
            self.values,
            linked=lambda: self.linked,
            announce=self._announce,
            transmit=self._transmit_by,
        )
        self.configurer = Configurer(local, file, begun, hands)
        self.link.configured = self.configurer.hear

    def _transmit_by(self, settings: AgentSettings) -> None:
        self.transmitting.change(settings.transmit)
        self.link.speaker.mode, self.link.speaker.compress = settings.mode, settings.transmit.compress

    def _announce(self, devices: Iterable[Device]) -> None:
        """Other machines hang on the gateway from now on: births tell it."""
        self.link.speaker.devices.change(devices)
        self.link.tell(ev.RebirthRequested())

    def _tell_core(self, status: GatewayStatus) -> GatewayStatus:
        """What of the agent is told at once where it changes."""
        state = None if self.keeper is None else self.keeper.state
        problems = self.problems()
        status = replace(
            status,
            clock=None if state is None else "held" if state.held else str(state.verdict),
            sources=sentences(tuple(one.name for one in self.source_set.settings)),
            problems=sentences(problems),
            problem_codes=codes(problems),
        )
        return status if self.configurer is None else self.configurer.tell(status)

    def _tell(self, status: GatewayStatus) -> GatewayStatus:
        """The rest that the agent knows beside its board."""
        values, rates, notes = self._values(), self.card.rates(), self.notes()
        return replace(
            status,
            outbox_bytes=int(values["outbox_bytes"]),
            outbox_cap=self.settings.outbox_mb * 1_000_000,
            pending=int(values["frames_pending"]),
            fsyncs_per_h=None if rates is None else rates.fsyncs_per_h,
            written_per_h=None if rates is None else rates.bytes_per_h,
            notes=sentences(notes),
            note_codes=codes(notes),
        )

    @property
    def linked(self) -> bool:
        """Whether broker and host are there, and answer."""
        return self.link.state.phase is Phase.OPEN and not self.link.unanswered

    def start(self) -> None:
        """Start every thread; sources last."""
        if self.health is not None:
            self.health.start()
        self.link.start()
        self.recorder.start()
        self.steward.start()
        for source in self.sources:
            source.start()
        if self.configurer is not None:
            self.configurer.start()
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
        if self.configurer is not None:
            self.configurer.stop()
        self.steward.stop()
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

    def progress(self) -> str:
        """What does not move, a sentence; empty while the agent makes progress."""
        now_s, wall_s = time.monotonic(), self._monotonic_s()
        going = [source for source in self.sources if not source.ended]
        signs = Signs(
            now_s=now_s,
            link_age_s=wall_s - self.link.beat_s,
            recorder_age_s=now_s - self.recorder.beat_s,
            steward_age_s=now_s - self.steward.beat_s,
            threads=self.link.alive and self.recorder.alive and self.steward.alive,
            waiting=self.recorder.intake.waiting,
            committed=self.recorder.committed,
            refusing=self.recorder.intake.refusing,
            sources_hopeless=bool(going) and all(source.hopeless for source in going),
        )
        self._progress = judge(self._progress, signs)
        return self._progress.lack

    def problems(self) -> tuple[str, ...]:
        """What keeps frames from being taken or sent now, a sentence each; nothing while all is well."""
        found = [source.problem for source in self.sources if source.problem and not source.ended]
        intake = self.recorder.intake
        if intake.refusing:
            found.append(said("disk_refuses", waiting=intake.waiting, lost=intake.lost))
        found += self.link.counters.problems(self._monotonic_s())
        if self.link.too_large:
            found.append(said("packet_too_small", frames=len(self.link.too_large)))
        if self.keeper is not None and self.keeper.state.held:
            found.append(said("frames_held", why=self.keeper.state.why))
        if self.configurer is not None and self.configurer.problem:
            found.append(self.configurer.problem)
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        """What a human should know and may have to mend, though the agent does its work; a sentence each."""
        found = list(self.link.counters.notes(time.time()))
        if self.recorder.refused:
            found.append(said("frames_too_large", frames=self.recorder.refused))
        if self.outbox.set_aside:
            found.append(said("outbox_set_aside"))
        if self.keeper is not None and self.keeper.unsure:
            found.append(said("clock_unsynced"))
        found += [note for source in self.sources if not source.ended for note in source.notes]
        found += self.values.notes()
        found += () if self.configurer is None else self.configurer.notes
        found += self.word.notes()
        return tuple(found)

    def report(self) -> Report:
        """What health and progress bars show."""
        lack, problems = self.progress(), self.problems()
        linked = self.linked
        return Report(
            alive=not lack,
            ready=linked and not problems,
            detail=lack or self.link.detail,
            values={"link_open": float(linked), **self._values()},
            problems=problems,
            notes=self.notes(),
        )

    def _values(self) -> Mapping[str, float]:
        with contextlib.suppress(OutboxFullError):  # else what was known last
            self._totals = self.outbox.totals()
        link, totals, intake = self.link.state, self._totals, self.recorder.intake
        sent = self.link.counters.sent
        values: dict[str, float] = {
            "frames_acquired_total": totals.acquired,
            "frames_acknowledged_total": self.link.counters.acknowledged,
            "frames_dropped_total": totals.dropped,
            "frames_refused_total": self.recorder.refused,
            "frames_lost_total": intake.lost,
            "frames_pending": totals.pending,
            "frames_held": totals.held,
            "frames_in_memory": intake.waiting,
            "frames_in_flight": len(link.in_flight),
            **{f'frames_sent_total{{cause="{cause}"}}': sent[cause] for cause in ev.Cause},
            "credit_frames": link.window[0],
            "outbox_bytes": totals.bytes,
            **self.transmitting.values(),
            "outbox_commits_total": self.outbox.commits,
            **self._card_values(),
            "outbox_disk_refusals_total": self.recorder.disk_refusals,
            "outbox_set_aside_total": self.outbox.set_aside,
            "frames_recalled_total": self.link.replays.frames,
            "outbox_forgotten_total": self.link.counters.forgotten,
            "connections_total": self.link.counters.connections,
            "link_errors_total": self.link.counters.errors,
            "messages_ignored_total": self.link.counters.ignored,
            "sample_gaps_total": sum(source.lost[0] for source in self.sources),
            "samples_lost_total": sum(source.lost[1] for source in self.sources),
            "source_failures_total": sum(source.failures for source in self.sources),
            "source_timeouts_total": sum(source.timeouts for source in self.sources),
            "sources_ended": sum(source.ended for source in self.sources),
            "sources_failing": sum(bool(source.problem) and not source.ended for source in self.sources),
        }
        if self.keeper is not None:
            clock = self.keeper.state
            values |= {f'clock{{state="{clock.verdict}"}}': 1.0, "clock_steps_total": clock.steps}
        return values

    def _card_values(self) -> Mapping[str, float]:
        rates = self.card.rates()
        if rates is None:
            return {}
        known = {"card_fsyncs_per_hour": rates.fsyncs_per_h, "card_written_bytes_per_hour": rates.bytes_per_h}
        return {name: float(value) for name, value in known.items() if value is not None}

    def _kept(self, kept: Kept) -> None:
        news: list[ev.Event] = []
        if kept.dropped:
            news.append(ev.FramesDropped(kept.epoch, kept.dropped))
        if kept.seqs is not None:
            free = ranges.subtract((kept.seqs,), kept.held)
            news += [ev.FramesAdded(kept.epoch, lo, hi) for lo, hi in free]
        self.link.tell(*news)

    def _released(self, held: ranges.Ranges) -> None:
        self.link.tell(*[ev.FramesAdded(self.outbox.epoch, lo, hi) for lo, hi in held])


def build(settings: AgentSettings) -> AgentService:
    """An agent from its settings. Raises SourceError, OutboxError; nothing is left open then."""
    keep_small()
    clock = settings.clock.plant_clock()
    sources = open_all(settings.sources, clock)
    outbox = open_outbox(
        settings.data, settings.edge, draw_epoch=draw_epoch, cap_bytes=settings.outbox_mb * 1_000_000
    )
    try:
        return AgentService(settings, outbox, sources, clock=clock)
    except BaseException:
        outbox.close()
        raise


def run_until(service: AgentService, stop: threading.Event, notifier: Notifier | None = None) -> int:
    """Run until `stop` is set: exit code 0; 1 when a thread that must run has ended.

    A supervisor that watches hears of progress and of nothing else: it ends what hangs.
    """
    notifier = notifier or Notifier()
    service.start()
    notifier.ready(service.link.detail)
    try:
        while not stop.wait(min(WATCH_S, notifier.watchdog_s or WATCH_S)):
            lack = service.progress()
            if lack:
                log.critical("no progress: %s", lack)
                notifier.status(lack)
            else:
                notifier.alive("; ".join((service.link.detail, *service.problems(), *service.notes())))
            if not (service.link.alive and service.recorder.alive and service.steward.alive):
                log.critical("leaving, so that a supervisor starts the agent again")
                return 1
    finally:
        notifier.stopping()
        service.stop()
        notifier.close()
    return 0
