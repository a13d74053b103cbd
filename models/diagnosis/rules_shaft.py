"""Rules for what turns: unbalance and what looks like it, misalignment, looseness.

Weights: needed evidence makes 0.7 of a fault, what supports it 0.3. So evidence that just reaches its limits
makes 0.56 of it with a history, and 0.50 in a single record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from . import measures as m
from . import measures_parts as parts
from . import measures_shaft as shaft
from .evidence import ChannelEvidence
from .lines import HALVES, STRONG_SHARE, share_of
from .measures_shaft import ONE, THREE, TWO
from .rules import (
    UNREAD,
    Clause,
    LookAlike,
    Measure,
    Reading,
    Rule,
    Sign,
    excludes,
    known,
    needed,
    never,
    supports,
)
from .types import Fault
from .view import PointView

ORDERS: Final = (*(f"order_{k}x_mm_s" for k in range(1, 11)), *HALVES)
VELOCITIES: Final = ("velocity_rms_mm_s", "velocity_rms_low_mm_s")

PRACTICE: Final = "ISO 13373-3:2015; trade practice"


def abnormal(*features: str, held: tuple[str, ...] = (), radial: bool = False) -> Clause:
    """What the fault shows in is not as it was, or the velocity is not as a standard wants it.

    The velocity of a channel does not count where these lines hold less than a quarter of its energy, nor
    where it rose and none of them did: something else did. `held` are the lines that hold it where they are
    more than `features`; `radial` looks across the shaft only.
    """
    theirs = _theirs(features, held or features, radial=radial)
    return needed(
        0.2,
        Sign("raised", m.raised(*features, radial=radial), limit=2.0, full=4.0),
        Sign("velocity_zone", theirs(m.zone_of), limit=2.0, full=4.0),
        Sign("rise_in_zone", theirs(m.rise_of), limit=m.IN_B_SHARE, full=2 * m.IN_B_SHARE),
        any_known=True,
    )


UNMOVED: Final = 1.25
ROSE: Final = 1.5
"""A velocity half as high again, of which a line that rose by less than a quarter is not the cause."""


def _theirs(
    features: tuple[str, ...], held: tuple[str, ...], *, radial: bool
) -> Callable[[Callable[[PointView, ChannelEvidence], Reading]], Measure]:
    def of(measure: Callable[[PointView, ChannelEvidence], Reading]) -> Measure:
        def read(view: PointView) -> Reading:
            found = []
            for channel in view.radial if radial else view.point.channels:
                reading, share = measure(view, channel), share_of(view, channel, held)
                if np.isnan(reading.value) or np.isnan(share):
                    continue
                other = share < STRONG_SHARE or _unmoved(view, features)
                found.append(replace(reading, value=0.0) if other else reading)
            return m.worst_of(found)

        return read

    return of


def _unmoved(view: PointView, features: tuple[str, ...]) -> bool:
    """Whether the velocity rose and none of these did."""
    grown = max((r for f in features if not np.isnan(r := view.highest_ratio(f))), default=np.nan)
    return grown < UNMOVED and any(view.highest_ratio(v) >= ROSE for v in VELOCITIES)


def only_of(kinds: tuple[str, ...], measure: Measure) -> Measure:
    """The measure on machines of some kinds, unknown on others."""

    def of_kind(view: PointView) -> Reading:
        return measure(view) if view.machine.kind in kinds else UNREAD

    return of_kind


def geared(measure: Measure) -> Measure:
    """The measure on machines with gears, unknown on others."""
    return lambda view: measure(view) if view.machine.gears else UNREAD


HOUR_STEP: Final = 0.5
"""Half an hour between two blocks: what clogs or breaks does it between one block and the next."""

_RAMP: Final = only_of(("fan",), shaft.ramp_days(ONE))
_STEP: Final = only_of(("fan", "pump"), m.stepped(ONE, within_h=HOUR_STEP))
_SINCE_TOOL: Final = only_of(("spindle",), m.since("tool_changed_h", ONE))

UNBALANCE: Final = Rule(
    Fault.UNBALANCE,
    (
        abnormal(ONE, radial=True),
        needed(0.3, Sign("share_1x", shaft.share_of_1x, limit=0.70, full=0.90)),
        needed(0.2, Sign("one_over_two", shaft.one_over_two, limit=3.0, full=6.0)),
        supports(0.15, Sign("follows_square", shaft.follows_square, limit=1.0, full=0.5)),
        supports(0.15, Sign("equal_directions", shaft.unequal_directions, limit=3.0, full=1.5)),
        excludes(
            0.45,
            Sign("axial_over_radial", shaft.axial_over_radial, limit=0.5, full=1.0),
            instead=(Fault.BENT_SHAFT, Fault.MISALIGNMENT),
        ),
        excludes(
            0.35,
            Sign("unequal_directions", shaft.unequal_directions, limit=3.0, full=5.0),
            instead=(Fault.RESONANCE, Fault.STRUCTURAL_LOOSENESS),
        ),
        excludes(
            0.15,
            Sign("peak_in_sweep", shaft.peak_in_sweep, limit=1.5, full=2.5),
            instead=(Fault.RESONANCE,),
        ),
        excludes(
            0.25,
            Sign("ramp", _RAMP, limit=1.5, full=2.0),
            Sign("step", _STEP, limit=1.5, full=2.0),
            Sign("since_tool", _SINCE_TOOL, limit=1.5, full=2.0),
            instead=(Fault.FAN_DEPOSIT, Fault.BLOCKED_VANE, Fault.TOOL),
        ),
    ),
    source=PRACTICE + "; ISO 21940-11",
    confirm=("phase_hv", "balance_run"),
    look_alikes=(
        LookAlike(Fault.FAN_DEPOSIT, known(_RAMP), ("clean_rotor",)),
        LookAlike(Fault.TOOL, known(_SINCE_TOOL), ("change_tool",)),
        LookAlike(Fault.BENT_SHAFT, shaft.axial_known, ("axial_reading", "slow_roll")),
        LookAlike(Fault.MISALIGNMENT, shaft.axial_known, ("axial_reading", "phase_across_coupling")),
        LookAlike(
            Fault.RESONANCE, lambda v: shaft.swept(v) or shaft.radial_pair(v), ("bump_test", "coast_down")
        ),
        LookAlike(Fault.STRUCTURAL_LOOSENESS, shaft.radial_pair, ("radial_pair", "phase_frame_base")),
        LookAlike(Fault.BLOCKED_VANE, known(_STEP), ("inspect_rotor",)),
    ),
)

LATE_BEARING: Final = tuple(
    LookAlike(fault, known(parts.late_bearing), ("portable_envelope",))
    for fault in (Fault.OUTER_RING, Fault.INNER_RING, Fault.ROLLING_ELEMENT)
)
"""A spalled bearing at its end shakes its shaft: harmonics, and a floor that fills the place of any line."""

MISALIGNMENT: Final = Rule(
    Fault.MISALIGNMENT,
    (
        abnormal(ONE, TWO),
        needed(
            0.5,
            Sign("two_over_one", shaft.two_over_one, limit=0.5, full=1.0),
            Sign("axial_over_radial", shaft.axial_over_radial, limit=0.5, full=1.0, trust=0.8),
        ),
        supports(0.1, Sign("two_over_one", shaft.two_over_one, limit=1.0, full=1.5)),
        supports(0.05, Sign("three_over_one", shaft.three_over_one, limit=0.3, full=0.6)),
        supports(0.05, Sign("two_elsewhere", parts.elsewhere(shaft.two_over_one), limit=0.5, full=1.0)),
        supports(0.05, Sign("axial_over_radial", shaft.axial_over_radial, limit=0.5, full=1.0)),
        supports(0.05, Sign("warmer", m.warmer, limit=5.0, full=10.0)),
        excludes(
            0.2,
            Sign("half_orders", shaft.half_orders, limit=0.15, full=0.3),
            instead=(Fault.ROTATING_LOOSENESS,),
        ),
        excludes(
            0.2,
            Sign("harmonics", shaft.harmonics, limit=4.0, full=5.0),
            instead=(Fault.ROTATING_LOOSENESS,),
        ),
        excludes(
            0.5,
            Sign("late_bearing", parts.late_bearing, limit=parts.LATE, full=2 * parts.LATE),
            instead=(Fault.OUTER_RING, Fault.INNER_RING, Fault.ROLLING_ELEMENT),
        ),
    ),
    source=PRACTICE,
    confirm=("phase_across_coupling",),
    look_alikes=(
        LookAlike(Fault.ROTATING_LOOSENESS, known(shaft.harmonics), ("longer_block", "check_fit")),
        LookAlike(Fault.STATOR, shaft.supply_told_apart, ("longer_block", "power_off"), undescribed=True),
        LookAlike(
            Fault.BENT_SHAFT,
            lambda v: not shaft.axial_over_radial(v).value >= 0.5 and shaft.axial_known(v),
            ("phase_across_coupling", "slow_roll"),
        ),
        *LATE_BEARING,
    ),
)

BENT_SHAFT: Final = Rule(
    Fault.BENT_SHAFT,
    (
        abnormal(ONE, TWO),
        needed(0.3, Sign("axial_pair", shaft.axial_pair_over_radial, limit=0.8, full=1.0)),
        needed(0.2, Sign("share_1x", shaft.share_of_1x, limit=0.5, full=0.7)),
        supports(0.15, Sign("axial_two", shaft.axial_two_over_one, limit=0.3, full=0.6)),
        supports(0.15, Sign("axial_over_radial", shaft.axial_over_radial, limit=0.8, full=1.0)),
        excludes(
            0.3,
            Sign("two_over_one", shaft.two_over_one, limit=0.8, full=1.2),
            instead=(Fault.MISALIGNMENT,),
        ),
    ),
    source=PRACTICE,
    confirm=("slow_roll", "phase_axial"),
    look_alikes=(LookAlike(Fault.MISALIGNMENT, never, ("phase_across_coupling", "slow_roll")),),
)

RESONANCE: Final = Rule(
    Fault.RESONANCE,
    (
        abnormal(ONE, radial=True),
        needed(
            0.5,
            Sign("peak_in_sweep", shaft.peak_in_sweep, limit=1.5, full=2.5),
            Sign("unequal_directions", shaft.unequal_directions, limit=3.0, full=5.0, trust=0.8),
        ),
        supports(0.15, Sign("peak_in_sweep", shaft.peak_in_sweep, limit=1.5, full=2.5)),
        supports(0.15, Sign("unequal_directions", shaft.unequal_directions, limit=3.0, full=5.0)),
        excludes(
            0.4,
            Sign("no_peak_in_sweep", shaft.peak_in_sweep, limit=1.2, full=1.0),
            instead=(Fault.STRUCTURAL_LOOSENESS,),
        ),
    ),
    source="ISO 7626-5 (impact excitation); trade practice: a factor on another cause, not a cause",
    confirm=("bump_test", "coast_down"),
    look_alikes=(
        LookAlike(Fault.STRUCTURAL_LOOSENESS, shaft.swept, ("bump_test", "phase_frame_base", "tighten_feet")),
    ),
)

_TIGHTENED: Final = m.since("tightened_h", ONE, moved=True)

STRUCTURAL_LOOSENESS: Final = Rule(
    Fault.STRUCTURAL_LOOSENESS,
    (
        abnormal(ONE, radial=True),
        needed(0.2, Sign("share_1x", shaft.share_of_1x, limit=0.5, full=0.7)),
        needed(
            0.3,
            Sign("vertical_over_horizontal", shaft.vertical_over_horizontal, limit=3.0, full=5.0),
            Sign("unequal_directions", shaft.unequal_directions, limit=3.0, full=5.0, trust=0.7),
            Sign("since_tightened", _TIGHTENED, limit=0.3, full=0.6),
        ),
        supports(0.2, Sign("since_tightened", _TIGHTENED, limit=0.3, full=0.6)),
        supports(0.1, Sign("vertical_over_horizontal", shaft.vertical_over_horizontal, limit=4.0, full=6.0)),
        excludes(
            0.4,
            Sign("peak_in_sweep", shaft.peak_in_sweep, limit=1.5, full=2.5),
            instead=(Fault.RESONANCE,),
        ),
    ),
    source=PRACTICE,
    confirm=("phase_frame_base", "tighten_feet"),
    look_alikes=(
        LookAlike(
            Fault.RESONANCE,
            lambda v: shaft.swept(v) or _TIGHTENED(v).value >= 0.3,
            ("bump_test", "coast_down"),
        ),
    ),
)

ROTATING_LOOSENESS: Final = Rule(
    Fault.ROTATING_LOOSENESS,
    (
        abnormal(ONE, TWO, THREE, *HALVES, held=ORDERS),
        needed(
            0.5,
            Sign("harmonics", shaft.harmonics, limit=4.0, full=5.0),
            Sign("half_orders", shaft.half_orders, limit=0.15, full=0.3),
        ),
        supports(0.15, Sign("half_orders", shaft.half_orders, limit=0.15, full=0.3)),
        supports(
            0.15,
            Sign("raised_floor", m.raised("band_250_500_m_s2", "band_500_1000_m_s2"), limit=2.0, full=4.0),
        ),
        excludes(
            0.4,
            Sign("shocks", geared(parts.highest_octave_kurtosis), limit=5.0, full=8.0),
            instead=(Fault.TOOTH_CRACK,),
        ),
    ),
    source=PRACTICE,
    confirm=("check_fit", "coast_down"),
    look_alikes=(
        LookAlike(Fault.TOOTH_CRACK, known(parts.highest_octave_kurtosis), ("time_waveform", "check_fit")),
    ),
)

SHAFT_RULES: Final = (
    UNBALANCE,
    MISALIGNMENT,
    BENT_SHAFT,
    RESONANCE,
    STRUCTURAL_LOOSENESS,
    ROTATING_LOOSENESS,
)
