"""A PLC's gateway and one of Palier's at a real broker, and an ingest that joins what they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from palier.wire.payload import DataType, Metric, Payload, encode
from tests.host.conftest import PLANT, Ingest
from tests.support.gateway import Gateway, waveform
from tests.support.plc_gateway import PlcGateway, now_ms
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

pytestmark = pytest.mark.long

GROUP, NODE = "Ligne A", "Automate 3"
TAGS: dict[tuple[str, str], tuple[DataType, Any]] = {("Broche", "Vitesse"): (DataType.FLOAT, 1480.0)}
FED = PLANT.replace(
    'id = "n"\nquantity = "speed"\nunit = "r/min"\n',
    f'id = "n"\nquantity = "speed"\nunit = "r/min"\nsparkplug = "{GROUP}/{NODE}/Broche/Vitesse"\n',
)


@contextmanager
def plc_at(port: int) -> Iterator[PlcGateway]:
    """A node that answers a wish for its births; its will is its death."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="automate-3")
    plc = PlcGateway(lambda topic, data: client.publish(topic, data, qos=0), TAGS, GROUP, NODE)

    def on_message(_client: Client, _data: Any, _message: MQTTMessage) -> None:
        plc.rebirths += 1
        plc.born()

    client.will_set(
        f"spBv1.0/{GROUP}/NDEATH/{NODE}", encode(Payload(None, (Metric("bdSeq", DataType.INT64, 0),)))
    )
    client.on_connect = lambda c, *_: (c.subscribe(plc.topic_of_commands(), qos=0), plc.born())
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield plc
    finally:
        client.loop_stop()
        sock = client.socket()
        if sock is not None:
            sock.close()  # without a word: the broker says its will


def test_a_plc_of_another_group_gives_the_speed_until_it_is_gone(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    plant = ingest.config.parent / "plant.toml"
    plant.write_text(FED, encoding="utf-8")
    with Gateway(mosquitto.port) as gateway, plc_at(mosquitto.port) as plc:
        ingest.start()
        ingest.wait_ready()
        gateway.wait_for_host().born(machines=("broche",))
        eventually(lambda: plc.rebirths, 60, "the host's wish for births, told to nobody before")
        seq = iter(range(1, 1000))

        def speed() -> float:
            number = next(seq)
            gateway.send(number, waveform(now_ms() * 10**6 - 2 * 10**9, machine="broche"))
            gateway.wait_acked([number])
            with ingest.historian() as historian:
                table = historian.read("feature", ["speed_rpm"], site="usine", machine="broche")
                return float(table.columns["speed_rpm"][-1])

        eventually(lambda: speed() == 1480.0, 60, "the speed that the PLC gave")
        plc.say("Broche", {"Vitesse": 990.0})
        eventually(lambda: speed() == 990.0, 60, "the speed that it gave then")
        plc.die()
        eventually(lambda: not speed() > 0, 60, "no speed after its death")
