"""Cutting: a pure step from bursts of samples to the blocks of the plan.

Rules
1. A block holds samples that follow one another, each once; a gap or an overrun gives up what is open, and
   the same block begins anew behind it.
2. Which blocks come of a stream does not depend on how it was cut into bursts.
3. H and danger blocks are the sensor's own numbers; an L block is float32 behind the filter, in the same
   scale.
4. The waveform of a danger block is kept from the second on that is over a limit in a row: one alone is a
   knock, and the host needs two as well. One that lies in an H or L block needs no other.
5. Blocks end in the order in which they begin: the host takes a point's samples in that order, and what is
   overtaken for history. So an L block begins with an H block.
6. No two blocks of a point have the same first sample, for by that a host tells them apart: an L block that
   no filter delays begins a sample behind its H block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from palier.source import Standing

from .decimation import Decimator
from .plan import Plan, is_slow
from .schedule import ATTENTION_S, DANGER_EVERY_S, Rhythm, share_of
from .sensor import MM_S_PER, Sensor
from .velocity import block_length, unbelievable, velocity_rms_mm_s

Kind = Literal["H", "L", "danger"]

NEVER: Final = 1 << 62  # a sample that no stream reaches


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A block of the plan.

    `first_sample` is where it begins in the stream, in samples of the sensor, of which it spans
    `n_samples`. `samples` (n_channels, n) are at the sensor's rate / `decimation`; None for a danger block
    that is not kept. `velocity_mm_s` is the danger block's RMS of each channel, NaN where it is no verdict
    (dead, clipped, settling); None for other kinds.
    """

    kind: Kind
    first_sample: int
    n_samples: int
    decimation: int
    samples: npt.NDArray[np.generic] | None
    velocity_mm_s: tuple[float, ...] | None = None


class _Open(Protocol):
    """A block that is being filled."""

    @property
    def first(self) -> int:
        """The sample of the stream that it takes first."""
        ...

    def feed(self, samples: npt.NDArray[np.generic]) -> int:
        """Take what it needs: how many samples that was."""
        ...

    @property
    def full(self) -> bool:
        """Whether it is whole."""
        ...


class _Raw:
    """A block of the sensor's own samples."""

    def __init__(self, first: int, n_channels: int, n: int, dtype: np.dtype[np.generic]) -> None:
        self.first = first
        self.samples = np.empty((n_channels, n), dtype)
        self._done = 0

    def feed(self, samples: npt.NDArray[np.generic]) -> int:
        n: int = min(samples.shape[1], self.samples.shape[1] - self._done)
        self.samples[:, self._done : self._done + n] = samples[:, :n]
        self._done += n
        return n

    @property
    def full(self) -> bool:
        return bool(self._done == self.samples.shape[1])


class _Thin:
    """A block behind the filter; it begins to take samples `delay` before its own first."""

    def __init__(self, first: int, n_channels: int, n: int, factor: int) -> None:
        self.first = first
        self.decimator = Decimator(factor, n_channels, n)

    def feed(self, samples: npt.NDArray[np.generic]) -> int:
        return self.decimator.feed(samples)

    @property
    def full(self) -> bool:
        return self.decimator.full


class Acquisition:
    """Cuts one sensor's stream by its plan. Not for two threads at once."""

    def __init__(self, plan: Plan, sensor: Sensor, standing: Callable[[], Standing] = Standing) -> None:
        """`standing` says at any moment what is known of the machine."""
        self.plan = plan
        self.sensor = sensor
        self.fs_hz = sensor.fs_hz
        """The rate as measured, where somebody measures it: the danger block's velocity stands on it."""
        self._standing = standing
        self._dtype = np.dtype(sensor.dtype)
        self._next = 0  # the sample that follows on the last
        share = share_of(sensor.machine)
        self._h, self._l = Rhythm(plan.h_every_s, share), Rhythm(plan.l_every_s, share)
        self._danger = Rhythm(DANGER_EVERY_S, share)
        self._due: dict[Kind, int] = {
            "H": self._at(self._h.first_s),
            "L": self._at(self._first_l_s()),
            "danger": self._at(self._danger.first_s) if plan.danger else NEVER,
        }
        self._last: dict[Kind, int] = {}  # where the last block of each kind began
        self._told = Standing()
        self._open: dict[Kind, _Raw | _Thin] = {}
        self._long: list[tuple[int, int]] = []  # H and L blocks: their first sample, and the one behind
        self._over = False  # whether the danger block before was over a limit

    def feed(self, samples: npt.NDArray[np.generic], t0_sample: int) -> list[Cut]:
        """The blocks that end in this burst (n_channels, n), in the order of their ends.

        `t0_sample` counts the sensor's samples since the stream began; one that leaps is a gap: open blocks
        are given up. ValueError for a shape or type that is not the sensor's, or a `t0_sample` that goes
        back: no sample may come twice. The array is not kept.
        """
        if samples.ndim != 2 or len(samples) != len(self.sensor.channels) or samples.dtype != self._dtype:
            raise ValueError(
                f"a burst must be ({len(self.sensor.channels)} channels, n) of {self._dtype}, got "
                f"{samples.shape} of {samples.dtype}"
            )
        if t0_sample < self._next:
            raise ValueError(f"samples must not come twice: {self._next} is next, got {t0_sample}")
        if t0_sample > self._next:
            self.cut()
        self._next = t0_sample + samples.shape[1]
        self._heed()
        self._long = [span for span in self._long if span[1] > t0_sample]
        cuts: list[tuple[int, Cut]] = []
        for kind in ("H", "L", "danger"):  # a danger block asks where the long ones are
            cuts += self._gather(kind, samples, t0_sample)
        cuts.sort(key=lambda one: one[0])
        return [cut for _, cut in cuts]

    def cut(self) -> None:
        """The next sample does not follow on the last (an overrun): open blocks begin anew behind it."""
        for kind in self._open:
            self._due[kind] = 0  # as soon as there are samples
        self._open.clear()

    def _heed(self) -> None:
        """What is known of the machine by now: the next H is sooner while the host has an alarm on it, the
        next L where it is slow.
        """
        self._told = self._standing()
        if self._told.attention and "H" in self._last and "L" not in self._open:
            soon = self._last["H"] + self._at(max(ATTENTION_S, self.plan.h_s))
            self._due["H"] = min(self._due["H"], soon)
        if "L" in self._last and self._is_slow:
            self._due["L"] = min(self._due["L"], self._next_of("L", self._last["L"]))

    @property
    def _is_slow(self) -> bool:
        fixed = self.plan.speed_rpm
        return is_slow(self._told.speed_rpm if fixed is None else fixed)

    def _gather(self, kind: Kind, samples: npt.NDArray[np.generic], t0: int) -> list[tuple[int, Cut]]:
        """The blocks of one kind that end in this burst, each with the sample behind it."""
        found: list[tuple[int, Cut]] = []
        at, stop = t0, t0 + samples.shape[1]
        while at < stop:
            block = self._open.get(kind)
            if block is None:
                begin = self._free(kind, max(self._due[kind], at))
                if begin >= stop:
                    break
                block, at = self._begin(kind, begin), begin
            at += block.feed(samples[:, at - t0 :])
            if block.full:
                del self._open[kind]
                found.append((at, self._ended(kind, block)))
        return found

    def _free(self, kind: Kind, first: int) -> int:
        """The first sample from this one on at which a block of this kind may begin."""
        alike = kind == "L" and self.plan.l_factor == 1
        return first + (alike and any(start == first for start, _ in self._long))

    def _begin(self, kind: Kind, first: int) -> _Raw | _Thin:
        n_channels = len(self.sensor.channels)
        block: _Raw | _Thin
        if kind == "L":
            n = round(self.plan.l_s * self.sensor.fs_hz / self.plan.l_factor)
            block = _Thin(first, n_channels, n, self.plan.l_factor)
            self._long.append(
                (first, first + n * self.plan.l_factor + 2 * Decimator.delay_of(self.plan.l_factor))
            )
        else:
            n = self._at(self.plan.h_s) if kind == "H" else block_length(self.sensor.fs_hz)
            block = _Raw(first, n_channels, n, self._dtype)
        self._open[kind] = block
        self._due[kind] = self._next_of(kind, first)
        self._last[kind] = first
        if kind == "H":
            self._long.append((first, first + n))
        return block

    def _first_l_s(self) -> float:
        """With the first H block, or with the second where that begins before the L block would end."""
        plan = self.plan
        if plan.h_every_s > plan.l_every_s:
            return self._l.first_s
        first_s, second_s = self._h.first_s, self._h.after(self._h.first_s, plan.h_s)
        ends_s = first_s + plan.l_s + 2 * Decimator.delay_of(plan.l_factor) / self.sensor.fs_hz
        return first_s if ends_s <= second_s else second_s

    def _next_of(self, kind: Kind, first: int) -> int:
        """When the block of this kind after the one that begins now is due."""
        plan, now_s = self.plan, first / self.sensor.fs_hz
        if kind == "danger":
            return self._at(self._danger.after(now_s, 1.0))
        if kind == "H":
            return self._at(self._h.after(now_s, plan.h_s))
        if plan.h_every_s > plan.l_every_s:
            return self._at(self._l.after(now_s, plan.l_s))
        if self._is_slow:
            return self._at(self._h.after(now_s, plan.l_s))
        return self._at(self._h.after(self._l.after(now_s, plan.l_s), 0.0))  # with the H block then

    def _ended(self, kind: Kind, block: _Raw | _Thin) -> Cut:
        if isinstance(block, _Thin):
            factor, out = self.plan.l_factor, block.decimator.out
            first = block.first + Decimator.delay_of(factor)
            return Cut("L", first, out.shape[1] * factor, factor, out)
        n = block.samples.shape[1]
        if kind == "H":
            return Cut("H", block.first, n, 1, block.samples)
        velocity = self._velocity(block.samples)
        over = self._is_over(velocity)
        kept, self._over = over and self._over and not self._is_in_long(block.first, n), over
        return Cut("danger", block.first, n, 1, block.samples if kept else None, velocity)

    def _is_in_long(self, first: int, n: int) -> bool:
        """Whether an H or L block holds these samples, too."""
        return any(start <= first and first + n <= end for start, end in self._long)

    def _velocity(self, samples: npt.NDArray[np.generic]) -> tuple[float, ...]:
        sensor = self.sensor
        mm_s2 = tuple(MM_S_PER[sensor.unit] * scale for scale in sensor.scale)
        ends = sensor.ends
        counts = None if ends is None else tuple(np.divide(ends, sensor.scale).tolist())
        wrong = unbelievable(samples, counts)
        if wrong.all():
            return (math.nan,) * len(samples)
        found = velocity_rms_mm_s(np.where(wrong[:, None], 0, samples), mm_s2, self.fs_hz)
        return tuple(np.where(wrong, np.nan, found).tolist())

    def _is_over(self, velocity: tuple[float, ...]) -> bool:
        """Whether a channel is above its limit: the host's, or the plan's own, whichever is lower."""
        told, own = self._told.limits, self.plan.danger_mm_s
        names = (f"{self.sensor.point}/{channel}" for channel in self.sensor.channels)
        limits = (min(told.get(name, math.inf), own or math.inf) for name in names)
        return any(v > limit for v, limit in zip(velocity, limits, strict=True))

    def _at(self, seconds: float) -> int:
        return round(seconds * self.sensor.fs_hz)
