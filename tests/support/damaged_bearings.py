"""Vibration of damaged bearings, for tests of what names the damage: shocks that ring a housing, in noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FS_HZ, N_SAMPLES, SPEED_HZ = 25_600.0, 102_400, 24.7
ORDERS = (3.585, 5.415, 2.357, 0.398)
"""Of a 6205."""

RINGS_HZ, DAMPING = 4200.0, 0.03

Floats = npt.NDArray[np.float64]

_t = np.arange(256) / FS_HZ
_RESPONSE = np.exp(-2 * np.pi * RINGS_HZ * DAMPING * _t) * np.sin(2 * np.pi * RINGS_HZ * _t)


def ringing(times_s: Floats, heights: npt.ArrayLike = 1.0) -> Floats:
    """(N_SAMPLES,) of shocks at `times_s`, whose heights are those of their first half wave, nearly."""
    train = np.zeros(N_SAMPLES)
    at = (times_s * FS_HZ).astype(int)
    inside = at < N_SAMPLES
    np.add.at(train, at[inside], np.broadcast_to(heights, times_s.shape)[inside])
    return np.asarray(np.convolve(train, _RESPONSE)[:N_SAMPLES])


def shocks(order: float, rng: np.random.Generator, jitter: float = 0.008) -> Floats:
    """Moments in s of shocks at `order` turns; their intervals vary at random, as a slipping bearing's do."""
    hz = order * SPEED_HZ
    count = int(hz * N_SAMPLES / FS_HZ * 1.1)
    return np.asarray(np.cumsum((1 + jitter * rng.standard_normal(count)) / hz))


def damaged(part: str, height: float, rng: np.random.Generator, slip: float = 0.0) -> npt.NDArray[np.float32]:
    """(1, N_SAMPLES) of a damaged "outer", "inner" or "element", in noise of deviation 1.

    The inner ring's shocks come and go with the shaft, which carries it through the load, those of an element
    with the cage.
    """
    order, modulated = {
        "outer": (ORDERS[0], 0.0),
        "inner": (ORDERS[1], 1.0),
        "element": (2 * ORDERS[2], ORDERS[3]),
    }[part]
    times = shocks(order * (1 + slip), rng)
    load = (
        np.maximum(1 + 0.8 * np.cos(2 * np.pi * modulated * SPEED_HZ * times), 0) / 1.8 if modulated else 1.0
    )
    return in_noise(ringing(times, height * load), rng)


def in_noise(x: Floats, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(1, N_SAMPLES) with noise of deviation 1."""
    return (x + rng.standard_normal(N_SAMPLES))[None, :].astype(np.float32)
