"""An edge on a card that lies: the link's decisions and a real outbox file, which can be put back as it was.

What stands in a frame is its number, so that a frame under another's id is seen the moment it happens.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge_agent import events as ev
from edge_agent.machine import begin, step
from edge_agent.outbox import FILE_NAME, Outbox, open_outbox
from edge_agent.window import Phase
from palier import ranges
from palier.frames import Waveform
from palier.ranges import Ranges
from palier.wire.state import HostState
from tests.support.edge_agent import waveform

EPOCH = "ab" * 8


def put_back(folder: Path, image: Path) -> None:
    """The folder's outbox as it was in the image."""
    for old in folder.glob(f"{FILE_NAME}*"):
        old.unlink()
    for part in image.iterdir():
        shutil.copy(part, folder / part.name)


def take_image(folder: Path, image: Path) -> Path:
    """The outbox as it is now: between two commits file and WAL are whole."""
    image.mkdir()
    for part in (FILE_NAME, f"{FILE_NAME}-wal"):
        if (folder / part).exists():
            shutil.copy(folder / part, image / part)
    return image


class Host:
    """Stores by id; answers in the order in which messages came."""

    def __init__(self) -> None:
        self.stored: dict[int, int] = {}  # seq -> what is in the frame

    def born(self, in_flight: Ranges) -> ev.StoredReceived:
        """The answer to a birth."""
        have = ranges.intersect(ranges.of(self.stored), in_flight)
        return ev.StoredReceived(EPOCH, have, 100, 8_000_000, True, max(self.stored, default=0))

    def take(self, seq: int, number: int) -> ev.StoredReceived:
        """Commit a frame, and its acknowledgement."""
        assert self.stored.setdefault(seq, number) == number, f"seq {seq} is of two frames"
        return ev.StoredReceived(EPOCH, ((seq, seq),), 100, 8_000_000)


class ForgetfulEdge:
    """`acquire`, `connect`, `work`; `restart` with or without an older image of the card."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.host = host
        self.now = 0.0
        self.numbers = 0
        self.forgotten = 0
        self._folder = folder
        self._channel: deque[Callable[[], ev.StoredReceived]] = deque()
        self.start()

    def start(self) -> None:
        """A new process."""
        self.outbox: Outbox = open_outbox(self._folder, "usine/p1", draw_epoch=lambda: EPOCH, cap_bytes=10**9)
        self.link = begin(EPOCH, self.outbox.last_seq, self.outbox.pending(), self.outbox.sure)

    def kill(self, image: Path | None = None) -> None:
        """kill -9; with an image the power, too, and the card is as it was then."""
        self._channel.clear()
        self.outbox.close()
        if image is not None:
            put_back(self._folder, image)

    def acquire(self, count: int, lost: int = 0) -> None:
        """New frames, of which some never came to the disk."""
        frames = [waveform(self.numbers + number, n_samples=2) for number in range(count)]
        self.numbers += count
        kept = self.outbox.put(frames, lost=lost)
        if kept.seqs is not None:
            self.feed(ev.FramesAdded(EPOCH, *kept.seqs))

    def connect(self) -> None:
        """Connect, and hear that the host is there."""
        if self.link.phase is Phase.OFFLINE:
            self.feed(ev.Connected())
            self.feed(HostState(True, 1))

    def disconnect(self) -> None:
        """The connection ends; what is on its way arrives, its answers do not."""
        while self._channel:
            self._channel.popleft()()
        self.feed(ev.Disconnected())

    def work(self, messages: int, answered: bool = True) -> None:
        """Bring so many messages to the host, and its answers back."""
        for _ in range(messages):
            if not self._channel:
                return
            answer = self._channel.popleft()()
            if answered:
                self.feed(answer)

    def drain(self) -> None:
        """Until nothing waits."""
        self.connect()
        for _ in range(2000):
            self.work(100)
            if self.link.idle and not self._channel:
                return
            self.now += 1.0
            self.feed(ev.Tick())
        raise AssertionError(f"frames wait for ever: {self.link}")

    def feed(self, event: ev.Event) -> None:
        """Step and perform."""
        todo: deque[ev.Event] = deque([event])
        while todo:
            self.link, effects = step(self.link, todo.popleft(), self.now)
            for effect in effects:
                todo.extend(self._perform(effect))

    def _perform(self, effect: ev.Effect) -> list[ev.Event]:
        match effect:
            case ev.SendFrame(seq):
                number = self._number(seq)
                self._channel.append(lambda: self.host.take(seq, number))
                return [ev.Written(1)]
            case ev.SendBirth(in_flight):
                self._channel.append(lambda: self.host.born(in_flight))
            case ev.Release(stored):
                self._release(stored)
            case ev.Settle(highest, known):
                found = self.outbox.settle(highest, known, EPOCH)
                self.forgotten += ranges.count(found.lost)
                return [ev.Settled(EPOCH, found.lost, found.last_seq, found.pending)]
            case ev.Measure(seqs):
                rows = self.outbox.rows(seqs)
                return [
                    ev.Measured(seqs, tuple(ev.Candidate(row.seq, row.size, self.now + 30.0) for row in rows))
                ]
        return []

    def _release(self, stored: Ranges) -> None:
        """No row may go that the host has not under that very number."""
        waiting = ranges.intersect(stored, self.outbox.pending())
        for seq in (seq for lo, hi in waiting for seq in range(lo, hi + 1)):
            assert self.host.stored.get(seq) == self._number(seq), f"seq {seq} is acknowledged for another"
        self.outbox.acknowledge(stored, EPOCH)

    def _number(self, seq: int) -> int:
        found = self.outbox.load(seq)
        assert found is not None
        assert isinstance(found[1], Waveform)
        return int(found[1].samples[0, 0])
