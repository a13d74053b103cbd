"""When each slave of a line is asked, and for what. Pure: the time comes as an argument.

A slave that answers is asked each `every_s`. One that does not is left alone for 2, 4, 8, 10 s: on a serial
line every attempt costs all others the time that its answer may take, and an answer that comes too late must
have come and gone before the same slave is asked again, or it would be taken for that to the next request.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from .modbus_requests import Request

PAUSE_S: Final = (2.0, 10.0)
"""After the first failure and at most: what is back must be heard within 15 s."""

RENEW_S: Final = 300.0
"""A register that a device refused is asked for again after this: it may have been starting, or changed."""

RENEW_ALL_S: Final = 60.0  # where it refused everything: it may be starting

LATE: Final = 5  # rounds in a row until it is told: one may have waited for a slave that is away

AWAY: Final = 2  # failures in a row until it is told: one is a disturbance on the line


@dataclass(slots=True)
class Slave:
    """One slave. `plan` is what reads all of it, `asked` what is left of that where it refused some."""

    number: int
    plan: tuple[Request, ...]
    answer_s: float
    due_s: float = 0.0
    failures: int = 0
    why: str = ""  # of the last failure
    late: int = 0  # rounds in a row
    asked: tuple[Request, ...] = ()
    _renew_s: float | None = None

    def __post_init__(self) -> None:
        self.asked = self.plan

    @property
    def away(self) -> bool:
        """Whether its last request failed."""
        return self.failures > 0

    def begin(self, now_s: float) -> deque[Request]:
        """What to ask it now."""
        if self._renew_s is not None and now_s >= self._renew_s:
            self.asked, self._renew_s = self.plan, None
        return deque(self.asked)

    def part(self, request: Request, now_s: float, *, parts: bool) -> tuple[Request, ...]:
        """What to ask instead of a request that it refused; nothing where it is for one value, or no part of
        it can do better.
        """
        instead = request.halves() if parts and len(request.registers) > 1 else ()
        place = self.asked.index(request)
        self.asked = (*self.asked[:place], *instead, *self.asked[place + 1 :])
        if not self.asked:
            self._renew_s = now_s + RENEW_ALL_S
        elif self._renew_s is None:
            self._renew_s = now_s + RENEW_S
        return instead

    def answered(self, now_s: float, every_s: float) -> bool:
        """It answered: asked again at its pace. False where that pace can't be kept, time and again."""
        self.failures, self.why = 0, ""
        self.due_s += every_s
        if self.due_s > now_s - every_s / 2:  # in time, or a little late
            self.late = 0
            return True
        self.due_s, self.late = now_s, self.late + 1
        return self.late < LATE

    def failed(self, now_s: float, why: str) -> None:
        """It did not answer, or what it said is none."""
        self.failures += 1
        self.why = why
        self.asked, self._renew_s = self.plan, None
        pause_s = max(PAUSE_S[0] * 2 ** min(self.failures - 1, 8), 2 * self.answer_s)
        self.due_s = now_s + min(pause_s, PAUSE_S[1])

    def back(self, now_s: float) -> None:
        """The line is there again: ask it now, and for everything."""
        self.due_s, self.failures, self.why = now_s, 0, ""
        self.asked, self._renew_s = self.plan, None
