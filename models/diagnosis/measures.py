"""What rules measure anywhere: ratios to the baseline, shares, zones, temperature, steps and ramps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.bands import CRITERION_II
from models.detection.zones import judge

from .evidence import ChannelEvidence, Floats
from .lines import stands_out
from .rules import UNREAD, Measure, Of, Reading
from .view import ALERT_RATIO, RECENT_BLOCKS, PointView, recent

TIME: Final = "time"
EVENT: Final = "event"
"""What a level is compared with besides another one: its own past."""

IN_B_SHARE: Final = CRITERION_II
"""What the detector alerts of in any zone makes a machine that has left zone A one to be watched."""


def raised(*features: str, radial: bool = False) -> Measure:
    """The highest ratio to the baseline of some features, held to the alert limit where detection has one.

    Over any channel, or those across the shaft. A line that is noise in its place counts as not raised,
    unless detection watches it.
    """

    def measure(view: PointView) -> Reading:
        channels = view.radial if radial else view.point.channels
        found = [_ratio(view, c, name) for c in channels for name in features]
        known = [r for r in found if not np.isnan(r.value)]
        return max(known, key=lambda r: r.value / (r.limit or ALERT_RATIO), default=UNREAD)

    return Of(features, measure)


def _ratio(view: PointView, channel: ChannelEvidence, feature: str) -> Reading:
    ratio, told = view.ratio(channel, feature), channel.alert_ratios.get(feature)
    if told is None and ratio > 1.0 and not stands_out(view, channel, feature):
        ratio = 1.0
    return Reading(ratio, feature, limit=told, params={"feature": feature})


def lowest_raised(*features: str) -> Measure:
    """The lowest ratio among some features, each at the channel where it is highest: all of them rose."""

    def measure(view: PointView) -> Reading:
        found = [(over_baseline(name)(view).value, name) for name in features]
        known = [pair for pair in found if not np.isnan(pair[0])]
        if len(known) < 2:
            return UNREAD
        (value, name), (_, other) = sorted(known)[:2]
        return Reading(value, name, other, params={"feature": name})

    return Of(features, measure)


def over_baseline(feature: str) -> Measure:
    """The highest ratio of one feature to its baseline, whatever detection's limit."""

    def measure(view: PointView) -> Reading:
        found = [_ratio(view, c, feature).value for c in view.point.channels]
        value = max((ratio for ratio in found if not np.isnan(ratio)), default=np.nan)
        return Reading(value, feature, params={"feature": feature})

    return Of((feature,), measure)


def level_of(*features: str, of_all: bool = False) -> Measure:
    """The highest level of some features over any channel; `of_all`: unknown unless all of them are known."""

    def measure(view: PointView) -> Reading:
        found = [(view.highest(name), name) for name in features]
        known = [pair for pair in found if not np.isnan(pair[0])]
        if not known or (of_all and len(known) < len(found)):
            return UNREAD
        value, name = max(known)
        return Reading(value, name, params={"feature": name})

    return Of(features, measure)


def zone_of(view: PointView, channel: ChannelEvidence) -> Reading:
    """The velocity of a channel against its limits: the value is the severity of its zone, 1..5."""
    limits = channel.limits
    if limits is None:
        return UNREAD
    speed = None if np.isnan(view.shaft_hz) else view.shaft_hz
    feature = limits.feature(speed)
    value = view.level(channel, feature)
    judgement = judge(None if np.isnan(value) else value, limits, speed_hz=speed)
    if judgement.severity == 0:
        return UNREAD
    # What has no zone is told by the limit that it exceeds.
    params: dict[str, float | str] = {
        "velocity": value,
        "zone": judgement.zone or "",
        "limit_name": judgement.limit_name or limits.names[0],
        "boundary": judgement.limit if judgement.limit is not None else limits.values[0],
    }
    key = "velocity_zone" if judgement.zone else "velocity_limit"
    return Reading(float(judgement.severity), feature, params=params, key=key)


def worst_zone(view: PointView) -> Reading:
    """The worst zone of the velocity at this point, as a severity 1..5."""
    return worst_of([zone_of(view, c) for c in view.point.channels])


def worst_of(readings: Sequence[Reading]) -> Reading:
    """The highest of some readings of zones or rises, then that of the highest velocity."""
    known = [r for r in readings if not np.isnan(r.value)]
    return max(known, key=lambda r: (r.value, r.params.get("velocity", 0.0)), default=UNREAD)


def rise_in_zone(view: PointView) -> Reading:
    """The greatest such rise of the channels of this point."""
    return worst_of([rise_of(view, c) for c in view.point.channels])


def rise_of(view: PointView, channel: ChannelEvidence) -> Reading:
    """How far a velocity is above its baseline, as a share of the B/C boundary, where zones apply."""
    limits = channel.limits
    if limits is None or len(limits.values) < 2:
        return UNREAD
    feature = limits.feature(None if np.isnan(view.shaft_hz) else view.shaft_hz)
    value, ratio = view.level(channel, feature), view.ratio(channel, feature)
    if not ratio > 0 or np.isnan(value) or value <= limits.values[0]:
        return UNREAD
    share = (value - value / ratio) / limits.values[1]
    return Reading(share, feature, params={"velocity": value, "reference": value / ratio})


def temperature_severity(view: PointView) -> Reading:
    """Temperature of the housing against its limits: 1 normal, 3 alert, 5 danger.

    Absolute and over ambient against the limits given; against what load, speed and ambient explain, +10 K is
    alert and +20 K danger (common practice; there is no ISO standard of it), unless it varies more by itself.
    """
    point, best = view.point, UNREAD
    slow = (
        ("temperature_c", point.temperature_c, point.temperature_limits, "temperature"),
        ("temperature_rise_k", point.rise_k, point.rise_limits, "temperature_rise"),
    )
    for feature, series, limits, key in slow:
        value = recent(series)
        if limits is None or np.isnan(value):
            continue
        judgement = judge(value, limits)
        boundary = judgement.limit if judgement.limit is not None else limits.values[0]
        params = {"temperature": value, "boundary": boundary}
        best = _worse(best, Reading(float(judgement.severity), feature, params=params, key=key))
    residual = recent(point.residual_k)
    if not np.isnan(residual):
        alert, danger = point.residual_limits
        severity, boundary = (5.0, danger) if residual > danger else (3.0 if residual > alert else 1.0, alert)
        params = {"temperature": residual, "boundary": boundary}
        best = _worse(
            best, Reading(severity, "temperature_residual_k", params=params, key="temperature_residual")
        )
    return best


def warmer(view: PointView) -> Reading:
    """By how many K the housing is warmer than load, speed and ambient explain."""
    return Reading(recent(view.point.residual_k), "temperature_residual_k")


def stepped(feature: str, *, within_h: float) -> Measure:
    """How many times higher a radial feature stayed after a step between two blocks, so close in time."""

    def measure(view: PointView) -> Reading:
        channel, hours = view.strongest(feature, view.radial), view.evidence.hours
        if channel is None or hours is None:
            return UNREAD
        return Reading(_sudden(channel.features[feature], hours, within_h), feature, TIME)

    return measure


def since(event: str, feature: str, *, moved: bool = False) -> Measure:
    """Level after an event of `Events` over that before it, the greatest over the channels.

    `moved`: by which share of itself it changed, up or down.
    """

    def measure(view: PointView) -> Reading:
        hours, moment = view.evidence.hours, float(getattr(view.evidence.events, event))
        if hours is None or np.isnan(moment) or not view.placed(feature):
            return UNREAD
        series = [c.features[feature] for c in view.point.channels if feature in c.features]
        changes = [_change(y, hours >= moment) for y in series]
        if moved:
            changes = [abs(1 - change) for change in changes]
        known = [change for change in changes if not np.isnan(change)]
        return Reading(max(known), feature, EVENT) if known else UNREAD

    return measure


def dropped_since(event: str, feature: str) -> Measure:
    """By which share of itself a feature fell after an event, the least over the channels."""
    change = since(event, feature)

    def measure(view: PointView) -> Reading:
        reading = change(view)
        return Reading(1 - reading.value, feature, EVENT)

    return measure


def _sudden(series: Floats, hours: Floats, within_h: float) -> float:
    """The largest lasting change between two neighbours: what comes after it over what came before."""
    known = np.isfinite(series)
    y, t = series[known], hours[known]
    best = np.nan
    for k in range(3, y.size - 2):
        if t[k] - t[k - 1] > within_h or y[k - 1] <= 0:
            continue
        before, after = y[k - 3 : k], y[k : k + 3]
        # All of what follows is above all of what came before: a ramp or noise is no step.
        change = float(after.min() / before.max()) if before.max() > 0 else np.nan
        best = float(np.fmax(best, change))
    return best


def _change(series: Floats, after: npt.NDArray[np.bool_]) -> float:
    """Median after over median before, of at least three known values each, up to five next to the event."""
    later, before = series[after], series[~after]
    later, before = later[np.isfinite(later)][:RECENT_BLOCKS], before[np.isfinite(before)][-RECENT_BLOCKS:]
    if later.size < 3 or before.size < 3 or np.median(before) <= 0:
        return np.nan
    return float(np.median(later) / np.median(before))


def _worse(a: Reading, b: Reading) -> Reading:
    return b if np.isnan(a.value) or b.value > a.value else a
