"""The speed of a shaft without a tachometer: found with an honest uncertainty, or unknown with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import Extractor, leading_defect
from models.features.speed import (
    REFUSALS,
    Outcome,
    SpeedEstimate,
    estimate_speed,
    slip_speed_hz,
)
from models.types import BEARING_DEFECTS
from tests.support.shafts import COMB, FloatArray, shaft, shafts

FS_HZ = 2560.0
BLOCK = 10_240  # 4 s, bins of 0.25 Hz
N = 150
WORDS = ("found", "no_comb", "ambiguous", "too_short", "not_finite")


def near_25_hz(seed: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(24.0, 24.9, N)


def anywhere(seed: int = 2) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(10.2, 58.0, N)


def found(estimate: SpeedEstimate) -> npt.NDArray[np.bool_]:
    return estimate.outcome == Outcome.FOUND


def one(x: FloatArray, fs_hz: float = FS_HZ, **known: float) -> SpeedEstimate:
    return estimate_speed(x[None, :], fs_hz, **known)  # type: ignore[arg-type]


def check_honest(estimate: SpeedEstimate, truth: npt.NDArray[np.float64]) -> None:
    """|error| ≤ 2σ in 95 % at least, and no gross error at all."""
    seen = found(estimate)
    error = np.abs(estimate.speed_hz - truth)[seen]
    assert (error < 0.01 * truth[seen]).all()
    assert np.count_nonzero(error <= 2 * estimate.sigma_hz[seen]) >= 0.95 * error.size
    assert np.isnan(estimate.speed_hz[~seen]).all()
    assert np.isnan(estimate.sigma_hz[~seen]).all()


def test_a_shaft_beside_the_line_of_the_mains() -> None:
    """24.683 Hz and its harmonics, 100 Hz three times as high: the fourth harmonic is 1.3 Hz from it."""
    x = shaft(np.random.default_rng(0), 24.683, FS_HZ, 2 * BLOCK, hum_hz=100.0)
    for known in ({"nominal_hz": 24.75}, {}):
        estimate = one(x, **known)
        assert estimate.speed_hz[0] == pytest.approx(24.683, abs=0.01)
        assert 0 < estimate.sigma_hz[0] < 0.02


HONEST: dict[str, tuple[Sequence[tuple[float, float]], dict[str, float]]] = {
    "four harmonics": (COMB, {}),
    "four weak harmonics": ([(k, 0.1) for k in (1.0, 2.0, 3.0, 4.0)], {}),
    "four strong harmonics": ([(k, 30 * a) for k, a in COMB], {}),
    "first harmonic only": ([(1.0, 0.3)], {}),
    "first harmonic only, barely": ([(1.0, 0.14)], {}),
    "beside the mains": (COMB, {"hum_hz": 100.0}),
    "gear lines": ([*COMB, (22.0, 0.1), (23.0, 0.5), (24.0, 0.1)], {}),
    "misaligned": ([(1.0, 0.15), (2.0, 1.0), (3.0, 0.15), (4.0, 0.5)], {}),
    "loose": ([*COMB, (0.5, 0.15), (1.5, 0.15), (2.5, 0.1)], {}),
    "drifting 1 %": (COMB, {"drift": 0.01}),
    "drifting 1 %, first harmonic only": ([(1.0, 0.3)], {"drift": 0.01}),
    "drifting 1 %, strong": ([(k, 10 * a) for k, a in COMB], {"drift": -0.01}),
    "drifting 0.3 %, strong": ([(k, 10 * a) for k, a in COMB], {"drift": 0.003}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", HONEST)
def test_the_uncertainty_is_honest(name: str) -> None:
    lines, rest = HONEST[name]
    speeds = near_25_hz()
    narrow = estimate_speed(shafts(3, speeds, FS_HZ, BLOCK, lines=lines, **rest), FS_HZ, nominal_hz=24.5)
    check_honest(narrow, speeds)
    speeds = anywhere()
    check_honest(estimate_speed(shafts(4, speeds, FS_HZ, BLOCK, lines=lines, **rest), FS_HZ), speeds)


def test_eight_seconds_with_four_harmonics() -> None:
    """Every one within its nameplate; nine of ten blindly, the others have a line at the mains."""
    speeds = near_25_hz()
    narrow = estimate_speed(shafts(5, speeds, FS_HZ, 2 * BLOCK), FS_HZ, nominal_hz=24.5)
    check_honest(narrow, speeds)
    assert found(narrow).all()
    assert np.median(narrow.sigma_hz) < 0.01
    speeds = anywhere()
    blind = estimate_speed(shafts(6, speeds, FS_HZ, 2 * BLOCK), FS_HZ)
    check_honest(blind, speeds)
    assert found(blind).mean() >= 0.9


def test_a_first_harmonic_alone_is_less_certain_than_a_comb() -> None:
    speeds = near_25_hz()
    alone = estimate_speed(shafts(7, speeds, FS_HZ, BLOCK, lines=COMB[:1]), FS_HZ, nominal_hz=24.5)
    comb = estimate_speed(shafts(7, speeds, FS_HZ, BLOCK), FS_HZ, nominal_hz=24.5)
    both = found(alone) & found(comb)
    assert both.mean() > 0.95
    assert np.median(alone.sigma_hz[both]) > 1.5 * np.median(comb.sigma_hz[both])
    assert (alone.margin_bits[both] < comb.margin_bits[both]).mean() > 0.95


@pytest.mark.parametrize("known", [{}, {"nominal_hz": 25.0}, {"nominal_hz": 50.0}, {"nominal_hz": 33.0}])
def test_noise_and_mains_have_no_speed(known: dict[str, float]) -> None:
    speeds = np.full(N, 25.0)
    noise = estimate_speed(shafts(8, speeds, FS_HZ, BLOCK, lines=()), FS_HZ, **known)  # type: ignore[arg-type]
    assert not found(noise).any()
    for hum in (50.0, 60.0, 100.0, 120.0):
        mains = shafts(9, speeds[:20], FS_HZ, BLOCK, lines=(), hum_hz=hum, noise=0.1)
        assert not found(estimate_speed(mains, FS_HZ, **known)).any()  # type: ignore[arg-type]


def test_a_single_tone_has_no_speed_in_a_blind_search() -> None:
    for amplitude in (0.3, 30.0):
        speeds = anywhere()
        x = shafts(10, speeds, FS_HZ, BLOCK, lines=[(1.0, amplitude)])
        assert not found(estimate_speed(x, FS_HZ)).any()


def test_half_and_double_are_refused() -> None:
    """A loose shaft shows 0.5x, 1.5x: blindly that is as well a shaft at half the speed, so it is unknown."""
    speeds = np.random.default_rng(11).uniform(20.5, 29.5, N)
    for height in (0.1, 0.18, 0.24):
        lines = [*COMB, (0.5, height), (1.5, height), (2.5, height)]
        x = shafts(12, speeds, FS_HZ, 2 * BLOCK, lines=lines, noise=0.5)
        blind = estimate_speed(x, FS_HZ)
        assert not found(blind).any()
        known = estimate_speed(x, FS_HZ, range_hz=(speeds * 0.9, speeds * 1.1))
        check_honest(known, speeds)
        assert found(known).mean() > 0.9
    even = shafts(13, speeds, FS_HZ, 2 * BLOCK, lines=[(2.0, 1.0), (4.0, 0.7), (6.0, 0.5), (8.0, 0.3)])
    assert not found(estimate_speed(even, FS_HZ, nominal_hz=speeds)).any()  # the comb of twice the speed


@pytest.mark.parametrize("slope", [-1, 1, 2])
def test_half_and_double_are_refused_over_a_floor_that_falls_or_rises(slope: int) -> None:
    """Sensor noise that falls as 1/f, and noise that rises as f or f² towards a resonance, from 10 Hz on."""
    speeds = np.random.default_rng(24).uniform(20.5, 29.5, N)
    lines = [*COMB, (0.5, 0.18), (1.5, 0.18), (2.5, 0.18)]
    x = shafts(25, speeds, FS_HZ, 2 * BLOCK, lines=lines, noise=0.0)
    noise = np.fft.rfft(np.random.default_rng(26).normal(0, 0.5, x.shape))
    frequency = np.fft.rfftfreq(x.shape[1], 1 / FS_HZ)
    noise *= (np.clip(frequency, 10, 200) / 45) ** (slope / 2)
    assert not found(estimate_speed(x + np.fft.irfft(noise).astype(np.float32), FS_HZ)).any()


def test_a_range_past_the_spectrum_costs_no_more_than_the_spectrum() -> None:
    """Nothing is searched where no line could be: up to 1e9 Hz there are 16 billion candidates."""
    x = shafts(23, np.array([24.4]), FS_HZ, BLOCK)
    estimate = estimate_speed(x, FS_HZ, range_hz=(20.0, 1e9))
    assert estimate.outcome[0] != Outcome.TOO_SHORT
    assert estimate_speed(x, FS_HZ, nominal_hz=5000.0).outcome[0] == Outcome.NO_COMB
    assert estimate_speed(x, FS_HZ, nominal_hz=24.5, mains_hz=50.0).outcome[0] == Outcome.FOUND  # type: ignore[arg-type]


def test_the_comb_of_a_bearing_is_not_a_shaft() -> None:
    """Outer ring at 3.585x with strong harmonics, the shaft itself 10 dB below them, blindly."""
    speeds = np.random.default_rng(14).uniform(10.2, 16.0, N)
    ring = [(3.585 * k, 1.0) for k in (1, 2, 3, 4)]
    x = shafts(15, speeds, FS_HZ, 2 * BLOCK, lines=[*COMB, *ring])
    check_honest(estimate_speed(x, FS_HZ), speeds)


def test_lines_of_teeth_and_vanes_sharpen_the_speed() -> None:
    """A line at 23x places the shaft 23 times as well as its own: twice as well at least as the fourth."""
    speeds = near_25_hz()
    x = shafts(16, speeds, FS_HZ, BLOCK, lines=[*COMB, (4.5, 0.1), (23.0, 0.4)])
    plain = estimate_speed(x, FS_HZ, nominal_hz=24.5)
    sharp = estimate_speed(x, FS_HZ, nominal_hz=24.5, line_orders=[23.0, np.nan])
    check_honest(sharp, speeds)
    both = found(plain) & found(sharp)
    assert both.mean() > 0.95
    assert np.median(sharp.sigma_hz[both]) < 0.5 * np.median(plain.sigma_hz[both])
    absent = estimate_speed(x, FS_HZ, nominal_hz=24.5, line_orders=np.full((N, 1), 17.0))
    assert absent.speed_hz == pytest.approx(plain.speed_hz, nan_ok=True)


def test_each_block_has_its_own_answer() -> None:
    """A NaN, a dead and a short block spoil nobody; order and size of the batch and type change nothing."""
    speeds = near_25_hz()[:6]
    x = shafts(17, speeds, FS_HZ, BLOCK)
    x[1, 77] = np.nan
    x[2] = 9.81
    before = x.copy()
    nominal = np.array([24.5, 24.5, 24.5, 24.5, 4.9, 24.5])
    estimate = estimate_speed(x, FS_HZ, nominal_hz=nominal)
    assert [WORDS[code] for code in estimate.outcome.tolist()] == [
        "found",
        "not_finite",
        "no_comb",
        "found",
        "too_short",
        "found",
    ]
    assert np.array_equal(x, before, equal_nan=True)
    backwards = estimate_speed(x[::-1], FS_HZ, nominal_hz=nominal[::-1])
    assert backwards.speed_hz[::-1] == pytest.approx(estimate.speed_hz, rel=1e-6, nan_ok=True)
    for i in (0, 3, 5):
        alone = one(x[i], nominal_hz=24.5)
        assert alone.speed_hz[0] == pytest.approx(estimate.speed_hz[i], rel=1e-6)
        assert alone.sigma_hz[0] == pytest.approx(estimate.sigma_hz[i], rel=1e-3)
        counts = np.rint(x[i] * 4000).astype(np.int16)
        as_counts = estimate_speed(counts[None, :], FS_HZ, nominal_hz=24.5)
        assert as_counts.speed_hz[0] == pytest.approx(estimate.speed_hz[i], abs=1e-3)
        assert estimate.refusal(i) is None
    refusals = [estimate.refusal(i) for i in (1, 2, 4)]
    assert refusals == [REFUSALS[o] for o in (Outcome.NOT_FINITE, Outcome.NO_COMB, Outcome.TOO_SHORT)]
    assert set(REFUSALS) == set(Outcome) - {Outcome.FOUND}


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-6, 1e6), length=st.integers(BLOCK - 400, BLOCK))
def test_gain_and_length_change_nothing(gain: float, length: int) -> None:
    """Lengths without small factors too; the speed moves by less than its uncertainty allows."""
    x = shaft(np.random.default_rng(18), 24.4, FS_HZ, BLOCK)[:length] * np.float32(gain)
    estimate = one(x, nominal_hz=24.5)
    assert abs(estimate.speed_hz[0] - 24.4) <= 3 * estimate.sigma_hz[0] < 0.1


def test_a_motor_from_its_nameplate_and_its_load() -> None:
    """n = 25·(1 - 0.01·load); σ of the slip is 10 % of it, that of an unknown load 1/√12 of the range."""
    speed, sigma = slip_speed_hz(25.0, 0.01, [1.0, 0.5, 0.0, np.nan])
    assert speed == pytest.approx([24.75, 24.875, 25.0, 24.875])
    of_slip = np.array([0.025, 0.0125, 0.0, np.hypot(0.25 / np.sqrt(12), 0.0125)])
    assert sigma == pytest.approx(np.hypot(of_slip, 25 * 0.0005))
    for wrong in ((0.0, 0.01, 1.0), (25.0, 1.0, 1.0), (25.0, 0.01, np.inf)):
        with pytest.raises(ValueError, match=r"must be .*\bgot "):
            slip_speed_hz(*wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nominal_hz": 25.0, "range_hz": (20.0, 30.0)},
        {"range_hz": (10.0, 20.0, 30.0)},
        {"range_hz": (np.nan, 20.0)},
        {"line_orders": 3.0},
        {"mains_hz": (50.0, np.nan)},
        {"nominal_hz": 0.0},
        {"nominal_hz": np.nan},
        {"nominal_hz": [25.0, 25.0, 25.0]},
        {"range_hz": (30.0, 20.0)},
        {"range_hz": (0.0, 20.0)},
        {"line_orders": [[23.0]]},
        {"line_orders": [-1.0]},
        {"mains_hz": (0.0,)},
    ],
)
def test_wrong_arguments_are_told(wrong: dict[str, object]) -> None:
    x = np.zeros((2, BLOCK), dtype=np.float32)
    with pytest.raises(ValueError, match=r"must .*\bgot "):
        estimate_speed(x, FS_HZ, **wrong)  # type: ignore[arg-type]


def test_no_block_no_answer() -> None:
    estimate = estimate_speed(np.zeros((0, BLOCK), dtype=np.float32), FS_HZ)
    assert estimate.speed_hz.shape == estimate.outcome.shape == (0,)


def test_a_defect_is_found_at_the_estimated_speed() -> None:
    """Outer ring of a 6205 at 24.28 Hz, stated 3 % too high, which is past the window of its lines."""
    rng = np.random.default_rng(19)
    fs_hz, speed_hz, orders = 25_600.0, 24.28, (3.585, 5.415, 2.357, 0.398)
    n = round(4 * fs_hz)
    x = shaft(rng, speed_hz, fs_hz, n, noise=0.7).astype(np.float64)
    hits = (np.arange(1, 3.9 * orders[0] * speed_hz) / (orders[0] * speed_hz) * fs_hz).astype(int)
    ring = np.arange(300) / fs_hz
    pulse = 1.5 * np.exp(-0.03 * 2 * np.pi * 3200 * ring) * np.sin(2 * np.pi * 3200 * ring)
    for hit in hits:
        x[hit : hit + ring.size] += pulse
    blocks = x.astype(np.float32)[None, :]
    estimate = estimate_speed(blocks, fs_hz, nominal_hz=speed_hz * 1.029)
    assert estimate.speed_hz[0] == pytest.approx(speed_hz, abs=2 * estimate.sigma_hz[0])
    extractor = Extractor(fs_hz, n)
    row = extractor.extract(
        blocks, speed_hz=estimate.speed_hz, speed_sigma_hz=estimate.sigma_hz, orders=orders
    )[0]
    features = dict(zip(extractor.names, row.tolist(), strict=True))
    assert leading_defect(features) == "bpfo"
    assert features["bpfo_harmonics"] == 5
    assert features["bpfo_bits"] > max(features[f"{d}_bits"] for d in BEARING_DEFECTS if d != "bpfo")
    stated = extractor.extract(blocks, speed_hz=speed_hz * 1.03, orders=orders)[0]
    assert dict(zip(extractor.names, stated.tolist(), strict=True))["bpfo_bits"] < features["bpfo_bits"]


def test_a_line_beyond_the_range_is_no_speed_in_it() -> None:
    """The slope of a line just above the highest speed is the best place of the range, and no peak of it."""
    t = np.arange(204_800) / 25_600
    rng = np.random.default_rng(5)
    x = sum(np.sin(2 * np.pi * k * 20.05 * t + k) / k for k in range(1, 5)) + 0.3 * rng.standard_normal(
        t.size
    )
    found = estimate_speed(x[None, :].astype(np.float32), 25_600.0, range_hz=(19.0, 20.0))
    assert not found.speed_hz[0] <= 20.0
    assert found.outcome[0] != Outcome.FOUND
