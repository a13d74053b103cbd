"""One replay: an agent of its own that ends when the host has every frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from palier.clock import PlantClock
from palier.frames import Frame
from palier.source import Device, Source

from .events import Cause
from .outbox import open_outbox
from .service import AgentService, draw_epoch
from .settings import AgentSettings

POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is. `waiting` are frames that the host does not have yet, earlier runs' included."""

    expected: int
    acquired: int
    waiting: int
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay did: frames `first` to `last` of `epoch` are its own; `left` wait in the outbox."""

    edge: str
    epoch: str
    first: int
    last: int
    left: int
    earlier: int  # frames of an interrupted run that were waiting at the start, and were sent too
    dropped: int
    refused: int
    sent_again: int
    failed: bool  # the recordings could not be read to their end
    seconds: float
    detail: str

    @property
    def frames(self) -> int:
        """How many frames were read from the recordings and kept."""
        return self.last - self.first + 1

    @property
    def complete(self) -> bool:
        """Whether the host has everything."""
        return not (self.failed or self.left or self.refused or self.dropped) and self.frames > 0


class Playlist:
    """Sources one after the other, as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    can_wait = True  # a replay is not over before the disk has all of it

    def devices(self) -> tuple[Device, ...]:
        """Those of all."""
        return tuple(device for source in self._sources for device in source.devices())

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Those of the first, then of the next."""
        for source in self._sources:
            if stop.is_set():
                return
            yield from source.frames(stop)


def run_replay(
    settings: AgentSettings,
    source: Source,
    *,
    expected: int,
    patience_s: float,
    show: Callable[[Progress], None],
    check: Callable[[], None],
    clock: PlantClock,
) -> Outcome:
    """Play `source` until the host has every frame, or has acknowledged none for `patience_s`.

    `check` is called all the while and may raise to end it. Raises OutboxError.
    """
    outbox = open_outbox(
        settings.data, settings.edge, draw_epoch=draw_epoch, cap_bytes=settings.outbox_mb * 1_000_000
    )
    first, before = outbox.last_seq + 1, outbox.totals()
    service = AgentService(
        settings, outbox, [("replay", source, lambda: source)], clock=clock, serve_health=False
    )
    began = time.monotonic()

    def tell() -> None:
        totals = outbox.totals()
        show(Progress(expected, totals.acquired - first + 1, totals.pending, service.link.detail))

    service.start()
    try:
        _wait(service, patience_s, tell, check)
    finally:
        detail, sent = service.link.detail, service.link.counters.sent
        service.stop_sampling()
        last, totals = outbox.last_seq, outbox.totals()
        service.stop()
    return Outcome(
        edge=settings.edge,
        epoch=outbox.epoch,
        first=first,
        last=last,
        left=totals.pending,
        earlier=before.pending,
        dropped=totals.dropped - before.dropped,
        refused=service.recorder.refused,
        failed=not service.sampled_all,
        sent_again=sum(count for cause, count in sent.items() if cause is not Cause.FIRST),
        seconds=time.monotonic() - began,
        detail=detail,
    )


def _wait(
    service: AgentService, patience_s: float, tell: Callable[[], None], check: Callable[[], None]
) -> None:
    """Until all is read and acknowledged, or the acknowledgements stand still while something waits."""
    acknowledged, since = -1, time.monotonic()
    while True:
        check()
        done = service.sampled_all and service.recorder.idle
        tell()
        pending, now = service.outbox.totals().pending, time.monotonic()
        if (done and pending == 0) or any(source.failures for source in service.sources):
            return
        if service.link.counters.acknowledged != acknowledged or pending == 0:
            acknowledged, since = service.link.counters.acknowledged, now
        if now - since > patience_s:
            return
        time.sleep(POLL_S)
