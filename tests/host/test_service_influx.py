"""The ingest with its series in a real InfluxDB, which goes away and comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.alarms import restore
from palier.alarm_modes import Mode
from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from tests.host.conftest import Ingest
from tests.support.gateway import Gateway, waveform
from tests.support.influxd import ADMIN, Influxd, running_influxd
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

SECOND = 10**9
START = time.time_ns() - 1000 * SECOND
PASSWORDS = {WRITER: "writer", READER: "reader"}


@pytest.fixture
def own_influxd(tmp_path: Path) -> Iterator[Influxd]:
    with running_influxd(tmp_path / "influxd") as server:
        admin = Server(server.url, Account(*ADMIN))
        set_up_1(admin, "palier", PASSWORDS, Account(*ADMIN))
        admin.close()
        yield server


@pytest.fixture
def with_influx(ingest: Ingest, own_influxd: Influxd, tmp_path: Path) -> Ingest:
    (tmp_path / "password").write_text(PASSWORDS[WRITER])
    with ingest.config.open("a") as file:
        file.write(
            f'\n[historian]\nurl = "{own_influxd.url}"\nusername = "{WRITER}"\n'
            f"password_file = {json.dumps(str(tmp_path / 'password'))}\n"
        )
    return ingest


def stored(server: Influxd) -> list[int]:
    """The times of all blocks, as the reader sees them."""
    historian = InfluxHistorian(Server(server.url, Account(READER, PASSWORDS[READER])))
    table = historian.read("feature", ["velocity_rms_mm_s", "frame"], site="usine")
    historian.close()
    assert all(table.columns["frame"])
    return [int(ts) for ts in table.ts_ns]


def test_blocks_go_to_the_server_and_are_then_acknowledged(
    mosquitto: Mosquitto, with_influx: Ingest, own_influxd: Influxd
) -> None:
    with_influx.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 61):
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.wait_acked(range(1, 61))
    assert stored(own_influxd) == [START + seq * SECOND for seq in range(1, 61)]
    assert with_influx.stop() == 0


def test_a_server_killed_in_between_loses_and_doubles_nothing(
    mosquitto: Mosquitto, with_influx: Ingest, own_influxd: Influxd
) -> None:
    with_influx.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 11):
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.wait_acked(range(1, 11))
        own_influxd.kill()
        for seq in range(11, 21):
            gateway.send(seq, waveform(START + seq * SECOND))
        down = f"{own_influxd.url} does not answer"
        eventually(lambda: down in with_influx.detail("store"), 60, "an ingest that says its store is down")
        assert not with_influx.ready()
        assert not set(range(11, 21)) & set(gateway.acked)
        own_influxd.start()
        gateway.wait_acked(range(1, 21))
        eventually(with_influx.ready, 60, "the store back")
    assert stored(own_influxd) == [START + seq * SECOND for seq in range(1, 21)]
    assert with_influx.stop() == 0


def test_it_starts_before_the_server_does(
    mosquitto: Mosquitto, with_influx: Ingest, own_influxd: Influxd
) -> None:
    own_influxd.kill()
    with_influx.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        gateway.send(1, waveform(START))
        eventually(lambda: not with_influx.ready(), 60, "an ingest that says its store is down")
        own_influxd.start()
        gateway.wait_acked([1])
    assert stored(own_influxd) == [START]
    assert with_influx.stop() == 0


@pytest.mark.long
def test_a_store_that_refuses_us_is_an_alarm_and_costs_no_frame(
    mosquitto: Mosquitto, with_influx: Ingest, own_influxd: Influxd, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("of-yesterday")
    with_influx.start("import ingest.service\ningest.service.STORE_S = 0.2")
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        gateway.send(1, waveform(START))
        eventually(lambda: "refuses this account" in with_influx.detail("store"), 60, "what is wrong")
        assert not with_influx.ready()
        eventually(lambda: store_alarm(with_influx) == ["alert"], 60, "an alarm of the store")
        assert gateway.acked == []
        with_influx.stop()
        (tmp_path / "password").write_text(PASSWORDS[WRITER])
        with_influx.start()
        with_influx.wait_ready()
        gateway.send(1, waveform(START))
        gateway.wait_acked([1])
        eventually(lambda: store_alarm(with_influx) == [None], 60, "its end")
    assert stored(own_influxd) == [START]


def store_alarm(ingest: Ingest) -> list[object]:
    """How alarms stand that what arrives can't be stored."""
    with ingest.records() as records:
        known = restore(records.alarms())[0].known.values()
    return [alarm.standing for alarm in known if alarm.key.mode is Mode.STORE]
