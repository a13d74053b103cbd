"""Blocks that are whole and can't be right are stored and not judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest import admission
from ingest.batch import Commit, WorkFrame
from ingest.knowledge import Knowledge, Speeds
from ingest.plausible import BEYOND_RANGE, SUSPECT_NS, UNIT_CHANGED, Plausible
from ingest.quarantine import TOO_MANY_NEW
from ingest.scoring import Scored, Scorer
from models.types import Refusal, State
from palier.frames import FrameId, Waveform
from palier.limits import load_limits
from palier.plant import Plant
from palier.source import ChannelBirth, Device
from palier.wire.messages import device_birth
from palier.wire.topics import Kind
from tests.support.committing import Fakes, committer
from tests.support.gateway import EPOCH, waveform
from tests.support.pipeline_bench import SECOND, T0, Bench, acked, commits

G = 9.80665


class Looker:
    """One channel's blocks, one after the other, a minute apart."""

    def __init__(self, plant: Plant) -> None:
        knowledge = Knowledge(plant, load_limits())
        self._scorer = Scorer(knowledge, Speeds(knowledge))
        self._plausible = Plausible()
        self._k = 0

    def refusal(
        self,
        velocity_mm_s: float = 1.0,
        *,
        unit: str = "m/s²",
        live: bool = True,
        after_s: int = 60,
        gain: float = 1.0,
    ) -> Refusal | None:
        """`gain` is of the scale, and so of the level: the same counts of the converter tell more."""
        self._k += after_s
        block = waveform(T0 + self._k * SECOND, velocity_mm_s=velocity_mm_s, unit=unit)
        block = replace(block, scale=(gain * block.scale[0],))
        work = WorkFrame(FrameId("usine/g1", EPOCH, self._k), "usine", block, live, "t", b"")
        scored: list[Scored] = self._scorer.score([work])
        self._plausible.look(scored)
        return scored[0].refusals[0]


@pytest.fixture
def looker(plant: Plant) -> Looker:
    one = Looker(plant)
    assert [one.refusal() for _ in range(6)] == [None] * 6
    return one


def test_a_level_that_changes_by_gravity_with_its_unit_is_not_judged(looker: Looker) -> None:
    assert [looker.refusal(unit="g") for _ in range(3)] == [UNIT_CHANGED] * 3
    assert looker.refusal(unit="g", live=False) == UNIT_CHANGED
    assert looker.refusal() is None
    assert looker.refusal(G) is None


def test_the_other_way_too(plant: Plant) -> None:
    one = Looker(plant)
    assert [one.refusal(unit="g") for _ in range(6)] == [None] * 6
    assert one.refusal(unit="m/s²") == UNIT_CHANGED


def test_a_level_that_grows_under_the_same_unit_is_judged(looker: Looker) -> None:
    assert [looker.refusal(G) for _ in range(3)] == [None] * 3


def test_a_scale_that_changes_by_gravity_and_the_level_with_it_is_not_judged(looker: Looker) -> None:
    assert looker.refusal(gain=G) == UNIT_CHANGED


@pytest.mark.parametrize("step", [8.0, 10.0])
def test_a_converter_that_changes_its_range_hides_no_level_that_grew(looker: Looker, step: float) -> None:
    """Ranges go in steps of two or ten: a level that grows by so much brings another scale with it."""
    assert [looker.refusal(gain=step) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("gain", [2.0, 0.5, 1 / G])
def test_nor_does_another_scale_that_does_not_explain_it(looker: Looker, gain: float) -> None:
    assert looker.refusal(G / gain, gain=gain) is None


def test_a_level_that_grows_beyond_the_suspicion_is_judged(looker: Looker) -> None:
    assert looker.refusal(unit="g") == UNIT_CHANGED
    assert looker.refusal(1.9, unit="g") == UNIT_CHANGED
    assert looker.refusal(2.1, unit="g") is None


def test_a_sensor_in_another_unit_that_tells_the_same_is_judged(looker: Looker) -> None:
    assert looker.refusal(1 / G, unit="g") is None


def test_a_change_that_was_meant_is_believed_after_a_day(looker: Looker) -> None:
    assert looker.refusal(unit="g") == UNIT_CHANGED
    assert looker.refusal(unit="g", after_s=SUSPECT_NS // SECOND) is None
    assert looker.refusal(unit="g") is None


def test_after_a_suspicion_the_level_of_before_ends_it(looker: Looker) -> None:
    assert looker.refusal(unit="g") == UNIT_CHANGED
    assert looker.refusal(1 / G, unit="g") is None


# Beyond the range ---------------------------------------------------------------------------------------


@pytest.fixture
def bench(plant: Plant) -> Bench:
    bench = Bench(plant)
    bench.born()
    channels = (ChannelBirth("p1/h", "m/s²", "int16", scale=0.001, fs_hz=4096.0, full_scale=10.0),)
    told = device_birth(Device("pompe", channels), seq=bench.next(), timestamp_ms=1)
    bench.message(Kind.DBIRTH, told, device="pompe")
    return bench


def swapped(block: Waveform) -> Waveform:
    return replace(block, samples=block.samples.byteswap().view("<i2"))


def test_samples_beyond_the_announced_range_are_stored_and_not_judged(bench: Bench, plant: Plant) -> None:
    sound = waveform(T0 + SECOND, channels=("h", "a"))
    bench.frame(1, sound)
    bench.frame(2, swapped(replace(sound, start_ns=T0 + 2 * SECOND)))
    effects = bench.empty()
    assert acked(effects) == [(1, 2)]
    (batch,) = commits(effects)
    assert [work.beyond for work in batch.frames] == [frozenset(), frozenset({"h"})]
    made = committer(plant, Fakes())
    attempt = made.begin(batch)
    made.compute(attempt)
    first, second = attempt.assessed
    assert (first.scored.refusals[0], second.scored.refusals[0]) == (None, BEYOND_RANGE)
    assert np.isfinite(second.scored.features[0]).any()
    assert first.said.state is not State.UNKNOWN
    assert (second.said.state, second.said.reason) == (State.UNKNOWN, "beyond_range")


def test_a_range_in_another_unit_is_not_compared(bench: Bench) -> None:
    bench.frame(1, swapped(waveform(T0 + SECOND, unit="g")))
    assert [work.beyond for batch in commits(bench.empty()) for work in batch.frames] == [frozenset()]


def test_an_infinite_sample_is_not_taken_for_one_beyond_the_range(bench: Bench) -> None:
    """It is refused for what it is."""
    block = waveform(T0 + SECOND)
    samples = block.samples.astype("<f4")
    samples[0, 7] = np.inf
    bench.frame(1, replace(block, samples=samples))
    assert [work.beyond for batch in commits(bench.empty()) for work in batch.frames] == [frozenset()]


def test_a_later_birth_replaces_the_range(bench: Bench) -> None:
    channels = (ChannelBirth("p1/h", "m/s²", "int16", scale=0.001, fs_hz=4096.0, full_scale=50.0),)
    told = device_birth(Device("pompe", channels), seq=bench.next(), timestamp_ms=1)
    bench.message(Kind.DBIRTH, told, device="pompe")
    bench.frame(1, swapped(waveform(T0 + SECOND)))
    assert [work.beyond for batch in commits(bench.empty()) for work in batch.frames] == [frozenset()]


# Strangers ----------------------------------------------------------------------------------------------


def test_strangers_are_bounded_over_any_time(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STRANGERS", 700)
    bench = Bench(plant)
    bench.born()
    effects: list[object] = []
    for seq in range(1, 1001):
        bench.link_s += 10
        effects += bench.frame(seq, waveform(T0, machine=f"m{seq}", n=64))
    effects += bench.empty()
    batches = [effect.batch for effect in effects if isinstance(effect, Commit)]
    reasons = [row.reason for batch in batches for row in batch.quarantine]
    assert set(reasons) == {TOO_MANY_NEW}
    assert sum(len(batch.frames) for batch in batches) == 700
    bench.frame(1001, waveform(T0 + SECOND, machine="m1", n=64))
    assert sum(len(batch.frames) for batch in commits(bench.empty())) == 1
