"""What is wrong is said in one sentence: what, what it must be, what was got."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

import models.features
from models.features import DEFAULT_BANDS, Extractor, envelope_spectrum, spectrum, velocity_rms
from models.features.kinematics import Kinematics

FS, N = 5120.0, 256
BLOCKS = np.zeros((2, N), np.int16)
RATES = [0.0, -25_600.0, math.nan, math.inf, -math.inf, 1e-3, 1e9, "25600", None]


def _sentence(message: str, what: str) -> None:
    assert re.match(rf".*\b{what}\b.* must .*\bgot .+", message), message
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize("fs_hz", RATES)
def test_a_rate_that_can_not_be_meant(fs_hz: Any) -> None:
    x = BLOCKS.astype(np.float32)
    for call in (
        lambda: Extractor(fs_hz, N),
        lambda: spectrum(x, fs_hz),
        lambda: velocity_rms(x, fs_hz),
        lambda: envelope_spectrum(x, fs_hz, (500.0, 1000.0)),
    ):
        with pytest.raises(ValueError, match="fs_hz") as error:
            call()
        _sentence(str(error.value), "fs_hz")


@pytest.mark.parametrize("fs_hz", [1.0, 10e6])
def test_the_slowest_and_the_fastest_rate_can_be_meant(fs_hz: float) -> None:
    assert Extractor(fs_hz, N).extract(BLOCKS).shape == (2, len(models.features.CATALOGUE))


@pytest.mark.parametrize("n_samples", [0, -4096, 3, 15, 256.0, "256", None])
def test_a_length_that_can_not_be_meant(n_samples: object) -> None:
    with pytest.raises(ValueError, match="n_samples") as error:
        Extractor(FS, n_samples)  # type: ignore[arg-type]
    _sentence(str(error.value), "n_samples")


@pytest.mark.parametrize(
    "bands",
    [
        (),
        (500.0, 1000.0),
        ((1.0, 2.0, 3.0),),
        ((100.0, 50.0),),
        ((-1.0, 50.0),),
        ((0.0, 50.0),),
        ((100.0, math.nan),),
        ((1.0, math.inf),),
    ],
)
def test_bands_that_can_not_be_meant(bands: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="band") as error:
        Extractor(FS, N, bands=bands)
    _sentence(str(error.value), "bands?")


@pytest.mark.parametrize(
    "features", [(), ("velocity",), ("kurtosis", "kurtosis"), "kurtosis", ("kurtosis", "acceleration_rms")]
)
def test_features_that_are_not_in_the_catalogue(features: object) -> None:
    with pytest.raises(ValueError, match="features") as error:
        Extractor(FS, N, features=features)  # type: ignore[arg-type]
    _sentence(str(error.value), "features")


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(N, np.int16),
        np.zeros((2, 2, N), np.int16),
        np.zeros((2, N - 1), np.int16),
        np.zeros((2, 2 * N), np.float32),
        np.zeros((2, N)),
        np.zeros((2, N), np.uint16),
        np.zeros((2, N), np.int64),
        np.zeros((2, N), np.complex64),
        np.zeros((2, N), np.bool_),
        np.full((2, N), "1"),
    ],
    ids=lambda x: f"{x.dtype}{x.shape}",
)
def test_samples_that_can_not_be_meant(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^x must") as error:
        Extractor(FS, N).extract(x)
    _sentence(str(error.value), "x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", 0.0),
        ("scale", math.nan),
        ("scale", math.inf),
        ("scale", np.array([1.0, 0.0])),
        ("scale", np.ones(3)),
        ("scale", np.ones((2, 1))),
        ("speed_hz", -1.0),
        ("speed_hz", math.inf),
        ("speed_hz", np.array([25.0, -25.0])),
        ("speed_hz", np.ones(3)),
        ("orders", (1.0, 2.0)),
        ("orders", (1.0, 2.0, 0.0, 1.0)),
        ("orders", (1.0, 2.0, -3.0, 1.0)),
        ("orders", (1.0, 2.0, math.inf, 1.0)),
        ("orders", np.ones((3, 4))),
        ("speed_sigma_hz", -0.1),
        ("speed_sigma_hz", math.inf),
        ("speed_sigma_hz", np.ones(3)),
        ("full_scale", 0.0),
        ("full_scale", -32768.0),
        ("full_scale", math.inf),
        ("full_scale", np.ones(3)),
    ],
)
def test_what_is_said_of_the_windows_and_can_not_be_meant(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name) as error:
        Extractor(FS, N).extract(BLOCKS, **{name: value})  # type: ignore[arg-type]
    _sentence(str(error.value), name)


@pytest.mark.parametrize("name", Kinematics.__dataclass_fields__)
@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, np.array([1.0, -1.0]), np.ones(3)])
def test_kinematics_that_can_not_be_meant(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name) as error:
        Extractor(FS, N).extract(BLOCKS, speed_hz=25.0, kinematics=Kinematics(**{name: value}))  # type: ignore[arg-type]
    _sentence(str(error.value), name)


def test_none_and_nan_are_not_known_and_no_mistake() -> None:
    unknown = Kinematics(**dict.fromkeys(Kinematics.__dataclass_fields__, math.nan))
    extractor = Extractor(FS, N)
    rows = extractor.extract(
        BLOCKS,
        speed_hz=math.nan,
        orders=(math.nan,) * 4,
        speed_sigma_hz=None,
        kinematics=unknown,
        full_scale=math.nan,
    )
    np.testing.assert_array_equal(rows, extractor.extract(BLOCKS))
    np.testing.assert_array_equal(rows, extractor.extract(BLOCKS, speed_hz=0.0))


def test_no_function_has_a_sampling_rate_of_its_own() -> None:
    """A default would be silently wrong for every other rate."""
    seen = 0
    for name in models.features.__all__:
        public = getattr(models.features, name)
        if callable(public):
            parameters = inspect.signature(public).parameters.values()
            rates = [p for p in parameters if re.fullmatch(r"fs(_hz)?|rate(_hz)?|sample_rate.*", p.name)]
            assert all(p.default is inspect.Parameter.empty for p in rates), name
            seen += len(rates)
    assert seen >= 4


def test_the_bands_that_are_tried_are_the_ones_that_are_told() -> None:
    assert Extractor(FS, N).bands == DEFAULT_BANDS


@pytest.mark.parametrize(
    ("what", "known"),
    [
        ("scale", {"scale": "g"}),
        ("speed_hz", {"speed_hz": "fast"}),
        ("orders", {"orders": {"bpfo": 3.6}}),
        ("kinematics", {"kinematics": {"mesh_order": 23}}),
        ("mesh_order", {"kinematics": Kinematics(mesh_order="many")}),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_number(what: str, known: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=what) as error:
        Extractor(FS, N).extract(BLOCKS, **known)
    _sentence(str(error.value), what)
