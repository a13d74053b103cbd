"""Which machine a record belongs to, and the plant.toml of recordings that nobody wrote one for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.types import Bearing
from palier.plant import Plant
from palier.recordings import Recording, Recordings

from .sources.replay import block_length, machine_names, safe_name

POINT = "1"


class ReplayPlanError(ValueError):
    """The recordings and the plant do not go together; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Machine and labels of each record, by (number of its file, name), in the order of playing."""

    machines: Mapping[tuple[int, str], str]
    labels: Mapping[tuple[int, str], Mapping[str, str]] = field(default_factory=dict)
    point: str = POINT


def plan_by_record(files: Sequence[Recordings]) -> Plan:
    """A machine for each record, named after it."""
    name = machine_names()
    return Plan({(i, record): name(record) for i, file in enumerate(files) for record in file.names})


def plan_in_plant(files: Sequence[Recordings], plant: Plant, machine: str | None) -> Plan:
    """All records are of `machine`, or each of the machine that has its name. Raises ReplayPlanError."""
    if machine is None and len(plant.machines) == 1:
        machine = plant.machines[0].id
    known = {spec.id for spec in plant.machines}
    machines = {
        (i, record): machine or safe_name(record) for i, file in enumerate(files) for record in file.names
    }
    strangers = sorted(set(machines.values()) - known)
    if strangers:
        raise ReplayPlanError(
            f"the plant has no machine {', '.join(strangers[:5])}{' …' * (len(strangers) > 5)}: records must "
            "be named as its machines are, or say with --machine which one they are of "
            f"(known: {', '.join(sorted(known)[:10])})"
        )
    points = {spec.points[0].id for spec in plant.machines if spec.id in set(machines.values())}
    if len(points) > 1:
        raise ReplayPlanError(
            f"the machines' first points have different names ({', '.join(sorted(points))}); "
            "replay one machine at a time with --machine"
        )
    return Plan(machines, point=points.pop())


def made_plant_text(
    site: str, records: Iterable[tuple[str, Recording]], bearing: Bearing | None, designation: str | None
) -> str:
    """plant.toml with a machine for each (machine, record): without limits, for nobody stated any.

    `designation` is written where the bearing is a known one, otherwise its orders are.
    """
    head = [
        "# Made from recordings: a machine for each record. No limits apply: each point is learning.",
        "",
        "[site]",
        f"id = {_text(site)}",
        f"name = {_text(site)}",
        'timezone = "UTC"',
    ]
    lines = [line for machine, record in records for line in _machine(machine, record, bearing, designation)]
    return "\n".join([*head, *lines]) + "\n"


def _machine(
    machine: str, record: Recording, bearing: Bearing | None, designation: str | None
) -> Iterator[str]:
    yield ""
    yield "[[machine]]"
    yield f"id = {_text(machine)}"
    yield f"name = {_text(_title(record))}"
    yield 'kind = "machine"'
    nominal = f", rpm = {record.rpm!r}" if record.rpm else ""  # a machine at rest tells of none
    source = "unknown" if record.rpm is None else "frame"
    yield f'speed = {{ source = "{source}"{nominal} }}'
    yield 'limits = "none"'
    yield ""
    yield "[[machine.point]]"
    yield f"id = {_text(POINT)}"
    if bearing is not None:
        yield f"bearing = {_bearing(bearing, designation)}"
    for channel in record.channels:
        yield ""
        yield "[[machine.point.channel]]"
        yield f"id = {_text(safe_name(channel))}"
        yield 'quantity = "acceleration"'
        yield f"unit = {_text(record.unit)}"
        yield f"fs_hz = {record.fs_hz!r}"
        yield f"samples = {block_length(record, None)}"


def _title(record: Recording) -> str:
    """The record's name with its labels: what stands on a tile of the page."""
    labels = " ".join(f"{key} {value}" for key, value in list(record.labels.items())[:4])
    return f"{record.name} ({labels})" if labels else record.name


def _bearing(bearing: Bearing, designation: str | None) -> str:
    if designation is not None:
        return _text(designation)
    orders = ", ".join(f"{name} = {getattr(bearing, name)!r}" for name in ("bpfo", "bpfi", "bsf", "ftf"))
    return f"{{ designation = {_text(bearing.designation)}, {orders}, source = {_text(bearing.source)} }}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON text is a TOML one
