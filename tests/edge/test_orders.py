"""What the link believes of a host's NCMD."""

from __future__ import annotations

import pytest

from edge_agent import events as ev
from edge_agent.machine import begin
from edge_agent.orders import MAX_FORGOTTEN, read_events
from palier.wire import messages
from palier.wire.payload import DecodeError, decode

EPOCH = "ab" * 8
LINK = begin(EPOCH, 10, ())


def test_an_acknowledgement_tells_the_highest_seq() -> None:
    told = messages.Stored(EPOCH, ((1, 3),), 5, 6, sync=True, highest=12)
    assert read_events(decode(messages.stored_payload(told, 1)), LINK) == [
        ev.StoredReceived(EPOCH, ((1, 3),), 5, 6, True, 12)
    ]


def test_a_highest_seq_that_would_use_up_all_numbers_is_not_believed() -> None:
    for highest, believed in ((10 + MAX_FORGOTTEN, True), (11 + MAX_FORGOTTEN, False)):
        told = decode(messages.stored_payload(messages.Stored(EPOCH, (), 5, 6, True, highest), 1))
        if believed:
            assert read_events(told, LINK)
        else:
            with pytest.raises(DecodeError, match="10 were given"):
                read_events(told, LINK)
    other = messages.Stored("cd" * 8, (), 5, 6, True, 2**62)  # of another epoch: not for us at all
    assert read_events(decode(messages.stored_payload(other, 1)), LINK)


def test_limits_and_replays_are_no_acknowledgement() -> None:
    limits = messages.limits_payload((messages.DangerLimit("P", "1/DE", 9.0),), 1)
    replay = messages.replay_payload(messages.Replay("a-request", 0, 1), 1)
    assert read_events(decode(limits), LINK) == read_events(decode(replay), LINK) == []
