"""The thread that looks after the others each half second: sources that hang, and the clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from .clock_keeper import ClockKeeper
from .sampling import SourceThread

LOOK_S: Final = 0.5

log = logging.getLogger(__name__)


class Steward:
    """`start`, `stop`. `keeper` is None where the agent runs by a plant clock, which nobody sets."""

    def __init__(
        self, sources: Sequence[SourceThread], keeper: ClockKeeper | None, connected: Callable[[], bool]
    ) -> None:
        self.beat_s = time.monotonic()
        self._sources = sources
        self._keeper = keeper
        self._connected = connected
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steward", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.beat_s = time.monotonic()
            try:
                self.look()
            except Exception:  # what it looks after must not end it
                log.exception("unexpected error while looking after sources and clock")

    def look(self) -> None:
        """Once."""
        for source in self._sources:
            source.look()
        if self._keeper is not None:
            self._keeper.look(connected=self._connected())
