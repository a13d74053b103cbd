"""Simulated lives of machines, for the acceptance of remaining life: degradation only, no waveforms.

A machine is healthy until an onset (Weibull); then its damage s grows as e^(∫b·use dt) from a first trace
to 1, its end, with a rate b of its own (lognormal in its class), load³ acceleration, jumps and plateaus. A
part of the machines is repaired on the way, one in ten of them badly: some damage stays. What is seen is a
level, healthy plus damage, with multiplicative noise that remembers. All of a seed; nothing of `models`
takes part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Array = npt.NDArray[np.float64]

FIRST_TRACE: Final = 0.03
"""Damage at the onset."""

REPAIRED: Final = 0.25
"""Share of lives with a repair on the way."""

BAD_REPAIR: Final = 0.1
"""Share of repairs that leave damage."""

LEFT_BY_BAD: Final = 0.2
"""Damage that such a repair leaves, of what there was."""

REPAIR_AT: Final = 0.4
"""Damage at which a repair is made."""


@dataclass(frozen=True, slots=True)
class LifeClass:
    """A kind of machine. Times in hours: `step_h` between values, `healthy_h` and `onset_shape` of the
    Weibull time to the onset, `fold_h` the median time in which damage grows by e at rated load,
    `fold_spread` its lognormal spread. `ratio` is the level at the end over that in health, `noise` and
    `memory` those of the logarithm of the level. `jumps` and `plateaus` are expected numbers in ln(1/0.03)
    folds. `load` and `load_spread` are of a slow random walk of the load, `stopped` the share of time at
    rest."""

    name: str
    step_h: float
    healthy_h: float
    onset_shape: float
    fold_h: float
    fold_spread: float
    ratio: float
    noise: float
    memory: float
    jumps: float
    plateaus: float
    load: float
    load_spread: float
    stopped: float


CLASSES: Final = (
    LifeClass("slurry pump", 4, 900, 1.6, 150, 0.35, 4.0, 0.06, 0.7, 0.8, 0.7, 0.9, 0.10, 0.10),
    LifeClass("conveyor gearmotor", 6, 1500, 1.8, 260, 0.45, 5.0, 0.08, 0.8, 0.4, 1.0, 0.8, 0.15, 0.20),
    LifeClass("induced-draught fan", 4, 1200, 1.7, 200, 0.40, 3.5, 0.05, 0.6, 0.3, 0.5, 0.9, 0.06, 0.05),
    LifeClass("mill stand gearbox", 2, 600, 1.5, 80, 0.50, 6.0, 0.10, 0.8, 1.2, 0.8, 0.85, 0.20, 0.15),
    LifeClass("machining spindle", 1, 300, 2.0, 35, 0.40, 5.0, 0.07, 0.5, 0.5, 0.3, 0.8, 0.15, 0.30),
)
"""Five kinds that grow at different speeds, from a spindle of five days to a gearmotor of five weeks."""


@dataclass(frozen=True, slots=True)
class LifeSet:
    """n lives on m steps: `hours` (m,); `level` (n, m); `use` (n, m) as measured; `end` (n,): step of the
    end; `onset` (n,): step at which the last degradation began; `repair_h` (n,): hours of the repair, −inf
    without; `baseline` and `spread` (n,), learnt from the first weeks of each machine."""

    hours: Array
    level: Array
    use: Array
    end: npt.NDArray[np.intp]
    onset: npt.NDArray[np.intp]
    repair_h: Array
    baseline: Array
    spread: Array


def simulate(kind: LifeClass, n: int, rng: np.random.Generator) -> LifeSet:
    """n lives of a class. Lives that would not end within the longest time are drawn anew in the longest
    one."""
    folds = np.log(1 / FIRST_TRACE)
    learn = 60  # values of the learning period, in health
    rate = np.exp(kind.fold_spread * rng.standard_normal(n)) / kind.fold_h
    begin = learn + (kind.healthy_h * rng.weibull(kind.onset_shape, n) / kind.step_h).astype(np.intp)
    slowest = folds / rate.min() / (kind.load**3 * (1 - kind.stopped)) / kind.step_h
    m = int(begin.max() + 6 * slowest)
    load = _load(kind, n, m, rng)
    gain = rate[:, None] * load**3 * kind.step_h * _moving(kind, rate, load, rng)
    fold = folds / rate / kind.step_h  # steps a life takes at rated load
    jump = rng.random((n, m)) < (kind.jumps / fold)[:, None]
    gain += np.where(jump & (load > 0), rng.exponential(0.3, (n, m)), 0.0)
    damage, onset, repair = _damage(gain, begin, rng)
    end = np.where((damage >= 0).any(axis=1), (damage >= 0).argmax(axis=1), m - 1)
    white = kind.noise * np.sqrt(1 - kind.memory**2) * rng.standard_normal((n, m))
    noise = lfilter([1.0], [1.0, -kind.memory], white, axis=1)
    level = (1 + (kind.ratio - 1) * np.exp(np.minimum(damage, 1.0))) * np.exp(noise)
    hours = np.arange(m, dtype=np.float64) * kind.step_h
    level = np.where((np.arange(m) <= end[:, None]) & (load > 0), level, np.nan)  # at rest nothing is judged
    first = np.log(level[:, :learn])
    baseline = np.nanmedian(first, axis=1)
    spread = 1.4826 * np.nanmedian(np.abs(first - baseline[:, None]), axis=1)
    use = load**3 * np.exp(0.1 * rng.standard_normal((n, m)))
    return LifeSet(hours, level, use, end, onset, repair * kind.step_h, np.exp(baseline), spread)


def _load(kind: LifeClass, n: int, m: int, rng: np.random.Generator) -> Array:
    """Load as a share of the rated one, a week's memory, 0 at rest; stops of about a day."""
    keep = np.exp(-kind.step_h / 168)
    walk = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], rng.standard_normal((n, m)), axis=1)
    hold = max(1, round(24 / kind.step_h))
    rest = np.repeat(rng.random((n, m // hold + 1)) < kind.stopped, hold, axis=1)[:, :m]
    rest[:, :60] = False
    return np.where(rest, 0.0, np.clip(kind.load + kind.load_spread * walk, 0.3, 1.2))


def _moving(kind: LifeClass, rate: Array, load: Array, rng: np.random.Generator) -> Array:
    """1 where damage grows, 0 on a plateau; plateaus last 0.3 folds on average."""
    fold = 1 / rate / kind.step_h
    start = rng.random(load.shape) < (kind.plateaus / (np.log(1 / FIRST_TRACE) * fold))[:, None]
    length = rng.exponential(0.3, load.shape) * fold[:, None]
    place = np.arange(load.shape[1])
    until = np.maximum.accumulate(np.where(start, place + length, -1.0), axis=1)
    return (place > until).astype(np.float64)


def _damage(
    gain: Array, begin: npt.NDArray[np.intp], rng: np.random.Generator
) -> tuple[Array, npt.NDArray[np.intp], Array]:
    """ln s (n, m), −20 in health; the step of the last onset; the step of the repair, −inf without."""
    n, m = gain.shape
    rows, place = np.arange(n), np.arange(m)
    grown = np.cumsum(np.where(place >= begin[:, None], gain, 0.0), axis=1) + np.log(FIRST_TRACE)
    reached = grown >= np.log(REPAIR_AT)
    at = np.where(reached.any(axis=1), reached.argmax(axis=1), m - 1)
    repaired = (rng.random(n) < REPAIRED) & reached.any(axis=1)
    bad = np.asarray(np.less(rng.random(n), BAD_REPAIR))
    pause = np.where(bad, 0, (at - begin) * rng.uniform(0.2, 1.0, n)).astype(np.intp)
    again = np.minimum(at + pause, m - 1)
    before = np.where(bad, grown[rows, at] + np.log(LEFT_BY_BAD), np.log(FIRST_TRACE))
    second = np.cumsum(np.where(place[None, :] > again[:, None], gain, 0.0), axis=1) + before[:, None]
    started = np.where(repaired, again, begin)
    healthy = place[None, :] < started[:, None]
    damage = np.where(place < begin[:, None], -20.0, grown)
    after = np.where(healthy & ~bad[:, None], -20.0, second)
    damage = np.where(repaired[:, None] & (place >= at[:, None]), after, damage)
    return damage, started, np.where(repaired, at, -np.inf)
