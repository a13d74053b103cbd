"""The plant: site > machine > point > channel, read from plant.toml into the value types of `models`.

Reading is strict: whatever is unknown, doubtful or would fail later is a mistake with its line, and all
mistakes are told at once. `palier/samples/plant.toml` is the documentation of the format.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from models.features.bands import USABLE_FRACTION
from models.features.catalogue import NAMES as FEATURES
from models.features.gate import RATES_HZ, SHORTEST_BLOCK
from models.features.mounting import USABLE_HZ, highest_of
from models.types import (
    UNITS,
    Bearing,
    ChannelSpec,
    MachineSpec,
    PointSpec,
    Quantity,
)

from .bearings import read_bearing
from .driveline import read_belt, read_gear, read_impeller, read_motor
from .foreign_metrics import read_foreign
from .frames import MAX_FRAME_BYTES
from .local_time import NoSuchZoneError, zone_names, zone_of
from .strict_toml import ConfigError, Document, Table, did_you_mean, parse_toml, read_toml

KINDS: Final = ("pump", "fan", "motor", "gearmotor", "gearbox", "compressor", "spindle", "machine")
"""What a machine is: the symptoms and advice that apply follow from it. "machine" is any other."""

CRITICALITIES: Final = ("A", "B", "C")
"""A: stops the line or endangers people; B: slows it; C: has a spare."""

MOUNTINGS: Final = tuple(USABLE_HZ)
"""How a sensor is held; each narrows the usable band (ISO 5348)."""

DIRECTIONS: Final = ("H", "V", "A", "")
"""Horizontal, vertical, axial, or none where a direction has no meaning."""

SPEED_SOURCES: Final = ("fixed", "frame", "reading", "unknown")

NO_LIMITS: Final = "none"
"""No standard applies: the point is learning until it has a baseline of its own."""

BYTES_PER_SAMPLE: Final = 4
"""The widest sample of the wire (int32, float32). The plant does not fix the sample type, the gateway does:
a block that fits only as int16 would be refused on the day somebody changes the converter."""

FRAME_OVERHEAD_BYTES: Final = 4096
"""Bound of what a payload carries beside its samples: names, properties, time and identity."""


class PlantError(ConfigError):
    """A plant.toml that can't be one: `mistakes` holds every mistake with its line; str() is a line each."""


@dataclass(frozen=True, slots=True)
class Plant:
    """The machines of one site, as they are judged.

    `limits_file` holds the plant's own limits and bearings, for `palier.limits.load_limits(overrides=...)`.
    """

    site_id: str
    site_name: str
    timezone: str
    machines: tuple[MachineSpec, ...]
    limits_file: Path | None = None

    def machine(self, machine_id: str) -> MachineSpec | None:
        """The machine of that id, or None."""
        return next((m for m in self.machines if m.id == machine_id), None)


def load_plant(path: Path) -> Plant:
    """The plant of a TOML file. Raises PlantError with every mistake at once."""
    try:
        document = read_toml(path)
    except ConfigError as error:
        raise PlantError(error.file, error.mistakes) from error
    return _read(document, path.parent)


def parse_plant(
    text: str,
    *,
    file: Path,
    limits: Collection[str] | None = None,
    bearings: Mapping[str, Bearing] | None = None,
) -> Plant:
    """As `load_plant`, from text. Limits (their ids) and bearings default to the shipped ones."""
    try:
        document = parse_toml(text, file)
    except ConfigError as error:
        raise PlantError(error.file, error.mistakes) from error
    return _read(document, file.parent, limits, bearings)


def sample_plant_path() -> Path:
    """The annotated sample: a site with five machines."""
    return Path(str(resources.files("palier") / "samples" / "plant.toml"))


def load_sample_plant() -> Plant:
    """The plant of `sample_plant_path`."""
    return load_plant(sample_plant_path())


@dataclass(frozen=True, slots=True)
class _Known:
    """What names in a plant may refer to."""

    limits: Collection[str]
    bearings: Mapping[str, Bearing]


def _read(
    document: Document,
    folder: Path,
    limits: Collection[str] | None = None,
    bearings: Mapping[str, Bearing] | None = None,
) -> Plant:
    root = document.root()
    site = root.table("site", required=True)
    limits_file = _limits_file(site, folder)
    if limits is None or bearings is None:
        shipped = _shipped_and_own(site, limits_file)
        limits = shipped.limits if limits is None else limits
        bearings = shipped.bearings if bearings is None else bearings
    known = _Known(limits, bearings)
    machines = root.array("machine")
    if not machines:
        root.mistake(None, "[[machine]] is missing: a plant has at least one machine")
    plant = Plant(
        site_id=site.name("id"),
        site_name=site.text("name"),
        timezone=_timezone(site),
        machines=tuple(_machine(table, known) for table in machines),
        limits_file=limits_file,
    )
    _refuse_duplicates(machines, (m.id for m in plant.machines), "machine")
    document.refuse(PlantError)
    return plant


def _limits_file(site: Table, folder: Path) -> Path | None:
    name = site.text("limits_file", "")
    if not name:
        return None
    path = folder / name
    if not path.is_file():
        site.mistake("limits_file", f"limits_file must be a file beside the plant's; there is no {path}")
        return None
    return path


def _shipped_and_own(site: Table, limits_file: Path | None) -> _Known:
    """The limits and bearings of the house with those of the site's own file over them."""
    from .limits import LimitsError, load_bearings

    try:
        return _Known(point_limits(limits_file), load_bearings(limits_file))
    except LimitsError as error:
        site.mistake("limits_file", f"limits_file can't be used: {'; '.join(error.sentences())}")
        return _Known(point_limits(None), load_bearings())


def point_limits(limits_file: Path | None = None) -> tuple[str, ...]:
    """The ids of limits that a machine or point may name: those of vibration, the site's own included.

    Raises palier.limits.LimitsError for a file that can't be used.
    """
    from .limits import load_limits

    return tuple(row.id for row in load_limits(limits_file).values() if row.quantity in FEATURES)


def _timezone(site: Table) -> str:
    name = site.text("timezone")
    try:
        zone_of(name)
    except NoSuchZoneError:
        names = zone_names()
        if name and names:  # empty on a system without a time zone database: then nothing can be said
            site.mistake(
                "timezone",
                f'timezone must be a name like "Africa/Casablanca", got {name!r}{did_you_mean(name, names)}',
            )
    return name


def _machine(table: Table, known: _Known) -> MachineSpec:
    limits = _limits(table, known)
    points = table.array("point")
    if not points:
        table.mistake(
            None, f"machine {table.data.get('id')!r} has no [[machine.point]]: give it at least one"
        )
    speed = table.table("speed", required=True)
    source = speed.choice("source", SPEED_SOURCES)
    rpm = _speed_rpm(speed, source)
    machine = MachineSpec(
        id=table.name("id"),
        name=table.text("name", ""),
        line=table.text("line", ""),
        kind=table.choice("kind", KINDS),
        criticality=table.choice("criticality", CRITICALITIES, "B"),
        power_kw=table.number("power_kw", None, above=0),
        points=tuple(_point(point, limits, known) for point in points),
        speed_rpm=rpm,
        speed_source=source,
        speed_channel=speed.text("channel") if source == "reading" else None,
        gears=tuple(read_gear(gear) for gear in table.array("gear")),
        impeller=read_impeller(table),
        belt=read_belt(table),
        motor=read_motor(table, rpm),
    )
    _refuse_duplicates(points, (p.id for p in machine.points), "point")
    _check_speed_channel(speed, machine)
    return machine


def _speed_rpm(speed: Table, source: str) -> float | None:
    """Needed where the speed is fixed; elsewhere the nominal speed, if anybody knows it."""
    if source == "fixed":
        return speed.number("rpm", above=0)
    return speed.number("rpm", None, above=0)


def _check_speed_channel(speed: Table, machine: MachineSpec) -> None:
    if machine.speed_channel is None:
        return
    names = [f"{p.id}/{c.id}" for p in machine.points for c in p.channels if c.quantity is Quantity.SPEED]
    if machine.speed_channel not in names:
        there = ", ".join(names) or "it has none"
        speed.mistake(
            "channel",
            f"speed channel {machine.speed_channel!r} must be POINT/CHANNEL of a channel of this machine "
            f'with quantity "speed" ({there})',
        )


def _point(table: Table, machine_limits: str | None, known: _Known) -> PointSpec:
    channels = table.array("channel")
    if not channels:
        table.mistake(None, f"point {table.data.get('id')!r} has no [[machine.point.channel]]: give it one")
    point = PointSpec(
        id=table.name("id"),
        name=table.text("name", ""),
        bearing=read_bearing(table, known.bearings),
        shaft_order=table.number("shaft_order", 1.0, above=0) or 1.0,
        mounting=table.choice("mounting", MOUNTINGS, "stud"),
        limits=_limits(table, known) if "limits" in table else machine_limits,
        demodulation_hz=_band(table, "demodulation_hz"),
        channels=tuple(_channel(channel) for channel in channels),
    )
    if "limits" not in table:
        table.text("limits", "")
    _refuse_duplicates(channels, (c.id for c in point.channels), "channel")
    _refuse_large_blocks(table, point)
    _refuse_unheard_band(table, point)
    return point


def _limits(table: Table, known: _Known) -> str | None:
    limits = table.text("limits")
    if limits == NO_LIMITS:
        return None
    if limits and limits not in known.limits:
        near = did_you_mean(limits, known.limits) or f" (known: {', '.join(sorted(known.limits))})"
        table.mistake("limits", f'unknown limits {limits!r}{near}; "none" where no standard applies')
    return limits


def _channel(table: Table) -> ChannelSpec:
    quantity = table.choice("quantity", [q.value for q in Quantity])
    known = quantity in {q.value for q in Quantity}
    unit = table.text("unit")
    if known and unit and unit not in UNITS[Quantity(quantity)]:
        choices = ", ".join(f'"{u}"' for u in UNITS[Quantity(quantity)])
        table.mistake("unit", f"the unit of {quantity} must be one of {choices}, got {unit!r}")
    fs_hz = table.number("fs_hz", None, above=0)
    if fs_hz is not None and not RATES_HZ[0] <= fs_hz <= RATES_HZ[1]:
        table.mistake(
            "fs_hz",
            f"fs_hz must be from {RATES_HZ[0]:g} to {RATES_HZ[1]:,.0f} samples a second, got {fs_hz:g}",
        )
    samples = table.integer("samples", low=SHORTEST_BLOCK) if "samples" in table else None
    if known:
        _check_sampling(table, Quantity(quantity))
    return ChannelSpec(
        id=table.name("id"),
        quantity=Quantity(quantity) if known else Quantity.ACCELERATION,
        unit=unit,
        direction=table.choice("direction", DIRECTIONS, ""),
        fs_hz=fs_hz,
        n_samples=samples,
        usable_hz=table.number("usable_hz", None, above=0),
        foreign=read_foreign(table, block=quantity == Quantity.ACCELERATION.value),
    )


def _band(table: Table, key: str) -> tuple[float, float] | None:
    if key not in table:
        return None
    given = table.listed(key)
    edges = [float(one) for one in given if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(edges) != len(given) or len(edges) != 2 or not 0 < edges[0] < edges[1] < RATES_HZ[1]:
        table.mistake(key, f"{key} must be two frequencies in Hz that rise, e.g. [3200, 4800], got {given}")
        return None
    return edges[0], edges[1]


def _check_sampling(table: Table, quantity: Quantity) -> None:
    """Vibration comes in blocks; everything else is slow readings."""
    for key in ("fs_hz", "samples"):
        if quantity is Quantity.ACCELERATION and key not in table:
            table.mistake(None, f"{key} is missing: an acceleration channel is sampled in blocks")
        if quantity is not Quantity.ACCELERATION and key in table:
            table.mistake(key, f"{key} must not be given: a {quantity} channel is a slow reading")


def _refuse_unheard_band(table: Table, point: PointSpec) -> None:
    """A band that rate, mounting or sensor do not carry would be named in vain."""
    rates = [channel.fs_hz for channel in point.channels if channel.fs_hz is not None]
    if point.demodulation_hz is None or not rates or point.mounting not in MOUNTINGS:
        return
    highest_hz = min(*highest_of(point).values(), USABLE_FRACTION * min(rates))
    if sum(point.demodulation_hz) / 2 > highest_hz:
        table.mistake(
            "demodulation_hz",
            f"demodulation_hz must lie below {highest_hz:g} Hz, which rate, usable_hz and mounting "
            f"({point.mounting}) leave, got {list(point.demodulation_hz)}",
        )


def _refuse_large_blocks(table: Table, point: PointSpec) -> None:
    """Channels of one point with equal rate and length are sampled together and travel as one frame."""
    together: defaultdict[tuple[float, int], int] = defaultdict(int)
    for channel in point.channels:
        if channel.fs_hz is not None and channel.n_samples is not None:
            together[channel.fs_hz, channel.n_samples] += 1
    for (fs_hz, samples), channels in together.items():
        size = channels * samples * BYTES_PER_SAMPLE + FRAME_OVERHEAD_BYTES
        if size > MAX_FRAME_BYTES:
            most = (MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES) // (channels * BYTES_PER_SAMPLE)
            table.mistake(
                None,
                f"a block of point {point.id!r} ({channels} x {samples} samples at {fs_hz:g} Hz, "
                f"{BYTES_PER_SAMPLE} bytes each) is {size} bytes, above the {MAX_FRAME_BYTES} of a frame: "
                f"at most {most} samples fit",
            )


def _refuse_duplicates(tables: Iterable[Table], ids: Iterable[str], what: str) -> None:
    first: dict[str, Table] = {}
    for table, name in zip(tables, ids, strict=True):
        if name and name in first:
            line = first[name].document.line((*first[name].path, "id"))
            table.mistake("id", f"duplicate {what} id {name!r}, first used in line {line}")
        first.setdefault(name, table)
