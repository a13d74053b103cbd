"""A value of a PLC's node is in force for the same blocks live and when their period is judged again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.foreign_ends import ENDED, EVENTS_PER_HOUR, ends_of
from ingest.knowledge import Knowledge, Speeds
from ingest.rescore_reading import FEATURES, READINGS, blocks_of, readings_of, surrounded
from palier.frames import QUALITY_BAD, QUALITY_STALE
from palier.limits import load_limits
from palier.plant import Plant, parse_plant
from tests.host.test_foreign import FED, TAGS
from tests.support.gateway import waveform
from tests.support.host_at_hand import HostAtHand, host_at_hand
from tests.support.plc_gateway import PlcGateway

HOUR_S = 3600.0


@pytest.fixture
def fed() -> Plant:
    return parse_plant(FED, file=Path("plant.toml"))


@pytest.fixture
def host(fed: Plant, tmp_path: Path) -> Iterator[HostAtHand]:
    with host_at_hand(fed, tmp_path) as host:
        yield host


@pytest.fixture
def plc(host: HostAtHand) -> PlcGateway:
    def publish(topic: str, data: bytes) -> None:
        host.message(topic, data)
        host.settle()

    return PlcGateway(publish, TAGS, node="Automate n° 3", clock_ms=lambda: host.now.plant_ns // 10**6)


class Lived:
    """A machine's blocks with the temperature of the housing that each was judged with."""

    def __init__(self, host: HostAtHand) -> None:
        self.host = host
        self.told: list[tuple[int, float]] = []

    def after(self, seconds: float) -> None:
        self.host.link_s += seconds
        frame = waveform(self.host.now.plant_ns, machine="pompe", speed_rpm=1480.0)
        self.host.frame(len(self.told) + 1, frame)
        self.host.settle()
        self.told.append((frame.start_ns, self.host.committer._speeds.temperature_c("usine", frame)))


def judged_again(host: HostAtHand, plant: Plant) -> list[tuple[int, float]]:
    knowledge = Knowledge(plant, load_limits())
    machine = knowledge.machine("usine", "pompe")
    assert machine is not None
    read = host.stores.historian.read
    blocks = blocks_of(read("feature", FEATURES, site="usine", machine="pompe"), knowledge, machine)
    readings = readings_of(read("reading", READINGS, site="usine", machine="pompe"), knowledge, machine)
    ends = ends_of(host.stores.records.transitions(0, ENDED), machine, "usine")
    heard = sorted([*readings, *ends], key=lambda work: work.frame.start_ns)
    found = surrounded(blocks, heard, Speeds(knowledge))
    return [(entry.block.start_ns, entry.temperature_c) for entry in found]


def same(left: list[tuple[int, float]], right: list[tuple[int, float]]) -> bool:
    return [(at, repr(value)) for at, value in left] == [(at, repr(value)) for at, value in right]


def gone(plc: PlcGateway) -> None:
    plc.die()


def device_gone(plc: PlcGateway) -> None:
    plc.device_dies("Pompe")


def bad(plc: PlcGateway) -> None:
    plc.say("Pompe", {"Palier": 70.0}, properties={"Quality": QUALITY_BAD})


def stale(plc: PlcGateway) -> None:
    plc.say("Pompe", {"Palier": 70.0}, properties={"Quality": QUALITY_STALE})


@pytest.mark.parametrize("end", [gone, device_gone, bad, stale])
def test_a_value_is_in_force_for_the_same_blocks_live_and_again(
    host: HostAtHand, plc: PlcGateway, fed: Plant, end: Callable[[PlcGateway], None]
) -> None:
    lived = Lived(host)
    lived.after(0)
    host.link_s += 600
    plc.born()
    for seconds in (1, HOUR_S, 6 * HOUR_S):
        lived.after(seconds)
    host.link_s += 10
    plc.say("Pompe", {"Palier": 61.0})
    lived.after(HOUR_S)
    host.link_s += 10
    end(plc)
    for seconds in (5, HOUR_S):
        lived.after(seconds)
    host.link_s += 10
    plc.born()
    lived.after(HOUR_S)
    values = [value for _, value in lived.told]
    assert values[1:4] == [55.5] * 3
    assert values[4] == 61.0
    assert math.isnan(values[0])
    assert all(map(math.isnan, values[5:7]))
    assert not math.isnan(values[7])
    assert same(judged_again(host, fed), lived.told)


def test_a_value_says_nothing_after_a_day_live_and_again(
    host: HostAtHand, plc: PlcGateway, fed: Plant
) -> None:
    lived = Lived(host)
    plc.born()
    for seconds in (HOUR_S, 20 * HOUR_S, 4 * HOUR_S):
        lived.after(seconds)
    assert [math.isnan(value) for _, value in lived.told] == [False, False, True]
    assert same(judged_again(host, fed), lived.told)


def test_an_end_is_an_event_once_and_ends_are_bounded(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    for _ in range(2):
        host.link_s += 1
        bad(plc)
    (event,) = host.stores.records.transitions(0, ENDED)
    assert (event.machine, event.point, event.channel, event.state) == ("pompe", "p1", "t", "ended")
    for _ in range(2 * EVENTS_PER_HOUR):
        host.link_s += 1
        plc.say("Pompe", {"Palier": 60.0})
        host.link_s += 1
        bad(plc)
    assert len(host.stores.records.transitions(0, ENDED)) == EVENTS_PER_HOUR


def test_ends_that_are_told_ever_further_back_are_bounded_too(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    host.link_s += 1
    now_ms = host.now.plant_ns // 10**6
    for hours in range(1, 2 * EVENTS_PER_HOUR):
        at_ms = now_ms - hours * 3_600_000
        plc.say("Pompe", {"Palier": 70.0}, at_ms=at_ms, properties={"Quality": QUALITY_BAD})
    assert len(host.stores.records.transitions(0, ENDED)) == EVENTS_PER_HOUR
