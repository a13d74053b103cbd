"""What is wrong with a point that is no longer normal: evidence from the last blocks, and a diagnosis. Pure.

Only abnormal points pay for it: once when the state gets worse, and then with every sixth block that
counts, which is hourly where blocks come every ten minutes.

Of a block whose samples stayed at the gateway there are features alone: they name what shows in levels, and
never a bearing. Such an examination *waits*: it says so, and is done again when the waveform of one of the
last blocks comes. What was found with a waveform is not taken back for want of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.advice import Advice, advise_all
from models.detection.context import Context
from models.detection.measured import feature_of
from models.diagnosis import (
    ChannelEvidence,
    Diagnosis,
    Events,
    Evidence,
    PointEvidence,
    diagnose,
    indicators,
    severity,
    views_of,
)
from models.diagnosis.bearings import BearingFinding, diagnose_bearings, join_findings
from models.diagnosis.ranking import NOTHING_TO_COMPARE
from models.diagnosis.view import RECENT_BLOCKS
from models.features.catalogue import NAMES
from models.features.mounting import bands_of
from models.types import Refusal, State
from palier.frames import Features
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS

from .knowledge import Knowledge
from .scoring import Scored, without_refused
from .watch_parts import FEATURE, Place, PointModel, Watched, measured_hz
from .watch_states import ABNORMAL

FIELDS: Final = (*NAMES, "speed_rpm", "load_percent")
"""What `remembered` has to be given of the `feature` rows."""

WAVEFORM_AWAY: Final = Refusal("waveform_away", "fetch_waveform")
WAVEFORM: Final = "waveform"
"""What would tell more of a block whose samples are not here: key of `confirm`."""

EVERY_BLOCKS: Final = 6
"""Blocks that count between two diagnoses of a point whose state does not get worse."""

LATER_NS: Final = 1_000
"""A diagnosis that a late waveform brings stands so far behind the one before it. By its rank a row moves
some nanoseconds where a store tells rows apart by time alone: nearer, it would fall on a row of the other."""

_BADNESS: Final[Mapping[State, int]] = {State.WATCH: 1, State.ALERT: 2, State.DANGER: 3}


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One block of a point: its features (n_channels, n_features) in the order of the plant's channels, NaN
    where refused or unknown, the speed of its shaft in Hz, the machine's load in percent, the temperature of
    the housing in °C and by how much (K) it is warmer than expected, NaN where unknown.
    """

    ts_ns: int
    features: npt.NDArray[np.float32]
    shaft_hz: float
    doubts: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
    load_percent: float = np.nan
    temperature_c: float = np.nan
    residual_k: float = np.nan


Ring = tuple[Kept, ...]
"""The last blocks of a point, oldest first, at most five."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How bad a point was when it was last looked at, and blocks that counted since; `waits` while that was
    without a waveform.
    """

    badness: int = 0
    blocks: int = 0
    waits: bool = False


NOT_LOOKED: Final = Looked()


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the blocks of a machine: what people did, and in how many days columns of its
    points double ("channel/feature"), of those that rise.
    """

    events: Events = field(default_factory=Events)
    doubling_days: Mapping[Place, Mapping[str, float]] = field(default_factory=dict)


NOTHING_AROUND: Final = Around()

_EVENTS: Final = {"greased_h": "greasing", "tightened_h": "tightening", "tool_changed_h": "tool_change"}
"""What a diagnosis asks for, by kind of intervention."""


def events_of(work: Mapping[tuple[str, str], int], machine: str) -> Events:
    """What people last did to a machine, from when each kind of work was last done to each machine."""
    done = {name: work.get((machine, kind)) for name, kind in _EVENTS.items()}
    return Events(**{name: at_ns / HOUR_NS for name, at_ns in done.items() if at_ns is not None})


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """What was found at a point: at most three diagnoses, the surest first, none where nothing is named, or a
    refusal; `advice` is the most severe first. `severity` 1..5 is that of the point, whatever its cause.
    One that is `late` is of a block that was judged before its waveform came.
    """

    watched: Watched
    ts_ns: int
    frame: str | None
    found: tuple[Diagnosis, ...] | Refusal
    advice: tuple[Advice, ...]
    severity: int
    late: bool = False


def remember(ring: Ring, entry: Scored, one: Watched, residual_k: float = np.nan) -> Ring:
    """The last blocks after one more, which is newer; `residual_k` is of its housing."""
    hz = np.nan if entry.shaft_hz is None else entry.shaft_hz
    clean = without_refused(entry)
    if entry.block.channels == one.channels:
        doubts = dict(zip(one.channels, entry.doubts, strict=True))
        return (*ring, _kept(entry, clean.features, hz, doubts, residual_k))[-RECENT_BLOCKS:]
    features = np.full((len(one.channels), len(NAMES)), np.nan, dtype=np.float32)
    doubts = {}
    for c, channel in enumerate(entry.block.channels):
        if channel in one.channels:
            features[one.channels.index(channel)] = clean.features[c]
            doubts[channel] = entry.doubts[c]
    return (*ring, _kept(entry, features, hz, doubts, residual_k))[-RECENT_BLOCKS:]


def _kept(
    entry: Scored,
    features: npt.NDArray[np.float32],
    hz: float,
    doubts: Mapping[str, tuple[Refusal, ...]],
    residual_k: float,
) -> Kept:
    load, warm = entry.load_percent, entry.temperature_c
    return Kept(entry.block.start_ns, features, hz, doubts, load, warm, residual_k)


def remembered(one: Watched, features: Table, states: Table) -> Ring:
    """The last blocks as the historian has them, for a start: of the point's newest `feature` rows (`FIELDS`)
    those whose time has a `state` row, for only live blocks have one.
    """
    live = set(states.ts_ns.tolist())
    rows: dict[int, list[int]] = {}
    for i, ts_ns in enumerate(features.ts_ns.tolist()):
        if ts_ns in live and features.channel[i] in one.channels:
            rows.setdefault(ts_ns, []).append(i)
    values = np.column_stack([np.asarray(features.columns[name], dtype=np.float32) for name in NAMES])
    rpm, load = (
        np.asarray(features.columns[name], dtype=np.float64) for name in ("speed_rpm", "load_percent")
    )
    ring: Ring = ()
    for ts_ns in sorted(rows)[-RECENT_BLOCKS:]:
        block = np.full((len(one.channels), len(NAMES)), np.nan, dtype=np.float32)
        for i in rows[ts_ns]:
            block[one.channels.index(features.channel[i])] = values[i]
        first = rows[ts_ns][0]
        ring = (*ring, Kept(ts_ns, block, float(rpm[first]) / 60, load_percent=float(load[first])))
    return ring


def look(before: Looked, state: State, *, counted: bool, away: bool = False) -> tuple[Looked, bool]:
    """Whether a point is to be examined at this block, from the state it is in; `away` where the block's
    samples are not here.
    """
    badness = _BADNESS.get(state, 0)
    blocks = before.blocks + counted
    if state not in ABNORMAL:
        return NOT_LOOKED, False
    due = blocks >= EVERY_BLOCKS and (before.waits or not away)
    if badness > before.badness or due:
        return Looked(badness, 0, away), True
    return Looked(before.badness, blocks, before.waits), False


def look_again(before: Looked) -> tuple[Looked, bool]:
    """Whether a point is to be examined by the waveform of one of its last blocks, which came late."""
    if before.badness and (before.waits or before.blocks >= EVERY_BLOCKS):
        return Looked(before.badness), True
    return before, False


def completed(ring: Ring, entry: Scored, one: Watched) -> Ring | None:
    """The last blocks with one of them by its waveform, which came late; None where it is none of them."""
    if not ring or not ring[0].ts_ns <= entry.block.start_ns <= ring[-1].ts_ns:
        return None
    places = [i for i, kept in enumerate(ring) if kept.ts_ns == entry.block.start_ns]
    if not places:
        return None
    i = places[0]
    (now,) = remember((), entry, one, ring[i].residual_k)
    return (*ring[:i], now, *ring[i + 1 :])


def examine(
    entry: Scored,
    one: Watched,
    rings: Sequence[tuple[Watched, Ring]],
    knowledge: Knowledge,
    around: Around = NOTHING_AROUND,
    *,
    late: bool = False,
) -> Examined:
    """What is wrong at a point, from its block in hand and the last blocks of all points of its machine.

    One that is `late` stands `LATER_NS` behind what was said of its block before.
    """
    evidence = evidence_of(rings, one, _finding(entry, one), knowledge, around)
    found = diagnose(one.machine, evidence)
    if isinstance(entry.block, Features):
        found = _without_samples(found)
    advice = () if isinstance(found, Refusal) else advise_all(found, one.machine)
    level = max(
        (
            severity(indicators(v)).level
            for v in views_of(one.machine, evidence)
            if v.point.id == one.point.id
        ),
        default=1,
    )
    named = [] if isinstance(found, Refusal) else [d.severity for d in found if d.point in ("", one.point.id)]
    ts_ns = entry.block.start_ns + LATER_NS * late
    return Examined(one, ts_ns, entry.work.text, found, advice, max((level, *named)), late)


def _without_samples(found: tuple[Diagnosis, ...] | Refusal) -> tuple[Diagnosis, ...] | Refusal:
    """What is said of a block whose samples are not here: what is named may be something else, and that
    nothing is named says nothing.
    """
    if isinstance(found, Refusal):
        return WAVEFORM_AWAY if found == NOTHING_TO_COMPARE else found
    if not found:
        return WAVEFORM_AWAY
    return tuple(replace(one, separate_by=(*one.separate_by, WAVEFORM)) for one in found)


def evidence_of(
    rings: Sequence[tuple[Watched, Ring]],
    one: Watched,
    finding: BearingFinding | Refusal | None,
    knowledge: Knowledge,
    around: Around = NOTHING_AROUND,
) -> Evidence:
    """The last blocks of a machine's points beside each other, the newest last; `finding` is of `one`."""
    n = max((len(ring) for _, ring in rings), default=0) or 1
    points = tuple(
        _with_surroundings(
            _point(watched, ring, n, knowledge, (finding,) if finding and watched.place == one.place else ()),
            (watched, ring),
            knowledge,
            around,
        )
        for watched, ring in rings
    )
    mine = next(ring for watched, ring in rings if watched.place == one.place)
    hours = _padded([kept.ts_ns / 3.6e12 for kept in mine], n)
    speed = _padded([kept.shaft_hz / one.point.shaft_order for kept in mine], n)
    load = _padded([kept.load_percent for kept in mine], n)
    return Evidence(
        points,
        n,
        hours=hours,
        speed_hz=speed,
        load=None if np.isnan(load).all() else load,
        events=around.events,
    )


def _with_surroundings(
    point: PointEvidence, of: tuple[Watched, Ring], knowledge: Knowledge, around: Around
) -> PointEvidence:
    """A point with its temperatures, and with what grows."""
    watched, ring = of
    n = len(next(iter(point.channels[0].features.values())))
    warm = _padded([kept.temperature_c for kept in ring], n)
    off = _padded([kept.residual_k for kept in ring], n)
    grows = around.doubling_days.get(watched.place, {})
    channels = tuple(
        replace(channel, doubling_days=_of_channel(grows, channel.id)) for channel in point.channels
    )
    if np.isnan(warm).all():
        return replace(point, channels=channels)
    limits = knowledge.temperature_limits(*watched.place[:2])
    told = replace(point, channels=channels, temperature_c=warm, temperature_limits=limits)
    if np.isnan(off).all():
        return told
    part = watched.part
    return replace(told, residual_k=off, residual_limits=(part.residual_alert, part.residual_danger))


def _of_channel(grows: Mapping[str, float], channel: str) -> dict[str, float]:
    return {feature_of(name): days for name, days in grows.items() if name.partition("/")[0] == channel}


def _finding(entry: Scored, one: Watched) -> BearingFinding | Refusal | None:
    """What the bearing rule says of a block, over its channels; None where there is no bearing to look at."""
    bearing, block = one.point.bearing, entry.block
    if isinstance(block, Features):
        return None if bearing is None else WAVEFORM_AWAY
    channels = [
        c for c, name in enumerate(block.channels) if name in one.channels and entry.refusals[c] is None
    ]
    if bearing is None or not channels:
        return None
    return join_findings(
        diagnose_bearings(
            block.samples[channels],
            block.fs_hz,
            speed_hz=entry.shaft_hz,
            orders=bearing.orders,
            bands=bands_of(one.point),
            point=one.point.id,
        )
    )


def _point(
    watched: Watched,
    ring: Ring,
    n: int,
    knowledge: Knowledge,
    findings: tuple[BearingFinding | Refusal, ...],
) -> PointEvidence:
    limits = knowledge.limits(watched.point.limits)
    direction = {c.id: c.direction for c in watched.point.channels}
    table = np.full((n, len(watched.channels), len(NAMES)), np.nan)
    for k, kept in enumerate(ring):
        table[n - len(ring) + k] = kept.features
    expected = None if watched.model is None else _expected(watched, watched.model, ring, n)
    channels = tuple(
        ChannelEvidence.of_table(
            channel,
            NAMES,
            table[:, c],
            direction=direction[channel],
            expected=None if expected is None else expected[:, c],
            limits=limits,
            doubts=ring[-1].doubts.get(channel, ()) if ring else (),
        )
        for c, channel in enumerate(watched.channels)
    )
    return PointEvidence(watched.point.id, channels, findings=findings)


def _expected(watched: Watched, model: PointModel, ring: Ring, n: int) -> npt.NDArray[np.float64]:
    """What is expected of each block (n, n_channels, n_features); of what is watched, at its regime."""
    expected = np.broadcast_to(model.levels, (n, *model.levels.shape)).copy()
    if not ring:
        return expected
    speed = [measured_hz(watched.machine, watched.point, _speed(kept)) for kept in ring]
    load = [kept.load_percent for kept in ring]
    context = Context(np.arange(len(ring), dtype=np.float64), np.array(speed), np.array(load))
    level = np.exp(model.baseline.expect(np.full((len(ring), len(watched.names)), np.nan), context).log_level)
    columns = [FEATURE[feature_of(name)] for name in watched.features]
    by_channel = level.reshape(len(ring), len(watched.channels), len(watched.features))
    newest = expected[n - len(ring) :]
    newest[:, :, columns] = np.where(np.isnan(by_channel), newest[:, :, columns], by_channel)
    return expected


def _speed(kept: Kept) -> float | None:
    return None if np.isnan(kept.shaft_hz) else kept.shaft_hz


def _padded(values: Sequence[float], n: int) -> npt.NDArray[np.float64]:
    """The values as the newest of n, NaN before."""
    return np.array([*[np.nan] * (n - len(values)), *values], dtype=np.float64)
