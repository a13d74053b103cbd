"""Whether a configuration that was sent from afar may stay: pure.

Rules
 1. It stays when its trial is over, broker and host are there, and every source that worked before works.
 2. It goes back at once when broker or host have been away for `LOST_S` in a row, or when the agent was
    started more often than `MAX_STARTS` in its trial: something ends it each time.
 3. It goes back at the end of the trial when a source that worked before has given no frame, or fails.
 4. It goes back then, too, when no source at all works where one did before, however new they are: a
    configuration must not silence the gateway.
 5. Time is the time that the agent runs: monotonic, added up over restarts. What passes while it is down
    does not count, and a start counts as a start.

Beside others that work a source that is new, or did not work before, is awaited for nothing. One whose
longest pause so far is longer than the trial can't show a frame within it: it must only not fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from palier.wire.said import said

TRIAL_S: Final = 300.0
LOST_S: Final = 30.0
"""A broker that restarts is back within seconds, and pauses between connections are at most 7.5 s."""

MAX_STARTS: Final = 3
"""A power cut, and somebody who restarts the service, or two: more is no accident."""


class Verdict(StrEnum):
    """What is to be done."""

    GO_ON = "go_on"
    KEEP = "keep"
    GO_BACK = "go_back"


@dataclass(frozen=True, slots=True)
class Trial:
    """`left_s` of running are left. `awaited` are sources that have to give a frame yet, `working` those that
    must work at the end; by name. `away_s`: how long broker or host have been away. `worked`: whether any
    source did before.
    """

    left_s: float = TRIAL_S
    starts: int = 0
    awaited: tuple[str, ...] = ()
    working: tuple[str, ...] = ()
    away_s: float = 0.0
    worked: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen since the last look: seconds that passed, whether the host answers, which sources have
    given a frame since the change, what is wrong with which, and whether any works.
    """

    elapsed_s: float
    linked: bool
    gave: frozenset[str]
    failing: Mapping[str, str]
    works: bool = True


def started(trial: Trial) -> tuple[Trial, Verdict, str]:
    """The agent was started within a trial. What has given a frame before has shown that it can."""
    trial = replace(trial, starts=trial.starts + 1, away_s=0.0)
    if trial.starts > MAX_STARTS:
        return trial, Verdict.GO_BACK, said("trial_restarts", starts=trial.starts)
    return trial, Verdict.GO_ON, ""


def step(trial: Trial, look: Look) -> tuple[Trial, Verdict, str]:
    """The trial after a look, what is to be done, and why it goes back."""
    trial = replace(
        trial,
        left_s=max(0.0, trial.left_s - look.elapsed_s),
        away_s=0.0 if look.linked else trial.away_s + look.elapsed_s,
        awaited=tuple(name for name in trial.awaited if name not in look.gave),
    )
    if trial.away_s >= LOST_S:
        return trial, Verdict.GO_BACK, said("trial_away", seconds=round(trial.away_s))
    if trial.left_s > 0:
        return trial, Verdict.GO_ON, ""
    if why := _fault(trial, look):
        return trial, Verdict.GO_BACK, why
    if not look.linked:
        return trial, Verdict.GO_ON, ""  # it is back within LOST_S, or that decides
    return trial, Verdict.KEEP, ""


def _fault(trial: Trial, look: Look) -> str:
    """What of the sources speaks against it at the end of the trial; "" where nothing does."""
    if failing := [look.failing[name] for name in trial.working if name in look.failing]:
        return said("trial_fails", why=failing[0])
    if trial.awaited:
        return said("trial_no_frame", sources=", ".join(trial.awaited))
    if trial.worked and not look.works:
        fault = next(iter(look.failing.values()), said("all_ended"))
        return said("trial_nothing_works", why=fault)
    return ""
