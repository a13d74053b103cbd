"""An agent of its own, fed by simulated machines, for a broker that is already running."""

from __future__ import annotations

import http.client
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
from .source import open_source, read_options

POLL_S: Final = 0.5
PENDING: Final = "palier_agent_frames_pending "


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


def feed(what: Feed, say: Callable[[str], object]) -> None:
    """Run the agent until stopped or its time is over. Raises ValueError for options, else FeedError."""
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
    except Interrupted:
        say("stopped")
    except (ChildError, RunFolderError) as error:
        raise FeedError(str(error)) from error


def _run(what: Feed, site: str, folder: Path, family: Family, say: Callable[[str], object]) -> None:
    source = {"type": "simulated", **what.source}
    broker = {"host": what.host, "port": what.port}
    child, health_port = start_agent(folder, site, what.node, broker=broker, sources=[source])
    family.members.append(child)
    end = None if what.seconds is None else time.monotonic() + what.seconds
    say(f"gateway {site}/{what.node} samples; outbox and log in {folder}; Ctrl-C stops it")
    linked = False
    pending: float | None = None
    while end is None or time.monotonic() < end:
        family.check()
        if not linked and is_ready(health_port):
            linked = True
            say(f"linked to a host through {what.host}:{what.port}")
        pending = _pending(health_port) if not linked else None
        time.sleep(POLL_S)
    if not linked:
        raise FeedError(_nothing_delivered(what, folder, pending))


def _nothing_delivered(what: Feed, folder: Path, pending: float | None) -> str:
    """What a run that never had a link comes to."""
    broker = f"{what.host}:{what.port}"
    try:
        socket.create_connection((what.host, what.port), timeout=2).close()
        why = f"the broker {broker} is there, but no ingest answered behind it"
    except OSError as error:
        why = f"the broker {broker} can't be reached ({error.strerror or error})"
    kept = "what was sampled waits" if pending is None else f"{pending:.0f} blocks wait"
    return f"nothing was delivered: {why}; {kept} in {folder / 'outbox' / what.node} for the next run"


def _pending(health_port: int) -> float | None:
    """Frames in the agent's outbox, as its metrics tell; None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", health_port, timeout=2)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return next((float(line.split()[1]) for line in lines if line.startswith(PENDING)), None)
