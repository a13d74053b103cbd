"""The bounded queue between the link's thread and the one that decides: the only thing a callback of the
client touches. What becomes of batches comes through it too, ahead of all that arrived.

Rules:
1. Putting never blocks. A host that stops reading moves the loss into the broker and is declared dead.
2. When it is full the newest frame is discarded and its Sparkplug seq kept in its place, so that the
   session's sequence stays whole; the frame itself is still in the outbox of its gateway. Who holds more than
   the one that arrives, of frames or of bytes, makes room for it: however many nodes send too much, the
   others are heard.
3. Births and deaths have room of their own: they are few, and without them no frame can be placed.
4. Order of arrival is kept: the gateways' resend rule needs a path that is first in, first out."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from palier.wire.payload import peek_seq

from .batch import Outcome, Wanted

MAX_FRAMES: Final = 500
"""Data messages held. Credits are computed so that gateways that follow them never fill it."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes held: 16 frames of the largest size, 2,500 of 25 kB. Bounds the memory of the process."""

MAX_FRAMES_OF_EDGE: Final = 250
"""One edge node may hold half of the queue. A node that follows its credit has at most 100 frames in
flight."""

MAX_CONTROL_BYTES: Final = 16 * 1024 * 1024
"""Bytes of births and deaths held beside: a thousand gateways with a hundred channels each."""

MAX_CONTROL: Final = 2_000
"""Births, deaths and notes of discarded frames held: a birth storm of 1,000 gateways fits."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of an edge node, as it came; `at_s` is monotonic."""

    topic: str
    payload: bytes
    at_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A data message discarded because the queue was full; `sparkplug_seq` is None where it carried none."""

    topic: str
    sparkplug_seq: int | None
    at_s: float


Item = Arrived | Refused


class Inbox:
    """See the rules of this module. Safe for one or more writers and one reader."""

    def __init__(
        self,
        *,
        max_frames: int = MAX_FRAMES,
        max_bytes: int = MAX_BYTES,
        max_frames_of_edge: int = MAX_FRAMES_OF_EDGE,
        max_control: int = MAX_CONTROL,
        max_control_bytes: int = MAX_CONTROL_BYTES,
    ) -> None:
        self._items: deque[tuple[Item, str | None]] = deque()  # each with the edge that it is counted under
        self._told: deque[Outcome | Wanted] = deque()
        self._ready = threading.Condition()
        self._limits = (max_frames, max_bytes, max_frames_of_edge, max_control)
        self._frames = 0
        self._bytes = 0
        self._control_bytes = 0
        self._max_control_bytes = max_control_bytes
        self._of_edge: dict[str, tuple[int, int]] = {}  # frames and bytes
        self.refused = 0

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, topic: str, payload: bytes, at_s: float) -> None:
        """Take a message, or its Sparkplug seq where there is no room for it."""
        edge = _edge_of_data(topic)
        with self._ready:
            if edge is not None:
                self._offer_data(edge, topic, payload, at_s)
            elif self._room_for_control(len(payload)):
                self._control_bytes += len(payload)
                self._items.append((Arrived(topic, payload, at_s), None))
            else:
                self.refused += 1
            self._ready.notify()

    def tell(self, outcome: Outcome | Wanted) -> None:
        """What became of a batch, or what a person wants: there is always room for it."""
        with self._ready:
            self._told.append(outcome)
            self._ready.notify()

    def take(self, timeout_s: float, *, arrivals: bool = True) -> Item | Outcome | Wanted | None:
        """The oldest outcome, else the oldest item; None when nothing comes within `timeout_s`.

        Without `arrivals` items stay where they are: who has no room for them leaves them under the bounds
        of this queue.
        """
        with self._ready:
            self._ready.wait_for(lambda: self._told or (arrivals and self._items), timeout_s)
            if self._told:
                return self._told.popleft()
            if not (arrivals and self._items):
                return None
            item, edge = self._items.popleft()
            if isinstance(item, Arrived):
                self._release(item, edge)
            return item

    def _offer_data(self, edge: str, topic: str, payload: bytes, at_s: float) -> None:
        max_frames, max_bytes, max_of_edge, max_control = self._limits
        held, held_bytes = self._of_edge.get(edge, (0, 0))
        mine = held + 1, held_bytes + len(payload)
        if self._frames >= max_frames or self._bytes + len(payload) > max_bytes:
            self._make_room(self._share(mine), max_bytes - len(payload), max_frames - 1)
        if self._frames < max_frames and self._bytes + len(payload) <= max_bytes and held < max_of_edge:
            self._frames += 1
            self._bytes += len(payload)
            self._of_edge[edge] = mine
            self._items.append((Arrived(topic, payload, at_s), edge))
            return
        self.refused += 1
        if len(self._items) - self._frames < max_control:
            self._items.append((Refused(topic, peek_seq(payload), at_s), None))

    def _share(self, held: tuple[int, int]) -> float:
        """How much of the queue these frames and bytes are, by what is shorter of both."""
        return max(held[0] / max(1, self._limits[0]), held[1] / max(1, self._limits[1]))

    def _make_room(self, share: float, most_bytes: int, most_frames: int) -> None:
        """Discard the newest frames of whoever holds more than this share, as long as there is one."""
        while self._frames > most_frames or self._bytes > most_bytes:
            greedy = max(self._of_edge, key=lambda edge: self._share(self._of_edge[edge]), default="")
            if self._share(self._of_edge.get(greedy, (0, 0))) <= share:
                return
            self._discard_newest(greedy)

    def _discard_newest(self, edge: str) -> None:
        for at in range(len(self._items) - 1, -1, -1):
            item, whose = self._items[at]
            if whose == edge and isinstance(item, Arrived):
                self._release(item, edge)
                self.refused += 1
                if len(self._items) - self._frames <= self._limits[3]:
                    self._items[at] = (Refused(item.topic, peek_seq(item.payload), item.at_s), None)
                else:
                    del self._items[at]
                return

    def _room_for_control(self, n_bytes: int) -> bool:
        fits = self._control_bytes + n_bytes <= self._max_control_bytes
        return fits and len(self._items) - self._frames < self._limits[3]

    def _release(self, item: Arrived, edge: str | None) -> None:
        if edge is None:
            self._control_bytes -= len(item.payload)
            return
        self._bytes -= len(item.payload)
        self._frames -= 1
        frames, n_bytes = self._of_edge[edge]
        if frames > 1:
            self._of_edge[edge] = frames - 1, n_bytes - len(item.payload)
        else:
            del self._of_edge[edge]


def _edge_of_data(topic: str) -> str | None:
    """What a data message is counted under: group and node of spBv1.0/GROUP/KIND/NODE/...; else None."""
    parts = topic.split("/", 4)
    if parts[2:3] not in (["DDATA"], ["NDATA"]):
        return None
    return f"{parts[1]}/{parts[3]}" if len(parts) > 3 else topic
