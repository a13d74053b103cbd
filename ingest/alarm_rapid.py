"""Danger readings: what a gateway measures each half minute, as evidence of a danger. Pure.

Rules
1. Two of a sensor in a row above the limit of danger, at least `APART_NS` and at most `TOGETHER_NS` from one
   another, are the danger: one alone is a knock. What is no verdict (a dead, a clipped channel) neither
   counts nor breaks the row. A point may have several sensors, also of several gateways: the calm of one
   breaks no row of another.
2. They raise to danger and nothing else. What is calm, or an alert, is for the blocks to say: six calm
   seconds are no proof that something is over.
3. They are evidence of the same alarm as the blocks of their point, and have a time of their own: a block
   that began before a reading and arrives after it is heard.
4. A danger that stands is held by each reading above the limit: blocks in a row without it count anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from palier.alarms import Alarm, Level, Times

from .alarm_life import Evidence, Step, describe_and_announce

APART_NS: Final = 15 * 10**9
"""Half of the time between two: nearer ones are the same half minute, measured again after an overrun."""

TOGETHER_NS: Final = 150 * 10**9
"""Five times the time between two: beyond it readings are missing, and the row is not one."""


@dataclass(frozen=True, slots=True)
class Rapid:
    """One danger reading of a point; its evidence is known, and live. `sensor` tells apart those of one
    point: channels that were measured together are one.
    """

    evidence: Evidence
    sensor: str = ""

    @property
    def ts_ns(self) -> int:
        """When it was so."""
        return self.evidence.ts_ns


def observe_rapid(alarm: Alarm, rapid: Rapid) -> Step:
    """What a danger reading makes of an alarm."""
    evidence, heard_ns = rapid.evidence, dict(alarm.rapid_ns).get(rapid.sensor)
    late = heard_ns is not None and evidence.ts_ns <= heard_ns
    if late or not (evidence.live and evidence.known):
        return alarm, ()
    heard = replace(alarm, rapid_ns=_with(alarm.rapid_ns, rapid.sensor, evidence.ts_ns))
    if evidence.level is not Level.DANGER:
        return replace(heard, over_ns=_with(alarm.over_ns, rapid.sensor, None)), ()
    over = replace(heard, over_ns=_with(alarm.over_ns, rapid.sensor, evidence.ts_ns))
    if alarm.standing is Level.DANGER:
        return replace(over, quiet=0, loudest_quiet=None), ()
    since_ns = evidence.ts_ns - dict(alarm.over_ns).get(rapid.sensor, -math.inf)
    if since_ns > TOGETHER_NS:
        return over, ()
    if since_ns < APART_NS:
        return heard, ()
    stands = replace(over, standing=Level.DANGER, loud=0, loudest=None, quiet=0, loudest_quiet=None)
    names = {cause.name for cause in evidence.causes}
    others = tuple(cause for cause in alarm.causes if cause.name not in names and alarm.standing)
    return describe_and_announce(alarm, stands, replace(evidence, causes=(*evidence.causes, *others)))


def _with(times: Times, sensor: str, ts_ns: int | None) -> Times:
    """The times with that of a sensor; None: without it."""
    others = {name: at_ns for name, at_ns in times if name != sensor}
    return tuple(sorted((others if ts_ns is None else others | {sensor: ts_ns}).items()))
