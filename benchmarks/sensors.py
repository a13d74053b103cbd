"""Three axes at 26.7 kHz for hours: samples lost, processor, memory, what dead sensors cost the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from palier.options import FAILED, CommandError

from .machine import BLAS_VARIABLES, Machine, look
from .sensors_found import Found

CORE_GOAL: Final = 0.10
PEAK_GOAL: Final = 60_000_000
JITTER_GOAL: Final = 1.25
"""Of the 99th percentile between bursts: chance alone moves it by so much from run to run."""

FIFO_MS: Final = 512 / 26.667
"""From a look at an empty FIFO to the first lost sample."""

SIDE_SHARE: Final = 5
"""The runs beside the long one take so many times less: they compare, and a minute or two shows it."""

SHORTEST_S: Final = 5.0
_ROOT: Final = Path(__file__).parent.parent

RUNS: Final = {
    "iis3dwb": "IIS3DWB, 3 axes",
    "beside": "the same, a dead and a hanging one beside it",
    "mcc172": "MCC 172, 2 channels at 25.6 kHz",
}


@dataclass(frozen=True)
class Run(Found):
    """What the process of one kind of gateway found."""

    kind: str

    @property
    def core(self) -> float:
        """Share of a core, the fake devices taken off."""
        return self.cpu_s / self.seconds

    @property
    def whole(self) -> bool:
        """Whether no sample was lost on the way to the outbox."""
        return self.lost_by_fifo == self.gaps == self.broken == 0 and self.taken > 0


@dataclass(frozen=True)
class SensorsReport:
    """`reference_core` is the share of the driver alone, its samples thrown away."""

    machine: Machine
    reference_core: float
    runs: tuple[Run, ...]

    def run(self, kind: str) -> Run:
        """The run of a kind."""
        return next(run for run in self.runs if run.kind == kind)

    @property
    def jitter(self) -> float:
        """99th percentile between bursts with dead sensors beside, times that without."""
        beside, alone = self.run("beside"), self.run("iis3dwb")
        return beside.intervals_ms["p99"] / alone.intervals_ms["p99"]

    def goals(self) -> Iterable[tuple[str, str, bool]]:
        """What must be reached, what was, and whether."""
        for run in self.runs:
            lost = run.lost_by_fifo + run.gaps + run.broken
            yield f"no sample lost ({run.kind})", f"{lost} of {run.taken}", run.whole
        most = max(run.core for run in self.runs)
        yield f"at most {CORE_GOAL:.0%} of a core", f"{most:.1%}", most <= CORE_GOAL
        peak = max(run.peak_bytes for run in self.runs)
        yield f"at most {PEAK_GOAL / 1e6:.0f} MB", f"{peak / 1e6:.1f} MB", peak <= PEAK_GOAL
        yield "a dead sensor costs the others nothing", f"p99 x {self.jitter:.2f}", self.jitter <= JITTER_GOAL

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "version": 1,
            "machine": asdict(self.machine),
            "reference_core": self.reference_core,
            "runs": [{**asdict(run), "core": run.core} for run in self.runs],
            "goals": [{"goal": goal, "reached": was, "met": met} for goal, was, met in self.goals()],
        }


def bench_sensors(seconds: float, tell: Callable[[str], None] = lambda _what: None) -> SensorsReport:
    """Run all, one after the other. Raises CommandError where a run fails, or outside a checkout."""
    if not (_ROOT / "tests" / "support" / "fake_accelerometers.py").is_file():
        raise CommandError("the fake sensors come with the tests: run `palier bench sensors` in a checkout")
    machine = look()
    side_s = max(SHORTEST_S, seconds / SIDE_SHARE)
    tell("the driver alone")
    reference = _child("reference", min(30.0, side_s), Path())
    runs = []
    for kind, title in RUNS.items():
        lasts_s = seconds if kind == "iis3dwb" else side_s
        tell(f"{title}, {lasts_s:.0f} s")
        with tempfile.TemporaryDirectory(prefix="palier-sensors-") as folder:
            runs.append(Run(kind=kind, **_child(kind, lasts_s, Path(folder))))
    return SensorsReport(machine, reference["cpu_s"] / reference["seconds"], tuple(runs))


def _child(kind: str, seconds: float, folder: Path) -> dict[str, Any]:
    """What a process of its own found: its memory is that of an agent, not of a benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sensors_gateway", kind, str(seconds), str(folder)],
        cwd=_ROOT,
        env={**os.environ, **dict.fromkeys(BLAS_VARIABLES, "1")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"the run {kind} failed: {done.stderr[-2000:]}", FAILED)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
