"""An agent of its own, fed by simulated machines, for a broker that is already running."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from palier.children import ChildError, Family, is_ready
from palier.clock import PlantClock
from palier.embedded import start_agent, state_folder
from palier.plant import load_plant, sample_plant_path

from .interruptions import Interrupted, interruptions
from .run_folder import RunFolderError, locked
from .service_metrics import read_metrics
from .source import open_source, read_options

POLL_S: Final = 0.5
PATIENCE_S: Final = 15.0
"""An agent asks again for what was lost on its way after 10 s without an acknowledgement."""
NO_LINK_S: Final = 3.0  # a host that is there answers a birth within 2 s
PENDING: Final = "palier_agent_frames_pending"
ENDED: Final = "palier_agent_sources_ended"


class FeedError(Exception):
    """The agent could not run: the sentence says why."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The source's table, the broker, the gateway's name; `seconds` None: until stopped."""

    source: Mapping[str, object]
    host: str
    port: int
    node: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the agent's metrics say: blocks that wait for an acknowledgement, and whether it still samples."""

    pending: int
    sampling: bool


def feed(what: Feed, say: Callable[[str], object]) -> None:
    """Run the agent until stopped, or until the host has all blocks of its time.

    Raises ValueError for options, else FeedError: also where blocks are left that nobody acknowledged.
    """
    open_source(what.source, PlantClock())  # a mistake is told here, not in a log
    plant_file = read_options(what.source).plant or sample_plant_path()
    site = load_plant(plant_file).site_id
    family = Family()
    try:
        with locked(state_folder() / "simulate" / what.node) as folder, interruptions():
            try:
                _run(what, site, folder, family, say)
            finally:
                family.stop()
    except (ChildError, RunFolderError) as error:
        raise FeedError(str(error)) from error


def _run(what: Feed, site: str, folder: Path, family: Family, say: Callable[[str], object]) -> None:
    source = {"type": "simulated", **what.source}
    if what.seconds is not None:
        source["seconds"] = what.seconds
    broker = {"host": what.host, "port": what.port}
    child, health_port = start_agent(folder, site, what.node, broker=broker, sources=[source])
    family.members.append(child)
    watch = _Watch(what, folder, health_port, say)
    try:
        say(f"gateway {site}/{what.node} samples; outbox and log in {folder}; Ctrl-C stops it")
        while not watch.is_over(time.monotonic()):
            family.check()
            time.sleep(POLL_S)
    except Interrupted:
        say("stopped")
        # What was sent a moment ago is on its way: no failure where the host answers.
        if watch.linked and is_ready(health_port):
            return
    watch.judge()


class _Watch:
    """What a run has come to so far."""

    def __init__(self, what: Feed, folder: Path, health_port: int, say: Callable[[str], object]) -> None:
        self.linked = False
        self._what = what
        self._outbox = folder / "outbox" / what.node
        self._health_port = health_port
        self._say = say
        self._seen: Seen | None = None
        self._least = math.inf
        self._fell_at = math.inf  # when fewer waited than ever since the sampling ended

    def is_over(self, now: float) -> bool:
        """Whether nothing more is to come: all was sampled, and all acknowledged or nothing for a while."""
        if not self.linked and is_ready(self._health_port):
            self.linked = True
            self._say(f"linked to a host through {self._what.host}:{self._what.port}")
        before, self._seen = self._seen, _seen(self._health_port) or self._seen
        if self._seen is None or self._seen.sampling:
            return False
        if self._seen.pending < self._least:
            self._least, self._fell_at = self._seen.pending, now
        # Twice none: the last block may just be on its way to the outbox.
        done = self.linked and before == self._seen and not self._seen.pending
        return done or now - self._fell_at > (PATIENCE_S if self.linked else NO_LINK_S)

    def judge(self) -> None:
        """Raises FeedError where blocks are left that nobody acknowledged."""
        pending = self._seen.pending if self._seen is not None else None
        if not self.linked:
            raise FeedError(_nothing_delivered(self._what, self._outbox, pending))
        if pending:
            raise FeedError(
                f"{pending} blocks are not acknowledged: the host behind {self._what.host}:{self._what.port} "
                f"has not answered for them; they wait in {self._outbox} for the next run"
            )


def _nothing_delivered(what: Feed, outbox: Path, pending: int | None) -> str:
    """What a run that never had a link comes to."""
    broker = f"{what.host}:{what.port}"
    try:
        socket.create_connection((what.host, what.port), timeout=2).close()
        why = f"the broker {broker} is there, but no ingest answered behind it"
    except OSError as error:
        why = f"the broker {broker} can't be reached ({error.strerror or error})"
    kept = "what was sampled waits" if pending is None else f"{pending} blocks wait"
    return f"nothing was delivered: {why}; {kept} in {outbox} for the next run"


def _seen(health_port: int) -> Seen | None:
    """What the agent's metrics tell; None while it does not answer."""
    values = read_metrics(health_port)
    if PENDING not in values or ENDED not in values:
        return None
    return Seen(int(values[PENDING]), sampling=values[ENDED] == 0)
