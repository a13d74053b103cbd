"""What may be judged: each rule on both sides of its limit, and healthy machines that no rule may refuse."""

from __future__ import annotations

import csv
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.sensors import BLOCK_RULES, REFUSALS, Assessment, Verdict, assess, whole_numbers
from models.features import Extractor
from models.types import STANDARD_GRAVITY_M_S2
from tests.support.recordings import data_folder

G = STANDARD_GRAVITY_M_S2
SOUND = {
    "mean_m_s2": 0.02,
    "acceleration_rms_m_s2": 2.0,
    "acceleration_peak_m_s2": 9.0,
    "peak_to_peak_m_s2": 17.0,
    "skewness": 0.1,
    "kurtosis": 3.2,
    "velocity_rms_mm_s": 1.5,
    "order_1x_mm_s": 1.2,
    "band_2500_5000_m_s2": 1.0,
    "band_5000_10000_m_s2": 0.8,
    "clipped_fraction": 0.0,
    "longest_hold": 3.0,
    "spikes": 0.0,
    "ski_slope": -1.0,
    "ski_ratio": 0.3,
}
FAST = Extractor(25_600.0, 8192)
SLOW = Extractor(2560.0, 10_240)


def columns(**changes: float) -> dict[str, np.ndarray]:
    """One sound block with these changes."""
    return {name: np.array([value]) for name, value in {**SOUND, **changes}.items()}


def told(assessment: Assessment, row: int = 0) -> tuple[str, list[str]]:
    return str(assessment.verdict[row]), [refusal.reason for refusal in assessment.reasons(row)]


def looked_at(
    extractor: Extractor, x: np.ndarray, scale: float = 1.0, *, speed_hz: float | None = None
) -> Assessment:
    """The assessment of real blocks (n, n_samples), through their features."""
    rows = extractor.extract(x, scale, speed_hz=speed_hz)
    return assess(
        dict(zip(extractor.names, rows.T, strict=True)),
        n_samples=extractor.n_samples,
        fs_hz=extractor.fs_hz,
        speed_hz=speed_hz,
        step_m_s2=scale if x.dtype.kind == "i" else None,
    )


OK = ("ok", [])

# Each rule ----------------------------------------------------------------------------------------------


def test_a_sound_block_is_judged() -> None:
    sound = assess(columns(), n_samples=8192, fs_hz=25_600.0, step_m_s2=0.001, good=True)
    assert told(sound) == OK
    assert sound.refusals == (None,)


@pytest.mark.parametrize(
    ("reason", "verdict", "good", "bad"),
    [
        ("not_finite", "refused", {}, {"longest_hold": math.nan}),
        ("stuck", "refused", {"longest_hold": 20}, {"longest_hold": 21}),
        ("stuck", "refused", {}, {"acceleration_rms_m_s2": 0.0}),
        ("clipped", "refused", {"clipped_fraction": 1e-4}, {"clipped_fraction": 1.01e-4}),
        ("spikes", "degraded", {"spikes": 2}, {"spikes": 3}),
        (
            "settling",  # the limit is 5 (1 + 10 df) = 17.5; the tail is smooth
            "degraded",
            {"ski_slope": -3.5, "ski_ratio": 17.4},
            {"ski_slope": -3.5, "ski_ratio": 17.6},
        ),
        (
            "settling",
            "degraded",
            {"ski_slope": -1.49, "ski_ratio": 100},
            {"ski_slope": -3.0, "ski_ratio": 100},
        ),
        (
            "settling",  # of a step: 12.3 is a tenth of 124, to which the limit of 17.5 comes first
            "refused",
            {"ski_slope": -2.0, "ski_ratio": 17.4},
            {"ski_slope": -2.0, "ski_ratio": 17.6},
        ),
        (
            "settling",  # √18 · 0.16 mm/s from 2 Hz to 10 Hz is below 0.71 mm/s
            "refused",
            {"ski_slope": -2.0, "ski_ratio": 18, "velocity_rms_mm_s": 0.16},
            {"ski_slope": -2.0, "ski_ratio": 18, "velocity_rms_mm_s": 0.18},
        ),
    ],
)
def test_a_rule_near_its_limit(
    reason: str, verdict: str, good: dict[str, float], bad: dict[str, float]
) -> None:
    known = {"n_samples": 102_400, "fs_hz": 25_600.0}
    assert told(assess(columns(**good), **known)) == OK  # type: ignore[arg-type]
    assert told(assess(columns(**bad), **known)) == (verdict, [reason])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "verdict", "name", "good", "bad"),
    [
        ("block_too_short", "refused", "n_samples", 16, 15),
        ("bad_quality", "refused", "good", True, False),
        ("biased", "refused", "bias_v", 8.1, 7.9),
        ("biased", "refused", "bias_v", 13.9, 14.1),
        ("dropout", "refused", "missing_share", 0.0009, 0.0011),
        ("rate_off", "degraded", "rate_error_ppm", -99.0, -101.0),
        ("few_steps", "degraded", "step_m_s2", 17.0 / 8, 17.0 / 7.9),
    ],
)
def test_what_else_is_known_near_its_limit(
    reason: str, verdict: str, name: str, good: float, bad: float
) -> None:
    for value in (good, None, math.nan):
        assert told(assess(columns(), **{name: value})) == OK  # type: ignore[arg-type]
    assert told(assess(columns(), **{name: bad})) == (verdict, [reason])  # type: ignore[arg-type]


def test_a_signal_below_the_noise_of_its_converter_is_dead() -> None:
    """Rounding to steps q has a variance of q²/12: what is quieter is not even rounded."""
    quiet = {"acceleration_rms_m_s2": 0.01, "peak_to_peak_m_s2": 0.1}
    assert told(assess(columns(**quiet), step_m_s2=0.0101 * math.sqrt(12))) == ("refused", ["dead"])
    assert told(assess(columns(**quiet), step_m_s2=0.0099 * math.sqrt(12)))[1] == ["few_steps"]
    assert told(assess(columns(**quiet), step_m_s2=0.0)) == OK


def test_counts_that_are_taken_for_the_unit_are_refused() -> None:
    far, near = {"acceleration_peak_m_s2": 501 * G}, {"acceleration_peak_m_s2": 499 * G}
    assert told(assess(columns(**far), whole=True)) == ("refused", ["raw_counts"])
    assert told(assess(columns(**near), whole=True)) == OK
    for fractions in (False, None, math.nan):
        assert told(assess(columns(**far), whole=fractions)) == OK
    assert told(assess(columns(mean_m_s2=2048 * G), whole=True)) == ("refused", ["raw_counts"])


def test_whole_numbers_are_looked_for_beyond_any_sensor_only() -> None:
    counts = np.array([[900, -3, 7, 2000]] * 3, dtype=np.int16)
    far = [2000 * G] * 3
    assert whole_numbers(counts, [1.0, 0.001, 1.5], 0.0, far).tolist() == [True, False, False]
    assert whole_numbers(counts.astype(np.float32), 1.0, 0.0, far).all()
    assert not whole_numbers(counts + np.float32(0.25), 1.0, 0.0, far).any()
    assert not whole_numbers(counts, 1.0, 0.0, [100 * G] * 3).any()
    assert not whole_numbers(counts, 1.0, math.nan, [math.nan] * 3).any()


def test_the_same_block_again() -> None:
    before = columns()
    assert told(assess(columns(), previous=before)) == ("refused", ["repeated"])
    assert told(assess(columns(kurtosis=3.2001), previous=before)) == OK
    assert told(assess(columns(), previous={})) == OK


@pytest.mark.parametrize(
    ("now", "loose"),
    [
        ({"band_2500_5000_m_s2": 0.49, "band_5000_10000_m_s2": 0.39}, True),
        ({"band_2500_5000_m_s2": 0.51, "band_5000_10000_m_s2": 0.39}, False),
        ({"band_2500_5000_m_s2": 0.49, "band_5000_10000_m_s2": math.nan}, False),  # one is not together
        ({"band_2500_5000_m_s2": 0.49, "band_5000_10000_m_s2": 0.39, "order_1x_mm_s": 1.8}, False),
        ({"band_2500_5000_m_s2": 0.49, "band_5000_10000_m_s2": 0.39, "order_1x_mm_s": math.nan}, True),
    ],
)
def test_a_loose_mount_loses_high_frequencies_and_keeps_the_first_order(
    now: dict[str, float], loose: bool
) -> None:
    """Where 1x grows as well, it may be the last stage of a bearing."""
    found = told(assess(columns(**now), reference=columns()))
    assert found == (("degraded", ["loose_mount"]) if loose else OK)


def test_a_sensor_that_measures_gravity_tells_how_it_is_mounted() -> None:
    upright = columns(mean_m_s2=G)
    for mean, turned in ((0.91 * G, False), (0.89 * G, True)):
        found = assess(columns(mean_m_s2=mean), reference=upright, measures_gravity=True)
        assert told(found) == (("degraded", ["tilted"]) if turned else OK)
        assert told(assess(columns(mean_m_s2=mean), reference=upright)) == OK
    assert told(assess(columns(mean_m_s2=1.2 * G), measures_gravity=True)) == ("refused", ["biased"])


def test_the_weightiest_reason_comes_first() -> None:
    bad = columns(longest_hold=50, clipped_fraction=0.1, spikes=9)
    found = assess(bad, good=False, rate_error_ppm=500.0)
    assert told(found) == ("refused", ["bad_quality", "clipped", "spikes", "rate_off"])
    assert found.refusals[0] is not None
    assert found.refusals[0].reason == "bad_quality"


def test_what_refuses_weighs_more_than_what_degrades() -> None:
    verdicts = [verdict for _, verdict in BLOCK_RULES]
    assert verdicts == sorted(verdicts, key=[Verdict.REFUSED, Verdict.DEGRADED].index)
    assert {refusal for refusal, _ in BLOCK_RULES} == set(REFUSALS)


def test_nothing_known_is_nothing_judged() -> None:
    assert told(assess({"crest_factor": [3.0]})) == OK
    assert told(assess(dict.fromkeys(SOUND, np.array([math.nan])), n_samples=4)) == (
        "refused",
        ["block_too_short"],
    )


def test_numbers_beyond_all_bounds_break_nothing() -> None:
    wild = dict.fromkeys(SOUND, np.array([np.inf]))
    zero = dict.fromkeys(SOUND, np.array([0.0]))
    assert assess(wild, previous=wild, reference=zero, step_m_s2=1.0).verdict[0] == Verdict.REFUSED


@pytest.mark.parametrize(
    ("features", "known", "sentence"),
    [
        ({}, {}, "at least one column, got none"),
        ({"spikes": [1.0], "kurtosis": [1.0, 2.0]}, {}, "one length"),
        ({"spikes": [[1.0]]}, {}, "one length"),
        ({"spikes": [1.0]}, {"bias_v": [1.0, 2.0]}, "bias_v must be one value"),
        (
            {"spikes": [1.0]},
            {"reference": {"spikes": [1.0, 2.0]}},
            r"must hold each of the 1 blocks, got shapes \[\(2,\)\]",
        ),
    ],
)
def test_shapes_that_do_not_fit(features: dict[str, object], known: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        assess(features, **known)  # type: ignore[arg-type]


# Blocks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("value", [0.0, 9.0, -30_000.0])
def test_a_constant_is_a_dead_sensor_and_no_kurtosis_that_is_unknown(kind: type, value: float) -> None:
    x = np.full((1, FAST.n_samples), value, kind)
    verdict, reasons = told(looked_at(FAST, x, 0.001))
    assert (verdict, reasons[0]) == ("refused", "stuck")


def test_a_block_with_one_value_that_is_none() -> None:
    x = np.random.default_rng(1).normal(0, 1, (2, FAST.n_samples)).astype(np.float32)
    x[1, 77] = np.nan
    assert [told(looked_at(FAST, x), row) for row in (0, 1)] == [OK, ("refused", ["not_finite"])]


@pytest.mark.parametrize(("step", "verdict"), [(0.1, "ok"), (30.0, "refused")])
def test_a_step_of_the_signal_reaches_the_velocity(step: float, verdict: str) -> None:
    """A step of H within T seconds reads 10³ H √(2/(3 T 10³)) / (2π)² mm/s from 10 Hz on: 0.03 and 10."""
    x = np.random.default_rng(2).normal(0, 0.1, (1, SLOW.n_samples))
    x[0, SLOW.n_samples // 2 :] += step
    found = looked_at(SLOW, x.astype(np.float32))
    assert told(found)[0] == verdict
    assert ("settling" in told(found)[1]) == (verdict == "refused")


def test_a_smooth_tail_refuses_only_what_is_judged_from_2_hz_on() -> None:
    t = np.arange(SLOW.n_samples) / SLOW.fs_hz
    x = np.random.default_rng(3).normal(0, 0.1, (1, t.size)) + 0.5 * np.sin(2 * np.pi * 25 * t)
    x += 500 * np.exp(-t / 0.5)
    for speed_hz, verdict in ((25.0, "degraded"), (None, "degraded"), (5.0, "refused")):
        found = looked_at(SLOW, x.astype(np.float32), speed_hz=speed_hz)
        assert told(found) == (verdict, ["settling"]), speed_hz


@pytest.mark.parametrize("speed_hz", [2.2, 3.0, 6.0])
def test_a_slow_machine_shakes_slowly(speed_hz: float) -> None:
    t = np.arange(SLOW.n_samples) / SLOW.fs_hz
    x = np.random.default_rng(4).normal(0, 0.01, t.size) + 0.3 * np.sin(2 * np.pi * speed_hz * t)
    assert told(looked_at(SLOW, x[None, :].astype(np.float32), speed_hz=speed_hz)) == OK


def healthy(rng: np.random.Generator, extractor: Extractor, n: int) -> np.ndarray:
    """Noise, tones of a shaft and a gear, and the ringing shocks of a bearing or of particles; peak 1."""
    t = np.arange(extractor.n_samples) / extractor.fs_hz
    x = rng.normal(0, 1, (n, t.size))
    for i in range(n):
        for tone in rng.uniform(10, extractor.fs_hz / 2.6, rng.integers(0, 5)):
            x[i] += rng.uniform(0, 10) * np.sin(2 * np.pi * tone * t + rng.uniform(0, 6.28))
        frequency = rng.uniform(0.02, 0.35)
        decay = max(8.0, 1 / (2 * np.pi * frequency * rng.uniform(0.005, 0.05)))
        k = np.arange(min(int(8 * decay), t.size // 4))
        for start in rng.integers(0, t.size - k.size, rng.integers(0, 60)):
            x[i, start : start + k.size] += (
                rng.uniform(0, 60) * np.exp(-k / decay) * np.sin(2 * np.pi * frequency * k)
            )
    return np.asarray(x / np.abs(x).max(axis=1, keepdims=True))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    peak=st.floats(60, 32_767),
    scale=st.floats(1e-7, 1e3),
    whole=st.booleans(),
    slow=st.booleans(),
)
def test_no_healthy_machine_is_refused(seed: int, peak: float, scale: float, whole: bool, slow: bool) -> None:
    extractor = SLOW if slow else FAST
    x = peak * healthy(np.random.default_rng(seed), extractor, 4)
    found = looked_at(extractor, np.round(x).astype(np.int16) if whole else x.astype(np.float32), scale)
    assert [told(found, row) for row in range(4)] == [OK] * 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sigma=st.floats(0.35, 20))
def test_a_quiet_machine_is_never_refused(seed: int, sigma: float) -> None:
    """Down to a third of a step of its converter: stopped machines are quiet, their sensors are not dead."""
    x = np.round(np.random.default_rng(seed).normal(0, sigma, (4, FAST.n_samples))).astype(np.int16)
    assert Verdict.REFUSED not in looked_at(FAST, x, 0.001).verdict


def test_the_order_of_a_batch_does_not_matter() -> None:
    rng = np.random.default_rng(9)
    x = healthy(rng, FAST, 12).astype(np.float32)
    x[1] = 5.0
    x[2] = np.clip(x[2], -0.3, 0.3)
    x[3, 500:4000:500] = 40
    x[4, 100:200] = 0
    order = rng.permutation(12)
    straight, shuffled = looked_at(FAST, x), looked_at(FAST, x[order])
    assert [told(straight, int(row)) for row in order] == [told(shuffled, row) for row in range(12)]
    assert [told(straight, row)[1][:1] for row in range(1, 5)] == [
        ["stuck"],
        ["clipped"],
        ["spikes"],
        ["stuck"],
    ]


# Recordings ---------------------------------------------------------------------------------------------


def verdicts(archive: str, folder: str, rate: dict[str, float] | float) -> Counter[tuple[str, ...]]:
    """What is said of whole records: verdict and reasons, and how often."""
    counted: Counter[tuple[str, ...]] = Counter()
    with np.load(data_folder(folder, archive)) as arrays:
        for name in arrays.files:
            if name.endswith("__scale"):
                continue
            x = np.atleast_2d(arrays[name])
            fs_hz = rate if isinstance(rate, float) else rate[name]
            extractor = Extractor(fs_hz, x.shape[1], features=tuple(SOUND))
            found = looked_at(extractor, x, G * float(arrays[name + "__scale"]))
            for row in range(len(x)):
                verdict, reasons = told(found, row)
                counted[verdict, *reasons] += 1
    return counted


@pytest.mark.parametrize(
    ("folder", "archive", "fs_hz"),
    [("hitsm", "mfs.npz", 51_200.0), ("ims_raw", "ims_raw.npz", 20_480.0), ("uestc", "uestc.npz", 20_000.0)],
)
def test_recordings_that_are_all_sound(folder: str, archive: str, fs_hz: float) -> None:
    """Each normalised to its own peak. One of IMS was taken after shut-down, in four steps of its converter:
    its machine stands still, its sensor lives."""
    assert set(verdicts(archive, folder, fs_hz)) == {("ok",)}


def test_mfpt_is_sound() -> None:
    with data_folder("mfpt", "index.csv").open(newline="", encoding="utf-8") as lines:
        rates = {row["file"]: float(row["fs"]) for row in csv.DictReader(lines)}
    assert set(verdicts("mfpt.npz", "mfpt", rates)) == {("ok",)}


def test_cwru_is_sound_but_for_four_records_whose_sensor_drifts() -> None:
    """B028 at the drive end: 4 to 6 mm/s below 10 Hz, falling without any line up to 25 Hz, as in no other
    record; most of their velocity from 10 Hz on is this drift too."""
    found = verdicts("de12.npz", "cwru", 12_000.0)
    assert {key[1:] for key in found} == {(), ("settling",)}
    assert found["ok",] == found.total() - 4


def test_a_signal_that_is_clipped_hard_is_clipped_and_not_stuck() -> None:
    """Its tops hold for more samples than a sensor that no longer answers needs to be called so."""
    t = np.arange(102_400) / 25_600
    x = np.clip(40_000 * np.sin(2 * np.pi * 24.75 * t), -32_768, 32_767).astype(np.int16)
    extractor = Extractor(25_600.0, t.size)
    row = extractor.extract(np.stack((x, np.full_like(x, 32_767))), 0.001)
    found = assess(dict(zip(extractor.names, row.T, strict=True)), n_samples=t.size, fs_hz=25_600.0)
    assert [refusal.reason for refusal in found.reasons(0)] == ["clipped"]
    assert found.reasons(1)[0].reason == "stuck"
