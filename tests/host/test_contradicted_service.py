"""A gateway that contradicts itself, at a running ingest: the event, the alarm with what to do, counts."""

from __future__ import annotations

import time

from palier.alarm_text import measured_lines, to_do_line
from palier.alarms import Alarm, Level
from palier.locale import Catalogue
from tests.host.conftest import Ingest
from tests.host.test_contradicted import halved
from tests.support.gateway import Gateway, waveform
from tests.support.host_at_hand import SECOND
from tests.support.sent_features import features_of
from tests.support.services import Mosquitto
from tests.support.waiting import eventually


def test_it_is_an_alarm_of_the_gateway_with_what_to_do(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    start_ns = time.time_ns() - 600 * SECOND
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born(transmit="adaptive")
        for k in range(2):
            block = waveform(start_ns + k * 60 * SECOND)
            gateway.send(2 * k + 1, halved(features_of(block)))
            gateway.wait_acked([2 * k + 1])
            gateway.send(2 * k + 2, block, historical=True)
            gateway.wait_acked([2 * k + 2])

        def raised() -> Alarm | None:
            with ingest.records() as records:
                found = [Alarm.from_json(row.value) for row in records.alarms()]
            return next((one for one in found if one and one.key.id == "g1/contradiction"), None)

        alarm = eventually(raised, 30, "the alarm of the gateway")
        assert alarm is not None
        with ingest.records() as records:
            told = records.transitions(0, "contradiction")
    assert [(one.machine, one.point) for one in told] == [("pompe", "p1")] * 2
    assert alarm.level is Level.ALERT
    french = Catalogue("fr")
    assert "signal brut contredit" in measured_lines(alarm, french)[0]
    assert "plant.toml" in to_do_line(alarm, french)
    assert ingest.metric("palier_ingest_contradictions_total") == 2
    assert ingest.stop() == 0
