"""Defect lines: found where they are, not found in noise, told apart from what stands beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.features import Extractor, leading_defect
from models.types import BEARING_DEFECTS

FS, N = 25_600.0, 102_400
SPEED = 24.7
ORDERS = (3.585, 5.415, 2.357, 0.398)


def _shocks(f_d: float, rng: np.random.Generator, *, jitter: float = 0.008) -> np.ndarray:
    """Ringing shocks at `f_d` whose intervals vary at random, as a slipping bearing's do."""
    intervals = (1 + jitter * rng.standard_normal(int(f_d * N / FS * 1.1))) / f_d
    times = np.cumsum(intervals)
    train = np.zeros(N)
    train[(times[times < N / FS] * FS).astype(int)] = 1
    t = np.arange(256) / FS
    return np.convolve(train, np.exp(-2 * np.pi * 4200 * 0.03 * t) * np.sin(2 * np.pi * 4200 * t))[:N]


def _rows(x: np.ndarray, speed_hz: float = SPEED, **more: object) -> list[dict[str, float]]:
    extractor = Extractor(FS, x.shape[1], **more)  # type: ignore[arg-type]
    rows = extractor.extract(x.astype(np.float32), speed_hz=speed_hz, orders=ORDERS)
    return [dict(zip(extractor.names, row.tolist(), strict=True)) for row in rows]


def test_noise_never_has_three_harmonics() -> None:
    """A comb of noise has 3 of 5 with probability 10·pfa³; four bands and five combs in each of 60 blocks."""
    x = np.random.default_rng(11).standard_normal((60, N))
    for row in _rows(x):
        assert leading_defect(row) is None
        assert all(row[f"{defect}_harmonics"] <= 1 for defect in BEARING_DEFECTS)
        assert all(0 < row[f"{defect}_bits"] < 9 for defect in BEARING_DEFECTS)


@pytest.mark.parametrize("defect", ["bpfo", "bpfi", "bsf"])
@pytest.mark.parametrize("slip", [-0.02, 0.0, 0.02])
def test_shocks_are_found_at_their_own_defect(defect: str, slip: float) -> None:
    rng = np.random.default_rng(12)
    order = ORDERS[BEARING_DEFECTS.index(defect)] * (2 if defect == "bsf" else 1)
    x = 1.5 * _shocks(order * SPEED * (1 + slip), rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :])
    assert leading_defect(row) == defect
    assert row[f"{defect}_band_hz"] == 2500  # where the housing rings


def test_shocks_at_no_defect_of_the_bearing_are_no_defect() -> None:
    """4.4 times the speed is 19 % from the nearest defect line and none of its first multiples."""
    rng = np.random.default_rng(13)
    x = 1.5 * _shocks(4.4 * SPEED, rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :])
    assert leading_defect(row) is None


def test_random_shocks_are_no_defect() -> None:
    """Slurry particles hit at 30 a second, without a period."""
    rng = np.random.default_rng(14)
    times = np.cumsum(rng.exponential(1 / 30, 200))
    train = np.zeros(N)
    train[(times[times < N / FS] * FS).astype(int)] = 1
    t = np.arange(256) / FS
    ringing = np.exp(-800 * t) * np.sin(2 * np.pi * 3000 * t)
    x = 3 * np.convolve(train, ringing)[:N] + rng.standard_normal(N)
    assert leading_defect(_rows(x[None, :])[0]) is None


def test_a_block_of_fewer_than_twenty_turns_has_no_defect_lines() -> None:
    turns = 18
    x = np.random.default_rng(15).standard_normal((1, int(turns / SPEED * FS)))
    (row,) = _rows(x)
    assert all(math.isnan(row[f"{defect}_bits"]) for defect in BEARING_DEFECTS)
    assert math.isfinite(row["order_1x_mm_s"])


def test_a_band_that_holds_no_three_harmonics_is_not_used() -> None:
    x = np.random.default_rng(16).standard_normal((1, N))
    (row,) = _rows(x, speed_hz=100.0, bands=((500.0, 1000.0),))
    assert math.isnan(row["bpfi_bits"])  # 3 x 541 Hz does not fit into 500 Hz
    assert math.isfinite(row["ftf_bits"])


def test_a_configured_band_is_the_only_one_used() -> None:
    rng = np.random.default_rng(17)
    x = 1.5 * _shocks(ORDERS[0] * SPEED, rng) + rng.standard_normal(N)
    (row,) = _rows(x[None, :], bands=((3000.0, 5500.0),))
    assert leading_defect(row) == "bpfo"
    assert row["bpfo_band_hz"] == 3000


def test_no_lines_no_leader() -> None:
    nothing = {f"{d}_{what}": math.nan for d in BEARING_DEFECTS for what in ("bits", "harmonics")}
    assert leading_defect(nothing) is None
