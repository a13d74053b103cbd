"""Stores that were lost, or restored from a backup: what the gateways still hold comes back by command."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from palier.historian.records import RecordsReader
from palier.operations import Command, SendAgain
from palier.wire.operations import command_topic, encode_command
from tests.faults.conftest import Scenario
from tests.support.plant_files import SITE
from tests.support.plant_of_processes import ProcessPlant
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


def ask_again(plant: ProcessPlant, request: str, *, again: bool) -> int:
    """Have the gateway send all it holds once more; how many frames it says that it sends."""
    until_ns = time.time_ns() // 10**6 * 10**6
    ask = SendAgain(f"{SITE}/gw-1", 0, until_ns, "a store was lost", again=again)
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", plant.broker_port)
    client.loop_start()
    told = client.publish(command_topic(SITE), encode_command(Command(request, "test", ask)), qos=1)
    told.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    return eventually(lambda: answered(plant, request), 60, "the gateway's answer to the replay")


def answered(plant: ProcessPlant, request: str) -> int:
    """The frames that the gateway sends again under this request; 0 before it answered."""
    records = RecordsReader(plant.data.records)
    try:
        details = [json.loads(t.detail) for t in records.transitions(0, "replay") if t.state == "answered"]
    finally:
        records.close()
    return next((int(told["frames"]) for told in details if told["request"] == request), 0)


def test_series_lost_and_stored_again_by_command(scenario: Scenario) -> None:
    with scenario.plant() as plant:
        plant.settle()
        with plant.fault():
            plant.ingest.stop()
            for path in plant.data.path.glob("historian.sqlite*"):
                path.unlink()
        plant.restart_ingest()
        plant.recovered()
        assert ask_again(plant, "series-lost", again=True) > 100
        scenario.judge(plant)


def test_backup_restored_and_the_rest_sent_again_by_command(scenario: Scenario) -> None:
    backup = scenario.folder / "backup"
    with scenario.plant() as plant:
        plant.settle()
        plant.ingest.stop()
        shutil.copytree(plant.data.path, backup)
        plant.restart_ingest()
        plant.settle()
        with plant.fault():
            plant.ingest.stop()
            shutil.rmtree(plant.data.path)
            shutil.copytree(backup, plant.data.path)
        plant.restart_ingest()
        plant.recovered()
        assert ask_again(plant, "backup-restored", again=False) > 100
        scenario.judge(plant)
