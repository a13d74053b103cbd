"""A point of a machine as the rules look at it: levels over the last blocks, by channel and direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from models.features.bands import SLOW_BELOW_HZ
from models.features.catalogue import CATALOGUE
from models.types import MachineSpec, PointSpec

from .evidence import ChannelEvidence, Evidence, Floats, PointEvidence

RECENT_BLOCKS: Final = 5
"""A level is the median of the last five blocks: two odd ones do not move it."""

LEAST_BLOCKS: Final = 3
"""What fewer than three blocks show may be a single event."""

LOOSEST_SPEED: Final = 0.015
"""Half the width of a line: of a speed that is less certain nobody knows which line is whose."""

NEED_SPEED: Final = frozenset(spec.name for spec in CATALOGUE if "speed" in spec.needs)
"""What is read at multiples of the speed: unknown where that is, whatever somebody computed."""

ALERT_RATIO: Final = 2.0
"""From twice its baseline on a level is abnormal, where detection has no limit of its own."""


class PointView:
    """One point, with its machine around it. Levels are computed once and kept.

    `machine_hz` and `shaft_hz` are the speeds of the machine and of the shaft at this point over the last
    blocks, NaN where unknown or too uncertain.
    """

    def __init__(
        self,
        machine: MachineSpec,
        evidence: Evidence,
        point: PointEvidence,
        siblings: Sequence[PointView] = (),
    ) -> None:
        self.machine = machine
        self.evidence = evidence
        self.point = point
        self.spec: PointSpec | None = machine.point(point.id)
        self._siblings = siblings
        self._levels: dict[tuple[str, str, bool], float] = {}
        self.machine_hz = _speed(evidence)
        self.shaft_hz = self.machine_hz * (self.spec.shaft_order if self.spec is not None else 1.0)

    @property
    def radial(self) -> tuple[ChannelEvidence, ...]:
        """Channels across the shaft; one whose direction nobody said counts as such."""
        return tuple(c for c in self.point.channels if c.direction != "A")

    @property
    def axial(self) -> tuple[ChannelEvidence, ...]:
        """Channels along the shaft."""
        return tuple(c for c in self.point.channels if c.direction == "A")

    def along(self, direction: str) -> ChannelEvidence | None:
        """The first channel of a direction."""
        return next((c for c in self.point.channels if c.direction == direction), None)

    @property
    def velocity(self) -> str:
        """The broadband velocity that counts here: from 2 Hz on below 600 r/min."""
        return "velocity_rms_low_mm_s" if self.shaft_hz < SLOW_BELOW_HZ else "velocity_rms_mm_s"

    def level(self, channel: ChannelEvidence, feature: str) -> float:
        """Median of a feature over the last blocks, NaN where too few of them know it."""
        return self._kept(channel, feature, ratio=False)

    def ratio(self, channel: ChannelEvidence, feature: str) -> float:
        """Median of its ratio to the baseline, NaN while that is learning."""
        return self._kept(channel, feature, ratio=True)

    def _kept(self, channel: ChannelEvidence, feature: str, *, ratio: bool) -> float:
        key = (channel.id, feature, ratio)
        if key not in self._levels:
            series = (channel.ratios if ratio else channel.features).get(feature)
            self._levels[key] = recent(series) if self.placed(feature) else math.nan
        return self._levels[key]

    def placed(self, feature: str) -> bool:
        """Whether it is known where in the spectrum a feature is to be read."""
        return feature not in NEED_SPEED or not math.isnan(self.shaft_hz)

    def strongest(self, feature: str, channels: tuple[ChannelEvidence, ...]) -> ChannelEvidence | None:
        """The channel where a feature is highest; None where none knows it."""
        known = [c for c in channels if not np.isnan(self.level(c, feature))]
        return max(known, key=lambda c: self.level(c, feature), default=None)

    def highest(self, feature: str, channels: tuple[ChannelEvidence, ...] | None = None) -> float:
        """The highest level of a feature at this point, NaN where it is unknown."""
        channels = self.point.channels if channels is None else channels
        found = self.strongest(feature, channels)
        return np.nan if found is None else self.level(found, feature)

    def highest_ratio(self, feature: str) -> float:
        """The highest ratio of a feature at this point, NaN where none is known."""
        ratios = [self.ratio(c, feature) for c in self.point.channels]
        return max((r for r in ratios if not math.isnan(r)), default=np.nan)

    def df_hz(self, channel: ChannelEvidence) -> float:
        """Distance of the lines of a channel's spectra, as the plant describes its blocks.

        1 Hz where nobody did: blocks of vibration last a second or more.
        """
        for spec in self.spec.channels if self.spec is not None else ():
            if spec.id == channel.id and spec.fs_hz and spec.n_samples:
                return spec.fs_hz / spec.n_samples
        return 1.0

    @property
    def others(self) -> tuple[PointView, ...]:
        """The other points of the machine."""
        return tuple(view for view in self._siblings if view is not self)


def views_of(machine: MachineSpec, evidence: Evidence) -> tuple[PointView, ...]:
    """A view of each point that the evidence has."""
    views: list[PointView] = []
    for point in evidence.points:
        views.append(PointView(machine, evidence, point, views))
    return tuple(views)


def recent(series: Floats | None) -> float:
    """Median of the known values of the last blocks.

    NaN with fewer than three of them, or than there are blocks at all: a single record has one.
    """
    if series is None:
        return np.nan
    known = sorted(value for value in series[-RECENT_BLOCKS:].tolist() if math.isfinite(value))
    if len(known) < min(LEAST_BLOCKS, len(series)):
        return math.nan
    half = len(known) // 2
    return float(known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2)


def _speed(evidence: Evidence) -> float:
    speed, sigma = recent(evidence.speed_hz), recent(evidence.speed_sigma_hz)
    return math.nan if not speed > 0 or sigma > LOOSEST_SPEED * speed else speed
