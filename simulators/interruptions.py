"""Being asked to stop: Ctrl-C, SIGTERM, or a terminal that was closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """Somebody asked to stop: Ctrl-C, SIGTERM, or the terminal was closed. Not an error."""


@contextmanager
def interruptions() -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP in it raises Interrupted; later ones don't disturb the stopping."""
    asked = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise Interrupted

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
