"""What sources yielded and the disk does not have yet: a short queue, and a ring while the disk refuses.

As long as the disk takes commits a source waits for room, some milliseconds, and nothing is thrown away.
While it refuses, or a commit takes longer than `PATIENCE_S`, sampling goes on: frames stay here up to a
bound in frames and bytes, then the oldest waveforms go first, counted. Only a source that can wait
(`can_wait`) waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from palier.frames import Frame, Waveform
from palier.wire.messages import wire_bytes

QUEUE_FRAMES: Final = 16
QUEUE_BYTES: Final = 2_000_000
"""80 ordinary blocks, those that are being committed included. The source of a larger one waits until it is
on the disk: with that block in its own hands, one of 4 MB is in the agent and not three."""

RING_FRAMES: Final = 512
RING_BYTES: Final = 5_000_000
"""200 ordinary blocks of 25 kB, or one of the largest: an agent must stay within 60 MB of memory, needs 46
itself, and a source may hold one more."""

PATIENCE_S: Final = 5.0
LOOK_S: Final = 0.2  # between two looks whether the source was stopped


class Intake:
    """`put` from the sources' threads; `take`, `done` and `back` from the recorder's."""

    def __init__(self) -> None:
        self.lost = 0  # frames that the ring had no room for
        self.untold = 0  # those of them that the outbox has not counted yet
        self.refusing = False  # the disk does not take frames now
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._in_hand: tuple[int, ...] = ()  # by id: the frames are the recorder's to let go
        self._in_hand_bytes = 0
        self._changed = threading.Condition()

    def put(self, frame: Frame, stop: threading.Event, *, can_wait: bool = False) -> bool:
        """Queue a frame, waiting for room as said above. False when `stop` was set before there was any."""
        until = time.monotonic() + PATIENCE_S
        with self._changed:
            while self._waits(frame, until, can_wait=can_wait):
                if stop.is_set():
                    return False
                self._changed.wait(LOOK_S)
            self._frames.append(frame)
            self._bytes += wire_bytes(frame)
            self._shorten()
            self._changed.notify_all()
            while self._is_heavy(frame) and not (self.refusing or stop.is_set()) and _patient(until):
                self._changed.wait(LOOK_S)
        return True

    def take(self, timeout_s: float) -> tuple[list[Frame], int]:
        """What makes the next commit, and how many frames were lost before it; ([], 0) where nothing came.

        While the disk refuses it is one frame: the smallest commit has the best chance.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frames, timeout_s)
            batch: list[Frame] = []
            size = 0
            while self._frames and len(batch) < (1 if self.refusing else QUEUE_FRAMES):
                size += wire_bytes(self._frames[0])
                if batch and size > QUEUE_BYTES:
                    break
                batch.append(self._pop())
            self._in_hand = tuple(map(id, batch))
            self._in_hand_bytes = sum(map(wire_bytes, batch))
            self._changed.notify_all()
            return batch, self.untold if batch else 0

    def done(self, lost: int) -> None:
        """The disk has the frames in hand, and has counted so many as lost."""
        with self._changed:
            self._let_go()
            self.untold -= lost
            self.refusing = False
            self._changed.notify_all()

    def back(self, batch: Sequence[Frame]) -> None:
        """The disk refused them."""
        with self._changed:
            self._let_go()
            self.refusing = True
            self._frames.extendleft(reversed(batch))
            self._bytes += sum(map(wire_bytes, batch))
            self._shorten()
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Frames that are not on the disk."""
        with self._changed:
            return len(self._frames) + len(self._in_hand)

    def _let_go(self) -> None:
        self._in_hand, self._in_hand_bytes = (), 0

    def _is_heavy(self, frame: Frame) -> bool:
        """Whether it is one of those that fill the queue alone, and is still here."""
        here = id(frame) in self._in_hand or any(frame is other for other in self._frames)
        return here and wire_bytes(frame) > QUEUE_BYTES

    @property
    def _held(self) -> int:
        return self._bytes + self._in_hand_bytes

    def _waits(self, frame: Frame, until: float, *, can_wait: bool) -> bool:
        """Whether a source must wait before the frame is taken."""
        if self._in_hand and self._held + wire_bytes(frame) > RING_BYTES and _patient(until):
            return True  # what is being committed can't be given up for it
        if not (self._frames or self._in_hand):
            return False
        full = len(self._frames) >= QUEUE_FRAMES or self._held + wire_bytes(frame) > QUEUE_BYTES
        return full and (can_wait or (not self.refusing and _patient(until)))

    def _shorten(self) -> None:
        while len(self._frames) > 1 and (len(self._frames) > RING_FRAMES or self._bytes > RING_BYTES):
            oldest = next((i for i, frame in enumerate(self._frames) if isinstance(frame, Waveform)), 0)
            self._bytes -= wire_bytes(self._frames[oldest])
            del self._frames[oldest]
            self.lost += 1
            self.untold += 1

    def _pop(self) -> Frame:
        frame = self._frames.popleft()
        self._bytes -= wire_bytes(frame)
        return frame


def _patient(until: float) -> bool:
    return time.monotonic() <= until
