"""What the pipeline does while batches are in hand: the stores take their time, frames go on arriving."""

from __future__ import annotations

import pytest

from ingest.batch import Batch, Committed, Computed, Effect, StoreFailed
from ingest.gathering import BATCH_BYTES, BATCH_FRAMES, BATCH_S, MOST_BATCH_FRAMES, Gathering
from ingest.pipeline import IN_HAND, RETRY_S
from palier.plant import Plant
from tests.support.committing import work
from tests.support.pipeline_bench import Bench, acked, acks, commits


@pytest.fixture
def bench(plant: Plant) -> Bench:
    one = Bench(plant)
    one.born()
    one.by_hand = True
    return one


def begun(bench: Bench, *seqs: int) -> Batch:
    """A batch in hand."""
    for seq in seqs:
        bench.frame(seq)
    (batch,) = commits(bench.empty())
    return batch


def frames(bench: Bench, first: int, n: int) -> list[Effect]:
    return [effect for seq in range(first, first + n) for effect in bench.frame(seq)]


def test_nothing_is_acknowledged_before_it_is_durable(bench: Bench) -> None:
    batch = begun(bench, 1, 2)
    assert acked(bench.empty()) == []
    assert acked(bench.step(Computed(batch))) == []
    assert acked(bench.step(Committed(batch, 0.01))) == [(1, 2)]
    assert bench.pipeline.at_rest


def test_a_few_frames_wait_for_the_batch_in_hand(bench: Bench) -> None:
    batch = begun(bench, 1)
    bench.frame(2)
    bench.step(Computed(batch))
    bench.link_s += 10 * BATCH_S
    assert commits(bench.empty()) == []
    assert [len(b.frames) for b in commits(bench.step(Committed(batch, 0.01)))] == [1]


def test_enough_for_a_batch_begins_once_the_one_before_is_computed(bench: Bench) -> None:
    batch = begun(bench, 1)
    assert commits(frames(bench, 2, BATCH_FRAMES)) == []
    assert [len(b.frames) for b in commits(bench.step(Computed(batch)))] == [BATCH_FRAMES]


def test_no_more_than_two_are_in_hand(bench: Bench) -> None:
    first = begun(bench, 1)
    frames(bench, 2, BATCH_FRAMES)
    (second,) = commits(bench.step(Computed(first)))
    frames(bench, 2 + BATCH_FRAMES, BATCH_FRAMES)
    assert commits(bench.step(Computed(second))) == []
    assert len(bench.pipeline._in_hand) == IN_HAND
    assert len(commits(bench.step(Committed(first, 0.01)))) == 1


def test_what_arrives_stays_in_the_queue_once_a_batch_has_gathered(bench: Bench) -> None:
    begun(bench, 1)
    frames(bench, 2, MOST_BATCH_FRAMES - 1)
    assert bench.pipeline.has_room
    bench.frame(1 + MOST_BATCH_FRAMES)
    assert not bench.pipeline.has_room
    bench.step(StoreFailed())
    assert bench.pipeline.has_room, "while the store is down all is read"


def test_with_two_in_hand_a_store_that_fails_is_tried_with_the_older(bench: Bench) -> None:
    first = begun(bench, 1)
    frames(bench, 2, BATCH_FRAMES)
    (second,) = commits(bench.step(Computed(first)))
    bench.step(StoreFailed("of this test"))
    assert not bench.pipeline.store_up
    frames(bench, 2 + BATCH_FRAMES, BATCH_FRAMES)
    assert commits(bench.step(Computed(second))) == []
    bench.link_s += RETRY_S[0]
    assert commits(bench.empty()) == [first]
    assert acked(bench.step(Committed(first, 0.01))) == [(1, 1)]
    assert bench.pipeline.store_up
    assert acked(bench.step(Committed(second, 0.01))) == [(2, 1 + BATCH_FRAMES)]


def test_batches_out_of_order_are_a_defect(bench: Bench) -> None:
    begun(bench, 1)
    with pytest.raises(AssertionError):
        bench.step(Committed(Batch(), 0.01))


def test_a_birth_is_answered_once_the_frames_before_it_have_their_verdict(bench: Bench) -> None:
    first = begun(bench, 1)
    bench.frame(2)
    assert acks(bench.born(in_flight=((1, 5),))) == []
    bench.frame(3)
    effects = bench.step(Computed(first)) + bench.step(Committed(first, 0.01))
    assert [(ack.stored.sync, ack.stored.ranges) for ack in acks(effects)] == [(False, ((1, 1),))]
    (second,) = commits(effects)
    assert [work.id.seq for work in second.frames if work.id] == [2, 3]
    told = [(ack.stored.sync, ack.stored.ranges) for ack in acks(bench.step(Committed(second, 0.01)))]
    assert told == [(False, ((2, 3),)), (True, ((1, 3),))]


def test_a_birth_under_a_stream_of_frames_does_not_wait_for_its_end(bench: Bench) -> None:
    batch = begun(bench, 1)
    bench.born(in_flight=((1, 1),))
    seq = 2
    for _ in range(3):
        bench.frame(seq)
        seq += 1
        effects = bench.step(Committed(batch, 0.01))
        batches = commits(effects)
        if any(ack.stored.sync for ack in acks(effects)):
            return
        (batch,) = batches
    pytest.fail("the birth was not answered")


def test_a_birth_is_answered_at_once_when_the_store_fails(bench: Bench) -> None:
    begun(bench, 1)
    bench.born(in_flight=((1, 1),))
    answers = [ack.stored for ack in acks(bench.step(StoreFailed())) if ack.stored.sync]
    assert [(answer.ranges, answer.credit_frames) for answer in answers] == [((), 0)]


def test_a_batch_holds_no_more_bytes_than_it_may_but_one_frame_always() -> None:
    gathering = Gathering()
    big = work(1)
    object.__setattr__(big, "payload", bytes(BATCH_BYTES // 2 + 1))
    huge = work(2)
    object.__setattr__(huge, "payload", bytes(BATCH_BYTES + 1))
    for one in (big, big, huge, big):
        gathering.take(one, 0.0)
    assert not gathering.has_room
    assert [len(gathering.batch(0.0).frames) for _ in range(4)] == [1, 1, 1, 1]
    assert not gathering
