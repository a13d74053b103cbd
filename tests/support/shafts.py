"""Vibration of shafts in noise, for tests of what looks for their speed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

COMB = ((1.0, 0.3), (2.0, 0.2), (3.0, 0.15), (4.0, 0.1))
"""(order, amplitude) of the first four harmonics of an ordinary machine, for noise of deviation 1."""


def shaft(
    rng: np.random.Generator,
    speed_hz: float,
    fs_hz: float,
    n_samples: int,
    *,
    lines: Sequence[tuple[float, float]] = COMB,
    hum_hz: float = 0.0,
    noise: float = 1.0,
    drift: float = 0.0,
) -> FloatArray:
    """Lines at orders of a speed whose mean is `speed_hz`; it rises by the share `drift` over the block.

    A hum of amplitude 1 is added at `hum_hz`.
    """
    t = np.arange(n_samples) / fs_hz
    seconds = n_samples / fs_hz
    turns = speed_hz * (t + drift * (t * t / seconds - t) / 2)
    x = rng.normal(0.0, noise, n_samples)
    for order, amplitude in lines:
        x += amplitude * np.sin(2 * np.pi * (order * turns + rng.uniform()))
    if hum_hz:
        x += np.sin(2 * np.pi * hum_hz * t)
    return np.asarray(x, dtype=np.float32)


def shafts(
    seed: int,
    speeds_hz: npt.NDArray[np.float64],
    fs_hz: float,
    n_samples: int,
    *,
    lines: Sequence[tuple[float, float]] = COMB,
    hum_hz: float = 0.0,
    noise: float = 1.0,
    drift: float = 0.0,
) -> FloatArray:
    """A batch (n, n_samples) of them, one a speed."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            shaft(rng, f, fs_hz, n_samples, lines=lines, hum_hz=hum_hz, noise=noise, drift=drift)
            for f in speeds_hz.tolist()
        ]
    )
