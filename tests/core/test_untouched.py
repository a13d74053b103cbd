"""The caller's arrays are never written to, by any public function of `models.features`."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import pytest

import models.features as public
from models.features.kinematics import Kinematics

FS, N, ROWS = 5120.0, 10_240, 3
TIMES = np.linspace(0, 48, 97)


class Watched:
    """Arrays that can't be written to, and what they held."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._dtype = dtype
        self._kept: list[tuple[np.ndarray, bytes]] = []

    def __call__(self, values: object) -> np.ndarray:
        """The values as such an array."""
        array = np.array(values)
        self._kept.append((array, array.tobytes()))
        array.flags.writeable = False
        return array

    def samples(self) -> np.ndarray:
        """Blocks with lines and noise, one of them with a gap where the type has one, a constant one."""
        t = np.arange(N) / FS
        x = np.random.default_rng(1).standard_normal((ROWS, N)) + 2 * np.sin(2 * np.pi * 24.7 * t) + 0.5
        x[2] = 3
        blocks = (x * 1000).astype(self._dtype)
        if self._dtype == np.float32:
            blocks[1, 77] = np.nan
        return self(blocks)

    def unchanged(self) -> bool:
        return all(array.tobytes() == before for array, before in self._kept)


Case = Callable[[Any, Watched], object]


def _extract(extractor: Any, w: Watched) -> None:
    turning = Kinematics(
        **{f.name: w(np.full(ROWS, 2.0)) for f in dataclasses.fields(Kinematics)}  # type: ignore[arg-type]
    )
    extractor(FS, N).extract(
        w.samples(),
        w(np.full(ROWS, 0.01)),
        speed_hz=w(np.full(ROWS, 24.7)),
        orders=w(np.tile((3.585, 5.415, 2.357, 0.398), (ROWS, 1))),
        speed_sigma_hz=w(np.full(ROWS, 0.1)),
        kinematics=turning,
        full_scale=w(np.full(ROWS, 2000.0)),
    )


def _temperatures(w: Watched) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(2)
    ambient, load = 25 + 5 * np.sin(TIMES / 4), rng.uniform(0.5, 1, TIMES.size)
    warm = np.stack([20 + ambient + 10 * load, 15 + ambient + 12 * load]) + 0.1 * rng.standard_normal((2, 97))
    warm[0, 5] = np.nan
    return w(TIMES), w(warm), w(ambient), w(load), w(np.full(TIMES.size, 25.0))


def _model(model: Any, w: Watched) -> None:
    t, warm, *known = _temperatures(w)
    fitted = model.fit(t, warm, *known)
    fitted.predict(t, *known)
    fitted.residual(t, warm, *known)


def _orders(f: Any, w: Watched) -> None:
    f(w.samples(), FS, w(np.full(ROWS, 24.7)), max_order=4, scale=w(np.ones(ROWS)))
    speeds, at = w(np.tile((24.0, 24.5, 25.0), (ROWS, 1))), w((0.0, 1.0, 2.0))
    f(w.samples(), FS, speeds, max_order=4, at_s=at, scale=w(np.ones(ROWS)))


def _speed(f: Any, w: Watched) -> None:
    f(w.samples(), FS, nominal_hz=w(np.full(ROWS, 24.9)), line_orders=w((4.0, 7.0)))
    f(w.samples(), FS, range_hz=(w(np.full(ROWS, 15.0)), w(np.full(ROWS, 40.0))))


SPECTRUM = np.abs(np.random.default_rng(3).standard_normal((ROWS, 2000)))
CASES: dict[str, Case] = {
    "Extractor": _extract,
    "Kinematics": lambda f, w: f(mesh_order=w(np.ones(3))),
    "TemperatureModel": _model,
    "cepstrum": lambda f, w: f(w.samples(), FS),
    "condition_class": lambda f, w: f(w([0.1, np.nan, 0.7])),
    "condition_number": lambda f, w: f(w([1.0, 2]), w([3.0, 4]), rms_new=w([1.0, 1]), peak_new=w([3.0, 3])),
    "envelope_spectrum": lambda f, w: (
        f(w.samples(), FS, (500.0, 1000.0), scale=w(np.ones(ROWS))),
        f(w.samples(), FS, (500.0, 1000.0), scale=w(np.ones(ROWS)), squared=True),
    ),
    "estimate_speed": _speed,
    "fm4": lambda f, w: f(w(np.random.default_rng(4).standard_normal((ROWS, 256)))),
    "gear_residual": lambda f, w: f(w(np.random.default_rng(4).standard_normal((ROWS, 256))), w([23])),
    "impulsive": lambda f, w: f(w([10.0, 300]), w([3000.0, 3000]), w([0.03, 0.03])),
    "kurtogram": lambda f, w: f(w.samples(), FS).best_band(w(np.full(ROWS, 100.0))),
    "leading_defect": lambda f, w: f(
        {f"{d}_{what}": w(1.0) for d in ("bpfo", "bpfi", "bsf", "ftf") for what in ("bits", "harmonics")}
    ),
    "line_amplitude": lambda f, w: f(
        w(np.arange(2000.0)), w(SPECTRUM), w(np.full(ROWS, 100.0)), w(np.full(ROWS, 5.0))
    ),
    "measure_quality": lambda f, w: f(w.samples(), w(np.full(ROWS, 2000.0))),
    "order_spectrum": _orders,
    "power_spectrum": lambda f, w: (
        f(w.samples(), FS, scale=w(np.ones(ROWS))),
        f(w.samples(), FS, scale=w(np.ones(ROWS)), density=True),
    ),
    "resample_to_angle": _orders,
    "rise_k": lambda f, w: f(*_temperatures(w)[1:3]),
    "shock_duty": lambda f, w: f(w([10.0, 300]), w([3000.0, 3000]), w([0.03, 0.03])),
    "shock_kurtosis": lambda f, w: f(w([0.01, 0.2, np.nan])),
    "slip_speed_hz": lambda f, w: f(w([25.0, 50]), w([0.01, 0.02]), w([0.5, np.nan])),
    "slopes_k_per_h": lambda f, w: f(*_temperatures(w)[:2]),
    "spectrum": lambda f, w: (
        f(w.samples(), FS, scale=w(np.ones(ROWS))),
        f(w.samples(), FS, scale=w(np.ones(ROWS)), kind="velocity"),
    ),
    "synchronous_average": lambda f, w: f(
        w.samples(), FS, w(np.full(ROWS, 24.7)), max_order=4, scale=w(np.ones(ROWS))
    ),
    "theil_sen": lambda f, w: f(*_temperatures(w)[:2]),
    "thin_spectrum": lambda f, w: (
        f(w(np.arange(2000.0)), w(SPECTRUM[0])),
        f(w(np.arange(20.0)), w(SPECTRUM[0, :20])),
    ),
    "velocity_rms": lambda f, w: f(w.samples(), FS, scale=w(np.ones(ROWS))),
}
RESULTS = {"FeatureSpec", "Kurtogram", "QualityNumbers", "Slope", "SpeedEstimate"}
"""Made by the functions above; nobody hands arrays to them."""


def _is_a_function(value: object) -> bool:
    return isinstance(value, types.FunctionType) or (isinstance(value, type) and not issubclass(value, Enum))


FUNCTIONS = [name for name in public.__all__ if _is_a_function(getattr(public, name)) and name not in RESULTS]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_callers_arrays_are_never_written_to(name: str) -> None:
    assert name in CASES, f"{name} is public: write how it is called with arrays here"
    for dtype in (np.int16, np.int32, np.float32):
        watched = Watched(dtype)
        CASES[name](getattr(public, name), watched)
        assert watched.unchanged(), dtype


def test_what_is_public_is_found_and_named_once() -> None:
    assert len(set(public.__all__)) == len(public.__all__)
    assert list(public.__all__) == sorted(public.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = public.no_such_name
