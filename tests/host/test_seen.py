"""What the host remembers of frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingest.seen as seen_module
from ingest.seen import RECENT_OF_EDGE, Seen, SeqSet
from palier import ranges
from palier.frames import FrameId


@given(st.lists(st.integers(1, 60)))
def test_a_set_of_seqs_is_what_was_put_in(seqs: list[int]) -> None:
    held = SeqSet()
    for seq in seqs:
        held.add(seq)
    assert held.ranges == ranges.of(seqs)
    assert all((seq in held) == (seq in seqs) for seq in range(62))


@given(st.sets(st.integers(1, 60)), st.integers(1, 60))
def test_a_set_goes_on_from_ranges(seqs: set[int], more: int) -> None:
    held = SeqSet(ranges.of(seqs))
    held.add(more)
    assert held.ranges == ranges.of({*seqs, more})


def test_an_epoch_is_not_another_one() -> None:
    seen = Seen()
    seen.load("usine/g1", "a", ((1, 10),))
    assert FrameId("usine/g1", "a", 5) in seen
    assert FrameId("usine/g1", "b", 5) not in seen
    assert FrameId("usine/g2", "a", 5) not in seen
    assert seen.within("usine/g1", "a", ((5, 20),)) == ((5, 10),)
    assert seen.within("usine/g1", "b", ((5, 20),)) == ()


def test_other_content_is_noticed_while_it_is_remembered() -> None:
    seen = Seen()
    first = FrameId("usine/g1", "a", 1)
    seen.add(first, 111)
    assert seen.contradicts(first, 222)
    assert not seen.contradicts(first, 111)
    for seq in range(2, RECENT_OF_EDGE + 2):
        seen.add(FrameId("usine/g1", "a", seq), seq)
    assert not seen.contradicts(first, 222)
    assert first in seen


def test_what_is_remembered_of_content_is_bounded_over_all_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "RECENT_IN_ALL", 2_000)
    monkeypatch.setattr(seen_module, "MAX_EDGES", 8)
    seen = Seen()
    for seq in range(1, 2_001):
        seen.add(FrameId("usine/g0", "e", seq), seq)
    for edge in range(1, 8):
        for seq in range(1, 2_001):
            seen.add(FrameId(f"usine/g{edge}", "e", seq), seq)
            seen.add(FrameId("usine/g0", "e", 2_000 + seq), seq)
    held = {edge: len(recent) for edge, recent in seen._recent.items()}
    assert held["usine/g0"] == held["usine/g7"] == 250
    assert seen.contradicts(FrameId("usine/g7", "e", 2_000), 0)
    for edge in range(8, 20):
        seen.add(FrameId(f"usine/g{edge}", "e", 1), 1)
    assert len(seen._recent) == 8
    assert FrameId("usine/g0", "e", 1) in seen  # that it was stored is never forgotten
