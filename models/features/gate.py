"""The one gate for arguments: what is wrong is said in a sentence, before any number is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.types import BEARING_DEFECTS

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
SampleArray = npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]

SHORTEST_BLOCK: Final = 16
"""Samples below which a spectrum has no meaning: the main lobe of the window alone is four bins wide."""

RATES_HZ: Final = (1.0, 10_000_000.0)
"""Slower than once a second is a table of readings, faster than acoustic emission a unit mistaken."""

_SAMPLE_TYPES: Final = (np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.float32))


def check_rate(fs_hz: float) -> float:
    """A sampling rate in Hz, or ValueError."""
    number = isinstance(fs_hz, int | float | np.integer | np.floating)
    if not number or not RATES_HZ[0] <= fs_hz <= RATES_HZ[1]:  # NaN is not
        raise ValueError(
            f"fs_hz must be a sampling rate from {RATES_HZ[0]:g} to {RATES_HZ[1]:,.0f} samples a second, "
            f"got {fs_hz!r}"
        )
    return float(fs_hz)


def check_length(n_samples: int) -> int:
    """A number of samples in a block, or ValueError."""
    if not isinstance(n_samples, int | np.integer) or n_samples < SHORTEST_BLOCK:
        raise ValueError(f"n_samples must be a whole number of at least {SHORTEST_BLOCK}, got {n_samples!r}")
    return int(n_samples)


def check_bands(bands: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Demodulation bands in Hz, or ValueError."""
    if not all(isinstance(band, Sequence) and len(band) == 2 for band in bands):
        raise ValueError(f"bands must be pairs of (low, high) in Hz, got {bands!r}: write ((500.0, 1000.0),)")
    if not bands:
        raise ValueError("bands must hold at least one (low, high) in Hz, got none")
    for low, high in bands:
        if not 0 < low < high < math.inf:
            raise ValueError(f"a demodulation band must be 0 < low < high in Hz, got ({low!r}, {high!r})")
    return tuple((float(low), float(high)) for low, high in bands)


def check_samples(x: npt.NDArray[np.generic], n_samples: int | None = None) -> SampleArray:
    """A batch of blocks (n, n_samples) of int16, int32 or float32, or ValueError. Never a copy."""
    array = np.asarray(x)
    if array.ndim != 2:
        raise ValueError(
            f"x must be a batch of blocks of shape (n, n_samples), got shape {array.shape}: "
            "write x[None, :] for a single block"
        )
    if n_samples is not None and array.shape[1] != n_samples:
        raise ValueError(
            f"x must hold blocks of {n_samples} samples, got {array.shape[1]}: "
            "an extractor serves one length; make another for this one"
        )
    if array.shape[1] < SHORTEST_BLOCK:
        raise ValueError(f"x must hold blocks of at least {SHORTEST_BLOCK} samples, got {array.shape[1]}")
    if array.dtype.newbyteorder("=") not in _SAMPLE_TYPES:
        raise ValueError(
            f"x must be int16, int32 or float32, got {array.dtype}: convert it with x.astype(np.float32)"
        )
    return array


def check_scale(scale: npt.ArrayLike, n: int) -> DoubleArray:
    """Unit per count of each block, (n,), positive: a sensor mounted the other way changes no level."""
    return np.abs(check_signed_scale(scale, n))


def check_signed_scale(scale: npt.ArrayLike, n: int) -> DoubleArray:
    """The same with the sign of the mounting, for the one level that has a sign: the mean."""
    array = per_window("scale", scale, n)
    wrong = ~np.isfinite(array) | (array == 0)
    if wrong.any():
        raise ValueError(
            f"scale must be finite and other than 0, got {array[wrong][0]:g}: it is the unit of one count"
        )
    return array


def check_speed(speed_hz: npt.ArrayLike | None, n: int) -> DoubleArray:
    """Speed of each block in Hz, (n,); NaN where it is unknown."""
    array = per_window("speed_hz", np.nan if speed_hz is None else speed_hz, n)
    wrong = np.isinf(array) | (array < 0)
    if wrong.any():
        raise ValueError(
            f"speed_hz must be 0 or more, and NaN where it is unknown, got {array[wrong][0]:g}: "
            "a direction has no meaning here, and nothing turns without end"
        )
    return array


def check_orders(orders: npt.ArrayLike | None, n: int) -> DoubleArray:
    """Defect orders of each block, (n, 4) in the order of `BEARING_DEFECTS`; NaN where they are unknown."""
    k = len(BEARING_DEFECTS)
    array = _numbers("orders", np.full(k, np.nan) if orders is None else orders)
    if array.shape not in ((k,), (n, k)):
        raise ValueError(
            f"orders must be ({n}, {k}), one row a block in the order {', '.join(BEARING_DEFECTS)}, "
            f"got shape {array.shape}"
        )
    wrong = np.isinf(array) | (array <= 0)
    if wrong.any():
        raise ValueError(f"orders must be above 0, and NaN where they are unknown, got {array[wrong][0]:g}")
    return np.broadcast_to(array, (n, k))


def check_sigma(sigma_hz: npt.ArrayLike | None, speed_hz: DoubleArray) -> DoubleArray:
    """Standard deviation of each speed in Hz, (n,); 0 where it was measured, or is unknown itself."""
    array = per_window("speed_sigma_hz", 0.0 if sigma_hz is None else sigma_hz, len(speed_hz))
    array = np.where(np.isnan(speed_hz) & np.isnan(array), 0.0, array)
    wrong = ~np.isfinite(array) | (array < 0)
    if wrong.any():
        raise ValueError(
            f"speed_sigma_hz must be finite and 0 or more where the speed is known, got {array[wrong][0]:g}: "
            "0 for a speed that was measured"
        )
    return array


def check_full_scale(full_scale: npt.ArrayLike | None, n: int) -> DoubleArray:
    """End of the range of each window's samples, (n,), in their unit; NaN where it is not known."""
    array = per_window("full_scale", np.nan if full_scale is None else full_scale, n)
    wrong = np.isinf(array) | (array <= 0)
    if wrong.any():
        raise ValueError(
            f"full_scale must be above 0, and NaN where the range is not known, got {array[wrong][0]:g}"
        )
    return array


def check_features(features: Iterable[str] | None, catalogue: tuple[str, ...]) -> tuple[str, ...]:
    """The features that are wanted, each once, or all; ValueError for a name that is not in the catalogue."""
    if features is None:
        return catalogue
    if isinstance(features, str):
        raise ValueError(
            f"features must be several names, got the one text {features!r}: write [{features!r}]"
        )
    wanted = tuple(features)
    unknown = [name for name in wanted if name not in catalogue]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        wrong = (
            f"unknown: {', '.join(map(repr, unknown))}"
            if unknown
            else "none"
            if not wanted
            else "twice the same"
        )
        raise ValueError(
            f"features must be names of the catalogue, each once, got {wrong}: see models.features.CATALOGUE"
        )
    return wanted


def per_window(name: str, value: npt.ArrayLike, n: int) -> DoubleArray:
    """One number for all windows or one for each, as (n,), or ValueError."""
    array = _numbers(name, value)
    if array.shape not in ((), (n,)):
        raise ValueError(
            f"{name} must be one number, or one for each of the {n} blocks, got shape {array.shape}"
        )
    return np.broadcast_to(array, (n,))


def _numbers(name: str, value: npt.ArrayLike) -> DoubleArray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r}: NaN where one is not known") from None
