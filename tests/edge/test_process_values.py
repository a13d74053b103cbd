"""Speed and load from any source, for the blocks of the same machine: right, or unknown."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.outbox import open_outbox
from edge_agent.process_values import KEPT, Attaching, Attachment, Course, ProcessValues
from edge_agent.service import AgentService
from edge_agent.settings import AgentSettings, BrokerSettings
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Frame, Readings, Waveform
from palier.source import Device, Source
from tests.support.waiting import eventually

S = 1_000_000_000
T0 = 1_700_000_000 * S
ATTACHED = Attachment("P-101", "1/n", "m/p", load_full=37.0)


def told(
    channel: str, unit: str, *values: tuple[float, float], quality: int = QUALITY_GOOD, machine: str = "P-101"
) -> Readings:
    """Values at seconds from T0."""
    times = np.array([T0 + round(s * S) for s, _ in values], dtype=np.int64)
    return Readings(
        machine, (channel,), times, np.array([[float(v) for _, v in values]]), (unit,), quality=(quality,)
    )


def block(
    start_s: float, seconds: float = 4.0, *, speed: float | None = None, machine: str = "P-101"
) -> Waveform:
    n = 64
    return Waveform(
        *(machine, "2", ("H",), np.zeros((1, n), "<i2"), (1.0,), ("m/s²",)),
        fs_hz=n / seconds,
        start_ns=T0 + round(start_s * S),
        speed_rpm=speed,
    )


def speed_of(values: ProcessValues, frame: Waveform) -> float | None:
    attached = values.attached(frame)
    assert isinstance(attached, Waveform)
    return attached.speed_rpm


def heard(*values: tuple[float, float]) -> ProcessValues:
    process = ProcessValues([ATTACHED])
    for value in values:
        process.take(told("1/n", "r/min", value))
    return process


def test_a_block_gets_the_speed_and_load_of_its_time() -> None:
    process = heard((0, 1480), (2, 1484), (4, 1482))
    process.take(told("m/p", "A", (1, 18.5)))
    attached = process.attached(block(0.5, 3))
    assert isinstance(attached, Waveform)
    assert attached.speed_rpm == pytest.approx(1484)
    assert attached.load_percent == pytest.approx(50)


def test_what_came_with_the_block_stays() -> None:
    assert speed_of(heard((0, 1480)), block(0, speed=900)) == 900


def test_other_machines_and_readings_go_on_as_they_are() -> None:
    process = heard((0, 1480))
    other, readings = block(0, machine="B-501"), told("1/n", "r/min", (0, 1))
    assert process.attached(other) is other
    assert process.attached(readings) is readings


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((), "nothing was heard"),
        (((-70.0, 1480.0),), "it is too old"),
        (((0.0, 1480.0), (2.0, 1500.0)), "it changed over the block"),
        (((-11.0, 1400.0), (-1.0, 1480.0)), "it was on its way before the block"),
        (((-1.0, 1480.0), (5.0, 1600.0)), "it was on its way behind the block"),
        (((-1.0, 1480.0), (2.0, math.nan)), "it was bad within the block"),
    ],
)
def test_it_is_unknown_where(values: Sequence[tuple[float, float]], why: str) -> None:
    assert speed_of(heard(*values), block(0)) is None, why


def test_a_change_long_before_the_block_does_not_matter_where_it_was_seen_to_be_steady() -> None:
    assert speed_of(heard((-5, 900), (-1, 1480), (1, 1481), (3, 1480)), block(0)) == pytest.approx(1480.5)


def test_a_long_block_needs_values_to_its_end() -> None:
    assert speed_of(heard((-1, 1480), (1, 1480)), block(0, 64)) is None
    assert speed_of(heard((-1, 1480), (30, 1480)), block(0, 64)) == 1480


def test_a_machine_at_rest_is_known_to_be() -> None:
    assert speed_of(heard((0, 0.4), (2, -0.4)), block(0)) == pytest.approx(0.4)


def test_a_machine_that_turns_backwards_has_a_speed() -> None:
    assert speed_of(heard((0, -1480)), block(0)) == 1480


def test_a_slow_machine_is_not_taken_for_a_steady_one() -> None:
    assert speed_of(heard((0, 2.0), (2, 2.4)), block(0)) is None


def test_bad_readings_say_that_it_is_unknown() -> None:
    process = heard((-20, 1480), (-10, 1480))
    process.take(told("1/n", "r/min", (-1, math.nan), quality=QUALITY_BAD))
    assert speed_of(process, block(0)) is None


def test_a_speed_in_hertz_and_a_load_in_percent() -> None:
    process = ProcessValues([Attachment("P-101", "1/n", "m/p")])
    process.take(told("1/n", "Hz", (0, 25)))
    process.take(told("m/p", "%", (0, 80)))
    attached = process.attached(block(0))
    assert isinstance(attached, Waveform)
    assert (attached.speed_rpm, attached.load_percent) == (1500, 80)


def test_what_is_no_speed_is_told_and_not_taken() -> None:
    process = ProcessValues([Attachment("P-101", "1/n", "m/p")])
    process.take(told("1/n", "mm/s", (0, 25)))
    process.take(told("m/p", "A", (0, 18)))
    assert speed_of(process, block(0)) is None
    speed, load = process.notes()
    assert "1/n of P-101 must be in r/min" in speed
    assert "m/p of P-101 must be in %, or [[attach]] must say load_full in its unit; it is in 'A'" in load


def test_what_was_never_heard_is_told() -> None:
    (note,) = ProcessValues([Attachment("P-101", "1/n")]).notes()
    assert "1/n of P-101 was not heard yet" in note


def test_the_load_may_wander_by_some_points() -> None:
    process = ProcessValues([Attachment("P-101", load="m/p")])
    process.take(told("m/p", "%", (0, 60), (1, 68), (2, 65)))
    attached = process.attached(block(0))
    assert isinstance(attached, Waveform)
    assert attached.load_percent == 65
    process.take(told("m/p", "%", (3, 90)))
    attached = process.attached(block(0))
    assert isinstance(attached, Waveform)
    assert attached.load_percent is None


def test_a_clock_that_is_set_back_is_forgiven() -> None:
    assert speed_of(heard((4000, 900), (4001, 900), (0, 1480)), block(0)) == 1480


def test_the_speed_now() -> None:
    process = heard((0, -1480))
    assert process.speed_rpm("P-101", T0 + S) == 1480
    assert process.speed_rpm("P-101", T0 + 61 * S) is None
    assert process.speed_rpm("B-501", T0) is None


def test_a_clock_that_is_set_back_makes_no_old_speed_the_present_one() -> None:
    process = heard((0, 1480))
    assert process.speed_rpm("P-101", T0 - 3600 * S) is None


def test_memory_is_bounded_whatever_the_pace() -> None:
    course = Course(60 * S)
    for i in range(200_000):
        course.take(T0 + i * S // 1000, math.nan if i % 2 else 1480)  # bad ones are never left out
    assert len(course) <= 2 * KEPT


def test_a_fast_source_reaches_back_over_a_long_block() -> None:
    process = heard(*((i / 50, 1480.0) for i in range(50 * 90)))
    assert speed_of(process, block(20, 64)) == 1480


RAMPS = st.lists(st.tuples(st.floats(0.1, 30), st.floats(-20, 20)), min_size=2, max_size=40)


@settings(max_examples=150)
@given(RAMPS, st.floats(0, 300), st.floats(0.5, 64))
def test_a_block_never_gets_a_speed_that_was_not_its_own(
    steps: list[tuple[float, float]], start_s: float, seconds: float
) -> None:
    """Whatever was heard: unknown, or within 1 % of all that was heard in the block, and not too old."""
    course, at, rpm = [], 0.0, 1000.0
    for step_s, change in steps:
        at, rpm = at + step_s, rpm + change
        course.append((at, rpm))
    speed = speed_of(heard(*course), block(start_s, seconds))
    if speed is not None:
        within = [rpm for at, rpm in course if start_s <= at <= start_s + seconds]
        near = [at for at, _ in course if start_s - 60 <= at <= start_s + seconds + 60]
        assert near
        assert all(abs(speed - rpm) <= 0.0101 * rpm for rpm in within)


def test_sources_and_blocks_in_threads_of_their_own() -> None:
    process = heard((0, 1480))
    wrong: list[int] = []

    def ask() -> None:
        wrong.extend(i for i in range(300) if speed_of(process, block(i / 100)) not in {None, 1480.0})

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(600):
        process.take(told("1/n", "r/min", (i / 50, 1480)))
    for thread in threads:
        thread.join()
    assert not wrong


class Kept:
    """What the recorder would be."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        self.frames.append(frame)
        return not (stop.is_set() or can_wait)


def test_on_its_way_to_the_recorder_a_block_gets_what_another_source_read() -> None:
    kept, process, stop = Kept(), ProcessValues([ATTACHED]), threading.Event()
    way = Attaching(process, kept)
    assert way.put(told("1/n", "r/min", (0, 1480)), stop)
    assert way.put(block(0), stop)
    readings, attached = kept.frames
    assert isinstance(readings, Readings)
    assert isinstance(attached, Waveform)
    assert attached.speed_rpm == 1480


class Drive:
    """A source that hears a speed often, and yields nothing yet."""

    def __init__(self, heard: threading.Event) -> None:
        self.heard = heard
        self._told: Callable[[Readings], None] = lambda _readings: None

    def tell(self, told: Callable[[Readings], None]) -> None:
        self._told = told

    def devices(self) -> tuple[Device, ...]:
        return ()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        self._told(told("1/n", "r/min", (0, 1480)))
        self.heard.set()
        stop.wait()
        yield from ()


class Accelerometer:
    """A source that yields one block, once the speed was heard."""

    def __init__(self, heard: threading.Event) -> None:
        self.heard = heard

    def devices(self) -> tuple[Device, ...]:
        return ()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        assert self.heard.wait(30)
        yield block(0)


def test_a_running_agent_attaches_them(tmp_path: Path) -> None:
    settings = AgentSettings("usine", "p1", tmp_path, broker=BrokerSettings(port=9), attachments=(ATTACHED,))
    outbox = open_outbox(tmp_path, settings.edge, draw_epoch=lambda: "a" * 16, cap_bytes=10**9)
    drive, sensor = Drive(heard := threading.Event()), Accelerometer(heard)
    opened: list[tuple[str, Source | None, Callable[[], Source]]]
    opened = [("drive", drive, lambda: drive), ("sensor", sensor, lambda: sensor)]
    service = AgentService(settings, outbox, opened, clock=PlantClock(), serve_health=False)
    service.start()
    try:
        eventually(lambda: outbox.last_seq == 1, 30, "the block in the outbox")
        loaded = outbox.load(1)
        assert any("m/p of P-101 was not heard yet" in note for note in service.notes())
    finally:
        service.stop()
    assert loaded is not None
    assert isinstance(loaded[1], Waveform)
    assert loaded[1].speed_rpm == 1480


def test_what_stays_attached_is_not_forgotten_when_the_rest_changes() -> None:
    values = heard((0, 1480), (2, 1480), (4, 1480))
    values.change((ATTACHED, Attachment("P-102", "1/n")))
    assert speed_of(values, block(0)) == 1480.0
    values.change((Attachment("P-101", "2/n"),))
    assert speed_of(values, block(0)) is None
    values.change(())
    assert speed_of(values, block(0)) is None
