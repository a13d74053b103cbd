"""Sparkplug nodes of others that err: their clocks, their names, their devices, and a host without room."""

from __future__ import annotations

import math
from typing import NoReturn

import pytest

from ingest.batch import AskRebirth, Batch, QueueEmpty
from ingest.foreign import inner_name
from ingest.gathering import WAITING_FRAMES
from palier.historian.base import Unavailable
from palier.wire.payload import DataType
from tests.host import test_foreign
from tests.host.test_foreign import TAGS, block
from tests.support.host_at_hand import HostAtHand
from tests.support.plc_gateway import PlcGateway

fed, host, plc = test_foreign.fed, test_foreign.host, test_foreign.plc  # the fixtures


@pytest.mark.parametrize("behind_s", [-7200.0, 2.0, 7200.0])
def test_a_plc_whose_clock_is_wrong_is_believed_again_after_its_end(
    host: HostAtHand, plc: PlcGateway, behind_s: float
) -> None:
    plc.clock_ms = lambda: host.now.plant_ns // 10**6 - round(behind_s * 1000)
    plc.born()
    assert block(host, 1)[0] == 1200.0
    plc.die()
    assert math.isnan(block(host, 2)[0])
    plc.born()
    assert block(host, 3)[0] == 1200.0
    host.link_s += 5
    plc.say("Broche 1", {"Mesures/Vitesse": 14_800})
    assert block(host, 4)[0] == 1480.0


def test_a_literal_name_that_looks_like_an_inner_one_feeds_nothing(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    inner = inner_name("Automate n° 3")
    forger = PlcGateway(
        plc.publish, {**TAGS, ("Broche 1", "Mesures/Vitesse"): (DataType.INT16, 30_000)}, node=inner
    )
    forger.born()
    host.link_s += 1
    assert block(host, 1)[0] == 1200.0
    forger.die()
    assert block(host, 2)[0] == 1200.0


def test_a_device_that_a_new_birth_of_its_node_leaves_out_has_no_value(
    host: HostAtHand, plc: PlcGateway
) -> None:
    plc.born()
    assert block(host, 1)[0] == 1200.0
    plc.tags = {("", "Charge ligne"): TAGS["", "Charge ligne"]}
    host.link_s += 1
    plc.born()
    assert block(host, 2) == (1200.0, 60.0)
    host.link_s += 60
    host.settle()
    rpm, load = block(host, 3)
    assert math.isnan(rpm)
    assert load == 60.0


def test_a_death_that_finds_no_room_is_not_forgotten(
    host: HostAtHand, plc: PlcGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_batch: Batch) -> NoReturn:
        raise Unavailable("of this test")

    plc.born()
    assert block(host, 1)[0] == 1200.0
    plc.publish = host.message
    with monkeypatch.context() as patch:
        patch.setattr(host.committer, "commit", away)
        for _ in range(WAITING_FRAMES + 5):
            host.link_s += 0.01
            plc.say("Pompe", {"Palier": 55.5})
        plc.die()
    for _ in range(8):
        host.link_s += 30
        host.settle()
    assert math.isnan(block(host, 2)[0])


def test_what_never_changes_is_asked_for_before_it_is_too_old(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    for _ in range(5):
        host.link_s += 12.5 * 3600
        asked = [one for one in host.pipeline.step(QueueEmpty(), host.now) if isinstance(one, AskRebirth)]
        assert [one.edge for one in asked] == list(host.pipeline.foreign.edges)
        plc.born()
    assert block(host, 1)[0] == 1200.0
