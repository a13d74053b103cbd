"""The store is away while ten thousand frames wait: first it does not answer, then it is not there at all.

The host keeps a bounded part of them in memory, the outboxes the rest; when it is back all are stored, once.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from palier.historian.influx import InfluxHistorian
from palier.historian.influx_server import Account, Server
from palier.historian.influx_setup import READER, WRITER, set_up_1
from tests.host.conftest import Ingest
from tests.support.figures import most_memory_mb, tell
from tests.support.filled_outbox import fill
from tests.support.influxd import ADMIN, Influxd, running_influxd
from tests.support.sensors_inside import EPOCH, Sensor, SensorAgent
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

GATEWAYS: Final = 10
EACH: Final = 1_000
LIVE: Final = 60  # sampled by each meanwhile, two a second
HALF_OPEN_S: Final = 15.0
DOWN_S: Final = 10.0
MEMORY_MB: Final = 200.0
PASSWORDS: Final = {WRITER: "writer", READER: "reader"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Influxd]:
    with running_influxd(tmp_path / "influxd") as server:
        admin = Server(server.url, Account(*ADMIN))
        set_up_1(admin, "palier", PASSWORDS, Account(*ADMIN))
        admin.close()
        yield server


def frames_in(store: Influxd) -> list[str]:
    """The identity of the frame of each row of features."""
    historian = InfluxHistorian(Server(store.url, Account(READER, PASSWORDS[READER])))
    table = historian.read("feature", ["frame"], site="usine")
    historian.close()
    return [str(frame) for frame in table.columns["frame"]]


@pytest.mark.faults
@pytest.mark.timeout(540)
def test_ten_thousand_frames_wait_for_the_store(
    mosquitto: Mosquitto, ingest: Ingest, store: Influxd, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORDS[WRITER])
    with ingest.config.open("a") as file:
        file.write(
            f'\n[historian]\nurl = "{store.url}"\nusername = "{WRITER}"\n'
            f'password_file = "{tmp_path / "password"}"\n'
        )
    for number in range(GATEWAYS):
        fill(tmp_path / f"g{number}", f"usine/g{number}", EPOCH, machine=f"m{number}", blocks=EACH, points=4)
    ingest.start()
    ingest.wait_ready()
    assert ingest.process is not None
    assert store.process is not None
    pid, before_mb = ingest.process.pid, most_memory_mb(ingest.process.pid)
    with ExitStack() as stack:
        agents = [
            SensorAgent(tmp_path, mosquitto.port, number, Sensor(number, 2.0, LIVE / 2.0))
            for number in range(GATEWAYS)
        ]
        os.kill(store.process.pid, signal.SIGSTOP)  # it takes connections, and answers nothing
        for one in agents:
            one.start()
            stack.callback(one.stop)
        time.sleep(HALF_OPEN_S)
        half_open_mb, waiting = most_memory_mb(pid), ingest.metric("palier_ingest_frames_waiting")
        store.kill()
        time.sleep(DOWN_S)
        down_mb, behind = most_memory_mb(pid), sum(one.behind for one in agents)
        assert behind >= GATEWAYS * EACH
        assert not ingest.ready()
        began_s = time.monotonic()
        store.start()
        eventually(ingest.ready, 60, "the store back")
        eventually(
            lambda: not any(one.behind or not one.sampled_all for one in agents), 400, "empty outboxes"
        )
        drained_s, after_mb = time.monotonic() - began_s, most_memory_mb(pid)
        wire = sum(one.link.counters.sent.total() for one in agents)
    total = GATEWAYS * (EACH + LIVE)
    tell(
        f"{behind} frames of 25 kB waited, {waiting:.0f} of them in the host's hand, which took "
        f"{before_mb:.0f} MB before, {half_open_mb:.0f} MB with a half-open store, {down_mb:.0f} MB without, "
        f"{after_mb:.0f} MB at the end; all {total} stored {drained_s:.0f} s after it was back "
        f"({total / drained_s:.0f}/s), wire/useful {wire / total:.3f}"
    )
    assert after_mb < MEMORY_MB
    assert ingest.process.pid == pid
    for number in range(GATEWAYS):
        assert ingest.ranges(f"usine/g{number}", EPOCH) == ((1, EACH + LIVE),)
    frames = frames_in(store)
    assert len(frames) == len(set(frames)) == total
    assert ingest.stop() == 0
