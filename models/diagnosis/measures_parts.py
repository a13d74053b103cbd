"""What rules measure on the parts of a machine: bearings, gears, flow, belt, and the electric side."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.types import BEARING_DEFECTS, MachineSpec, Refusal

from .evidence import Finding
from .lines import OUTGROWN
from .measures_shaft import ONE, SUPPLY, TWO, second_harmonic
from .rules import UNREAD, Measure, Reading
from .types import BEARING_FAULTS, Fault
from .view import ALERT_RATIO, LEAST_BLOCKS, RECENT_BLOCKS, PointView, recent

DEFECT_OF: Final = dict(zip(BEARING_FAULTS, BEARING_DEFECTS, strict=True))
"""The name that features carry of each bearing fault."""

LEAST_HARMONICS: Final = 3
"""Three of five harmonics make a comb."""

ALL_HARMONICS: Final = 5
"""Fluting is a washboard: its comb has every harmonic that is looked for."""

NAMED: Final = 0.5
"""How sure the bearing rule must be, over the last blocks, for a bearing to explain what else is seen."""

LATE: Final = 4.0
"""Times its baseline the acceleration has in the last stage of a bearing: 12 dB."""

LATE_LINES: Final = 16.0
"""Times their baseline the lines of a defect have in the spectrum where they name it without the envelope:
24 dB, which neither load nor mounting makes."""

FLOOR_BANDS: Final = ("band_250_500_m_s2", "band_500_1000_m_s2", "band_1000_2500_m_s2")
"""Where the floor of the spectrum is looked for, below what rings."""

NO_SHOCKS: Final = 4.0
"""Random vibration has a kurtosis of 3 to 4; damage that is not everywhere has more."""

HF_BANDS: Final = ("band_5000_10000_m_s2", "band_10000_20000_m_s2")
OCTAVE_KURTOSES: Final = (
    "kurtosis_500_1000",
    "kurtosis_1000_2500",
    "kurtosis_2500_5000",
    "kurtosis_5000_10000",
    "kurtosis_10000_20000",
)


def found(fault: Fault) -> Measure:
    """How sure the bearing rule is of a fault, over the last blocks.

    Of a rolling element or a cage the highest, where two blocks or more say so (they strike now and then); of
    a ring the median, a block without it counting as 0.
    """

    def measure(view: PointView) -> Reading:
        judged = _findings(view)
        if not judged:
            return UNREAD
        sure = np.array([f.confidence if f.fault is fault else 0.0 for f in judged])
        now_and_then = fault in (Fault.ROLLING_ELEMENT, Fault.CAGE)
        if now_and_then and (len(sure) < LEAST_BLOCKS or np.count_nonzero(sure) >= 2):
            value = float(sure.max())
        else:
            value = float(np.median(sure))
        feature = f"{DEFECT_OF[fault]}_harmonics"
        return Reading(
            value, feature, params={"count": float(np.count_nonzero(sure)), "of": float(sure.size)}
        )

    return measure


def _findings(view: PointView) -> list[Finding]:
    last = view.point.findings[-RECENT_BLOCKS:]
    return [f for f in last if not isinstance(f, Refusal)]


def late_bearing(view: PointView) -> Reading:
    """How many times its baseline the acceleration is where the bearing rule names a fault in most of the
    last blocks, or the lines of one say so; 0 where neither does, or where there is no baseline.

    A shaft that moves in the clearance of a spalled bearing makes harmonics of its own, and the floor fills
    the places of slow lines (stage 4 of the trade): neither is then a coupling's or a belt's.
    """
    named = any(
        found(fault)(view).value >= NAMED or lines_of_late(fault)(view).value >= LATE_LINES
        for fault in BEARING_FAULTS
    )
    ratio = view.highest_ratio("acceleration_rms_m_s2")
    return Reading(ratio if named and not np.isnan(ratio) else 0.0, "acceleration_rms_m_s2")


def newest(view: PointView, fault: Fault) -> Finding | None:
    """The newest block in which the bearing rule named that fault."""
    return next((f for f in reversed(_findings(view)) if f.fault is fault), None)


def comb_over_baseline(fault: Fault) -> Measure:
    """The modulation by a defect's lines over its baseline, where its comb has three harmonics; the highest.

    A comb alone is no fault: healthy bearings have weak ones.
    """
    defect = DEFECT_OF[fault]

    def measure(view: PointView) -> Reading:
        found = []
        for channel in view.point.channels:
            count = view.level(channel, f"{defect}_harmonics")
            ratio = view.ratio(channel, f"{defect}_modulation")
            if not np.isnan(count + ratio):
                found.append(ratio if count >= LEAST_HARMONICS else 0.0)
        return Reading(max(found), f"{defect}_modulation") if found else UNREAD

    return measure


def unasked(measure: Measure) -> Measure:
    """What stands in for the bearing rule where that judged no block; unknown where it did."""
    return lambda view: UNREAD if _findings(view) else measure(view)


def lines_over_baseline(fault: Fault) -> Measure:
    """The defect's lines in the acceleration spectrum itself over their baseline: stage 3."""
    defect = DEFECT_OF[fault]
    return lambda view: Reading(view.highest_ratio(f"{defect}_m_s2"), f"{defect}_m_s2")


def lines_of_late(fault: Fault) -> Measure:
    """The same where they are a spall's: its comb stands in the envelope, and no band rose half as much.

    In the last stages shocks overlap and smear: the envelope, by which the bearing rule goes, flattens, while
    the lines in the spectrum are tens of times what they were. 0 elsewhere.
    """
    defect = DEFECT_OF[fault]

    def measure(view: PointView) -> Reading:
        found = []
        for channel in view.point.channels:
            lines = view.ratio(channel, f"{defect}_m_s2")
            comb = view.level(channel, f"{defect}_harmonics")
            floor = max((r for f in FLOOR_BANDS if not np.isnan(r := view.ratio(channel, f))), default=np.nan)
            if not np.isnan(lines + comb + floor):
                found.append(lines if comb >= LEAST_HARMONICS and lines >= OUTGROWN * floor else 0.0)
        return Reading(max(found), f"{defect}_m_s2") if found else UNREAD

    return measure


def any_comb(view: PointView) -> Reading:
    """Harmonics of the strongest comb of any defect at this point, and what the bearing rule says besides.

    NaN where no comb could be searched and the bearing rule was silent: a defect can't be ruled out.
    """
    counts = [view.highest(f"{defect}_harmonics") for defect in BEARING_DEFECTS]
    judged = _findings(view)
    if judged:
        named = sum(f.fault is not None for f in judged)
        late = any(lines_of_late(fault)(view).value >= LATE_LINES for fault in BEARING_FAULTS)
        return Reading(5.0 if 2 * named > len(judged) or late else 0.0, "bpfo_harmonics")
    known = [count for count in counts if not np.isnan(count)]
    return Reading(max(known), "bpfo_harmonics") if known else UNREAD


def no_comb(view: PointView) -> Reading:
    """The same, unknown unless rings and elements were all searched, or the bearing rule was asked.

    A cage turns so slowly that few blocks hold enough of it; it makes no high frequencies by itself.
    """
    unsearched = [d for d in BEARING_DEFECTS[:3] if np.isnan(view.highest(f"{d}_harmonics"))]
    return any_comb(view) if _findings(view) or not unsearched else UNREAD


def ring_comb(view: PointView) -> Reading:
    """Harmonics of the outer or inner ring's comb in a band between 1 and 5 kHz: where fluting sings."""
    counts = []
    for defect in ("bpfo", "bpfi"):
        for channel in view.point.channels:
            band = view.level(channel, f"{defect}_band_hz")
            count = view.level(channel, f"{defect}_harmonics")
            counts += [count if 1000.0 <= band <= 2500.0 else 0.0] if not np.isnan(count + band) else []
    return Reading(max(counts), "bpfo_harmonics") if counts else UNREAD


def fluting(view: PointView) -> Reading:
    """Harmonics of a ring's comb between 1 and 5 kHz in a raised hum without shocks; 0 where one lacks.

    No current passes where nothing is electric: 0 there too.
    """
    if not driven_electrically(view.machine):
        return Reading(0.0, "bpfo_harmonics")
    comb, kurtosis = ring_comb(view).value, no_shocks(view).value
    hums = [view.highest_ratio(name) for name in ("band_1000_2500_m_s2", "band_2500_5000_m_s2")]
    calm = all(hum < ALERT_RATIO for hum in hums)
    if comb < ALL_HARMONICS or kurtosis > NO_SHOCKS or calm:
        return Reading(0.0, "bpfo_harmonics")
    hummed = any(hum >= ALERT_RATIO for hum in hums)
    return Reading(comb, "bpfo_harmonics") if hummed and not np.isnan(comb + kurtosis) else UNREAD


def driven_electrically(machine: MachineSpec) -> bool:
    """Whether a current may pass through the bearings."""
    return machine.motor is not None or machine.kind in ("motor", "gearmotor", "spindle")


def highest_octave_kurtosis(view: PointView) -> Reading:
    """The highest kurtosis of any band over any channel."""
    found = [(view.highest(name), name) for name in OCTAVE_KURTOSES]
    known = [pair for pair in found if not np.isnan(pair[0])]
    return Reading(*max(known)) if known else UNREAD


def no_shocks(view: PointView) -> Reading:
    """The same, unknown unless both bands between 1 and 5 kHz are known: no shock may hide in what is not."""
    unknown = [name for name in OCTAVE_KURTOSES[1:3] if np.isnan(view.highest(name))]
    return UNREAD if unknown else highest_octave_kurtosis(view)


def line_share(feature: str) -> Measure:
    """Share of a line in the energy of the velocity, the highest over the channels."""

    def measure(view: PointView) -> Reading:
        pairs = ((view.level(c, feature), view.level(c, view.velocity)) for c in view.point.channels)
        known = [min(1.0, (line / v) ** 2) for line, v in pairs if v > 0 and not np.isnan(line)]
        return Reading(max(known), feature, view.velocity) if known else UNREAD

    return measure


def line_over_1x(feature: str) -> Measure:
    """A line over 1x, the highest over the channels."""

    def measure(view: PointView) -> Reading:
        pairs = ((view.level(c, feature), view.level(c, ONE)) for c in view.point.channels)
        known = [line / one for line, one in pairs if one > 0 and not np.isnan(line)]
        return Reading(max(known), feature, ONE) if known else UNREAD

    return measure


def speed_span(view: PointView) -> Reading:
    """The highest speed of all blocks over the lowest."""
    speed = view.evidence.speed_hz
    known = speed[np.isfinite(speed) & (speed > 0)] if speed is not None else np.empty(0)
    return Reading(float(known.max() / known.min()) if known.size else np.nan, "speed")


def second_mesh_over_first(view: PointView) -> Reading:
    """Twice the mesh over the mesh, the highest over the channels."""
    pairs = ((view.level(c, "mesh_2x_m_s2"), view.level(c, "mesh_1x_m_s2")) for c in view.point.channels)
    known = [two / one for two, one in pairs if one > 0 and not np.isnan(two)]
    return Reading(max(known), "mesh_2x_m_s2", "mesh_1x_m_s2") if known else UNREAD


def supply_over_two(view: PointView) -> Reading:
    """Twice the supply over 2x, where both are known: it is the supply, not the shaft."""
    channel = view.strongest(SUPPLY, view.point.channels)
    if channel is None:
        return UNREAD
    two = second_harmonic(view, channel)
    return Reading(view.level(channel, SUPPLY) / two if two > 0 else np.nan, SUPPLY, TWO)


def elsewhere(measure: Measure) -> Measure:
    """The same at the other points of the machine, the highest: what the whole shaft shows."""

    def at_others(view: PointView) -> Reading:
        readings = [measure(other) for other in view.others]
        known = [r for r in readings if not np.isnan(r.value)]
        return max(known, key=lambda r: r.value, default=UNREAD)

    return at_others


def load_percent(view: PointView) -> Reading:
    """The load over the last blocks, in percent of nominal."""
    return Reading(recent(view.evidence.load), "load")
