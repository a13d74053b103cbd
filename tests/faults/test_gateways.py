"""What happens to a gateway: killed, stopped, its disk full or damaged, its clock wrong."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.intake import QUEUE_FRAMES
from edge_agent.window import MAX_FRAMES_IN_FLIGHT
from tests.support.plant_of_processes import SHARE
from tests.support.small_disk import fill, mounted_disk
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EDGE = "gw-1"
IN_MEMORY = 2 * QUEUE_FRAMES + 1
"""What kill -9 may take: a queue, a commit under way, and the block in the source's hand."""


@pytest.mark.faults_ci
def test_gateway_killed_3_times(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            for _ in range(2):
                plant.agents[EDGE].kill()
                plant.agents[EDGE].start()
                time.sleep(1)
            plant.agents[EDGE].kill()
        plant.agents[EDGE].launch()
        plant.recovered()
        counted = scenario.judge(plant, unkept=3 * IN_MEMORY)
    again = 3 * MAX_FRAMES_IN_FLIGHT / counted.stored  # what was in flight at each kill
    assert counted.wire_per_useful < 1.1 + again


def test_gateway_killed_while_the_uplink_is_cut(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault(felt_s=2):
            plant.links[EDGE].cut()
            time.sleep(3)
            plant.agents[EDGE].kill()
            plant.agents[EDGE].launch()
            time.sleep(3)
            plant.links[EDGE].heal()
        plant.recovered()
        scenario.judge(plant, unkept=IN_MEMORY)


def test_gateway_stopped_and_started(scenario: Scenario) -> None:
    """SIGTERM: what is in its memory goes to the disk first."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            assert plant.agents[EDGE].stop() == 0
        plant.agents[EDGE].launch()
        plant.recovered()
        scenario.judge(plant)


def test_gateway_hangs_8_s(scenario: Scenario) -> None:
    """SIGSTOP. What nobody sampled was not acquired; what was is not lost."""
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            before = plant.flow.last_seq(EDGE)
            plant.agents[EDGE].send(signal.SIGSTOP)
            time.sleep(8)
            assert plant.flow.last_seq(EDGE) - before <= plant.pace.rate, "it went on sampling"
            plant.agents[EDGE].send(signal.SIGCONT)
        plant.recovered()
        scenario.judge(plant)


def test_gateways_disk_filled_by_another_program_6_s(scenario: Scenario) -> None:
    """What it can't keep it counts as dropped; sampling goes on."""
    with mounted_disk(scenario.folder / "plant" / "outbox", 96), scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            filler = fill(scenario.folder / "plant" / "outbox")
            assert shutil.disk_usage(filler.parent).free < plant.pace.samples, "the disk has room"
            time.sleep(6)
            filler.unlink()
        plant.recovered()
        scenario.judge(plant, dropped=True)


def test_gateways_disk_filled_while_the_uplink_is_cut(scenario: Scenario) -> None:
    with mounted_disk(scenario.folder / "plant" / "outbox", 64), scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            plant.links[EDGE].cut()
            filler = fill(scenario.folder / "plant" / "outbox")
            time.sleep(10)
            filler.unlink()
            plant.links[EDGE].heal()
        plant.recovered()
        counted = scenario.judge(plant, dropped=True)
    assert counted.dropped or SHARE < 1, "all found room: the scenario shows nothing"


def test_gateways_outbox_damaged_while_it_runs(scenario: Scenario) -> None:
    """It is set aside, and sampling goes on in a new one: what had not been sent is what it costs."""
    with scenario.plant() as plant:
        plant.settle()
        outbox = plant.files[EDGE].outbox / "outbox.sqlite"
        with plant.fault():
            with closing(sqlite3.connect(outbox, timeout=10)) as db:  # so that the file is what is read
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with outbox.open("r+b") as file:
                file.seek(4096)
                file.write(b"\xa5" * 4096 * 1500)
            eventually(lambda: list(outbox.parent.glob("*.corrupt")), 40, "the damaged outbox set aside")
        plant.recovered()
        waited = 3 * plant.pace.rate * max(1.0, plant.flow.steady_s)
        scenario.judge(plant, unkept=round(waited), replaced=True)
