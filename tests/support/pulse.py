"""A good gateway that goes on at its rate, whatever others do; how long its frames take."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Final

from tests.support.gateway import Gateway, waveform

SECOND: Final = 10**9


class Pulse:
    """A good gateway that sends at its rate until it is told to stop; it knows when each frame was sent."""

    def __init__(self, gateway: Gateway, rate_hz: float) -> None:
        self.sent = 0
        self._gateway = gateway
        self._rate_hz = rate_hz
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat)
        self._start_ns = time.time_ns() - 10_000 * SECOND

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        began = time.monotonic()
        for n in itertools.count(1):
            if self._stop.wait(max(0.0, began + n / self._rate_hz - time.monotonic())):
                return
            self._gateway.send(n, waveform(self._start_ns + n * SECOND))
            self.sent = n


def latencies(gateway: Gateway, first: int, last: int) -> list[float]:
    """Seconds from the sending to the acknowledgement of these frames."""
    return [gateway.acked_s[seq] - gateway.sent_s[seq] for seq in range(first, last + 1)]
