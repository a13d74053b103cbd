"""What must not change a feature, and what must change it in proportion."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import CATALOGUE, CORE, Extractor
from models.features.catalogue import NAMES
from models.features.kinematics import Kinematics
from tests.support.rows import COMPILED

FS, N, ROWS = 25_600.0, 2048, 12
DEGREE = np.array([spec.degree for spec in CATALOGUE])
SIGNED = np.isin(NAMES, ("mean_m_s2", "skewness"))
"""What a sensor mounted the other way turns round."""

PER_WINDOW = {
    "speed_hz": np.where(np.arange(ROWS) % 5 == 4, np.nan, np.linspace(70, 330, ROWS)),
    "orders": np.linspace((3.1, 4.9, 2.1, 0.38), (3.9, 5.9, 2.6, 0.43), ROWS),
    "speed_sigma_hz": np.linspace(0, 2, ROWS),
    "full_scale": np.where(np.arange(ROWS) % 2, np.nan, 3.0),
}
TURNING = {
    "mesh_order": np.linspace(4, 9, ROWS),
    "driving_order": np.ones(ROWS),
    "driven_order": np.where(np.arange(ROWS) % 3, 1.4, np.nan),
    "vane_order": np.full(ROWS, 5.0),
    "belt_order": np.linspace(0.5, 0.7, ROWS),
    "supply_hz": np.full(ROWS, 50.0),
    "pole_pass_hz": np.full(ROWS, 2.0),
}


def _windows(seed: int = 1, n: int = N) -> np.ndarray:
    """Noise, lines and ringing shocks, other ones in each row, all of them well above rounding."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / FS
    x = rng.standard_normal((ROWS, n)) + 0.7
    for i in range(ROWS):
        shocks = np.zeros(n)
        shocks[rng.integers(0, 50) :: 97 + 13 * i] = 4
        ringing = np.exp(-1500 * t[:256]) * np.sin(2 * np.pi * 4000 * t[:256])
        x[i] += np.convolve(shocks, ringing)[:n] + np.sin(2 * np.pi * (40 + 31 * i) * t)
    return x.astype(np.float32)


def _extract(
    extractor: Extractor, x: np.ndarray, rows: np.ndarray | None = None, scale: object = 1.0
) -> np.ndarray:
    """With what is known of those rows of `_windows`."""
    of = np.arange(ROWS) if rows is None else rows
    known = {name: values[of] for name, values in PER_WINDOW.items()}
    turning = Kinematics(**{name: values[of] for name, values in TURNING.items()})
    return extractor.extract(x, scale, kinematics=turning, **known)  # type: ignore[arg-type]


class Engine:
    """An extractor of everything, its own rows of the windows, and others with the same passes."""

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self._extractor = self.of(N)
        self.whole = self(WINDOWS)

    def of(self, n: int, features: Iterable[str] | None = None) -> Extractor:
        return Extractor(FS, n, features=features, compiled=self.compiled)

    def __call__(self, x: np.ndarray, rows: np.ndarray | None = None, scale: object = 1.0) -> np.ndarray:
        return _extract(self._extractor, x, rows, scale)


WINDOWS = _windows()


@pytest.fixture(scope="module", params=COMPILED, ids=lambda compiled: ("numpy", "numba")[compiled])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param)


def test_the_windows_here_have_nearly_every_feature(engine: Engine) -> None:
    """Only what needs blocks of seconds is missing, so that the properties below say something."""
    missing = {
        name for name, seen in zip(NAMES, np.isfinite(engine.whole).any(axis=0), strict=True) if not seen
    }
    long_blocks = {"twice_supply_mm_s", "pole_pass_mm_s", "ski_slope", "ski_ratio", "band_10000_20000_m_s2",
                   "kurtosis_10000_20000", "order_whirl_mm_s", "ftf_m_s2", "ftf_modulation"}  # fmt: skip
    low = {name for name in missing if "_low_" in name}
    combs = {name for name in missing if name.endswith(("_bits", "_harmonics", "_band_hz"))}
    below_a_line = {
        "belt_mm_s",
        "velocity_rms_mm_s",
        "displacement_rms_um",
        "displacement_pp_um",
        "band_2_10_m_s2",
    }
    assert missing <= long_blocks | low | combs | below_a_line


# Size -------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e6).flatmap(lambda g: st.sampled_from([g, -g])))
def test_a_scale_multiplies_levels_and_leaves_ratios(engine: Engine, g: float) -> None:
    expected = engine.whole * np.abs(g) ** DEGREE * np.where(SIGNED, np.sign(g), 1)
    np.testing.assert_allclose(engine(WINDOWS, scale=g), expected, rtol=1e-6)


@given(st.integers(-80, 50))
def test_samples_of_any_size_give_the_same(engine: Engine, exponent: int) -> None:
    """Powers of two round nothing."""
    sized = engine(WINDOWS * np.float32(2.0**exponent)).astype(np.float64)
    ends = np.isin(NAMES, "clipped_fraction")  # the ends of the range stayed where they were
    np.testing.assert_allclose(
        (sized / np.exp2(exponent * DEGREE))[:, ~ends], engine.whole[:, ~ends], rtol=1e-5, atol=1e-6
    )


@settings(max_examples=30)
@given(st.floats(0.01, 100))
def test_samples_times_any_number_give_levels_times_that_number(engine: Engine, g: float) -> None:
    level = DEGREE == 1
    sized = engine(WINDOWS * np.float32(g))[:, level]
    np.testing.assert_allclose(sized, engine.whole[:, level] * np.float32(g), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_counts_with_a_scale_are_the_samples_they_stand_for(
    engine: Engine, dtype: type[np.signedinteger]
) -> None:
    counts = np.rint(WINDOWS * 1000).astype(dtype)
    scale = np.linspace(-2e-3, 3e-3, ROWS)
    free = ~np.isin(NAMES, ("clipped_fraction", "spikes"))  # of the converter's range and steps
    extractor = engine.of(N)
    fast = extractor.extract(counts, scale, speed_hz=200.0, orders=(3.6, 5.4, 2.4, 0.4))
    same = extractor.extract(
        (counts * scale[:, None]).astype(np.float32), speed_hz=200.0, orders=(3.6, 5.4, 2.4, 0.4)
    )
    np.testing.assert_allclose(fast[:, free], same[:, free], rtol=1e-3, atol=1e-6)


# Batches ----------------------------------------------------------------------------------------------


@given(st.permutations(range(ROWS)))
def test_the_order_of_channels_and_blocks_changes_nothing(engine: Engine, order: list[int]) -> None:
    rows = np.array(order)
    np.testing.assert_allclose(engine(WINDOWS[rows], rows), engine.whole[rows], rtol=1e-5, atol=1e-7)


@given(st.lists(st.integers(1, ROWS - 1), max_size=5))
def test_the_size_of_the_batch_changes_nothing(engine: Engine, cuts: list[int]) -> None:
    parts = np.split(np.arange(ROWS), sorted(cuts))
    rows = np.concatenate([engine(WINDOWS[part], part) for part in parts])
    np.testing.assert_allclose(rows, engine.whole, rtol=1e-5, atol=1e-7)


def test_a_batch_of_several_chunks_is_its_blocks_one_by_one(engine: Engine) -> None:
    """Every block with its own speed, orders, scale, gear: nothing of a neighbour reaches it."""
    times = 40
    rows = np.arange(times * ROWS) % ROWS
    batch = engine(WINDOWS[rows], rows)
    alone = np.concatenate([engine(WINDOWS[[i]], np.array([i])) for i in range(ROWS)])
    np.testing.assert_allclose(batch, alone[rows], rtol=1e-5, atol=1e-7)


def test_a_batch_in_strides_is_the_batch(engine: Engine) -> None:
    """A slice of a longer recording, every second channel, not contiguous."""
    wide = np.zeros((2 * ROWS, N + 100), dtype=np.float32)
    wide[::2, 50:-50] = WINDOWS
    np.testing.assert_allclose(engine(wide[::2, 50:-50]), engine.whole, rtol=1e-5, atol=1e-7)
    for other in (WINDOWS.astype(">f4"), np.asfortranarray(WINDOWS), np.repeat(WINDOWS, 2, axis=1)[:, ::2]):
        np.testing.assert_allclose(engine(other), engine.whole, rtol=1e-5, atol=1e-7)
    payload = b"\1\2\3" + WINDOWS.tobytes()  # samples begin anywhere in a frame
    inside = np.frombuffer(payload, dtype=np.float32, offset=3).reshape(WINDOWS.shape)
    np.testing.assert_allclose(engine(inside), engine.whole, rtol=1e-5, atol=1e-7)


def test_an_extractor_remembers_nothing(engine: Engine) -> None:
    engine(_windows(seed=2) * np.float32(1e6))
    np.testing.assert_array_equal(engine(WINDOWS), engine.whole)


def test_nothing_is_read_that_nobody_wrote(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """New memory holds what somebody left there: here signaling NaN, at which every operation would warn."""
    x, n = _windows(n=25_600), 25_600
    # The slowest need few lines, the fastest more than narrow bands have.
    speeds = np.geomspace(22, 700, ROWS)
    sigmas = np.where(np.arange(ROWS) % 3, 0, 0.01 * speeds)
    known = {**PER_WINDOW, "speed_hz": speeds, "speed_sigma_hz": sigmas}
    expected = engine.of(n).extract(x, **known)
    empty = np.empty

    def left_over(*args: object, **named: object) -> np.ndarray:
        array: np.ndarray = empty(*args, **named)  # type: ignore[call-overload]
        if array.dtype == np.float32:
            array.view(np.uint32)[...] = 0x7FA00001
        return array

    monkeypatch.setattr(np, "empty", left_over)
    np.testing.assert_array_equal(engine.of(n).extract(x, **known), expected)


# Selections -------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True))
def test_some_features_are_those_columns_of_the_whole(engine: Engine, names: list[str]) -> None:
    some = engine.of(N, names)
    assert some.names == tuple(names)
    assert some.units == tuple(CATALOGUE[NAMES.index(name)].unit for name in names)
    columns = [NAMES.index(name) for name in names]
    np.testing.assert_allclose(_extract(some, WINDOWS), engine.whole[:, columns], rtol=1e-5, atol=1e-7)


def test_each_feature_alone_is_its_column(engine: Engine) -> None:
    for k, name in enumerate(NAMES):
        alone = _extract(engine.of(N, [name]), WINDOWS)
        np.testing.assert_allclose(alone[:, 0], engine.whole[:, k], rtol=1e-5, atol=1e-7, err_msg=name)


def test_the_core_is_its_columns(engine: Engine) -> None:
    columns = [NAMES.index(name) for name in CORE]
    core = _extract(engine.of(N, CORE), WINDOWS)
    np.testing.assert_allclose(core, engine.whole[:, columns], rtol=1e-5, atol=1e-7)


# Time -------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([512, 1000, 2048, 4096]))
def test_backwards_a_level_moves_by_no_more_than_the_window_does(engine: Engine, seed: int, n: int) -> None:
    """The periodic Hann window is even about sample 0, so a block read backwards sees it one sample later.

    A level is the norm of a part of the spectrum of w·x over √(3N/8), so it moves by at most the norm of
    (w(i+1) - w(i))·x over that, and w moves by at most π/N a sample: π/N √(8/3) times the RMS of x. Velocity
    is that over ω, at most that over the ω of the lowest bin of its band.
    """
    x = _windows(seed, n)
    extractor = engine.of(n)
    forwards, backwards = _extract(extractor, x), _extract(extractor, x[:, ::-1])
    rms = forwards[:, NAMES.index("acceleration_rms_m_s2")].astype(np.float64)
    bound = math.pi / n * math.sqrt(8 / 3) * rms + 1e-5 * rms
    lowest_omega = 2 * np.pi * max(10.0, FS / n)
    for i, spec in enumerate(CATALOGUE):
        moved = np.abs(backwards[:, i].astype(np.float64) - forwards[:, i])
        seen = np.isfinite(moved)
        if spec.domain == "time":
            np.testing.assert_allclose(backwards[:, i], forwards[:, i], rtol=1e-4, atol=1e-5)
        elif spec.degree == 1 and spec.unit == "m/s²" and not spec.name.startswith("peak"):
            assert (moved[seen] <= bound[seen]).all(), spec.name
        elif spec.degree == 1 and spec.unit == "mm/s":
            assert (moved[seen] <= (1e3 / lowest_omega * bound)[seen]).all(), spec.name
