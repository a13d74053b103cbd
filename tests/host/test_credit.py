"""How much may be in flight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.credit import LEAST_BYTES, LEAST_FRAMES, QUEUE_RESERVE, CommitRate, share
from ingest.inbox import MAX_BYTES, MAX_FRAMES


def test_credit_is_two_seconds_of_work_shared() -> None:
    assert share(CommitRate(100.0, 1e7), 4).frames == 50
    assert share(CommitRate(100.0, 1e7), 4).n_bytes == 5_000_000


def test_nobody_is_starved_while_the_store_is_up() -> None:
    credit = share(CommitRate(0.1, 1.0), 1000)
    assert (credit.frames, credit.n_bytes) == (LEAST_FRAMES, LEAST_BYTES)


@given(st.floats(0.1, 1e9), st.floats(1.0, 1e12), st.integers(0, 50))
def test_all_credits_together_fit_into_the_queue(frames: float, n_bytes: float, edges: int) -> None:
    credit = share(CommitRate(frames, n_bytes), edges)
    assert credit.frames * max(1, edges) <= max(MAX_FRAMES - QUEUE_RESERVE, LEAST_FRAMES * edges)
    assert credit.n_bytes * max(1, edges) <= max(MAX_BYTES, LEAST_BYTES * edges)


def test_the_rate_follows_the_commits() -> None:
    rate = CommitRate()
    for _ in range(100):
        rate = rate.after(20, 500_000, 0.1)
    assert round(rate.frames_per_s) == 200
    assert round(rate.bytes_per_s) == 5_000_000


def test_a_commit_without_frames_says_nothing_of_the_rate() -> None:
    assert CommitRate().after(0, 0, 5.0) == CommitRate()
