"""Features of a batch, and which channels may be judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ingest.batch import WorkFrame
from ingest.knowledge import SPEEDS_KEPT, Knowledge, Speeds
from ingest.scoring import Scored, Scorer
from models.features.catalogue import CATALOGUE, NAMES
from palier.frames import QUALITY_BAD, QUALITY_GOOD, FrameId, Waveform
from palier.limits import load_limits
from palier.plant import Plant
from tests.support.gateway import readings, waveform

T0 = 1_790_000_000 * 10**9
SECOND = 10**9


@pytest.fixture
def knowledge(plant: Plant) -> Knowledge:
    return Knowledge(plant, load_limits())


def work(frame: Waveform, *, site: str = "usine", seq: int = 1) -> WorkFrame:
    return WorkFrame(FrameId(f"{site}/g1", "e", seq), site, frame, live=True, topic="t", payload=b"p")


def score(knowledge: Knowledge, *frames: Waveform, speeds: Speeds | None = None) -> list[Scored]:
    scorer = Scorer(knowledge, speeds or Speeds(knowledge))
    return scorer.score([work(frame, seq=i) for i, frame in enumerate(frames, 1)])


def feature(entry: Scored, name: str, channel: int = 0) -> float:
    return float(entry.features[channel, NAMES.index(name)])


def test_the_velocity_of_a_sine(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, velocity_mm_s=3.2))
    assert feature(entry, "velocity_rms_mm_s") == pytest.approx(3.2, rel=5e-3)


def test_g_and_metres_agree(knowledge: Knowledge) -> None:
    metres = waveform(T0, velocity_mm_s=3.2)
    in_g = replace(metres, unit=("g",), scale=(metres.scale[0] / 9.80665,))
    one, other = score(knowledge, metres, in_g)
    assert np.allclose(one.features, other.features, rtol=1e-5, equal_nan=True)


def test_a_batch_of_many_kinds_is_as_each_alone(knowledge: Knowledge) -> None:
    frames = [
        waveform(T0, velocity_mm_s=1.0),
        waveform(T0, velocity_mm_s=2.0, channels=("h", "a")),
        waveform(T0, velocity_mm_s=3.0, n=8192),
        waveform(T0, velocity_mm_s=4.0, fs_hz=8192.0),
        replace(waveform(T0, velocity_mm_s=5.0), samples=waveform(T0).samples.astype("<f4")),
        waveform(T0, machine="broche", speed_rpm=3000.0),
    ]
    together = score(knowledge, *frames)
    for frame, entry in zip(frames, together, strict=True):
        (alone,) = score(knowledge, frame)
        assert np.allclose(alone.features, entry.features, rtol=1e-5, equal_nan=True)


def test_without_a_unit_only_what_needs_none_is_kept(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, machine="inconnue", unit="unknown"))
    for spec, value in zip(CATALOGUE, entry.features[0], strict=True):
        assert spec.degree == 0 or np.isnan(value), spec.name
    assert np.isfinite(feature(entry, "kurtosis"))


def test_the_plant_knows_the_unit_where_the_gateway_does_not(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, unit="unknown", velocity_mm_s=2.0))
    assert entry.units == ("m/s²",)
    assert feature(entry, "velocity_rms_mm_s") == pytest.approx(2.0, rel=5e-3)


def test_a_unit_that_is_no_acceleration_is_not_taken_for_one(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, unit="V"))
    assert entry.units == ("unknown",)
    assert np.isnan(feature(entry, "velocity_rms_mm_s"))


def test_what_the_plant_sends_is_prepared_for(knowledge: Knowledge) -> None:
    """Nothing is loaded at the first block."""
    assert knowledge.block_shapes() == ((4096.0, 4096),)


# Speed --------------------------------------------------------------------------------------------------


def test_the_speed_of_the_block_wins_over_the_fixed_one(knowledge: Knowledge) -> None:
    fixed, measured = score(knowledge, waveform(T0), waveform(T0, speed_rpm=1200.0))
    assert fixed.shaft_hz == pytest.approx(25.0)
    assert measured.shaft_hz == pytest.approx(20.0)


def test_a_speed_read_shortly_before_counts_and_an_old_one_does_not(knowledge: Knowledge) -> None:
    speeds = Speeds(knowledge)
    speeds.take("usine", readings(T0, "p1/n", [6000.0, 6060.0], machine="broche", unit="r/min"))
    block = waveform(T0 + 60 * SECOND, machine="broche")
    assert speeds.shaft_hz("usine", block) == pytest.approx(101.0)
    assert speeds.shaft_hz("usine", replace(block, start_ns=T0 + 600 * SECOND)) is None


def test_a_speed_in_another_unit_or_of_bad_quality_is_none(knowledge: Knowledge) -> None:
    speeds = Speeds(knowledge)
    told = readings(T0, "p1/n", [100.0], machine="broche", unit="r/min")
    speeds.take("usine", replace(told, unit=("Hz",)))
    speeds.take("usine", replace(told, quality=(QUALITY_BAD,)))
    assert speeds.shaft_hz("usine", waveform(T0, machine="broche")) is None


def test_a_late_block_finds_the_speed_of_its_own_time(knowledge: Knowledge) -> None:
    speeds = Speeds(knowledge)
    for minute, rpm in enumerate((3000.0, 6000.0, 9000.0)):
        speeds.take(
            "usine", readings(T0 + minute * 60 * SECOND, "p1/n", [rpm], machine="broche", unit="r/min")
        )
    assert speeds.shaft_hz("usine", waveform(T0 + 61 * SECOND, machine="broche")) == pytest.approx(100.0)


def test_a_backlog_does_not_push_out_the_speed_of_now(knowledge: Knowledge) -> None:
    speeds = Speeds(knowledge)
    day = [T0 - (SPEEDS_KEPT - k) * 60 * SECOND for k in range(SPEEDS_KEPT)]
    speeds.take("usine", readings(T0, "p1/n", [6000.0], machine="broche", unit="r/min"))
    for ts_ns in day:
        speeds.take("usine", readings(ts_ns, "p1/n", [3000.0], machine="broche", unit="r/min"), live=False)
    assert speeds.shaft_hz("usine", waveform(T0, machine="broche")) == pytest.approx(100.0)
    assert speeds.shaft_hz("usine", waveform(day[9], machine="broche")) == pytest.approx(50.0)


def test_an_unknown_speed_leaves_only_what_needs_it_unknown(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, machine="broche"))
    assert entry.shaft_hz is None
    assert np.isnan(feature(entry, "order_1x_mm_s"))
    assert np.isfinite(feature(entry, "velocity_rms_mm_s"))


def test_a_trembling_encoder_stands_still(knowledge: Knowledge) -> None:
    (entry,) = score(knowledge, waveform(T0, speed_rpm=0.4))
    assert entry.shaft_hz == 0.0


# What may not be judged ---------------------------------------------------------------------------------


def reason(knowledge: Knowledge, samples: npt.NDArray[np.generic], quality: int = QUALITY_GOOD) -> str | None:
    """Why a block of these samples [n] is not judged."""
    block = replace(waveform(T0), samples=samples[None, :], quality=(quality,))
    (refusal,) = score(knowledge, block)[0].refusals
    return refusal.reason if refusal else None


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.zeros(64, "<i2"), "stuck"),
        (np.full(64, 7.5, "<f4"), "stuck"),
        (np.array([1.0, np.nan] * 32, "<f4"), "not_finite"),
        (np.array([1.0, -np.inf] * 32, "<f4"), "not_finite"),
        (np.tile([32767, -32768], 32).astype("<i2"), "clipped"),
        (np.tile([2**31 - 1, 0], 32).astype("<i4"), "clipped"),
        (np.arange(8, dtype="<i2"), "block_too_short"),
        (np.repeat(np.arange(-20, 20, dtype="<i2") ** 3, 40), "stuck"),
        (np.tile(np.repeat(np.array([0, 1], dtype="<i2"), [60, 2]), 4), "stuck"),
        (np.tile(np.repeat(np.array([0, 1], dtype="<i2"), [12, 1]), 8), "dead"),
    ],
)
def test_samples_that_cannot_be_trusted(
    knowledge: Knowledge, samples: npt.NDArray[np.generic], told: str
) -> None:
    assert reason(knowledge, samples) == told


@pytest.mark.parametrize("unit", ["m/s²", "g"])
def test_counts_that_the_gateway_sends_as_the_unit_are_not_judged(knowledge: Knowledge, unit: str) -> None:
    counts = np.rint(np.random.default_rng(5).normal(0, 4000, (1, 4096))).astype("<i2")
    block = replace(waveform(T0), samples=counts, unit=(unit,), scale=(1.0,))
    (wrong,), (right,) = (score(knowledge, replace(block, scale=(s,))) for s in (1.0, 1e-4))
    assert wrong.refusals[0] is not None
    assert wrong.refusals[0].reason == "raw_counts"
    assert right.refusals == [None]


def test_a_sound_block_is_judged(knowledge: Knowledge) -> None:
    assert reason(knowledge, waveform(T0).samples[0]) is None


def test_a_single_peak_at_the_end_of_the_range_is_no_clipping(knowledge: Knowledge) -> None:
    samples = waveform(T0).samples[0].copy()
    samples[10] = 32767
    assert reason(knowledge, samples) is None


def test_spikes_are_kept_and_the_block_is_judged(knowledge: Knowledge) -> None:
    samples = waveform(T0).samples.copy()
    samples[0, 100::500] = 20_000
    (entry,) = score(knowledge, replace(waveform(T0), samples=samples))
    assert entry.refusals == [None]
    assert feature(entry, "spikes") == 8


def test_what_the_gateway_calls_bad_is_not_judged(knowledge: Knowledge) -> None:
    assert reason(knowledge, waveform(T0).samples[0], QUALITY_BAD) == "bad_quality"


def test_a_block_that_is_too_short_is_so_at_any_quality(knowledge: Knowledge) -> None:
    """Only a block that says so is left out of the spectra."""
    assert reason(knowledge, waveform(T0, n=8).samples[0], QUALITY_BAD) == "block_too_short"


def test_a_nan_stays_with_its_own_channel(knowledge: Knowledge) -> None:
    clean = waveform(T0, channels=("h", "a"))
    samples = clean.samples.astype("<f4")
    samples[1, 5] = np.nan
    (entry,) = score(knowledge, replace(clean, samples=samples, scale=(0.001, 0.001)))
    assert np.isfinite(feature(entry, "velocity_rms_mm_s", 0))
    assert np.isnan(feature(entry, "velocity_rms_mm_s", 1))
    assert [refusal and refusal.reason for refusal in entry.refusals] == [None, "not_finite"]
