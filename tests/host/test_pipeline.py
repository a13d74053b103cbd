"""The pipeline as a table: events at given times in, effects out. No broker, no disk, no clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest.batch import (
    Acknowledge,
    Commit,
    Effect,
)
from ingest.gathering import BATCH_FRAMES, BATCH_S, WAITING_FRAMES
from ingest.inbox import Arrived
from ingest.pipeline import RETRY_S
from ingest.quarantine import CONFLICT, TOO_MANY_NEW
from ingest.seen import Seen
from palier.frames import FrameId
from palier.plant import Plant
from palier.wire.sparkplug_pb2 import Payload as WirePayload
from palier.wire.topics import Kind
from tests.support.gateway import EPOCH, readings, waveform
from tests.support.pipeline_bench import EDGE, SECOND, T0, Bench, acked, acks, commits


@pytest.fixture
def bench(plant: Plant) -> Bench:
    return Bench(plant)


# Batches ------------------------------------------------------------------------------------------------


def test_a_frame_waits_for_the_queue_to_run_empty(bench: Bench) -> None:
    bench.born()
    assert commits(bench.frame(1)) == []
    effects = bench.empty()
    assert [len(batch.frames) for batch in commits(effects)] == [1]
    assert acked(effects) == [(1, 1)]


def test_the_acknowledgement_comes_after_the_commit(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    effects = bench.empty()
    assert [type(effect) for effect in effects] == [Commit, Acknowledge]


def test_fifty_frames_do_not_wait(bench: Bench) -> None:
    bench.born()
    effects = [effect for seq in range(1, BATCH_FRAMES + 1) for effect in bench.frame(seq)]
    assert [len(batch.frames) for batch in commits(effects)] == [BATCH_FRAMES]
    assert acked(effects) == [(1, BATCH_FRAMES)]


def test_nor_does_a_frame_longer_than_50_ms(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.link_s += 1.01 * BATCH_S
    assert [len(batch.frames) for batch in commits(bench.frame(2))] == [2]


def test_an_empty_queue_without_frames_does_nothing(bench: Bench) -> None:
    assert bench.empty() == []


def test_one_acknowledgement_for_each_gateway_and_batch(bench: Bench) -> None:
    bench.born("g1")
    bench.born("g2")
    bench.frame(1)
    bench.frame(1, waveform(T0, machine="broche", n=64), node="g2")
    bench.frame(2)
    told = {ack.edge: ack.stored.ranges for ack in acks(bench.empty())}
    assert told == {"usine/g1": ((1, 2),), "usine/g2": ((1, 1),)}


# Duplicates ---------------------------------------------------------------------------------------------


def test_a_duplicate_is_acknowledged_again_and_not_stored_again(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.empty()
    bench.frame(1)
    effects = bench.empty()
    assert commits(effects) == []
    assert acked(effects) == [(1, 1)]
    assert bench.pipeline.counts.duplicates == 1


def test_a_duplicate_of_what_the_records_hold_is_known_after_a_restart(plant: Plant) -> None:
    seen = Seen()
    seen.load(EDGE, EPOCH, ((1, 50),))
    bench = Bench(plant, seen)
    bench.born()
    bench.frame(50)
    effects = bench.empty()
    assert commits(effects) == []
    assert acked(effects) == [(50, 50)]


def test_twice_in_one_batch_is_stored_once(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.frame(1)
    effects = bench.empty()
    assert [len(batch.frames) for batch in commits(effects)] == [1]
    assert acked(effects) == [(1, 1)]


def test_the_same_identity_with_other_samples_is_put_aside(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.empty()
    bench.frame(1, waveform(T0 + SECOND, n=64, velocity_mm_s=7.0))
    effects = bench.empty()
    assert [row.reason for batch in commits(effects) for row in batch.quarantine] == [CONFLICT]
    assert acked(effects) == [(1, 1)]


def test_a_frame_sent_again_with_a_corrected_time_is_a_duplicate(bench: Bench) -> None:
    bench.born()
    bench.frame(1)
    bench.empty()
    bench.frame(1, waveform(T0 + 3600 * SECOND, n=64))
    assert commits(bench.empty()) == []


# Live and historical ------------------------------------------------------------------------------------


def lives(effects: list[Effect]) -> list[bool]:
    return [work.live for batch in commits(effects) for work in batch.frames]


def test_frames_in_order_are_live_and_an_older_one_is_not(bench: Bench) -> None:
    bench.born()
    for seq, start in ((1, 10), (2, 20), (3, 15), (4, 20), (5, 21)):
        bench.frame(seq, waveform(T0 + start * SECOND, n=64))
    assert lives(bench.empty()) == [True, True, False, False, True]


def test_what_the_gateway_marks_historical_is_not_live(bench: Bench) -> None:
    bench.born()
    bench.frame(1, historical=True)
    assert lives(bench.empty()) == [False]


def test_points_do_not_hinder_each_other(bench: Bench) -> None:
    bench.born()
    bench.frame(1, waveform(T0 + 10 * SECOND, machine="ventilateur", n=64))
    bench.frame(2, waveform(T0 + 10 * SECOND, machine="ventilateur", point="p2", channels=("v",), n=64))
    assert lives(bench.empty()) == [True, True]


def test_a_frame_of_the_future_is_stored_and_silences_nobody(bench: Bench) -> None:
    bench.born()
    bench.frame(1, waveform(T0 + 100_000 * SECOND, n=64))
    bench.frame(2, waveform(T0 + 10 * SECOND, n=64))
    assert lives(bench.empty()) == [False, True]
    assert bench.pipeline.counts.clock_suspect == 1


def test_readings_that_end_in_the_future_are_not_live(bench: Bench) -> None:
    bench.born()
    table = readings(T0, "p1/t", [60.0, 61.0])
    bench.frame(1, replace(table, times_ns=np.array([T0, T0 + 100_000 * SECOND], dtype=np.int64)))
    assert lives(bench.empty()) == [False]


def test_a_frame_that_found_no_room_is_live_when_it_comes_again(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    for seq in range(2, WAITING_FRAMES + 2):
        bench.frame(seq, waveform(T0, machine="ventilateur", n=64))
    newest = waveform(T0 + 10 * SECOND, n=64)
    bench.frame(WAITING_FRAMES + 2, newest)
    assert bench.pipeline.counts.refused == 1
    bench.store_up = True
    bench.link_s += 60
    while bench.pipeline.waiting:
        bench.empty()
    bench.frame(WAITING_FRAMES + 2, newest)
    assert lives(bench.empty()) == [True]


# Quarantine ---------------------------------------------------------------------------------------------


def test_bytes_that_say_nothing_are_put_aside_and_block_nobody(bench: Bench) -> None:
    bench.born()
    bench.message(Kind.DDATA, b"\xff\x00garbage", device="pompe")
    bench.frame(1)
    effects = bench.empty()
    (batch,) = commits(effects)
    assert [row.reason for row in batch.quarantine] == ["decode"]
    assert len(batch.frames) == 1
    assert acked(effects) == [(1, 1)]


def test_a_frame_put_aside_is_acknowledged_by_the_identity_it_shows(bench: Bench) -> None:
    bench.born()
    data = bench.bytes_of(7).replace(b"synced", b"wished")
    bench.message(Kind.DDATA, data, device="pompe")
    effects = bench.empty()
    assert [row.frame for batch in commits(effects) for row in batch.quarantine] == [FrameId(EDGE, EPOCH, 7)]
    assert acked(effects) == [(7, 7)]
    bench.message(Kind.DDATA, data, device="pompe")
    again = bench.empty()
    assert commits(again) == []
    assert acked(again) == [(7, 7)]


def test_an_unreadable_frame_that_comes_again_is_put_aside_once(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    wire = WirePayload.FromString(bench.bytes_of(7))
    wire.metrics[-1].bytes_value = b"odd"  # of int16
    for _ in range(3):
        bench.message(Kind.DDATA, wire.SerializeToString(), device="pompe")
    bench.store_up = True
    bench.link_s += 60
    effects = bench.empty()
    rows = [row for batch in commits(effects) for row in batch.quarantine]
    assert [(row.frame, row.reason) for row in rows] == [(FrameId(EDGE, EPOCH, 7), "length")]
    assert acked(effects) == [(1, 1), (7, 7)]


def test_a_topic_with_an_impossible_name_is_put_aside(bench: Bench) -> None:
    bench.step(Arrived("spBv1.0/usine/DDATA/g 1/pompe", b"x", bench.link_s))
    assert [row.reason for batch in commits(bench.empty()) for row in batch.quarantine] == ["topic"]


def test_a_stranger_cannot_invent_places_without_end(bench: Bench) -> None:
    bench.born()
    effects: list[Effect] = []
    for seq in range(1, 521):
        effects += bench.frame(seq, waveform(T0, machine=f"m{seq}", n=64))
    effects += bench.empty()
    reasons = [row.reason for batch in commits(effects) for row in batch.quarantine]
    assert reasons == [TOO_MANY_NEW] * 20
    assert sum(len(batch.frames) for batch in commits(effects)) == 500


def test_commands_that_the_host_hears_of_itself_are_nothing(bench: Bench) -> None:
    bench.message(Kind.NCMD, b"\xff")
    assert bench.empty() == []


# The store is down --------------------------------------------------------------------------------------


def test_nothing_is_acknowledged_while_the_store_is_down(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    effects = bench.empty()
    assert acked(effects) == []
    assert [(ack.stored.credit_frames, ack.stored.ranges) for ack in acks(effects)] == [(0, ())]


def test_the_batch_in_hand_is_tried_again_and_frames_go_on_waiting(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    (first,) = commits(bench.empty())
    bench.frame(2)
    assert commits(bench.empty()) == []
    bench.link_s += RETRY_S[0]
    assert commits(bench.empty()) == [first]
    bench.store_up = True
    bench.link_s += RETRY_S[1]
    effects = bench.empty()
    assert [len(batch.frames) for batch in commits(effects)] == [1, 1]
    assert commits(effects)[0] is first
    assert acked(effects) == [(1, 1), (2, 2)]
    assert bench.pipeline.store_up


def test_the_return_of_the_store_is_told_to_silent_gateways_too(bench: Bench) -> None:
    bench.born("g1")
    bench.born("g2")
    bench.store_up = False
    bench.frame(1)
    assert {ack.edge for ack in acks(bench.empty())} == {"usine/g1", "usine/g2"}
    bench.store_up = True
    bench.link_s += 60
    effects = bench.empty()
    assert {ack.edge for ack in acks(effects) if ack.stored.credit_frames > 0} == {"usine/g1", "usine/g2"}


def test_waiting_room_is_bounded_and_what_exceeds_it_is_not_acknowledged(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    for seq in range(2, WAITING_FRAMES + 12):
        bench.frame(seq)
    assert bench.pipeline.counts.refused == 10
    bench.store_up = True
    bench.link_s += 60
    effects: list[Effect] = []
    for _ in range(20):
        effects += bench.empty()
    assert acked(effects)[-1][1] == WAITING_FRAMES + 1
    bench.frame(WAITING_FRAMES + 2)
    assert acked(bench.empty()) == [(WAITING_FRAMES + 2, WAITING_FRAMES + 2)]


def test_retries_slow_down(bench: Bench) -> None:
    bench.born()
    bench.store_up = False
    bench.frame(1)
    bench.empty()
    tries = 0
    for _ in range(600):  # a minute
        bench.link_s += 0.1
        tries += len(commits(bench.empty()))
    assert 12 <= tries <= 20
