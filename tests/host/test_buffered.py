"""The socket that reads ahead: the same bytes, whatever is asked for and however they arrive."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.buffered import AHEAD_BYTES, BufferedSocket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, BufferedSocket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs, BufferedSocket(ours)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1), st.lists(st.integers(1, 50), min_size=1))
def test_it_gives_what_was_sent_in_the_pieces_asked_for(sent: list[bytes], asked: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        buffered, whole, found = BufferedSocket(ours), b"".join(sent), b""
        for piece in sent:
            theirs.sendall(piece)
        for k in range(10_000):
            if len(found) == len(whole):
                break
            got = buffered.recv(asked[k % len(asked)])
            assert 0 < len(got) <= asked[k % len(asked)]
            found += got
        assert found == whole
        assert buffered.pending() == 0


def test_what_was_read_ahead_is_pending(pair: tuple[socket.socket, BufferedSocket]) -> None:
    theirs, buffered = pair
    theirs.sendall(b"abcdef")
    assert buffered.recv(2) == b"ab"
    assert buffered.pending() == 4
    assert buffered.recv(100) == b"cdef"
    assert buffered.pending() == 0


def test_nothing_to_read_and_the_end_are_told_as_a_socket_does(
    pair: tuple[socket.socket, BufferedSocket],
) -> None:
    theirs, buffered = pair
    buffered.setblocking(False)
    with pytest.raises(BlockingIOError):
        buffered.recv(1)
    theirs.sendall(b"x")
    theirs.close()
    assert buffered.recv(AHEAD_BYTES) == b"x"
    assert buffered.recv(1) == b""
    assert buffered.fileno() >= 0
