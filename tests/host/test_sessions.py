"""What the pipeline makes of births, deaths, gaps, and nodes of third parties."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ingest.batch import (
    Acknowledge,
    AskRebirth,
    Commit,
    Contact,
    Effect,
)
from ingest.edges import ABSENT_S, GRACE_S
from ingest.inbox import Refused
from palier.plant import Plant
from palier.wire.messages import (
    LedgerReport,
    NodeBirth,
    ledger_payload,
    node_birth,
    node_death,
)
from palier.wire.payload import DataType, Metric, Payload, encode
from palier.wire.topics import Kind, Topic
from tests.support.gateway import EPOCH
from tests.support.host_at_hand import host_at_hand
from tests.support.pipeline_bench import EDGE, Bench, acked, acks, commits


@pytest.fixture
def bench(plant: Plant) -> Bench:
    return Bench(plant)


# Sessions -----------------------------------------------------------------------------------------------


def test_a_birth_is_answered_with_what_is_stored_behind_the_frames_before_it(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.frame(2)
    effects = bench.born(in_flight=((1, 5),))
    assert [type(effect) for effect in effects] == [Commit, Acknowledge, Acknowledge]
    assert [(ack.stored.sync, ack.stored.ranges) for ack in acks(effects)] == [
        (False, ((1, 2),)),
        (True, ((1, 2),)),
    ]


def test_a_birth_with_nothing_in_flight_is_answered_too(bench: Bench) -> None:
    (answer,) = acks(bench.born())
    assert answer.stored.sync
    assert answer.stored.ranges == ()
    assert answer.stored.credit_frames >= 2


def test_a_birth_is_answered_while_the_store_is_down(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    answers = [ack for ack in acks(bench.born(in_flight=((1, 1),))) if ack.stored.sync]
    assert [(ack.stored.ranges, ack.stored.credit_frames) for ack in answers] == [((), 0)]


def test_a_frame_before_any_birth_is_stored_and_births_are_asked_for(bench: Bench) -> None:
    assert AskRebirth(EDGE) in bench.frame(1)
    assert acked(bench.empty()) == [(1, 1)]


def test_births_are_asked_for_at_most_each_five_seconds(bench: Bench) -> None:
    asked = 0
    for seq in range(1, 101):
        bench.link_s += 0.1
        asked += bench.frame(seq).count(AskRebirth(EDGE))
    assert asked == 2


def test_a_discarded_frame_leaves_the_sequence_whole(bench: Bench) -> None:
    bench.born()
    seq = bench.next()
    bench.step(Refused("spBv1.0/usine/DDATA/g1/pompe", seq, bench.link_s))
    assert AskRebirth(EDGE) not in bench.frame(1)
    assert bench.pipeline.counts.gaps == 0


def test_a_gap_asks_for_births_and_the_frame_is_stored(bench: Bench) -> None:
    bench.born()
    bench.next()
    assert AskRebirth(EDGE) in bench.frame(1)
    assert acked(bench.empty()) == [(1, 1)]


def test_a_dead_gateway_leaves_its_machines_unknown_after_a_grace(bench: Bench) -> None:
    bench.born()
    died = bench.now.plant_ns
    bench.message(Kind.NDEATH, node_death(0))
    assert commits(bench.empty()) == []
    bench.link_s += GRACE_S
    (batch,) = commits(bench.empty())
    assert [(s.edge, s.machines, s.since_ns) for s in batch.silences] == [(EDGE, ("pompe",), died)]


def test_a_gateway_born_again_within_the_grace_was_never_gone(bench: Bench) -> None:
    bench.born()
    bench.message(Kind.NDEATH, node_death(0))
    bench.link_s += GRACE_S / 2
    bench.born()
    bench.link_s += 2 * GRACE_S
    assert commits(bench.empty()) == []


def contacts(effects: list[Effect]) -> list[Contact]:
    return [effect for effect in effects if isinstance(effect, Contact)]


def test_a_gateway_is_told_of_when_it_comes_and_when_it_stays_away(bench: Bench) -> None:
    came = bench.now.plant_ns
    assert contacts(bench.born()) == [Contact(EDGE, True, came)]
    assert contacts(bench.born()) == []
    died = bench.now.plant_ns
    bench.message(Kind.NDEATH, node_death(0))
    bench.link_s += ABSENT_S - 0.1
    assert contacts(bench.empty()) == []
    bench.link_s += 0.1
    assert contacts(bench.empty()) == [Contact(EDGE, False, died)]
    assert contacts(bench.empty()) == []
    back = bench.now.plant_ns
    assert contacts(bench.born()) == [Contact(EDGE, True, back)]


def test_a_gateway_that_flaps_is_no_news(bench: Bench) -> None:
    bench.born()
    for _ in range(20):
        assert contacts(bench.message(Kind.NDEATH, node_death(0))) == []
        bench.link_s += ABSENT_S / 2
        assert contacts(bench.born()) == []


def test_credit_is_shared_among_those_heard_of_late(bench: Bench) -> None:
    bench.pipeline.rate = dataclasses.replace(bench.pipeline.rate, frames_per_s=100.0)
    (alone,) = acks(bench.born("g1"))
    (shared,) = acks(bench.born("g2"))
    bench.link_s += 60
    (again,) = acks(bench.born("g2"))
    assert shared.stored.credit_frames == alone.stored.credit_frames // 2
    assert again.stored.credit_frames == alone.stored.credit_frames


def test_a_wiped_outbox_and_another_configuration_are_events(bench: Bench) -> None:
    def births(epoch: str, config: str) -> list[str]:
        birth = NodeBirth(0, epoch, (), config)
        effects = bench.message(Kind.NBIRTH, node_birth(birth, timestamp_ms=1))
        return [t.state for batch in commits(effects) for t in batch.transitions]

    assert births(EPOCH, "cafe") == []
    bench.frame(1)
    bench.empty()
    assert births(EPOCH, "cafe") == []
    assert births("00000000000000e2", "cafe") == ["new_outbox"]
    assert births("00000000000000e2", "beef") == ["new_outbox", "new_configuration"]


def test_another_configuration_is_noticed_over_a_restart_of_the_host(plant: Plant, tmp_path: Path) -> None:
    def told(config: str) -> list[tuple[str, str]]:
        with host_at_hand(plant, tmp_path) as host:
            birth = node_birth(NodeBirth(0, EPOCH, (), config), timestamp_ms=1)
            host.message(str(Topic("usine", Kind.NBIRTH, "g1")), birth)
            host.settle()
            return [(t.machine, t.state) for t in host.stores.records.transitions(kind="gateway")]

    assert told("cafe") == told("cafe") == []
    assert told("beef") == told("beef") == [("g1", "new_configuration")]


def test_while_the_store_is_down_the_newest_report_of_a_gateway_waits(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    for seq in range(1, 1001):
        report = LedgerReport(EPOCH, seq, seq, (), None, 0)
        bench.message(Kind.NDATA, ledger_payload(report, seq=bench.next(), timestamp_ms=1))
    bench.store_up = True
    bench.link_s += 60
    receipts = [receipt for batch in commits(bench.empty()) for receipt in batch.ledgers]
    assert [receipt.report.seq for receipt in receipts] == [1000]


# Others -------------------------------------------------------------------------------------------------


def test_a_ledger_report_is_committed(bench: Bench) -> None:
    bench.born()
    report = LedgerReport(EPOCH, 5, 5, (), None, 0)
    bench.message(Kind.NDATA, ledger_payload(report, seq=bench.next(), timestamp_ms=1))
    (batch,) = commits(bench.empty())
    assert [(receipt.edge, receipt.report) for receipt in batch.ledgers] == [(EDGE, report)]


def test_numbers_of_a_third_party_node_become_readings(bench: Bench) -> None:
    birth = (
        Metric("bdSeq", DataType.INT64, 0),
        Metric("Motor/Temp", DataType.FLOAT, 20.0, alias=1),
        Metric("Run", DataType.BOOLEAN, True, alias=2),
    )
    bench.message(Kind.NBIRTH, encode(Payload(1_790_000_000_000, birth[:1], 0)))
    bench.message(Kind.DBIRTH, encode(Payload(1_790_000_000_000, birth, 1)), device="plc")
    data = (Metric("", DataType.FLOAT, 42.5, alias=1), Metric("", DataType.BOOLEAN, False, alias=2))
    bench.message(Kind.DDATA, encode(Payload(1_790_000_001_000, data, 2), with_datatypes=False), device="plc")
    effects = bench.empty()
    (batch,) = commits(effects)
    (work,) = batch.frames
    assert work.id is None
    assert work.frame.machine == "plc"
    assert work.frame.channels == ("Motor/Temp",)
    assert np.allclose(work.frame.values, 42.5)  # type: ignore[union-attr]
    assert acks(effects) == []
