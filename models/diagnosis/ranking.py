"""The verdict on a machine: the rules held against all its points, ranked, each with its severity."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from models.types import MachineSpec, Refusal, State

from . import measures as m
from .evidence import Evidence
from .faults import RULE_OF, RULES
from .measures_parts import newest
from .measures_shaft import unresolved_supply
from .rules import LookAlike, Rule, Sign, Weighed, item_of, weigh
from .severity import ENVELOPE, bearing_stage, indicators, severity
from .types import BEARING_FAULTS, Diagnosis, EvidenceItem, Fault
from .view import LEAST_BLOCKS, PointView, recent, views_of

NAMED_FROM: Final = 0.5
MOST: Final = 3
LEAST_FEATURES: Final = 2
"""One number alone names no fault: what it shows may be a fault of its own making."""

MOST_SURE: Final = 0.98
"""Nobody is certain of what nobody has opened."""

SINGLE_RECORD: Final = 0.9
DOUBT: Final = 0.9
"""What a single record, and each doubt about a sensor, leave of a score."""

UNSEPARATED: Final = 0.9
"""What is left of a score where another fault looks the same: nothing measured excludes one of the two."""

ROUGH_SPEED: Final = 0.005
"""From half a percent of doubt about the speed on, lines may be those of a neighbour: that too is a doubt."""

SURE_BEARING: Final = 0.8
"""From here on a bearing fault without a baseline asks for a plan, below it for a closer watch."""

STOPPED: Final = Refusal("machine_stopped", "measure_running")
TRANSIENT: Final = Refusal("machine_transient", "wait_until_steady")
NO_BLOCKS: Final = Refusal("no_data", "check_gateway")
SPEED_UNKNOWN: Final = Refusal("speed_unknown", "give_speed")
NOTHING_TO_COMPARE: Final = Refusal("nothing_to_compare", "name_limits_or_learn")

REFUSALS: Final = (STOPPED, TRANSIENT, NO_BLOCKS, SPEED_UNKNOWN, NOTHING_TO_COMPARE)
"""Every refusal of a diagnosis: a locale must have a sentence for each."""

WATCHED: Final = (
    "velocity_rms_mm_s",
    "velocity_rms_low_mm_s",
    "acceleration_rms_m_s2",
    "band_250_500_m_s2",
    "band_500_1000_m_s2",
    "band_1000_2500_m_s2",
    "band_2500_5000_m_s2",
    "band_5000_10000_m_s2",
    "band_10000_20000_m_s2",
    "order_1x_mm_s",
    "order_2x_mm_s",
    "mesh_1x_m_s2",
    "mesh_2x_m_s2",
    "vane_pass_mm_s",
    "twice_supply_mm_s",
    *ENVELOPE,
)
"""What is not as it was: levels whose ratio to the baseline is an anomaly by itself."""


NO_REASON: Final = frozenset(
    {
        "raised",
        "velocity_zone",
        "velocity_limit",
        "rise_in_zone",
        "no_comb",
        "no_shocks",
        "loaded",
        "equal_directions",
        "speed_span",
        "sidebands_low",
    }
)
"""Evidence that makes no fault a candidate by itself: the anomaly, and what most sound machines show."""


def _told(view: PointView) -> tuple[str, ...]:
    """Features that detection watches besides."""
    return tuple(name for channel in view.point.channels for name in channel.alert_ratios)


_ANOMALIES: Final = (
    Sign("velocity_zone", m.worst_zone, limit=2.0, full=4.0),
    Sign("rise_in_zone", m.rise_in_zone, limit=m.IN_B_SHARE, full=2 * m.IN_B_SHARE),
    Sign("raised", lambda view: m.raised(*WATCHED, *_told(view))(view), limit=2.0, full=4.0),
    Sign("temperature", m.temperature_severity, limit=3.0, full=5.0),
)


def diagnose(machine: MachineSpec, evidence: Evidence) -> tuple[Diagnosis, ...] | Refusal:
    """What is wrong with a machine: at most three faults, the likeliest first; empty where nothing shows.

    An anomaly that no rule explains to one half is `Fault.UNIDENTIFIED`, with what it may be. Refused are a
    machine at rest or in a transient, evidence without a block, a calm machine whose speed nobody knows (its
    lines can't be looked at), and one with neither limits nor baseline nor bearing to hold it against.
    """
    refusal = _refused(evidence)
    if refusal is not None:
        return refusal
    views = views_of(machine, evidence)
    held = [(view, weigh(rule, view)) for view in views for rule in RULES if rule.applies(machine)]
    named = _named([(view, weighed, _confidence(view, weighed)) for view, weighed in held])
    if named:
        return tuple(_diagnosis(view, weighed, sure) for view, weighed, sure in named[:MOST])
    strange = [(view, items) for view in views if (items := anomalies(view))]
    if strange:
        return (_unidentified(strange, held),)
    if all(np.isnan(view.shaft_hz) for view in views):
        return SPEED_UNKNOWN
    return () if any(_comparable(view) for view in views) else NOTHING_TO_COMPARE


def confidences(machine: MachineSpec, evidence: Evidence) -> dict[Fault, float]:
    """The confidence 0..1 of every fault that a machine may have, the highest over its points.

    0 where needed evidence is absent or unknown. What `diagnose` ranks, before anything is left out.
    """
    views = views_of(machine, evidence)
    return {
        rule.fault: max((_confidence(view, weigh(rule, view)) for view in views), default=0.0)
        for rule in RULES
        if rule.applies(machine)
    }


def _refused(evidence: Evidence) -> Refusal | None:
    if evidence.regime is State.STOPPED or recent(evidence.speed_hz) == 0:
        return STOPPED
    if evidence.regime is State.TRANSIENT:
        return TRANSIENT
    known = (
        np.isfinite(series).any()
        for p in evidence.points
        for c in p.channels
        for series in c.features.values()
    )
    return None if any(known) or any(p.findings for p in evidence.points) else NO_BLOCKS


_Candidate = tuple[PointView, Weighed, float]


def _named(held: list[_Candidate]) -> list[_Candidate]:
    """Those that reach one half, the surest first; a fault of the machine once, where it shows best."""
    ranked = sorted((c for c in held if c[2] >= NAMED_FROM), key=lambda c: (c[2], c[1].score), reverse=True)
    kept: list[_Candidate] = []
    for view, weighed, sure in ranked:
        rule = weighed.rule
        twice = any(
            k.rule.fault is rule.fault and (not rule.local or v.point.id == view.point.id) for v, k, _ in kept
        )
        if not twice:
            kept.append((view, weighed, sure))
    return kept


def _confidence(view: PointView, weighed: Weighed) -> float:
    """The score times what the data are worth; 0 where needed evidence is absent or unknown."""
    if weighed.refuted or weighed.missing:
        return 0.0
    alone = newest(view, weighed.rule.fault) is not None  # the bearing rule is made for one block
    sure = min(MOST_SURE, weighed.score) * quality(view, few=not alone)
    if weighed.rule.fault not in BEARING_FAULTS and _alike(view, weighed.rule):
        sure *= UNSEPARATED
    items = [item for item in _explained(view, weighed) if item.weight >= 0 and item.met > 0]
    features = {item.feature for item in items} | {str(item.params.get("against", "")) for item in items}
    return sure if len(features - {""}) >= LEAST_FEATURES else min(sure, NAMED_FROM * 0.99)


def quality(view: PointView, *, few: bool = True) -> float:
    """What the data of a point are worth, 0..1: doubts, the speed's own, and, with `few`, too few blocks."""
    doubts = {doubt.reason for channel in view.point.channels for doubt in channel.doubts}
    if recent(view.evidence.speed_sigma_hz) > ROUGH_SPEED * view.machine_hz:
        doubts.add("speed")
    few = few and view.evidence.n_blocks < LEAST_BLOCKS
    return (SINGLE_RECORD if few else 1.0) * DOUBT ** len(doubts)


def anomalies(view: PointView) -> tuple[EvidenceItem, ...]:
    """What is not as it should be at a point, whatever its cause."""
    items = []
    for sign in _ANOMALIES:
        reading, met = sign.read(view)
        if met > 0:
            items.append(item_of(sign, reading, weight=0.0, met=met, point=view.point.id))
    return tuple(items)


def _comparable(view: PointView) -> bool:
    """Whether anything could have shown a fault here."""
    ratios = any(np.isfinite(r).any() for c in view.point.channels for r in c.ratios.values())
    judged = any(not isinstance(f, Refusal) for f in view.point.findings)
    return ratios or judged or not np.isnan(m.worst_zone(view).value)


def _diagnosis(view: PointView, weighed: Weighed, sure: float) -> Diagnosis:
    rule, look_alikes = weighed.rule, _alike(view, weighed.rule)
    finding = newest(view, rule.fault)
    theirs = finding.not_separated if finding is not None else ()
    by = [key for look in look_alikes.values() for key in look.by] + list(rule.confirm)
    evidence = sorted(_explained(view, weighed), key=lambda item: -abs(item.weight) * item.met)
    return Diagnosis(
        fault=rule.fault,
        confidence=round(float(sure), 3),
        severity=_severity(view, rule.fault, sure),
        point=view.point.id,
        evidence=(*evidence, *_remarks(view, rule.fault)),
        not_separated=tuple(dict.fromkeys([*look_alikes, *theirs])),
        separate_by=tuple(dict.fromkeys([*by, *_few(view)])),
    )


def _alike(view: PointView, rule: Rule) -> dict[Fault, LookAlike]:
    """What this machine may have as well as the fault of a rule, and nothing measured tells from it."""
    return {
        look.fault: look
        for look in rule.look_alikes
        if (look.undescribed or RULE_OF[look.fault].applies(view.machine)) and not look.told_apart(view)
    }


def _explained(view: PointView, weighed: Weighed) -> tuple[EvidenceItem, ...]:
    """The evidence of a rule, and beside it what the bearing rule itself says of the newest such block."""
    finding = newest(view, weighed.rule.fault)
    if finding is None:
        return weighed.evidence
    theirs = [replace(i, point=view.point.id) for i in finding.evidence if i.met > 0]
    return (*weighed.evidence, *theirs)


def _remarks(view: PointView, fault: Fault) -> tuple[EvidenceItem, ...]:
    """What qualifies a verdict without speaking for it: how little was seen, how far a bearing has come."""
    items = []
    if fault in BEARING_FAULTS:
        params = {"value": float(bearing_stage(view))}
        items.append(EvidenceItem("bearing_stage", 0.0, 1.0, params=params, point=view.point.id))
    if view.evidence.n_blocks < LEAST_BLOCKS:
        params = {"value": float(view.evidence.n_blocks)}
        items.append(EvidenceItem("single_record", 0.0, 1.0, params=params, point=view.point.id))
    return tuple(items)


def _few(view: PointView) -> tuple[str, ...]:
    return ("more_blocks",) if view.evidence.n_blocks < LEAST_BLOCKS else ()


def _severity(view: PointView, fault: Fault, sure: float) -> int:
    """At least 2: a fault with a name is something to watch."""
    named = (3 if sure >= SURE_BEARING else 2) if fault in BEARING_FAULTS else 0
    return max(2, severity(indicators(view), named_bearing=named).level)


def _unidentified(
    strange: list[tuple[PointView, tuple[EvidenceItem, ...]]], held: list[tuple[PointView, Weighed]]
) -> Diagnosis:
    """The worst anomaly, and what it may be: rules that nothing refutes, and what is missing to decide."""
    view, items = max(strange, key=lambda pair: severity(indicators(pair[0])).level)
    candidates = sorted(
        (w for v, w in held if v is view and not w.refuted and _anything(w)), key=lambda w: -w.score
    )[:MOST]
    return Diagnosis(
        fault=Fault.UNIDENTIFIED,
        confidence=round(quality(view), 3),
        severity=max(2, severity(indicators(view)).level),
        point=view.point.id,
        evidence=(*items, *_remarks(view, Fault.UNIDENTIFIED)),
        not_separated=tuple(dict.fromkeys([*unresolved_supply(view), *(w.rule.fault for w in candidates)])),
        separate_by=tuple(dict.fromkeys([*_missing(view, candidates), *_few(view), "full_survey"])),
    )


def _anything(weighed: Weighed) -> bool:
    """Whether something besides the anomaly itself, and what is absent, speaks for a rule."""
    return any(item.weight > 0 and item.key not in NO_REASON for item in weighed.evidence)


def _missing(view: PointView, candidates: list[Weighed]) -> list[str]:
    """What was not measured and would decide."""
    keys = []
    if np.isnan(view.shaft_hz):
        keys.append("measure_speed")
    if view.spec is None or view.spec.bearing is None:
        keys.append("name_bearing")
    if not view.axial and not np.isnan(view.shaft_hz):
        keys.append("axial_reading")
    if unresolved_supply(view):
        keys += ["longer_block", "power_off"]
    return keys + [key for w in candidates for key in w.rule.confirm[:1]]
