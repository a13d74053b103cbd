"""What the ingest would have said of a machine's past: detector and limits as they ship, block by block.

A baseline is learned of the first 1,000 blocks that count, as the ingest does; then the monitor judges. What
is left out is what needs spectra (diagnosis) and what fuses several points (machines here have one).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.bands import standard_limits
from models.detection.baseline import LEAST_BLOCKS, Baseline
from models.detection.context import Context
from models.detection.decision import STATES
from models.detection.measured import Blocks, Part
from models.detection.monitor import Monitor
from models.detection.zones import Judgement, LimitSet, judge, rank
from models.features.catalogue import NAMES
from models.training.gathering import features_of
from models.types import State

from .fleet_blocks import Past
from .fleet_plan import FS_HZ, Member

CHANNEL: Final = "H"
VELOCITY: Final = "velocity_rms_mm_s"
SPARE: Final = 12
"""Blocks beyond the thousand: what a planned stop takes away is no block to learn from."""

RUNNING: Final = frozenset({State.NORMAL, State.WATCH, State.ALERT, State.DANGER})


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said after each block (m), and the number of the block after which a baseline was there, None
    where it never was.
    """

    said: tuple[Judgement, ...]
    learned: int | None
    baseline: Baseline | None


def judged(member: Member, past: Past, limits: LimitSet | None) -> Judged:
    """The states of a machine's past."""
    by_limits = [
        _by_limits(v, hz, limits) for v, hz in zip(_of(past, VELOCITY), past.speed_rpm / 60, strict=True)
    ]
    learned, baseline = _learn(member, past)
    if learned is None or baseline is None:
        return Judged(tuple(by_limits), None, None)
    codes = _monitored(member, past, limits, baseline, learned)
    joined = [_worse(said, STATES[code]) for said, code in zip(by_limits[learned:], codes, strict=True)]
    return Judged((*by_limits[:learned], *joined), learned, baseline)


def columns(member: Member) -> tuple[str, ...]:
    """What is watched of the point's channel, as the ingest chooses it."""
    return features_of(member.spec, member.spec.points[0], VELOCITY)


def _learn(member: Member, past: Past) -> tuple[int | None, Baseline | None]:
    running = past.speed_rpm > 0
    counted = np.flatnonzero(np.cumsum(running) >= LEAST_BLOCKS + SPARE)
    if not counted.size:
        return None, None
    upto = int(counted[0]) + 1
    names = columns(member)
    found = Baseline.fit(
        _x(past, names)[:upto],
        Context(past.ts_ns[:upto] / 1e9, past.speed_rpm[:upto] / 60, running=running[:upto]),
        names=[f"{CHANNEL}/{name}" for name in names],
    )
    return (upto, found) if isinstance(found, Baseline) else (None, None)


def _monitored(
    member: Member, past: Past, limits: LimitSet | None, baseline: Baseline, first: int
) -> npt.NDArray[np.int8]:
    """The codes of STATES after each block from `first` on."""
    if first >= len(past.ts_ns):
        return np.empty(0, np.int8)
    alert, danger = standard_limits(limits)
    monitor = Monitor(baseline.names, [Part(baseline, alert, danger, (f"{CHANNEL}/{VELOCITY}",))])
    blocks = Blocks(
        past.ts_ns[first:, None] / 1e9,
        _x(past, columns(member))[first:, None, :],
        speed_hz=past.speed_rpm[first:, None] / 60,
    )
    _, decision = monitor.run(monitor.start(), blocks)
    return np.asarray(decision.said[:, 0])


def _by_limits(velocity: float, speed_hz: float, limits: LimitSet | None) -> Judgement:
    return judge(float(velocity), limits, fs_hz=FS_HZ, speed_hz=float(speed_hz))


def _worse(by_limits: Judgement, said: State) -> Judgement:
    """The limits of one block, the detector of what lasts: the worse of both."""
    if by_limits.state not in RUNNING:
        return replace(by_limits, learning=False)
    worse = said in RUNNING and rank(said) > rank(by_limits.state)
    severity = {State.NORMAL: 1, State.WATCH: 2, State.ALERT: 3, State.DANGER: 5}
    return replace(
        by_limits,
        state=said if worse else by_limits.state,
        severity=severity[said] if worse else by_limits.severity,
        learning=False,
    )


def _x(past: Past, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    return past.features[:, [NAMES.index(name) for name in names]].astype(np.float64)


def _of(past: Past, name: str) -> npt.NDArray[np.float32]:
    return np.asarray(past.features[:, NAMES.index(name)])
