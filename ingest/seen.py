"""What the host has seen: ranges of seq for each (edge, epoch), and the content of the last frames in memory.

The records on disk are the authority; this is their image in memory, loaded at start and advanced only
after a commit. The content of the last frames is kept to notice one identity with two contents."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import numpy as np

from palier.frames import Frame, FrameId, Waveform
from palier.ranges import Ranges, intersect
from palier.wire.compression import unpacked
from palier.wire.payload import DecodeError, Payload

RECENT_OF_EDGE: Final = 5_000
"""Frames of an edge whose content is remembered: far more than the 100 that can be in flight."""

RECENT_IN_ALL: Final = 200_000
"""Of all edges together, some 50 MB: many of them share it. No fewer than what can be in flight, twice."""

LEAST_OF_EDGE: Final = 200
"""Twice what a gateway can have in flight."""

MAX_EDGES: Final = 2_000
"""Edges of which content is remembered; the one that sent longest ago gives way."""


class SeqSet:
    """A set of seqs as ranges; adding and looking up cost O(log n) in the number of ranges, usually one."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """`ranges` must be canonical, as `palier.ranges` gives them."""
        self._lo = []
        self._hi = []
        for lo, hi in ranges:
            self._lo.append(lo)
            self._hi.append(hi)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._lo, seq) - 1
        return at >= 0 and seq <= self._hi[at]

    @property
    def ranges(self) -> Ranges:
        """Canonical ranges of what is in the set."""
        return tuple(zip(self._lo, self._hi, strict=True))

    @property
    def highest(self) -> int:
        """The highest seq of the set, 0 of an empty one."""
        return self._hi[-1] if self._hi else 0

    def add(self, seq: int) -> None:
        """Put a seq in; one that is there already changes nothing."""
        if seq in self:
            return
        at = bisect_right(self._lo, seq)
        joins_left = at > 0 and self._hi[at - 1] == seq - 1
        joins_right = at < len(self._lo) and self._lo[at] == seq + 1
        if joins_left and joins_right:
            self._hi[at - 1] = self._hi[at]
            del self._lo[at], self._hi[at]
        elif joins_left:
            self._hi[at - 1] = seq
        elif joins_right:
            self._lo[at] = seq
        else:
            self._lo.insert(at, seq)
            self._hi.insert(at, seq)


class Seen:
    """Frames that have a verdict (stored or quarantined), and the fingerprints of the last of each edge."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, str], SeqSet] = {}
        self._recent: OrderedDict[str, OrderedDict[tuple[str, int], int]] = OrderedDict()

    def load(self, edge: str, epoch: str, ranges: Ranges) -> None:
        """Take over what the records hold of an epoch."""
        self._sets[edge, epoch] = SeqSet(ranges)

    def __contains__(self, frame: FrameId) -> bool:
        seqs = self._sets.get((frame.edge, frame.epoch))
        return seqs is not None and frame.seq in seqs

    def is_new_epoch(self, edge: str, epoch: str) -> bool:
        """Whether frames of this edge were seen, but none of this epoch: its outbox is not the one it was."""
        epochs = {known for name, known in self._sets if name == edge}
        return bool(epochs) and epoch not in epochs

    def highest(self, edge: str, epoch: str) -> int:
        """The highest seq of an epoch that was seen, 0 for none."""
        seqs = self._sets.get((edge, epoch))
        return seqs.highest if seqs is not None else 0

    def within(self, edge: str, epoch: str, ranges: Ranges) -> Ranges:
        """Which seqs of these ranges were seen."""
        seqs = self._sets.get((edge, epoch))
        return () if seqs is None else intersect(seqs.ranges, ranges)

    def add(self, frame: FrameId, fingerprint: int | None = None) -> None:
        """A frame got its verdict."""
        self._sets.setdefault((frame.edge, frame.epoch), SeqSet()).add(frame.seq)
        if fingerprint is None:
            return
        recent = self._recent.setdefault(frame.edge, OrderedDict())
        self._recent.move_to_end(frame.edge)
        if len(self._recent) > MAX_EDGES:
            self._recent.popitem(last=False)
        recent[frame.epoch, frame.seq] = fingerprint
        most = max(LEAST_OF_EDGE, min(RECENT_OF_EDGE, RECENT_IN_ALL // len(self._recent)))
        for _ in range(min(2, len(recent) - most)):  # with more edges than before, little by little
            recent.popitem(last=False)

    def contradicts(self, frame: FrameId, fingerprint: int) -> bool:
        """Whether a frame of that identity, but of another content, is remembered."""
        recent = self._recent.get(frame.edge)
        known = None if recent is None else recent.get((frame.epoch, frame.seq))
        return known is not None and known != fingerprint


def fingerprint_of(frame: Frame) -> int:
    """The same of a frame that was read: its table holds the arrays of its channels, one behind the other."""
    table = frame.samples if isinstance(frame, Waveform) else frame.values
    return zlib.crc32(np.ascontiguousarray(table).data)


def fingerprint(payload: Payload) -> int:
    """CRC-32 of the samples alone: times, speed and the Sparkplug seq may rightly differ when a frame is
    sent again.
    """
    channels = [metric for metric in payload.metrics if not metric.name.startswith("Palier/")]
    with suppress(DecodeError):  # what can't be unpacked is not what was stored
        channels = unpacked(channels)
    crc = 0
    for metric in channels:
        if isinstance(metric.value, np.ndarray):
            crc = zlib.crc32(metric.value.data, crc)
    return crc
