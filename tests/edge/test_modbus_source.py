"""The Modbus source over a line that a test plays: what is asked when, and what is never said."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from edge_agent.sources.modbus import ModbusSource
from edge_agent.sources.modbus_line import Line, LineError, NoAnswerError, RefusedError, Tcp
from edge_agent.sources.modbus_options import read_options
from edge_agent.sources.modbus_requests import Request
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, Readings

ROW: Mapping[str, object] = {"machine": "P-101", "point": "1", "unit": "1", "type": "uint16", "scale": 1}


def row(slave: int, register: int, **more: object) -> dict[str, object]:
    return {**ROW, "channel": f"s{slave}-{register}", "slave": slave, "register": register, **more}


@dataclass
class Time(threading.Event):
    """Both the monotonic clock and the `stop` of a source: a wait takes no time and moves the clock."""

    end_s: float = 60.0
    now_s: float = 1000.0

    def __post_init__(self) -> None:
        super().__init__()
        self.end_s += self.now_s

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += 0.001 + (timeout or 0.0)
        return self.is_set()

    def is_set(self) -> bool:
        return self.now_s >= self.end_s


class Clock(PlantClock):
    """The plant clock of the same time."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        object.__setattr__(self, "time", time)

    def now_ns(self) -> int:
        time: Time = object.__getattribute__(self, "time")
        return round(time.now_s * 1e9)


@dataclass
class Played(Line):
    """Slaves that hold their registers' numbers. What takes its time takes it of the test's clock."""

    where: Tcp = field(default_factory=lambda: Tcp("test"))
    time: Time = field(default_factory=Time)
    dead: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)  # registers
    code: int = 2
    away: bool = False
    opens: bool = False  # though it is away
    asked: list[tuple[float, Request]] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)

    def open(self, answer_s: float) -> None:
        self.opened.append(self.time.now_s)
        if self.away and not self.opens:
            raise LineError("test can't be opened: Connection refused")

    def close(self) -> None:
        pass

    def read(self, request: Request, answer_s: float) -> Sequence[int]:
        self.asked.append((self.time.now_s, request))
        if self.away:
            raise LineError("test: the connection ended")
        if request.slave in self.dead:
            self.time.now_s += answer_s
            raise NoAnswerError("no answer")
        self.time.now_s += 0.01
        numbers = range(request.first, request.first + request.count)
        if self.missing.intersection(numbers):
            raise RefusedError(self.code)
        return numbers


def source(time: Time, line: Played, *rows: dict[str, object], **more: object) -> ModbusSource:
    line.time = time
    options = read_options({"host": "test", "every_s": 1, "send_every_s": 1, "value": list(rows), **more})
    return ModbusSource(options, Clock(time), line=line, monotonic_s=lambda: time.now_s)


def heard(played: ModbusSource, time: Time) -> list[Readings]:
    """The frames with a value in them; what is bad is no number."""
    frames = [frame for frame in played.frames(time) if isinstance(frame, Readings)]
    for frame in frames:
        bad = np.isnan(frame.values).all(axis=1)
        assert [quality == QUALITY_BAD for quality in frame.quality] == bad.tolist()
    return [frame for frame in frames if np.isfinite(frame.values).any()]


def test_values_bear_the_time_they_were_heard_at_and_not_that_of_what_came_to_nothing() -> None:
    class Torn(Played):
        def read(self, request: Request, answer_s: float) -> Sequence[int]:
            if request.first == 90:
                self.time.now_s += answer_s
                raise NoAnswerError("no answer")
            return super().read(request, answer_s)

    time, line = Time(3), Torn()
    (frame, *_) = heard(source(time, line, row(1, 5), row(1, 90), answer_s=5), time)
    assert frame.channels == ("1/s1-5",)
    assert frame.times_ns[0] / 1e9 == pytest.approx(1000.01, abs=0.01)


def test_it_reads_at_its_pace_and_sends_at_its_own() -> None:
    time, line = Time(60), Played()
    told: list[Readings] = []
    played = source(time, line, row(1, 5), row(1, 6), send_every_s=30)
    played.tell(told.append)
    frames = heard(played, time)
    assert len(line.asked) == pytest.approx(60, abs=2)
    assert len(told) == len(line.asked)
    assert len(frames) == 2
    assert frames[0].values.tolist() == [[5], [6]]
    assert frames[0].channels == ("1/s1-5", "1/s1-6")


def test_a_dead_slave_costs_the_others_its_timeout_and_no_more() -> None:
    time, line = Time(120), Played(dead={7})
    frames = heard(source(time, line, row(1, 5), row(7, 5), answer_s=0.5), time)
    times = [int(frame.times_ns[-1]) / 1e9 for frame in frames]
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) < 1 + 0.5 + 0.1
    assert len(frames) >= 118
    asked_dead = [at for at, request in line.asked if request.slave == 7]
    assert all(b - a >= 2 for a, b in pairwise(asked_dead))  # a late answer has come and gone
    assert max(b - a for a, b in pairwise(asked_dead)) < 12


def test_thirty_dead_slaves_cost_no_more_than_one_at_a_time() -> None:
    time, line = Time(120), Played(dead=set(range(2, 32)))
    rows = [row(slave, 5) for slave in range(1, 32)]
    frames = heard(source(time, line, *rows, answer_s=0.5), time)
    times = [int(frame.times_ns[-1]) / 1e9 for frame in frames][1:]  # behind the first round of all
    assert max(b - a for a, b in pairwise(times)) < 1 + 0.5 + 0.1


def test_who_is_back_is_heard_within_fifteen_seconds_and_who_is_away_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time, line = Time(300), Played(dead={7})
    played = source(time, line, row(1, 5), row(7, 5), answer_s=0.5)
    sevens: list[float] = []
    bad: list[float] = []
    with caplog.at_level(logging.WARNING):
        for frame in played.frames(time):
            assert isinstance(frame, Readings)
            if "1/s7-5" in frame.channels:
                (sevens if frame.quality[-1] == QUALITY_GOOD else bad).append(time.now_s)
            elif time.now_s > 1100 and line.dead:
                assert "slave 7 at test:502: no answer" in played.problem
                line.dead.clear()
                back_s = time.now_s
    assert 0 < sevens[0] - back_s < 15
    assert 1002 < bad[0] < 1005  # told as soon as it is sure
    assert all(b - a > 1.9 for a, b in pairwise(bad))
    assert played.problem == ""
    assert [record.getMessage() for record in caplog.records] == [
        "modbus: slave 7 at test:502: no answer; trying again, at least each 10 s",
        "modbus: slave 7 at test:502 answers again",
    ]


def test_a_line_that_is_away_is_tried_again_and_nothing_is_said_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time, line = Time(120), Played(away=True)
    played = source(time, line, row(1, 5))
    with caplog.at_level(logging.WARNING):
        assert heard(played, time) == []
    assert 20 < len(line.opened) < 40
    (told_bad,) = played.frames(Time(3, line.time.now_s))  # one row, at once
    assert isinstance(told_bad, Readings)
    assert max(b - a for a, b in pairwise(line.opened)) < 6
    assert "can't be opened: Connection refused" in played.problem
    (message,) = caplog.messages
    assert "test can't be opened: Connection refused; trying again" in message


def test_a_line_that_opens_and_gives_nothing_is_no_endless_loop() -> None:
    time, line = Time(120), Played()
    played = source(time, line, row(1, 5))
    frames = played.frames(time)
    next(frames)
    line.away = line.opens = True
    assert all(frame.quality == (QUALITY_BAD,) for frame in frames)
    assert len(line.opened) < 40


def test_a_register_that_is_not_there_is_told_once_and_the_others_are_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time, line = Time(900), Played(missing={40_004})
    rows = [row(1, register) for register in range(40_001, 40_031)]
    with caplog.at_level(logging.WARNING):
        frames = heard(source(time, line, *rows), time)
    assert all(len(frame.channels) == 29 for frame in frames)
    (message,) = caplog.messages
    assert (
        "test:502 refuses holding register 40004 of slave 1, wanted by value 4 (P-101 1/s1-40004)" in message
    )
    assert "illegal data address; registers are counted from 0 here: a manual's 40004 is 3" in message
    assert len(line.asked) < 6 * len(frames)


def test_a_gap_that_can_not_be_read_over_is_left_out() -> None:
    time, line = Time(20), Played(missing={6, 7})
    frames = heard(source(time, line, row(1, 5), row(1, 8)), time)
    assert all(frame.values.tolist() == [[5], [8]] for frame in frames)
    assert Counter(request.count for _, request in line.asked[-10:]) == {1: 10}


def test_a_register_that_comes_later_is_found_and_its_note_goes() -> None:
    time, line = Time(700), Played(missing={6})
    played = source(time, line, row(1, 5), row(1, 6))
    frames = []
    for frame in played.frames(time):
        assert isinstance(frame, Readings)
        frames.append(frame)
        if time.now_s > 1010 and line.missing:
            assert any("refuses holding register 6" in note for note in played.notes)
            line.missing.clear()
    assert frames[-1].channels == ("1/s1-5", "1/s1-6")
    assert played.notes == ()


def test_a_table_that_a_device_does_not_have_is_told_in_one_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time, line = Time(30), Played(missing={0}, code=1)
    with caplog.at_level(logging.WARNING):
        frames = heard(source(time, line, *[row(1, i, kind="input") for i in range(50)], row(1, 60)), time)
    assert {frame.channels for frame in frames} == {("1/s1-60",)}
    (message,) = caplog.messages
    assert "refuses input registers 0 to 49 of slave 1" in message
    assert "illegal function; it has no such table: is kind right?" in message


def test_a_busy_device_is_left_alone_for_a_while() -> None:
    time, line = Time(60), Played(missing={5}, code=6)
    played = source(time, line, row(1, 5))
    assert heard(played, time) == []
    assert "busy" in played.problem
    assert len(line.asked) < 12


@pytest.mark.parametrize(("code", "why"), [(4, "device failure"), (64, "exception 64, which the protocol")])
def test_a_register_that_always_fails_leaves_the_slave_its_others(code: int, why: str) -> None:
    time, line = Time(30), Played(missing={5}, code=code)
    played = source(time, line, *(row(1, register) for register in (5, 50, 90)))
    frames = [frame for frame in heard(played, time) if "1/s1-90" in frame.channels]
    assert len(frames) >= 28
    assert not any(
        np.isfinite(frame.values[frame.channels.index("1/s1-5")]).any()
        for frame in frames
        if "1/s1-5" in frame.channels
    )
    (note,) = played.notes
    assert f"refuses holding register 5 of slave 1, wanted by value 1 (P-101 1/s1-5): {why}" in note
    assert played.problem == ""


def test_a_device_that_fails_as_a_whole_is_away() -> None:
    time, line = Time(60), Played(missing={5, 50}, code=4)
    played = source(time, line, row(1, 5), row(1, 50))
    assert heard(played, time) == []
    assert "slave 1 at test:502: device failure" in played.problem
    assert len(line.asked) < 24


def test_a_check_names_all_that_can_not_be_read() -> None:
    line = Played(dead={7}, missing={6})
    with pytest.raises(
        OSError, match=r"slave 7 at test:502: no answer; test:502 refuses holding register 6 of"
    ):
        source(Time(), line, row(1, 5), row(1, 6), row(7, 5)).attempt()
    source(Time(), Played(), row(1, 5)).attempt()
    with pytest.raises(OSError, match="Connection refused"):
        source(Time(), Played(away=True), row(1, 5)).attempt()


def test_a_round_that_takes_longer_than_its_pace_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    time, line = Time(20), Played()
    rows = [row(slave, 5) for slave in range(1, 200)]
    with caplog.at_level(logging.WARNING):
        heard(source(time, line, *rows), time)
    (message,) = caplog.messages
    assert "test:502 takes longer than every_s = 1 for one round of its slaves" in message
