"""`palier demo --training`: exercises on simulated machines, in a folder and on a page of their own.

The machines of a session send four weeks of blocks through gateway, broker and ingest once; what came of it
stays for the next time. A plant's data is never near: site, plant file, historian and results are its own.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from palier.brokers import BrokerKind
from palier.clock import PlantClock
from palier.embedded import Agent, EmbeddedPlant
from palier.locale import Catalogue
from palier.plant import load_sample_plant
from palier.training import Session, TrainingError, said
from palier.training_results import TrainingFolder, table_text

from .demo import DemoError, check_port, has_display
from .demo_cache import key_of
from .demo_watch import REFRESH_S, Screen
from .interruptions import Interrupted, interruptions
from .run_folder import locked
from .training_draw import drawn_session
from .training_file import read_exercises, shipped_session
from .training_plant import SITE, plant_text
from .training_times import END_S

NODE: Final = "salle"
PREPARED: Final = "prepared"
"""A file that stands in the data of a session of which all blocks have come."""

KEPT: Final = 3
"""Sessions whose data stay: some 270 MB for ten exercises."""

WAVEFORMS_MB: Final = 1024
"""Nothing is thinned away before it was looked at: the largest session has 800 MB."""

OUTBOX_MB: Final = 64
"""The source is patient: few blocks wait at a time."""

ASKED_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a training is asked to be: the exercises of a file; `seed` alone: machines drawn by lot; neither:
    the graded ones that come with Palier. `seconds` None: until it is stopped."""

    data: Path
    port: int
    exercises: Path | None = None
    seed: int | None = None
    lang: str = "fr"
    seconds: float | None = None
    browser: bool = True
    broker: BrokerKind = "auto"


def session_of(options: TrainingOptions) -> Session:
    """The session that is asked for, with its key. Raises DemoError with all mistakes of a file."""
    plant = load_sample_plant()
    try:
        if options.exercises is not None:
            session = read_exercises(options.exercises, plant)
        elif options.seed is not None:
            session = drawn_session(options.seed, plant)
        else:
            session = shipped_session(plant)
    except ValueError as error:
        raise DemoError(str(error)) from error
    if options.exercises is not None and options.seed is not None:
        moved = tuple(replace(one, seed=one.seed + options.seed) for one in session.exercises)
        session = replace(session, exercises=moved)
    return replace(session, key=_key(session), end_ns=round(END_S * 1e9))


def run_training(options: TrainingOptions, screen: Screen) -> None:
    """Run until stopped or until its time is over; all processes have ended when this returns.

    Raises DemoError, run_folder.RunFolderError or EmbeddedError, each with a sentence.
    """
    session = session_of(options)
    words, folder = Catalogue(options.lang), TrainingFolder(options.data)
    with locked(options.data):  # first: who holds the port may be another training, and its lock says so
        check_port(options.port)
        try:
            data = _prepare(folder, session)
        except OSError as error:
            raise DemoError(f"the folder {options.data} can't be written: {error.strerror}") from error
        try:
            with interruptions():
                _run(options, screen, words, folder=folder, session=session, data=data)
        except Interrupted:
            pass
        screen.say(words.text("training.stopped", file=folder.results_file))


def write_results(folder: Path, file: Path) -> str:
    """All results as a table in a file, and a sentence that says so. Raises DemoError."""
    try:
        results = TrainingFolder(folder).results()
        file.write_text(
            table_text(results), "utf-8-sig", newline=""
        )  # spreadsheets need the mark for accents
    except TrainingError as error:
        raise DemoError(str(error)) from error
    except OSError as error:
        raise DemoError(f"{file} can't be written: {error.strerror}") from error
    return f"{len(results)} results written to {file}"


def _key(session: Session) -> str:
    """The name of the data that a session's machines make: texts and what is expected do not change it."""
    parts = [(one.id, one.model, one.seed, one.blocks, one.truth) for one in session.exercises]
    machines = hashlib.sha256(plant_text(session).encode()).hexdigest()
    return key_of(parts, machines, END_S)


def _prepare(folder: TrainingFolder, session: Session) -> Path:
    """The data folder of a session, and its session file; what was begun and not finished begins anew."""
    data = folder.path / f"data-{session.key}"
    if (data / PREPARED).exists():
        shutil.rmtree(data / "outbox", ignore_errors=True)  # all of it was acknowledged
    elif data.exists():
        shutil.rmtree(data)
    data.mkdir(mode=0o700, exist_ok=True)
    data.touch()
    others = sorted(folder.path.glob("data-*"), key=lambda path: path.stat().st_mtime)
    for old in others[:-KEPT]:
        shutil.rmtree(old)
    (data / "plant.toml").write_text(plant_text(session), "utf-8")
    making = folder.session_file.with_suffix(".new")
    making.write_text(session.to_json(), "utf-8")
    making.replace(folder.session_file)
    return data


def _run(
    options: TrainingOptions,
    screen: Screen,
    words: Catalogue,
    *,
    folder: TrainingFolder,
    session: Session,
    data: Path,
) -> None:
    title = said(session.title, words.lang)
    screen.say(words.text("training.starting", title=title, exercises=len(session.exercises)))
    prepared = (data / PREPARED).exists()
    plant_file = data / "plant.toml"
    source = {"type": "simulated_exercises", "folder": str(folder.path), "plant_file": str(plant_file)}
    with EmbeddedPlant(
        data,
        plant_file,
        broker=options.broker,
        console_port=options.port,
        lang=options.lang,
        clock=PlantClock(start_ns=session.end_ns, wall_start_ns=time.time_ns()),
        ingest={"waveform_budget_bytes": WAVEFORMS_MB * 1024 * 1024},
        page={"training": str(folder.path)},
        agents=[] if prepared else [Agent(SITE, NODE, [source], {"outbox_mb": OUTBOX_MB})],
    ) as embedded:
        screen.say(words.text("training.page", url=embedded.page_url))
        if prepared:
            screen.say(words.text("training.restored"))
        if options.browser and has_display():
            webbrowser.open(embedded.page_url)
        _watch(embedded, data, words, screen, options.seconds)


def _watch(
    embedded: EmbeddedPlant, data: Path, words: Catalogue, screen: Screen, seconds: float | None
) -> None:
    """Until the time is over; notes when all blocks have come. Raises EmbeddedError when a part ends."""
    end_s = None if seconds is None else time.monotonic() + seconds
    marker = data / PREPARED
    while end_s is None or time.monotonic() < end_s:
        embedded.check()
        if not marker.exists():
            shares = _shares(embedded.console_port or 0)
            share = sum(shares.values()) / len(shares) if shares else 0.0
            if shares and min(shares.values()) >= 1:
                marker.touch()
                screen.say(words.text("training.all_ready"))
                screen.show(())
            else:
                screen.show((), (words.text("training.preparing_bar"), share))
        time.sleep(REFRESH_S)


def _shares(port: int) -> Mapping[str, float]:
    """How far each exercise is, as the page tells it; nothing while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASKED_S)
    try:
        connection.request("GET", "/training/ready")
        found = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}
