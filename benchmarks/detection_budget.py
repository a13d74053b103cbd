"""False alerts of healthy machines and delays of seeded changes, by simulation: the detector's budget.

Machines are simulated whose features vary as a first-order autoregressive process of ten-minute blocks: a
level times exp(0.2 r), with r of autocorrelation 0.7 or 0.95. At σ = 0.2 the statistical rule decides, not
the least ratio of two (at 0.1 no single feature ever alarms). Features share `COMMON` of their variance, or
nothing. Each machine learns 7 or 30 days and is then judged for a month of 30 days by the monitor as it
ships: all tests together, grouped to one alarm. No data are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks, Part
from models.detection.monitor import TESTS, Monitor
from models.types import Refusal

from .detection_protocol import Figure, Protocol

BLOCK_S: Final = 600.0
DAY: Final = 144
"""Blocks of a day."""

MONTH: Final = 30 * DAY
SIGMA: Final = 0.2
SPEED_HZ: Final = 25.0
GOAL: Final = "< 1"
SEED: Final = 20816
COMMON: Final = 0.5

AT_ONCE: Final = 50
"""Machines simulated together: two months of 40 features of each are 140 MB, held some five times over."""

MACHINES: Final = 50
"""Machines of a row of the table: with a rate of 0.4 a month its standard error is 0.09."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A kind of machine: `features`, `rho` of ten-minute blocks, `days` of baseline, variance in `common`."""

    features: int
    rho: float
    days: int
    common: float = 0.0

    @property
    def title(self) -> str:
        """As tables name it."""
        shared = ", correlated" if self.common else ""
        return f"{self.features} features{shared}, autocorrelation {self.rho:g}, {self.days} d"


@dataclass(frozen=True, slots=True)
class Alerts:
    """Grouped false alerts of a machine in a month, and by test those that were on when one was raised."""

    machines: int
    per_month: float
    by_test: dict[str, float]


@dataclass(frozen=True, slots=True)
class Change:
    """What is seeded when judging begins: a step in σ, a drift in σ a day, in how many features."""

    step: float = 0.0
    drift_per_day: float = 0.0
    features: int = 1


def false_alerts(plan: Plan, machines: int = MACHINES, seed: int = SEED) -> Alerts:
    """What healthy machines of a kind are alarmed."""
    raised, by_test = 0, np.zeros(len(TESTS))
    for n, rng in _batches(machines, seed):
        tests, levels = _judged(plan, n, rng, Change(), MONTH)
        fresh = levels > 0
        fresh[1:] &= levels[:-1] == 0
        raised += int(fresh.sum())
        by_test += tests[fresh].sum(axis=0)
    return Alerts(
        machines, raised / machines, {t: float(c) / machines for t, c in zip(TESTS, by_test, strict=True)}
    )


def delays(
    plan: Plan, change: Change, machines: int = MACHINES, blocks: int = MONTH, seed: int = SEED
) -> npt.NDArray[np.float64]:
    """Blocks until each machine is first alarmed after a change, inf where it was not in `blocks`."""
    found = []
    for n, rng in _batches(machines, seed):
        on = _judged(plan, n, rng, change, blocks)[1] > 0
        found.append(np.where(on.any(axis=0), on.argmax(axis=0) + 1.0, np.inf))
    return np.concatenate(found)


def _judged(
    plan: Plan, n: int, rng: np.random.Generator, change: Change, blocks: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
    """Tests (blocks, n, tests) and levels (blocks, n) of n machines after their baselines."""
    learn = plan.days * DAY
    r = _residuals(plan, learn + blocks, n, rng)
    t = np.arange(1.0, blocks + 1)[:, None, None]
    r[learn:, :, : change.features] += change.step + change.drift_per_day * t / DAY
    x = np.asarray(np.exp(SIGMA * r), dtype=np.float64)
    time_s = BLOCK_S * np.arange(learn + blocks, dtype=np.float64)
    names = tuple(f"feature_{i}" for i in range(plan.features))
    parts = [Part(_baseline(x[:learn, m], time_s[:learn], names)) for m in range(n)]
    monitor = Monitor(names, parts)
    _, decided = monitor.run(monitor.start(), Blocks(time_s[learn:, None], x[learn:], speed_hz=SPEED_HZ))
    return decided.tests, decided.level


def _baseline(
    x: npt.NDArray[np.float64], time_s: npt.NDArray[np.float64], names: tuple[str, ...]
) -> Baseline:
    found = Baseline.fit(x, Context(time_s), names=names)
    if isinstance(found, Refusal):
        raise TypeError(f"a baseline of {len(x)} blocks was refused: {found.reason}")
    return found


def _residuals(plan: Plan, m: int, n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Stationary residuals (m, n, features) of variance 1."""
    noise = rng.standard_normal((m, n, plan.features + 1)) * np.sqrt(1 - plan.rho**2)
    noise[0] /= np.sqrt(1 - plan.rho**2)
    series = lfilter([1.0], [1.0, -plan.rho], noise, axis=0)
    own = np.sqrt(1 - plan.common) * series[..., 1:]
    return np.asarray(own + np.sqrt(plan.common) * series[..., :1], dtype=np.float64)


def _batches(machines: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    for first in range(0, machines, AT_ONCE):
        yield min(AT_ONCE, machines - first), np.random.default_rng((seed, first))


PLANS: Final = tuple(Plan(d, rho, days) for d in (12, 40) for rho in (0.7, 0.95) for days in (7, 30))
CHANGES: Final = (
    ("step of 3 σ in one feature", Change(step=3.0)),
    ("step of 5 σ in one feature", Change(step=5.0)),
    ("step of 8 σ in one feature", Change(step=8.0)),
    ("step of 3 σ in a third of the features", Change(step=3.0, features=4)),
    ("drift of 1 σ a day in one feature", Change(drift_per_day=1.0)),
)


def run(_: Path, machines: int = MACHINES) -> Iterable[Figure]:
    """The table: false alerts of every plan, then the delays of every change."""
    source = "the budget of a machine and month"
    for plan in (*PLANS, *(Plan(p.features, p.rho, p.days, COMMON) for p in PLANS if p.rho > 0.9)):
        found = false_alerts(plan, machines)
        told = ", ".join(f"{test} {rate:.3f}" for test, rate in found.by_test.items() if rate)
        yield Figure(f"false alerts, {plan.title}", found.per_month, "a month", GOAL, source, note=told)
    for rho in (0.7, 0.95):
        for title, change in CHANGES:
            blocks = delays(Plan(12, rho, 30), change, max(1, machines // 2), 7 * DAY)
            seen = float(np.isfinite(blocks).mean())
            hours = float(np.median(blocks)) * BLOCK_S / 3600
            yield Figure(
                f"median delay, {title}, autocorrelation {rho:g}",
                hours if np.isfinite(hours) else None,
                "h",
                note=f"{seen:.0%} of the machines within 7 days",
            )


PROTOCOL: Final = Protocol(
    "false-alarms",
    "False alerts of simulated healthy machines",
    needs=(),
    run=run,
    about=(
        "Simulated machines whose features remember each other from block to block learn 7 or 30 days and "
        "are judged for a month by all tests together; alerts are grouped to one a machine."
    ),
)
