"""Rules for gears, flow, belts and motors, and for what sticks to a rotor or is clamped into it."""

from __future__ import annotations

from typing import Final

from models.types import MachineSpec

from . import measures as m
from . import measures_parts as parts
from . import measures_shaft as shaft
from .lines import POLES, STRONG_SHARE
from .measures_shaft import ONE, SUPPLY
from .rules import LookAlike, Rule, Sign, excludes, known, needed, never, supports
from .rules_shaft import HOUR_STEP, LATE_BEARING, PRACTICE, abnormal
from .types import Fault

MESHES: Final = ("mesh_1x_m_s2", "mesh_2x_m_s2", "mesh_3x_m_s2")
SIDEBAND_RATIOS: Final = ("sideband_ratio_driving", "sideband_ratio_driven")
SIDEBANDS: Final = ("sidebands_driving_m_s2", "sidebands_driven_m_s2")
CEPSTRA: Final = ("cepstrum_driving", "cepstrum_driven")
HF_FROM_1_KHZ: Final = ("band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2")
VANES: Final = "vane_pass_mm_s"
BELT_LINES: Final = "belt_mm_s"
GEARS: Final = "Randall, Vibration-based Condition Monitoring (2011), gears; trade practice"


def _geared(machine: MachineSpec) -> bool:
    return bool(machine.gears)


def _pump(machine: MachineSpec) -> bool:
    return machine.kind == "pump"


def _bladed(machine: MachineSpec) -> bool:
    return machine.impeller is not None or machine.kind in ("pump", "fan")


_SHOCKS: Final = Sign("shocks", parts.highest_octave_kurtosis, limit=5.0, full=8.0)
_SHOCKS_KNOWN: Final = known(parts.highest_octave_kurtosis)

GEAR_WEAR: Final = Rule(
    Fault.GEAR_WEAR,
    (
        needed(0.35, Sign("raised", m.raised(*MESHES), limit=2.0, full=4.0)),
        needed(
            0.35,
            Sign("raised", m.raised(*SIDEBAND_RATIOS), limit=2.0, full=4.0),
            Sign("sidebands", m.level_of(*SIDEBAND_RATIOS), limit=0.5, full=1.0),
        ),
        supports(0.1, Sign("raised", m.raised(*SIDEBANDS), limit=2.0, full=4.0)),
        supports(0.1, Sign("raised", m.raised(*CEPSTRA), limit=2.0, full=4.0)),
        supports(
            0.1, Sign("raised", m.raised("band_500_1000_m_s2", "band_1000_2500_m_s2"), limit=2.0, full=4.0)
        ),
        excludes(0.3, _SHOCKS, instead=(Fault.TOOTH_CRACK,)),
    ),
    source=GEARS + "; levels at the mesh follow the torque: ratios are those of the same load",
    confirm=("same_load", "inspect_teeth"),
    look_alikes=(LookAlike(Fault.TOOTH_CRACK, _SHOCKS_KNOWN, ("time_waveform", "inspect_teeth")),),
    applies=_geared,
)

TOOTH_CRACK: Final = Rule(
    Fault.TOOTH_CRACK,
    (
        needed(
            0.4,
            Sign("once_per_turn", m.level_of("turn_harmonics"), limit=5.0, full=8.0),
            Sign("raised", m.raised(*CEPSTRA), limit=2.0, full=4.0, trust=0.9),
            any_known=True,
        ),
        needed(
            0.3,
            Sign("tooth_shocks", m.level_of("fm4_driving", "fm4_driven"), limit=5.0, full=8.0),
            Sign("shocks", parts.highest_octave_kurtosis, limit=5.0, full=8.0, trust=0.9),
            any_known=True,
        ),
        supports(0.15, Sign("raised", m.raised(*SIDEBANDS), limit=2.0, full=4.0)),
        supports(0.15, Sign("raised", m.raised("kurtosis", "crest_factor"), limit=1.5, full=2.5)),
        excludes(
            0.4,
            Sign("comb", parts.any_comb, limit=3.0, full=5.0),
            instead=(Fault.OUTER_RING, Fault.INNER_RING),
        ),
    ),
    source=GEARS + "; McFadden 1986 (residual of the synchronous average), FM4 of Stewart 1977",
    confirm=("time_waveform", "synchronous_average", "inspect_teeth"),
    look_alikes=(
        LookAlike(Fault.OUTER_RING, known(parts.any_comb), ("time_waveform", "name_bearing")),
        LookAlike(Fault.INNER_RING, known(parts.any_comb), ("time_waveform", "name_bearing")),
    ),
    applies=_geared,
)

GEAR_MISALIGNMENT: Final = Rule(
    Fault.GEAR_MISALIGNMENT,
    (
        needed(0.3, Sign("raised", m.raised("mesh_2x_m_s2"), limit=2.0, full=4.0)),
        needed(0.4, Sign("second_mesh", parts.second_mesh_over_first, limit=1.0, full=1.5)),
        supports(0.15, Sign("second_mesh", parts.second_mesh_over_first, limit=1.5, full=2.0)),
        supports(
            0.15, Sign("sidebands_low", m.level_of(*SIDEBAND_RATIOS, of_all=True), limit=0.5, full=0.25)
        ),
    ),
    source=GEARS + "; the hunting tooth frequency is below what the features resolve",
    confirm=("contact_pattern", "hunting_tooth"),
    applies=_geared,
)

CAVITATION: Final = Rule(
    Fault.CAVITATION,
    (
        needed(0.35, Sign("random_from_1_khz", m.lowest_raised(*HF_FROM_1_KHZ), limit=2.0, full=3.0)),
        needed(0.2, Sign("no_comb", parts.no_comb, limit=2.0, full=0.0, at_limit=1.0)),
        needed(0.15, Sign("no_shocks", m.level_of("kurtosis"), limit=parts.NO_SHOCKS, full=3.5)),
        supports(0.15, Sign("raised", m.raised(VANES), limit=1.5, full=3.0)),
        supports(0.15, Sign("raised", m.raised("band_500_1000_m_s2"), limit=1.5, full=3.0)),
        excludes(
            0.6,
            Sign("comb", parts.any_comb, limit=3.0, full=5.0),
            instead=(Fault.OUTER_RING, Fault.INNER_RING),
        ),
        excludes(0.3, _SHOCKS, instead=(Fault.OUTER_RING, Fault.INNER_RING)),
        excludes(0.2, Sign("warmer", m.warmer, limit=5.0, full=10.0), instead=(Fault.LUBRICATION,)),
    ),
    source="ISO 17769-1 (NPSH); trade practice",
    confirm=("raise_suction",),
    look_alikes=(
        LookAlike(Fault.LUBRICATION, lambda v: m.warmer(v).value < 5.0, ("raise_suction", "grease_test")),
        LookAlike(Fault.OUTER_RING, _SHOCKS_KNOWN, ("raise_suction", "portable_envelope")),
        LookAlike(Fault.INNER_RING, _SHOCKS_KNOWN, ("raise_suction", "portable_envelope")),
    ),
    applies=_pump,
)

BLOCKED_VANE: Final = Rule(
    Fault.BLOCKED_VANE,
    (
        abnormal(VANES, ONE),
        needed(
            0.5,
            Sign("raised", m.over_baseline(VANES), limit=2.0, full=4.0),
            Sign("step", m.stepped(ONE, within_h=HOUR_STEP), limit=1.5, full=2.0),
            any_known=True,
        ),
        supports(0.15, Sign("raised", m.raised("band_2_10_m_s2"), limit=2.0, full=4.0)),
        supports(0.15, Sign("step", m.stepped(ONE, within_h=HOUR_STEP), limit=1.5, full=2.0)),
    ),
    source=PRACTICE,
    confirm=("check_flow", "inspect_rotor"),
    look_alikes=(LookAlike(Fault.UNBALANCE, lambda v: v.highest_ratio(VANES) >= 2.0, ("inspect_rotor",)),),
    applies=_bladed,
)

BELT: Final = Rule(
    Fault.BELT,
    (
        abnormal(BELT_LINES),
        needed(
            0.5,
            Sign("raised", m.over_baseline(BELT_LINES), limit=2.0, full=4.0),
            Sign("belt_over_1x", parts.line_over_1x(BELT_LINES), limit=0.5, full=1.0),
            any_known=True,
        ),
        supports(0.15, Sign("unsteady", shaft.unsteadiness(ONE), limit=0.15, full=0.3)),
        supports(0.15, Sign("belt_over_1x", parts.line_over_1x(BELT_LINES), limit=0.5, full=1.0)),
        excludes(
            0.5,
            Sign("late_bearing", parts.late_bearing, limit=parts.LATE, full=2 * parts.LATE),
            instead=(Fault.OUTER_RING, Fault.INNER_RING, Fault.ROLLING_ELEMENT),
        ),
    ),
    source=PRACTICE,
    confirm=("strobe", "belt_tension"),
    look_alikes=LATE_BEARING,
    applies=lambda machine: machine.belt is not None,
)

STATOR: Final = Rule(
    Fault.STATOR,
    (
        abnormal(SUPPLY),
        needed(
            0.5,
            Sign("supply_share", parts.line_share(SUPPLY), limit=STRONG_SHARE, full=0.5),
            Sign("raised", m.over_baseline(SUPPLY), limit=2.0, full=4.0, trust=0.9),
            any_known=True,
        ),
        supports(0.15, Sign("supply_over_two", parts.supply_over_two, limit=2.0, full=4.0)),
        supports(
            0.15, Sign("supply_elsewhere", parts.elsewhere(parts.line_share(SUPPLY)), limit=0.1, full=0.25)
        ),
    ),
    source="ISO 13373-9:2017 (electric motors); trade practice",
    confirm=("power_off",),
    look_alikes=(LookAlike(Fault.MISALIGNMENT, shaft.supply_told_apart, ("longer_block", "power_off")),),
    applies=lambda machine: machine.motor is not None,
)

ROTOR_BARS: Final = Rule(
    Fault.ROTOR_BARS,
    (
        needed(
            0.45,
            Sign("raised", m.over_baseline(POLES), limit=2.0, full=4.0, trust=0.9),
            Sign("pole_pass", shaft.pole_pass_over_1x, limit=0.2, full=0.4),
            any_known=True,
        ),
        needed(0.25, Sign("loaded", parts.load_percent, limit=70.0, full=70.0)),
        supports(0.15, Sign("pole_pass", shaft.pole_pass_over_1x, limit=0.2, full=0.4)),
        supports(
            0.15, Sign("pole_pass_elsewhere", parts.elsewhere(shaft.pole_pass_over_1x), limit=0.2, full=0.4)
        ),
    ),
    source="ISO 20958 (electrical signature analysis); trade practice",
    confirm=("current_signature",),
    applies=lambda machine: machine.motor is not None,
)

FAN_DEPOSIT: Final = Rule(
    Fault.FAN_DEPOSIT,
    (
        abnormal(ONE, radial=True),
        needed(0.2, Sign("share_1x", shaft.share_of_1x, limit=0.5, full=0.7)),
        needed(0.3, Sign("ramp", shaft.ramp_days(ONE), limit=1.5, full=2.0)),
        supports(0.15, Sign("deposit_drop", shaft.drop_share(ONE), limit=0.2, full=0.4)),
        supports(0.15, Sign("equal_directions", shaft.unequal_directions, limit=3.0, full=1.5)),
    ),
    source=PRACTICE + "; clean before balancing",
    confirm=("clean_rotor",),
    look_alikes=(LookAlike(Fault.UNBALANCE, never, ("clean_rotor",)),),
    applies=lambda machine: machine.kind == "fan",
)

TOOL: Final = Rule(
    Fault.TOOL,
    (
        needed(0.2, Sign("raised", m.raised(ONE, VANES, "band_1000_10000_m_s2"), limit=1.5, full=3.0)),
        needed(
            0.5,
            Sign("since_tool", m.since("tool_changed_h", ONE), limit=1.5, full=2.0),
            Sign("tool_worn", m.lowest_raised(VANES, "band_1000_10000_m_s2"), limit=1.5, full=3.0, trust=0.9),
        ),
        supports(0.15, Sign("share_1x", shaft.share_of_1x, limit=0.5, full=0.7)),
        supports(0.15, Sign("raised", m.raised("band_1000_10000_m_s2"), limit=1.5, full=3.0)),
    ),
    source="ISO/TR 17243-1; ISO 8688 (tool life); trade practice",
    confirm=("change_tool",),
    applies=lambda machine: machine.kind == "spindle",
)

PROCESS_RULES: Final = (
    GEAR_WEAR,
    TOOTH_CRACK,
    GEAR_MISALIGNMENT,
    CAVITATION,
    BLOCKED_VANE,
    BELT,
    STATOR,
    ROTOR_BARS,
    FAN_DEPOSIT,
    TOOL,
)
