"""How severe a fault is over time: from 0, none, to 1, the end of life.

A course is a function of time alone; what is random in it was drawn before, from a key of its own.
Times are seconds since 1970 UTC.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from .draws import Floats, key_of, normal, normals, uniform, uniforms

NEVER: Final = math.inf
GRID: Final = 400
"""Steps in which a life is followed: finer than anybody measures."""
LONGEST: Final = 20.0
"""A life is followed for so many times its nominal length: with little load it may take long."""
ROUNDING: Final = 1e-9
MOST_LIVES: Final = 60
PLATEAU_SHARE: Final = 0.15
"""Share of a life in which growth may pause: the edges of a spall are rolled smooth before it goes on."""
LEFT_OVER: Final = (0.1, 0.35)
"""What an imperfect repair leaves of the severity that it found."""


class Course(Protocol):
    """A severity over time."""

    def severity(self, times_s: Floats) -> Floats:
        """Severity 0..1 at each of the times."""
        ...

    def onset_s(self, seconds: float) -> float | None:
        """When what is wrong at that time began; None where nothing is, or it always was."""
        ...

    def end_s(self, seconds: float) -> float | None:
        """The next end of life from that time on (severity 1); None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same severity."""

    level: float

    def severity(self, times_s: Floats) -> Floats:
        """The level, at each time."""
        return np.full(times_s.size, self.level)

    def onset_s(self, seconds: float) -> float | None:
        """Unknown: it always was."""
        return None

    def end_s(self, seconds: float) -> float | None:
        """None: it never grows."""
        return None


@dataclass(frozen=True, slots=True)
class Ramp:
    """From 0 at `start_s` in a straight line to `level` at `full_s`; at once where both are one."""

    start_s: float
    full_s: float
    level: float

    def severity(self, times_s: Floats) -> Floats:
        """The line, at each time."""
        lasting = self.full_s - self.start_s
        if lasting <= 0:
            return np.where(times_s >= self.start_s, self.level, 0.0)
        return np.asarray(self.level * np.clip((times_s - self.start_s) / lasting, 0, 1))

    def onset_s(self, seconds: float) -> float | None:
        """The start of the line."""
        return self.start_s if seconds >= self.start_s else None

    def end_s(self, seconds: float) -> float | None:
        """Its end where it reaches 1."""
        return self.full_s if self.level >= 1 and seconds <= self.full_s else None


@dataclass(frozen=True, slots=True)
class Deposit:
    """Dust that sticks to an impeller, unevenly, and falls off when it is thick.

    It grows from `low` to `high` in about `period_s`, where a lump falls off; the heights vary by a fifth.
    """

    start_s: float
    period_s: float
    low: float
    high: float
    key: int

    def severity(self, times_s: Floats) -> Floats:
        """The sawtooth, at each time; nothing before the start."""
        cycles = (times_s - self.start_s) / self.period_s
        number = np.floor(cycles)
        top = self.high * (0.9 + 0.2 * uniforms(self.key, number))
        level = self.low + (top - self.low) * (cycles - number)
        return np.where(times_s >= self.start_s, np.clip(level, 0, 1), 0.0)

    def onset_s(self, seconds: float) -> float | None:
        """When the deposit of that time began to grow."""
        if seconds < self.start_s:
            return None
        return self.start_s + math.floor((seconds - self.start_s) / self.period_s) * self.period_s

    def end_s(self, seconds: float) -> float | None:
        """None: it falls off before."""
        return None


@dataclass(frozen=True, slots=True)
class Mended:
    """One course until somebody repairs it at `at_s`, another from then on."""

    before: Course
    at_s: float
    after: Course

    def severity(self, times_s: Floats) -> Floats:
        """That of the course in force, at each time."""
        return np.where(times_s < self.at_s, self.before.severity(times_s), self.after.severity(times_s))

    def onset_s(self, seconds: float) -> float | None:
        """When the damage of that time began."""
        return (self.before if seconds < self.at_s else self.after).onset_s(seconds)

    def end_s(self, seconds: float) -> float | None:
        """The end of life of the course in force; None where it is repaired before."""
        end_s = (self.before if seconds < self.at_s else self.after).end_s(seconds)
        return None if end_s is not None and seconds < self.at_s <= end_s else end_s


def mended(course: Course, repairs_s: tuple[float, ...], key: int, imperfect: float) -> Course:
    """A course that each repair ends; of all repairs a share of `imperfect` leaves some of what it found."""
    for number, at_s in enumerate(repairs_s):
        mine = key_of(key, "repair", number)
        botched = uniform(mine) < imperfect
        found = float(course.severity(np.array([at_s]))[0])
        left = found * uniform(key_of(mine, "left over"), *LEFT_OVER) if botched else 0.0
        course = Mended(course, at_s, Ramp(at_s, at_s, left))
    return course


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a part: sound from `start_s`, damaged from `onset_s`, at its end at `end_s` (or never).

    It is followed until `until_s`, where it is repaired; `times_s` and `severities` are knots of its growth.
    """

    start_s: float
    onset_s: float
    end_s: float
    until_s: float
    times_s: tuple[float, ...]
    severities: tuple[float, ...]
    imperfect: bool = False


@dataclass(frozen=True, slots=True)
class Degradation:
    """Lives after each other, each ended by a repair."""

    lives: tuple[Life, ...]

    def severity(self, times_s: Floats) -> Floats:
        """Severity at each time, that of the life it falls into."""
        out = np.zeros(times_s.size)
        for life in self.lives:
            within = (times_s >= life.onset_s) & (times_s < life.until_s)
            if within.any():
                out[within] = np.interp(times_s[within], life.times_s, life.severities)
        return out

    def life(self, seconds: float) -> Life | None:
        """The life of that time."""
        return next((one for one in self.lives if one.start_s <= seconds < one.until_s), None)

    def onset_s(self, seconds: float) -> float | None:
        """When the damage of that time began."""
        life = self.life(seconds)
        return life.onset_s if life is not None and life.onset_s <= seconds else None

    def end_s(self, seconds: float) -> float | None:
        """The end of the life of that time; None where it is repaired before."""
        life = self.life(seconds)
        if life is None or not seconds <= life.end_s < life.until_s or math.isinf(life.end_s):
            return None
        return life.end_s


@dataclass(frozen=True, slots=True)
class Growth:
    """How a part degrades: random onset, then exponential growth, s = start e^(b Λ) with Λ = ∫ load³ dt.

    The first damage comes `onset_s` after the start of a life, or after a Weibull time of `onset_scale_s` and
    `onset_shape`. From it to severity 1 it takes `life_s` at the average load, times a lognormal number of
    spread `life_spread`. `jumps` are sudden spalls a life on average, each half as much again;
    `plateau` is the chance that growth pauses once. `load_exponent` 3 is that of the life of rolling bearings
    (ISO 281: 3 for balls, 10/3 for rollers). After the end it is repaired within `repair_after_s`.
    """

    life_s: float
    onset_s: float | None = None
    onset_scale_s: float = 0.0
    onset_shape: float = 1.8
    start: float = 0.02
    life_spread: float = 0.0
    load_exponent: float = 3.0
    jumps: float = 0.0
    plateau: float = 0.0
    repair_after_s: float = NEVER
    imperfect: float = 0.1

    def lives(
        self,
        key: int,
        start_s: float,
        repairs_s: tuple[float, ...],
        load: Callable[[Floats], Floats],
        *,
        until_s: float,
    ) -> Degradation:
        """The lives from `start_s` on, as drawn from `key`; `load` is relative to the average.

        `repairs_s` are the interventions that treat this fault. Of all repairs a share of `imperfect` leaves
        damage behind that grows at once.
        """
        lives: list[Life] = []
        left = 0.0
        while start_s < until_s and len(lives) < MOST_LIVES:
            mine = key_of(key, "life", len(lives))
            life = self._life(mine, start_s, left, repairs_s, load)
            lives.append(life)
            left = self._left_over(mine, life)
            start_s = life.until_s
        return Degradation(tuple(lives))

    def _left_over(self, key: int, life: Life) -> float:
        """The severity that the repair at the end of a life leaves behind: mostly none."""
        found = float(np.interp(life.until_s, life.times_s, life.severities, left=0.0))
        if found == 0 or uniform(key_of(key, "repair")) >= self.imperfect:
            return 0.0
        return found * uniform(key_of(key, "left over"), *LEFT_OVER)

    def _life(
        self,
        key: int,
        start_s: float,
        left: float,
        repairs_s: tuple[float, ...],
        load: Callable[[Floats], Floats],
    ) -> Life:
        onset_s = start_s if left > 0 else start_s + self._wait(key)
        nominal = self.life_s * math.exp(self.life_spread * normal(key_of(key, "growth")))
        times, severities = self._grown(key, onset_s, max(left, self.start), nominal, load)
        reached = np.flatnonzero(severities >= 1.0)
        end_s = float(times[reached[0]]) if reached.size else NEVER
        planned = min((at for at in repairs_s if at > start_s), default=NEVER)
        keep = slice(None, int(reached[0]) + 1 if reached.size else None)
        return Life(
            start_s,
            onset_s,
            end_s,
            min(planned, end_s + self.repair_after_s),
            tuple(times[keep].tolist()),
            tuple(severities[keep].tolist()),
            imperfect=left > 0,
        )

    def _wait(self, key: int) -> float:
        if self.onset_s is not None:
            return self.onset_s
        return self.onset_scale_s * math.pow(-math.log(uniform(key_of(key, "onset"))), 1 / self.onset_shape)

    def _grown(
        self, key: int, onset_s: float, first: float, nominal_s: float, load: Callable[[Floats], Floats]
    ) -> tuple[Floats, Floats]:
        """Knots of the growth: times and severities, the last no less than 1 unless it takes too long."""
        step = nominal_s / GRID
        rate = math.log(1 / self.start) / nominal_s
        count = GRID
        while True:
            times: Floats = onset_s + step * np.arange(count + 1, dtype=np.float64)
            worked = np.maximum(load(times[:-1] + step / 2), 0.0) ** self.load_exponent
            paused = self._paused(key, (times[:-1] - onset_s) / nominal_s)
            clock = np.concatenate(([0.0], np.cumsum(worked * step * ~paused)))
            severities = first * np.exp(rate * clock + self._jumped(key, clock / nominal_s))
            severities[severities > 1 - ROUNDING] = 1.0
            if severities[-1] >= 1 or count >= LONGEST * GRID:
                return times, severities
            count *= 2

    def _paused(self, key: int, age: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if uniform(key_of(key, "pauses")) >= self.plateau:
            return np.zeros(age.size, dtype=bool)
        begins = uniform(key_of(key, "pause"), 0.3, 0.7)
        return np.asarray((age >= begins) & (age < begins + PLATEAU_SHARE))

    def _jumped(self, key: int, age: Floats) -> Floats:
        """What sudden spalls add to ln(severity) at each age (1 = the nominal life)."""
        count = int(np.random.Generator(np.random.SFC64([key & 0xFFFFFFFF, 7])).poisson(self.jumps))
        ages = uniforms(key_of(key, "jump ages"), np.arange(count))
        heights = 0.4 * np.exp(0.3 * normals(key_of(key, "jump heights"), np.arange(count)))
        return np.asarray((heights * (age[:, None] >= ages)).sum(axis=1))
