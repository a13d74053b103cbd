"""From a driver's bursts to blocks: dated and rated by the clock, never joined over a gap."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

import numpy as np
import pytest

from edge_agent.acquisition.plan import Plan
from edge_agent.sensors.bursts import Driver
from edge_agent.sensors.continuous import ContinuousSource, read_place, source_of
from edge_agent.sensors.stream import HELD_S, Stream, join
from palier.clock import PlantClock
from palier.frames import Waveform
from tests.support.scripted_driver import FS_HZ, ScriptedDriver, bursts, ramp
from tests.support.waiting import eventually

TABLE: Mapping[str, object] = {"machine": "P-101", "point": "2", "speed_rpm": 1480}
EACH_S = Plan(h_every_s=1.0, h_s=0.5, l_every_s=3600.0, danger=False, speed_rpm=1480.0)


NOW_NS, NOW_S = 1_790_000_000 * 10**9, 5000.0


class Still(PlantClock):
    """It is always the same moment: between a look at one clock and at the other no time passes."""

    def now_ns(self) -> int:
        return NOW_NS


def source(driver: Driver, plan: Plan = EACH_S) -> ContinuousSource:
    """A source of one block a second."""
    place = read_place(driver, TABLE, ("x", "y", "z"))
    place = type(place)(place.sensor, plan, "stud", 1480.0)
    return ContinuousSource(driver, place, Still(), monotonic_s=lambda: NOW_S)


def collected(driver: ScriptedDriver) -> tuple[ContinuousSource, list[Waveform]]:
    """The H blocks until the driver's end."""
    one, found = source(driver), []
    with pytest.raises(OSError, match="the end"):  # noqa: PT012 - what came before the end counts
        for frame in one.frames(threading.Event()):
            if isinstance(frame, Waveform) and frame.samples.dtype.kind == "i":
                found.append(frame)  # noqa: PERF401
    return one, found


def test_blocks_carry_the_rate_as_measured_and_the_time_of_their_first_sample() -> None:
    true_hz = FS_HZ * 1.02
    driver = ScriptedDriver(bursts(NOW_S - 0.3, 7.5, fs_hz=true_hz), error=OSError("the end"))
    one, blocks = collected(driver)

    assert one.rate.fs_hz == pytest.approx(true_hz, rel=1e-5)
    assert len(blocks) >= 5
    last = blocks[-1]
    assert last.fs_hz == pytest.approx(true_hz, rel=1e-4)
    count = int(7.5 * true_hz / 320) * 320
    first = _number(last, count)
    age_s = (count - first - 1) / true_hz
    assert last.start_ns == pytest.approx(NOW_NS - (0.3 + age_s) * 1e9, abs=2e6)


def _number(block: Waveform, near: int) -> int:
    """The number in the stream of a block's first sample; the ramp turns over at 30,000."""
    first = int(block.samples[0, 0])
    return max(first + turn * 30_000 for turn in range(10) if first + turn * 30_000 <= near)


def test_no_block_goes_over_a_gap() -> None:
    driver = ScriptedDriver(bursts(NOW_S, 7.5, gap_at=34), error=OSError("the end"))
    one, blocks = collected(driver)

    assert one.gaps.count == 1
    assert one.gaps.samples == pytest.approx(320, abs=5)
    assert len(blocks) >= 5
    for block in blocks:
        assert set(np.diff(block.samples[0].astype(int)) % 30_000) == {1}
    assert "lost about" in one.notes[0]


def test_gaps_again_and_again_are_a_problem() -> None:
    made = [burst for start in range(12) for burst in bursts(NOW_S - 12 + start, 0.3, gap_at=1)]
    one, _ = collected(ScriptedDriver(made, error=OSError("the end")))
    assert "is read too late again and again" in one.problem


def test_a_device_that_goes_ends_the_frames_with_its_sentence_and_is_let_go() -> None:
    driver = ScriptedDriver(error=OSError("the end"))
    collected(driver)
    assert driver.opened == driver.closed == 1


def test_a_sensor_that_fails_its_self_test_gives_no_block() -> None:
    driver = ScriptedDriver(failed_test="axis x must move")
    with pytest.raises(OSError, match="scripted sensor fails its self-test: axis x must move"):
        next(source(driver).frames(threading.Event()))
    assert driver.closed == 1


def test_a_try_opens_and_tests_and_lets_go() -> None:
    driver = ScriptedDriver()
    source(driver).attempt()
    assert (driver.opened, driver.closed) == (1, 1)


def test_a_stop_ends_it_soon() -> None:
    driver = ScriptedDriver(bursts(NOW_S, 1.0))
    stop = threading.Event()
    frames = source(driver).frames(stop)
    threading.Timer(0.15, stop.set).start()
    assert all(isinstance(frame, Waveform) for frame in frames)
    assert driver.closed == 1


def test_another_rate_than_the_data_sheet_says_is_told(caplog: pytest.LogCaptureFixture) -> None:
    driver = ScriptedDriver(bursts(NOW_S, 5.0, fs_hz=1600.0), error=OSError("the end"))
    one, _ = collected(driver)
    assert "gives 1600 samples a second, its data sheet says 3200" in one.notes[0]
    assert "its data sheet says 3200" in caplog.text


def test_it_announces_its_channels_before_the_device_answers() -> None:
    (device,) = source(ScriptedDriver()).devices()
    assert [(one.name, one.dtype, one.fs_hz, one.mounting) for one in device.channels] == [
        ("2/x", "int16", FS_HZ, "stud"),
        ("2/y", "int16", FS_HZ, "stud"),
        ("2/z", "int16", FS_HZ, "stud"),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machine": None}, "machine must be given"),
        ({"point": "a/b"}, "point: a name must match"),
        ({"channels": ["x", "y"]}, "channels must be 3 different names"),
        ({"channels": ["x", "x", "y"]}, "channels must be 3 different names"),
        ({"speed_rpm": "fast"}, "speed_rpm must be a number of at least 0"),
        ({"mounting": 3}, "mounting must be text"),
        ({"chanels": ["x"]}, "unknown key 'chanels'.*channels"),
        ({"plan": {"h_s": -1}}, "h_s"),
    ],
)
def test_a_wrong_table_is_a_sentence(change: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        source_of(ScriptedDriver(), {**TABLE, **change}, PlantClock(), ())


def test_reading_goes_first_where_the_system_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    def refuse(process: int, policy: int, parameters: os.sched_param) -> None:
        asked.append((threading.current_thread().name, policy, parameters.sched_priority))
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    one, _ = collected(ScriptedDriver(bursts(NOW_S, 1.0), error=OSError("the end")))
    assert asked == [("reading scripted sensor", os.SCHED_RR, 1)]
    assert one.samples == 3200  # refused, it reads all the same


def test_bursts_are_joined_up_to_a_gap() -> None:
    made = bursts(100.0, 1.0, each=100, gap_at=5)
    stretches = join(made)
    assert [one.overrun for one in stretches] == [False, True]
    assert stretches[0].marks[-1] == (500, made[4].end_s)
    np.testing.assert_array_equal(stretches[0].samples[0], ramp(0, 500)[0])


def test_what_nobody_takes_for_long_is_given_up_as_a_gap() -> None:
    driver = ScriptedDriver(bursts(100.0, HELD_S + 3.0))
    stream = Stream(driver)
    stream.start()
    eventually(lambda: stream._lost, 30, "the room is full")  # nothing else shows it
    stop = threading.Event()
    held = stream.take(stop)
    assert sum(one.samples.shape[1] for one in held) <= HELD_S * FS_HZ
    stream.end()
