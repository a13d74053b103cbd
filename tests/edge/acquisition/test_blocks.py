"""The frames of a cut, and what a birth announces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_agent.acquisition.acquisition import Cut
from edge_agent.acquisition.blocks import births_of, frames_of, rate_told
from edge_agent.acquisition.plan import Plan
from edge_agent.acquisition.sensor import Sensor
from palier.frames import QUALITY_BAD, QUALITY_GOOD, FrameError, Readings, Waveform
from palier.wire.danger import channel_of, velocity_channel

SENSOR = Sensor("P-101", "2", ("x", "y"), 25_600.0, (1e-3, 1e-3), "g", full_scale=16.0)


def test_a_long_block_is_a_waveform_at_its_own_rate() -> None:
    cut = Cut("L", 1_000, 2_560, 10, np.ones((2, 256), np.float32))
    (frame,) = frames_of(cut, SENSOR, start_ns=5_000, fs_hz=25_600.3, speed_rpm=300.0)
    assert isinstance(frame, Waveform)
    assert (frame.fs_hz, frame.start_ns, frame.speed_rpm, frame.unit) == (2_560.0, 5_000, 300.0, ("g", "g"))


def test_a_danger_block_is_readings_at_its_end_and_a_channel_without_verdict_is_bad() -> None:
    cut = Cut("danger", 0, 25_600, 1, None, (3.5, math.nan))
    (frame,) = frames_of(cut, SENSOR, start_ns=10**9, fs_hz=25_600.0)
    assert isinstance(frame, Readings)
    assert frame.channels == ("2/x_v_rms", "2/y_v_rms")
    assert frame.end_ns == 2 * 10**9
    assert frame.quality == (QUALITY_GOOD, QUALITY_BAD)
    assert frame.unit == ("mm/s", "mm/s")


def test_the_waveform_of_a_danger_block_is_urgent_and_goes_behind_its_readings() -> None:
    cut = Cut("danger", 0, 25_600, 1, np.ones((2, 25_600), np.int16), (9.5, 9.5))
    readings, waveform = frames_of(cut, SENSOR, start_ns=10**9, fs_hz=25_600.0)
    assert isinstance(readings, Readings)
    assert isinstance(waveform, Waveform)
    assert waveform.urgent


def test_a_measured_rate_is_told_in_steps_of_a_hundred_ppm() -> None:
    assert rate_told(26_667.0 * (1 + 4e-5), 26_667.0) == 26_667.0
    assert rate_told(26_667.0 * 0.98342, 26_667.0) == pytest.approx(26_667.0 * 0.9834)


def test_what_is_sent_is_announced() -> None:
    names = [birth.name for birth in births_of(Plan(), SENSOR)]
    assert names == ["2/x", "2/y", "2/x_v_rms", "2/y_v_rms"]
    assert len(births_of(Plan(danger=False), SENSOR)) == 2


def test_a_reading_names_the_channel_it_is_the_velocity_of() -> None:
    assert channel_of(velocity_channel("2", "x")) == "2/x"
    assert channel_of("2/t") is None
    assert channel_of("2/_v_rms") is None
    with pytest.raises(FrameError, match="a name must match"):
        velocity_channel("2", "x" * 60)
