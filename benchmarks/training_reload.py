"""A model is put in force while a real ingest stores a thousand frames a second: what does a frame notice?

Gateways send at an even rate to a broker and an ingest of its own; meanwhile another version of the baselines
of every point is promoted, and rolled back. The pause is what the ingest says of itself: the time between two
batches that it spent on the change. Beside it stands what a gateway sees: the longest time without an
acknowledgement around each swap, and of as many seconds without one.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models import bundle
from models.training.fit import train_baselines
from palier.historian.records import RecordsReader
from palier.plant import load_plant
from palier.registry import Note, Registry

from .ingest_fleet import Fleet
from .ingest_publisher import Publisher
from .ingest_services import running
from .training_data import Months, history_of

NAME: Final = "baselines"
RATE: Final = 1000.0
LED_UP_S: Final = 6.0
"""Seconds of load before the first promotion, and between two: an ingest looks each five seconds."""

AFTER_S: Final = 1.0
"""Seconds after a swap in which a pause is laid to it."""

LEARNED: Final = Months(1, 14)
SWAPS: Final = 3
_PAUSE: Final = re.compile(r"pause_ms\W+([0-9.]+)")


class Reload(NamedTuple):
    """`sent` and `stored` frames; `rate` frames a second that were stored; `swaps` how often a model was put
    in force; `pause_ms` the longest time that the ingest spent on one. `silent_ms` is the longest time
    without an acknowledgement from a promotion to a second after its swap, `usual_ms` that of as many seconds
    without one (the median of such stretches). `late_s` is how long a promotion waited at most.
    """

    sent: int
    stored: int
    rate: float
    swaps: int
    pause_ms: float
    silent_ms: float
    usual_ms: float
    late_s: float
    points: int


def measure(fleet: Fleet, rate: float = RATE) -> Reload:
    """Runs it, some half a minute. Raises ChildError, RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        folder = Path(name)
        registry = _registry(folder, fleet)
        more = f'\n[models]\nfolder = "{registry.path}"\n'
        with running(folder, "sqlite", fleet, settings=more) as house:
            publisher = Publisher(house.port, fleet, time.time_ns())
            publisher.connect()
            publisher.run_first(fleet.points)
            promoted = _Promotions(registry)
            promoted.start()
            began_s, ahead_ns = time.perf_counter(), time.time_ns() - time.perf_counter_ns()
            publisher.run(LED_UP_S * (SWAPS + 1), rate)
            ended_s = time.perf_counter()
            promoted.join()
            publisher.settle()
            house.check()
        swaps_s = _swaps(folder, ahead_ns)
        pauses_ms = _pauses_ms(folder)
    if promoted.failed:
        raise RuntimeError(f"a promotion failed: {promoted.failed}")
    acknowledged = np.sort(np.array([back for _, back in publisher.stored]))
    within = acknowledged[(acknowledged >= began_s) & (acknowledged < ended_s)]
    stretches = _stretches(promoted.at_s, swaps_s)
    return Reload(
        sent=publisher.frames,
        stored=len(publisher.stored),
        rate=len(within) / (ended_s - began_s),
        swaps=len(stretches),
        pause_ms=max(pauses_ms, default=float("nan")),
        silent_ms=1e3 * max((_longest(within, *one) for one in stretches), default=float("nan")),
        usual_ms=1e3 * _usual(within, stretches),
        late_s=max((end - AFTER_S - start for start, end in stretches), default=float("nan")),
        points=fleet.points,
    )


class _Promotions(threading.Thread):
    """A person who promotes one version, then the other, then rolls back; `at_s` when each was done."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(daemon=True)
        self._registry = registry
        self.at_s: list[float] = []
        self.failed = ""

    def run(self) -> None:
        """All of them, with time between for the ingest to look."""
        note = Note("bench", "measured", time.time_ns())
        acts: tuple[Callable[[], object], ...] = (
            lambda: self._registry.promote(NAME, 1, note, forced=True),
            lambda: self._registry.promote(NAME, 2, note, forced=True),
            lambda: self._registry.rollback(NAME, note),
        )
        for act in acts:
            time.sleep(LED_UP_S)
            try:
                act()
            except Exception as error:  # noqa: BLE001 - told by the thread that waits
                self.failed = str(error)
                return
            self.at_s.append(time.perf_counter())


def _registry(folder: Path, fleet: Fleet) -> Registry:
    """Two versions of the baselines of every point of the fleet."""
    (folder / "learn.toml").write_text(fleet.plant())
    plant = load_plant(folder / "learn.toml")
    registry = Registry(folder / "registry")
    registry.path.mkdir()
    for days in (LEARNED.days, LEARNED.days - 2):
        months = LEARNED._replace(days=days)
        histories = [
            history_of(machine, point, months, site=plant.site_id)
            for machine in plant.machines
            for point in range(len(machine.points))
        ]
        trained = train_baselines(histories)
        if trained.parts is None:
            raise RuntimeError(f"no baselines were trained: {trained.refused}")
        note = Note("bench", "trained", time.time_ns())
        registry.add(NAME, bundle.pack(trained.parts, name=NAME), note, kind="baselines")
    return registry


def _swaps(folder: Path, ahead_ns: int) -> list[float]:
    """When the ingest put a model in force, by this process's clock, as its records tell."""
    records = RecordsReader(folder / "data" / "records.sqlite")
    try:
        found = records.transitions(kind="model")
    finally:
        records.close()
    return sorted((one.ts_ns - ahead_ns) / 1e9 for one in found if one.state == "in force")


def _pauses_ms(folder: Path) -> list[float]:
    """What the ingest's log says that it spent on each change."""
    log = (folder / "ingest.log").read_text("utf-8", errors="replace")
    told = (_PAUSE.search(line) for line in log.splitlines() if "model_taken" in line)
    return [float(found[1]) for found in told if found]


def _stretches(promoted_s: Sequence[float], swaps_s: Sequence[float]) -> list[tuple[float, float]]:
    """From each promotion to a second after its swap."""
    found = []
    for at_s in promoted_s:
        swap_s = next((one for one in swaps_s if one >= at_s), None)
        if swap_s is not None:
            found.append((at_s, swap_s + AFTER_S))
    return found


def _longest(acknowledged: npt.NDArray[np.float64], start_s: float, end_s: float) -> float:
    """The longest time without an acknowledgement in a stretch, s."""
    some = acknowledged[(acknowledged >= start_s) & (acknowledged < end_s)]
    return float(np.diff(np.concatenate(([start_s], some, [end_s]))).max())


def _usual(acknowledged: npt.NDArray[np.float64], swaps: Sequence[tuple[float, float]]) -> float:
    """The median of the longest pauses of stretches without a swap, as long as those with one."""
    if not swaps or not acknowledged.size:
        return float("nan")
    lasting = float(np.median([end - start for start, end in swaps]))
    starts = np.arange(acknowledged[0], acknowledged[-1] - lasting, lasting / 2)
    free = [s for s in starts if all(s + lasting <= a or s >= b for a, b in swaps)]
    return float(np.median([_longest(acknowledged, s, s + lasting) for s in free])) if free else float("nan")
