"""The watch over several points: those with a block are stepped, and however they come it is the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.batch import WorkFrame
from ingest.judging import Assessed, assess
from ingest.scoring import Scored
from ingest.watch import Watch
from ingest.watch_batch import Watched, Watching
from ingest.watch_parts import Place, PointModel, watched_points
from ingest.watch_parts import Watched as Point
from models.detection.baseline import Baseline
from models.detection.context import Context
from models.detection.measured import Blocks
from models.detection.monitor import Monitor
from models.features.catalogue import NAMES
from palier.frames import FrameId, Waveform
from tests.support import watched_pump as pump

T0_S, EVERY_S, WEEK = 1.79e9, 600.0, 1008
POINTS: dict[Place, Point] = {one.place: one for one in watched_points(pump.knowledge(), {})}
UNLEARNED = max(POINTS, key=lambda place: sum(one.names == POINTS[place].names for one in POINTS.values()))


def features(rng: np.random.Generator, channels: int) -> np.ndarray:
    return np.exp(0.1 * rng.standard_normal((channels, len(NAMES)))).astype(np.float32)


@cache
def model(columns: tuple[str, ...], channels: tuple[str, ...]) -> PointModel:
    rng = np.random.default_rng(1)
    x = np.exp(0.1 * rng.standard_normal((WEEK, len(columns))))
    context = Context(EVERY_S * np.arange(WEEK), np.full(WEEK, 25.0))
    found = Baseline.fit(x, context, names=columns)
    assert isinstance(found, Baseline)
    return PointModel(1, channels, found, np.ones((len(channels), len(NAMES))))


@cache
def watching() -> Watching:
    """All points of the sample plant but one have learned."""
    models = {place: model(one.names, one.channels) for place, one in POINTS.items() if place != UNLEARNED}
    watch = Watch.of(pump.knowledge(), models)
    return Watching(pump.knowledge(), watch, watch.start())


def blocks(seed: int, n: int) -> list[Assessed]:
    """Blocks of random points at random times, some late, some sick, some from an outbox."""
    rng = np.random.default_rng(seed)
    places, found = list(POINTS), []
    for k in range(n):
        one = POINTS[places[rng.integers(len(places))]]
        x = features(rng, len(one.channels)) * np.float32(rng.choice([1, 1, 1, 4]))
        x[rng.random(x.shape) < 0.05] = np.nan
        frame = Waveform(
            one.machine.id, one.point.id, one.channels, np.zeros((len(one.channels), 4096), np.int16),
            (1.0,) * len(one.channels), ("m/s²",) * len(one.channels), 25600.0,
            round((T0_S + EVERY_S * k / 4 - rng.choice([0.0, 9e3], p=[0.9, 0.1])) * 1e9), speed_rpm=1500.0,
        )  # fmt: skip
        work = WorkFrame(
            FrameId("s/g", "00000000000000e1", k + 1), one.place[0], frame, rng.random() < 0.9, "", b""
        )
        blank = [None] * len(one.channels)
        scored = Scored(work, frame, x, 25.0, frame.unit, list(blank), [() for _ in blank])
        found.append(assess(scored, pump.knowledge()))
    return found


def told(before: Watching, taken: dict[tuple[str, str], str], step: Watched) -> Watching:
    """After a restart."""
    taken |= {(row.site, row.key): row.value for row in step.states if row.value is not None}
    state, strange = before.watch.restored(taken)
    assert not strange
    return replace(step.after, state=state)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_any_batches_and_restarts_lead_to_the_same(seed: int, sizes: list[int]) -> None:
    entries = blocks(seed, sum(sizes))
    # What comes late is refused by the order that it comes in: alike for all only where none is late.
    entries.sort(key=lambda entry: entry.scored.block.start_ns)
    whole = watching().step(entries)
    now, kept, said, first = watching(), dict[tuple[str, str], str](), list[tuple[object, ...]](), 0
    for size in sizes:
        step = now.step(entries[first : first + size])
        said += [(v.ts_ns, v.level, v.said, v.tests, v.health) for _, v in sorted(step.verdicts.items())]
        now, first = told(now, kept, step), first + size
    assert now.state.rows == whole.after.state.rows
    assert said == [(v.ts_ns, v.level, v.said, v.tests, v.health) for _, v in sorted(whole.verdicts.items())]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31))
def test_stepping_those_with_a_block_is_stepping_all(seed: int) -> None:
    """As a monitor over all points of a group says it, most of which have no block each time."""
    entries = [entry for entry in blocks(seed, 40) if entry.work.live]
    (group,) = [g for g in watching().watch.groups if any(p.place == UNLEARNED for p in g.points)]
    places = [one.place for one in group.points]
    monitor = Monitor(group.names, [one.part for one in group.points])
    state, now = monitor.start(), watching().watch.start()
    for entry in entries:
        place = (entry.work.site, entry.scored.block.machine, entry.scored.block.point)
        if place not in places:
            continue
        k = places.index(place)
        time_s, x = np.full(len(places), np.nan), np.full((len(places), len(group.names)), np.nan)
        now, verdicts = watching().watch.step(now, [entry.scored])
        (verdict,) = verdicts.values()
        time_s[k], x[k] = entry.scored.block.start_ns / 1e9, verdict.x
        state, decision = monitor.step(state, Blocks(time_s, x, 25.0))
        assert (verdict.level, verdict.advanced) == (decision.level[k], decision.advanced[k])
        assert np.array_equal(verdict.z, decision.z[k], equal_nan=True)
        assert np.array_equal(verdict.alert, decision.alert[k], equal_nan=True)
    kept = group.layout.arrays([now.rows[place] for place in places])
    assert kept["ewma"].tobytes() == state.charts.ewma.tobytes()
    assert kept["on"].tobytes() == state.latches.on.tobytes()
    assert kept["counted_s"].tobytes() == state.counted_s.tobytes()


def test_points_without_a_block_are_left_as_they_are() -> None:
    one = blocks(5, 1)[0]
    entry = replace(one, scored=replace(one.scored, work=replace(one.work, live=True)))
    before = watching().state
    step = watching().step([entry])
    place = (entry.work.site, entry.scored.block.machine, entry.scored.block.point)
    assert {p for p, row in step.after.state.rows.items() if row is not before.rows[p]} == {place}
    assert {row.key.partition("#")[0] for row in step.states} == {"/".join(place[1:])}


def test_trends_are_kept_when_six_hours_are_over_and_not_before() -> None:
    entries = [entry for entry in blocks(3, 400) if entry.work.live]
    one_point = [e for e in entries if e.scored.block.point == entries[0].scored.block.point
                 and e.scored.block.machine == entries[0].scored.block.machine]  # fmt: skip
    now, trends = watching(), list[int]()
    for entry in sorted(one_point, key=lambda e: e.scored.block.start_ns):
        step = now.step([entry])
        now = step.after
        trends.append(sum(row.key.endswith("#trend") for row in step.states))
    bins = {e.scored.block.start_ns // (6 * 3_600 * 10**9) for e in one_point}
    assert sum(trends) == len(bins)
    assert 1 < len(bins) < len(trends)


@pytest.mark.parametrize("n", [1, 2])
def test_a_subset_of_a_monitor_is_its_parts(n: int) -> None:
    group = max(watching().watch.groups, key=lambda one: len(one.points))
    which = np.arange(len(group.points))[-n:][::-1].copy()
    x = features(np.random.default_rng(2), 1)[0, : len(group.names)][None].repeat(n, axis=0)
    parts = Monitor(group.names, [group.points[k].part for k in which])
    mine, _ = group.monitor.of(which).step(parts.start(), Blocks(T0_S, x, 25.0))
    assert mine.to_text() == parts.step(parts.start(), Blocks(T0_S, x, 25.0))[0].to_text()
