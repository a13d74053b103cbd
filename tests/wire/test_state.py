"""STATE: what it says, and what host and edge make of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.wire.payload import DecodeError, Reason
from palier.wire.state import (
    HostState,
    HostView,
    Reaction,
    answer,
    connect_timestamp,
    decode_state,
    encode_state,
    hear,
)

ONLINE = HostState(True, 100)


@given(st.booleans(), st.integers(0, 2**63 - 1))
def test_a_state_comes_back(online: bool, timestamp_ms: int) -> None:
    assert decode_state(encode_state(HostState(online, timestamp_ms))) == HostState(online, timestamp_ms)


def test_a_state_is_json_with_a_boolean_and_a_number() -> None:
    """tck-id-payloads-state-birth-payload, tck-id-payloads-state-will-message-payload."""
    assert json.loads(encode_state(ONLINE)) == {"online": True, "timestamp": 100}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.DECODE),
        (b"ONLINE", Reason.DECODE),
        (b"\xff", Reason.DECODE),
        (b"[" * 1000, Reason.DECODE),
        (b'{"online": true, "timestamp": 1' + b"0" * 900 + b"}", Reason.RANGE),
        (b" " * 1025, Reason.SIZE),
        (b"[true, 1]", Reason.SCHEMA),
        (b'{"online": true}', Reason.SCHEMA),
        (b'{"online": 1, "timestamp": 1}', Reason.TYPE),
        (b'{"online": "true", "timestamp": 1}', Reason.TYPE),
        (b'{"online": true, "timestamp": true}', Reason.TYPE),
        (b'{"online": true, "timestamp": 1.5}', Reason.TYPE),
        (b'{"online": true, "timestamp": NaN}', Reason.TYPE),
        (b'{"online": true, "timestamp": null}', Reason.TYPE),
        (b'{"online": true, "timestamp": -1}', Reason.RANGE),
    ],
)
def test_what_is_no_state_is_refused_with_its_reason(data: bytes, reason: Reason) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_state(data)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("now", "last", "expected"), [(50, None, 50), (50, 40, 50), (50, 50, 51), (50, 90, 91)]
)
def test_the_timestamp_of_a_connect_is_above_all_before(now: int, last: int | None, expected: int) -> None:
    """tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp; clocks step back."""
    assert connect_timestamp(now, last) == expected


@pytest.mark.parametrize(
    ("own", "heard", "expected"),
    [
        (ONLINE, HostState(False, 100), ONLINE),
        (ONLINE, HostState(False, 40), ONLINE),
        (ONLINE, HostState(False, 900), ONLINE),
        (ONLINE, ONLINE, None),
        (ONLINE, HostState(True, 900), None),
        (None, HostState(False, 100), None),
        (HostState(False, 100), HostState(False, 100), None),
    ],
)
def test_a_host_answers_its_own_offline_with_the_same_online(
    own: HostState | None, heard: HostState, expected: HostState | None
) -> None:
    """tck-id-message-flow-hid-sparkplug-state-message-delivered; never with a fresh timestamp."""
    assert answer(own, heard) == expected


@pytest.mark.parametrize(
    ("known", "heard", "then", "reaction"),
    [
        (None, HostState(True, 100), 100, Reaction.HOST_ONLINE),
        (None, HostState(False, 100), None, Reaction.IGNORE),
        (100, HostState(True, 100), 100, Reaction.IGNORE),
        (100, HostState(True, 101), 101, Reaction.NEW_SESSION),
        (100, HostState(True, 99), 99, Reaction.NEW_SESSION),
        (100, HostState(False, 99), 100, Reaction.IGNORE),
        (100, HostState(False, 100), None, Reaction.HOST_OFFLINE),
        (100, HostState(False, 101), None, Reaction.HOST_OFFLINE),
    ],
)
def test_the_edge_reacts_by_the_table(
    known: int | None, heard: HostState, then: int | None, reaction: Reaction
) -> None:
    """tck-id-message-flow-edge-node-birth-publish-phid-wait-online, -phid-wait-timestamp, -phid-offline."""
    assert hear(HostView(known), heard) == (HostView(then), reaction)


@given(st.lists(st.booleans()), st.integers(0, 1000), st.integers(-50, 50))
def test_an_edge_believes_each_real_death_of_its_host(stale: list[bool], clock: int, step_ms: int) -> None:
    """A host connects again and again, its clock steps, old wills arrive late: its last will counts."""
    view, last = HostView(), None
    for late in stale:
        previous, last = last, connect_timestamp(max(0, clock), last)
        clock += step_ms
        view, reaction = hear(view, HostState(True, last))
        assert reaction in (Reaction.HOST_ONLINE, Reaction.NEW_SESSION)
        if late and previous is not None:
            view, reaction = hear(view, HostState(False, previous))
            assert reaction is Reaction.IGNORE
    if last is not None:
        assert hear(view, HostState(False, last)) == (HostView(), Reaction.HOST_OFFLINE)
