"""What gateways tell of themselves at the host: kept, written, told; and configurations passed on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.alarm_commands import decide
from ingest.alarm_desk import Desk
from ingest.batch import GatewaySays, Now
from ingest.gateways import Gateways
from palier.alarm_modes import Mode
from palier.gateways import GatewayTold, read_gateways
from palier.historian.rows import Transition
from palier.operations import Command, Configure, Outcome, TellGateway
from palier.plant import load_sample_plant
from palier.wire import messages
from palier.wire.payload import Payload, decode
from tests.support.host_at_hand import host_at_hand
from tests.support.wire_examples import STATUS

EDGE = "usine/gw-1"
NOW = Now(100.0, 10**18, 2 * 10**18)
PLANT = load_sample_plant()
OURS = f"{PLANT.site_id}/gw-1"


def said(**changes: object) -> Payload:
    status = replace(STATUS, **changes)  # type: ignore[arg-type]
    return decode(messages.status_payload(status, seq=1, timestamp_ms=1))


def states_of(gateways: Gateways, payload: Payload) -> dict[tuple[str, str], str]:
    heard = gateways.hear(EDGE, payload, NOW)
    assert heard is not None
    return {(row.site, row.key): row.value or "" for row in heard.states}


def test_the_last_word_is_kept_and_the_text_only_where_it_changed() -> None:
    gateways = Gateways()
    states = states_of(gateways, said())
    assert {key for _, key in states} == {"gw-1#status", "gw-1#configured"}
    later = states_of(gateways, said(text=None, uptime_s=90_000))
    assert {key for _, key in later} == {"gw-1#status"}
    told = read_gateways(states | later)[EDGE]
    assert told.status == replace(STATUS, uptime_s=90_000)
    assert (told.told_ns, told.node) == (2 * 10**18, "gw-1")
    assert {key for _, key in states_of(gateways, said())} == {"gw-1#status"}


def test_what_became_of_a_configuration_is_an_event_once_also_over_a_restart() -> None:
    gateways = Gateways()
    first = gateways.hear(EDGE, said(), NOW)
    assert first is not None
    assert [t.state for t in first.transitions] == ["taken"]
    again = gateways.hear(EDGE, said(), NOW)
    assert again is not None
    assert not again.transitions
    back = said(answer="went_back", answer_sentence="broker or host were away for 30 s")
    restarted = Gateways({EDGE: GatewayTold(EDGE, 0, STATUS)})
    heard = restarted.hear(EDGE, back, NOW)
    assert heard is not None
    (event,) = heard.transitions
    assert (event.kind, event.machine, event.state, event.previous) == (
        *("configuration", "gw-1", "went_back", "taken"),
    )
    assert json.loads(event.detail)["why"] == "broker or host were away for 30 s"


def card(gateways: Gateways, free: int) -> tuple[GatewaySays, ...]:
    heard = gateways.hear(EDGE, said(card_free=free, card_total=32_000_000_000), NOW)
    assert heard is not None
    return heard.said


def test_a_card_that_is_nearly_full_is_told_and_eases_late() -> None:
    gateways = Gateways()
    assert card(gateways, 20_000_000_000) == (GatewaySays(EDGE, Mode.CARD, {}, False),)
    assert card(gateways, 19_000_000_000) == ()
    assert card(gateways, 600_000_000) == (GatewaySays(EDGE, Mode.CARD, {"free_mb": 600}, True),)
    assert card(gateways, 800_000_000)[0].active
    assert not card(gateways, 1_000_000_000)[0].active


def test_a_word_that_can_t_be_read_is_no_harm(tmp_path: Path) -> None:
    gateways = Gateways()
    assert gateways.hear(EDGE, decode(messages.rebirth_payload(1)), NOW) is None
    payload = said()
    broken = replace(payload, metrics=(replace(payload.metrics[0], value="x" * 500), *payload.metrics[1:]))
    assert gateways.hear(EDGE, broken, NOW) is None


def test_a_birth_with_a_status_reaches_records_and_series(tmp_path: Path) -> None:
    with host_at_hand(PLANT, tmp_path) as host:
        birth = messages.NodeBirth(0, "0" * 16, (), "cafe")
        host.message("spBv1.0/usine/NBIRTH/gw-1", messages.node_birth(birth, timestamp_ms=1, status=STATUS))
        host.settle()
        assert host.stores.gateway(EDGE) is not None
        told = host.stores.gateways()[EDGE]
        assert told.status == STATUS
        fields = ("version", "clock", "card_free", "configuration")
        rows = host.stores.historian.latest("gateway", fields, site="usine")
        assert [rows.columns[name][0] for name in fields] == ["0.1.0", "synced", 21_000_000_000, 7]
        assert [t.state for t in host.stores.records.transitions(0, "configuration")] == ["taken"]


def configure(**changes: object) -> Configure:
    ask = Configure(OURS, 8, "[[source]]\n", "00" * 64, "second pump")
    return replace(ask, **changes)  # type: ignore[arg-type]


def answer(ask: Configure, told: GatewayTold | None, wall_ns: int = 10**18) -> tuple[Outcome, str, list[str]]:
    decision = decide(
        Desk(), Command("7f3a0000", "h.alami", ask), PLANT, 10**18, gateway=told, wall_ns=wall_ns
    )
    events = [e.transition for e in decision.effects if hasattr(e, "transition")]
    details = [t.detail for t in events if isinstance(t, Transition)]
    return decision.reply.outcome, decision.reply.reason, details


KNOWN = GatewayTold(OURS, 10**18, STATUS)


def test_a_configuration_is_passed_on_with_who_and_why() -> None:
    outcome, reason, details = answer(configure(), KNOWN)
    assert (outcome, reason) == (Outcome.DONE, "configuration_sent")
    detail = json.loads(details[0])
    assert (detail["who"], detail["why"], detail["version"]) == ("h.alami", "second pump", 8)
    assert (detail["before"], len(detail["hash"])) == (STATUS.configuration_hash, 16)


@pytest.mark.parametrize(
    ("ask", "told", "wall_ns", "reason"),
    [
        (configure(edge="autre/gw-1"), KNOWN, 10**18, "not_our_gateway"),
        (configure(), None, 10**18, "gateway_unknown"),
        (configure(), KNOWN, 10**18 + 181 * 10**9, "gateway_silent"),
        (configure(version=7), KNOWN, 10**18, "version_not_above"),
    ],
)
def test_what_makes_no_sense_is_not_passed_on(
    ask: Configure, told: GatewayTold | None, wall_ns: int, reason: str
) -> None:
    assert answer(ask, told, wall_ns) == (Outcome.REFUSED, reason, [])


def test_what_is_asked_of_a_gateway_is_no_secret_of_another_site() -> None:
    from ingest.configurations import tell

    assert tell(TellGateway("autre/gw-1"), "7f3a0000", PLANT.site_id, KNOWN).reason == "not_our_gateway"
    reply = tell(TellGateway(OURS), "7f3a0000", PLANT.site_id, KNOWN)
    assert GatewayTold.from_told(json.loads(json.dumps(reply.present))) == KNOWN
