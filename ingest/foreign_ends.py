"""Where values of Sparkplug nodes that are not Palier's ended: a period is judged again as it was by them.

Such a value is in force until the next one, or until its end (see `foreign`). The series hold the values and
no ends: an end is no value. Each end is an event of its channel, once, up to so many in an hour: a PLC that
comes and goes all the time must not fill the records.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from models.types import MachineSpec
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Readings, split_channel
from palier.historian.rows import Transition

from .batch import WorkFrame
from .event_allowance import Allowance, Grant
from .knowledge import Speeds

ENDED: Final = "reading"
"""Kind of these events."""

EVENTS_PER_HOUR: Final = 30


class Ends:
    """For the one thread that computes; asked before the speeds take the same frame."""

    def __init__(self) -> None:
        self._allowance = Allowance(EVENTS_PER_HOUR)
        self._newest_ns = 0  # never ahead of the plant: hours go on with it, whatever times a node tells

    def of(self, work: WorkFrame, speeds: Speeds) -> tuple[Transition, ...]:
        """The values that were in force, or unknown since the start, and are over with this frame."""
        if not (work.hold and isinstance(readings := work.frame, Readings)):
            return ()
        found = []
        for place, channel in enumerate(readings.channels):
            ts_ns, value = int(readings.times_ns[-1]), float(readings.values[place, -1])
            ends = readings.quality[place] != QUALITY_GOOD or math.isnan(value)
            key = f"{work.site}/{readings.machine}/{channel}"
            if not (ends and speeds.holds(work.site, readings.machine, channel, ts_ns)):
                continue
            self._newest_ns = max(self._newest_ns, ts_ns)
            if self._allowance.ask(key, self._newest_ns) is Grant.TOLD:
                found.append(_event(work.site, readings.machine, channel, ts_ns))
        return tuple(found)


def _event(site: str, machine: str, channel: str, ts_ns: int) -> Transition:
    point, name = split_channel(channel)
    event_id = f"{ENDED}:{site}/{machine}/{channel}:{ts_ns}"
    return Transition(event_id, site, machine, point, name, ts_ns, ENDED, state="ended", previous="")


def ends_of(transitions: Iterable[Transition], machine: MachineSpec, site: str) -> list[WorkFrame]:
    """The ends that the records hold of a machine, as the frames that ended the values."""
    units = {(p.id, c.id): c.unit for p in machine.points for c in p.channels}
    return [
        WorkFrame(None, site, _over(machine.id, t, units[t.point, t.channel]), True, "", b"", hold=True)
        for t in transitions
        if (t.site, t.machine) == (site, machine.id) and (t.point, t.channel) in units
    ]


def _over(machine: str, ended: Transition, unit: str) -> Readings:
    return Readings(
        machine=machine,
        channels=(f"{ended.point}/{ended.channel}",),
        times_ns=np.array([ended.ts_ns], dtype=np.int64),
        values=np.array([[np.nan]], dtype=np.float64),
        unit=(unit,),
        quality=(QUALITY_BAD,),
    )
