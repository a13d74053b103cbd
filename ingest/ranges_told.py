"""What gateways announced at their births of the range of their channels, and which samples lie beyond. Pure.

Samples read in another byte order, or of another converter, are plausible numbers of an impossible size.
What a gateway says of its range may be wrong as well: so such blocks are stored, and not judged."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

import numpy as np

from models.types import M_S2_PER_UNIT
from palier.frames import Features, Frame, Readings, Waveform
from palier.source import Device

from .told_features import largest

MARGIN: Final = 1.05
"""A converter reaches a little beyond the nominal end of its range, offset and calibration included."""

MAX_CHANNELS: Final = 20_000
"""Channels whose range is remembered, of all gateways: those told longest ago give way."""

Told = tuple[str, float]
"""(unit, full scale in it)."""

NOTHING: Final[frozenset[str]] = frozenset()


class RangesTold:
    """The ranges, by edge node, machine and "POINT/CHANNEL"."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str, str], Told] = OrderedDict()

    def born(self, edge: str, device: Device) -> None:
        """A machine was announced: its channels replace what was told of them before."""
        for channel in device.channels:
            key = (edge, device.machine, channel.name)
            self._told.pop(key, None)
            if channel.full_scale is not None:
                self._told[key] = (channel.unit, channel.full_scale)
                if len(self._told) > MAX_CHANNELS:
                    self._told.popitem(last=False)

    def beyond(self, edge: str, frame: Frame) -> frozenset[str]:
        """The channels of a block with samples beyond their range. One in another unit is not compared."""
        if not self._told or isinstance(frame, Readings):
            return NOTHING
        found = set()
        for c, name in enumerate(frame.channels):
            unit, full_scale = self._told.get((edge, frame.machine, f"{frame.point}/{name}"), ("", 0.0))
            if unit == frame.unit[c] and _largest(frame, c) > MARGIN * full_scale:
                found.add(name)
        return frozenset(found) if found else NOTHING


def _largest(frame: Waveform | Features, c: int) -> float:
    """The largest absolute sample of a channel in its unit; 0 where one is no finite number: that is told
    elsewhere.
    """
    if isinstance(frame, Features):
        return float(np.nan_to_num(largest(frame)[c])) / M_S2_PER_UNIT.get(frame.unit[c], 1.0)
    low, high = float(frame.samples[c].min()), float(frame.samples[c].max())
    known = math.isfinite(low) and math.isfinite(high)
    return max(-low, high) * frame.scale[c] if known else 0.0
