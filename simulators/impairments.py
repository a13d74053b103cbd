"""What goes wrong with sensors and gateways: it changes what is told, never what the machine does.

An impairment is a kind, a place, a time and an amount; each works on the waves before the converter, on the
counts behind it, on a slow value, or on whether a frame comes at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.types import Quantity

from .draws import generator, key_of, uniform
from .machines.shaft import Singles
from .machines.structure import loosened
from .sensors import FULL_SCALE_COUNTS, Accelerometer


class ImpairmentKind(StrEnum):
    """What can be wrong between a machine and the historian."""

    STUCK = "stuck"
    CLIPPING = "clipping"
    DROPOUTS = "dropouts"
    GAPS = "gaps"
    LOOSE_MOUNT = "loose_mount"
    SKI_SLOPE = "ski_slope"
    OFFSET_DRIFT = "offset_drift"
    CLOCK_DRIFT = "clock_drift"
    PICK_UP = "pick_up"
    SPIKES = "spikes"
    NOISE = "noise"
    TEMPERATURE_OPEN = "temperature_open"
    TEMPERATURE_SHORT = "temperature_short"
    TEMPERATURE_STUCK = "temperature_stuck"
    POWER_CUT = "power_cut"


class Amount(NamedTuple):
    """How much of an impairment: the usual amount, what it means, and within which bounds it means that."""

    usual: float
    meaning: str
    low: float
    high: float


AMOUNTS: Final = {
    ImpairmentKind.STUCK: Amount(
        0.0, "counts at which the converter stands", -FULL_SCALE_COUNTS, FULL_SCALE_COUNTS
    ),
    ImpairmentKind.CLIPPING: Amount(0.3, "range left, in g", 0.001, 100.0),
    ImpairmentKind.DROPOUTS: Amount(0.001, "share of the frames that are lost", 0.0, 1.0),
    ImpairmentKind.GAPS: Amount(0.05, "share of the samples that repeat the last one", 0.0, 1.0),
    ImpairmentKind.LOOSE_MOUNT: Amount(1.0, "0 tight to 1 loose", 0.0, 1.0),
    ImpairmentKind.SKI_SLOPE: Amount(6.0, "m/s² by which a blow throws the amplifier off", -500.0, 500.0),
    ImpairmentKind.OFFSET_DRIFT: Amount(0.5, "m/s² a day", -500.0, 500.0),
    ImpairmentKind.CLOCK_DRIFT: Amount(50.0, "ppm by which the sampling clock is fast", -10_000.0, 10_000.0),
    ImpairmentKind.PICK_UP: Amount(1.5, "m/s² RMS at 50 Hz", 0.0, 500.0),
    ImpairmentKind.SPIKES: Amount(4.0, "spikes a second", 0.0, 1000.0),
    ImpairmentKind.NOISE: Amount(1500.0, "noise floor, µg/√Hz", 0.0, 1e6),
    ImpairmentKind.TEMPERATURE_OPEN: Amount(850.0, "°C at the end of the range", -300.0, 2000.0),
    ImpairmentKind.TEMPERATURE_SHORT: Amount(-200.0, "°C at the start of the range", -300.0, 2000.0),
    ImpairmentKind.TEMPERATURE_STUCK: Amount(24.0, "°C that never moves", -300.0, 2000.0),
    ImpairmentKind.POWER_CUT: Amount(0.0, "nothing: no frame comes", 0.0, 0.0),
}
"""Of each kind."""

TEMPERATURES: Final = frozenset(
    {
        ImpairmentKind.TEMPERATURE_OPEN,
        ImpairmentKind.TEMPERATURE_SHORT,
        ImpairmentKind.TEMPERATURE_STUCK,
    }
)

FRAME_KINDS: Final = frozenset({ImpairmentKind.DROPOUTS, ImpairmentKind.POWER_CUT})
"""What takes whole frames, whatever is in them."""

PICK_UP_SHARES: Final = ((1, 1.0), (3, 0.35), (5, 0.2), (7, 0.1))
"""The mains and its odd harmonics, as they come in through a shield that is earthed at both ends."""

SPIKE_HEIGHT: Final = 25.0
"""Standard deviations of a spike: what a contactor or a drive's cable couples in stands far above noise."""

SETTLING_S: Final = 0.35
"""Time constant of an amplifier that recovers from a blow or from being switched on."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """One of them at a point ("" all) and channel ("" all) of a machine, from when to when."""

    kind: ImpairmentKind
    amount: float
    start_s: float = -math.inf
    end_s: float = math.inf
    point: str = ""
    channel: str = ""

    def acts(self, seconds: float, point: str, channel: str = "") -> bool:
        """Whether it acts there and then."""
        here = self.point in ("", point) and (not channel or self.channel in ("", channel))
        return here and self.start_s <= seconds < self.end_s


@dataclass(frozen=True, slots=True)
class Taken:
    """What a block's channels are sampled with: the sensor of each, the clock, and what acts on each."""

    sensor: Accelerometer
    fs_hz: float
    end_s: float
    key: int


def lost(impairments: Sequence[Impairment], point: str, seconds: float, key: int) -> bool:
    """Whether a frame never comes: the power is cut, or the message is lost."""
    for one in impairments:
        if not one.acts(seconds, point):
            continue
        if one.kind is ImpairmentKind.POWER_CUT:
            return True
        chance = one.amount if one.kind is ImpairmentKind.DROPOUTS else 0.0
        if chance and uniform(key_of(key, "lost", point, round(seconds * 1e6))) < chance:
            return True
    return False


def sampling_hz(impairments: Sequence[Impairment], point: str, seconds: float, fs_hz: float) -> float:
    """The rate at which is sampled in truth, where `fs_hz` is what the gateway believes."""
    for one in impairments:
        if one.kind is ImpairmentKind.CLOCK_DRIFT and one.acts(seconds, point):
            fs_hz *= 1 + one.amount * 1e-6
    return fs_hz


def sample(wave: Singles, acting: Sequence[Impairment], taken: Taken) -> npt.NDArray[np.int16]:
    """The counts (n,) of one channel that feels `wave` (n,) m/s², through all that acts on it."""
    rng = generator(taken.key)
    sensor, felt = taken.sensor, wave
    for one in acting:
        felt = _before(one, felt, taken, rng)
        if one.kind is ImpairmentKind.NOISE:
            sensor = replace(sensor, noise_ug=one.amount)
    counts = sensor.sample(felt, taken.fs_hz, rng)
    for one in acting:
        counts = _behind(one, counts, sensor, rng)
    return counts


def _before(one: Impairment, wave: Singles, taken: Taken, rng: np.random.Generator) -> Singles:
    """What an impairment makes of the wave before the converter."""
    n, fs_hz = wave.size, taken.fs_hz
    match one.kind:
        case ImpairmentKind.LOOSE_MOUNT:
            lines = np.fft.rfft(wave) * loosened(n, fs_hz, one.amount)
            return np.asarray(np.fft.irfft(lines, n), dtype=np.float32)
        case ImpairmentKind.SKI_SLOPE:
            struck = n * rng.uniform(0.1, 0.5)
            since = (np.arange(n, dtype=np.float32) - np.float32(struck)) / np.float32(SETTLING_S * fs_hz)
            tail = np.where(since >= 0, np.exp(-np.maximum(since, 0)), np.float32(0))
            return np.asarray(wave + np.float32(one.amount) * tail)
        case ImpairmentKind.OFFSET_DRIFT:
            days = (taken.end_s - one.start_s) / 86400 if math.isfinite(one.start_s) else 1.0
            return wave + np.float32(one.amount * days)
        case ImpairmentKind.PICK_UP:
            turns = np.arange(n) * (50.0 / fs_hz) + rng.uniform()
            shares = ((k, share * one.amount * math.sqrt(2)) for k, share in PICK_UP_SHARES)
            hum = sum(peak * np.sin(2 * math.pi * k * turns) for k, peak in shares)
            return np.asarray(wave + hum, dtype=np.float32)
        case ImpairmentKind.SPIKES:
            spiked = wave.copy()
            places = rng.integers(0, n, rng.poisson(one.amount * n / fs_hz))
            spiked[places] += np.float32(SPIKE_HEIGHT) * wave.std() * rng.choice((-1.0, 1.0), places.size)
            return spiked
        case _:
            return wave


def _behind(
    one: Impairment, counts: npt.NDArray[np.int16], sensor: Accelerometer, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """What an impairment makes of the counts."""
    match one.kind:
        case ImpairmentKind.STUCK:
            return np.full_like(counts, round(one.amount))
        case ImpairmentKind.CLIPPING:
            # The amplifier before the converter runs into its supply, whatever the converter's range.
            top = max(1, round(one.amount / sensor.range_g * FULL_SCALE_COUNTS))
            return np.clip(counts, -top, top)
        case ImpairmentKind.GAPS:
            return _held(counts, one.amount, rng)
        case _:
            return counts


def _held(counts: npt.NDArray[np.int16], share: float, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Stretches of samples that repeat the last one before them."""
    length = max(2, counts.size // 200)
    out = counts.copy()
    for start in rng.integers(1, counts.size, max(1, round(share * counts.size / length))):
        out[start : start + length] = out[start - 1]
    return out


def told(value: float, quantity: Quantity, acting: Sequence[Impairment]) -> float:
    """What a transmitter tells of a slow value."""
    if quantity is not Quantity.TEMPERATURE:
        return value
    return next((one.amount for one in acting if one.kind in TEMPERATURES), value)
