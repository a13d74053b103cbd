"""Baselines and detectors of a fleet: a machine a job, on this computer's cores or on a cluster.

Each job reads its own machine where it runs, so that no more than a machine for each core is in memory. A
cluster sees the history only by a URL; of a file here its blocks are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from palier.options import USAGE, CommandError

from .model_options import history_of

if TYPE_CHECKING:
    from models.training.dataset import PointHistory
    from models.training.detectors import Factory
    from models.training.fit import Trained
    from palier.historian.history import History

    from .train import Source


Told = Callable[[int, int], None]
"""Hears how many machines of how many are done."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A detector, by its name where it is built in: of each point, or of each kind of machine."""

    detector: str | Factory
    per: str
    seed: int


@dataclass(frozen=True, slots=True)
class Job:
    """One machine: where its history is, or the history itself; of a detector, which."""

    source: Source
    machine: str
    histories: tuple[PointHistory, ...] | None = None
    wanted: Wanted | None = None


def fit_all(source: Source, workers: str | None, told: Told) -> Trained:
    """Baselines of all machines of a history. Raises HistorianError, FleetError, CommandError."""
    from models.training.fit import baselines_of

    return baselines_of(_done(fit_one, source, None, workers, told))


def detect_all(source: Source, wanted: Wanted, workers: str | None, told: Told) -> Trained:
    """A detector of all machines of a history. Raises as `fit_all`."""
    from models.training.fit import detector_of_kinds, detectors_of
    from models.training.fit_detector import name_of

    found = _done(detect_one, source, wanted, workers, told)
    if wanted.per == "kind":
        return detector_of_kinds(found, wanted.detector, seed=wanted.seed)
    return detectors_of(found, name_of(wanted.detector))


def fit_one(job: Job) -> tuple[Any, ...]:
    """The baselines of a machine's points, or why a point has none: what a worker does."""
    from models.training.fit import fit_machine

    blocks = _with_blocks(job).histories
    return fit_machine(blocks) if blocks else ()


def detect_one(job: Job) -> tuple[Any, ...]:
    """What a detector is made of, of a machine's points, or why a point has none: what a worker does."""
    from models.training.fit import fit_detectors, healthy_of

    blocks, wanted = _with_blocks(job).histories, job.wanted
    if not blocks or wanted is None:
        return ()
    return (
        healthy_of(blocks)
        if wanted.per == "kind"
        else fit_detectors(blocks, wanted.detector, seed=wanted.seed)
    )


def _done(
    function: Callable[[Job], tuple[Any, ...]],
    source: Source,
    wanted: Wanted | None,
    workers: str | None,
    told: Told,
) -> list[Any]:
    """What `function` makes of each machine, in their order."""
    from palier import fleet

    with history_of(source.config, source.data) as history:
        machines = machines_of(history, source)
    jobs = [Job(source, machine, wanted=wanted) for machine in machines]
    if workers is not None and _is_file(source):
        jobs = [_with_blocks(job) for job in jobs]
    found = fleet.run(function, jobs, workers=workers, names=machines, progress=told)
    return [one for some in found for one in some]


def machines_of(history: History, source: Source) -> tuple[str, ...]:
    """The machines that are asked for; without any, those of the plant that have rows."""
    if source.machines:
        return source.machines
    planned = {machine.id for machine in history.plant.machines}
    return tuple(name for name in history.machines() if name in planned)


def _is_file(source: Source) -> bool:
    """Whether the history is a file of this computer, whoever names it."""
    from palier.settings import load_settings

    from .export_settings import ExportSettings

    return source.config is None or load_settings(ExportSettings, source.config).historian.url is None


def wanted_of(name: str, per: str, seed: int) -> Wanted:
    """The detector of that name. Raises CommandError for one that is not there, or can't be loaded."""
    from models.training.detectors import BUILT_IN
    from palier.detectors import installed as look

    installed = look()
    if per not in ("point", "kind"):
        raise CommandError(f"--per must be point or kind, got {per!r}", USAGE)
    factories: Mapping[str, Any] = installed.factories
    if name in factories:
        return Wanted(name if name in BUILT_IN else factories[name], per, seed)
    broken = installed.broken.get(name)
    if broken is not None:
        raise CommandError(f"the detector {name} can't be loaded: {broken}")
    raise CommandError(f"--detector must be one of {', '.join(sorted(factories))}, got {name!r}", USAGE)


def _with_blocks(job: Job) -> Job:
    if job.histories is not None:
        return job
    with history_of(job.source.config, job.source.data) as history:
        found = history.points(job.machine, start=job.source.start, end=job.source.end)
        return replace(job, histories=tuple(found))
