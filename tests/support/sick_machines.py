"""Machines that show exactly one fault: signals with known lines and noise, through the real extractor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from models.detection.zones import LimitKind, LimitSet
from models.diagnosis import ChannelEvidence, Events, Evidence, PointEvidence
from models.features import Extractor
from models.features.kinematics import Kinematics
from models.types import Bearing, ChannelSpec, MachineSpec, PointSpec, Quantity

Floats = npt.NDArray[np.float64]

FS_HZ = 25_600.0
SPEED_HZ = 24.7
BEARING = Bearing("6205", 3.585, 5.415, 2.357, 0.398, source="geometry")
LIMITS = LimitSet(
    id="iso20816-3:g2:rigid",
    standard="ISO 20816-3",
    edition="2022",
    source="test",
    verified_by="none",
    quantity="velocity_rms_mm_s",
    kind=LimitKind.ZONES,
    values=(1.4, 2.8, 4.5),
)


@dataclass(frozen=True)
class Signal:
    """What a direction feels: lines (Hz: mm/s RMS), noise bands (low, high, m/s² RMS), shocks (Hz, m/s²)."""

    lines: Mapping[float, float] = field(default_factory=dict)
    bands: Sequence[tuple[float, float, float]] = ((5.0, 10_000.0, 0.3),)
    shocks: tuple[float, float] | None = None
    mesh: tuple[float, float, float] | None = None  # frequency, m/s² RMS, depth of modulation by the shaft
    hum: tuple[float, float] | None = None  # 1.3-4.5 kHz noise, m/s² RMS, that swells so many times a second

    def __add__(self, other: Signal) -> Signal:
        return Signal(
            {**self.lines, **other.lines},
            (*self.bands, *other.bands),
            other.shocks or self.shocks,
            other.mesh or self.mesh,
            other.hum or self.hum,
        )

    def samples(self, n: int, seed: int, speed_hz: float) -> npt.NDArray[np.float32]:
        """One window in m/s²."""
        rng = np.random.default_rng(seed)
        t = np.arange(n) / FS_HZ
        x = np.zeros(n)
        for hz, mm_s in self.lines.items():
            w = 2 * np.pi * hz
            x += np.sqrt(2) * mm_s * 1e-3 * w * np.cos(w * t + rng.uniform(0, 6))
        for low, high, rms in self.bands:
            x += rms * _noise(low, high, n, rng)
        if self.hum is not None:
            rms, rate = self.hum
            swell = sum(np.cos(2 * np.pi * k * rate * t + k * k) for k in range(1, 6))
            x += rms * _noise(1300.0, 4500.0, n, rng) * (1 + 0.18 * swell)
        if self.mesh is not None:
            hz, rms, depth = self.mesh
            carrier = rms * np.sqrt(2) * np.cos(2 * np.pi * hz * t)
            x += carrier * (1 + depth * np.cos(2 * np.pi * speed_hz * t))
        if self.shocks is not None:
            rate, peak = self.shocks
            since = t % (1 / rate)
            x += peak * np.exp(-since * 600) * np.sin(2 * np.pi * 3800 * since)
        return x.astype(np.float32)


def _noise(low: float, high: float, n: int, rng: np.random.Generator) -> Floats:
    """Gaussian noise of one band, (n,), RMS 1."""
    lines = np.fft.rfft(rng.standard_normal(n))
    f = np.fft.rfftfreq(n, 1 / FS_HZ)
    noise: Floats = np.fft.irfft(np.where((f >= low) & (f < high), lines, 0), n)
    return noise / noise.std()


def shaft(one: float, two: float = 0.1, three: float = 0.05, *, speed_hz: float = SPEED_HZ) -> Signal:
    """Lines at 1x, 2x and 3x of the shaft over a light noise."""
    return Signal({speed_hz: one, 2 * speed_hz: two, 3 * speed_hz: three})


SOUND: Mapping[str, Signal] = {"H": shaft(0.8), "V": shaft(0.7), "A": shaft(0.2)}
"""A machine in good order: zone A, 1x mostly."""


def machine(kind: str = "machine", **parts: object) -> MachineSpec:
    """A machine with one point of three directions and a known bearing."""
    channels = tuple(
        ChannelSpec(f"{d.lower()}", Quantity.ACCELERATION, "m/s²", d, FS_HZ, 25_600) for d in "HVA"
    )
    point = PointSpec("DE", channels, bearing=BEARING)
    spec = MachineSpec("M-1", (point,), kind=kind, speed_rpm=60 * SPEED_HZ, speed_source="fixed")
    return replace(spec, **parts)  # type: ignore[arg-type]


@cache
def _extractor(n_samples: int) -> Extractor:
    return Extractor(FS_HZ, n_samples)


_TABLES: dict[str, Floats] = {}
"""Sound machines are asked for again and again."""


def table(
    signals: Sequence[Signal],
    *,
    seconds: float = 1.0,
    seed: int = 1,
    speed_hz: float = SPEED_HZ,
    kinematics: Kinematics | None = None,
) -> Floats:
    """Features (n_blocks, n_features) of one window of each signal."""
    key = repr((signals, seconds, seed, speed_hz, kinematics))
    if key in _TABLES:
        return _TABLES[key]
    n = int(seconds * FS_HZ)
    x = np.stack([s.samples(n, seed + 97 * k, speed_hz) for k, s in enumerate(signals)])
    rows = _extractor(n).extract(x, speed_hz=speed_hz, orders=BEARING.orders, kinematics=kinematics)
    _TABLES[key] = rows.astype(np.float64)
    return _TABLES[key]


def observed(
    now: Mapping[str, Signal],
    before: Mapping[str, Signal] | None = SOUND,
    *,
    blocks: int = 3,
    seconds: float = 1.0,
    kinematics: Kinematics | None = None,
    limits: LimitSet | None = LIMITS,
    residual_k: float = np.nan,
    load: float = np.nan,
    known_speed: bool = True,
    speed_hz: float = SPEED_HZ,
) -> Evidence:
    """Evidence of one point whose directions feel `now`, with a baseline learned from `before` (or none)."""
    names = _extractor(int(seconds * FS_HZ)).names
    channels = []
    for k, (direction, signal) in enumerate(now.items()):
        make = {"seconds": seconds, "kinematics": kinematics, "speed_hz": speed_hz}
        rows = table([signal] * blocks, seed=11 + k, **make)  # type: ignore[arg-type]
        expected = None
        if before is not None:
            learned = [before[direction]] * 2
            expected = table(learned, seed=1000 + k, **make).mean(axis=0)  # type: ignore[arg-type]
        channels.append(
            ChannelEvidence.of_table(
                direction.lower() or "x", names, rows, direction=direction, expected=expected, limits=limits
            )
        )
    point = PointEvidence("DE", tuple(channels), residual_k=np.full(blocks, residual_k))
    return Evidence(
        (point,),
        blocks,
        hours=np.arange(blocks) / 6,
        speed_hz=np.full(blocks, speed_hz if known_speed else np.nan),
        load=np.full(blocks, load),
        events=Events(),
    )


LEVELS = ("velocity_rms_mm_s", "velocity_rms_low_mm_s", "order_1x_mm_s")
"""What follows 1x where nothing else shakes."""


def history(
    hours: Floats,
    factors: Mapping[str, Floats],
    *,
    speed_hz: Floats | None = None,
    events: Events | None = None,
) -> Evidence:
    """A sound machine of many blocks, some features so many times what they were, with 2 % of jitter."""
    sound, rng = observed(SOUND, SOUND, blocks=1), np.random.default_rng(3)
    n = len(hours)

    def over_time(series: Mapping[str, Floats]) -> dict[str, Floats]:
        jitter = {name: 1 + 0.02 * rng.standard_normal(n) for name in series}
        return {name: np.repeat(v, n) * factors.get(name, 1.0) * jitter[name] for name, v in series.items()}

    channels = tuple(
        replace(c, features=over_time(c.features), ratios=over_time(c.ratios))
        for c in sound.points[0].channels
    )
    return Evidence(
        (PointEvidence("DE", channels),),
        n,
        hours=hours,
        speed_hz=np.full(n, SPEED_HZ) if speed_hz is None else speed_hz,
        events=events or Events(),
    )


def of_1x(factor: Floats) -> dict[str, Floats]:
    """1x and the velocity, so many times what they were."""
    return dict.fromkeys(LEVELS, factor)
