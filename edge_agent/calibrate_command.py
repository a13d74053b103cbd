"""`palier calibrate`: what a sensor's numbers are worth, and where the housing under it rings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palier.options import (
    USAGE,
    CommandError,
    FsOption,
    JsonOption,
    LangOption,
    catalogue,
)

if TYPE_CHECKING:
    from models.types import PointSpec
    from palier.locale import Catalogue

    from .calibrations import Entry
    from .sensors.continuous import ContinuousSource
    from .taking import Taken

calibrate = typer.Typer(
    help="Calibrate a sensor: by gravity, by a reference tone, by its certificate; find a housing's "
    "resonance.\n\nFrom recordings, or from a sensor of agent.toml (stop the agent first: a sensor has one "
    "reader). What comes out is printed as the lines to put into agent.toml or plant.toml, and, with "
    "--config, kept in calibrations.jsonl beside agent.toml.",
    short_help="Calibrate a sensor; find a housing's resonance by knocking.",
    epilog="\b\nExample:\n  palier calibrate static --config agent.toml --source iis3dwb\n"
    "  palier calibrate tone shaker.wav --unit g --channel h\n"
    "  palier calibrate bump --config agent.toml --plant plant.toml --point P-101/2",
    no_args_is_help=True,
)

RecordingsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[RECORDING]...", help="npz, npy, csv, wav, mat or parquet; or --config."),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit", metavar="m/s²|g", help="Unit of the samples; needed where the file does not say it."
    ),
]
AgentOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="agent.toml: calibrate a sensor of this gateway."),
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="NAME", help="Which [[source]]: its type; iis3dwb-2 is the second of two."
    ),
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", metavar="S", min=0.2, max=60.0, help="How long is sampled.")
]
ChannelNameOption = Annotated[
    str | None,
    typer.Option("--channel", metavar="NAME", help="Which channel; needed where there are several."),
]


@calibrate.command()
def static(
    recordings: RecordingsArgument = None,
    *,
    config: AgentOption = None,
    source: SourceOption = None,
    fs: FsOption = None,
    unit: UnitOption = None,
    seconds: SecondsOption = 3.0,
    gravity: Annotated[
        float, typer.Option("--gravity", metavar="M/S²", min=9.7, max=9.9, help="Gravity of this place.")
    ] = 9.80665,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """By gravity: each axis once up and once down, in any order. For sensors that measure 0 Hz (MEMS)."""
    from models.calibration import pose, solve

    from .calibrations import static_entry
    from .rests import ask_rests

    words = catalogue(lang)
    with told():
        if recordings:
            taken = from_recordings(recordings, fs, unit)
            poses = [pose(one.samples_m_s2, g_m_s2=gravity) for one in taken]
        else:
            taken, poses = ask_rests(live(config, source), seconds, gravity, words, aside=json_output)
        entry = static_entry(taken[0], solve(poses, g_m_s2=gravity), gravity)
    finish(entry, config, words, json_output=json_output)


@calibrate.command()
def tone(
    recordings: RecordingsArgument = None,
    *,
    config: AgentOption = None,
    source: SourceOption = None,
    fs: FsOption = None,
    unit: UnitOption = None,
    seconds: SecondsOption = 4.0,
    channel: ChannelNameOption = None,
    hz: Annotated[
        float, typer.Option("--hz", metavar="HZ", min=1.0, help="The shaker's frequency.")
    ] = 159.155,
    rms: Annotated[
        float, typer.Option("--rms", metavar="M/S²", min=0.01, help="The shaker's acceleration, RMS.")
    ] = 10.0,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """By a reference tone: one channel on a shaker that is known.

    Its level and frequency are given.
    """
    from models.calibration import measure_tone

    from .calibrations import tone_entry

    words = catalogue(lang)
    with told():
        taken, row = one_channel(sampled(recordings, config, source, seconds, fs_hz=fs, unit=unit), channel)
        found = measure_tone(taken.samples_m_s2[row], taken.fs_hz, reference_hz=hz, reference_rms_m_s2=rms)
        entry = tone_entry(taken, row, found, hz, rms)
    finish(entry, config, words, json_output=json_output)


@calibrate.command()
def bump(
    recordings: RecordingsArgument = None,
    *,
    config: AgentOption = None,
    source: SourceOption = None,
    fs: FsOption = None,
    unit: UnitOption = None,
    seconds: SecondsOption = 10.0,
    channel: ChannelNameOption = None,
    plant: Annotated[
        Path | None, typer.Option("--plant", metavar="FILE", help="plant.toml: bearing, speed and mounting.")
    ] = None,
    point: Annotated[
        str | None, typer.Option("--point", metavar="MACHINE/POINT", help="Which point of --plant.")
    ] = None,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """By knocking on the standing machine: where its housing rings.

    It proposes the band to demodulate there.
    """
    from models.calibration import demodulation_band, resonance
    from models.features.mounting import usable_hz

    from .calibrations import bump_entry

    words = catalogue(lang)
    with told():
        place = find_place(plant, point)
        if not recordings and not json_output:
            typer.echo(words.text("calibrate.knock", seconds=words.number(seconds, 0)))
        taken, row = one_channel(sampled(recordings, config, source, seconds, fs_hz=fs, unit=unit), channel)
        highest = usable_hz(place.mounting if place.spec else taken.mounting or "stud", place.sensor_hz)
        found = resonance(taken.samples_m_s2[row], taken.fs_hz, usable_hz=highest)
        band = demodulation_band(
            found, fs_hz=taken.fs_hz, usable_hz=highest, bpfi_hz=place.bpfi_hz, speed_hz=place.speed_hz
        )
        entry = bump_entry(taken, row, found, band, point)
    finish(entry, config, words, json_output=json_output)


@calibrate.command()
def sensitivity(
    mv_per_g: Annotated[float, typer.Argument(metavar="MV_PER_G", min=0.001, help="From the certificate.")],
    *,
    volts: Annotated[
        float, typer.Option("--volts", metavar="V", min=0.001, help="The converter's full scale, peak.")
    ] = 5.0,
    bits: Annotated[int, typer.Option("--bits", metavar="N", min=8, max=32, help="The converter's.")] = 24,
    amplification: Annotated[
        float, typer.Option("--amplification", metavar="TIMES", min=0.001, help="Before the converter.")
    ] = 1.0,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """By its certificate: mV/g and the converter's range.

    They give the scale of a count, and what it can hold.
    """
    from .calibrations import sensitivity_entry

    finish(
        sensitivity_entry(mv_per_g, volts, bits, amplification),
        None,
        catalogue(lang),
        json_output=json_output,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """What a plant says of where the sensor sits; nothing where no plant was given."""

    spec: PointSpec | None = None
    bpfi_hz: float | None = None
    speed_hz: float = 0.0

    @property
    def mounting(self) -> str:
        """How it is held."""
        return "stud" if self.spec is None else self.spec.mounting

    @property
    def sensor_hz(self) -> float | None:
        """What its sensor is good for; None where nobody said."""
        channels = () if self.spec is None else self.spec.channels
        return min((one.usable_hz for one in channels if one.usable_hz is not None), default=None)


def find_place(file: Path | None, name: str | None) -> Place:
    """The point of --plant and --point. Raises ValueError with a sentence."""
    if file is None or name is None:
        if (file is None) != (name is None):
            raise ValueError("--plant and --point belong together: give both, or none")
        return Place()
    from models.types import BEARING_DEFECTS
    from palier.plant import load_plant

    plant = load_plant(file)
    there = {f"{m.id}/{p.id}": (m, p) for m in plant.machines for p in m.points}
    if name not in there:
        raise ValueError(f"--point must be one of {', '.join(there)}, got {name!r}")
    machine, point = there[name]
    speed_hz = (machine.speed_rpm or 0.0) / 60 * point.shaft_order
    orders = dict(zip(BEARING_DEFECTS, point.bearing.orders, strict=True)) if point.bearing else {}
    bpfi = orders.get("bpfi")
    return Place(point, bpfi * speed_hz if bpfi and speed_hz else None, speed_hz)


@contextmanager
def told() -> Iterator[None]:
    """What can't be calibrated ends the command with its sentence."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from error


def live(config: Path | None, name: str | None) -> ContinuousSource:
    """The sensor of --config and --source. Raises CommandError, ValueError."""
    if config is None:
        raise CommandError("give recordings, or --config agent.toml for a sensor of this gateway", USAGE)
    from .settings import load_settings
    from .taking import find_sensor

    return find_sensor(load_settings(config), name)[1]


def from_recordings(paths: list[Path], fs: float | None, unit: str | None) -> list[Taken]:
    """All records. Raises ValueError."""
    from .taking import of_recordings

    return of_recordings(paths, fs_hz=fs, unit=unit)


def sampled(
    paths: list[Path] | None,
    config: Path | None,
    name: str | None,
    seconds: float,
    *,
    fs_hz: float | None,
    unit: str | None,
) -> Taken:
    """One record, or some seconds of a sensor."""
    if paths:
        found = from_recordings(paths, fs_hz, unit)
        if len(found) != 1:
            raise CommandError(f"one record is needed, got {len(found)}", USAGE)
        return found[0]
    from .taking import of_sensor

    return of_sensor(live(config, name), seconds)


def one_channel(taken: Taken, name: str | None) -> tuple[Taken, int]:
    """The row of --channel. Raises ValueError."""
    if name is None and len(taken.channels) == 1:
        return taken, 0
    if name not in taken.channels:
        raise ValueError(f"--channel must be one of {', '.join(taken.channels)}, got {name or 'nothing'}")
    return taken, taken.channels.index(name)


def finish(entry: Entry, config: Path | None, words: Catalogue, *, json_output: bool) -> None:
    """Print what was found and the lines to write; keep it beside agent.toml."""
    from .calibrations import FILE_NAME, keep, sentences

    if json_output:
        typer.echo(json.dumps(entry.told(), ensure_ascii=False))
    else:
        for line in sentences(entry, words):
            typer.echo(line)
        for line in entry.lines:
            typer.echo(f"    {line}")
    if config is None:
        return
    try:
        keep(config.parent / FILE_NAME, entry)
    except OSError as error:
        raise CommandError(f"the result is told above and not kept: {error}") from error
    if not json_output:
        typer.echo(words.text("calibrate.kept", file=FILE_NAME))
