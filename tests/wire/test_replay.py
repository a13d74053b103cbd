"""The highest seq of a sync answer, a replay and its answer: between versions, and what is not believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.wire import messages
from palier.wire.fields import MAX_SEQ
from palier.wire.payload import DataType, DecodeError, Metric, Payload, Reason, decode, encode
from tests.support import wire_examples as examples

TIMES = {"start_ns": 1, "end_ns": 2}


def test_the_highest_seq_is_a_property_that_an_older_gateway_passes_over() -> None:
    new = decode(messages.stored_payload(examples.SYNC, 1)).metrics[0]
    old = decode(messages.stored_payload(replace(examples.SYNC, highest=None), 1)).metrics[0]
    assert dict(new.properties) == {**old.properties, "highest": 4242}
    assert new.name == old.name
    assert np.array_equal(np.asarray(new.value), np.asarray(old.value))


def test_the_answer_of_an_older_host_tells_no_highest_seq() -> None:
    told = messages.read_stored(decode(examples.before("ncmd-stored").read_bytes()))
    assert told is not None
    assert told.highest is None
    assert examples.before("ncmd-stored").read_bytes() == messages.stored_payload(
        examples.STORED, examples.SENT_MS
    )


requests = st.from_regex(r"[A-Za-z0-9_-]{8,64}", fullmatch=True)
times = st.tuples(st.integers(0, MAX_SEQ), st.integers(0, MAX_SEQ)).map(sorted)


@given(requests, times, st.none() | st.just(examples.EPOCH))
def test_a_replay_comes_back(request: str, span: list[int], epoch: str | None) -> None:
    replay = messages.Replay(request, span[0], span[1], epoch)
    assert messages.read_replay(decode(messages.replay_payload(replay, 1))) == replay


@given(requests, st.integers(0, MAX_SEQ))
def test_the_answer_to_a_replay_comes_back(request: str, frames: int) -> None:
    told = messages.Replayed(request, examples.EPOCH, frames)
    payload = decode(messages.replayed_payload(told, seq=9, timestamp_ms=1))
    assert (messages.read_replayed(payload), payload.seq) == (told, 9)
    assert messages.read_ledger(payload) is None


@pytest.mark.parametrize(
    ("value", "properties", "reason"),
    [
        ("short", TIMES, Reason.NAME),
        ("x" * 65, TIMES, Reason.NAME),
        ("a request", TIMES, Reason.NAME),
        (None, TIMES, Reason.NAME),
        ("request1", {"start_ns": 1}, Reason.SCHEMA),
        ("request1", {"start_ns": 3, "end_ns": 2}, Reason.RANGE),
        ("request1", {"start_ns": -1, "end_ns": 2}, Reason.RANGE),
        ("request1", {"start_ns": 1.0, "end_ns": 2}, Reason.TYPE),
        ("request1", {**TIMES, "epoch": "x"}, Reason.SCHEMA),
        ("request1", {**TIMES, "epoch": 1}, Reason.TYPE),
    ],
)
def test_a_replay_that_is_none_is_refused(
    value: str | None, properties: dict[str, int | float | str], reason: Reason
) -> None:
    metric = Metric("Palier/Replay", DataType.STRING, value, properties=properties)
    with pytest.raises(DecodeError) as caught:
        messages.read_replay(decode(encode(Payload(1, (metric,), None, messages.WIRE_VERSION))))
    assert caught.value.reason is reason


def test_a_replay_that_no_gateway_would_take_is_not_written() -> None:
    with pytest.raises(DecodeError, match="must not end"):
        messages.replay_payload(messages.Replay("request1", 2, 1), 1)


@pytest.mark.parametrize("frames", [-1, None, "7"])
def test_an_answer_to_a_replay_that_is_none_is_refused(frames: int | str | None) -> None:
    told = Metric("Palier/Replayed", DataType.STRING, "request1", properties={"frames": frames})
    epoch = Metric("Palier/Epoch", DataType.STRING, examples.EPOCH)
    with pytest.raises(DecodeError):
        messages.read_replayed(decode(encode(Payload(1, (epoch, told), 2, messages.WIRE_VERSION))))
