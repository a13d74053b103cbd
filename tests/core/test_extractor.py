"""What the extractor does with a batch: what spoils a row, what is not known, what it costs."""

from __future__ import annotations

import math
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from models.features import CATALOGUE, CORE, Extractor
from models.features.catalogue import NAMES, UNITS
from models.features.kinematics import Kinematics
from tests.support.rows import BY_EXTRACTORS, COMPILED, RowOf, extracted

FS, N = 25_600.0, 10_240
ORDERS = (3.585, 5.415, 2.357, 0.398)
GEAR = {"mesh_order": 9.0, "driven_order": 0.6, "vane_order": 5.0, "belt_order": 0.55}
KNOWN = {"speed_hz": 61.3, "orders": ORDERS, "kinematics": Kinematics(**GEAR)}  # type: ignore[arg-type]
LEVELS = [spec.name for spec in CATALOGUE if spec.degree == 1 and spec.name != "mean_m_s2"]
QUALITY = ("clipped_fraction", "longest_hold", "spikes")


BY_PASSES = pytest.mark.parametrize("compiled", COMPILED, ids=lambda compiled: ("numpy", "numba")[compiled])


def _blocks(n: int, length: int = N, seed: int = 1) -> np.ndarray:
    """Noise, a shaft line, and shocks: something of everything."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / FS
    shocks = np.zeros(length)
    shocks[(np.arange(0, t[-1], 1 / (5.415 * 61.3)) * FS).astype(int)] = 3
    ringing = np.exp(-800 * t[:500]) * np.sin(2 * np.pi * 3400 * t[:500])
    signal = 0.5 * np.sin(2 * np.pi * 61.3 * t) + np.convolve(shocks, ringing)[:length]
    return (signal + rng.standard_normal((n, length))).astype(np.float32)


def _columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(NAMES, rows.T, strict=True))


# Rows that are spoilt ---------------------------------------------------------------------------------


@BY_PASSES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_spoils_its_own_row_only(value: float, compiled: bool) -> None:
    x = _blocks(40)
    extractor = Extractor(FS, N, compiled=compiled)
    clean = extractor.extract(x, **KNOWN)  # type: ignore[arg-type]
    x[[3, 20], [7, N - 1]] = value
    spoilt = extractor.extract(x, **KNOWN)  # type: ignore[arg-type]
    assert np.isnan(spoilt[[3, 20]]).all()
    others = np.setdiff1d(np.arange(40), [3, 20])
    np.testing.assert_allclose(spoilt[others], clean[others], rtol=1e-5, atol=1e-7)
    assert np.isnan(extractor.extract(x[[3]], **KNOWN)).all()  # type: ignore[arg-type]


@BY_EXTRACTORS
def test_samples_near_the_end_of_float32_are_numbers(row_of: RowOf) -> None:
    big = np.float32(1e37) * np.sign(np.sin(0.37 * np.arange(N) + 0.1)).astype(np.float32)
    row = row_of(big, FS)
    assert row["acceleration_rms_m_s2"] == pytest.approx(1e37, rel=1e-3)
    assert row["kurtosis"] == pytest.approx(1, rel=1e-2)
    small = row_of(_blocks(1)[0] * np.float32(1e-38), FS)
    assert small["kurtosis"] == pytest.approx(row_of(_blocks(1)[0], FS)["kurtosis"], rel=1e-3)


@BY_EXTRACTORS
@pytest.mark.parametrize("size", [1e-40, 1e37])
def test_samples_at_either_end_of_float32_keep_their_shape(row_of: RowOf, size: float) -> None:
    """Below 1.2e-38 float32 loses digits, and reciprocals are infinite; so are sums of samples above 1e34."""
    plain = row_of(_blocks(1)[0], FS)
    sized = row_of((_blocks(1)[0].astype(np.float64) * size).astype(np.float32), FS)
    for name in (
        "crest_factor",
        "skewness",
        "kurtosis_quarters",
        "spectral_centroid_hz",
        "envelope_modulation",
    ):
        assert sized[name] == pytest.approx(plain[name], rel=5e-3, abs=1e-3), name
    assert sized["acceleration_rms_m_s2"] == pytest.approx(size * plain["acceleration_rms_m_s2"], rel=1e-2)


@BY_EXTRACTORS
@pytest.mark.parametrize("offset", [1e36, -3e38])
def test_a_mean_near_the_end_of_float32_is_a_mean(row_of: RowOf, offset: float) -> None:
    x = (offset * (1 + 0.01 * np.sin(0.37 * np.arange(N)))).astype(np.float32)
    row = row_of(x, FS)
    assert row["mean_m_s2"] == pytest.approx(offset, rel=1e-4)
    assert row["kurtosis"] == pytest.approx(1.5, rel=1e-3)


@BY_PASSES
def test_what_float32_can_not_hold_is_not_known_and_spoils_its_own_row_only(compiled: bool) -> None:
    x = _blocks(4)
    extractor = Extractor(FS, N, compiled=compiled)
    clean = extractor.extract(x, **KNOWN)  # type: ignore[arg-type]
    x[1] = np.where(np.arange(N) == 7, 3e38, -3e38)  # its deviation from the mean is 6e38
    x[2] = 2e38 * np.sign(np.sin(0.37 * np.arange(N) + 0.1))  # its peak to peak is 4e38
    rows = extractor.extract(x, [1.0, 1.0, 1.0, 1e300], **KNOWN)  # type: ignore[arg-type]
    assert not np.isinf(rows).any()
    assert np.isnan(rows[1]).all()
    assert np.isnan(rows[2, NAMES.index("peak_to_peak_m_s2")])
    assert rows[2, NAMES.index("acceleration_rms_m_s2")] == pytest.approx(2e38, rel=1e-3)
    np.testing.assert_allclose(rows[0], clean[0], rtol=1e-5, atol=1e-7)
    assert rows[3, NAMES.index("kurtosis")] == pytest.approx(clean[3, NAMES.index("kurtosis")], rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, -9.80665, 12345.678, 1e-20, 1e-42, 3e30])
@pytest.mark.parametrize("length", [N, 9999])
@BY_PASSES
def test_a_dead_sensor_has_levels_of_0_no_ratio_and_one_long_hold(
    value: float, length: int, compiled: bool
) -> None:
    gear = Kinematics(**GEAR)  # type: ignore[arg-type]
    blocks = np.stack([np.full(length, value), _blocks(1, length)[0]]).astype(np.float32)
    rows = Extractor(FS, length, compiled=compiled).extract(
        blocks, speed_hz=61.3, orders=ORDERS, kinematics=gear
    )
    dead, alive = (dict(zip(NAMES, row.tolist(), strict=True)) for row in rows)
    assert dead["mean_m_s2"] == pytest.approx(value, rel=1e-6)
    assert {name: dead[name] for name in LEVELS if not math.isnan(dead[name])} == {
        name: 0.0 for name in LEVELS if not math.isnan(alive[name])
    }
    ratios = [spec.name for spec in CATALOGUE if spec.degree == 0 and spec.name not in QUALITY]
    assert not [name for name in ratios if not math.isnan(dead[name])]
    assert dead["longest_hold"] == length
    assert dead["spikes"] == 0
    assert np.isfinite(alive["kurtosis"])


@BY_EXTRACTORS
def test_a_quarter_without_signal_has_no_kurtosis(row_of: RowOf) -> None:
    """A sensor that spoke for a quarter of the block: the one quarter that says something is the median."""
    x = np.zeros(N)
    x[N // 4 : N // 2] = np.sin(2 * np.pi * 100 * np.arange(N // 4) / FS)
    assert row_of(x, FS)["kurtosis_quarters"] == pytest.approx(1.5, rel=1e-3)
    pulse = np.where(np.arange(N) == N // 3, 7.0, 0.0)
    quarter = N // 4  # one pulse in q samples: q - 3 + 3/q, to the first orders
    assert row_of(pulse, FS)["kurtosis_quarters"] == pytest.approx(quarter - 2, rel=1e-2)


@BY_EXTRACTORS
def test_full_range_counts_do_not_overflow(row_of: RowOf) -> None:
    t = np.arange(N) / FS
    wave = np.sin(2 * np.pi * 160 * t)
    for dtype in (np.int16, np.int32):
        end = np.iinfo(dtype).max
        row = row_of((end * wave).astype(dtype), FS)
        assert row["kurtosis"] == pytest.approx(1.5, rel=1e-3)
        assert row["acceleration_rms_m_s2"] == pytest.approx(end / math.sqrt(2), rel=1e-3)
        lowest = row_of(np.full(N, np.iinfo(dtype).min, dtype), FS)
        assert lowest["mean_m_s2"] == np.iinfo(dtype).min
        assert lowest["acceleration_rms_m_s2"] == 0


# What is not known ------------------------------------------------------------------------------------


def test_what_is_not_known_is_nan_where_it_matters_and_only_there() -> None:
    x = _blocks(1)[0]
    everything = {**KNOWN, "kinematics": {**GEAR, "supply_hz": 50.0, "pole_pass_hz": 2.0}}
    whole = extracted(x, FS, **everything)
    without: dict[str, dict[str, object]] = {
        "speed": everything | {"speed_hz": math.nan},
        "orders": everything | {"orders": (math.nan,) * 4},
    }
    given_as = {"mesh": "mesh_order", "driven": "driven_order", "vanes": "vane_order", "belt": "belt_order",
                "supply": "supply_hz", "pole_pass": "pole_pass_hz"}  # fmt: skip
    for need, name in given_as.items():
        without[need] = everything | {"kinematics": {**everything["kinematics"], name: math.nan}}  # type: ignore[dict-item]
    assert set(without) == {need for spec in CATALOGUE for need in spec.needs}
    for need, known in without.items():
        row = extracted(x, FS, **known)  # type: ignore[arg-type]
        for spec in CATALOGUE:
            if need in spec.needs:
                assert math.isnan(row[spec.name]), (need, spec.name)
            elif not (need == "driven" and spec.name.startswith("mesh")):  # its shaft may be the slower one
                assert row[spec.name] == pytest.approx(whole[spec.name], rel=1e-6, nan_ok=True), spec.name


def test_one_unknown_order_leaves_the_others() -> None:
    row = extracted(_blocks(1)[0], FS, speed_hz=61.3, orders=(3.585, 5.415, math.nan, 0.398))
    assert all(
        math.isnan(row[f"bsf_{what}"]) for what in ("bits", "harmonics", "band_hz", "m_s2", "modulation")
    )
    assert math.isfinite(row["bpfi_m_s2"])
    assert row["bpfi_harmonics"] >= 3


def test_a_machine_at_rest_has_no_orders() -> None:
    still = extracted(_blocks(1)[0], FS, speed_hz=0.0, orders=ORDERS)
    unknown = extracted(_blocks(1)[0], FS, speed_hz=math.nan, orders=ORDERS)
    assert still == pytest.approx(unknown, nan_ok=True)


@pytest.mark.parametrize("absurd", [1e-320, 1e-300, 1e-9, 1e9, 1e300, 1.7e308])
def test_absurd_knowledge_of_one_window_is_no_trouble_of_another(absurd: float) -> None:
    """Speeds, orders and uncertainties out of a broken sensor or form, as far as numbers go."""
    x = _blocks(2)
    everything: dict[str, float] = {**GEAR, "supply_hz": 50.0, "pole_pass_hz": 2.0}
    extractor = Extractor(FS, N, compiled=False)
    expected = extractor.extract(x, speed_hz=61.3, orders=ORDERS, kinematics=Kinematics(**everything))[0]  # type: ignore[arg-type]
    turning = Kinematics(**{name: np.array([value, absurd]) for name, value in everything.items()})  # type: ignore[arg-type]
    for speed_hz in (61.3, absurd):
        for sigma_hz in (0.0, absurd):
            rows = extractor.extract(
                x,
                speed_hz=[61.3, speed_hz],
                orders=[ORDERS, (absurd,) * 4],
                speed_sigma_hz=[0.0, sigma_hz],
                kinematics=turning,
            )
            np.testing.assert_allclose(rows[0], expected, rtol=1e-5, atol=1e-7)
            assert np.isfinite(rows[1, NAMES.index("kurtosis")])


def test_600_rpm_is_not_below_600_rpm() -> None:
    """Its lowest order is 0.2 x 10 Hz = 2 Hz, whatever the last digit of the division by the resolution."""
    for fs, n in ((12_000.0, 44_100), (48_000.0, 44_100), (300.0, 4096), (25_600.0, 20_000)):
        row = extracted(_blocks(1, n)[0], fs, speed_hz=10.0)
        assert math.isfinite(row["synchronous_ratio"]), (fs, n)


# What rate and length give ----------------------------------------------------------------------------


def test_names_and_units_do_not_depend_on_the_rate() -> None:
    slow, fast = Extractor(100.0, 64), Extractor(102_400.0, 4096)
    assert slow.names == fast.names == NAMES
    assert slow.units == fast.units == UNITS


@pytest.mark.parametrize("fs", [1.0, 10.0, 64.0, 900.0, 2000.0, 2560.0, 5120.0, 1e6, 1e7])
@pytest.mark.parametrize("length", [16, 17, 50, 256, 4099])
@BY_PASSES
def test_any_rate_and_any_length_give_a_row(fs: float, length: int, compiled: bool) -> None:
    x = _blocks(2, 4099)[:, :length]
    gear = Kinematics(**GEAR)  # type: ignore[arg-type]
    rows = Extractor(fs, length, compiled=compiled).extract(
        x, speed_hz=20 * fs / length, orders=ORDERS, kinematics=gear
    )
    columns = _columns(rows)
    assert not np.isinf(rows).any()
    for name in NAMES[:7]:
        assert np.isfinite(columns[name]).all()
    reached = fs / 2.56 >= 1000
    assert np.isnan(columns["velocity_rms_mm_s"]).all() == (not reached or fs / length > 10)
    assert np.isnan(columns["band_1000_2500_m_s2"]).all() or fs / 2.56 >= 2500
    assert np.isnan(columns["envelope_rms_m_s2"]).all() or fs / 2.56 >= 10_000


@pytest.mark.parametrize(("fs", "length"), [(5.0, 31), (16.0, 256), (777.7, 250), (1e6, 25)])
def test_each_feature_alone_is_its_column_where_few_are_given(fs: float, length: int) -> None:
    """Spectra end at the last bin that somebody needs: nobody may need more than it says."""
    x = _blocks(2)[:, :length]
    known = {**KNOWN, "speed_hz": 20 * fs / length}
    whole = Extractor(fs, length, compiled=False).extract(x, **known)  # type: ignore[arg-type]
    for i, name in enumerate(NAMES):
        alone = Extractor(fs, length, features=[name], compiled=False).extract(x, **known)  # type: ignore[arg-type]
        np.testing.assert_allclose(alone[:, 0], whole[:, i], rtol=1e-5, atol=1e-7, err_msg=name)


def test_passes_are_numpys_where_numba_can_not_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Installed, but for another numpy: so it says itself, by an ImportError."""
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.2 or less')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.delitem(sys.modules, "models.features.stages.kernels", raising=False)
    monkeypatch.delattr("models.features.stages.kernels", raising=False)
    x = _blocks(1, 256)
    rows = Extractor(FS, 256, compiled=False).extract(x)
    np.testing.assert_array_equal(Extractor(FS, 256).extract(x), rows)
    with pytest.raises(ValueError, match=r"compiled must .*NumPy 2.2 or less.* got True"):
        Extractor(FS, 256, compiled=True)


def test_an_empty_batch_is_an_empty_table() -> None:
    extractor = Extractor(FS, 256)
    assert extractor.extract(np.zeros((0, 256), dtype=np.int16)).shape == (0, len(NAMES))
    assert (
        extractor.extract(np.zeros((0, 256), np.float32), np.zeros(0), speed_hz=np.zeros(0)).dtype
        == np.float32
    )


# Cost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [CORE, None], ids=["core", "all"])
def test_a_batch_adds_no_more_memory_than_it_may(features: tuple[str, ...] | None) -> None:
    """2,048 windows of 4,096 samples (32 MB) in no more than 200 MB."""
    x = np.tile(_blocks(8, 4096), (256, 1))
    tracemalloc.start()
    Extractor(FS, 4096, features=features).extract(x, **KNOWN)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
