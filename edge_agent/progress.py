"""Whether the agent makes progress, so that its watchdog may be told: a pure decision.

Progress is work that moves: the link's loop comes round, the recorder's loop comes round and, where frames
wait and the disk takes them, more of them are on the disk than before. A connection that is up is none, and
a host that is away is no lack of it: a new process could not do better. So these do not end the agent: no
broker, no host, a full disk, a clock that is not right, a source that fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

LINK_STUCK_S: Final = 30.0  # its loop comes round four times a second; a connect attempt takes at most 10 s
DISK_STUCK_S: Final = 60.0  # a worn card may stop for many seconds to tidy up


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be seen of the agent at one moment; ages in seconds."""

    now_s: float
    link_age_s: float
    recorder_age_s: float
    steward_age_s: float
    threads: bool  # whether every thread that must run does
    waiting: int  # frames that are not on the disk
    committed: int
    refusing: bool  # whether the disk says that it does not take frames
    sources_hopeless: bool  # whether every source that has not ended hangs for good


@dataclass(frozen=True, slots=True)
class Progress:
    """What was seen before. `lack` says what does not move; empty while all does."""

    lack: str = ""
    committed: int = 0
    moved_s: float | None = None


def judge(before: Progress, signs: Signs) -> Progress:
    """The next state."""
    moved = signs.committed != before.committed or not signs.waiting or signs.refusing
    moved_s = signs.now_s if moved or before.moved_s is None else before.moved_s
    state = replace(before, committed=signs.committed, moved_s=moved_s)
    return replace(state, lack=_lack(signs, signs.now_s - moved_s))


def _lack(signs: Signs, unmoved_s: float) -> str:
    if not signs.threads:
        return "a thread of the agent has ended"
    if signs.link_age_s > LINK_STUCK_S:
        return f"the link has stood still for {signs.link_age_s:.0f} s"
    if signs.recorder_age_s > DISK_STUCK_S or unmoved_s > DISK_STUCK_S:
        return (
            f"no frame has come to the disk for {max(signs.recorder_age_s, unmoved_s):.0f} s, and some wait"
        )
    if signs.steward_age_s > DISK_STUCK_S:
        return f"nobody has looked after sources and clock for {signs.steward_age_s:.0f} s"
    if signs.sources_hopeless:
        return "every source hangs, and opening it again does not help"
    return ""
