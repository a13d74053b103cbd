"""The time-synchronous average: what repeats with every turn of one shaft, and nothing else.

Turns of the angle-resampled block are averaged tooth by tooth: what belongs to the shaft adds up, noise and
other shafts fall with √turns. Taking the mesh and its sidebands out of the average of a gear leaves what one
single tooth does. Source: McFadden, MSSP 1 (1987) 83-95; FM4: Stewart 1977, Zakrajsek et al., NASA TM-105950.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from .gate import DoubleArray, FloatArray
from .orders import resample

TURNS: Final = 40
"""Fewest turns that are averaged: noise and other shafts are down to a sixth."""

SIDEBANDS: Final = 2
"""Sidebands left out with each mesh harmonic: eccentricity and run-out of a healthy wheel live there."""


def synchronous_average(
    x: npt.NDArray[np.generic],
    fs_hz: float,
    speed_hz: npt.ArrayLike,
    *,
    max_order: float,
    at_s: npt.ArrayLike | None = None,
    scale: npt.ArrayLike = 1.0,
) -> FloatArray:
    """One mean turn (n, per_turn) of the shaft that turns at `speed_hz`, in samples · `scale`.

    For another shaft multiply the speed by its order; `max_order` counts in turns of the shaft averaged, four
    or five times the teeth of its gear. It begins at any angle, 10 periods of the highest order after the
    block does. The speed must come from a tacho or a phase: 0.1 % beside, 40 turns of 25 teeth are one tooth
    out. Arguments, NaN rows and errors are those of `resample_to_angle`, with at least 40 turns in a block.
    """
    angles = resample(
        x, fs_hz, speed_hz, max_order=max_order, at_s=at_s, turns=None, scale=scale, fewest=TURNS
    )
    average: FloatArray = angles.mean(axis=1)
    return average


def gear_residual(average: npt.ArrayLike, teeth: npt.ArrayLike) -> FloatArray:
    """What is left (n, m) of average turns (n, m) without the mesh: its harmonics and two sidebands each.

    `teeth` is the mesh order of the shaft's gear, or of each of its gears. The first two orders of the shaft
    and the mean go too. NaN rows stay NaN. Raises ValueError where `teeth` are not whole numbers, so few that
    nothing would be left, or above what the average holds.
    """
    turns = np.asarray(average, dtype=np.float32)
    if turns.ndim != 2:
        raise ValueError(
            f"average must be a batch of turns (n, m), got shape {turns.shape}: write average[None, :]"
        )
    meshes = _check_teeth(teeth, turns.shape[1] // 2)
    lines = scipy.fft.rfft(turns, axis=1)
    order = np.arange(lines.shape[1])
    for mesh in meshes:
        beside = np.abs(order - np.rint(order / mesh) * mesh)
        lines[:, beside <= SIDEBANDS] = 0
    residual: FloatArray = scipy.fft.irfft(lines, n=turns.shape[1], axis=1)
    residual[np.isnan(turns).any(axis=1)] = np.nan
    return residual


def fm4(residual: npt.ArrayLike) -> DoubleArray:
    """Kurtosis (n,) of gear residuals (n, m): 3 for a healthy gear, above 5 where one tooth is cracked.

    m4 / m2² about the mean of the turn. NaN where a residual is constant or not finite. A shock from outside
    raises it too, in one block; a crack does so in every block, at the same tooth.
    """
    d = np.asarray(residual, dtype=np.float64)
    if d.ndim != 2 or not d.shape[1]:
        raise ValueError(f"residual must be a batch of turns (n, m), got shape {d.shape}")
    low = d.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        d = (d - low) / (d.max(axis=1, keepdims=True) - low)  # whatever the unit, a rounded constant is none
        d -= d.mean(axis=1, keepdims=True)
    square = d * d
    kurtosis: DoubleArray = (square * square).mean(axis=1) / square.mean(axis=1) ** 2
    return kurtosis


def _check_teeth(teeth: npt.ArrayLike, highest: int) -> list[int]:
    meshes = np.atleast_1d(np.asarray(teeth, dtype=np.float64))
    fewest = 2 * SIDEBANDS + 2
    if meshes.ndim != 1 or not meshes.size or not (np.isfinite(meshes) & (meshes == np.rint(meshes))).all():
        raise ValueError(f"teeth must be a whole number, or several of one shaft, got {teeth!r}")
    if (meshes < fewest).any() or (meshes > highest).any():
        raise ValueError(
            f"teeth must be from {fewest} to {highest}, the highest order of the average, got {teeth!r}"
        )
    return [int(mesh) for mesh in meshes]
