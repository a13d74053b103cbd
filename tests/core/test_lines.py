"""Defect lines: found where they are, not found in noise, told apart from what stands beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft

from models.features import Extractor, leading_defect
from models.features.bands import DEFAULT_BANDS
from models.types import BEARING_DEFECTS
from tests.support.naive_combs import combs

FS, N = 25_600.0, 102_400
SPEED = 24.7
ORDERS = (3.585, 5.415, 2.357, 0.398)
COMBS = tuple(f"{defect}_{what}" for defect in BEARING_DEFECTS for what in ("bits", "harmonics", "band_hz"))

Row = dict[str, float]


def _ringing(times: np.ndarray, heights: float | np.ndarray = 1.0, n: int = N) -> np.ndarray:
    """Shocks at `times`, in s, that ring at 4.2 kHz with a damping of 3 %."""
    inside = times < n / FS
    train = np.zeros(n)
    train[(times[inside] * FS).astype(int)] = np.broadcast_to(heights, times.shape)[inside]
    t = np.arange(256) / FS
    return np.convolve(train, np.exp(-2 * np.pi * 4200 * 0.03 * t) * np.sin(2 * np.pi * 4200 * t))[:n]


def _shocks(f_d: float, rng: np.random.Generator, *, jitter: float = 0.008, n: int = N) -> np.ndarray:
    """Ringing shocks at `f_d` whose intervals vary at random, as a slipping bearing's do."""
    return _ringing(np.cumsum((1 + jitter * rng.standard_normal(int(f_d * n / FS * 1.1))) / f_d), n=n)


def _rows(
    x: np.ndarray,
    speed_hz: float | list[float] = SPEED,
    sigma_hz: float = 0.0,
    *,
    orders: tuple[float, ...] = ORDERS,
    bands: tuple[tuple[float, float], ...] = DEFAULT_BANDS,
) -> list[Row]:
    extractor = Extractor(FS, x.shape[1], features=COMBS, bands=bands)
    rows = extractor.extract(x.astype(np.float32), speed_hz=speed_hz, orders=orders, speed_sigma_hz=sigma_hz)
    return [dict(zip(extractor.names, row.tolist(), strict=True)) for row in rows]


def test_noise_never_has_three_harmonics() -> None:
    """A comb of noise has 3 of 5 with probability 10·pfa³; four bands and five combs in each of 60 blocks."""
    x = np.random.default_rng(11).standard_normal((60, N))
    for row in _rows(x):
        assert leading_defect(row) is None
        assert all(row[f"{defect}_harmonics"] <= 1 for defect in BEARING_DEFECTS)
        assert all(0 < row[f"{defect}_bits"] < 9 for defect in BEARING_DEFECTS)


def test_single_harmonics_of_noise_are_as_rare_as_designed() -> None:
    """400 blocks of 1 s, ten combs of three to five each (narrow bands hold fewer): 2 expected at most."""
    x = np.random.default_rng(18).standard_normal((400, 25_600))
    rows = _rows(x)
    assert all(leading_defect(row) is None for row in rows)
    counted = sum(row[f"{defect}_harmonics"] > 0 for row in rows for defect in ("bpfo", "bpfi", "bsf"))
    assert counted <= 400 * 4 * 4 * 5 * 1e-4 * 2  # rows, bands, combs, harmonics: twice what is expected


@pytest.mark.parametrize("defect", ["bpfo", "bpfi", "bsf"])
@pytest.mark.parametrize("slip", [-0.02, 0.0, 0.02])
def test_shocks_are_found_at_their_own_defect(defect: str, slip: float) -> None:
    rng = np.random.default_rng(12)
    order = ORDERS[BEARING_DEFECTS.index(defect)] * (2 if defect == "bsf" else 1)
    x = 1.5 * _shocks(order * SPEED * (1 + slip), rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :])
    assert leading_defect(row) == defect
    assert row[f"{defect}_band_hz"] == 2500  # where the housing rings


@pytest.mark.parametrize("height", [1.5, 20.0, 1000.0])
def test_shocks_of_one_exact_period_are_shocks_not_tones(height: float) -> None:
    """Their spectrum is lines too, but many: each is cut down, their common distance stays."""
    rng = np.random.default_rng(19)
    x = height * _shocks(ORDERS[1] * SPEED, rng, jitter=0.0) + rng.standard_normal(N)
    assert leading_defect(_rows(x[None, :])[0]) == "bpfi"


def test_shocks_at_no_defect_of_the_bearing_are_no_defect() -> None:
    """4.4 times the speed is 19 % from the nearest defect line and none of its first multiples."""
    rng = np.random.default_rng(13)
    x = 1.5 * _shocks(4.4 * SPEED, rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :])
    assert leading_defect(row) is None


def test_random_shocks_are_no_defect() -> None:
    """Slurry particles hit at 30 a second, without a period and with unequal force."""
    rng = np.random.default_rng(14)
    x = rng.standard_normal((40, N))
    for i in range(len(x)):
        x[i] += 3 * _ringing(np.cumsum(rng.exponential(1 / 30, 200)), rng.exponential(1, 200))
    assert all(leading_defect(row) is None for row in _rows(x))


@pytest.mark.parametrize("distance", ORDERS)
def test_the_beats_of_tones_are_no_defect(distance: float) -> None:
    """Four tones a defect frequency apart, 40 dB over the noise of their bins, beat at its multiples."""
    t = np.arange(N) / FS
    tones = [np.sin(2 * np.pi * (3000.3 + k * distance * SPEED) * t + k * k) for k in range(4)]
    x = 0.5 * sum(tones) + np.random.default_rng(20).standard_normal(N)
    (row,) = _rows(x[None, :])
    assert leading_defect(row) is None


@pytest.mark.parametrize("orders", [ORDERS, (3.053, 4.947, 1.994, 0.382)], ids=["6205", "6203"])
def test_shocks_of_the_shaft_are_no_defect(orders: tuple[float, ...]) -> None:
    """Looseness rings once or twice a turn; of a 6203 all but the cage are within 2 % of such multiples."""
    rng = np.random.default_rng(21)
    turns = np.arange(0, N / FS, 1 / SPEED)
    for x in (_ringing(turns), _ringing(np.sort(np.concatenate((turns, turns + 0.45 / SPEED))))):
        (row,) = _rows((8 * x + rng.standard_normal(N))[None, :], orders=orders)
        assert leading_defect(row) is None


def test_the_cage_leads_only_where_it_is_alone() -> None:
    """Unequal elements pass a pit of the outer ring: lines of cage and ring, and the ring is it."""
    rng = np.random.default_rng(22)
    element = np.arange(int(ORDERS[0] * SPEED * N / FS)) % 9
    times = np.cumsum((1 + 0.002 * rng.standard_normal(element.size)) / (ORDERS[0] * SPEED))
    heights = np.array([3, 2, 1, 0.5, 0.2, 0.5, 1, 2, 3])[element]
    (row,) = _rows((2 * _ringing(times, heights) + rng.standard_normal(N))[None, :])
    assert row["ftf_harmonics"] >= 3
    assert leading_defect(row) == "bpfo"
    alone = {f"{defect}_harmonics": 2.0 for defect in ("bpfo", "bpfi", "bsf")}
    assert leading_defect({**row, **alone}) == "ftf"


def test_an_uncertain_speed_widens_the_search() -> None:
    """The true speed is 4 % off: 2.5 % do not reach it, 2.5 % + 2 · 1 % do."""
    rng = np.random.default_rng(23)
    x = (1.5 * _shocks(ORDERS[0] * SPEED * 1.04, rng) + rng.standard_normal(N))[None, :]
    assert leading_defect(_rows(x)[0]) is None
    assert leading_defect(_rows(x, sigma_hz=0.01 * SPEED)[0]) == "bpfo"


def test_a_speed_too_uncertain_finds_nothing() -> None:
    """2.5 % + 2 σ/n ≥ 10 %: windows of neighbouring harmonics would meet."""
    x = np.random.default_rng(24).standard_normal((1, N))
    assert math.isfinite(_rows(x, sigma_hz=0.037 * SPEED)[0]["bpfo_bits"])
    assert math.isnan(_rows(x, sigma_hz=0.038 * SPEED)[0]["bpfo_bits"])


def test_a_block_of_fewer_than_twenty_turns_has_no_defect_lines() -> None:
    turns = 18
    x = np.random.default_rng(15).standard_normal((1, int(turns / SPEED * FS)))
    (row,) = _rows(x)
    assert all(math.isnan(row[f"{defect}_bits"]) for defect in BEARING_DEFECTS)


def test_a_band_that_holds_no_three_harmonics_is_not_used() -> None:
    x = np.random.default_rng(16).standard_normal((1, N))
    (row,) = _rows(x, speed_hz=100.0, bands=((500.0, 1000.0),))
    assert math.isnan(row["bpfi_bits"])  # 3 x 541 Hz does not fit into 500 Hz
    assert math.isfinite(row["ftf_bits"])


def test_in_a_band_of_three_harmonics_two_strong_ones_are_enough() -> None:
    """The third would lie at 402 Hz, near the end of a band of 410 Hz, where little is left of any line."""
    rng = np.random.default_rng(25)
    t = np.arange(N) / FS
    wave = 1 + 0.6 * np.cos(2 * np.pi * 134 * t) + 0.6 * np.cos(2 * np.pi * 268 * t)
    x = wave * rng.standard_normal(N)
    (row,) = _rows(x[None, :], speed_hz=134 / ORDERS[1], bands=((4000.0, 4420.0),))
    assert row["bpfi_harmonics"] == 3


def test_a_band_too_narrow_for_any_comb_is_left_out() -> None:
    x = np.random.default_rng(26).standard_normal((1, N))
    (row,) = _rows(x, bands=((500.0, 503.0), (2500.0, 5000.0)))
    assert row["bpfo_band_hz"] == 2500


def test_a_configured_band_is_the_only_one_used() -> None:
    rng = np.random.default_rng(17)
    x = 1.5 * _shocks(ORDERS[0] * SPEED, rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :], bands=((3000.0, 5500.0),))
    assert leading_defect(row) == "bpfo"
    assert row["bpfo_band_hz"] == 3000


def test_no_lines_no_leader() -> None:
    nothing = {f"{d}_{what}": math.nan for d in BEARING_DEFECTS for what in ("bits", "harmonics")}
    assert leading_defect(nothing) is None


def test_a_constant_block_has_no_score() -> None:
    (row,) = _rows(np.ones((1, N)))
    assert all(math.isnan(row[name]) for name in COMBS)


def test_a_row_does_not_depend_on_its_batch() -> None:
    """A faster machine in the batch asks for more lines and other FFT lengths."""
    n = 25_600
    rng = np.random.default_rng(27)
    x = rng.standard_normal((3, n)) + [_shocks(o * SPEED, rng, n=n) for o in ORDERS[:3]]
    (alone,) = _rows(x[:1])
    with_others = _rows(x, speed_hz=[SPEED, 3 * SPEED, 1.7 * SPEED])
    assert with_others[0] == pytest.approx(alone, rel=1e-4, nan_ok=True)
    reverse = _rows(x[::-1], speed_hz=[1.7 * SPEED, 3 * SPEED, SPEED])
    assert [pytest.approx(row, rel=1e-4, nan_ok=True) for row in reverse[::-1]] == with_others


@pytest.mark.parametrize("seed", range(12))
def test_the_oracle_agrees(seed: int) -> None:
    """Noise, shocks and beating tones; lengths that are not smooth, certain and uncertain speeds."""
    rng = np.random.default_rng((28, seed))
    n = int(rng.integers(9_000, 25_600))
    speed = float(rng.uniform(21 * FS / n, 65.0))
    sigma = float(rng.choice((0.0, 0.01))) * speed
    t = np.arange(n) / FS
    x = rng.standard_normal(n) + (seed % 3) * _shocks(ORDERS[seed % 2] * speed, rng, n=n)
    x += (seed % 4 == 1) * sum(np.sin(2 * np.pi * (2600 + k * 3.6 * speed) * t) for k in (0, 1))
    x = x.astype(np.float32)
    (row,) = _rows(x[None, :], speed, sigma)
    expected = combs(x, FS, speed, ORDERS, DEFAULT_BANDS, sigma)
    assert row == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_the_convolution_of_the_shocks_rings_where_it_should() -> None:
    """What the other tests stand on: the highest line of the shocks lies at 4.2 kHz."""
    spectrum = np.abs(scipy.fft.rfft(_shocks(88.5, np.random.default_rng(29))))
    assert np.argmax(spectrum) * FS / N == pytest.approx(4200, rel=0.03)
