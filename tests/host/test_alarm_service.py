"""Alarms in the whole ingest as a process: raised by frames, answered by people, told once over crashes."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from palier.alarms import Alarm, Life
from palier.frames import Waveform
from tests.host.conftest import Ingest
from tests.support.gateway import Gateway, readings, waveform
from tests.support.mail_server import MailServer, running
from tests.support.operator import asking, palier
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

SECOND = 10**9
START = time.time_ns() - 1000 * SECOND
VIBRATION = "pompe/p1/vibration"
ALERT = "ventilateur/p1/vibration"


def alarms(ingest: Ingest) -> dict[str, Alarm]:
    """The alarms of the records, by id."""
    if not ingest.data.records.exists():
        return {}
    with ingest.records() as records:
        return {row.id: Alarm.from_json(row.value) for row in records.alarms()}


def lives(ingest: Ingest) -> dict[str, Life]:
    return {name: alarm.life for name, alarm in alarms(ingest).items()}


def events(ingest: Ingest, kind: str = "alarm") -> list[dict[str, Any]]:
    """What the `event` series tells of that kind, each event once."""
    with ingest.historian() as historian:
        table = historian.read("event", ("event_id", "kind", "state", "detail"), site="usine")
    columns = (table.columns[name] for name in ("event_id", "kind", "state", "detail"))
    found = [row for row in zip(*columns, strict=True) if row[1] == kind]
    assert len({row[0] for row in found}) == len(found)
    return [json.loads(str(row[3])) | {"state": row[2]} for row in found]


def whats(ingest: Ingest) -> list[str]:
    return [told["what"] for told in events(ingest)]


@pytest.fixture
def gateway(mosquitto: Mosquitto) -> Iterator[Gateway]:
    with Gateway(mosquitto.port) as one:
        yield one


def send(gateway: Gateway, *blocks: Waveform, first: int = 1, historical: bool = False) -> int:
    """These blocks, acknowledged; the next seq."""
    for seq, block in enumerate(blocks, first):
        gateway.send(seq, block, historical=historical)
    after = first + len(blocks)
    gateway.wait_acked(range(first, after))
    return after


def loud(second: int = 1, **more: Any) -> Waveform:
    return waveform(START + second * SECOND, velocity_mm_s=12.0, **more)


def dead(second: int) -> Waveform:
    """A block of a sensor that has stopped."""
    block = waveform(START + second * SECOND)
    return Waveform(
        machine=block.machine,
        point=block.point,
        channels=block.channels,
        samples=np.full_like(block.samples, 7),
        scale=block.scale,
        unit=block.unit,
        fs_hz=block.fs_hz,
        start_ns=block.start_ns,
    )


def test_a_block_over_its_limit_raises_an_alarm_that_a_person_acknowledges(
    mosquitto: Mosquitto, ingest: Ingest, gateway: Gateway
) -> None:
    ingest.start()
    gateway.wait_for_host().born()
    seq = send(gateway, loud())
    raised = alarms(ingest)[VIBRATION]
    assert (raised.life, raised.level, raised.priority) == (Life.UNACKNOWLEDGED, "danger", "high")
    assert (raised.causes[0].feature, raised.causes[0].unit) == ("velocity_rms_mm_s", "mm/s")
    assert (raised.causes[0].alert, raised.causes[0].danger) == (6.1, 9.5)
    assert raised.action == "action.stop"
    eventually(lambda: whats(ingest) == ["raised"], 60, "the event")
    seq = send(gateway, *(waveform(START + n * SECOND) for n in range(2, 8)), first=seq)
    assert lives(ingest) == {VIBRATION: Life.UNACKNOWLEDGED}, "a danger is latched"
    send(gateway, waveform(START, machine="ventilateur", velocity_mm_s=8.0), first=seq)

    listed = palier(mosquitto.port, "alarms", "list", "--data", str(ingest.data.path))
    assert VIBRATION in listed.stdout
    refused = palier(mosquitto.port, "alarms", "shelve", VIBRATION, "--why", "essai")
    assert (refused.returncode, refused.stderr.strip()) == (1, "Un danger s'acquitte d'abord.")
    done = palier(mosquitto.port, "alarms", "acknowledge", VIBRATION, "--comment", "vu")
    assert (done.returncode, done.stdout.strip()) == (0, "Alarme acquittée."), done.stderr
    assert lives(ingest) == {VIBRATION: Life.NORMAL, ALERT: Life.UNACKNOWLEDGED}
    told = ["raised", "raised", "returned", "acknowledged"]
    eventually(lambda: sorted(whats(ingest)) == sorted(told), 60, "the events")
    (seen,) = [told for told in events(ingest) if told["what"] == "acknowledged"]
    assert (seen["who"], seen["why"]) == ("h.alami", "vu")
    work = palier(mosquitto.port, "intervention", "add", "pompe", "greasing", "--text", "20 g")
    assert work.returncode == 0, work.stderr
    eventually(lambda: events(ingest, "intervention"), 60, "the work on the machine")
    shelved = palier(mosquitto.port, "alarms", "shelve", ALERT, "--for", "1h", "--why", "essai")
    assert (shelved.returncode, shelved.stdout.strip()) == (0, "Alarme mise en veille."), shelved.stderr
    assert lives(ingest)[ALERT] is Life.SHELVED
    assert ingest.stop() == 0


def test_history_raises_nothing_and_a_sensor_at_fault_raises_its_own_alarm_only(
    ingest: Ingest, gateway: Gateway
) -> None:
    ingest.start()
    gateway.wait_for_host().born()
    seq = send(gateway, *(loud(n) for n in range(1, 4)), historical=True)
    assert alarms(ingest) == {}
    send(gateway, *(dead(n) for n in range(10, 13)), first=seq)
    assert {name: life for name, life in lives(ingest).items() if life is not Life.NORMAL} == {
        "pompe/p1/sensor": Life.UNACKNOWLEDGED
    }
    assert alarms(ingest)["pompe/p1/sensor"].action == "remedy.check_sensor"


def test_a_machine_that_stands_still_suppresses_and_a_hot_bearing_alarms(
    ingest: Ingest, gateway: Gateway
) -> None:
    """The alert of the running machine hides while it stands, and is there again when it turns."""
    ingest.start()
    gateway.wait_for_host().born()
    alert = waveform(START + SECOND, velocity_mm_s=8.0, speed_rpm=1500.0)
    seq = send(gateway, alert)
    assert lives(ingest) == {VIBRATION: Life.UNACKNOWLEDGED}
    seq = send(gateway, waveform(START + 2 * SECOND, velocity_mm_s=0.01, speed_rpm=0.0), first=seq)
    assert lives(ingest) == {VIBRATION: Life.SUPPRESSED}
    seq = send(gateway, waveform(START + 3 * SECOND, velocity_mm_s=8.0, speed_rpm=1500.0), first=seq)
    assert lives(ingest) == {VIBRATION: Life.UNACKNOWLEDGED}
    gateway.send(seq, readings(START + 4 * SECOND, "p1/t", [120.0]))
    gateway.wait_acked([seq])
    assert lives(ingest)["pompe/p1/temperature"] is Life.UNACKNOWLEDGED
    assert alarms(ingest)["pompe/p1/temperature"].causes[0].unit == "°C"


def test_a_command_sent_again_is_not_done_again(
    mosquitto: Mosquitto, ingest: Ingest, gateway: Gateway
) -> None:
    acknowledge = {"id": "command-1", "user": "h.alami", "do": "acknowledge", "alarm": VIBRATION}
    ingest.start()
    gateway.wait_for_host().born()
    send(gateway, loud())
    with asking(mosquitto.port) as asker:
        asker.write(acknowledge | {"id": "command-0"}, retain=True)
        assert asker.replies or eventually(lambda: asker.replies, 60, "a reply")
        assert asker.replies.pop()["reason"] == "acknowledged"
        assert asker.ask(acknowledge)["reason"] == "nothing_to_acknowledge"
        assert asker.ask({"id": "command-2", "user": "h.alami", "do": "dance"})["reason"] == "malformed"
        shelve = acknowledge | {"id": "command-3", "do": "shelve", "why": "essai", "for_s": 600}
        first = asker.ask(shelve)
        assert (first["outcome"], first["present"]["state"]) == ("done", "shelved")
        assert ingest.stop() == 0
        ingest.start()  # the retained command of before is heard, and left
        ingest.wait_ready()
        assert asker.ask(shelve) == first
        assert asker.ask(shelve | {"why": "autre"})["reason"] == "id_used"
        assert asker.ask({"id": "command-0", "user": "x", "do": "unshelve", "alarm": VIBRATION})
        assert len(asker.replies) == 6
        asker.write(b"", retain=True)
    with ingest.records() as records:
        assert [json.loads(t.detail)["what"] for t in records.transitions(kind="alarm")] == [
            "raised",
            "acknowledged",
            "shelved",
        ]


def test_killed_before_an_alarm_is_told_it_is_told_once_by_mail_and_event(
    ingest: Ingest, gateway: Gateway
) -> None:
    with running(MailServer()) as mail:
        with ingest.config.open("a") as config:
            config.write(
                f'[notify.email]\nhost = "127.0.0.1"\nport = {mail.port}\nsecurity = "none"\n'
                'sender = "palier@example.org"\nto = ["atelier@example.org"]\n'
            )
        ingest.environment["PALIER_FAILPOINT"] = "before_told:sleep=60"
        ingest.start()
        gateway.wait_for_host().born()
        send(gateway, loud())
        ingest.stop(signal.SIGKILL)
        assert lives(ingest) == {VIBRATION: Life.UNACKNOWLEDGED}
        assert (whats(ingest), mail.attempts) == ([], 0)

        ingest.environment.clear()
        for _ in range(2):
            ingest.start()
            ingest.wait_ready()
            eventually(lambda: mail.messages and whats(ingest), 60, "the mail and the event")
            eventually(lambda: ingest.metric("palier_ingest_notices_waiting") == 0, 60, "the note of it")
            assert ingest.labelled("palier_ingest_alarms_open") == {'{state="unacknowledged"}': 1.0}
            assert ingest.stop() == 0
        assert len(mail.messages) == 1
        assert whats(ingest) == ["raised"]
        assert "pompe" in str(mail.messages[0]["Subject"]).lower()
    with ingest.records() as records:
        assert records.notices() == ()


SOON = "from ingest import edges, expected\nedges.ABSENT_S = expected.ABSENT_S = 0.2"


def test_a_gateway_that_stays_away_and_a_ledger_that_does_not_add_up_are_alarms(
    ingest: Ingest, gateway: Gateway
) -> None:
    ingest.start(SOON)
    gateway.wait_for_host().born()
    seq = send(gateway, waveform(START + SECOND))

    def alarmed() -> bool:
        gateway.report(seq, acquired=seq)  # the last of them vanished
        return lives(ingest) == {"g1/ledger": Life.UNACKNOWLEDGED}

    eventually(alarmed, 60, "the ledger's alarm, at the next report")
    send(gateway, waveform(START + 2 * SECOND), first=seq)
    gateway.report(seq + 1, acquired=seq + 1, oldest=seq + 1, pending=1)
    eventually(lambda: lives(ingest) == {"g1/ledger": Life.RETURNED}, 60, "a ledger that adds up")
    gateway.die()
    eventually(lambda: lives(ingest).get("g1/gateway") is Life.UNACKNOWLEDGED, 60, "the gateway's alarm")
    gateway.born()
    eventually(lambda: lives(ingest).get("g1/gateway") is Life.RETURNED, 60, "the gateway back")
    assert alarms(ingest)["g1/gateway"].action == "remedy.check_gateway"
    ingest.stop()
    gateway.die()  # nobody hears it, and no broker keeps it
    ingest.start(SOON)
    eventually(
        lambda: lives(ingest)["g1/gateway"] is Life.UNACKNOWLEDGED, 60, "the gateway that is not heard"
    )
