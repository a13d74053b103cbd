"""The extractor against the oracle, on every kind of window. What "equal" means stands in the support."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support import naive
from tests.support.agreement import disagreements
from tests.support.rows import extracted

ORDERS = (3.585, 5.415, 2.357, 0.398)
GEAR = {
    "mesh_order": 4.6,
    "driving_order": 1.0,
    "driven_order": 0.7,
    "vane_order": 3.7,
    "belt_order": 0.61,
    "supply_hz": 50.0,
    "pole_pass_hz": 1.37,
}
Rng = np.random.Generator


def _machine(rng: Rng, n: int, fs: float) -> np.ndarray:
    """Noise, a shaft line, and shocks: something of everything."""
    t = np.arange(n) / fs
    ringing = np.exp(-0.08 * np.arange(200)) * np.sin(1.7 * np.arange(200))
    shocks = np.zeros(n)
    shocks[:: max(n // 77, 1)] = 3
    return np.asarray(
        0.5 * np.sin(2 * np.pi * 0.0047 * fs * t) + np.convolve(shocks, ringing)[:n] + rng.standard_normal(n)
    )


KINDS: dict[str, Callable[[Rng, int, float], np.ndarray]] = {
    "noise": lambda rng, n, fs: rng.standard_normal(n),
    "machine": _machine,
    "tone": lambda rng, n, fs: 3 * np.sin(2 * np.pi * 0.01234 * np.arange(n) + 1),
    "tone on a bin": lambda rng, n, fs: np.sin(2 * np.pi * 0.0625 * np.arange(n)),
    "impulse": lambda rng, n, fs: np.where(np.arange(n) == n // 3, 7.0, 0.0),
    "impulses": lambda rng, n, fs: 20 * (rng.random(n) < 5 / n) + 0.1 * rng.standard_normal(n),
    "clipped": lambda rng, n, fs: np.clip(2 * _machine(rng, n, fs), -2, 2),
    "square": lambda rng, n, fs: np.sign(np.sin(2 * np.pi * 0.00317 * np.arange(n) + 0.1)),
    "ramp": lambda rng, n, fs: np.linspace(-1, 5, n),
    "huge": lambda rng, n, fs: 2.0**60 * _machine(rng, n, fs),
    "tiny": lambda rng, n, fs: 2.0**-100 * _machine(rng, n, fs),
    "offset": lambda rng, n, fs: 1000 + _machine(rng, n, fs),
    "far offset": lambda rng, n, fs: -3e3 + 0.1 * _machine(rng, n, fs),  # as far as 16 bits reach
    "constant": lambda rng, n, fs: np.full(n, 12345.678),
    "zeros": lambda rng, n, fs: np.zeros(n),
}


LENGTHS = [(4096, 51_200.0), (9999, 25_600.0), (10_007, 12_000.0), (10_240, 5120.0)]
"""5-smooth, odd and prime, at rates that leave most bands and that leave few."""


@pytest.mark.parametrize(
    ("kind", "n", "fs"),
    [(kind, *at) for i, at in enumerate(LENGTHS) for kind in KINDS if i < 2 or kind in ("noise", "machine")],
)
def test_every_feature_equals_the_oracle(kind: str, n: int, fs: float) -> None:
    x = KINDS[kind](np.random.default_rng(n), n, fs).astype(np.float32)
    known = {"speed_hz": 33.7 * fs / n, "orders": ORDERS, "kinematics": GEAR}
    assert not disagreements(x, fs, **known)


@pytest.mark.parametrize("speed_hz", [math.nan, 0.0, 3.1, 9.7, 24.75, 49.9, 121.3, 499.0])
def test_any_speed(speed_hz: float) -> None:
    fs, n = 2560.0, 12_000
    x = _machine(np.random.default_rng(5), n, fs).astype(np.float32)
    known = {"speed_hz": speed_hz, "orders": ORDERS, "kinematics": GEAR, "speed_sigma_hz": 0.01}
    assert not disagreements(x, fs, **known)


@pytest.mark.parametrize("f", [870.3, 930.7, 990.1])
def test_waveforms_of_few_samples_a_period(f: float) -> None:
    """At 2560 Hz 1000 Hz are just usable: its tops lie between samples."""
    x = np.sin(2 * np.pi * f * np.arange(2048) / 2560 + 1).astype(np.float32)
    assert not disagreements(x, 2560.0)


@pytest.mark.parametrize("n", [16, 17, 25, 31, 40])
@pytest.mark.parametrize("fs", [2.0, 10.0, 4000.0, 25_600.0, 1e6])
def test_a_few_samples(n: int, fs: float) -> None:
    """Bands without a bin, bins of several bands."""
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    assert not disagreements(x, fs, speed_hz=5.5 * fs / n, orders=ORDERS, kinematics=GEAR)


@pytest.mark.parametrize(
    ("speed_hz", "supply_hz", "pole_pass_hz"), [(2.5, 0.6, 1.2), (9.0, 0.8, 8.0), (9, 1, 3)]
)
def test_no_line_of_velocity_lies_below_2_hz(speed_hz: float, supply_hz: float, pole_pass_hz: float) -> None:
    x = np.random.default_rng(8).standard_normal(3000).astype(np.float32)
    slow = {"supply_hz": supply_hz, "pole_pass_hz": pole_pass_hz}
    for fs in (51.2, 300.0):
        assert not disagreements(x, fs, speed_hz=speed_hz, kinematics=slow)


def test_a_number_where_the_oracle_has_none_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = naive.of_signal
    monkeypatch.setattr(naive, "of_signal", lambda *a, **known: oracle(*a, **known) | {"kurtosis": math.nan})
    x = np.random.default_rng(9).standard_normal(256).astype(np.float32)
    assert "kurtosis by numpy" in disagreements(x, 2560.0)


def test_the_oracle_is_met_where_rate_and_length_give_every_feature() -> None:
    fs, n = 51_200.0, 204_800
    x = np.random.default_rng(2).standard_normal(n).astype(np.float32)
    known = {"speed_hz": 39.3, "orders": ORDERS, "kinematics": GEAR | {"mesh_order": 23.0}}
    fast = extracted(x, fs, **known)
    assert not [name for name, value in fast.items() if math.isnan(value)]
    assert not disagreements(x, fs, draws=0, **known)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_leaves_no_feature(value: float) -> None:
    x = _machine(np.random.default_rng(6), 4096, 25_600.0).astype(np.float32)
    x[1234] = value
    known = {"speed_hz": 300.0, "orders": ORDERS, "kinematics": GEAR}
    fast = extracted(x, 25_600.0, **known)
    assert all(math.isnan(v) for v in fast.values())
    assert not disagreements(x, 25_600.0, **known)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize("kind", ["machine", "clipped", "offset", "tone", "impulse"])
def test_counts_with_a_scale(kind: str, dtype: type[np.signedinteger]) -> None:
    x = KINDS[kind](np.random.default_rng(7), 9999, 12_000.0)
    counts = np.rint(x / np.abs(x).max() * np.iinfo(dtype).max * 0.7).astype(dtype)
    for scale in (9.80665 / 2048, -3e-6):
        known = {"scale": scale, "speed_hz": 30.1, "orders": ORDERS, "full_scale": 0.7 * np.iinfo(dtype).max}
        assert not disagreements(counts, 12_000.0, **known)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    n=st.sampled_from([16, 25, 64, 250, 256, 509, 1024, 1300]),
    fs=st.sampled_from([2.0, 10.0, 64.0, 777.7, 2560.0, 12_000.0, 25_600.0, 51_200.0, 102_400.0, 1e6]),
    turns=st.floats(1, 150),
    orders=st.lists(st.one_of(st.just(math.nan), st.floats(0.3, 12)), min_size=4, max_size=4),
    gear=st.fixed_dictionaries(
        {name: st.one_of(st.just(math.nan), st.floats(0.2, 9)) for name in GEAR if name.endswith("order")}
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_window_of_any_machine(
    *, kind: str, n: int, fs: float, turns: float, orders: list[float], gear: dict[str, float], seed: int
) -> None:
    x = KINDS[kind](np.random.default_rng(seed), n, fs).astype(np.float32)
    known = {"speed_hz": turns * fs / n, "orders": orders, "kinematics": gear}
    assert not disagreements(x, fs, **known)


@settings(max_examples=60)
@given(
    hnp.arrays(np.int16, 256),
    st.sampled_from([1.0, 9.80665 / 2048, -1e-6]),
)
def test_any_counts(counts: np.ndarray, scale: float) -> None:
    known = {"scale": scale, "speed_hz": 71.3, "orders": ORDERS, "kinematics": {"mesh_order": 3.3}}
    assert not disagreements(counts, 2560.0, **known)
