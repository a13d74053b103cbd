"""A version of the registry over the plant's own past, beside what is in force: `palier model replay`.

    report = replay_version(asked, workers=None, progress=...)

What is in force is, for baselines, what the ingest judges by now (its records say it: the plant's own or the
registry's; without records, the registry's); for a detector or a classifier the version of the same name that
the registry has in force, and where there is none, for a detector, those baselines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from models.detection.bands import standard_limits
from models.detection.baseline import Baseline
from models.detection.measured import Part
from models.detection.plain import decode, from_arrays
from models.features.catalogue import NAMES
from models.training.dataset import PointHistory
from models.training.gathering import FEATURE, learnable, medians, velocity_of
from models.training.replay import Judge, ReplayError, replay
from models.training.replay_report import Prices, ReplayReport
from models.training.replay_truth import DAY_S, MONTH_S, Stretch
from models.types import PointSpec, Quantity
from palier.historian.folder import DataFolder
from palier.historian.opening import HistorianSettings
from palier.historian.rows import Transition
from palier.limits import load_limits
from palier.operations import Baseline as BaselineTold
from palier.operations import BaselineStatus
from palier.registry import Registry

if TYPE_CHECKING:
    from models.bundle import Bundle
    from palier.historian.history import History

LEAD_S: Final = 7 * DAY_S
"""How long before the period is read: what slopes look back."""

OWN: Final = "own"
"""Name of what the plant learned by itself."""

MODEL: Final = "#model"
TRAINED: Final = "#trained"
"""Keys of the records: "MACHINE/POINT#model:VERSION"."""

AXIAL: Final = "A"

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Where:
    """Where the data are: the settings of the historian, the ingest's folder, the plant where it is given."""

    historian: HistorianSettings
    data: Path
    plant: Path | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be replayed: "NAME:VERSION" of a registry, machines (none: all it knows), times in s since
    1970 UTC.
    """

    where: Where
    registry: Path
    spec: str
    start_s: float
    end_s: float
    machines: tuple[str, ...] = ()
    prices: Prices | None = None
    public_key: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """What judges a point now: its baseline, medians in good health by column, whose it is, since when."""

    baseline: Baseline
    levels: Mapping[str, float]
    name: str
    trained: Stretch


def replay_version(
    asked: Asked, *, workers: str | None = None, progress: Callable[[int, int], None] | None = None
) -> ReplayReport:
    """The report over all machines, one job each. Raises ReplayError, FleetError, HistorianError, BundleError
    and RegistryError.
    """
    from palier.fleet import run

    machines = _machines(asked)
    jobs = [replace(asked, machines=(machine,)) for machine in machines]
    found = run(replay_machine, jobs, workers=workers, names=machines, progress=progress)
    reports = [one for one in found if isinstance(one, ReplayReport)]
    left_out = tuple(one for one in found if isinstance(one, str))
    if not reports:
        raise ReplayError(left_out[0])
    in_force = sorted({one.in_force for one in reports} - {""})
    return replace(ReplayReport.joined(reports), in_force=", ".join(in_force), left_out=left_out)


def replay_machine(asked: Asked) -> ReplayReport | str:
    """One machine, from reading to its report; a sentence where it has nothing to be replayed over."""
    from palier.historian.history_opening import open_by

    (machine,) = asked.machines
    bundle = _bundle(asked.registry, asked.spec, asked.public_key)
    where = asked.where
    with open_by(where.historian, where.data, plant=where.plant) as history:
        start_ns, end_ns = round((asked.start_s - LEAD_S) * 1e9), round(asked.end_s * 1e9)
        histories = list(history.points(machine, start=start_ns, end=end_ns))
        now = in_force(where.data, history.site, machine)
        parts = {one.place: _part(history, one) for one in histories}
    candidate = _judge(asked.spec, bundle, histories, parts, now)
    judge = _beside(asked, bundle, histories, parts, now)
    try:
        return replay(
            histories, candidate, judge, start_s=asked.start_s, end_s=asked.end_s, prices=asked.prices
        )
    except ReplayError as error:
        return f"{machine}: {error}"


def in_force(data: Path, site: str, machine: str) -> dict[Place, InForce]:
    """What the ingest judges the points of a machine by, from its records; nothing where there are none."""
    from palier.historian.records import RecordsReader

    path = DataFolder(data).records
    if not path.is_file():
        return {}
    records = RecordsReader(path)
    try:
        told = [
            BaselineTold.from_told(json.loads(row.value)) for row in records.baselines() if row.site == site
        ]
        newest = max(
            (one for one in told if one.machine == machine), key=lambda one: one.version, default=None
        )
        states = records.states(site, f"{machine}/")
        learned = _learned_s(records.transitions(0, "baseline"), site, machine, newest)
    finally:
        records.close()
    found = {}
    for (_, key), text in states.items():
        point, mark, version = key.removeprefix(f"{machine}/").partition(f"{MODEL}:")
        if newest is None or not mark or version != str(newest.version):
            continue
        kept = states.get((site, f"{machine}/{point}{TRAINED}:{version}"), "")
        found[site, machine, point] = _in_force(text, kept, newest, learned.get(point))
    return found


def _learned_s(
    events: Iterable[Transition], site: str, machine: str, told: BaselineTold | None
) -> dict[str, float]:
    """When each point of a machine had learned the version that is in force."""
    return {
        event.point: event.ts_ns / 1e9
        for event in events
        if told is not None
        and (event.site, event.machine, event.state) == (site, machine, BaselineStatus.LEARNED)
        and json.loads(event.detail).get("version") == told.version
    }


def _in_force(text: str, kept: str, told: BaselineTold, learned_s: float | None) -> InForce:
    """A point's model as the records hold it. Raises ReplayError for one of another version of Palier."""
    try:
        arrays = decode(text)
        mine = {name.partition(".")[2]: a for name, a in arrays.items() if name.startswith("baseline.")}
        baseline = from_arrays(Baseline, mine)
        channels = [str(name) for name in arrays["channels"].tolist()]
        levels = np.asarray(arrays["levels"], dtype=np.float64)
        spans = decode(kept) if kept else {}
    except (KeyError, TypeError, ValueError) as error:
        raise ReplayError(
            f"the baseline in force of {told.machine} was written by another version of Palier: {error}"
        ) from error
    known = {
        f"{channel}/{name}": float(levels[c, FEATURE[name]])
        for c, channel in enumerate(channels)
        for name in NAMES
    }
    end_s = told.since_ns / 1e9 if learned_s is None else learned_s
    # A first baseline may be of a past that came after the machine's first live block, when it was opened.
    opened_s = told.opened_ns / 1e9 if told.version > 1 else 0.0
    span = Stretch(max(opened_s, end_s - MONTH_S), max(end_s, opened_s + 1))
    if spans:
        span = Stretch(float(spans["start_s"]), float(spans["end_s"]) + 1)
    name = str(arrays.get("origin", "")) or f"{OWN}:{told.version}"
    return InForce(baseline, known, name, span)


def _machines(asked: Asked) -> list[str]:
    """The machines that are asked for and that the version can judge. Raises ReplayError."""
    from palier.historian.history_opening import open_by

    bundle = _bundle(asked.registry, asked.spec, asked.public_key)
    with open_by(asked.where.historian, asked.where.data, plant=asked.where.plant) as history:
        there = list(history.machines())
    unknown = [one for one in asked.machines if one not in there]
    if unknown:
        raise ReplayError(f"there are no rows of {', '.join(unknown)}; there are some of {', '.join(there)}")
    judged = {place[1] for place in bundle.places}
    wanted = [one for one in (asked.machines or there) if not judged or one in judged]
    if not wanted:
        raise ReplayError(f"{asked.spec} judges {', '.join(sorted(judged))}, and none of them was asked for")
    return wanted


@cache
def _bundle(registry: Path, spec: str, public_key: bytes | None) -> Bundle:
    from models.bundle import load
    from palier.detectors import installed

    found = Registry(registry)
    one = found.resolve(spec)
    return load(found.read(one), spec=one.spec, public_key=public_key, detectors=installed().factories)


def _beside(
    asked: Asked,
    bundle: Bundle,
    histories: list[PointHistory],
    parts: Mapping[Place, Part],
    now: Mapping[Place, InForce],
) -> Judge | None:
    """What the candidate is compared with; None where nothing is in force."""
    if bundle.kind != "baselines":
        other = Registry(asked.registry).line(bundle.name).in_force
        if other is not None and other.spec != asked.spec:
            loaded = _bundle(asked.registry, other.spec, asked.public_key)
            return _judge(other.spec, loaded, histories, parts, now)
        if bundle.kind == "classifier":
            return None
    if not now:
        return _of_registry(asked, histories, parts)
    mine = {
        place: replace(part, baseline=now[place].baseline) for place, part in parts.items() if place in now
    }
    alone = {place: part for place, part in parts.items() if place not in now}
    name = ", ".join(sorted({one.name for one in now.values()}))
    return Judge(name, {**alone, **mine}, trained={place: one.trained for place, one in now.items()})


def _of_registry(asked: Asked, histories: list[PointHistory], parts: Mapping[Place, Part]) -> Judge | None:
    """Baselines that the registry has in force, where the ingest's records are not at hand."""
    registry = Registry(asked.registry)
    lines = (registry.line(name) for name in registry.names())
    there = (line.in_force for line in lines if line.in_force and line.in_force.kind == "baselines")
    found = next((one for one in there if one is not None and one.spec != asked.spec), None)
    if found is None:
        return None
    return _judge(found.spec, _bundle(asked.registry, found.spec, asked.public_key), histories, parts, {})


def _judge(
    spec: str,
    bundle: Bundle,
    histories: list[PointHistory],
    parts: Mapping[Place, Part],
    now: Mapping[Place, InForce],
) -> Judge:
    """A version as the replay takes it."""
    trained = {}
    of_points = [(one, one.get("trained", {})) for one in bundle.manifest.points]
    of_points += [(one, one) for one in bundle.manifest.told.get("trained", ())]
    for one, span in of_points:
        if "start_s" in span:
            place = tuple(one["place"])
            trained[place] = Stretch(float(span["start_s"]), float(span["end_s"]) + 1)
    if bundle.kind == "classifier":
        names = {one.place: partial(_named, bundle, now.get(one.place)) for one in histories}
        return Judge(spec, names=names, trained=trained)
    if bundle.kind == "detector":
        known = set(bundle.places)
        scores = {one.place: partial(_scored, bundle) for one in histories if one.place in known}
        return Judge(spec, scores=scores, trained=trained)
    mine = {
        place: replace(part, baseline=bundle.baselines[place].baseline)
        for place, part in parts.items()
        if place in bundle.baselines
    }
    return Judge(spec, mine, trained=trained)


def _scored(bundle: Bundle, history: PointHistory) -> tuple[Any, float]:
    found = bundle.score(history)
    return found.score, found.threshold


def _named(bundle: Bundle, now: InForce | None, history: PointHistory) -> Any:
    """A classifier's answers, against the point in good health: as the baseline in force has it, else as the
    first week of what was read was (nothing later: nobody knew it then).
    """
    if now is not None:
        levels = np.array([now.levels.get(name, np.nan) for name in history.names])
    else:
        first = history.between(float(history.time_s[0]), float(history.time_s[0]) + LEAD_S)
        context = first.context
        usable = learnable(first.time_s, context.running, context.in_alarm, context.interventions_s)
        levels = medians(first.x[usable])
    return bundle.classify(history, levels).label


def _part(history: History, one: PointHistory) -> Part:
    """What the standard judges a point by, as the ingest does."""
    machine = history.plant.machine(one.machine)
    point = machine.point(one.point) if machine else None
    if machine is None or point is None:
        return Part()
    limits = load_limits(history.plant.limits_file).get(point.limits or "")
    velocity = velocity_of(machine, point, limits)
    alert, danger = standard_limits(limits) if velocity in FEATURE else (np.nan, np.nan)
    zoned = tuple(f"{channel}/{velocity}" for channel in _radial(point))
    return Part(alert=alert, danger=danger, zoned=tuple(name for name in zoned if name in one.names))


def _radial(point: PointSpec) -> list[str]:
    channels = [c for c in point.channels if c.quantity is Quantity.ACCELERATION]
    return [c.id for c in ([c for c in channels if c.direction != AXIAL] or channels)]
