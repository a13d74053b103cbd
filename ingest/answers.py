"""What gateways are told of their frames: acknowledgements, the answers to births, credit. Pure.

Ranges are cut and spread over several messages, so that whatever a birth asks for, and however much was
seen, each is one that a gateway believes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from palier import ranges
from palier.frames import FrameId
from palier.ranges import Ranges
from palier.wire.messages import MAX_RANGE_LENGTH, Stored

from .batch import Acknowledge, Effect
from .credit import Credit
from .seen import Seen

ACK_RANGES: Final = 500
"""Ranges in one acknowledgement: some 8 kB. More than that is told in several messages."""


class Sync(NamedTuple):
    """The answer that a birth waits for, until so many frames and batches have been settled."""

    edge: str
    epoch: str
    in_flight: Ranges
    frames: int
    batches: int


class Answers:
    """What is to be told once it can be."""

    def __init__(self, seen: Seen, waiting: set[FrameId]) -> None:
        """`waiting` are the frames without a verdict, as they are at any time."""
        self._seen = seen
        self._waiting = waiting
        self._acks: dict[tuple[str, str], list[int]] = {}
        self._syncs: list[Sync] = []

    @property
    def in_a_hurry(self) -> bool:
        """Whether a birth waits for its answer."""
        return bool(self._syncs)

    def acknowledge(self, frame_id: FrameId) -> None:
        """This frame has a verdict."""
        self._acks.setdefault((frame_id.edge, frame_id.epoch), []).append(frame_id.seq)

    def born(self, sync: Sync) -> None:
        """A gateway was born, and waits to hear what arrived of its frames."""
        self._syncs.append(sync)

    def due(self, credit: Credit, is_settled: Callable[[Sync], bool]) -> list[Effect]:
        """Every gateway what of its frames has a verdict by now, then the births that can be answered."""
        effects: list[Effect] = []
        for (edge, epoch), seqs in self._acks.items():
            effects += [told(edge, epoch, part, credit) for part in _parts(ranges.of(seqs))]
        self._acks = {}
        due = [sync for sync in self._syncs if is_settled(sync)]
        self._syncs = [sync for sync in self._syncs if sync not in due] if due else self._syncs
        for sync in due:
            effects += self._synced(sync, credit)
        return effects

    def _synced(self, sync: Sync, credit: Credit) -> Iterable[Effect]:
        """The answer to a birth: what does not fit into it goes before it, as an acknowledgement."""
        edge, epoch = sync.edge, sync.epoch
        *before, last = _parts(self._seen.within(edge, epoch, sync.in_flight)) or [()]
        yield from (told(edge, epoch, part, credit) for part in before)
        highest = self._highest(edge, epoch)
        yield Acknowledge(
            edge, Stored(epoch, last, credit.frames, credit.n_bytes, sync=True, highest=highest)
        )

    def _highest(self, edge: str, epoch: str) -> int:
        """The highest seq of an outbox that reached us, with a verdict or without one yet; 0 where none did.

        An outbox whose disk forgot what it had confirmed must not give a number twice.
        """
        waiting = (one.seq for one in self._waiting if (one.edge, one.epoch) == (edge, epoch))
        return max(self._seen.highest(edge, epoch), max(waiting, default=0))


def told(edge: str, epoch: str, part: Ranges, credit: Credit) -> Acknowledge:
    """One acknowledgement."""
    return Acknowledge(edge, Stored(epoch, part, credit.frames, credit.n_bytes))


def _parts(found: Ranges) -> list[Ranges]:
    """The ranges, each short enough to be believed, in as many lists as messages are needed."""
    cut = [
        (start, min(start + MAX_RANGE_LENGTH - 1, hi))
        for lo, hi in found
        for start in range(lo, hi + 1, MAX_RANGE_LENGTH)
    ]
    return [tuple(cut[start : start + ACK_RANGES]) for start in range(0, len(cut), ACK_RANGES)]
