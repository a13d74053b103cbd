"""Features and waveform of one block that contradict each other: compared when the second of them arrives.

Who sends features first and the waveform later says the same thing twice. Where the two differ, what was
judged was not what the sensor saw: versions or sensitivities differ, or somebody alters data.

1. Compared is what both tell, of each channel, by what a row of the historian holds. The order of arrival
   does not matter, nor whether the ingest was started anew between the two.
2. Levels may differ by 1 %: more than rounding makes (float32, another order of adding up, another
   processor: some 1e-5), and less than any verdict stands on (an accelerometer is good to 5 %). Beside a much
   larger part of the signal, gravity for one, a small level is rounding alone: see FLOOR.
3. What is the place of a maximum, a slope within noise, or a ratio of two levels that are compared
   themselves, is left out: rounding alone moves it far.
4. Lines of the shaft are compared where both stand on the same speed.
5. Each disagreement is an event, up to so many of a gateway in an hour; the gateway's alarm counts all of
   them, and is over when the last CALM_BLOCKS that were compared agree.

It can't see what a gateway alters in both alike.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from models.features.catalogue import CATALOGUE, NAMES
from palier.alarm_modes import Mode
from palier.frames import Features
from palier.historian.base import Table
from palier.historian.holding import of_features
from palier.historian.rows import Transition

from .batch import GatewaySays
from .event_allowance import MAX_KEPT, Allowance, Grant
from .scoring import Scored

CONTRADICTION: Final = "contradiction"
"""Kind of these events; they are of the block's machine, point and time."""

RELATIVE: Final = 0.01
FLOOR: Final = 1e-4
"""Of the block's RMS and offset together: less than that is rounding where FFTs are of float32."""

SHAPE: Final = 0.01
"""Beside RELATIVE, of crest factor, kurtosis and skewness; which is near 0 in most blocks."""

SAME_SPEED: Final = 1e-6
"""Relative difference of two speeds that are the same number, once rounded to float32."""

EVENTS_PER_HOUR: Final = 12
MOST_TOLD: Final = 8
"""Features of one channel in an event, those that differ most."""

CALM_BLOCKS: Final = 10

APART_NS: Final = 900 * 10**9
"""Blocks no further apart are looked up together; between them nothing is read that nobody asked for."""

_COUNTS: Final[dict[str, float]] = {"clipped_fraction": 1e-3, "longest_hold": 1.0, "spikes": 2.0}
_SHAPES: Final = ("crest_factor", "skewness", "kurtosis", "kurtosis_quarters")
_HZ: Final = {"spectral_centroid_hz": 1.0}

_ORDERS: Final = np.array([spec.needs == ("speed",) and spec.degree == 1 for spec in CATALOGUE])
_IS_SHAPE: Final = np.array([name in _SHAPES or name in _HZ for name in NAMES])
_IS_CENTRE: Final = np.array([name in _HZ for name in NAMES])
_COMPARED: Final = np.array(
    [
        (spec.degree == 1 and spec.needs in ((), ("speed",)))
        or spec.name in _COUNTS
        or spec.name in _SHAPES
        or spec.name in _HZ
        for spec in CATALOGUE
    ]
)
_FIXED: Final = np.array(
    [_COUNTS.get(n, _HZ.get(n, SHAPE if n in _SHAPES else 0.0)) for n in NAMES], dtype=np.float64
)


def _floor_of(unit: str, low_hz: float) -> float:
    """What 1 m/s² of rounding makes in a feature of that unit at the lower end of its band."""
    omega = 2 * math.pi * low_hz
    return {"m/s²": 1.0, "mm/s": 1e3 / omega, "µm": 1e6 / omega**2}.get(unit, 0.0)


LOWEST_HZ: Final = 2.0
"""Where a feature has no band of its own; no level of the catalogue reaches lower."""

_FLOORS: Final = np.array(
    [
        _floor_of(spec.unit, max(spec.band[0], LOWEST_HZ) if spec.band else LOWEST_HZ)
        if spec.degree == 1
        else 0.0
        for spec in CATALOGUE
    ]
)
_RMS, _MEAN = NAMES.index("acceleration_rms_m_s2"), NAMES.index("mean_m_s2")
_USABLE: Final = NAMES.index("acceleration_rms_usable_m_s2")

Floats = npt.NDArray[np.float64]
Place = tuple[str, str, str]
"""(site, machine, point)."""


class Reader(Protocol):
    """What is needed of the historian."""

    def read(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        site: str,
        machine: str | None = None,
        point: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Table:
        """See `Historian.read`. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What one of the two frames says of a channel."""

    values: Floats
    rpm: float
    frame: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A feature of a channel: as the gateway told it, and as the waveform gives it; in its unit."""

    channel: str
    feature: str
    told: float
    computed: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One block of which both are here; `edge` told its features. Without `differences` they agree."""

    place: Place
    start_ns: int
    edge: str
    features_frame: str
    waveform_frame: str
    differences: tuple[Difference, ...]

    def event(self) -> Transition:
        """As the records keep it."""
        site, machine, point = self.place
        detail: dict[str, Any] = {
            "gateway": self.edge,
            "features": self.features_frame,
            "waveform": self.waveform_frame,
            "block_ns": self.start_ns,
            "n": len(self.differences),
            "differences": [
                {"channel": d.channel, "feature": d.feature, "told": d.told, "computed": d.computed}
                for d in self.differences[:MOST_TOLD]
            ],
        }
        return Transition(
            event_id=f"{CONTRADICTION}:{site}/{machine}/{point}:{self.start_ns}",
            site=site,
            machine=machine,
            point=point,
            channel="",
            ts_ns=self.start_ns,
            kind=CONTRADICTION,
            state="differs",
            previous="",
            detail=json.dumps(detail, ensure_ascii=False),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What follows from what was compared."""

    events: tuple[Transition, ...] = ()
    said: tuple[GatewaySays, ...] = ()

    def and_then(self, later: Found) -> Found:
        """Both, in this order."""
        return Found((*self.events, *later.events), (*self.said, *later.said))


NOTHING: Final = Found()


@dataclass(slots=True)
class _Edge:
    blocks: int = 0  # that contradict, since the condition began
    calm: int = 0  # that agree, in a row


@dataclass(slots=True)
class Contradictions:
    """For the one thread that stores. `blocks` counts those that were found."""

    blocks: int = 0
    allowance: Allowance = field(default_factory=lambda: Allowance(EVENTS_PER_HOUR))
    _edges: OrderedDict[str, _Edge] = field(default_factory=OrderedDict)

    def look(self, entries: Sequence[Scored], reader: Reader, now_ns: int) -> Found:
        """Compare the blocks of a batch with what is known of the same blocks. Raises Unavailable."""
        events: list[Transition] = []
        said: dict[str, list[GatewaySays]] = {}
        # All is read first: what is tried again must not be counted twice.
        for one in list(compared(entries, reader)):
            if one.differences and self.allowance.ask(one.edge, now_ns) is Grant.TOLD:
                events.append(one.event())
            if (word := self._word(one)) is not None:
                told = said.setdefault(one.edge, [])
                said[one.edge] = [*(w for w in told if w.active is not word.active), word]
        return Found(tuple(events), tuple(w for words in said.values() for w in words)) if said else NOTHING

    def _word(self, one: Compared) -> GatewaySays | None:
        """What is news of a gateway. After a start that all is well is told once, too."""
        edge = self._edges.setdefault(one.edge, _Edge())
        self._edges.move_to_end(one.edge)
        if len(self._edges) > MAX_KEPT:
            self._edges.popitem(last=False)
        if one.differences:
            self.blocks += 1
            edge.blocks, edge.calm = edge.blocks + 1, 0
            return GatewaySays(one.edge, Mode.CONTRADICTION, {"blocks": float(edge.blocks)}, True)
        edge.calm += 1
        if edge.calm != CALM_BLOCKS:
            return None
        edge.blocks = 0
        return GatewaySays(one.edge, Mode.CONTRADICTION, {}, False)


def compared(entries: Sequence[Scored], reader: Reader) -> Iterator[Compared]:
    """Each block of a batch of which features and waveform are known now, in their order. Channels of a point
    may come in frames of their own: each is compared with its own.
    """
    here: defaultdict[tuple[Place, int, bool], list[Scored]] = defaultdict(list)
    asked: defaultdict[Place, list[Scored]] = defaultdict(list)
    pairs: list[tuple[Scored, Scored]] = []
    for entry in entries:
        if entry.work.id is None:
            continue
        place, start_ns, told = _place(entry), entry.block.start_ns, _is_told(entry)
        others = _sharing(here[place, start_ns, not told], entry)
        if others:
            pairs += [(entry, other) if told else (other, entry) for other in others[:1]]
        # Of what is newer than all of its point nothing can be there; of two alike the first is taken.
        elif not (entry.work.live or _sharing(here[place, start_ns, told], entry)):
            asked[place].append(entry)
        here[place, start_ns, told].append(entry)
    for features, waveform in pairs:
        yield _compare(_place(features), features.block.start_ns, _rows(features), _rows(waveform))
    for place, some in asked.items():
        held = _stored(place, some, reader)
        for entry in some:
            start_ns, told, mine = entry.block.start_ns, _is_told(entry), _rows(entry)
            stored = {c: one for c, one in held.get((start_ns, not told), {}).items() if c in mine}
            if stored:
                yield _compare(place, start_ns, *((mine, stored) if told else (stored, mine)))


def _is_told(entry: Scored) -> bool:
    return isinstance(entry.block, Features)


def _sharing(others: Iterable[Scored], entry: Scored) -> list[Scored]:
    """Those with a channel that the entry has, too."""
    return [other for other in others if not set(other.block.channels).isdisjoint(entry.block.channels)]


def _place(entry: Scored) -> Place:
    return entry.work.site, entry.block.machine, entry.block.point


def _rows(entry: Scored) -> dict[str, _Told]:
    rpm = math.nan if entry.shaft_hz is None else entry.shaft_hz * 60
    values, text = entry.features.astype(np.float64), entry.work.text or ""
    return {name: _Told(values[c], rpm, text) for c, name in enumerate(entry.block.channels)}


def _stored(
    place: Place, entries: Sequence[Scored], reader: Reader
) -> dict[tuple[int, bool], dict[str, _Told]]:
    """The other half of blocks that the historian holds, by channel, of each start and whether it is told.

    First whose rows they are: most late blocks are of gateways that send nothing twice, and of these one
    column is read.
    """
    site, machine, point = place
    wanted = {(entry.block.start_ns, not _is_told(entry)) for entry in entries}
    found: defaultdict[tuple[int, bool], dict[str, _Told]] = defaultdict(dict)
    for run in _runs(sorted({start_ns for start_ns, _ in wanted})):
        which: dict[str, Any] = {
            "site": site,
            "machine": machine,
            "point": point,
            "start_ns": run[0],
            "end_ns": run[-1] + 1,
        }
        held = reader.read("feature", ["frame"], **which)
        halves = zip(held.ts_ns.tolist(), held.columns.get("frame", ()), strict=True)
        if not any(frame and (start_ns, of_features(frame)) in wanted for start_ns, frame in halves):
            continue
        table = reader.read("feature", [*NAMES, "speed_rpm", "frame"], **which)
        values = np.column_stack([np.asarray(table.columns[name], dtype=np.float64) for name in NAMES])
        rpm = np.asarray(table.columns["speed_rpm"], dtype=np.float64)
        for i, start_ns in enumerate(table.ts_ns.tolist()):
            frame = str(table.columns["frame"][i] or "")
            half = start_ns, of_features(frame)
            if frame and half in wanted:
                found[half][table.channel[i]] = _Told(values[i], float(rpm[i]), frame)
    return found


def _runs(starts: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for start_ns in starts:
        if run and start_ns - run[-1] > APART_NS:
            yield run
            run = []
        run.append(start_ns)
    if run:
        yield run


def _compare(place: Place, start_ns: int, told: dict[str, _Told], computed: dict[str, _Told]) -> Compared:
    frames = [next(iter(one.values())).frame for one in (told, computed)]
    edge = frames[0].partition(":")[2].rsplit(":", 2)[0]  # behind the mark of features
    found = [
        (size, Difference(channel, NAMES[i], float(one.values[i]), float(computed[channel].values[i])))
        for channel, one in told.items()
        if channel in computed
        for i, size in _differing(one, computed[channel])
    ]
    ordered = tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))
    return Compared(place, start_ns, edge, frames[0], frames[1], ordered)


def _differing(told: _Told, computed: _Told) -> Iterable[tuple[int, float]]:
    """(place in the catalogue, how far beyond what is allowed) of the features of a channel that differ."""
    a, b = told.values, computed.values
    scale = FLOOR * max(float(np.nansum(np.abs([x[_RMS], x[_MEAN]]))) for x in (a, b))
    allowed = RELATIVE * np.fmax(np.abs(a), np.abs(b)) + _FLOORS * scale + _FIXED
    compared = _COMPARED & np.isfinite(a) & np.isfinite(b)
    if not abs(told.rpm - computed.rpm) <= SAME_SPEED * abs(computed.rpm):  # unknown speeds are not the same
        compared &= ~_ORDERS
    if max(a[_RMS], b[_RMS]) <= scale:  # of a channel that says nothing there is no shape either
        compared &= ~_IS_SHAPE
    if not max(a[_USABLE], b[_USABLE]) > scale:  # all of the spectrum is rounding: it has no centre
        compared &= ~_IS_CENTRE
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(a - b) / allowed
    return [(int(i), float(size[i])) for i in np.flatnonzero(compared & (np.abs(a - b) > allowed))]
