"""What is the matter with sensors is counted, and logged when it comes and when it goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

import ingest.doubts
from ingest.batch import WorkFrame
from ingest.doubts import Doubts
from ingest.knowledge import Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from palier.frames import FrameId, Waveform
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.gateway import waveform

T0 = 1_790_000_000 * 10**9
SOUND = waveform(T0, channels=("h", "a"))


@pytest.fixture
def scorer(plant: Plant) -> Scorer:
    knowledge = Knowledge(plant, load_limits())
    return Scorer(knowledge, Speeds(knowledge))


def with_spikes(block: Waveform, channel: int = 0) -> Waveform:
    samples = block.samples.copy()
    samples[channel, 100::500] = 20_000
    return replace(block, samples=samples)


def with_stuck(block: Waveform, channel: int) -> Waveform:
    samples = block.samples.copy()
    samples[channel] = 5
    return replace(block, samples=samples)


def scored(scorer: Scorer, *blocks: Waveform, live: bool = True) -> list[Scored]:
    return scorer.score(
        [
            WorkFrame(FrameId("usine/g1", "e", i), "usine", block, live, "t", b"p")
            for i, block in enumerate(blocks)
        ]
    )


def told(logs: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(line["event"], line["channel"], line["reason"]) for line in logs]  # type: ignore[index]


def test_a_block_has_what_does_not_forbid_to_judge_each_channel(scorer: Scorer) -> None:
    sound, spiky, stuck, short = scored(
        scorer, SOUND, with_spikes(SOUND), with_stuck(SOUND, 1), waveform(T0, n=8)
    )
    names = [[tuple(r.reason for r in found) for found in e.doubts] for e in (sound, spiky, stuck, short)]
    assert names == [[(), ()], [("spikes",), ()], [(), ()], [()]]
    refused = [[r and r.reason for r in e.refusals] for e in (sound, spiky, stuck, short)]
    assert refused == [[None, None], [None, None], [None, "stuck"], ["block_too_short"]]


def test_a_doubt_is_logged_when_it_comes_and_when_it_goes(scorer: Scorer) -> None:
    doubts = Doubts()
    with capture_logs() as logs:
        doubts.stored(scored(scorer, SOUND, with_spikes(SOUND), with_spikes(SOUND), SOUND, SOUND))
    assert told(logs) == [  # type: ignore[arg-type]
        ("sensor_doubted", "usine/pompe/p1/h", "spikes"),
        ("sensor_doubt_over", "usine/pompe/p1/h", "spikes"),
    ]
    assert logs[0]["remedy"] == "shield_cable"
    assert doubts.counts == {("spikes", False): 2}


def test_one_channel_of_a_point_that_is_refused_is_no_secret(scorer: Scorer) -> None:
    """The other one speaks for the point, whose state says nothing of it."""
    doubts = Doubts()
    with capture_logs() as logs:
        doubts.stored(scored(scorer, with_stuck(SOUND, 1)))
    assert told(logs) == [("sensor_doubted", "usine/pompe/p1/a", "stuck")]  # type: ignore[arg-type]
    assert doubts.counts == {("stuck", True): 1}


def test_late_blocks_are_counted_and_not_told(scorer: Scorer) -> None:
    doubts = Doubts()
    with capture_logs() as logs:
        doubts.stored(scored(scorer, with_spikes(SOUND), live=False))
    assert not logs
    assert doubts.counts == {("spikes", False): 1}


def test_a_machine_at_rest_says_nothing_of_its_sensors(scorer: Scorer) -> None:
    doubts = Doubts()
    still = replace(SOUND, samples=np.zeros_like(SOUND.samples), speed_rpm=0.0)
    doubts.stored(scored(scorer, still))
    assert not doubts.counts


def test_no_number_of_channels_makes_it_grow(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.doubts, "CHANNELS_KEPT", 2)
    doubts = Doubts()
    names = [f"m{i}" for i in range(5)]
    with capture_logs() as logs:
        doubts.stored(scored(scorer, *(with_spikes(replace(SOUND, machine=name)) for name in names)))
        doubts.stored(scored(scorer, with_spikes(replace(SOUND, machine="m4"))))
        doubts.stored(scored(scorer, with_spikes(replace(SOUND, machine="m0"))))
    assert len(logs) == 5 + 0 + 1
