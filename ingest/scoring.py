"""Features of a whole batch at once: all channels of one rate and length are one call of the extractor.

A level needs its unit: where that is unknown, only what needs none (ratios, counts) is kept. A channel whose
samples can't be trusted keeps its features, but carries the refusal that forbids to judge it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from models.detection.zones import BLOCK_TOO_SHORT, NOT_FINITE
from models.features import Extractor
from models.features.catalogue import CATALOGUE
from models.features.gate import SHORTEST_BLOCK
from models.types import BEARING_DEFECTS, M_S2_PER_UNIT, Refusal
from palier.frames import QUALITY_GOOD, Waveform

from .batch import WorkFrame
from .knowledge import Knowledge, Speeds

UNKNOWN: Final = "unknown"  # the unit of a signal whose unit nobody wrote down

CLIPPED: Final = Refusal("clipped", "widen_range")
STUCK: Final = Refusal("stuck", "check_sensor")
BAD_QUALITY: Final = Refusal("bad_quality", "check_sensor")

CLIPPED_FRACTION: Final = 1e-4
"""Samples at the end of the range beyond which a block is called clipped; single spikes are not."""

EXTRACTORS_KEPT: Final = 16
"""Pairs of rate and length in use at once in one plant; each keeps a window and its frequency weights."""

SAMPLES_AT_ONCE: Final = 1 << 21
"""Samples in one call: 8 MiB as float32, so that a batch of long blocks does not multiply the memory in
use."""

_LEVELS: Final = np.array([spec.degree != 0 for spec in CATALOGUE])
_NO_ORDERS: Final = (np.nan,) * len(BEARING_DEFECTS)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A block with its features [n_channels, n_features] in the order of the catalogue; NaN = not known.

    `shaft_hz` is the speed of the point's shaft, 0.0 at standstill, None if unknown. `units` are the units
    that the features stand on; `refusals` say which channels may not be judged, and why."""

    work: WorkFrame
    block: Waveform
    features: npt.NDArray[np.float32]
    shaft_hz: float | None
    units: tuple[str, ...]
    refusals: tuple[Refusal | None, ...]


class Scorer:
    """Keeps extractors from batch to batch; nothing it keeps changes a result."""

    def __init__(self, knowledge: Knowledge, speeds: Speeds) -> None:
        self._knowledge = knowledge
        self._speeds = speeds
        self._extractors: OrderedDict[tuple[float, int], Extractor] = OrderedDict()

    def score(self, works: Sequence[WorkFrame]) -> list[Scored]:
        """The blocks among these frames with their features, in the same order.

        What a block's samples make the extractor raise passes through: the caller finds the block by halving.
        """
        blocks = [(work, work.frame) for work in works if isinstance(work.frame, Waveform)]
        scored = [self._blank(work, block) for work, block in blocks]
        groups: dict[tuple[float, int, str], list[tuple[int, int]]] = {}
        for i, (_, block) in enumerate(blocks):
            key = (block.fs_hz, block.samples.shape[1], block.samples.dtype.str)
            groups.setdefault(key, []).extend((i, c) for c in range(len(block.channels)))
        for (fs_hz, n_samples, _), members in groups.items():
            step = max(1, SAMPLES_AT_ONCE // n_samples)
            for start in range(0, len(members), step):
                self._extract(fs_hz, n_samples, members[start : start + step], scored)
        return [_with_refusals(entry) for entry in scored]

    def _blank(self, work: WorkFrame, block: Waveform) -> Scored:
        features = np.full((len(block.channels), len(CATALOGUE)), np.nan, dtype=np.float32)
        shaft_hz = self._speeds.shaft_hz(work.site, block)
        units = tuple(self._unit(work.site, block, c) for c in range(len(block.channels)))
        return Scored(work, block, features, shaft_hz, units, (None,) * len(block.channels))

    def _unit(self, site: str, block: Waveform, c: int) -> str:
        """What the gateway says; where it does not know, what the plant says. Any other unit is no
        acceleration.
        """
        if block.unit[c] != UNKNOWN:
            return block.unit[c] if block.unit[c] in M_S2_PER_UNIT else UNKNOWN
        point = self._knowledge.point(site, block.machine, block.point)
        known = {channel.id: channel.unit for channel in point.channels} if point else {}
        return known.get(block.channels[c], UNKNOWN)

    def _extract(
        self, fs_hz: float, n_samples: int, members: Sequence[tuple[int, int]], scored: Sequence[Scored]
    ) -> None:
        if n_samples < SHORTEST_BLOCK:
            return
        x = np.stack([scored[i].block.samples[c] for i, c in members])
        features = self._extractor(fs_hz, n_samples).extract(
            x,
            _column(
                members, lambda i, c: scored[i].block.scale[c] * M_S2_PER_UNIT.get(scored[i].units[c], 1.0)
            ),
            speed_hz=_column(members, lambda i, _: _speed_for_features(scored[i].shaft_hz)),
            orders=_column(members, lambda i, _: self._orders(scored[i])),
        )
        unknown = np.array([scored[i].units[c] not in M_S2_PER_UNIT for i, c in members])
        features[np.ix_(unknown, _LEVELS)] = np.nan
        for row, (i, c) in zip(features, members, strict=True):
            scored[i].features[c] = row

    def _orders(self, entry: Scored) -> tuple[float, ...]:
        """Defect orders in multiples of the point's own shaft, NaN where the bearing is unknown."""
        point = self._knowledge.point(entry.work.site, entry.block.machine, entry.block.point)
        return point.bearing.orders if point and point.bearing else _NO_ORDERS

    def _extractor(self, fs_hz: float, n_samples: int) -> Extractor:
        key = (fs_hz, n_samples)
        if key not in self._extractors:
            self._extractors[key] = Extractor(fs_hz, n_samples)
            if len(self._extractors) > EXTRACTORS_KEPT:
                self._extractors.popitem(last=False)
        self._extractors.move_to_end(key)
        return self._extractors[key]


T = TypeVar("T")


def _column(members: Sequence[tuple[int, int]], value: Callable[[int, int], T]) -> npt.NDArray[np.float64]:
    return np.array([value(i, c) for i, c in members], dtype=np.float64)


def _speed_for_features(shaft_hz: float | None) -> float:
    """NaN for an unknown speed, and at standstill: nothing turns, so there is no order to look at."""
    return shaft_hz if shaft_hz else float("nan")


def _with_refusals(entry: Scored) -> Scored:
    block = entry.block
    refusals = tuple(refuse_samples(block.samples[c], block.quality[c]) for c in range(len(block.channels)))
    return Scored(entry.work, block, entry.features, entry.shaft_hz, entry.units, refusals)


def refuse_samples(samples: npt.NDArray[np.generic], quality: int = QUALITY_GOOD) -> Refusal | None:
    """Why these samples [n] may not be judged: a dead sensor must never look like a healthy machine."""
    if samples.size < SHORTEST_BLOCK:
        return BLOCK_TOO_SHORT  # first: what has no spectrum has none at any quality
    lowest, highest = float(samples.min()), float(samples.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        return NOT_FINITE
    if quality != QUALITY_GOOD:
        return BAD_QUALITY
    if lowest == highest:
        return STUCK
    return CLIPPED if _is_clipped(samples, lowest, highest) else None


def _is_clipped(samples: npt.NDArray[np.generic], lowest: float, highest: float) -> bool:
    """Whether integers lie at the ends of their type too often. Floats have no such end."""
    if samples.dtype.kind != "i":
        return False
    end = float(
        2 ** (8 * samples.dtype.itemsize - 1) - 1
    )  # converters use -end or -end - 1 at the other side
    if lowest > -end and highest < end:
        return False
    at_ends = np.count_nonzero(np.abs(samples.astype(np.float64)) >= end)
    return bool(at_ends > max(3, CLIPPED_FRACTION * samples.size))
