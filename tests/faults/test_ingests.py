"""What happens to the ingest: killed, hanging, away; killed before each step of its commit; twice there."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Literal

import pytest

from edge_agent.intake import QUEUE_FRAMES
from ingest.failpoints import VARIABLE
from tests.support.plant_of_processes import ProcessPlant
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

STEPS = {
    "before_waveforms": 60.0,
    "before_series": 60.0,
    "before_records": 60.0,
    "before_told": 60.0,
    "before_acknowledgement": 1.5,  # the answer to a birth is held there too, and no frame comes before that
}
"""How long each is held; longer than it takes to be killed there."""

BEFORE_RECORDS = ("before_waveforms", "before_series", "before_records")
"""Steps at which an ingest that was started anew has counted no frame as stored."""


@pytest.mark.parametrize("broker", [pytest.param("mosquitto", marks=pytest.mark.faults_ci), "iotcore"])
def test_ingest_killed_3_times(scenario: Scenario, broker: Literal["mosquitto", "iotcore"]) -> None:
    with scenario.plant(broker=broker) as plant:
        plant.settle()
        with plant.fault():
            for _ in range(2):
                plant.ingest.kill()
                plant.restart_ingest()
                time.sleep(1)
            plant.ingest.kill()
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_hangs_8_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            plant.ingest.send(signal.SIGSTOP)
            time.sleep(8)
            plant.ingest.send(signal.SIGCONT)
        plant.recovered()
        scenario.judge(plant)


def test_ingest_hangs_20_s(scenario: Scenario) -> None:
    """Longer than the broker waits for a sign of life: gateways hear that the host is gone."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=10):
            plant.ingest.send(signal.SIGSTOP)
            time.sleep(20)
            plant.ingest.send(signal.SIGCONT)
        plant.recovered()
        scenario.judge(plant)


def test_ingest_away_12_s(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=6):
            assert plant.ingest.stop() == 0
            time.sleep(12)
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_stopped_and_started(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            assert plant.ingest.stop() == 0
        plant.restart_ingest()
        plant.recovered()
        counted = scenario.judge(plant)
    assert counted.wire_per_useful < 1.1


def killed_at(plant: ProcessPlant, step: str) -> None:
    """Start an ingest that stays before this step of its first commit, and kill it there."""
    plant.ingest.environment[VARIABLE] = f"{step}:sleep={STEPS[step]}"
    plant.restart_ingest()
    eventually(lambda: plant.metric("palier_ingest_received_total") >= 10, 20, "frames at the ingest")
    time.sleep(0.5)  # the commit comes 50 ms after its first frame
    if step in BEFORE_RECORDS:
        assert plant.metric("palier_ingest_stored_total") == 0, f"it went on beyond {step}"
    plant.ingest.kill()
    del plant.ingest.environment[VARIABLE]


def test_ingest_killed_before_each_step_of_a_commit(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            assert plant.ingest.stop() == 0
            for step in STEPS:
                killed_at(plant, step)
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_killed_before_its_records_and_the_gateway_with_it(scenario: Scenario) -> None:
    """Rows of the series that no record knows are written again, and must be the same rows."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            assert plant.ingest.stop() == 0
            killed_at(plant, "before_records")
            plant.agents["gw-1"].kill()
        plant.agents["gw-1"].launch()
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant, unkept=2 * QUEUE_FRAMES + 1)


def test_ingest_killed_in_the_same_commit_4_times(scenario: Scenario) -> None:
    """What killed it was no frame: none is put aside for it while others are at hand."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            plant.ingest.kill()
            for _ in range(4):
                killed_at(plant, "before_records")
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_started_twice_on_one_folder(scenario: Scenario) -> None:
    """By the service manager and by hand: the second leaves with a sentence, and the first goes on."""
    with scenario.plant() as plant:
        plant.settle()
        second = plant.second_ingest()
        with plant.fault():
            second.launch()
            assert second.died() != 0
            assert "another ingest" in plant.log_of(second)
        plant.recovered()
        assert plant.ingest.running
        scenario.judge(plant)
