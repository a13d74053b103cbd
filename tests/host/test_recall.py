"""Waveforms around a machine's first alert: who is asked, when, how often, and over a kill."""

from __future__ import annotations

import signal
import time
from dataclasses import replace

import pytest

from ingest.alarms import Alarms
from ingest.batch import AskReplay, Committed, Effect, Recall
from ingest.failpoints import POINTS
from ingest.recall import (
    AGAIN_S,
    AROUND_NS,
    LASTS_NS,
    Recalled,
    Recalls,
    first_alerts,
    read_recalls,
    request_of,
)
from palier.alarms import Alarm, AlarmKey, Level, Mode
from palier.plant import Plant
from palier.source import Device
from palier.wire.messages import NodeBirth, Replay, Replayed, device_birth, node_birth, replayed_payload
from palier.wire.topics import Kind
from tests.host.conftest import Ingest
from tests.support.gateway import EPOCH, Gateway, waveform
from tests.support.pipeline_bench import EDGE, SECOND, T0, Bench
from tests.support.sent_features import features_of
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

ALERT = Recall("usine", "pompe", T0 + 90 * SECOND)
HOUR = 3600 * SECOND


def standing(machine: str, mode: Mode, since_ns: int, *, level: Level | None = Level.ALERT) -> Alarm:
    return Alarm(AlarmKey("usine", machine, "p1", mode), standing=level, since_ns=since_ns)


def alarms(*known: Alarm) -> Alarms:
    return Alarms({one.key: one for one in known})


def test_the_first_alert_of_a_machine_is_one_and_what_follows_is_none() -> None:
    calm = alarms(standing("pompe", Mode.VIBRATION, 1, level=None), standing("pompe", Mode.SENSOR, 2))
    both = alarms(standing("pompe", Mode.VIBRATION, 9), standing("pompe", Mode.TEMPERATURE, 7))
    assert first_alerts(calm, both) == (Recall("usine", "pompe", 7),)
    assert first_alerts(both, alarms(*both.known.values(), standing("pompe", Mode.BEARING, 12))) == ()
    worse = alarms(standing("pompe", Mode.VIBRATION, 20, level=Level.DANGER))
    assert first_alerts(both, worse) == ()
    assert (
        first_alerts(calm, alarms(standing("pompe", Mode.SENSOR, 5), standing("g1", Mode.GATEWAY, 6))) == ()
    )
    assert first_alerts(both, both) == ()


def born(bench: Bench, transmit: str = "adaptive", node: str = "g1") -> list[Effect]:
    bench.seq[node] = 0
    birth = NodeBirth(0, EPOCH, (), "cafe", transmit)
    effects = bench.message(Kind.NBIRTH, node_birth(birth, timestamp_ms=1), node)
    device = device_birth(Device("pompe", ()), seq=bench.next(node), timestamp_ms=1)
    return effects + bench.message(Kind.DBIRTH, device, node, "pompe")


def asked(effects: list[Effect]) -> list[AskReplay]:
    return [effect for effect in effects if isinstance(effect, AskReplay)]


def alerted(bench: Bench) -> list[Effect]:
    """A frame whose commit led to the alert."""
    bench.by_hand = True
    bench.frame(1)
    effects = bench.empty()
    (batch,) = [effect.batch for effect in effects if hasattr(effect, "batch")]
    return bench.step(Committed(batch, 0.01, (), (ALERT,)))


@pytest.fixture
def bench(plant: Plant) -> Bench:
    bench = Bench(plant)
    born(bench)
    return bench


WANTED = Replay(
    request_of(ALERT), ALERT.alert_ns - HOUR, ALERT.alert_ns + HOUR, machine="pompe", retained=True
)


def test_the_gateway_that_keeps_samples_back_is_asked_for_the_hours_around_it(bench: Bench) -> None:
    born(bench, "waveform", "g2")
    assert asked(alerted(bench)) == [AskReplay(EDGE, WANTED)]
    bench.link_s += 5
    assert asked(bench.empty()) == []


def test_gateways_that_send_everything_are_asked_for_nothing(plant: Plant) -> None:
    bench = Bench(plant)
    bench.born()
    assert asked(alerted(bench)) == []


def answer(bench: Bench, request: str = WANTED.request, node: str = "g1") -> list[Effect]:
    told = replayed_payload(Replayed(request, EPOCH, 6), seq=bench.next(node), timestamp_ms=1)
    return bench.message(Kind.NDATA, told, node)


def test_it_is_asked_again_each_minute_until_it_is_answered(bench: Bench) -> None:
    alerted(bench)
    bench.link_s += AGAIN_S
    assert asked(bench.empty()) == [AskReplay(EDGE, WANTED)]
    bench.by_hand = False
    answer(bench)
    bench.link_s += 10 * AGAIN_S
    assert asked(bench.empty()) == []


def test_a_gateway_that_was_born_again_is_asked_again_while_the_hour_lasts(bench: Bench) -> None:
    alerted(bench)
    bench.by_hand = False
    answer(bench)
    bench.link_s += 60
    born(bench)
    bench.link_s += 2  # its machines follow its own birth
    assert asked(bench.empty()) == [AskReplay(EDGE, WANTED)]
    bench.link_s += 2 * 3600  # the hour is over, and it had answered
    born(bench)
    bench.link_s += 2
    assert asked(bench.empty()) == []


def test_what_nobody_answers_for_a_week_is_given_up(bench: Bench) -> None:
    alerted(bench)
    bench.link_s += LASTS_NS / 1e9 + 100
    assert asked(bench.empty()) == []
    born(bench)
    bench.link_s += 2
    assert asked(bench.empty()) == []


def test_a_stranger_s_answer_is_none(bench: Bench) -> None:
    recalls = Recalls({ALERT: ()})
    assert recalls.answered(WANTED.request, EDGE) is None  # nobody asked it
    assert recalls.answered("recall-of-somebody", EDGE) is None


def test_what_the_records_hold_is_what_was_kept() -> None:
    recalled, states = Recalled(), {}
    for k in range(6):
        one = replace(ALERT, alert_ns=ALERT.alert_ns + k)
        states |= {(row.site, row.key): row.value for row in recalled.rows([one])}
        recalled.kept([one])
    states["usine", "pompe#recalled"] = f'{{"{ALERT.alert_ns + 5}": ["usine/g1"], "x": 3}}'
    states["usine", "broken#recall"] = "{"
    found = read_recalls(states)  # type: ignore[arg-type]
    assert [one.alert_ns - ALERT.alert_ns for one in found] == [2, 3, 4, 5]  # the newest four
    assert found[replace(ALERT, alert_ns=ALERT.alert_ns + 5)] == ("usine/g1",)
    assert Recalled(found).rows([ALERT])[0].value == states["usine", "pompe#recall"]


START = time.time_ns() - 1000 * SECOND


def alarm_raised(gateway: Gateway) -> None:
    """A calm pump, and one whose velocity is a danger, by features alone."""
    for seq in range(1, 4):
        gateway.send(
            seq, features_of(waveform(START + seq * 30 * SECOND, velocity_mm_s=1.0 if seq < 3 else 12.0))
        )


@pytest.mark.long
def test_at_an_alert_the_waveforms_come_are_stored_and_diagnosed(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    """Features, an alarm, one request over a kill, the waveform in place of its features."""
    ingest.environment["PALIER_FAILPOINT"] = "before_told:sleep=60"
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born(transmit="adaptive")
        alarm_raised(gateway)
        eventually(lambda: gateway.replays, 60, "the question for the waveforms")
        ingest.stop(signal.SIGKILL)
        ingest.environment.clear()
        ingest.start()
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        gateway.born(transmit="adaptive")
        eventually(lambda: len(gateway.replays) > 1, 60, "the same question again")
        assert len({one.request for one in gateway.replays}) == 1
        alert_ns = START + 90 * SECOND
        first = gateway.replays[0]
        assert (first.start_ns, first.end_ns) == (alert_ns - AROUND_NS, alert_ns + AROUND_NS)
        assert (first.machine, first.retained) == ("pompe", True)
        gateway.answer(first.request, 1)
        gateway.send(9, waveform(alert_ns, velocity_mm_s=12.0), historical=True)
        gateway.wait_acked([9])
    with ingest.historian() as historian:
        table = historian.read("feature", ("frame",), site="usine", machine="pompe")
        assert [frame.startswith("features:") for frame in table.columns["frame"]] == [True, True, False]  # type: ignore[union-attr]
        diagnosis = historian.read("diagnosis", ("fault", "frame"), site="usine")
        assert diagnosis.columns["frame"][-1] == f"{gateway.edge}:{EPOCH}:9"
    with ingest.records() as records:
        (row,) = records.waveforms("usine", "pompe", "p1")
        assert (row.start_ns, row.alarm) == (alert_ns, True)
        assert EDGE in records.states()["usine", "pompe#recalled"]
        assert not records.quarantine()
    assert ingest.stop() == 0


@pytest.mark.long
@pytest.mark.parametrize("place", ["before_records", "before_acknowledgement"])
def test_killed_around_the_commit_of_the_alarm_it_is_asked_after_the_start(
    mosquitto: Mosquitto, ingest: Ingest, place: str
) -> None:
    assert place in POINTS
    ingest.environment["PALIER_FAILPOINT"] = f"{place}:sleep=60"
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born(transmit="features")
        alarm_raised(gateway)
        eventually(lambda: ingest.metric("palier_ingest_received_total") >= 3, 60, "the frames")
        time.sleep(0.5)
        ingest.stop(signal.SIGKILL)
        gateway.replays.clear()
        ingest.environment.clear()
        ingest.start()
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        gateway.born(transmit="features")
        alarm_raised(gateway)
        eventually(lambda: gateway.replays, 60, "the question for the waveforms")
        gateway.answer(gateway.replays[0].request, 0)
        time.sleep(0.5)
        assert len({one.request for one in gateway.replays}) == 1
    assert ingest.stop() == 0
