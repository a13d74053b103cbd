"""A gateway that says something new in every message: its events are bounded, and the flood is told once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest.event_allowance import MAX_KEPT, TOO_MANY, Allowance, Grant
from ingest.gateways import EVENTS_PER_HOUR
from palier.historian.rows import HOUR_NS
from palier.plant import load_sample_plant
from palier.wire import messages
from tests.support.host_at_hand import HostAtHand, host_at_hand
from tests.support.wire_examples import STATUS

PLANT = load_sample_plant()
FLOOD = 300


def answers(host: HostAtHand, node: str, n: int, prefix: str) -> None:
    """So many answers to configurations that nobody sent, each with a sentence and a text of its own."""
    for k in range(n):
        told = replace(STATUS, answer_request=f"{prefix}-{k}", answer_sentence=f"no {k}", text=f"# {k}\n")
        payload = messages.status_payload(told, seq=host.next(node), timestamp_ms=1)
        host.message(f"spBv1.0/usine/NDATA/{node}", payload)


def states(host: HostAtHand, node: str, kind: str = "configuration") -> list[str]:
    found = host.stores.records.transitions(0, kind)
    return [one.state for one in found if one.machine == node]


def test_a_flood_of_answers_is_bounded_and_told_once(tmp_path: Path) -> None:
    with host_at_hand(PLANT, tmp_path) as host:
        for node in ("gw-1", "gw-2"):
            host.born(node)
        answers(host, "gw-1", FLOOD, "a")
        answers(host, "gw-2", 1, "b")
        host.settle()
        told = states(host, "gw-1")
        assert told.count("taken") == EVENTS_PER_HOUR
        assert told.count(TOO_MANY) == 1
        assert states(host, "gw-2") == ["taken"]
        assert host.pipeline.edges.gateways.left_out == FLOOD - EVENTS_PER_HOUR
        told_last = host.stores.gateways()["usine/gw-1"].status
        assert (told_last.answer_request, told_last.text) == (f"a-{FLOOD - 1}", f"# {FLOOD - 1}\n")


def test_an_hour_later_it_is_heard_again(tmp_path: Path) -> None:
    with host_at_hand(PLANT, tmp_path) as host:
        host.born("gw-1")
        answers(host, "gw-1", FLOOD, "a")
        host.link_s += 3601.0
        answers(host, "gw-1", 1, "b")
        host.settle()
        assert states(host, "gw-1").count("taken") == EVENTS_PER_HOUR + 1


def test_a_flood_of_births_is_bounded_too(tmp_path: Path) -> None:
    """Another outbox and another configuration at each birth."""
    with host_at_hand(PLANT, tmp_path) as host:
        for k in range(FLOOD):
            birth = messages.NodeBirth(0, f"{k:016x}", (), f"{k:04x}")
            host.message("spBv1.0/usine/NBIRTH/gw-1", messages.node_birth(birth, timestamp_ms=1))
        host.settle()
        told = states(host, "gw-1", "gateway")
        assert len(told) == EVENTS_PER_HOUR + 1
        assert told.count(TOO_MANY) == 1


def test_what_waits_for_a_store_that_is_down_does_not_grow_with_a_flood(tmp_path: Path) -> None:
    with host_at_hand(PLANT, tmp_path) as host:
        host.pipeline.store_up = False
        answers(host, "gw-1", FLOOD, "a")
        gathering = host.pipeline._gathering
        assert len(gathering.words) == 2
        assert len(gathering.transitions) == EVENTS_PER_HOUR + 1
        assert len(gathering.states) == 0


def test_a_clock_that_was_set_back_silences_nobody_and_strangers_push_each_other_out() -> None:
    allowance = Allowance(1)
    assert [allowance.ask("a", t) for t in (HOUR_NS, HOUR_NS + 1, 5)] == [
        Grant.TOLD,
        Grant.FIRST_OVER,
        Grant.TOLD,
    ]
    for k in range(2 * MAX_KEPT):
        allowance.ask(f"b{k}", 6)
    assert len(allowance._hours) == MAX_KEPT
