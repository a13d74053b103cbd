"""What detector, health index and housings remember of points, as arrays by name: a row of each is a
point's."""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt

from models.detection.charts import Charts
from models.detection.housing import HousingState
from models.detection.monitor import MonitorState
from models.detection.persistence import Latches
from models.diagnosis.health import HealthState

from .watch_packing import Arrays, Layout

_SELDOM: Final = "means"
"""Means of 6 h: half of all that is remembered, and it changes four times a day."""

_NOISY: Final = ("ewma", "up", "down", "bin_sum", "held", "recent")


def told(monitor: MonitorState, health: HealthState, housing: HousingState) -> dict[str, npt.NDArray[Any]]:
    """What is remembered of n points."""
    charts, latches = monitor.charts, monitor.latches
    return {
        "time_s": monitor.time_s, "speed_hz": monitor.speed_hz, "stopped_s": monitor.stopped_s,
        "counted_s": monitor.counted_s, "said": monitor.said, "level": monitor.level,
        "ewma": charts.ewma, "up": charts.up, "down": charts.down,
        "on": latches.on, "run": latches.run, "calm": latches.calm, "since_s": latches.since_s,
        "bin": monitor.bin, "bin_sum": monitor.bin_sum, "bin_count": monitor.bin_count,
        "means": monitor.means,
        "held": health.held, "recent": health.recent.swapaxes(0, 1), "rising": health.rising,
        "air_h": housing.time_h, "air": housing.cause, "felt": housing.lagged, "felt_known": housing.known,
        "probe": housing.probe,
    }  # fmt: skip


def monitor_of(told: Arrays) -> MonitorState:
    """The detector's part."""
    return MonitorState(
        time_s=told["time_s"], speed_hz=told["speed_hz"], stopped_s=told["stopped_s"],
        counted_s=told["counted_s"], said=told["said"], level=told["level"],
        charts=Charts(told["ewma"], told["up"], told["down"]),
        latches=Latches(told["on"], told["run"], told["calm"], told["since_s"]),
        bin=told["bin"], bin_sum=told["bin_sum"], bin_count=told["bin_count"], means=told["means"],
    )  # fmt: skip


def health_of(told: Arrays) -> HealthState:
    """The health index's part."""
    return HealthState(told["held"], told["recent"].swapaxes(0, 1), told["rising"])


def housing_of(told: Arrays) -> HousingState:
    """The part of the housings' temperatures."""
    return HousingState(told["air_h"], told["air"], told["felt"], told["felt_known"], told["probe"])


def layout_of(monitor: MonitorState, health: HealthState, housing: HousingState) -> Layout:
    """How points that remember as these do are kept."""
    return Layout(told(monitor, health, housing), seldom=_SELDOM, tag="bin", noisy=_NOISY)
