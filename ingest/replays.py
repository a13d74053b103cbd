"""Replays that people asked for: which frames that the records know are stored once more. Pure.

After a store was restored from a backup, or lost, gateways send again what their outboxes still hold. Frames
that the records do not know are stored as any other. Those that they know are acknowledged as duplicates:
records and series are restored together as a rule. Where the series alone were lost the person who asks says
`again`; then, and only then, frames of that gateway and period are computed and written into the series once
more. It is the way with the least danger: the records forget nothing, so no verdict, range or ledger changes;
rows are the same rows by their key; a frame comes at most once more for each request; and all of it is
forgotten after a while, or with the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from palier.frames import FrameId

REPLAY: Final = "replay"
"""Kind of the events of periods that gateways were asked for once more; `machine` is the node."""

MOST_ASKED: Final = 64
"""Requests whose answer is waited for; what else a gateway claims to have been asked is not noted."""

LASTS_S: Final = 6 * 3600.0
"""A replay of a full outbox over a slow line: after that what comes again is a duplicate as ever."""

MOST: Final = 8
"""Requests in force; the oldest gives way."""

MOST_FRAMES: Final = 1_000_000
"""Frames taken once more under one request: more than an outbox holds, and a bound on what is remembered."""


@dataclass(slots=True)
class _Wanted:
    request: str
    edge: str
    start_ns: int
    end_ns: int
    until_s: float
    taken: set[tuple[str, int]] = field(default_factory=set)


class Replays:
    """Requests, and of these the ones with `again` in force."""

    def __init__(self) -> None:
        self._wanted: list[_Wanted] = []
        self._asked: deque[tuple[str, str]] = deque(maxlen=MOST_ASKED)

    def asked(self, request: str, edge: str) -> None:
        """A gateway is asked for something under this request."""
        self._asked.append((request, edge))

    def is_answer(self, request: str, edge: str) -> bool:
        """Whether this gateway was asked so, and has not answered yet."""
        if (request, edge) not in self._asked:
            return False
        self._asked.remove((request, edge))
        return True

    def ask(self, request: str, edge: str, start_ns: int, end_ns: int, now_s: float) -> None:
        """From now on frames of this gateway and period, both ends inside, are wanted once more. The same
        request again changes nothing.
        """
        if all(one.request != request for one in self._wanted):
            one = _Wanted(request, edge, start_ns, end_ns, now_s + LASTS_S)
            self._wanted = [*self._wanted[1 - MOST :], one]

    def wants(self, edge: str, now_s: float) -> bool:
        """Whether anything of this gateway is wanted once more."""
        if not self._wanted:
            return False
        self._wanted = [one for one in self._wanted if now_s < one.until_s]
        return any(one.edge == edge for one in self._wanted)

    def takes(self, frame: FrameId, start_ns: int, now_s: float) -> bool:
        """Whether this frame is wanted once more."""
        return any(True for _ in self._of(frame, start_ns, now_s))

    def took(self, frame: FrameId, start_ns: int, now_s: float) -> None:
        """It waits to be stored: when it comes again it is a duplicate."""
        for one in self._of(frame, start_ns, now_s):
            one.taken.add((frame.epoch, frame.seq))

    def _of(self, frame: FrameId, start_ns: int, now_s: float) -> Iterator[_Wanted]:
        for one in self._wanted:
            fits = one.edge == frame.edge and one.start_ns <= start_ns <= one.end_ns and now_s < one.until_s
            if fits and (frame.epoch, frame.seq) not in one.taken and len(one.taken) < MOST_FRAMES:
                yield one
