"""What the ingest judged, as evidence for alarms. Pure.

A sensor at fault is evidence of the mode *sensor*, and makes what it measures unknown: never an alarm of the
machine.
"""

from __future__ import annotations

from typing import Final

from models.detection import sensors, temperature_sensors
from models.detection.zones import BLOCK_TOO_SHORT, Judgement
from models.diagnosis import BEARING_FAULTS, Diagnosis
from models.types import Refusal, State
from palier.alarm_finding import Finding
from palier.alarms import AlarmKey, Cause, Level, Mode, level_of

from .alarm_life import Evidence
from .watch_diagnosis import Examined

_OF_TEMPERATURE: Final = (
    temperature_sensors.OPEN_CIRCUIT,
    temperature_sensors.SHORT_CIRCUIT,
    temperature_sensors.TEMPERATURE_JUMP,
    temperature_sensors.SENSOR_OFF,
)

SENSOR_FAULTS: Final = frozenset(refusal.reason for refusal in (*sensors.REFUSALS, *_OF_TEMPERATURE)) - {
    BLOCK_TOO_SHORT.reason,
    sensors.FEW_STEPS.reason,
}
"""Reasons that lie with a sensor, its cable or its mounting. A short block and a quiet machine do not."""

ACTIONS: Final = {3: "action.plan", 4: "action.intervene", 5: "action.stop"}
"""What to do by severity; below it there is nothing to do, and no alarm."""

HOURS: Final = {3: 672.0, 4: 72.0, 5: 0.0}
"""What each severity leaves, in hours; the sentences of `ACTIONS` say the same."""

UNJUDGED: Final = frozenset({State.UNKNOWN, State.UNCONFIGURED, State.TRANSIENT, State.STOPPED})
"""States in which a value says nothing for or against an alarm."""

SHOCKS: Final = (
    *("envelope_modulation", "envelope_rms_m_s2", "kurtosis", "crest_factor", "acceleration_rms_m_s2"),
    *("band_1000_2500_m_s2", "band_2500_5000_m_s2", "band_5000_10000_m_s2", "band_10000_20000_m_s2"),
)
"""What the shocks of a damaged bearing raise beside its own lines (Randall & Antoni 2011, §2)."""

GATEWAY_ACTION: Final = "remedy.check_gateway"
LEDGER_ACTION: Final = "action.account"
HOST_ACTION: Final = "remedy.one_host_id"


def of_judgement(
    key: AlarmKey,
    judgement: Judgement,
    ts_ns: int,
    *,
    feature: str,
    unit: str,
    live: bool = True,
    frame: str | None = None,
    criticality: str = "B",
    limits: tuple[float | None, float | None] = (None, None),
    sigma: float = 0.0,
) -> Evidence:
    """One judged value: `limits` are those of alert and danger, by which the dead band is measured."""
    level = level_of(judgement.state)
    alert, danger = limits
    if level is not None and judgement.limit is not None:  # the one that was exceeded is always known
        alert = judgement.limit if level is Level.ALERT else alert
        danger = judgement.limit if level is Level.DANGER else danger
    cause = Cause(feature, judgement.value, unit, alert, danger, sigma, level)
    return Evidence(
        key,
        ts_ns,
        level,
        causes=(cause,),
        action=ACTIONS.get(judgement.severity, ""),
        deadline_h=HOURS.get(judgement.severity),
        live=live,
        known=judgement.state not in UNJUDGED,
        severity=judgement.severity,
        frame=frame or "",
        criticality=criticality,
    )


def finding_of(examined: Examined) -> Finding:
    """What an examination found, as its alarm tells it: the surest fault, with its own advice."""
    if isinstance(examined.found, Refusal):
        return Finding(examined.ts_ns, reason=examined.found.reason, remedy=examined.found.remedy)
    if not examined.found:
        return Finding(examined.ts_ns)
    surest, *others = examined.found
    advice = next(a for a in examined.advice if (a.fault, a.point) == (surest.fault, surest.point))
    return Finding(
        examined.ts_ns,
        fault=surest.fault.value,
        confidence=round(surest.confidence, 3),
        severity=surest.severity,
        action=advice.action.value,
        deadline_h=advice.deadline_h,
        task=advice.task,
        at=surest.point,
        also=tuple((other.fault.value, round(other.confidence, 3)) for other in others),
        columns=_columns_for(surest),
    )


def _columns_for(named: Diagnosis) -> tuple[str, ...]:
    """The features that speak for a fault, each once."""
    seen = [item.feature for item in named.evidence if item.feature and item.weight > 0 and item.met > 0]
    return tuple(dict.fromkeys([*seen, *(SHOCKS if named.fault in BEARING_FAULTS else ())]))


def of_sensor(
    key: AlarmKey,
    refusals: tuple[tuple[str, Refusal], ...],
    ts_ns: int,
    *,
    live: bool = True,
    frame: str | None = None,
) -> Evidence:
    """What is doubted of a point's sensors in one block: (channel, refusal), none where all is well.

    `key` is that of the point, of mode sensor.
    """
    faults = [(channel, refusal) for channel, refusal in refusals if refusal.reason in SENSOR_FAULTS]
    causes = tuple(Cause(refusal.reason, level=Level.ALERT, channel=channel) for channel, refusal in faults)
    return Evidence(
        key,
        ts_ns,
        Level.ALERT if faults else None,
        causes=causes,
        action=f"remedy.{faults[0][1].remedy}" if faults else "",
        live=live,
        frame=frame or "",
    )


def of_gateway(site: str, node: str, ts_ns: int, *, offline: bool) -> Evidence:
    """A gateway said that it is gone, or that it is there."""
    return Evidence(
        AlarmKey(site, node, "", Mode.GATEWAY),
        ts_ns,
        Level.ALERT if offline else None,
        causes=(Cause("gateway_offline", level=Level.ALERT),) if offline else (),
        action=GATEWAY_ACTION if offline else "",
    )


def of_host(site: str, host_id: str, ts_ns: int, *, taken: bool) -> Evidence:
    """Another ingest uses this one's host_id, or no more: an alarm of the link, named by the host."""
    return Evidence(
        AlarmKey(site, host_id, "", Mode.GATEWAY),
        ts_ns,
        Level.ALERT if taken else None,
        causes=(Cause("host_id_taken", level=Level.ALERT),) if taken else (),
        action=HOST_ACTION if taken else "",
    )


def of_ledger(
    site: str, node: str, ts_ns: int, *, adds_up: bool | None, missing: int = 0, twice: int = 0
) -> Evidence:
    """A gateway's frames add up, or not: so many are missing, or there twice. None while it is silent, or
    within its grace, which says nothing.
    """
    counts = (("frames_missing", missing), ("frames_twice", twice))
    named = [Cause(name, float(n), level=Level.ALERT) for name, n in counts if n]
    causes = tuple(named) or (Cause("does_not_add_up", level=Level.ALERT),)
    return Evidence(
        AlarmKey(site, node, "", Mode.LEDGER),
        ts_ns,
        Level.ALERT if adds_up is False else None,
        causes=causes if adds_up is False else (),
        action=LEDGER_ACTION if adds_up is False else "",
        known=adds_up is not None,
    )
