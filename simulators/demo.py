"""The demonstration: a whole plant on one machine, simulated sensors to the page, by the real services."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from palier.brokers import BrokerKind
from palier.children import port_is_free
from palier.clock import PlantClock
from palier.embedded import EmbeddedPlant
from palier.historian.base import Unavailable
from palier.historian.sqlite import SqliteHistorian
from palier.locale import Catalogue
from palier.plant import Plant, load_plant, sample_plant_path

from .interruptions import Interrupted, interruptions
from .run_folder import run_folder
from .status import MachineStatus, read_status, status_line
from .tasks import Options, tasks_of

NODE: Final = "atelier"
INTERVAL_S: Final = 5.0
BLOCK_S: Final = 2.5
"""Twenty turns at 600 r/min need 2 s; 2.5 s every 5 s shows a trend that moves for a tenth of a core."""

SPECTRUM_EVERY_S: Final = 60.0
"""A plant keeps a spectrum a day; somebody who looks for ten minutes wants to see one change."""

KEPT_MB: Final = 256
"""Outbox and waveforms each: a demonstration that is forgotten over night must not fill a disk."""

REFRESH_S: Final = 1.0
PLAIN_EVERY_S: Final = 10.0
"""How often lines are printed where no terminal can rewrite them."""


class DemoError(Exception):
    """The demonstration can't run: the sentence says why and what to do."""


class Screen(Protocol):
    """Where the demonstration shows itself."""

    def say(self, text: str) -> None:
        """One line that stays."""
        ...

    def show(self, rows: Sequence[tuple[str, ...]]) -> None:
        """The state of all machines now, a row each; replaces what was shown before where it can."""
        ...


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a demonstration is asked to be. `seconds` None: until it is stopped."""

    data: Path
    port: int
    seed: int = 1
    lang: str = "fr"
    seconds: float | None = None
    browser: bool = True
    broker: BrokerKind = "auto"


def run_demo(options: DemoOptions, screen: Screen) -> None:
    """Run until stopped or until its time is over; all processes have ended when this returns.

    Raises DemoError, run_folder.RunFolderError or EmbeddedError, each with a sentence.
    """
    words = Catalogue(options.lang)
    plant_file = sample_plant_path()
    plant = load_plant(plant_file)
    _check_port(options.port)
    with run_folder(options.data) as folder:
        try:
            with interruptions():
                _run(options, screen, words, folder=folder, plant_file=plant_file, plant=plant)
        except Interrupted:
            pass
        screen.say(words.text("demo.stopped", folder=folder))


def _check_port(port: int) -> None:
    try:
        free = port_is_free(port)
    except PermissionError as error:
        raise DemoError(
            f"port {port} of 127.0.0.1 needs rights that this user does not have, as ports below 1024 do: "
            "choose another with --port"
        ) from error
    if not free:
        raise DemoError(f"port {port} of 127.0.0.1 is in use by another program: choose another with --port")


def sources(plant_file: Path, seed: int) -> list[dict[str, object]]:
    """The agent's [[source]] tables."""
    return [
        {
            "type": "simulated",
            "plant_file": str(plant_file),
            "scenario": "demo",
            "seed": seed,
            "interval_s": INTERVAL_S,
            "block_s": BLOCK_S,
        }
    ]


def rate(plant: Plant) -> tuple[float, float]:
    """Blocks a second and megabytes a minute that the demonstration's gateway sends."""
    options = Options(interval_s=INTERVAL_S, block_s=BLOCK_S)
    blocks = [t for m in plant.machines for t in tasks_of(m, options) if t.point is not None]
    per_second = sum(1 / t.every_s for t in blocks)
    bytes_a_second = sum(2 * t.n * len(t.channels) / t.every_s for t in blocks)
    return per_second, bytes_a_second * 60 / 1e6


def _run(
    options: DemoOptions, screen: Screen, words: Catalogue, *, folder: Path, plant_file: Path, plant: Plant
) -> None:
    screen.say(words.text("demo.starting", machines=len(plant.machines)))
    ingest = {"spectrum_interval_s": SPECTRUM_EVERY_S, "waveform_budget_bytes": KEPT_MB * 1024 * 1024}
    with EmbeddedPlant(
        folder,
        plant_file,
        broker=options.broker,
        console_port=options.port,
        lang=options.lang,
        ingest=ingest,
    ) as embedded:
        embedded.add_agent(plant.site_id, NODE, sources(plant_file, options.seed), outbox_mb=KEPT_MB)
        blocks, megabytes = rate(plant)
        screen.say(words.text("demo.page", url=embedded.page_url))
        screen.say(
            words.text(
                "demo.rate",
                broker=embedded.broker_name,
                block=words.number(BLOCK_S, 1),
                interval=words.number(INTERVAL_S, 0),
                blocks=words.number(blocks, 1),
                megabytes=words.number(megabytes, 0),
            )
        )
        screen.say(words.text("demo.hint"))
        if options.browser and _has_display():
            webbrowser.open(embedded.page_url)
        _watch(embedded, plant, words, screen, options.seconds)


def _watch(
    embedded: EmbeddedPlant, plant: Plant, words: Catalogue, screen: Screen, seconds: float | None
) -> None:
    """Show the machines until the time is over. Raises EmbeddedError when a part ends by itself."""
    end = None if seconds is None else time.monotonic() + seconds
    clock = PlantClock()
    historian = SqliteHistorian(embedded.data.historian, read_only=True)
    try:
        while end is None or time.monotonic() < end:
            embedded.check()
            screen.show(_rows(historian, plant, words, clock.now_ns()))
            time.sleep(REFRESH_S)
    finally:
        historian.close()


def _rows(historian: SqliteHistorian, plant: Plant, words: Catalogue, now_ns: int) -> list[tuple[str, ...]]:
    try:
        status = read_status(historian, plant)
    except Unavailable:  # the next look will tell
        status = tuple(MachineStatus(m.id, m.name) for m in plant.machines)
    return [status_line(machine, words, now_ns) for machine in status]


def _has_display() -> bool:
    """Whether a browser could open a window; without one, some would open in the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
