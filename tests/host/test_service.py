"""The whole ingest as a process at a real broker, against a gateway built on the wire."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from ingest.failpoints import Failpoints
from ingest.knowledge import Knowledge
from ingest.service import Service
from ingest.settings import IngestSettings
from ingest.stores import open_stores
from palier.health import Health
from palier.historian.base import Unavailable
from palier.historian.records import Records
from palier.historian.rows import LedgerReceipt, RecordsBatch
from palier.historian.sqlite import SqliteHistorian
from palier.limits import load_limits
from palier.plant import Plant
from palier.wire.messages import LedgerReport
from palier.wire.payload import DataType, Metric, Payload, encode
from palier.wire.topics import Kind
from tests.host.conftest import Ingest
from tests.support.gateway import EPOCH, Gateway, readings, waveform
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

SECOND = 10**9


START = time.time_ns() - 1000 * SECOND


def test_frames_are_stored_and_then_acknowledged(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 121):
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.wait_acked(range(1, 121))
        assert ingest.ranges(gateway.edge, gateway.epoch) == ((1, 120),)
        assert ingest.ready()
        assert ingest.metric("palier_ingest_stored_total") == 120
    with ingest.historian() as historian:
        table = historian.read("feature", ("velocity_rms_mm_s", "zone"), site="usine", machine="pompe")
        assert len(table) == 120
        assert set(table.columns["zone"]) == {"A"}
        state = historian.latest("state", ("state", "severity", "live"), site="usine")
        assert dict(zip(state.point, state.columns["state"], strict=True)) == {"": "normal", "p1": "normal"}
        assert 0 < len(historian.read("spectrum", ("amplitude",), site="usine")) <= 400
    assert ingest.stop() == 0


def test_what_comes_again_is_acknowledged_again_and_stored_once(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for _ in range(3):
            gateway.acked.clear()
            for seq in range(1, 11):
                gateway.send(seq, waveform(START + seq * SECOND))
            gateway.wait_acked(range(1, 11))
    with ingest.historian() as historian:
        assert len(historian.read("feature", ("frame",), site="usine")) == 10


def test_bad_messages_are_put_aside_and_good_ones_pass(mosquitto: Mosquitto, ingest: Ingest) -> None:
    bad = [
        b"",
        b"\x00",
        bytes(range(256)) * 4,
        encode(Payload(1_790_000_000_000, (), 0, "palier/99")),
        encode(Payload(1_790_000_000_000, (Metric("Palier/Epoch", DataType.STRING, "x"),), 0, "palier/1")),
    ]
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 21):
            gateway.raw(bad[seq % len(bad)])
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.wait_acked(range(1, 21))
    with ingest.records() as records:
        assert len(records.quarantine()) == 20
        assert {row.reason for row in records.quarantine()} == {"decode", "version", "schema"}
    assert ingest.stop() == 0


def acked_and_stored_at_the_kill(
    ingest: Ingest, gateway: Gateway, *, too_early: bool = False
) -> tuple[set[int], set[int]]:
    """Ten frames to an ingest that is killed at its failpoint: what it acknowledged, what it stored. One that
    acknowledges `too_early` is left the time that it takes.
    """
    gateway.wait_for_host().born()
    for seq in range(1, 11):
        gateway.send(seq, waveform(START + seq * SECOND))
    eventually(lambda: ingest.metric("palier_ingest_received_total") >= 3, 60, "a frame behind the births")
    if too_early:
        eventually(lambda: gateway.acked, 60, "the acknowledgement that is not true")
    else:
        time.sleep(0.3)  # an acknowledgement sent too early would mostly be here by now
    ingest.stop(signal.SIGKILL)
    stored = ingest.ranges(gateway.edge, gateway.epoch)
    return set(gateway.acked), {seq for lo, hi in stored for seq in range(lo, hi + 1)}


@pytest.mark.parametrize("place", ["before_waveforms", "before_series", "before_records"])
def test_killed_before_the_commit_is_done_nothing_had_been_acknowledged(
    mosquitto: Mosquitto, ingest: Ingest, place: str
) -> None:
    ingest.environment["PALIER_FAILPOINT"] = f"{place}:sleep=60"
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        acked, stored = acked_and_stored_at_the_kill(ingest, gateway)
        assert acked <= stored
        assert stored == set()

        ingest.environment.clear()
        ingest.start()
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        gateway.born(in_flight=((1, 10),))
        eventually(lambda: any(answer.sync for answer in gateway.answers), 60, "the answer to the birth")
        for seq in range(1, 11):
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.wait_acked(range(1, 11))
    with ingest.historian() as historian:
        assert len(historian.read("feature", ("frame",), site="usine")) == 10
    assert ingest.stop() == 0


ACKNOWLEDGES_TOO_EARLY = """
from ingest import worker
from ingest.batch import Committed
begin = worker.Worker.begin
def early(self, batch):
    self._tell(Committed(batch, 0.01))
    begin(self, batch)
worker.Worker.begin = early
"""


def test_this_kill_catches_an_acknowledgement_sent_too_early(mosquitto: Mosquitto, ingest: Ingest) -> None:
    """The test above is worth something: an ingest with that very defect does not pass it."""
    ingest.environment["PALIER_FAILPOINT"] = "before_records:sleep=60"
    ingest.start(ACKNOWLEDGES_TOO_EARLY)
    with Gateway(mosquitto.port) as gateway:
        acked, stored = acked_and_stored_at_the_kill(ingest, gateway, too_early=True)
    assert not acked <= stored


def test_killed_after_the_commit_the_birth_is_answered_with_what_is_stored(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    ingest.environment["PALIER_FAILPOINT"] = "before_acknowledgement:sleep=60"
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host()
        gateway.send(1, waveform(START))
        eventually(lambda: _exists(ingest) and ingest.ranges(gateway.edge, gateway.epoch), 60, "the commit")
        ingest.stop(signal.SIGKILL)
        assert gateway.acked == []
        ingest.environment.clear()
        ingest.start()
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        gateway.born(in_flight=((1, 3),))
        eventually(lambda: gateway.answers, 60, "the answer to the birth")
        assert [(answer.sync, answer.ranges) for answer in gateway.answers] == [(True, ((1, 1),))]


def test_the_state_survives_a_restart_and_history_advances_nothing(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    with Gateway(mosquitto.port) as gateway:
        ingest.start()
        gateway.wait_for_host().born()
        gateway.send(1, waveform(START + 100 * SECOND, velocity_mm_s=12.0))
        gateway.wait_acked([1])
        assert ingest.stop() == 0
        ingest.start()
        eventually(lambda: len(gateway.states) > 2 and gateway.host.online, 60, "the host again")
        gateway.send(2, waveform(START, velocity_mm_s=1.0))
        gateway.send(3, waveform(START + SECOND, velocity_mm_s=1.0), historical=True)
        gateway.wait_acked([2, 3])
    with ingest.historian() as historian:
        state = historian.latest("state", ("state",), site="usine")
        assert set(state.columns["state"]) == {"danger"}
        zones = historian.read("feature", ("zone",), site="usine").columns["zone"]
        assert zones == ("A", "A", "D")


def test_readings_and_third_party_numbers_are_kept(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    with Gateway(mosquitto.port) as gateway, Gateway(mosquitto.port, node="plc") as other:
        gateway.wait_for_host().born()
        gateway.send(1, readings(START, "p1/t", [60.0, float("nan"), 61.0]))
        gateway.wait_acked([1])
        metric = Metric("Moteur/Courant", DataType.FLOAT, 12.5, alias=1)
        at_ms = START // 1_000_000
        other.raw(encode(Payload(at_ms, (Metric("bdSeq", DataType.INT64, 0),), 0)), kind=Kind.NBIRTH)
        other.raw(encode(Payload(at_ms, (metric,), 1)), machine="presse", kind=Kind.DBIRTH)
        other.raw(encode(Payload(at_ms, (metric,), 2), with_datatypes=False), machine="presse")

        def values() -> dict[str, list[float]]:
            with ingest.historian() as historian:
                table = historian.read("reading", ("value",), site="usine")
            found: dict[str, list[float]] = {}
            for channel, value in zip(table.channel, table.columns["value"], strict=True):
                found.setdefault(channel, []).append(float(value))
            return found

        eventually(lambda: values() == {"t": [60.0, 61.0], "Courant": [12.5]}, 60, "the readings")


def test_the_ledger_adds_up_at_each_report(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 6):
            gateway.send(seq, waveform(START + seq * SECOND))
        gateway.report(7, acquired=7, oldest=6, pending=2)
        ledger = _ledger(ingest)
        # Not the first line at once: one may be written of frames that came before any report.
        eventually(lambda: ledger() == (7.0, 5.0, 2.0, 1.0), 60, "a ledger that adds up")
        gateway.report(8, acquired=8, oldest=8, pending=1)  # 6 and 7 vanished
        eventually(lambda: ledger()[3] == 0.0, 60, "a ledger that does not add up")
        assert _words(ingest) == [], "the next report decides"
        gateway.report(9, acquired=9, oldest=8, pending=2)
        eventually(lambda: _words(ingest) == ["does_not_add_up"], 60, "the event of the next report")


def _words(ingest: Ingest) -> list[str]:
    """The events of the ledger."""
    with ingest.records() as records:
        return [t.state for t in records.transitions() if t.kind == "ledger"]


def test_a_ledger_that_cannot_be_read_or_written_is_looked_at_again(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may fail at the minute of the accounts: no reason to end."""

    def fails(*_: object) -> NoReturn:
        raise Unavailable("of this test")

    settings = IngestSettings(plant=tmp_path / "plant.toml", data=tmp_path / "data")
    with open_stores(settings.data, settings.waveform_budget_bytes) as stores:
        service = Service(
            settings,
            plant,
            Knowledge(plant, load_limits()),
            stores,
            health=Health("ingest", ("broker", "store", "progress")),
            failpoints=Failpoints(),
        )
        report = LedgerReport(EPOCH, 5, 5, (), None, 0)  # of five frames that nobody saw
        at_ns = time.time_ns()
        stores.records.commit(RecordsBatch(ledgers=(LedgerReceipt("usine/g1", at_ns, report),)))
        service._housekeeping.account()
        stores.records.commit(RecordsBatch(ledgers=(LedgerReceipt("usine/g1", at_ns + 1, report),)))
        for store, call in ((Records, "ledger_lines"), (SqliteHistorian, "write")):
            with monkeypatch.context() as patch:
                patch.setattr(store, call, fails)
                service._housekeeping.account()
        assert stores.records.transitions() == ()
        service._housekeeping.account()
        assert [(t.kind, t.state) for t in stores.records.transitions()] == [
            ("alarm", "unacknowledged"),
            ("ledger", "does_not_add_up"),
        ]
        service._link.stop()


HOLDS_ITS_COMMIT = """
import pathlib, time
from ingest import failpoints
def reach(self, point):
    while point == "before_records" and not pathlib.Path({until!r}).exists():
        time.sleep(0.01)
failpoints.Failpoints.reach = reach
"""


def test_at_the_end_what_is_in_hand_is_stored_and_acknowledged(
    mosquitto: Mosquitto, ingest: Ingest, tmp_path: Path
) -> None:
    released = tmp_path / "released"
    ingest.start(HOLDS_ITS_COMMIT.format(until=str(released)))
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in range(1, 6):
            gateway.send(seq, waveform(START + seq * SECOND))
        eventually(lambda: ingest.metric("palier_ingest_frames_waiting") == 5, 60, "all frames")
        assert gateway.acked == []
        assert ingest.process is not None
        ingest.process.send_signal(signal.SIGTERM)
        released.touch()
        assert ingest.process.wait(60) == 0
        gateway.wait_acked(range(1, 6))
    assert ingest.ranges(gateway.edge, gateway.epoch) == ((1, 5),)


COMMITS_BREAK = """
from ingest import commit
def breaks(self, attempt):
    raise {error}
commit.Committer.{call} = breaks
"""


@pytest.mark.parametrize("call", ["compute", "keep", "store"])
def test_a_dead_thread_ends_the_process_with_an_error(
    mosquitto: Mosquitto, ingest: Ingest, call: str
) -> None:
    ingest.start(COMMITS_BREAK.format(call=call, error="ZeroDivisionError('of this test')"))
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().send(1, waveform(START))
        assert ingest.process is not None
        assert ingest.process.wait(60) == 1
        assert gateway.acked == []
    assert "ZeroDivisionError" in (ingest.data.path.parent / "ingest.log").read_text()
    assert ingest.ranges(gateway.edge, gateway.epoch) == ()


def test_a_dead_link_ends_the_process_with_an_error(mosquitto: Mosquitto, ingest: Ingest) -> None:
    mosquitto.kill()
    ingest.start("import random; random.random = lambda: 1 / 0")
    assert ingest.process is not None
    assert ingest.process.wait(60) == 1
    assert "the link died" in (ingest.data.path.parent / "ingest.log").read_text()


def test_a_second_ingest_on_the_same_data_is_refused(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    second = Ingest(ingest.config, ingest.data, 0, environment={"PALIER_INGEST_HEALTH_PORT": "0"})
    second.start()
    assert second.process is not None
    assert second.process.wait(60) == 1
    assert "another ingest" in (ingest.data.path.parent / "ingest.log").read_text()


def _exists(ingest: Ingest) -> bool:
    return ingest.data.records.exists()


def _ledger(ingest: Ingest) -> Callable[[], tuple[float, ...]]:
    names = ("acquired", "stored", "pending", "adds_up")

    def newest() -> tuple[float, ...]:
        def look() -> tuple[float, ...]:
            with ingest.historian() as historian:
                table = historian.read("ledger", names, site="usine", newest=1)
            return (
                tuple(float(np.asarray(table.columns[name], dtype=np.float64)[0]) for name in names)
                if len(table)
                else ()
            )

        return eventually(look, 60, "a ledger line")

    return newest
