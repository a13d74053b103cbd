"""Whatever the bytes, every reader of the wire reads them or refuses with DecodeError: nothing else ever."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palier.frames import MAX_FRAME_BYTES
from palier.wire import messages, session
from palier.wire.payload import DecodeError, Payload, decode, encode, peek_seq
from palier.wire.sparkplug_pb2 import Metric, PropertySet, PropertyValue
from palier.wire.sparkplug_pb2 import Payload as WirePayload
from palier.wire.state import decode_state
from palier.wire.topics import TopicError, parse
from tests.support import wire_examples as examples

GOLDEN: Final = tuple(path.read_bytes() for path in sorted(examples.GOLDEN.glob("*.bin")))

READERS: Final[tuple[Callable[[Payload], object], ...]] = (
    lambda payload: messages.read_frame(payload, edge="s/n", machine="m"),
    lambda payload: messages.peek_id(payload, "s/n"),
    messages.is_frame,
    messages.read_stored,
    messages.is_rebirth,
    messages.read_limits,
    messages.read_attention,
    messages.read_replay,
    messages.read_replayed,
    messages.read_node_birth,
    lambda payload: messages.read_device_birth(payload, "m"),
    messages.read_bd_seq,
    messages.read_ledger,
)


def hear(payload: Payload) -> None:
    """A host hears the payload as each kind of message, born and not, and resolves its metrics."""
    state = session.HostSession()
    for kind in (
        "NDATA/n",
        "NBIRTH/n",
        "DBIRTH/n/d",
        "DDATA/n/d",
        "NDATA/n",
        "DDEATH/n/d",
        "NDEATH/n",
        "NCMD/n",
    ):
        event = session.event_of(parse(f"spBv1.0/g/{kind}"), payload, 0.0)
        if event is not None:
            state, _ = session.step(state, event)
    session.resolve(state, session.NODE, payload.metrics)


def refused_or_read(data: bytes) -> None:
    messages.peek_id(data, "s/n")
    peek_seq(data)
    try:
        payload = decode(data)
    except DecodeError:
        return
    for reader in (*READERS, hear):
        with contextlib.suppress(DecodeError):
            reader(payload)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden payload with some bytes changed, taken out, put in, or with its end cut off."""
    data = bytearray(draw(st.sampled_from(GOLDEN)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        stop = at + draw(st.integers(0, 8))
        data[at:stop] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def messages_of(wire: type) -> st.SearchStrategy:
    """Any message of that protobuf type: each field there or not, of any value."""
    values = {
        "name": st.sampled_from([m.name for g in GOLDEN[:-4] for m in _metrics(g)]) | st.text(max_size=4),
        "datatype": st.integers(0, 40),
        "type": st.integers(0, 40),
        "uuid": st.sampled_from(["palier/1", "", "palier/2"]),
        "properties": messages_of_properties(),
        "bytes_value": st.binary(max_size=24),
    }
    by_kind = {
        1: st.floats(),
        2: st.floats(width=32),
        4: st.integers(0, 2**64 - 1) | st.integers(0, 300),
        8: st.booleans(),
        9: st.text(max_size=8),
        12: st.binary(max_size=8),
        13: st.integers(0, 2**32 - 1),
    }
    fields = {
        field.name: values.get(field.name, by_kind.get(field.type))
        for field in wire.DESCRIPTOR.fields
        if field.type != 11
    }
    return st.fixed_dictionaries({}, optional={k: v for k, v in fields.items() if v is not None}).map(
        lambda chosen: wire(**chosen)
    )


def messages_of_properties() -> st.SearchStrategy[bytes]:
    keys = st.sampled_from(
        [
            *("unit", "scale", "fs_hz", "Quality", "epoch", "credit_frames", "credit_bytes", "sync"),
            *("highest", "start_ns", "end_ns", "frames"),
        ]
    )
    values = st.builds(PropertyValue, type=st.integers(0, 20), double_value=st.floats()) | st.builds(
        PropertyValue, type=st.integers(0, 20), int_value=st.integers(0, 2**32 - 1)
    )
    return st.lists(st.tuples(keys, values), max_size=4).map(
        lambda pairs: PropertySet(
            keys=[k for k, _ in pairs], values=[v for _, v in pairs]
        ).SerializeToString()
    ) | st.binary(max_size=8)


def _metrics(data: bytes) -> list[Metric]:
    try:
        return list(WirePayload.FromString(data).metrics)
    except Exception:  # noqa: BLE001  the golden STATE is JSON
        return []


@st.composite
def composed(draw: st.DrawFn) -> bytes:
    """A protobuf payload of any metrics."""
    made = draw(messages_of(WirePayload))
    made.metrics.extend(draw(st.lists(messages_of(Metric), max_size=6)))
    return made.SerializeToString()


@settings(max_examples=200)  # a million in tests/faults/test_fuzz_decoders.py
@given(mutated())
@example(b"")
def test_a_damaged_message_is_read_or_refused(data: bytes) -> None:
    refused_or_read(data)


@settings(max_examples=100)
@given(composed())
def test_a_message_of_any_fields_is_read_or_refused(data: bytes) -> None:
    refused_or_read(data)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    refused_or_read(data)


@given(mutated())
def test_what_can_be_read_can_be_written_or_is_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError, ValueError):
        encode(decode(data))


@given(st.binary(max_size=80) | mutated())
def test_any_state_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_state(data)


@given(
    st.text(max_size=40) | st.lists(st.sampled_from(["spBv1.0", "a", "", "NBIRTH", "DDATA"])).map("/".join)
)
def test_any_topic_is_parsed_or_refused(topic: str) -> None:
    with contextlib.suppress(TopicError):
        assert str(parse(topic)) == topic


@pytest.mark.parametrize("filler", [b"\x12\x00", b"\x78\x01", b"\x12\x02\x4a\x00", b"\x0a", b"\x12\x80"])
def test_the_largest_payload_of_one_thing_repeated_is_refused(filler: bytes) -> None:
    data = (filler * (MAX_FRAME_BYTES // len(filler) + 1))[:MAX_FRAME_BYTES]
    with pytest.raises(DecodeError):
        decode(data)
