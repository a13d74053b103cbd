"""Blocks of which a gateway sent the features and kept the samples: what of them is believed. Pure.

1. Numbers that no block has are refused, and the frame is put aside: a negative level, a peak below the RMS,
   a band above what the rate can hold, less velocity than the acceleration of a band makes. So is what leaves
   out the numbers that tell what a sensor is worth: a dead one must not look like a healthy machine.
2. Names that this catalogue does not have are left out, for a younger gateway may know more; those that are
   not told are not known.
3. A gateway knows neither bearing nor gears nor the speed of each shaft: lines of the shaft are believed
   where the point's own shaft turns at the speed that the gateway looked at; all others wait for the
   waveform.
4. Where the gateway does not know the unit, what the plant says makes the levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.features.catalogue import CATALOGUE, NAMES
from models.types import M_S2_PER_UNIT
from palier.frames import MAX_FRAME_BYTES, Features
from palier.wire.payload import Reason

from .quarantine import Problem

SIGNED: Final = frozenset({"mean_m_s2", "skewness", "ski_slope", "cepstrum_driving", "cepstrum_driven"})
"""What may be below 0; nothing else of the catalogue can."""

MOST_SAMPLES: Final = MAX_FRAME_BYTES // 2
"""The longest block that could ever follow as a waveform: one channel of int16."""

ROUNDING: Final = 1e-3
"""Relative slack where two features of one block are compared: they are rounded to float32 each."""

SAME_SPEED: Final = 1e-6
"""Relative difference of two speeds that are the same number, once rounded to float32 on the way."""

_PLACE: Final = {name: i for i, name in enumerate(NAMES)}
_DEGREE: Final = np.array([spec.degree for spec in CATALOGUE])
_FREE: Final = np.array([not spec.needs for spec in CATALOGUE])
_OF_SHAFT: Final = np.array([spec.needs == ("speed",) for spec in CATALOGUE])
_OF_GEARS: Final = np.array([spec.name == "cepstrum_driving" for spec in CATALOGUE])
"""With a gear it is of the driving shaft, else of the point's own."""

_LOW_HZ: Final = np.array([0.0 if spec.band is None else spec.band[0] for spec in CATALOGUE])
_UNSIGNED: Final = np.array([name not in SIGNED for name in NAMES])
_RMS, _PEAK, _SPAN, _MEAN = (
    _PLACE[name]
    for name in ("acceleration_rms_m_s2", "acceleration_peak_m_s2", "peak_to_peak_m_s2", "mean_m_s2")
)

_VITAL: Final = [_RMS, _PEAK, _SPAN, _MEAN, _PLACE["clipped_fraction"], _PLACE["longest_hold"]]
"""What is known of any samples, and what the health of a sensor stands on."""

_VELOCITY: Final = _PLACE["velocity_rms_mm_s"]
_IN_VELOCITY: Final = [
    (_PLACE[spec.name], spec.band[1])
    for spec in CATALOGUE
    if spec.name.startswith("band_") and spec.band is not None and spec.band[0] >= 10 and spec.band[1] <= 1000
]
"""Bands of acceleration inside that of the velocity, each with its upper end in Hz."""

Floats = npt.NDArray[np.float32]


class _Columns(NamedTuple):
    """Where known names of a frame stand, in it and in the catalogue."""

    told: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]


def table_of(frame: Features) -> Floats:
    """All features of the frame's channels (n_channels, len(CATALOGUE)), NaN where it tells none."""
    columns = _columns(frame.names)
    table = np.full((len(frame.channels), len(NAMES)), np.nan, dtype=np.float32)
    table[:, columns.place] = frame.values[:, columns.told]
    return table


def problem_of(frame: Features) -> Problem | None:
    """Why these can't be the features of any block; None where they can."""
    if not len(_columns(frame.names).place):
        return Problem(Reason.SCHEMA, "a frame of features must name some of the catalogue's, it names none")
    if frame.n_samples > MOST_SAMPLES:
        return Problem(
            Reason.RANGE,
            f"a block must have at most {MOST_SAMPLES} samples, or its waveform could never follow, got "
            f"{frame.n_samples}",
        )
    table = table_of(frame)
    wrong = (
        _first("must be 0 or more", (table < 0) & _UNSIGNED)
        or _first(
            f"can't be known at {frame.fs_hz:g} samples a second",
            (frame.fs_hz / 2 <= _LOW_HZ) & np.isfinite(table),
        )
        or _unlike_a_block(table)
    )
    return None if wrong is None else Problem(Reason.RANGE, wrong)


def believed(
    table: Floats,
    frame: Features,
    *,
    shaft_hz: float | None,
    has_gears: bool,
    units: Sequence[str],
) -> Floats:
    """What of a frame's table is believed at its point, in the units of the catalogue."""
    keep = _FREE | (_OF_SHAFT & _turns_so(frame, shaft_hz))
    if has_gears:
        keep = keep & ~_OF_GEARS
    table = np.where(keep, table, np.float32(np.nan))
    for c, unit in enumerate(units):
        factor = M_S2_PER_UNIT.get(unit, 1.0)
        if factor != 1.0 and frame.unit[c] not in M_S2_PER_UNIT:
            with np.errstate(over="ignore"):
                table[c] = table[c] * factor**_DEGREE
    return table


def largest(frame: Features) -> npt.NDArray[np.float64]:
    """The least that the largest absolute sample of each channel may have been, in m/s²; NaN where unknown.

    Of a block's mean, its peak about the mean and its span it is not known which way the peak went.
    """
    table = table_of(frame).astype(np.float64)
    mean, peak, span = table[:, _MEAN], table[:, _PEAK], table[:, _SPAN]
    up = np.maximum(np.abs(mean + peak), np.abs(mean + peak - span))
    down = np.maximum(np.abs(mean - peak), np.abs(mean - peak + span))
    return np.asarray(np.minimum(up, down), dtype=np.float64)


@lru_cache(maxsize=64)  # gateways of a plant have a few versions; a stranger's inventions push each other out
def _columns(names: tuple[str, ...]) -> _Columns:
    known = [(i, _PLACE[name]) for i, name in enumerate(names) if name in _PLACE]
    told, place = (np.array([pair[k] for pair in known], dtype=np.intp) for k in (0, 1))
    return _Columns(told, place)


def _turns_so(frame: Features, shaft_hz: float | None) -> bool:
    """Whether the gateway looked for the lines of the point's own shaft."""
    if not shaft_hz or not frame.speed_rpm:
        return False
    return abs(frame.speed_rpm / 60 - shaft_hz) <= SAME_SPEED * shaft_hz


def _first(what: str, wrong: npt.NDArray[np.bool_]) -> str | None:
    """The sentence of the first feature that is wrong."""
    places = np.flatnonzero(wrong.any(axis=0))
    return f"{NAMES[places[0]]} {what}" if len(places) else None


def _unlike_a_block(table: Floats) -> str | None:
    """Whether the health of each channel that is told of can be known, RMS, peak and span rise in this order,
    and the velocity is at least what each band of acceleration makes at its upper end (NaN says nothing).
    """
    known = np.isfinite(table).any(axis=1)
    if np.isnan(table[known][:, _VITAL]).any():
        return (
            f"{', '.join(NAMES[i] for i in _VITAL)} must be told of each channel of which anything is known"
        )
    rms, peak, span = (table[:, place].astype(np.float64) for place in (_RMS, _PEAK, _SPAN))
    if (rms > peak * (1 + ROUNDING)).any() or (peak > span * (1 + ROUNDING)).any():
        return "RMS, peak and peak-to-peak of a block must rise in this order, they do not"
    for place, high_hz in _IN_VELOCITY:
        least = table[:, place].astype(np.float64) * 1000 / (2 * np.pi * high_hz)
        if (table[:, _VELOCITY] * (1 + ROUNDING) < least).any():
            return f"{NAMES[_VELOCITY]} is less than {NAMES[place]} alone makes"
    return None
