"""How fresh the store of a plant is, watched from outside by the gateways' outboxes.

Each 50 ms, of each outbox: the highest seq given so far, and the oldest that waits for its acknowledgement.
The host sends that after its commit: what is acknowledged is stored. The store is *fresh* at a moment when
every frame that was in an outbox a second before is acknowledged, and sampling has gone on in that second. No
clock of a frame takes part, so a gateway whose clock jumps is watched as well as the others.

*Recovery* is the time from the end of a fault to the first fresh moment at which a frame sampled since is
acknowledged, and all that were sampled before: the newest frames are there, and the backlog too.
"""

from __future__ import annotations

import bisect
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.support.plant_files import GatewayFiles
from tests.support.waiting import eventually

LOOK_S: Final = 0.05
FRESH_S: Final = 1.0
"""Ten times what a frame takes on an idle machine. Where the machine is so busy that a frame took longer
before the fault, twice that."""

STARTED_S: Final = 30.0
"""A plant that is not fresh by then has a busy machine: each ten seconds more allow a frame one more."""


class Moment(NamedTuple):
    """What an outbox held at a time; `waiting` is its oldest frame without an acknowledgement, None: none."""

    at_s: float
    epoch: str
    last: int
    waiting: int | None


@dataclass
class Watched:
    """One gateway."""

    moments: list[Moment] = field(default_factory=list)

    def age_s(self, at: int = -1) -> float:
        """How long the oldest waiting frame waits, at that moment."""
        now = self.moments[at]
        if now.waiting is None:
            return 0.0
        same = [moment for moment in self.moments if moment.epoch == now.epoch]
        first = bisect.bisect_left(same, now.waiting, key=lambda moment: moment.last)
        return now.at_s - same[min(first, len(same) - 1)].at_s

    def sampled(self, since_s: float) -> bool:
        """Whether the newest seq is one given after that time."""
        before = [moment for moment in self.moments if moment.at_s <= since_s]
        now = self.moments[-1]
        return not before or (now.epoch, now.last) != (before[-1].epoch, before[-1].last)

    def caught_up(self, since_s: float) -> bool:
        """Whether a frame given after that time is acknowledged, and every one before it."""
        after = [moment for moment in self.moments if moment.at_s > since_s]
        if not after:
            return False
        now, first = after[-1], after[0].last + 1 if after[0].epoch == after[-1].epoch else 1
        return now.last >= first and (now.waiting is None or now.waiting > first)


class Flow:
    """Entered, it watches. `steady_s` is the longest age before the fault."""

    def __init__(self, gateways: Mapping[str, GatewayFiles], rate: float) -> None:
        self.steady_s = 0.0
        self.recovery_s: float | None = None
        self._gateways = gateways
        self._watched = {node: Watched() for node in gateways}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow", daemon=True)
        self._fresh_s = FRESH_S

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Look no more. Twice is allowed."""
        self._ended.set()
        self._thread.join(10)

    def age_s(self) -> float:
        """Of the oldest waiting frame of all gateways."""
        with self._lock:
            return max(one.age_s() if one.moments else float("inf") for one in self._watched.values())

    def longest_age_s(self, since_s: float) -> float:
        """The longest that any frame of any gateway had waited at any look since then."""
        with self._lock:
            return max(
                (
                    one.age_s(at)
                    for one in self._watched.values()
                    for at in range(len(one.moments))
                    if one.moments[at].at_s >= since_s
                ),
                default=0.0,
            )

    def fresh(self) -> bool:
        """Whether the store is fresh now."""
        since_s = time.monotonic() - self._fresh_s
        with self._lock:
            sampled = all(one.moments and one.sampled(since_s) for one in self._watched.values())
        return sampled and self.age_s() <= self._fresh_s

    def _caught_up(self, since_s: float) -> bool:
        with self._lock:
            return all(one.caught_up(since_s) for one in self._watched.values())

    def settle(self, within_s: float) -> None:
        """Wait until the store is fresh for the first time."""
        began_s = time.monotonic()

        def fresh() -> bool:
            self._fresh_s = max(FRESH_S, (time.monotonic() - began_s - STARTED_S) / 10)
            return self.fresh()

        eventually(fresh, within_s, "a steady flow of frames into the store")

    def watch(self, seconds: float) -> None:
        """Note the longest age of some seconds without a fault."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.steady_s = max(self.steady_s, self.age_s())
            time.sleep(LOOK_S)
        self._fresh_s = max(FRESH_S, 2 * self.steady_s)

    def recovered(self, ended_s: float, within_s: float) -> float:
        """Wait until the store is fresh after the end of a fault; the seconds from one to the other."""
        eventually(
            lambda: self._caught_up(ended_s) and self.fresh(), within_s, "a fresh store after the fault"
        )
        took_s = max(0.0, time.monotonic() - ended_s)
        self.recovery_s = max(self.recovery_s or 0.0, took_s)
        return took_s

    def at_rest(self) -> bool:
        """Whether sampling has ended and nothing waits."""
        with self._lock:
            return all(
                len(one.moments) > 10
                and one.moments[-1].waiting is None
                and one.moments[-1][1:3] == one.moments[-10][1:3]
                for one in self._watched.values()
            )

    def waiting(self, node: str) -> int | None:
        """The oldest seq of this gateway that waits; None: none does."""
        with self._lock:
            return self._watched[node].moments[-1].waiting

    def last_seq(self, node: str) -> int:
        """The newest seq that this gateway's outbox was seen to have given."""
        with self._lock:
            return self._watched[node].moments[-1].last

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            for node, files in self._gateways.items():
                try:
                    moment = look(files.outbox / "outbox.sqlite")
                except sqlite3.Error:  # not made yet, or being replaced
                    continue
                with self._lock:
                    self._watched[node].moments.append(moment)


def look(outbox: Path) -> Moment:
    """What an outbox holds now. Raises sqlite3.Error."""
    db = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=1.0)
    try:
        db.execute("BEGIN")
        epoch = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frame'").fetchone()
        waiting = db.execute("SELECT min(seq) FROM frame WHERE acked = 0").fetchone()
        return Moment(time.monotonic(), str(epoch[0]), int(last[0]) if last else 0, waiting[0])
    finally:
        db.close()
