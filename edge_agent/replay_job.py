"""What `palier replay` does, from its options to what it found."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from palier.clock import PlantClock
from palier.frames import NAME_PATTERN
from palier.options import USAGE, CommandError
from palier.recordings import Recording, Recordings, open_recordings

from .outbox import OutboxError
from .replay_plant import Plan, ReplayPlanError, made_plant_text, plan_by_record, plan_in_plant
from .replay_run import Outcome, Playlist, Progress, run_replay
from .settings import AgentSettings, BrokerSettings, is_loopback
from .sources.replay import ReplayOptions, ReplaySource, block_length, read_rate

if TYPE_CHECKING:
    from models.types import Bearing
    from palier.embedded import EmbeddedPlant
    from palier.ledger import LedgerLine
    from palier.locale import Catalogue

    from .replay_summary import RecordLines

FAULT_LABEL: Final = "fault"  # the column of an index that says what is wrong with a record
NODE: Final = "replay"
SITE: Final = "replay"
LEDGER_WAIT_S: Final = 10.0  # the report travels for milliseconds; a busy host takes a second


@dataclass(frozen=True, slots=True)
class Job:
    """A replay that is ready to run."""

    files: tuple[Recordings, ...]
    plan: Plan
    source: Playlist
    expected: int  # frames
    site: str
    broker: BrokerSettings | None  # None: embedded
    folder: Path
    made_plant: str | None
    plant_file: Path | None
    patience_s: float
    labels: Mapping[str, tuple[str, str]]  # machine -> (record, fault)

    def notes(self, words: Catalogue) -> Iterator[str]:
        """What should be known before: records that are left out."""
        for file in self.files:
            for item in file.skipped:
                yield words.text("cli.skipped", name=item.name, reason=item.told(words))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `ledger` and `lines` are known only where the host was embedded."""

    outcome: Outcome
    embedded: bool
    folder: Path
    ledger: LedgerLine | None
    lines: tuple[RecordLines, ...]

    @property
    def good(self) -> bool:
        """Whether the host has every frame, and, where it can be known, the ledger adds up."""
        return self.outcome.complete and (not self.embedded or bool(self.ledger and self.ledger.adds_up))


def prepare(
    paths: Sequence[Path],
    *,
    index: Path | None,
    fs_hz: float | None,
    rpm: float | None,
    unit: str | None,
    channel: str | None,
    bearing: Bearing | None,
    designation: str | None,
    plant_file: Path | None,
    machine: str | None,
    broker: str,
    embedded: bool,
    folder: Path | None,
    rate: str,
    site: str | None,
    patience_s: float,
) -> Job:
    """Read the options and the recordings. Raises CommandError, RecordingError, PlantError."""
    files = tuple(
        open_recordings(path, index, fs_hz=fs_hz, rpm=rpm, unit=unit, channel=channel) for path in paths
    )
    plan, plant_site = _plan(files, plant_file, machine)
    site = _site(site, plant_site, embedded)
    speed, clock = _rate(rate), PlantClock()
    sources = [
        ReplaySource(
            ReplayOptions(file.path, point=plan.point, rate=speed),
            file,
            clock,
            {name: plan.machines[i, name] for name in file.names},
        )
        for i, file in enumerate(files)
    ]
    labels: dict[str, tuple[str, str]] = {}
    expected = 0

    def walk() -> Iterator[tuple[str, Recording]]:
        """Every record once, noting what is told of it later; one at a time is in memory."""
        nonlocal expected
        for i, file in enumerate(files):
            for record in file:
                name = plan.machines[i, record.name]
                labels[name] = (record.name, record.labels.get(FAULT_LABEL, ""))
                expected += record.samples.shape[1] // block_length(record, None)
                yield name, record

    text = made_plant_text(site, walk(), bearing, designation)
    return Job(
        files=files,
        plan=plan,
        source=Playlist(sources),
        expected=expected,
        site=site,
        broker=None if embedded else _broker(broker),
        folder=folder or _default_folder(),
        made_plant=text if plant_file is None else None,
        plant_file=plant_file,
        patience_s=patience_s,
        labels=labels,
    )


def run(job: Job, show: Callable[[Progress], None]) -> Result:
    """Play it. Raises CommandError when it can't even begin."""
    try:
        job.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if job.broker is not None:
            _must_answer(job.broker)
            return Result(_play(job, job.broker, show, lambda: None), False, job.folder, None, ())
        with _embedded(job) as plant:
            broker = BrokerSettings(port=plant.broker_port)
            outcome = _play(job, broker, show, plant.check)
            ledger = _ledger(plant, outcome)
            lines = _lines(plant, job, outcome)
        return Result(outcome, True, job.folder, ledger, lines)
    except OutboxError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(
            f"{job.folder} can't be used: {error.strerror}; name another --data", USAGE
        ) from error


def _must_answer(broker: BrokerSettings) -> None:
    """Raises CommandError at once where nobody listens: nothing is taken into the outbox to wait there."""
    from palier.children import accepts

    if not accepts(broker.port):
        raise CommandError(
            f"no broker answers on {broker.host}:{broker.port}: start one and an ingest there, name another "
            "with --broker, or let --embedded start both"
        )


def _default_folder() -> Path:
    from palier.embedded import state_folder

    return state_folder() / "replay"


def _plan(
    files: Sequence[Recordings], plant_file: Path | None, machine: str | None
) -> tuple[Plan, str | None]:
    if plant_file is None:
        if machine is not None:
            raise CommandError("--machine names a machine of --plant: give that too", USAGE)
        return plan_by_record(files), None
    from palier.plant import load_plant

    plant = load_plant(plant_file)
    try:
        return plan_in_plant(files, plant, machine), plant.site_id
    except ReplayPlanError as error:
        raise CommandError(str(error), USAGE) from error


def _site(given: str | None, of_plant: str | None, embedded: bool) -> str:
    site = given or of_plant or SITE
    if not NAME_PATTERN.fullmatch(site):
        raise CommandError(f"--site must match {NAME_PATTERN.pattern}, got {site!r}", USAGE)
    if embedded and of_plant is not None and site != of_plant:
        raise CommandError(f"--site must be that of --plant, {of_plant!r}, got {site!r}", USAGE)
    return site


def _rate(text: str) -> float:
    try:
        return read_rate("max" if text == "max" else float(text))
    except ValueError as error:
        raise CommandError(f'--rate must be a number of at least 0, or "max", got {text!r}', USAGE) from error


def _broker(text: str) -> BrokerSettings:
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, "1883"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise CommandError(f"--broker must be HOST:PORT like 127.0.0.1:1883, got {text!r}", USAGE)
    if not is_loopback(host):
        raise CommandError(
            f"--broker must be on this machine, got {host!r}: for another, let `palier agent` play the "
            'recording over TLS, with a [[source]] of type = "replay" in its agent.toml',
            USAGE,
        )
    return BrokerSettings(host=host, port=int(port))


def _play(
    job: Job, broker: BrokerSettings, show: Callable[[Progress], None], check: Callable[[], None]
) -> Outcome:
    settings = AgentSettings(
        site=job.site, node=NODE, data=job.folder / "outbox" / f"{job.site}-{NODE}", broker=broker
    )
    return run_replay(
        settings,
        job.source,
        expected=job.expected,
        patience_s=job.patience_s,
        show=show,
        check=check,
        clock=PlantClock(),
    )


@contextlib.contextmanager
def _embedded(job: Job) -> Iterator[EmbeddedPlant]:
    from palier.embedded import EmbeddedError, EmbeddedPlant

    plant_file = job.plant_file
    if plant_file is None:
        plant_file = job.folder / "plant.toml"
        plant_file.write_text(job.made_plant or "", "utf-8")
    try:
        with EmbeddedPlant(job.folder, plant_file) as plant:
            yield plant
    except EmbeddedError as error:
        raise CommandError(str(error)) from error


def _ledger(plant: EmbeddedPlant, outcome: Outcome) -> LedgerLine | None:
    """The line of this run's epoch, once the host has the agent's last report; None if it never came."""
    from palier.historian.records import RecordsReader

    reader = RecordsReader(plant.data.records)
    try:
        deadline = time.monotonic() + LEDGER_WAIT_S
        while True:
            lines = reader.ledger_lines(time.time_ns())
            line = next((x for x in lines if (x.edge, x.epoch) == (outcome.edge, outcome.epoch)), None)
            if (line is not None and line.seq >= outcome.last) or time.monotonic() > deadline:
                return line
            time.sleep(0.05)
    finally:
        reader.close()


def _lines(plant: EmbeddedPlant, job: Job, outcome: Outcome) -> tuple[RecordLines, ...]:
    from palier.historian.sqlite import SqliteHistorian

    from .replay_summary import read_lines

    historian = SqliteHistorian(plant.data.historian, read_only=True)
    try:
        return read_lines(historian, job.site, outcome, job.labels)
    finally:
        historian.close()
