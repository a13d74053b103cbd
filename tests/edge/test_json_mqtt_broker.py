"""Against a real mosquitto: values, an account over TLS, a broker that goes and comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge_agent.connection import Message
from edge_agent.sources.json_mqtt import JsonMqttSource, open_source
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE
from tests.support.listened import listened
from tests.support.provision_folder import make
from tests.support.provisioned import provisioned_broker
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

TOPIC = "atelier/pompe"
AGAIN_S = 15.0
"""What is promised."""
BUSY_S = 60.0
"""Until a test that does not measure it gives up: the machine has other things to do."""


def source(port: int, **more: object) -> JsonMqttSource:
    rows = [
        {"channel": "n", "unit": "r/min", "path": "vitesse"},
        {"channel": "t", "unit": "°C", "path": "palier.t"},
    ]
    shared = {"machine": "pompe", "point": "p1", "topic": TOPIC, "port": port, "send_every_s": 0.05}
    return open_source({**shared, "value": rows, **more}, PlantClock())


@contextmanager
def publisher(port: int) -> Iterator[Client]:
    """A device that connects again by itself."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.reconnect_delay_set(0.1, 0.2)  # type: ignore[arg-type]
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def data(speed: float) -> str:
    return json.dumps({"vitesse": speed, "palier": {"t": 55.5}})


def say(client: Client, speed: float) -> bool:
    return client.publish(TOPIC, data(speed), qos=1).rc is MQTTErrorCode.MQTT_ERR_SUCCESS


def test_values_come_and_what_was_retained_is_marked_stale(mosquitto: Mosquitto) -> None:
    with publisher(mosquitto.port) as device:
        kept = device.publish(TOPIC, data(1480.0), qos=1, retain=True)
        kept.wait_for_publish(30)  # who subscribes before the broker has it hears it as a new one
        with listened(source(mosquitto.port)) as told:
            eventually(lambda: told.qualities("p1/n"), 30, "the retained value")
            assert told.qualities("p1/n") == [QUALITY_STALE]
            say(device, 1490.0)
            eventually(lambda: told.good("p1/n"), 30, "a value")
            assert (told.good("p1/n")[-1], told.good("p1/t")[-1]) == (1490.0, 55.5)
            assert told.qualities("p1/t")[-1] == QUALITY_GOOD


def test_a_value_of_which_nothing_is_heard_goes_stale(mosquitto: Mosquitto) -> None:
    with listened(source(mosquitto.port, silent_s=1.0)) as told, publisher(mosquitto.port) as device:
        eventually(lambda: QUALITY_BAD in told.qualities("p1/n"), 30, "a value that never came")
        assert not told.good("p1/n")
        eventually(lambda: (say(device, 1480.0), told.good("p1/n"))[1], 30, "a value")
        eventually(lambda: told.qualities("p1/n")[-1] == QUALITY_STALE, 30, "its last value, stale")


def test_every_value_is_told_at_once_and_the_newest_travels_each_half_minute(mosquitto: Mosquitto) -> None:
    at_once: list[float] = []
    one = source(mosquitto.port, send_every_s=30.0)
    one.attempt()
    one.tell(lambda readings: at_once.extend(readings.values[0].tolist()))
    with listened(one) as told, publisher(mosquitto.port) as device:
        eventually(lambda: (say(device, 1480.0), len(at_once) > 5)[1], 30, "values")
        eventually(lambda: told.good("p1/n"), 30, "the first that travels")
        assert len(told.good("p1/n")) == 1
    mosquitto.kill()
    with pytest.raises(OSError, match="the broker can't be reached"):
        one.attempt()


@pytest.mark.long
def test_an_account_over_tls_is_heard_and_its_password_is_told_to_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, acl = make(tmp_path / "access"), tmp_path / "acl"
    acl.write_text("pattern readwrite #\n", encoding="utf-8")
    password = folder / "gateways" / "gw-1" / "password"
    with provisioned_broker(folder, tmp_path, acl=acl) as broker:
        more = {"username": "gw-1", "password_file": str(password), "tls_ca_file": str(broker.ca)}
        one = source(broker.port, host="localhost", silent_s=1.0, **more)
        with listened(one) as told:
            eventually(lambda: told.frames, 30, "a connection")
            assert one.problem == ""
        wrong = tmp_path / "wrong"
        wrong.write_text("faux", encoding="utf-8")
        wrong.chmod(0o600)
        bad = source(broker.port, host="localhost", **{**more, "password_file": str(wrong)})
        with listened(bad):
            eventually(lambda: "did not accept the connection" in bad.problem, 30, "the reason")
        plain = source(broker.port, host="localhost")
        with listened(plain):
            eventually(lambda: plain.problem, 30, "a reason")
    assert password.read_text().strip() not in caplog.text + repr(one.__dict__)


def again(mosquitto: Mosquitto, times: int) -> float:
    """The longest time to the first value after the broker came back."""
    took = []
    one = source(mosquitto.port)
    with listened(one) as told, publisher(mosquitto.port) as device:
        eventually(lambda: (say(device, 1.0), told.good("p1/n"))[1], 30, "a value")
        for _ in range(times):
            lost_s = time.monotonic()
            mosquitto.kill()
            eventually(  # what was read before may come a moment later: that is no loss
                lambda since_s=lost_s: QUALITY_BAD in told.qualities("p1/n", since_s), 30, "the loss"
            )
            mosquitto.start()
            began_s = time.monotonic()
            eventually(
                lambda since_s=began_s: (say(device, 2.0), time.sleep(0.05), told.good("p1/n", since_s))[2],
                BUSY_S,
                "a value again",
            )
            took.append(time.monotonic() - began_s)
        assert one.problem == ""
    return max(took)


@pytest.mark.long
def test_a_broker_that_was_killed_gives_values_again(mosquitto: Mosquitto) -> None:
    assert again(mosquitto, 1)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_broker_killed_twenty_times_gives_values_again_in_time(mosquitto: Mosquitto) -> None:
    assert again(mosquitto, 20) < AGAIN_S


def test_a_file_that_somebody_published_never_stands_in_memory(mosquitto: Mosquitto) -> None:
    connection = source(mosquitto.port)._connection()
    connection.open()
    heard: list[Message] = []
    with publisher(mosquitto.port) as device:
        device.publish(TOPIC, b"9" * 1_000_000, qos=1).wait_for_publish(30)
        say(device, 1480.0)

        def next_one() -> bool:
            connection.wait(0.05)
            heard.extend(connection.take_messages())
            return bool(heard)

        eventually(next_one, 30, "the next message")
    assert len(heard[0].payload) < 100
    assert connection._client is not None  # a broker of MQTT 3.1.1 begins to send it
    connection._client._in_packet["remaining_length"] = 200_000_000
    connection._hang_up_at_a_giant(connection._client)
    assert "a message of 200000000 bytes was on its way" in connection.ended
    connection.abandon()
