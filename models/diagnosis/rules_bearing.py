"""Rules for rolling bearings: what the bearing rule finds, what stands beside it, and what is no spall.

A ring, an element or a cage is as sure as the bearing rule is, and surer by what supports it.
"""

from __future__ import annotations

from typing import Final

from . import measures as m
from . import measures_parts as parts
from .rules import Clause, LookAlike, Rule, Sign, excludes, known, needed, never, supports
from .types import Fault
from .view import PointView

DEFECTS: Final = "Randall & Antoni, MSSP 25 (2011) 485-520; ISO 13373-3:2015"


def _defect(
    fault: Fault,
    *more: Clause,
    confirm: tuple[str, ...] = ("portable_envelope",),
    look_alikes: tuple[LookAlike, ...] = (),
) -> Rule:
    return Rule(
        fault,
        (
            needed(
                1.0,
                Sign("bearing_found", parts.found(fault), limit=0.5, full=1.0, at_limit=0.5),
                Sign(
                    "comb_raised",
                    parts.unasked(parts.comb_over_baseline(fault)),
                    limit=2.0,
                    full=8.0,
                    trust=0.75,
                ),
                Sign(
                    "lines_raised",
                    parts.lines_of_late(fault),
                    limit=parts.LATE_LINES,
                    full=4 * parts.LATE_LINES,
                    trust=0.75,
                ),
            ),
            supports(0.1, Sign("raised", m.raised(*parts.HF_BANDS), limit=2.0, full=4.0)),
            supports(0.1, Sign("comb_raised", parts.comb_over_baseline(fault), limit=2.0, full=8.0)),
            supports(0.1, Sign("lines_raised", parts.lines_over_baseline(fault), limit=2.0, full=4.0)),
            supports(0.05, Sign("warmer", m.warmer, limit=5.0, full=10.0)),
            *more,
        ),
        source=DEFECTS,
        confirm=confirm,
        look_alikes=look_alikes,
        local=True,
    )


_FLUTED: Final = excludes(
    0.4, Sign("fluting", parts.fluting, limit=5.0, full=5.0), instead=(Fault.ELECTRICAL_EROSION,)
)
_NO_SPALL: Final = (
    LookAlike(Fault.ELECTRICAL_EROSION, known(parts.fluting), ("portable_envelope", "inspect_raceway")),
)

OUTER_RING: Final = _defect(Fault.OUTER_RING, _FLUTED, look_alikes=_NO_SPALL)
INNER_RING: Final = _defect(Fault.INNER_RING, _FLUTED, look_alikes=_NO_SPALL)
ROLLING_ELEMENT: Final = _defect(Fault.ROLLING_ELEMENT)
CAGE: Final = _defect(Fault.CAGE, confirm=("check_grease", "portable_envelope"))


ELECTRICAL_EROSION: Final = Rule(
    Fault.ELECTRICAL_EROSION,
    (
        needed(0.35, Sign("ring_comb", parts.ring_comb, limit=5.0, full=5.0)),
        needed(
            0.2,
            Sign("raised", m.raised("band_1000_2500_m_s2", "band_2500_5000_m_s2"), limit=2.0, full=4.0),
        ),
        needed(0.15, Sign("no_shocks", parts.no_shocks, limit=parts.NO_SHOCKS, full=3.0, at_limit=1.0)),
        supports(0.15, Sign("comb_raised", parts.comb_over_baseline(Fault.OUTER_RING), limit=2.0, full=8.0)),
        supports(0.15, Sign("speed_span", parts.speed_span, limit=1.05, full=1.1)),
    ),
    source="ISO 15243:2017, 5.4 (current leakage erosion); trade practice",
    confirm=("inspect_raceway", "shaft_voltage"),
    look_alikes=(LookAlike(Fault.OUTER_RING, never, ("inspect_raceway", "shaft_voltage")),),
    applies=parts.driven_electrically,
    local=True,
)

_CLOSURE: Final = m.dropped_since("greased_h", parts.HF_BANDS[0])


def _grease_helped(view: PointView) -> bool:
    return bool(_CLOSURE(view).value >= 0.3)


LUBRICATION: Final = Rule(
    Fault.LUBRICATION,
    (
        needed(0.4, Sign("raised", m.raised(*parts.HF_BANDS), limit=2.0, full=4.0)),
        needed(0.3, Sign("no_comb", parts.no_comb, limit=2.0, full=0.0, at_limit=1.0)),
        supports(0.2, Sign("warmer", m.warmer, limit=5.0, full=10.0)),
        supports(
            0.1,
            Sign("since_greased", _CLOSURE, limit=0.3, full=0.5),
        ),
        excludes(
            0.2,
            Sign(
                "random_from_1_khz",
                m.lowest_raised("band_1000_2500_m_s2", "band_2500_5000_m_s2"),
                limit=2.0,
                full=3.0,
            ),
            instead=(Fault.CAVITATION,),
        ),
        excludes(
            0.6,
            Sign("comb", parts.any_comb, limit=3.0, full=5.0),
            instead=(Fault.OUTER_RING, Fault.INNER_RING),
        ),
    ),
    source="trade practice: ultrasound-guided greasing; ISO 29821:2018",
    confirm=("grease_test",),
    look_alikes=(
        LookAlike(Fault.CAVITATION, lambda v: m.warmer(v).value >= 5.0, ("raise_suction", "grease_test")),
        # A bearing shows at high frequencies alone before it has lines: grease tells within minutes.
        LookAlike(Fault.OUTER_RING, _grease_helped, ("grease_test", "portable_envelope")),
        LookAlike(Fault.INNER_RING, _grease_helped, ("grease_test", "portable_envelope")),
    ),
    local=True,
)

BEARING_RULES: Final = (
    OUTER_RING,
    INNER_RING,
    ROLLING_ELEMENT,
    CAGE,
    ELECTRICAL_EROSION,
    LUBRICATION,
)
