"""What the ingest judged, as evidence for alarms. Pure.

A sensor at fault is evidence of the mode *sensor*, and makes what it measures unknown: never an alarm of the
machine.
"""

from __future__ import annotations

from typing import Final

from models.detection import sensors, temperature_sensors
from models.detection.zones import BLOCK_TOO_SHORT, Judgement
from models.types import Refusal, State
from palier.alarms import AlarmKey, Cause, Level, Mode, level_of

from .alarm_life import Evidence

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

UNJUDGED: Final = frozenset({State.UNKNOWN, State.UNCONFIGURED, State.TRANSIENT, State.STOPPED})
"""States in which a value says nothing for or against an alarm."""

GATEWAY_ACTION: Final = "remedy.check_gateway"
LEDGER_ACTION: Final = "action.account"


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
        live=live,
        known=judgement.state not in UNJUDGED,
        severity=judgement.severity,
        frame=frame or "",
        criticality=criticality,
    )


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


def of_ledger(site: str, node: str, ts_ns: int, *, adds_up: bool | None) -> Evidence:
    """A gateway's frames add up, or not; None while it is silent, which says nothing."""
    return Evidence(
        AlarmKey(site, node, "", Mode.LEDGER),
        ts_ns,
        Level.ALERT if adds_up is False else None,
        causes=(Cause("does_not_add_up", level=Level.ALERT),) if adds_up is False else (),
        action=LEDGER_ACTION if adds_up is False else "",
        known=adds_up is not None,
    )
