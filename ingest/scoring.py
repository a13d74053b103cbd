"""Features of a whole batch at once: all channels of one rate and length are one call of the extractor.

A level needs its unit: where that is unknown, only what needs none (ratios, counts) is kept. A channel whose
samples can't be trusted keeps its features, but carries the refusal that forbids to judge it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.sensors import Assessment, assess, whole_numbers
from models.detection.zones import BLOCK_TOO_SHORT
from models.features import DEFAULT_BANDS, Extractor
from models.features.catalogue import CATALOGUE, NAMES
from models.features.gate import SHORTEST_BLOCK
from models.features.kinematics import Kinematics
from models.features.mounting import Bands
from models.types import BEARING_DEFECTS, M_S2_PER_UNIT, Refusal
from palier.frames import QUALITY_GOOD, Features, Readings, Waveform

from .batch import Block, WorkFrame
from .knowledge import Knowledge, Speeds
from .mounted import Mounted
from .told_features import believed, table_of
from .turning import NOTHING_KNOWN, kinematics_of, together

UNKNOWN: Final = "unknown"  # the unit of a signal whose unit nobody wrote down

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
    that the features stand on; `refusals` say which channels may not be judged, and why: a dead sensor must
    never look like a healthy machine. `doubts` is what a sensor has that does not forbid to judge it.
    `load_percent` of the machine, `temperature_c` of the housing and `ambient_c` of the air beside it are NaN
    if unknown; `stuck` are the slow channels ("POINT/CHANNEL") of them that are so because they are stuck."""

    work: WorkFrame
    block: Block
    features: npt.NDArray[np.float32]
    shaft_hz: float | None
    units: tuple[str, ...]
    refusals: list[Refusal | None]
    doubts: list[tuple[Refusal, ...]]
    load_percent: float = np.nan
    temperature_c: float = np.nan
    ambient_c: float = np.nan
    stuck: tuple[tuple[str, Refusal], ...] = ()


def without_refused(entry: Scored) -> Scored:
    """A block whose refused channels are unknown."""
    refused = [c for c, refusal in enumerate(entry.refusals) if refusal is not None]
    if not refused:
        return entry
    features = entry.features.copy()
    features[refused] = np.nan
    return replace(entry, features=features)


class Scorer:
    """Keeps extractors from batch to batch; nothing it keeps changes a result.

    Those of the plant's own rates and lengths are there from the start: no block waits for their windows and
    weights.
    """

    def __init__(self, knowledge: Knowledge, speeds: Speeds) -> None:
        self._knowledge = knowledge
        self._speeds = speeds
        self._mounted = Mounted(knowledge.plant)
        self._extractors: OrderedDict[tuple[float, int, Bands], Extractor] = OrderedDict()
        for fs_hz, n_samples in knowledge.block_shapes()[:EXTRACTORS_KEPT]:
            self._extractor(fs_hz, n_samples, DEFAULT_BANDS)

    def score(self, works: Sequence[WorkFrame]) -> list[Scored]:
        """The blocks among these frames with their features, in the same order.

        What a block's samples make the extractor raise passes through: the caller finds the block by halving.
        """
        scored = [self._blank(work, work.frame) for work in works if not isinstance(work.frame, Readings)]
        groups: dict[tuple[float, int, str, Bands], list[Scored]] = {}
        told: list[Scored] = []
        for entry in scored:
            if isinstance(entry.block, Features):
                told.append(entry)
                continue
            samples, block = entry.block.samples, entry.block
            bands = self._mounted.bands(entry.work.site, block.machine, block.point)
            kind = block.fs_hz, samples.shape[1], samples.dtype.str, bands
            groups.setdefault(kind, []).append(entry)
        for (fs_hz, n_samples, _, bands), alike in groups.items():
            for some in _portions(alike, max(1, SAMPLES_AT_ONCE // n_samples)):
                self._extract(fs_hz, n_samples, bands, some)
        self._take(told)
        return scored

    def _blank(self, work: WorkFrame, block: Block) -> Scored:
        features = np.full((len(block.channels), len(CATALOGUE)), np.nan, dtype=np.float32)
        shaft_hz = self._speeds.shaft_hz(work.site, block)
        units = tuple(self._unit(work.site, block, c) for c in range(len(block.channels)))
        n = len(block.channels)
        too_short = BLOCK_TOO_SHORT if n_samples_of(block) < SHORTEST_BLOCK else None
        refusals: list[Refusal | None] = [too_short] * n
        told = self._speeds
        load, warm, air = (
            ask(work.site, block) for ask in (told.load_percent, told.temperature_c, told.ambient_c)
        )
        stuck = told.stuck(work.site, block)
        return Scored(work, block, features, shaft_hz, units, refusals, [()] * n, load, warm, air, stuck)

    def _unit(self, site: str, block: Block, c: int) -> str:
        """What the gateway says; where it does not know, what the plant says. Any other unit is no
        acceleration.
        """
        if block.unit[c] != UNKNOWN:
            return block.unit[c] if block.unit[c] in M_S2_PER_UNIT else UNKNOWN
        point = self._knowledge.point(site, block.machine, block.point)
        known = {channel.id: channel.unit for channel in point.channels} if point else {}
        return known.get(block.channels[c], UNKNOWN)

    def _extract(self, fs_hz: float, n_samples: int, bands: Bands, entries: Sequence[Scored]) -> None:
        """Fill in the blocks of one rate, length, type of samples, and bands to demodulate."""
        if n_samples < SHORTEST_BLOCK:
            return
        blocks = [entry.block for entry in entries if isinstance(entry.block, Waveform)]  # all of them
        channels = np.array([len(block.channels) for block in blocks])
        x = np.concatenate([block.samples for block in blocks])
        counts = _numbers(scale for block in blocks for scale in block.scale)
        units = [unit for entry in entries for unit in entry.units]
        scale = counts * _numbers(M_S2_PER_UNIT.get(unit, 1.0) for unit in units)
        speed_hz = _numbers(_speed_for_features(entry.shaft_hz) for entry in entries).repeat(channels)
        features = self._extractor(fs_hz, n_samples, bands).extract(
            x,
            scale,
            speed_hz=speed_hz,
            orders=np.array([self._orders(entry) for entry in entries]).repeat(channels, axis=0),
            kinematics=together([self._kinematics(entry) for entry in entries], channels),
        )
        _forget_levels(features, units)
        by_name = dict(zip(NAMES, features.T, strict=True))
        assessment = assess(
            by_name,
            n_samples=n_samples,
            fs_hz=fs_hz,
            speed_hz=speed_hz,
            step_m_s2=scale if x.dtype.kind == "i" else None,
            whole=whole_numbers(x, counts, by_name["mean_m_s2"], by_name["acceleration_peak_m_s2"]),
            good=_numbers(quality == QUALITY_GOOD for block in blocks for quality in block.quality),
        )
        self._mounted.refuse(features, _rows(entries))
        _give(entries, features, assessment)

    def _take(self, entries: Sequence[Scored]) -> None:
        """Fill in the blocks that came as features: of all rates and lengths at once."""
        told = [(entry, entry.block) for entry in entries if isinstance(entry.block, Features)]
        told = [(entry, block) for entry, block in told if block.n_samples >= SHORTEST_BLOCK]
        if not told:
            return
        channels = np.array([len(block.channels) for _, block in told])
        units = [unit for entry, _ in told for unit in entry.units]
        features = np.concatenate([self._believed(entry, block) for entry, block in told])
        _forget_levels(features, units)
        steps = _numbers(
            step * M_S2_PER_UNIT.get(unit, 1.0) if step else np.nan
            for entry, block in told
            for step, unit in zip(block.step, entry.units, strict=True)
        )
        assessment = assess(
            dict(zip(NAMES, features.T, strict=True)),
            n_samples=_numbers(block.n_samples for _, block in told).repeat(channels),
            fs_hz=_numbers(block.fs_hz for _, block in told).repeat(channels),
            speed_hz=_numbers(_speed_for_features(entry.shaft_hz) for entry, _ in told).repeat(channels),
            step_m_s2=steps,
            whole=np.array([whole for _, block in told for whole in block.whole]),
            good=_numbers(quality == QUALITY_GOOD for _, block in told for quality in block.quality),
        )
        sent = [entry for entry, _ in told]
        self._mounted.refuse(features, _rows(sent))
        _give(sent, features, assessment)

    def _believed(self, entry: Scored, block: Features) -> npt.NDArray[np.float32]:
        machine = self._knowledge.machine(entry.work.site, block.machine)
        return believed(
            table_of(block),
            block,
            shaft_hz=entry.shaft_hz,
            has_gears=machine is not None and bool(machine.gears),
            units=entry.units,
        )

    def _orders(self, entry: Scored) -> tuple[float, ...]:
        """Defect orders in multiples of the point's own shaft, NaN where the bearing is unknown."""
        point = self._knowledge.point(entry.work.site, entry.block.machine, entry.block.point)
        return point.bearing.orders if point and point.bearing else _NO_ORDERS

    def _kinematics(self, entry: Scored) -> Kinematics:
        """What else turns at the block's point."""
        block = entry.block
        machine = self._knowledge.machine(entry.work.site, block.machine)
        point = None if machine is None else machine.point(block.point)
        if machine is None or point is None:
            return NOTHING_KNOWN
        return kinematics_of(machine, point, None if block.speed_rpm is None else entry.shaft_hz)

    def _extractor(self, fs_hz: float, n_samples: int, bands: Bands) -> Extractor:
        key = (fs_hz, n_samples, bands)
        if key not in self._extractors:
            # A plant's blocks are few: loading the compiled passes costs 110 MB and a second, and they gain
            # nothing on the whole catalogue, whose time goes into FFTs.
            self._extractors[key] = Extractor(fs_hz, n_samples, bands=bands, compiled=False)
            if len(self._extractors) > EXTRACTORS_KEPT:
                self._extractors.popitem(last=False)
        self._extractors.move_to_end(key)
        return self._extractors[key]


def n_samples_of(block: Block) -> int:
    """The length of a block, whether its samples are here or not."""
    return block.n_samples if isinstance(block, Features) else block.samples.shape[1]


def step_of(block: Block, c: int) -> float:
    """What a count of a channel's converter is in its unit; of samples that are none what scales them."""
    return block.scale[c] if isinstance(block, Waveform) else block.step[c] or 1.0


def _rows(entries: Sequence[Scored]) -> Iterator[tuple[str, str, str, str]]:
    """(site, machine, point, channel) of the rows of these blocks' channels."""
    for entry in entries:
        for channel in entry.block.channels:
            yield entry.work.site, entry.block.machine, entry.block.point, channel


def _forget_levels(features: npt.NDArray[np.float32], units: Sequence[str]) -> None:
    """A level of a channel without a unit is none."""
    unknown = np.array([unit not in M_S2_PER_UNIT for unit in units])
    if unknown.any():
        features[np.ix_(unknown, _LEVELS)] = np.nan


def _portions(entries: Sequence[Scored], channels: int) -> Iterator[Sequence[Scored]]:
    """The blocks in turn, as many at once as have that many channels together; at least one."""
    start = taken = 0
    for i, entry in enumerate(entries):
        n = len(entry.block.channels)
        if i > start and taken + n > channels:
            yield entries[start:i]
            start, taken = i, 0
        taken += n
    if entries:
        yield entries[start:]


def _give(entries: Sequence[Scored], features: npt.NDArray[np.float32], assessment: Assessment) -> None:
    """Each block its channels' rows, refusals and doubts."""
    refusals, found = assessment.refusals, np.any(assessment.found, axis=1).tolist()
    k = 0
    for entry in entries:
        for c in range(len(entry.block.channels)):
            entry.features[c] = features[k]
            entry.refusals[c] = refusals[k]
            entry.doubts[c] = assessment.reasons(k) if found[k] and refusals[k] is None else ()
            k += 1


def _numbers(values: Iterable[float]) -> npt.NDArray[np.float64]:
    return np.fromiter(values, dtype=np.float64)


def _speed_for_features(shaft_hz: float | None) -> float:
    """NaN for an unknown speed, and at standstill: nothing turns, so there is no order to look at."""
    return shaft_hz if shaft_hz else float("nan")
