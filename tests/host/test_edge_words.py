"""What strikes the host about gateways: sessions that begin too often, clocks that can't be believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.batch import Effect, GatewaySays, Now
from ingest.edge_words import CALM_S, MAX_EDGES, RESTLESS_BIRTHS, RESTLESS_S, EdgeWords
from palier.alarm_modes import Mode
from palier.frames import Clock
from palier.plant import Plant
from palier.wire.messages import node_death
from palier.wire.topics import Kind
from tests.support.gateway import waveform
from tests.support.pipeline_bench import SECOND, T0, Bench


@pytest.fixture
def bench(plant: Plant) -> Bench:
    return Bench(plant)


def said(effects: list[Effect], kind: Mode) -> list[tuple[str, dict[str, float], bool]]:
    return [
        (one.edge, dict(one.numbers), one.active)
        for one in effects
        if isinstance(one, GatewaySays) and one.kind is kind
    ]


def reborn(bench: Bench, times: int, *, every_s: float) -> list[Effect]:
    effects: list[Effect] = []
    for _ in range(times):
        bench.link_s += every_s
        bench.message(Kind.NDEATH, node_death(0))
        effects += bench.born()
    bench.link_s += 1.0
    return effects + bench.empty()


def test_more_than_three_sessions_in_a_minute_are_told_and_their_end(bench: Bench) -> None:
    effects = reborn(bench, RESTLESS_BIRTHS + 1, every_s=5.0)
    assert said(effects, Mode.TAKEOVER) == [("usine/g1", {"per_minute": RESTLESS_BIRTHS + 1}, True)]
    bench.link_s += RESTLESS_S
    assert said(bench.empty(), Mode.TAKEOVER) == [("usine/g1", {}, False)]
    bench.link_s += RESTLESS_S
    assert said(bench.empty(), Mode.TAKEOVER) == []


def test_births_that_were_asked_for_begin_no_session(bench: Bench) -> None:
    effects: list[Effect] = []
    for _ in range(20):
        bench.link_s += 2.0
        effects += bench.born()
    assert said(effects, Mode.TAKEOVER) == []


def test_a_link_that_flaps_once_a_minute_is_nothing(bench: Bench) -> None:
    effects = reborn(bench, 10, every_s=30.0)
    assert [active for _, _, active in said(effects, Mode.TAKEOVER)] in ([], [False])


def test_a_clock_ahead_is_told_with_its_frames_and_its_end(bench: Bench) -> None:
    bench.born()
    effects = bench.frame(1, waveform(T0 + 9_000 * SECOND, n=64))
    effects += bench.frame(2, replace(waveform(T0 + SECOND, n=64), clock=Clock.UNSYNCED))
    bench.link_s += 2
    effects += bench.empty()
    assert said(effects, Mode.CLOCK)[-1] == ("usine/g1", {"suspect": 1.0, "unsynced": 1.0}, True)
    bench.link_s += CALM_S
    assert said(bench.empty(), Mode.CLOCK) == [("usine/g1", {}, False)]


def test_of_a_good_clock_is_told_once(bench: Bench) -> None:
    bench.born()
    effects: list[Effect] = []
    for seq in range(1, 10):
        bench.link_s += 2
        effects += bench.frame(seq)
    assert said(effects, Mode.CLOCK) == [("usine/g1", {}, False)]


def test_no_number_of_names_makes_it_grow() -> None:
    words = EdgeWords()
    for i in range(MAX_EDGES + 50):
        words.born(f"usine/g{i}", Now(float(i), T0, T0))
    assert len(words.turn(Now(1e6, T0, T0))) <= 2 * MAX_EDGES
    assert words.turn(Now(2e6, T0, T0)) == []
    assert len(words._edges) == MAX_EDGES
