"""What happens to a plant's links: cut, flapping, half open, deaf, mute, slow and late.

Nothing is lost, nothing is stored twice, and the store is fresh again soon after.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EDGE = "gw-1"


@pytest.mark.faults_ci
def test_uplink_cut_8_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            plant.links[EDGE].cut()
            time.sleep(8)
            plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant)


def test_uplink_flaps_10_times(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            for _ in range(10):
                plant.links[EDGE].cut()
                time.sleep(0.3)
                plant.links[EDGE].heal()
                time.sleep(0.5)
        assert plant.links[EDGE].broken >= 2, "nobody was connected when the link was cut"
        plant.recovered()
        scenario.judge(plant)


@pytest.mark.faults_ci
def test_uplink_half_open_12_s(scenario: Scenario) -> None:
    """Connections stay, nothing passes: whoever noticed it and left comes back to a link that works."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=6):
            plant.links[EDGE].stalled = True
            time.sleep(12)
            plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant)


@pytest.mark.faults_ci
def test_acknowledgements_lost_4_s(scenario: Scenario) -> None:
    """What the broker says to the gateway is thrown away; frames pass, and are stored."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=2):
            plant.links[EDGE].deaf = True
            time.sleep(4)
            plant.links[EDGE].cut()
            plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant)


def test_frames_lost_on_the_uplink_4_s(scenario: Scenario) -> None:
    """What the gateway says to the broker is thrown away; the gateway's system believes it sent."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=2):
            plant.links[EDGE].mute = True
            time.sleep(4)
            plant.links[EDGE].cut()
            plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_link_lost_towards_the_broker_4_s(scenario: Scenario) -> None:
    """Acknowledgements leave the ingest and never come to the broker."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=2):
            plant.links["ingest"].mute = True
            time.sleep(4)
            plant.links["ingest"].cut()
            plant.links["ingest"].heal()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_link_stalls_8_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            plant.links["ingest"].stalled = True
            time.sleep(8)
            plant.links["ingest"].heal()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_link_cut_6_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=3):
            plant.links["ingest"].cut()
            time.sleep(6)
            plant.links["ingest"].heal()
        plant.recovered()
        scenario.judge(plant)


def test_slow_uplink_500_kilobytes_per_s_10_s(scenario: Scenario) -> None:
    """A seventh of what is sampled passes; nobody sends again what is only late."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=2):
            plant.links[EDGE].bytes_per_s = 500_000
            time.sleep(10)
            plant.links[EDGE].heal()
        plant.recovered()
        counted = scenario.judge(plant)
    assert counted.wire_per_useful < 1.1


@pytest.mark.parametrize("broker", ["mosquitto", "iotcore"])
def test_uplink_with_1_s_latency(scenario: Scenario, broker: Literal["mosquitto", "iotcore"]) -> None:
    """100 frames in flight for two seconds are less than what is sampled: the rest waits on the disk."""
    with scenario.plant(broker=broker) as plant:
        plant.settle()
        with plant.fault(felt_s=1.5):
            plant.links[EDGE].delay_s = 1.0
            time.sleep(8)
            plant.links[EDGE].delay_s = 0.0
        plant.recovered()
        counted = scenario.judge(plant)
    assert counted.wire_per_useful < 1.1


def test_everybodys_link_cut_6_s(scenario: Scenario) -> None:
    """The switch is off: three gateways and the ingest lose the broker at one moment."""
    with scenario.plant(nodes=("gw-1", "gw-2", "gw-3"), rate=50.0) as plant:
        plant.settle()
        with plant.fault(felt_s=3):
            for link in plant.links.values():
                link.cut()
            time.sleep(6)
            for link in plant.links.values():
                link.heal()
        plant.recovered()
        scenario.judge(plant)
