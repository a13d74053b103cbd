"""What is asked of a gateway that nobody knows is refused with the names of those that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk
from ingest.configurations import tell
from palier.gateways import MOST_LISTED, known_nodes, nobody
from palier.historian.rows import LedgerReceipt, RecordsBatch, StateRow
from palier.locale import LANGUAGES, Catalogue
from palier.operations import Ask, Command, Configure, Outcome, Reply, SendAgain, TellGateway
from palier.plant import load_sample_plant
from palier.wire.messages import LedgerReport
from tests.support.host_at_hand import host_at_hand

PLANT = load_sample_plant()
SITE = PLANT.site_id
NODES = frozenset({f"{SITE}/gw-1", f"{SITE}/gw-2", "autre/gw-7"})


def replied(ask: Ask, nodes: frozenset[str] | None) -> Reply:
    if isinstance(ask, TellGateway):
        return tell(ask, "7f3a0000", SITE, None, nodes)
    decision = decide(Desk(), Command("7f3a0000", "h.alami", ask), PLANT, 10**18, nodes=nodes)
    assert decision.reply.outcome is Outcome.DONE or not decision.desk.alarms.known
    return decision.reply


@pytest.mark.parametrize(
    "ask",
    [
        SendAgain(f"{SITE}/gw-9", 0, 10**18, "essai"),
        Configure(f"{SITE}/gw-9", 8, "[[source]]\n", "00" * 64, "second pump"),
        TellGateway(f"{SITE}/gw-9"),
    ],
)
def test_a_name_that_nobody_knows_is_refused_with_those_that_there_are(ask: Ask) -> None:
    reply = replied(ask, NODES)
    assert (reply.outcome, reply.reason) == (Outcome.REFUSED, "no_such_gateway")
    assert dict(reply.params) == {"name": "gw-9", "known": "gw-1, gw-2"}
    assert replied(ask, frozenset()).reason == "no_gateways"
    for lang in LANGUAGES:
        assert "gw-2" in Catalogue(lang).text(f"reply.{reply.reason}", **reply.params)
        assert "gw-9" in Catalogue(lang).text("reply.no_gateways", name="gw-9")


def test_a_gateway_that_is_known_is_asked() -> None:
    assert replied(SendAgain(f"{SITE}/gw-2", 0, 10**18, "essai"), NODES).outcome is Outcome.DONE
    assert replied(TellGateway(f"{SITE}/gw-2"), NODES).reason == "gateway_unknown"


def test_a_long_list_is_cut() -> None:
    key, params = nobody("usine/gw-x", [f"usine/gw-{k:03d}" for k in range(100)])
    assert key == "no_such_gateway"
    assert params["known"].count("gw-") == MOST_LISTED
    assert params["known"].endswith(", …")


def test_who_is_known_follows_from_the_records(tmp_path: Path) -> None:
    """One that was born, one that reported only, and one of an older version that tells nothing of itself."""
    with host_at_hand(PLANT, tmp_path) as host:
        assert host.stores.nodes("usine") == frozenset()
        host.born("g1")
        host.settle()
        host.stores.records.commit(
            RecordsBatch(
                states=(StateRow("usine", "g3#status", "{}"), StateRow("autre", "g4#status", "{}")),
                ledgers=(LedgerReceipt("usine/g2", 1, LedgerReport("0" * 16, 0, 0, (), None, 0)),),
            )
        )
        assert host.stores.nodes("usine") == {"usine/g1", "usine/g2", "usine/g3"}


def test_machines_states_are_no_gateways() -> None:
    states = {("usine", "P-101/p1#vibration"): "{}", ("usine", "gw-1#configured"): '""'}
    assert known_nodes(states) == frozenset()
