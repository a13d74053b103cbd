"""Places where a test may hold the ingest still, so that what happens at that very moment can be looked at.

For tests only. `PALIER_FAILPOINT="before_records:sleep=30"` makes the process sleep 30 s each time it reaches
that place; several are separated by commas. Without the variable a place costs one dictionary look-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

VARIABLE: Final = "PALIER_FAILPOINT"
POINTS: Final = (
    "before_waveforms",
    "before_series",
    "before_records",
    "before_told",
    "before_acknowledgement",
    "before_hours_forgotten",
)
"""The moments before each durable step of a commit, in their order, the one between the records of alarms and
what people and series are told of them, before what is said of a commit, and the one between hourly rows and
the note that they are written."""


class Failpoints:
    """Seconds to sleep at each named place; none by default."""

    def __init__(
        self, sleeps: Mapping[str, float] | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._sleeps = dict(sleeps or {})
        self._sleep = sleep

    def reach(self, point: str) -> None:
        """This place was reached: sleep if a test asked for it."""
        if point in self._sleeps:
            self._sleep(self._sleeps[point])

    @classmethod
    def parse(cls, text: str) -> Failpoints:
        """Of a text such as "before_records:sleep=30". Raises ValueError for what is no such place."""
        sleeps = {}
        for entry in filter(None, text.split(",")):
            point, _, action = entry.partition(":")
            verb, _, seconds = action.partition("=")
            if point not in POINTS or verb != "sleep":
                raise ValueError(
                    f"{VARIABLE} must be PLACE:sleep=SECONDS with a place of {POINTS}, got {entry!r}"
                )
            sleeps[point] = float(seconds)
        return cls(sleeps)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Failpoints:
        """Of the variable's value; without it there are none."""
        return cls.parse(environment.get(VARIABLE, ""))
