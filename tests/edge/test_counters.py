"""What the link tells a human: connections that do not last, a certificate that ends soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.counters import EXPIRY_S, MET, RIVAL_S, Counters
from tests.support.services import Mosquitto
from tests.support.tapped_agent import Agent
from tests.support.waiting import eventually

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(("left_s", "told"), [(EXPIRY_S + 1, 0), (EXPIRY_S - 1, 1), (-1, 1)])
def test_a_certificate_is_told_of_thirty_days_ahead(left_s: float, told: int) -> None:
    found = list(Counters(broker_expires_s=NOW_S + left_s).notes(NOW_S))
    assert len(found) == told
    assert all("the broker's certificate ends on 2027-" in said for said in found)


def test_short_connections_are_told_of_and_forgotten_after_a_while() -> None:
    counters = Counters()
    for at_s in range(MET):
        assert not list(counters.problems(at_s))
        counters.note_end(at_s - 1.0, at_s)
        counters.note_end(at_s - 31.0, at_s)  # a good one
    assert "the same site and node" in next(counters.problems(MET))
    assert not list(counters.problems(MET + RIVAL_S))


@pytest.mark.long
def test_two_gateways_of_one_name_are_told_of(mosquitto: Mosquitto, tmp_path: Path) -> None:
    agents = [Agent(tmp_path / name, mosquitto.port) for name in "ab"]
    try:
        eventually(
            lambda: all(any("the same site" in said for said in one.service.problems()) for one in agents),
            60,
            "both tell of the rival",
        )
        assert sum(one.service.link.counters.connections for one in agents) < 40
    finally:
        for one in agents:
            one.service.stop()
