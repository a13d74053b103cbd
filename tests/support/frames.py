"""Frames for property tests, and whether two are the same to the bit."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from palier.frames import (
    NAME_PATTERN,
    QUALITIES,
    SPECTRUM_KINDS,
    Clock,
    Features,
    Frame,
    Readings,
    Spectrum,
    Waveform,
)

START_NS = st.integers(1_577_836_800_000_000_000, 4_000_000_000_000_000_000)
NAMES = st.from_regex(NAME_PATTERN, fullmatch=True) | st.sampled_from(
    ["a" * 64, "H", "palier-CA", "...", "-"]
)
UNITS = st.sampled_from(["m/s²", "g", "°C", "r/min", "%", "unknown", "x" * 16, "€" * 16])
POSITIVE = st.floats(min_value=0.0, exclude_min=True, max_value=1e300)
SPEEDS = st.none() | st.floats(0.0, 1e6, width=32)
LOADS = st.none() | st.floats(-200.0, 200.0, width=32)


@st.composite
def waveforms(draw: st.DrawFn) -> Waveform:
    """Any waveform of up to 4 channels and 32 samples; speed and load are float32, as the wire has them."""
    n = draw(st.integers(1, 4))
    shape = (n, draw(st.integers(2, 32)))
    dtype = draw(st.sampled_from(["<i2", "<i4", "<f4"]))
    return Waveform(
        machine=draw(NAMES),
        point=draw(NAMES),
        channels=tuple(draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))),
        samples=draw(hnp.arrays(dtype, shape)),
        scale=tuple(draw(st.lists(POSITIVE, min_size=n, max_size=n))),
        unit=tuple(draw(st.lists(UNITS, min_size=n, max_size=n))),
        fs_hz=draw(st.floats(min_value=1e-3, max_value=1e7, exclude_max=True)),
        start_ns=draw(START_NS),
        clock=draw(st.sampled_from(Clock)),
        speed_rpm=draw(SPEEDS),
        load_percent=draw(LOADS),
        quality=tuple(draw(st.lists(st.sampled_from(QUALITIES), min_size=n, max_size=n))),
    )


@st.composite
def readings(draw: st.DrawFn) -> Readings:
    """Any table of up to 4 channels and 8 times; values may be NaN."""
    n = draw(st.integers(1, 4))
    channels = st.tuples(NAMES, NAMES).map("/".join)
    gaps = draw(st.lists(st.integers(1, 10**12), max_size=7))
    times = np.cumsum([draw(START_NS), *gaps]).astype("<i8")
    values = st.floats(allow_infinity=False)
    return Readings(
        machine=draw(NAMES),
        channels=tuple(draw(st.lists(channels, min_size=n, max_size=n, unique=True))),
        times_ns=times,
        values=draw(hnp.arrays("<f8", (n, times.size), elements=values)),
        unit=tuple(draw(st.lists(UNITS, min_size=n, max_size=n))),
        clock=draw(st.sampled_from(Clock)),
        quality=tuple(draw(st.lists(st.sampled_from(QUALITIES), min_size=n, max_size=n))),
    )


FEATURE_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)
NUMBERS = st.floats(allow_infinity=False, width=32)


@st.composite
def spectra(draw: st.DrawFn, channel: str, kind: str) -> Spectrum:
    """A spectrum of up to 8 lines."""
    n = draw(st.integers(1, 8))
    frequency = sorted(draw(st.lists(st.integers(0, 20_000), min_size=n, max_size=n, unique=True)))
    heights = st.floats(0.0, 1e6, width=32)
    return Spectrum(channel, kind, np.array(frequency, "<f4"), draw(hnp.arrays("<f4", n, elements=heights)))


@st.composite
def features(draw: st.DrawFn) -> Features:
    """Any features of up to 4 channels and 8 names, with up to 3 spectra."""
    n = draw(st.integers(1, 4))
    channels = tuple(draw(st.lists(NAMES, min_size=n, max_size=n, unique=True)))
    names = tuple(draw(st.lists(FEATURE_NAMES, min_size=1, max_size=8, unique=True)))
    drawn = st.tuples(st.sampled_from(channels), st.sampled_from(SPECTRUM_KINDS))
    return Features(
        machine=draw(NAMES),
        point=draw(NAMES),
        channels=channels,
        names=names,
        values=draw(hnp.arrays("<f4", (n, len(names)), elements=NUMBERS)),
        unit=tuple(draw(st.lists(UNITS, min_size=n, max_size=n))),
        fs_hz=draw(st.floats(min_value=1e-3, max_value=1e7, exclude_max=True)),
        n_samples=draw(st.integers(2, 1_000_000)),
        start_ns=draw(START_NS),
        clock=draw(st.sampled_from(Clock)),
        speed_rpm=draw(SPEEDS),
        load_percent=draw(LOADS),
        quality=tuple(draw(st.lists(st.sampled_from(QUALITIES), min_size=n, max_size=n))),
        step=tuple(draw(st.lists(st.just(0.0) | POSITIVE, min_size=n, max_size=n))),
        whole=tuple(draw(st.lists(st.booleans(), min_size=n, max_size=n))),
        spectra=tuple(draw(spectra(*of)) for of in draw(st.lists(drawn, max_size=3, unique=True))),
    )


def frames() -> st.SearchStrategy[Frame]:
    """Any frame."""
    return st.one_of(waveforms(), readings(), features())


def frame_equal(left: Frame, right: Frame) -> bool:
    """Whether two frames are the same, NaN for NaN."""
    if type(left) is not type(right):
        return False
    return all(_same(getattr(left, name), getattr(right, name)) for name in left.__slots__)


def _same(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, Spectrum) and isinstance(right, Spectrum):
        return all(_same(getattr(left, name), getattr(right, name)) for name in Spectrum.__slots__)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return left == right
