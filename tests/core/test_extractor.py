"""The extractor against the oracle, and what a batch must never do to a block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features import CATALOGUE, Extractor
from models.features.catalogue import NAMES, UNITS
from tests.support import naive

FS = 5120.0
ORDERS = (3.585, 5.415, 2.357, 0.398)


def _blocks(n: int, length: int, seed: int = 1) -> np.ndarray:
    """Noise, a shaft line, and shocks at 5.415 x 25 Hz: something of everything."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / FS
    ringing = np.exp(-400 * t) * np.sin(2 * np.pi * 1400 * t)
    shocks = np.zeros(length)
    shocks[(np.arange(0, t[-1], 1 / (5.415 * 25)) * FS).astype(int)] = 1
    signal = 0.5 * np.sin(2 * np.pi * 25 * t) + 3 * np.convolve(shocks, ringing)[:length]
    return (signal + rng.standard_normal((n, length))).astype(np.float32)


def _row(x: np.ndarray, **known: object) -> dict[str, float]:
    extractor = Extractor(FS, x.shape[-1])
    row = extractor.extract(x.reshape(1, -1), **known)[0]  # type: ignore[arg-type]
    return dict(zip(extractor.names, row.tolist(), strict=True))


@pytest.mark.parametrize("length", [10240, 10007, 9999])  # 5-smooth, prime, odd
def test_every_feature_equals_the_oracle(length: int) -> None:
    x = _blocks(1, length)[0]
    fast = _row(x, speed_hz=25.0, orders=ORDERS)
    slow = naive.features(x, FS, speed_hz=25.0, orders=ORDERS)
    assert set(fast) == set(slow)
    assert fast == pytest.approx({name: slow[name] for name in fast}, rel=1e-3, nan_ok=True)


def test_the_oracle_is_met_at_a_rate_that_gives_every_feature() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal(51200).astype(np.float32)
    extractor = Extractor(51200.0, x.size)
    fast = extractor.extract(x[None, :], speed_hz=40.0, orders=ORDERS)[0]
    slow = naive.features(x, 51200.0, speed_hz=40.0, orders=ORDERS)
    assert np.isfinite(fast).all()
    np.testing.assert_allclose(fast, [slow[name] for name in extractor.names], rtol=1e-3)


@settings(max_examples=40)
@given(
    hnp.arrays(
        np.int16, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=3).map(lambda s: (s[0], 256))
    ),
    st.sampled_from([1.0, 9.80665 / 2048, 1e-6]),
)
def test_any_counts_give_the_levels_of_the_oracle(counts: np.ndarray, scale: float) -> None:
    extractor = Extractor(2560.0, 256)
    fast = extractor.extract(counts, scale)
    for i, row in enumerate(counts):
        slow = naive.features(row * scale, 2560.0)
        rms = slow["acceleration_rms_m_s2"]
        if np.ptp(row) == 0:
            assert fast[i, NAMES.index("acceleration_rms_m_s2")] == 0
            continue
        for name, value in zip(extractor.names, fast[i].tolist(), strict=True):
            # An offset of 30 000 counts leaves a level of one count to the last digits of float32.
            loss = 1e-6 * np.abs(row).max() * scale / rms
            if not math.isnan(slow[name]):
                assert value == pytest.approx(slow[name], rel=1e-3 + 4 * loss, abs=2e-4 * rms)


def test_int16_with_a_scale_is_the_float32_it_stands_for() -> None:
    counts = (_blocks(3, 4096) * 1000).astype(np.int16)
    scale = np.array([1e-3, 2e-3, -5e-4])
    extractor = Extractor(FS, 4096)
    as_counts = extractor.extract(counts, scale)
    as_samples = extractor.extract((counts * scale[:, None]).astype(np.float32))
    np.testing.assert_allclose(as_counts, as_samples, rtol=2e-4)


@pytest.mark.parametrize("size", [2.0**-100, 1e-9, 1e9, 2.0**60])
def test_no_size_of_the_samples_is_lost(size: float) -> None:
    x = _blocks(1, 10240)
    known = {"speed_hz": 25.0, "orders": ORDERS}
    degree = np.array([spec.degree for spec in CATALOGUE])
    plain = Extractor(FS, 10240).extract(x, **known)  # type: ignore[arg-type]
    sized = Extractor(FS, 10240).extract((x * np.float32(size)), **known)  # type: ignore[arg-type]
    np.testing.assert_allclose(sized / np.float64(size) ** degree, plain, rtol=1e-3)


def test_full_range_int32_counts_do_not_overflow() -> None:
    t = np.arange(4096) / FS
    counts = (2**31 - 1) * np.sin(2 * np.pi * 160 * t)
    row = dict(zip(NAMES, Extractor(FS, 4096).extract(counts.astype(np.int32)[None, :])[0], strict=True))
    assert row["kurtosis"] == pytest.approx(1.5, rel=1e-4)
    assert row["acceleration_rms_m_s2"] == pytest.approx(2**31 / math.sqrt(2), rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 17, 70])
def test_a_block_has_the_same_features_in_any_batch(n: int) -> None:
    x = _blocks(70, 10240)
    speed = np.linspace(20, 30, 70)
    extractor = Extractor(FS, 10240)
    whole = extractor.extract(x, speed_hz=speed, orders=ORDERS)
    parts = [
        extractor.extract(x[i : i + n], speed_hz=speed[i : i + n], orders=ORDERS) for i in range(0, 70, n)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_the_callers_arrays_are_never_written_to(dtype: type[np.generic]) -> None:
    x = (_blocks(5, 4096) * 100).astype(dtype)
    speed, orders = np.full(5, 25.0), np.tile(ORDERS, (5, 1))
    before = x.copy()
    for array in (x, speed, orders):
        array.flags.writeable = False
    Extractor(FS, 4096).extract(x, 0.01, speed_hz=speed, orders=orders)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_spoils_its_own_block_only(value: float) -> None:
    x = _blocks(40, 10240)
    extractor = Extractor(FS, 10240)
    clean = extractor.extract(x, speed_hz=25.0, orders=ORDERS)
    x[[3, 20], [7, 9000]] = value
    spoilt = extractor.extract(x, speed_hz=25.0, orders=ORDERS)
    assert np.isnan(spoilt[[3, 20]]).all()
    others = np.setdiff1d(np.arange(40), [3, 20])
    np.testing.assert_allclose(spoilt[others], clean[others], rtol=1e-4)


def test_an_unknown_speed_is_nan_where_speed_matters_and_only_there() -> None:
    x = _blocks(3, 10240)
    speed = np.array([25.0, np.nan, 25.0])
    orders = np.tile(ORDERS, (3, 1))
    orders[2] = np.nan
    rows = Extractor(FS, 10240).extract(x, speed_hz=speed, orders=orders)
    domain = np.array([spec.domain for spec in CATALOGUE])
    assert np.isnan(rows[1][np.isin(domain, ("order", "envelope"))]).all()
    assert np.isnan(rows[2][domain == "envelope"]).all()
    assert np.isfinite(rows[2][domain == "order"]).all()
    without = Extractor(FS, 10240).extract(x)
    free = ~np.isin(domain, ("order", "envelope"))
    np.testing.assert_allclose(rows[:, free], without[:, free], rtol=1e-4)


def test_one_unknown_order_leaves_the_others() -> None:
    row = _row(_blocks(1, 10240), speed_hz=25.0, orders=(3.585, 5.415, np.nan, 0.398))
    assert math.isnan(row["bsf_bits"])
    assert row["bpfi_harmonics"] >= 3


def test_names_and_units_do_not_depend_on_the_rate() -> None:
    slow, fast = Extractor(100.0, 64), Extractor(102_400.0, 4096)
    assert slow.names == fast.names == NAMES
    assert slow.units == fast.units == UNITS


def test_a_rate_too_low_gives_nan_where_it_can_not_see() -> None:
    row = _row(_blocks(1, 4096))
    assert math.isnan(row["band_1000_2500_m_s2"])  # 5120 Hz / 2.56 = 2000 Hz
    assert math.isfinite(row["velocity_rms_mm_s"])
    extractor = Extractor(2000.0, 4096)
    assert math.isnan(extractor.extract(_blocks(1, 4096))[0, NAMES.index("velocity_rms_mm_s")])


def test_a_dead_sensor_has_no_level_and_no_ratio() -> None:
    row = _row(np.full(10240, 12345.678, dtype=np.float32), speed_hz=25.0, orders=ORDERS)
    assert row["acceleration_rms_m_s2"] == row["acceleration_peak_m_s2"] == 0
    assert math.isnan(row["crest_factor"])
    assert math.isnan(row["kurtosis"])


def test_a_block_of_zeros_has_no_lines() -> None:
    row = _row(np.zeros(10240, dtype=np.float32), speed_hz=25.0, orders=ORDERS)
    assert row["velocity_rms_mm_s"] == 0
    assert math.isnan(row["bpfo_bits"])
    assert math.isnan(row["bpfo_harmonics"])


def test_an_empty_batch_is_an_empty_table() -> None:
    assert Extractor(FS, 256).extract(np.zeros((0, 256), dtype=np.int16)).shape == (0, len(NAMES))


@pytest.mark.parametrize(
    ("x", "known", "sentence"),
    [
        (np.zeros(256, np.int16), {}, "shape"),
        (np.zeros((2, 255), np.int16), {}, "256 samples, got 255"),
        (np.zeros((2, 256)), {}, "float64"),
        (np.zeros((2, 256), np.int16), {"scale": 0.0}, "scale"),
        (np.zeros((2, 256), np.int16), {"scale": np.nan}, "scale"),
        (np.zeros((2, 256), np.int16), {"scale": np.ones(3)}, "scale"),
        (np.zeros((2, 256), np.int16), {"speed_hz": -1.0}, "speed_hz"),
        (np.zeros((2, 256), np.int16), {"speed_hz": np.inf}, "speed_hz"),
        (np.zeros((2, 256), np.int16), {"orders": (1.0, 2.0)}, "orders"),
        (np.zeros((2, 256), np.int16), {"orders": (1.0, 2.0, 0.0, 1.0)}, "orders"),
    ],
)
def test_a_wrong_argument_is_told_in_a_sentence(
    x: np.ndarray, known: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Extractor(FS, 256).extract(x, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fs_hz", "n_samples", "bands"),
    [(0.0, 256, None), (math.nan, 256, None), (FS, 3, None), (FS, 256, ((100.0, 50.0),)), (FS, 256, ())],
)
def test_an_extractor_that_can_not_be_is_refused(fs_hz: float, n_samples: int, bands: object) -> None:
    with pytest.raises(ValueError, match="must"):
        Extractor(fs_hz, n_samples, **({} if bands is None else {"bands": bands}))  # type: ignore[arg-type]
