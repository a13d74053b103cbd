"""`palier bench adaptive`: what it says of a run, and a short one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.adaptive import MOST_SHARE, Alert, Report, Week, alert_of, week_of
from benchmarks.machine import look
from simulators.tasks import read_options

SMALL = {"interval_s": 600.0, "machines": ["P-101"], "block_s": 0.64}
HEALTHY = Week(7, 10_080, 10, 10**9, Counter(waveforms=10**7), Counter(waveforms=70), 0.02, 10**9)
ALERT = Alert(24, 24, 0, 10)


def report(week: Week = HEALTHY, alert: Alert = ALERT) -> Report:
    return Report(look(), week, alert, None)


def test_it_fails_where_too_much_is_sent_or_something_is_missing() -> None:
    assert not report().failed
    assert report(replace(HEALTHY, bytes=Counter(waveforms=int(1e9 * MOST_SHARE) + 1))).failed
    assert report(replace(HEALTHY, frames=Counter(waveforms=69))).failed
    assert report(alert=replace(ALERT, arrived=23)).failed
    assert report(alert=replace(ALERT, twice=1)).failed
    assert report(alert=Alert(0, 0, 0, 0)).failed


@pytest.mark.long
def test_a_day_of_a_pump_and_an_alert() -> None:
    day = week_of(1, read_options(SMALL))
    assert day.met
    assert (day.blocks, day.points, day.frames["features"]) == (288, 2, 288)
    assert day.share < 0.01
    alert = alert_of(read_options(SMALL | {"scenario": "degradation"}))
    assert alert.met
    assert alert.wanted == 24
    found = report(day, alert).as_json()
    assert found["week"]["met"]
    assert found["alert"]["arrived"] == 24
