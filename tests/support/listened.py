"""A source that runs in a thread of its own, and what it yielded so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from palier.frames import QUALITY_GOOD, Frame, Readings
from palier.source import Source
from tests.support.waiting import eventually


@dataclass
class Listened:
    """`frames` are (monotonic seconds, frame) in order of arrival."""

    source: Source
    frames: list[tuple[float, Readings]] = field(default_factory=list)
    error: BaseException | None = None

    def good(self, channel: str, since_s: float = 0.0) -> list[float]:
        """Good values of a channel that came after a moment."""
        return [
            float(value)
            for at_s, frame in list(self.frames)
            if at_s > since_s and channel in frame.channels
            for place in [frame.channels.index(channel)]
            if frame.quality[place] == QUALITY_GOOD
            for value in frame.values[place]
            if np.isfinite(value)
        ]

    def qualities(self, channel: str, since_s: float = 0.0) -> list[int]:
        """Qualities of a channel, in order of arrival."""
        return [
            frame.quality[frame.channels.index(channel)]
            for at_s, frame in list(self.frames)
            if at_s > since_s and channel in frame.channels
        ]

    def wait_good(self, channel: str, seconds: float = 15.0, since_s: float | None = None) -> float:
        """Wait for a good value that comes from now on; how long it took."""
        began_s = time.monotonic() if since_s is None else since_s
        eventually(lambda: self.good(channel, began_s), seconds, f"a good value of {channel}")
        return time.monotonic() - began_s


@contextmanager
def listened(source: Source) -> Iterator[Listened]:
    """Run the source for the length of the block; what it raised is raised at the end."""
    heard, stop = Listened(source), threading.Event()

    def run() -> None:
        try:
            for frame in source.frames(stop):
                _take(heard, frame)
        except BaseException as error:  # noqa: BLE001 - raised where the test stands
            heard.error = error

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield heard
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "the source did not end after its stop"
    if heard.error is not None:
        raise heard.error


def _take(heard: Listened, frame: Frame) -> None:
    assert isinstance(frame, Readings)
    heard.frames.append((time.monotonic(), frame))
