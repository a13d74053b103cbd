"""Speed and load of a machine, as any source reads them, for the blocks that others sample of it.

A block whose own source does not know the speed or the load gets the value that was valid while it was
sampled, and else none: unknown is a value. It is unknown where

- nothing was heard within `max_age_s` of the block, or what was heard last was bad;
- the speed changed by more than 1 % over the block: the lines of its spectrum are smeared, and one number
  for it would be wrong at either end;
- the load changed by more than 10 points over it. A load is never as steady as a speed: the current of a
  loaded pump wanders by some percent. It chooses among three bins of the range that was learned.

The host takes a speed that came with a block before any reading of its own, so the two never disagree.
"""

from __future__ import annotations

import bisect
import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Protocol

from palier.frames import QUALITY_GOOD, Frame, Readings, Waveform
from palier.wire.said import said

KEPT: Final = 1024
SPACINGS: Final = 512
"""At least KEPT values of each channel stay, REACH_S / SPACINGS or more apart (`max_age_s` / SPACINGS, where
that is longer). So they reach back over four minutes whatever the pace of their source: the longest blocks
have one. A hundred channels need some megabytes at most."""

REACH_S: Final = 128.0
DEFAULT_AGE_S: Final = 60.0  # readings come once a minute where nobody says otherwise
STEADY_SPEED: Final = 0.01
"""Share by which a speed may change over a block that is judged by its orders."""

STEADY_LOAD: Final = 10.0  # points of full load
STILL_RPM: Final = 1.0
"""Below it a machine stands still, as the host has it; an encoder at rest may tremble by as much."""

SPEED_UNITS: Final = {"r/min": 1.0, "unknown": 1.0, "rpm": 1.0, "tr/min": 1.0, "Hz": 60.0, "1/s": 60.0}
"""Revolutions a minute for one of each. Others mean a number that is no speed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One [[attach]]: which channels ("POINT/CHANNEL") tell a machine's speed and load.

    `load_full` is the load that counts as 100 %, in the channel's own unit; None for a channel in %.
    """

    machine: str
    speed: str | None = None
    load: str | None = None
    load_full: float | None = None
    max_age_s: float = DEFAULT_AGE_S


class Takes(Protocol):
    """What frames are handed to: the recorder, or what stands before it."""

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """As `Recorder.put`."""
        ...


class Course:
    """The last values of one channel, oldest first. Not thread safe. NaN is a value that was bad.

    Values that follow one another within the spacing share one place: their newest, lowest and highest.
    """

    def __init__(self, max_age_ns: int) -> None:
        self._max_age_ns = max_age_ns
        self._spacing_ns = max(max_age_ns, round(REACH_S * 1e9)) // SPACINGS
        self._times: list[int] = []
        self._values: list[float] = []
        self._lows: list[float] = []
        self._highs: list[float] = []

    def __len__(self) -> int:
        return len(self._times)

    def take(self, at_ns: int, value: float) -> None:
        """Keep a value. A time far before the newest is a clock that was set back: what was known goes."""
        if self._times and at_ns < self._times[-1] - self._max_age_ns:
            self._keep_from(len(self._times))
        if self._joins(at_ns, value):
            self._values[-1] = value
            self._lows[-1] = min(self._lows[-1], value)
            self._highs[-1] = max(self._highs[-1], value)
            return
        place = bisect.bisect_right(self._times, at_ns)
        self._times.insert(place, at_ns)
        for column in (self._values, self._lows, self._highs):
            column.insert(place, value)
        if len(self._times) > 2 * KEPT:  # half of them at once, rather than one for each
            self._keep_from(KEPT)

    def over(self, start_ns: int, end_ns: int, steady: Callable[[float, float], bool]) -> float | None:
        """The value during [start, end]; None where it is not known, or `steady(low, high)` says it changed.

        Judged by what was heard within it, last before it and first after it. With less than two within it
        and none after it, by what was heard before that, too: a speed that is on its way goes on.
        """
        first = bisect.bisect_right(self._times, start_ns)
        last = bisect.bisect_left(self._times, end_ns)
        seen = range(max(first - 1, 0), min(last + 1, len(self._times)))
        if last - first < 2 and last == len(self._times):
            seen = range(max(seen.start - 1, 0), seen.stop)
        near = [i for i in seen if start_ns - self._max_age_ns <= self._times[i] <= end_ns + self._max_age_ns]
        if not self._covers(start_ns, end_ns, near) or any(math.isnan(self._values[i]) for i in near):
            return None
        low, high = min(self._lows[i] for i in near), max(self._highs[i] for i in near)
        return self._at((start_ns + end_ns) // 2, near) if steady(low, high) else None

    def newest(self, now_ns: int) -> float | None:
        """The value now; None where it is too old, or bad, or as far ahead: the clock was set back since."""
        if not self._times or abs(now_ns - self._times[-1]) > self._max_age_ns:
            return None
        return None if math.isnan(self._values[-1]) else self._values[-1]

    def _keep_from(self, place: int) -> None:
        for column in (self._times, self._values, self._lows, self._highs):
            del column[:place]

    def _joins(self, at_ns: int, value: float) -> bool:
        """Whether the newest stands so near before it, and is as good or bad, that they share a place."""
        if not self._times or math.isnan(self._values[-1]) != math.isnan(value):
            return False
        return 0 <= at_ns - self._times[-1] < self._spacing_ns

    def _covers(self, start_ns: int, end_ns: int, near: Sequence[int]) -> bool:
        """Whether no moment of the block is further than the age from a value that was heard."""
        if not near:
            return False
        heard = [self._times[i] for i in near]
        edges = heard[0] <= start_ns + self._max_age_ns and heard[-1] >= end_ns - self._max_age_ns
        return edges and all(b - a <= 2 * self._max_age_ns for a, b in pairwise(heard))

    def _at(self, at_ns: int, near: Sequence[int]) -> float:
        """Between the two beside that time, or the nearest."""
        after = next((i for i in near if self._times[i] >= at_ns), near[-1])
        before = max((i for i in near if self._times[i] <= at_ns), default=near[0])
        if before == after or not self._times[before] < at_ns < self._times[after]:
            return self._values[min(before, after, key=lambda i: abs(self._times[i] - at_ns))]
        share = (at_ns - self._times[before]) / (self._times[after] - self._times[before])
        return self._values[before] + share * (self._values[after] - self._values[before])


class ProcessValues:
    """What the sources of the gateway say of speed and load. Thread safe."""

    def __init__(self, attachments: Sequence[Attachment]) -> None:
        self._attached = {one.machine: one for one in attachments}
        self._courses = {
            (one.machine, name): Course(round(one.max_age_s * 1e9))
            for one in attachments
            for name in (one.speed, one.load)
            if name is not None
        }
        self._refused: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def change(self, attachments: Sequence[Attachment]) -> None:
        """Attach by these from now on; what was heard of a channel that stays attached is kept."""
        fresh = ProcessValues(attachments)
        with self._lock:
            same = {one for one in attachments if self._attached.get(one.machine) == one}
            for one in same:
                for key in ((one.machine, one.speed), (one.machine, one.load)):
                    if key in self._courses:
                        fresh._courses[key] = self._courses[key]
            self._courses, self._attached, self._refused = fresh._courses, fresh._attached, {}

    def take(self, readings: Readings) -> None:
        """Keep what these say of a speed or load that is attached; no other."""
        attachment = self._attached.get(readings.machine)
        if attachment is None:
            return
        with self._lock:
            for line, name in enumerate(readings.channels):
                course = self._courses.get((readings.machine, name))
                if course is not None:
                    self._take(attachment, course, readings, line)

    def attached(self, frame: Frame) -> Frame:
        """The frame with the speed and load of its machine, where they are known and it has none itself."""
        attachment = self._attached.get(frame.machine)
        if attachment is None or not isinstance(frame, Waveform):
            return frame
        speed, load = frame.speed_rpm, frame.load_percent
        with self._lock:
            if speed is None and attachment.speed is not None:
                speed = self._over(frame, attachment.speed, _steady_speed)
            if load is None and attachment.load is not None:
                load = self._over(frame, attachment.load, _steady_load)
        if (speed, load) == (frame.speed_rpm, frame.load_percent):
            return frame
        return replace(frame, speed_rpm=None if speed is None else abs(speed), load_percent=load)

    def speed_rpm(self, machine: str, now_ns: int) -> float | None:
        """A machine's speed now, r/min; None where nobody knows it."""
        attachment = self._attached.get(machine)
        if attachment is None or attachment.speed is None:
            return None
        with self._lock:
            course = self._courses.get((machine, attachment.speed))
            speed = None if course is None else course.newest(now_ns)
        return None if speed is None else abs(speed)

    def notes(self) -> tuple[str, ...]:
        """What is attached and was never heard, or can't be used: a sentence each."""
        with self._lock:
            unheard = [
                key for key, course in self._courses.items() if not course and key not in self._refused
            ]
            refused = list(self._refused.values())
        return (
            *refused,
            *(said("attach_unheard", name=name, machine=machine) for machine, name in unheard),
        )

    def _over(self, frame: Waveform, name: str, steady: Callable[[float, float], bool]) -> float | None:
        course = self._courses.get((frame.machine, name))  # none where it was just taken away
        return None if course is None else course.over(frame.start_ns, frame.end_ns, steady)

    def _take(self, attachment: Attachment, course: Course, readings: Readings, line: int) -> None:
        factor = self._factor(attachment, readings, line)
        if factor is None:
            return
        good = readings.quality[line] == QUALITY_GOOD
        missing = readings.values.shape[1] > 1  # in a table of several times a hole is no bad value
        for at_ns, value in zip(readings.times_ns.tolist(), readings.values[line].tolist(), strict=True):
            if good and not math.isnan(value):
                course.take(at_ns, value * factor)
            elif not (good and missing):
                course.take(at_ns, math.nan)

    def _factor(self, attachment: Attachment, readings: Readings, line: int) -> float | None:
        """What makes r/min or % of a value; None, told once, for a unit that is neither."""
        name, unit = readings.channels[line], readings.unit[line]
        if name == attachment.speed:
            factor, code = SPEED_UNITS.get(unit), "attach_speed_unit"
        elif attachment.load_full is not None:
            return 100.0 / attachment.load_full
        else:
            factor, code = {"%": 1.0}.get(unit), "attach_load_unit"
        key = (readings.machine, name)
        if factor is None and key not in self._refused:
            self._refused[key] = said(code, name=name, machine=readings.machine, unit=repr(unit))
            log.error("%s", self._refused[key])
        return factor


class Attaching:
    """What sources give their frames to: each goes on with the speed and load that belong to it."""

    def __init__(self, values: ProcessValues, to: Takes) -> None:
        self._values = values
        self._to = to

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """As `Recorder.put`. Readings are kept for the blocks, too."""
        if isinstance(frame, Readings):
            self._values.take(frame)
        return self._to.put(self._values.attached(frame), stop, can_wait=can_wait)


def _steady_speed(low: float, high: float) -> bool:
    still = low > -STILL_RPM and high < STILL_RPM
    return still or high - low <= STEADY_SPEED * abs(low + high) / 2


def _steady_load(low: float, high: float) -> bool:
    return high - low <= STEADY_LOAD
