"""Whether blocks may be judged at all: the health of their sensors, for a whole batch.

A sensor's fault must never look like a machine's, nor like a healthy one. What can't be known of a block is
not judged. *Refused* is a block whose levels are false; *degraded* one whose levels can still be judged, with
something about it that a technician should see to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features.bands import LEVEL_BANDS_HZ, SHAFT_ORDERS, SLOW_BELOW_HZ
from models.features.gate import SHORTEST_BLOCK, DoubleArray
from models.types import STANDARD_GRAVITY_M_S2, Refusal

from .zones import BLOCK_TOO_SHORT, NOT_FINITE

Flags = npt.NDArray[np.bool_]


class Verdict(StrEnum):
    """What is said of a block before anything else is."""

    OK = "ok"
    DEGRADED = "degraded"
    REFUSED = "refused"


BAD_QUALITY: Final = Refusal("bad_quality", "check_sensor")
STUCK: Final = Refusal("stuck", "check_sensor")
DEAD: Final = Refusal("dead", "check_sensor")
RAW_COUNTS: Final = Refusal("raw_counts", "convert_counts")
BIASED: Final = Refusal("biased", "check_sensor")
REPEATED: Final = Refusal("repeated", "check_gateway")
CLIPPED: Final = Refusal("clipped", "widen_range")
DROPOUT: Final = Refusal("dropout", "check_gateway")
SETTLING: Final = Refusal("settling", "wait_to_settle")
SPIKES: Final = Refusal("spikes", "shield_cable")
LOOSE_MOUNT: Final = Refusal("loose_mount", "tighten_sensor")
TILTED: Final = Refusal("tilted", "tighten_sensor")
RATE_OFF: Final = Refusal("rate_off", "check_gateway")
FEW_STEPS: Final = Refusal("few_steps", "narrow_range")

Rules = tuple[tuple[Refusal, Verdict], ...]

BLOCK_RULES: Final[Rules] = (
    (BLOCK_TOO_SHORT, Verdict.REFUSED),  # first: what has no spectrum has none at any quality
    (NOT_FINITE, Verdict.REFUSED),
    (BAD_QUALITY, Verdict.REFUSED),
    (STUCK, Verdict.REFUSED),
    (DEAD, Verdict.REFUSED),
    (RAW_COUNTS, Verdict.REFUSED),  # no level is in its unit
    (BIASED, Verdict.REFUSED),  # a cable or supply at fault: what comes through is no measurement
    (REPEATED, Verdict.REFUSED),
    (CLIPPED, Verdict.REFUSED),  # harmonics that the machine does not make, and too low a level
    (DROPOUT, Verdict.REFUSED),  # time is missing, and every frequency with it
    (SETTLING, Verdict.REFUSED),  # where it has reached the velocity that is judged
    # Levels of the shaft hold, those of peaks do not.
    (SPIKES, Verdict.DEGRADED),
    # High frequencies are lost, velocity is not: refusing the block would hide the machine.
    (LOOSE_MOUNT, Verdict.DEGRADED),
    (TILTED, Verdict.DEGRADED),
    (SETTLING, Verdict.DEGRADED),  # lowest frequencies only
    (RATE_OFF, Verdict.DEGRADED),  # frequencies are off by as much, levels are not
    (FEW_STEPS, Verdict.DEGRADED),  # the machine shakes no more than this, whatever it is
)
"""Everything that is looked at, by weight, and what it makes of a block."""

REFUSALS: Final = tuple(dict.fromkeys(refusal for refusal, _ in BLOCK_RULES))
"""Every reason that a block may get: a locale must have a sentence for each."""

LONGEST_HOLD: Final = 20
"""Identical samples in a row beyond which a sensor has stopped; noise of a converter alone makes fewer."""

CLIPPED_FRACTION: Final = 1e-4
"""Clipped samples of a block beyond which its level is not believed."""

SPIKES_SEEN: Final = 2
"""Isolated impulses that a block may hold: a contactor nearby makes one or two at times."""

SKI_SLOPE: Final = -1.5
"""Slope of the velocity spectrum 2-8 Hz that tells the tail of a settling sensor (-2 for a step, steeper for
a smooth one) from the noise of any sensor (-1)."""

SKI_RATIO: Final = 5.0
"""Velocity energy 2-10 Hz over 10-1000 Hz of a tail. White noise has 4 by itself, and scatters."""

SKI_SCATTER_PER_HZ: Final = 10.0
"""How that limit grows with the distance of the bins in Hz: the fewer they are, the further noise scatters.
Noise stayed below it in 4000 blocks at each of 0.25, 0.5, 1 and 2 Hz (highest: 13, 19, 41 and 75)."""

SKI_VELOCITY_MM_S: Final = 0.71
"""2-10 Hz velocity below which a tail changes no zone of any machine (ISO 10816-1, class I, zone A)."""

SKI_SHARE: Final = 0.1
"""Energy of a tail in the 10-1000 Hz velocity from which on that velocity is not believed: it is 5 % too high
then, half of what ISO 2954 allows a meter, and the drift of a real sensor falls less steeply further up."""

BIAS_V: Final = (8.0, 14.0)
"""Bias voltage of an IEPE sensor at work; below it a short circuit, above it an open one."""

HIGHEST_M_S2: Final = 500 * STANDARD_GRAVITY_M_S2
"""No sensor for machines measures more: where all samples are whole numbers beyond it, they are counts of a
converter that somebody took for the unit."""

GRAVITY_MARGIN: Final = 1.1
"""Mean of a sensor that measures gravity, over gravity, beyond which it measures something else."""

TILT_M_S2: Final = 0.1 * STANDARD_GRAVITY_M_S2
"""Change of the mean by which a sensor that measures gravity has turned: 6 degrees or more."""

MISSING_SHARE: Final = 1e-3
"""Samples of a block that may be missing."""

RATE_ERROR_PPM: Final = 100.0
"""Error of the sampling rate that no crystal in order has."""

HF_FROM_HZ: Final = 2500.0
HF_FALL: Final = 0.5
"""Bands from here on are lost first where the mount is loose: all of them together to half or less."""

KEPT: Final = (1 / 1.3, 1.3)
"""Change within which the first order counts as kept. Where it grows too, a bearing may be near its end: high
frequencies fall then as well, and the sensor is not to blame."""

STEPS: Final = 8
"""Steps of its converter that a signal must span to be more than their noise."""

SAME: Final = 1e-6
"""Relative difference below which numbers of two blocks are those of the same samples: float32 rounding."""

_SIGNATURE: Final = (
    "acceleration_rms_m_s2",
    "acceleration_peak_m_s2",
    "peak_to_peak_m_s2",
    "skewness",
    "kurtosis",
)
_HF_BANDS: Final = tuple(
    f"band_{low:.0f}_{high:.0f}_m_s2" for low, high in LEVEL_BANDS_HZ if low >= HF_FROM_HZ
)


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What was found of n blocks: `found` (n, len(rules)), `rules` by weight, `verdict` (n,) of `Verdict`."""

    found: Flags
    rules: Rules
    verdict: npt.NDArray[np.str_]

    def reasons(self, row: int) -> tuple[Refusal, ...]:
        """Everything that is the matter with a block, the weightiest first."""
        return tuple(self.rules[i][0] for i in np.flatnonzero(self.found[row]))

    @property
    def refusals(self) -> tuple[Refusal | None, ...]:
        """For each block the weightiest reason that forbids to judge it, or None."""
        return tuple(
            self.reasons(i)[0] if verdict == Verdict.REFUSED else None
            for i, verdict in enumerate(self.verdict)
        )


def settled(found: Flags, rules: Rules) -> Assessment:
    """The assessment that these findings (n, len(rules)) make."""
    refused = found[:, [verdict is Verdict.REFUSED for _, verdict in rules]].any(axis=1)
    verdict = np.where(refused, Verdict.REFUSED, np.where(found.any(axis=1), Verdict.DEGRADED, Verdict.OK))
    return Assessment(found, rules, verdict)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what makes no number breaks no rule
def assess(
    features: Mapping[str, npt.ArrayLike],
    *,
    n_samples: npt.ArrayLike | None = None,
    fs_hz: npt.ArrayLike | None = None,
    speed_hz: npt.ArrayLike | None = None,
    step_m_s2: npt.ArrayLike | None = None,
    whole: npt.ArrayLike | None = None,
    good: npt.ArrayLike | None = None,
    previous: Mapping[str, npt.ArrayLike] | None = None,
    reference: Mapping[str, npt.ArrayLike] | None = None,
    missing_share: npt.ArrayLike | None = None,
    rate_error_ppm: npt.ArrayLike | None = None,
    bias_v: npt.ArrayLike | None = None,
    measures_gravity: npt.ArrayLike | None = None,
) -> Assessment:
    """What the sensors of n blocks are worth, from their features by name, each (n,), of the catalogue.

    What else is known, one or (n,) each, None or NaN where it is not: `n_samples` and `fs_hz` of the block,
    `speed_hz` of the shaft, `step_m_s2` of the converter (0 for none), whether its samples are all `whole`
    numbers of their unit (`whole_numbers` tells), `good` as the gateway says it is, `previous` features of
    the block before (to see the same one again), `reference` features in good health under the same regime,
    the share of samples missing, the error of the rate, the bias voltage of an IEPE sensor, and whether the
    sensor measures gravity. A column that is absent, or NaN, is not judged.
    Raises ValueError for shapes that do not fit.
    """
    block = _Block(features)
    now = block.column
    before, healthy = _Block(previous or {}, block.n).column, _Block(reference or {}, block.n)
    step, mean = block.known("step_m_s2", step_m_s2), now("mean_m_s2")
    rms = now("acceleration_rms_m_s2")
    gravity = block.known("measures_gravity", measures_gravity) == 1
    bias = block.known("bias_v", bias_v)
    short = block.known("n_samples", n_samples) < SHORTEST_BLOCK
    df_hz = block.known("fs_hz", fs_hz) / block.known("n_samples", n_samples)
    falsified, tail = _settling(block, df_hz, block.known("speed_hz", speed_hz))
    clipped = now("clipped_fraction") > CLIPPED_FRACTION
    held = (now("longest_hold") > LONGEST_HOLD) & ~clipped  # a clipped signal holds at the end of its range
    dead = (step > 0) & (rms**2 < step**2 / 12)  # quieter than the rounding of its own converter
    found = (
        short,
        np.isnan(now("longest_hold")) & ~short & ("longest_hold" in features),
        block.known("good", good) == 0,
        (rms == 0) | held,
        dead,
        (block.known("whole", whole) == 1) & _beyond_sensors(mean, now("acceleration_peak_m_s2")),
        (bias < BIAS_V[0])
        | (bias > BIAS_V[1])
        | (gravity & (np.abs(mean) > GRAVITY_MARGIN * STANDARD_GRAVITY_M_S2)),
        np.logical_and.reduce([np.abs(now(c) - before(c)) <= SAME * np.abs(before(c)) for c in _SIGNATURE]),
        clipped & (rms != 0),
        block.known("missing_share", missing_share) > MISSING_SHARE,
        falsified,
        now("spikes") > SPIKES_SEEN,
        _loose(block, healthy),
        gravity & (np.abs(mean - healthy.column("mean_m_s2")) > TILT_M_S2),
        tail & ~falsified,
        np.abs(block.known("rate_error_ppm", rate_error_ppm)) > RATE_ERROR_PPM,
        (step > 0) & (now("peak_to_peak_m_s2") < STEPS * step) & ~dead,
    )
    return settled(np.stack(found, axis=1), BLOCK_RULES)


def whole_numbers(
    x: npt.NDArray[np.generic], scale: npt.ArrayLike, mean_m_s2: npt.ArrayLike, peak_m_s2: npt.ArrayLike
) -> Flags:
    """Which blocks x (n, n_samples), times `scale` (n,) in their own unit, hold whole numbers only, (n,).

    `mean_m_s2` and `peak_m_s2` are their features: only what is beyond any sensor is looked at, others are
    False, so that a healthy batch costs nothing.
    """
    factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), len(x))
    found = np.zeros(len(x), dtype=np.bool_)
    for row in np.flatnonzero(_beyond_sensors(mean_m_s2, peak_m_s2)):
        values = x[row].astype(np.float64) * factor[row]
        found[row] = np.array_equal(values, np.rint(values))
    return found


def _beyond_sensors(mean_m_s2: npt.ArrayLike, peak_m_s2: npt.ArrayLike) -> Flags:
    """Where a block goes further than any sensor: counts of an unsigned converter swing around its middle."""
    return np.asarray(np.abs(mean_m_s2) + np.asarray(peak_m_s2) > HIGHEST_M_S2, dtype=np.bool_)


class _Block:
    """Columns of n blocks by name: NaN where nobody gave them."""

    def __init__(self, features: Mapping[str, npt.ArrayLike], n: int | None = None) -> None:
        self._columns = {name: np.asarray(column) for name, column in features.items()}
        shapes = {column.shape for column in self._columns.values()}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"features must be columns of one length, got shapes {sorted(shapes)}")
        if n is None and not shapes:
            raise ValueError(
                "features must hold at least one column, got none: it tells how many blocks there are"
            )
        self.n = n if n is not None else shapes.pop()[0]
        if any(shape != (self.n,) for shape in shapes):
            raise ValueError(
                f"previous and reference must hold each of the {self.n} blocks, got shapes {sorted(shapes)}"
            )
        self._unknown = np.broadcast_to(np.nan, (self.n,))

    def column(self, name: str) -> DoubleArray:
        """A feature of each block, (n,)."""
        column = self._columns.get(name)  # a third of them is asked for: only these become float64
        return self._unknown if column is None else column.astype(np.float64)

    def known(self, name: str, value: npt.ArrayLike | None) -> DoubleArray:
        """What else is known of each block, (n,)."""
        array = np.asarray(np.nan if value is None else value, dtype=np.float64)
        if array.shape not in ((), (self.n,)):
            raise ValueError(
                f"{name} must be one value, or one for each of the {self.n} blocks, got shape {array.shape}"
            )
        return np.broadcast_to(array, (self.n,))


def _settling(block: _Block, df_hz: DoubleArray, speed_hz: DoubleArray) -> tuple[Flags, Flags]:
    """(a tail that has reached the velocity that is judged, any tail).

    A tail falls as a power of the frequency, so that it has 5^-(2s+1) - 1 times as much energy in 2-10 Hz as
    above, s being its slope. That of a step reaches the velocity from 10 Hz on; that of a smooth one, which
    the window takes away, only that from 2 Hz on, by which slow machines are judged. Energy at the turns of
    a slow shaft is no tail.
    """
    slope, ratio = block.column("ski_slope"), block.column("ski_ratio")
    energy = ratio * block.column("velocity_rms_mm_s") ** 2
    of_shaft = np.zeros(block.n)
    for order in (order for order in SHAFT_ORDERS if order.is_integer()):
        line = np.nan_to_num(block.column(f"order_{order:g}x_mm_s"))
        of_shaft += np.where(order * speed_hz < SLOW_BELOW_HZ, line**2, 0.0)
    tail = (slope < SKI_SLOPE) & (ratio > SKI_RATIO * (1 + SKI_SCATTER_PER_HZ * df_hz))
    tail &= (energy > SKI_VELOCITY_MM_S**2) & (of_shaft < energy / 2)
    share = ratio / (5.0 ** -(2 * np.minimum(slope, SKI_SLOPE) + 1) - 1)
    slow = (speed_hz > 0) & (speed_hz < SLOW_BELOW_HZ)
    return tail & ((share >= SKI_SHARE) | slow), tail


def _loose(block: _Block, healthy: _Block) -> Flags:
    """Whether all high bands, two or more, fell together while the first order was kept."""
    falls = np.stack([block.column(band) / healthy.column(band) for band in _HF_BANDS])
    known = np.isfinite(falls)
    first = block.column("order_1x_mm_s") / healthy.column("order_1x_mm_s")
    velocity = block.column("velocity_rms_mm_s") / healthy.column("velocity_rms_mm_s")
    kept = np.where(np.isnan(first), velocity, first)  # without a speed there is no order to look at
    together = (known.sum(axis=0) >= 2) & ((falls <= HF_FALL) | ~known).all(axis=0)
    return np.asarray(together & (kept >= KEPT[0]) & (kept <= KEPT[1]), dtype=np.bool_)
