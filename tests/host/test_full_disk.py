"""A disk that somebody else fills: the ingest keeps on, loses nothing, and goes on by itself."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from palier.alarms import Life
from palier.historian.folder import DataFolder
from tests.host.conftest import Ingest
from tests.host.test_alarm_service import lives
from tests.support.gateway import Gateway, waveform
from tests.support.services import Mosquitto
from tests.support.small_disk import fill, mounted_disk
from tests.support.waiting import eventually

START = time.time_ns() - 1000 * 10**9
MIB = 1024 * 1024
RESERVE = 24 * MIB
"""Half of it, 12 MiB, is what must stay free; the small disk has 48."""


def on(disk: Path, ingest: Ingest) -> Ingest:
    """The ingest with its data on that disk."""
    text = ingest.config.read_text("utf-8").replace(str(ingest.data.path), str(disk / "data"))
    ingest.config.write_text(f"free_space_bytes = {RESERVE}\n{text}", "utf-8")
    return replace(ingest, data=DataFolder(disk / "data"))


def leave(disk: Path, free: int) -> Path:
    """What another program writes until so many bytes are free."""
    path = disk / "someone-elses.log"
    taken = MIB * 48 - sum(f.stat().st_size for f in disk.rglob("*") if f.is_file()) - free
    path.write_bytes(bytes(taken))
    return path


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


@pytest.mark.long
def test_a_disk_that_is_full_loses_nothing_and_ends_nothing(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    with mounted_disk(tmp_path / "disk") as disk, Gateway(mosquitto.port) as gateway:
        small = on(disk, ingest)
        try:
            small.start()
            gateway.wait_for_host().born()
            gateway.send(1, waveform(START))
            gateway.wait_acked([1])
            others = fill(disk)
            gateway.send(2, waveform(START + 10**9))
            eventually(lambda: "must stay free" in small.detail("store"), 60, "the store's sentence")
            assert gateway.acked == [1]
            small.stop(signal.SIGKILL)
            small.start()  # on a full disk
            eventually(lambda: len(gateway.states) > 2 and gateway.host.online, 60, "the host again")
            gateway.born(in_flight=((2, 2),))
            gateway.send(2, waveform(START + 10**9))
            eventually(lambda: "disk" in small.detail("store"), 60, "a sentence on the disk")
            others.unlink()
            gateway.wait_acked([1, 2])
            assert small.ranges(gateway.edge, gateway.epoch) == ((1, 2),)
            assert small.stop() == 0
            assert sound(small.data.records)
            assert sound(small.data.historian)
        finally:
            small.stop(signal.SIGKILL)


@pytest.mark.long
def test_on_a_disk_that_is_short_blocks_are_stored_without_waveforms_and_people_are_told(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    with mounted_disk(tmp_path / "disk") as disk, Gateway(mosquitto.port) as gateway:
        small = on(disk, ingest)
        try:
            small.start()
            gateway.wait_for_host().born()
            gateway.send(1, waveform(START))
            gateway.wait_acked([1])
            others = leave(disk, 18 * MIB)
            eventually(lambda: lives(small).get("palier/disk") is Life.UNACKNOWLEDGED, 60, "the alarm")
            gateway.send(2, waveform(START + 10**9))
            gateway.wait_acked([1, 2])
            others.unlink()
            eventually(lambda: lives(small).get("palier/disk") is Life.RETURNED, 60, "the disk is well again")
            gateway.send(3, waveform(START + 2 * 10**9))
            gateway.wait_acked([1, 2, 3])
            with small.records() as records:
                kept = records.waveforms("usine", "pompe", "p1")
                assert [row.frame.seq for row in kept] == [1, 3]
                assert [line.adds_up for line in records.ledger_lines(0)] == []
            with small.historian() as historian:
                blocks = historian.read("feature", ("frame",), site="usine", machine="pompe", channel="h")
                assert len(blocks) == 3
        finally:
            small.stop(signal.SIGKILL)
