"""What happens to the ingest's stores: InfluxDB killed, hanging, or behind a broken link; disks full."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from palier.historian.folder import DataFolder
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from tests.support.broken_link import BrokenLink
from tests.support.counted import Counted, FeatureRow, features_of
from tests.support.influxd import ADMIN, Influxd, running_influxd
from tests.support.plant_of_processes import ProcessPlant
from tests.support.small_disk import fill, mounted_disk
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.faults.conftest import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

NO_RESERVE = {"free_space_bytes": 0}
"""So that the disk really refuses; else the ingest would have stopped storing in time."""

PASSWORDS = {WRITER: "writer", READER: "reader"}


@dataclass
class InfluxPlant:
    """A plant whose series are in an InfluxDB behind a link of its own."""

    server: Influxd
    link: BrokenLink
    plant: ProcessPlant
    judge: Callable[[], Counted]


@contextmanager
def influx_plant(scenario: Scenario) -> Iterator[InfluxPlant]:
    with (
        running_influxd(scenario.folder / "influxd") as server,
        BrokenLink(server.port) as link,
    ):
        admin = Server(server.url, Account(*ADMIN))
        set_up_1(admin, "palier", PASSWORDS, Account(*ADMIN))
        admin.close()
        password = scenario.folder / "password"
        password.touch(0o600)
        password.write_text(PASSWORDS[WRITER], "utf-8")
        historian = {
            "url": f"http://127.0.0.1:{link.port}",
            "username": WRITER,
            "password_file": str(password),
        }

        def features(_: DataFolder) -> list[FeatureRow]:
            reader = InfluxHistorian(Server(server.url, Account(READER, PASSWORDS[READER]), read_s=60))
            try:
                return features_of(reader)
            finally:
                reader.close()

        with scenario.plant(ingest={"historian": historian}, features=features) as plant:
            plant.settle()
            yield InfluxPlant(server, link, plant, lambda: scenario.judge(plant))


@pytest.mark.faults_ci
def test_influxdb_killed_3_times(scenario: Scenario) -> None:
    with influx_plant(scenario) as influx:
        with influx.plant.fault():
            for _ in range(2):
                influx.server.kill()
                influx.server.start(administrator=False)
                time.sleep(1)
            influx.server.kill()
            time.sleep(1)
        influx.server.start(administrator=False)
        influx.plant.recovered()
        influx.judge()


def test_influxdb_away_10_s(scenario: Scenario) -> None:
    """The ingest says so, acknowledges nothing, and the gateways keep what they sample."""
    with influx_plant(scenario) as influx:
        with influx.plant.fault(felt_s=5):
            influx.server.kill()
            time.sleep(10)
        influx.server.start(administrator=False)
        influx.plant.recovered()
        counted = influx.judge()
    assert counted.wire_per_useful < 1.5


def test_influxdb_hangs_6_s(scenario: Scenario) -> None:
    with influx_plant(scenario) as influx:
        assert influx.server.process is not None
        with influx.plant.fault(felt_s=3):
            influx.server.process.send_signal(signal.SIGSTOP)
            time.sleep(6)
            influx.server.process.send_signal(signal.SIGCONT)
        influx.plant.recovered()
        influx.judge()


def test_influxdb_half_open_8_s(scenario: Scenario) -> None:
    with influx_plant(scenario) as influx:
        with influx.plant.fault(felt_s=4):
            influx.link.stalled = True
            time.sleep(8)
            influx.link.heal()
        influx.plant.recovered()
        influx.judge()


def test_influxdb_writes_and_its_answers_are_lost_4_s(scenario: Scenario) -> None:
    """The 204 never comes: the same rows are written again, and are the same rows."""
    with influx_plant(scenario) as influx:
        with influx.plant.fault(felt_s=2):
            influx.link.deaf = True
            time.sleep(4)
            influx.link.cut()
            influx.link.heal()
        influx.plant.recovered()
        influx.judge()


def test_influxdb_and_ingest_killed_at_once(scenario: Scenario) -> None:
    with influx_plant(scenario) as influx:
        with influx.plant.fault():
            influx.server.kill()
            influx.plant.ingest.kill()
        influx.server.start(administrator=False)
        influx.plant.restart_ingest()
        influx.plant.recovered()
        influx.judge()


def test_ingests_disk_full_8_s(scenario: Scenario) -> None:
    """Nothing is acknowledged that is not on the disk; when there is room the ingest goes on by itself."""
    data = scenario.folder / "plant" / "data"
    with mounted_disk(data, 400), scenario.plant(ingest=NO_RESERVE) as plant:
        plant.settle()
        with plant.fault(felt_s=4):
            filler = fill(data)
            eventually(lambda: "store_unavailable" in plant.log_of(plant.ingest), 30, "a store that is full")
            time.sleep(8)
            filler.unlink()
        plant.recovered()
        scenario.judge(plant)


def test_ingest_killed_on_a_full_disk(scenario: Scenario) -> None:
    data = scenario.folder / "plant" / "data"
    with mounted_disk(data, 400), scenario.plant(ingest=NO_RESERVE) as plant:
        plant.settle()
        with plant.fault():
            filler = fill(data)
            eventually(lambda: "store_unavailable" in plant.log_of(plant.ingest), 30, "a store that is full")
            plant.ingest.kill()
            filler.unlink()
        plant.restart_ingest()
        plant.recovered()
        scenario.judge(plant)
