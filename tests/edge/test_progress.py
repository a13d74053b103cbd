"""What the watchdog is told: that work moves, never that a connection is up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.progress import DISK_STUCK_S, Progress, Signs, judge

FINE = Signs(
    now_s=100.0,
    link_age_s=0.2,
    recorder_age_s=0.1,
    steward_age_s=0.5,
    threads=True,
    waiting=0,
    committed=7,
    refusing=False,
    sources_hopeless=False,
)


def lack(*signs: Signs) -> str:
    state = Progress()
    for one in signs:
        state = judge(state, one)
    return state.lack


@pytest.mark.parametrize(
    ("signs", "says"),
    [
        (FINE, ""),
        (replace(FINE, threads=False), "a thread of the agent has ended"),
        (replace(FINE, link_age_s=31.0), "the link has stood still for 31 s"),
        (replace(FINE, recorder_age_s=61.0), "no frame has come to the disk for 61 s"),
        (replace(FINE, steward_age_s=61.0), "nobody has looked after sources"),
        (replace(FINE, sources_hopeless=True), "every source hangs"),
        (replace(FINE, waiting=9, refusing=True), ""),  # a full disk: a new process would find it full, too
    ],
)
def test_what_is_missing_is_said(signs: Signs, says: str) -> None:
    assert lack(signs).startswith(says)
    assert bool(lack(signs)) is bool(says)


def test_frames_that_wait_while_none_comes_to_the_disk_are_no_progress() -> None:
    first = replace(FINE, waiting=5)
    later = replace(first, now_s=first.now_s + DISK_STUCK_S + 1)
    assert lack(first, later).startswith("no frame has come to the disk")
    assert lack(first, replace(later, committed=8)) == ""
    assert lack(first, replace(later, waiting=0)) == ""
    assert lack(first, replace(later, refusing=True)) == ""
