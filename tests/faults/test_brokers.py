"""What happens to the broker, Debian's or PyPI's: stopped, killed, hanging, with too small a queue."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from palier import brokers
from tests.support.plant_of_processes import SHARE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EDGE = "gw-1"
BOTH = pytest.mark.parametrize("broker", ["mosquitto", "iotcore"])
Kind = Literal["mosquitto", "iotcore"]


@BOTH
def test_broker_stopped_and_started(scenario: Scenario, broker: Kind) -> None:
    with scenario.plant(broker=broker) as plant:
        plant.settle()
        with plant.fault():
            plant.broker.stop()
            time.sleep(1)
        plant.broker.start()
        plant.recovered()
        scenario.judge(plant)


@pytest.mark.parametrize("broker", [pytest.param("mosquitto", marks=pytest.mark.faults_ci), "iotcore"])
def test_broker_killed_twice(scenario: Scenario, broker: Kind) -> None:
    with scenario.plant(broker=broker) as plant:
        plant.settle()
        with plant.fault():
            plant.broker.kill()
            plant.broker.start()
            time.sleep(2)
            plant.broker.kill()
        plant.broker.start()
        plant.recovered()
        scenario.judge(plant)


def test_broker_killed_while_a_backlog_drains(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            plant.links[EDGE].cut()
            time.sleep(6)
            first = plant.flow.waiting(EDGE)
            plant.links[EDGE].heal()
            eventually(lambda: plant.flow.waiting(EDGE) != first, 60, "the first of the backlog stored")
            assert plant.flow.age_s() > 2, "no backlog is left to drain"
            plant.broker.kill()
        plant.broker.start()
        plant.recovered()
        scenario.judge(plant)


def test_broker_hangs_8_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            plant.broker.send(signal.SIGSTOP)
            time.sleep(8)
            plant.broker.send(signal.SIGCONT)
        plant.recovered()
        scenario.judge(plant)


def with_a_small_queue(port: int, folder: Path) -> Sequence[str]:
    """A mosquitto that keeps 20 messages for a reader that does not read, and drops what comes then."""
    plan = brokers.plan("mosquitto", port)
    (folder / plan.file).write_text(
        plan.text.replace("max_queued_messages 1000", "max_queued_messages 20"), "utf-8"
    )
    return [*plan.command, str(folder / plan.file)]


def test_brokers_queue_overflows(scenario: Scenario) -> None:
    """The ingest does not read; what three gateways have in flight is more than broker and sockets hold."""
    nodes = ("gw-1", "gw-2", "gw-3")
    with scenario.plant(broker=with_a_small_queue, nodes=nodes, rate=50.0) as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            plant.links["ingest"].stalled = True
            time.sleep(9)
            plant.links["ingest"].heal()
        plant.recovered()
        scenario.judge(plant)
        dropped = "being dropped for client" in plant.log_of(plant.broker)
    assert dropped or SHARE < 1, "the broker's queue did not overflow: the scenario shows nothing"


def test_broker_and_ingest_and_gateway_killed_with_the_uplink_cut(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            plant.links[EDGE].cut()
            time.sleep(2)
            for part in plant.parts:
                part.kill()
        plant.broker.start()
        plant.agents[EDGE].launch()
        plant.ingest.launch()
        plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant, unkept=33)
