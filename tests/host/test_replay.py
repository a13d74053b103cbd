"""A period that a person has a gateway send again: asked for, and stored once more where that is said."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from ingest.batch import AskReplay, Batch, Effect, Wanted, WorkFrame
from ingest.replays import LASTS_S
from ingest.seen import Seen
from palier.frames import FrameId
from palier.historian.rows import Verdict
from palier.operations import Command, SendAgain
from palier.plant import Plant
from palier.wire.messages import (
    MAX_RANGE_LENGTH,
    Replay,
    Replayed,
    replayed_payload,
    stored_payload,
)
from palier.wire.operations import encode_command
from palier.wire.topics import Kind
from tests.host.conftest import Ingest
from tests.support.committing import Fakes, committer
from tests.support.gateway import EPOCH, Gateway, waveform
from tests.support.operator import asking
from tests.support.pipeline_bench import EDGE, SECOND, T0, Bench, acked, acks, commits
from tests.support.services import Mosquitto
from tests.support.waiting import eventually

WANTED = Wanted(EDGE, T0, T0 + 3600 * SECOND, "request-1")


@pytest.fixture
def bench(plant: Plant) -> Bench:
    seen = Seen()
    seen.load(EDGE, EPOCH, ((1, 50),))
    bench = Bench(plant, seen)
    bench.born()
    return bench


def again(effects: list[Effect]) -> list[tuple[int, bool, bool]]:
    works = [work for batch in commits(effects) for work in batch.frames]
    return [(work.id.seq, work.live, work.again) for work in works if work.id is not None]


def test_a_replay_is_asked_for_and_what_is_known_is_not_stored_again(bench: Bench) -> None:
    effects = bench.step(WANTED)
    assert [e for e in effects if isinstance(e, AskReplay)] == [
        AskReplay(EDGE, Replay("request-1", T0, T0 + 3600 * SECOND))
    ]
    bench.frame(7, historical=True)
    bench.frame(51, historical=True)
    effects = bench.empty()
    assert again(effects) == [(51, False, False)]
    assert acked(effects) == [(7, 7), (51, 51)]


def test_of_one_machine_only_what_the_gateway_kept_back_is_asked_for(bench: Bench) -> None:
    (asked,) = (e for e in bench.step(replace(WANTED, machine="pompe")) if isinstance(e, AskReplay))
    wanted = Replay("request-1", T0, T0 + 3600 * SECOND, machine="pompe", retained=True)
    assert asked == AskReplay(EDGE, wanted)


def test_again_stores_once_more_what_the_records_know(bench: Bench) -> None:
    bench.step(Wanted(EDGE, T0, T0 + 3600 * SECOND, "request-1", again=True))
    bench.frame(7)
    effects = bench.empty()
    assert again(effects) == [(7, False, True)]  # whatever it says, it advances nothing
    assert acked(effects) == [(7, 7)]
    assert (bench.pipeline.counts.again, bench.pipeline.counts.stored) == (1, 0)
    bench.frame(7)
    effects = bench.empty()
    assert (again(effects), acked(effects)) == ([], [(7, 7)])


def test_again_is_of_one_gateway_and_period_and_ends(bench: Bench) -> None:
    wanted = Wanted(EDGE, T0, T0 + 10 * SECOND, "request-1", again=True)
    bench.step(wanted)
    bench.step(wanted)  # the same command again
    bench.frame(20)  # of another period
    bench.frame(8, node="g2")
    assert [(seq, more) for seq, _, more in again(bench.empty())] == [(8, False)]
    bench.link_s += LASTS_S
    bench.frame(5)
    assert again(bench.empty()) == []


def test_a_frame_of_the_future_is_not_stored_once_more(bench: Bench) -> None:
    """Its row stands at its arrival: another would stand beside it, each time that it comes."""
    bench.step(Wanted(EDGE, T0, T0 + 10**9 * SECOND, "request-1", again=True))
    for _ in range(2):
        bench.frame(7, waveform(T0 + 10**8 * SECOND, n=64))
        effects = bench.empty()
        assert (again(effects), acked(effects)) == ([], [(7, 7)])


def test_a_frame_that_found_no_room_is_wanted_still(bench: Bench) -> None:
    bench.step(Wanted(EDGE, T0, T0 + 3600 * SECOND, "request-1", again=True))
    bench.by_hand = True
    bench.frame(7)
    bench.frame(7)  # while it waits: neither twice nor acknowledged before it is stored
    effects = bench.empty()
    assert (again(effects), acked(effects)) == ([(7, False, True)], [])


def test_the_commit_of_what_is_known_writes_series_alone(plant: Plant) -> None:
    fakes = Fakes()
    frame_id = FrameId(EDGE, EPOCH, 7)
    work = WorkFrame(frame_id, "usine", waveform(T0), False, "topic", b"raw", again=True)
    assert committer(plant, fakes).commit(Batch(frames=(work,))) == ()
    assert "append" not in fakes.log
    assert {rows.measurement for rows in fakes.written} >= {"feature"}
    (records,) = fakes.batches
    assert (records.waveforms, records.stored) == ((), (frame_id,))


@pytest.mark.long
def test_series_that_were_lost_come_back_by_command(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    now_ns = time.time_ns()
    frames = {seq: waveform(now_ns - (60 - seq) * SECOND) for seq in range(1, 6)}
    with Gateway(mosquitto.port) as gateway, asking(mosquitto.port) as asker:
        gateway.wait_for_host().born()
        for seq, frame in frames.items():
            gateway.send(seq, frame)
        gateway.wait_acked(frames)
        ingest.stop()
        for path in ingest.data.path.glob("historian.sqlite*"):
            path.unlink()
        ingest.start()
        ingest.wait_ready()
        ask = SendAgain(EDGE, 0, now_ns // 10**6 * 10**6, "historian lost", again=True)
        reply = asker.ask(json.loads(encode_command(Command("replay-of-today", "h.alami", ask))))
        assert (reply["outcome"], reply["reason"]) == ("done", "replay_asked")
        eventually(lambda: gateway.replays, 60, "the request at the gateway")
        assert gateway.replays == [Replay("replay-of-today", 0, ask.to_ns)]
        gateway.acked.clear()
        for seq, frame in frames.items():
            gateway.send(seq, frame, historical=True)
        gateway.wait_acked(frames)
    assert ingest.ranges(EDGE, EPOCH, Verdict.STORED) == ((1, 5),)
    with ingest.historian() as historian, ingest.records() as records:
        found = historian.read("feature", ["frame"], site="usine", machine="pompe")
        assert sorted(found.columns["frame"]) == [f"{EDGE}:{EPOCH}:{seq}" for seq in frames]
        assert len(records.waveforms("usine", "pompe", "p1")) == len(frames)
        (asked,) = records.transitions(0, "replay")
        assert (asked.machine, json.loads(asked.detail)["who"]) == ("g1", "h.alami")


def test_the_gateways_answer_is_an_event_once_and_only_where_it_was_asked(bench: Bench) -> None:
    def answered(request: str, node: str = "g1") -> list[dict[str, object]]:
        told = Replayed(request, EPOCH, 3117)
        data = replayed_payload(told, seq=bench.next(node), timestamp_ms=1)
        batches = commits(bench.message(Kind.NDATA, data, node) + bench.empty())
        return [json.loads(t.detail) for batch in batches for t in batch.transitions if t.kind == "replay"]

    bench.step(WANTED)
    assert answered("request-2") == answered("request-1", "g2") == []
    assert answered("request-1") == [{"request": "request-1", "epoch": EPOCH, "frames": 3117}]
    assert answered("request-1") == []


def test_of_another_site_nothing_is_asked(mosquitto: Mosquitto, ingest: Ingest) -> None:
    ingest.start()
    ingest.wait_ready()
    ask = SendAgain("autre/g1", 0, 10**18, "essai")
    with asking(mosquitto.port) as asker:
        reply = asker.ask(json.loads(encode_command(Command("replay-elsewhere", "h.alami", ask))))
    assert (reply["outcome"], reply["reason"]) == ("refused", "not_our_gateway")


# What a birth is answered -------------------------------------------------------------------------------


def synced(effects: list[Effect]) -> list[tuple[tuple[tuple[int, int], ...], int | None]]:
    return [(one.stored.ranges, one.stored.highest) for one in acks(effects) if one.stored.sync]


def test_a_birth_hears_the_highest_number_that_ever_came(bench: Bench) -> None:
    assert synced(bench.born(in_flight=((48, 60),)) + bench.empty()) == [(((48, 50),), 50)]
    bench.store_up = False
    bench.frame(63)
    bench.empty()
    assert synced(bench.born() + bench.empty()) == [((), 63)]  # it waits for its verdict
    told = [one.stored.highest for one in acks(bench.born("g2") + bench.empty()) if one.edge == "usine/g2"]
    assert told[-1] == 0


def test_a_birth_that_asks_for_everything_is_answered_in_messages_that_can_be_sent(plant: Plant) -> None:
    """Ranges that are too long, or too many, for one message: a birth of that kind must end no host."""
    seen = Seen()
    seen.load(EDGE, EPOCH, ((1, 3 * MAX_RANGE_LENGTH), *((k, k) for k in range(20_000, 24_000, 2))))
    bench = Bench(plant, seen)
    effects = bench.born(in_flight=((1, 2**62),)) + bench.empty()
    mine = [one.stored for one in acks(effects) if one.stored.ranges]
    for stored in mine:
        stored_payload(stored, 1)
    assert [stored.sync for stored in mine] == [False] * (len(mine) - 1) + [True]
    told = {seq for stored in mine for lo, hi in stored.ranges for seq in range(lo, hi + 1)}
    assert len(told) == 3 * MAX_RANGE_LENGTH + 2_000
