"""The demonstration: a whole plant on one machine, simulated sensors to the page, by the real services.

All of them live on one plant clock, on which a day takes a minute. It begins at a fixed date, so that the
same seed is the same plant to the last bit. The month before that date comes as a gateway's backlog would,
newest first; what came of it is kept for the next time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from palier.brokers import BrokerKind
from palier.children import port_is_free
from palier.clock import PlantClock
from palier.embedded import Agent, EmbeddedPlant, toml_text
from palier.historian.folder import DataFolder
from palier.locale import Catalogue
from palier.plant import Plant, load_plant, sample_plant_path

from .demo_cache import Cache, key_of
from .demo_past import Past
from .demo_watch import Screen, Watch
from .history import DAYS, DENSE_EVERY_S, PLAN
from .interruptions import Interrupted, interruptions
from .run_folder import run_folder
from .scenario import SHIPPED, read_scenario, shipped_scenario
from .tasks import Options, tasks_of

NODE: Final = "atelier"

PLANT_FILE: Final = "plant.toml"
"""Beside the data, where `palier report` looks for it."""

FIRST: Final = ("P-101",)
"""Machines of which the history comes first: what is to be seen of them needs their baselines within a
minute."""

ORIGIN_NS: Final = 1_793_606_400 * 10**9
"""2026-11-02 08:00 UTC, a Monday: where the history ends and the scenario begins. A date of its own, and not
today: the plant's clock has left the wall's within the first minute anyhow, and a kept history stays right
next to it."""

RATE: Final = 1440.0
"""A plant day takes a minute: three minutes tell of a bearing's last days, and a block every 20 plant minutes
of ten points is twelve blocks a second, a fifth of a core."""

INTERVAL_S: Final = DENSE_EVERY_S
"""As far apart as the blocks of the history: a baseline and what it judges have one pace."""

BLOCK_S: Final = 1.6
"""Twenty turns at 750 r/min, and 2^13 x 5 samples at 25.6 kHz, which transforms fast."""

SPECTRUM_EVERY_S: Final = 21_600.0
"""A plant keeps a spectrum a day; somebody who looks for three minutes wants to see one change: every 15 s
here."""

KEPT_MB: Final = 256
"""Outbox and waveforms each: a demonstration that is forgotten over night must not fill a disk."""


class DemoError(Exception):
    """The demonstration can't run: the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a demonstration is asked to be. `seconds` None: until it is stopped. `scenario` is the name of a
    shipped one or a file.
    """

    data: Path
    port: int
    scenario: str = "demo"
    seed: int = 1
    lang: str = "fr"
    seconds: float | None = None
    browser: bool = True
    broker: BrokerKind = "auto"


@dataclass(frozen=True, slots=True)
class _Demo:
    """What is demonstrated: the plant, what its sources have in common, and where its past is kept."""

    plant_file: Path
    plant: Plant
    source: Mapping[str, object]
    cache: Cache


def run_demo(options: DemoOptions, screen: Screen) -> None:
    """Run until stopped or until its time is over; all processes have ended when this returns.

    Raises DemoError, run_folder.RunFolderError or EmbeddedError, each with a sentence.
    """
    began_s = time.monotonic()
    words = Catalogue(options.lang)
    plant_file = sample_plant_path()
    plant = load_plant(plant_file)
    source = source_of(options, plant_file, plant)
    demo = _Demo(plant_file, plant, source, cache_of(options, source, plant_file))
    with run_folder(options.data, lambda: check_port(options.port)) as folder:
        try:
            with interruptions():
                _run(options, screen, words, folder=folder, demo=demo, began_s=began_s)
        except Interrupted:
            pass
        if (folder / PLANT_FILE).exists():
            report = f"palier report {FIRST[0]} --data {shlex.quote(str(folder / 'data'))}"
            screen.say(words.text("demo.report", command=report))
        screen.say(words.text("demo.stopped", folder=folder))


def check_port(port: int) -> None:
    """Raises DemoError where the page can't have that port."""
    try:
        free = port_is_free(port)
    except PermissionError as error:
        raise DemoError(
            f"port {port} of 127.0.0.1 needs rights that this user does not have, as ports below 1024 do: "
            "choose another with --port"
        ) from error
    if not free:
        raise DemoError(f"port {port} of 127.0.0.1 is in use by another program: choose another with --port")


def source_of(options: DemoOptions, plant_file: Path, plant: Plant) -> dict[str, object]:
    """What the live source and the history have in common in their [[source]] tables. Raises DemoError."""
    chosen: dict[str, object]
    try:
        if options.scenario in SHIPPED:
            shipped_scenario(options.scenario, plant)
            chosen = {"scenario": options.scenario}
        else:
            file = Path(options.scenario).resolve()
            read_scenario(file, plant)
            chosen = {"scenario_file": str(file)}
    except ValueError as error:
        raise DemoError(str(error)) from error
    return {
        "plant_file": str(plant_file),
        **chosen,
        "seed": options.seed,
        "block_s": BLOCK_S,
        "origin_s": ORIGIN_NS / 1e9,
    }


def cache_of(options: DemoOptions, source: Mapping[str, object], plant_file: Path) -> Cache:
    """Where the past of this demonstration is kept."""
    scenario = source.get("scenario_file")
    text = Path(str(scenario)).read_text("utf-8") if scenario else options.scenario
    key = key_of(plant_file.read_text("utf-8"), text, options.seed, BLOCK_S, ORIGIN_NS, PLAN)
    return Cache(options.data / "past", key)


def rate(plant: Plant) -> tuple[float, float]:
    """Blocks a second and megabytes a minute that the demonstration's gateway sends in steady state."""
    options = Options(interval_s=INTERVAL_S, block_s=BLOCK_S)
    blocks = [t for m in plant.machines for t in tasks_of(m, options) if t.point is not None]
    per_second = sum(RATE / t.every_s for t in blocks)
    bytes_a_second = sum(2 * t.n * len(t.channels) * RATE / t.every_s for t in blocks)
    return per_second, bytes_a_second * 60 / 1e6


def _run(
    options: DemoOptions, screen: Screen, words: Catalogue, *, folder: Path, demo: _Demo, began_s: float
) -> None:
    plant = demo.plant
    screen.say(words.text("demo.starting", machines=len(plant.machines)))
    clock = PlantClock(start_ns=ORIGIN_NS, rate=RATE, wall_start_ns=time.time_ns())
    restored = _restored(demo.cache, DataFolder(folder / "data"), plant)
    live = {"type": "simulated", **demo.source, "interval_s": INTERVAL_S}
    history = {"type": "simulated_history", **demo.source, "first": list(FIRST)}
    sources = [live] if restored else [live, history]
    with EmbeddedPlant(
        folder,
        demo.plant_file,
        broker=options.broker,
        console_port=options.port,
        lang=options.lang,
        clock=clock,
        ingest={"spectrum_interval_s": SPECTRUM_EVERY_S, "waveform_budget_bytes": KEPT_MB * 1024 * 1024},
        agents=[Agent(plant.site_id, NODE, sources, {"outbox_mb": KEPT_MB})],
    ) as embedded:
        _leave_settings(folder, demo, embedded.broker_port)
        past = Past(demo.cache, plant, ORIGIN_NS, restored=restored, agent=f"agent {NODE}")
        watch = Watch(embedded, plant, clock, past, words=words, screen=screen, began_s=began_s)
        _introduce(embedded, plant, words, watch)
        if restored:
            watch.say(words.text("demo.past_restored", days=DAYS))
        if options.browser and has_display():
            webbrowser.open(embedded.page_url)
        watch.run(options.seconds)


def _leave_settings(folder: Path, demo: _Demo, broker_port: int) -> None:
    """plant.toml and operator.toml beside the data, where the commands look for them or are pointed to."""
    operator = {"site": demo.plant.site_id, "broker": {"host": "127.0.0.1", "port": broker_port}}
    try:
        shutil.copyfile(demo.plant_file, folder / PLANT_FILE)
        (folder / "operator.toml").write_text(toml_text(operator), "utf-8")
    except OSError as error:
        raise DemoError(f"the folder {folder} can't be written: {error.strerror}") from error


def _restored(cache: Cache, data: DataFolder, plant: Plant) -> bool:
    """Whether the past lies where the ingest will look for it. Raises DemoError."""
    try:
        return cache.restore(data.historian, plant)
    except OSError as error:
        raise DemoError(f"the history can't be copied to {data.path}: {error.strerror}") from error


def _introduce(embedded: EmbeddedPlant, plant: Plant, words: Catalogue, watch: Watch) -> None:
    """Where the page is, and how fast time passes."""
    blocks, megabytes = rate(plant)
    watch.say(words.text("demo.page", url=embedded.page_url))
    watch.say(
        words.text(
            "demo.rate",
            days=words.number(RATE * 60 / 86_400, 0),
            rate=words.number(RATE, 0),
            broker=embedded.broker_name,
            block=words.number(BLOCK_S, 1),
            interval=words.number(INTERVAL_S / 60, 0),
            blocks=words.number(blocks, 0),
            megabytes=words.number(megabytes, 0),
        )
    )
    shown = f"palier alarms list --data {shlex.quote(str(embedded.data.path))}"
    watch.say(words.text("demo.hint", command=shown))


def has_display() -> bool:
    """Whether a browser could open a window; without one, some would open in the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
