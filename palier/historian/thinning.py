"""Keeping waveforms within their byte budget.

The oldest segments go first. Of what is in them, waveforms of an alarm and the first of each day and point
are kept: they are copied forward to the newest segment, newest first, as long as they fill no more than half
of what is thinned. So each round frees at least half of what it takes, and what is kept never holds more
than half of the budget: when even that is too much, the oldest of the kept go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from palier.frames import FrameId

from .records import Records
from .rows import WaveformRow
from .waveforms import WaveformError, WaveformRef, WaveformStore, parse

TARGET: Final = 0.9
"""Thinning goes down to this part of the budget, so that it runs seldom and not at each commit."""

DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Thinning:
    """Segments to drop, and the waveforms in them to copy forward first."""

    segments: tuple[int, ...] = ()
    keep: tuple[WaveformRow, ...] = ()


def segments_to_thin(sizes: Mapping[int, int], open_segment: int, budget_bytes: int) -> tuple[int, ...]:
    """The oldest closed segments that hold what is above the target; none while within the budget."""
    excess = sum(sizes.values()) - budget_bytes * TARGET
    if sum(sizes.values()) <= budget_bytes:
        return ()
    chosen: list[int] = []
    for segment in sorted(set(sizes) - {open_segment}):
        if excess <= 0:
            break
        chosen.append(segment)
        excess -= sizes[segment]
    return tuple(chosen)


def plan(segments: Sequence[int], sizes: Mapping[int, int], rows: Sequence[WaveformRow]) -> Thinning:
    """What to keep of `rows`, the index of all waveforms in `segments`."""
    room = sum(sizes[segment] for segment in segments) // 2
    worth = {row.frame for row in rows if row.alarm} | _first_of_days(rows)
    keep: list[WaveformRow] = []
    for row in sorted(rows, key=lambda row: row.start_ns, reverse=True):
        if row.frame in worth and row.ref.length <= room:
            keep.append(row)
            room -= row.ref.length
    return Thinning(tuple(segments), tuple(reversed(keep)))


def thin(store: WaveformStore, records: Records) -> int:
    """Bring the store within its budget; how many waveforms went. Raises Unavailable: call again later.

    Kept waveforms are copied and synced, then the index is changed in one transaction, then the segments are
    deleted: a crash in between leaves only what `WaveformStore.cut_tails` takes away.
    """
    gone = 0
    while segments := segments_to_thin(store.sizes, store.open_segment, store.budget_bytes):
        rows = records.waveforms_in(segments)
        thinning = plan(segments, store.sizes, rows)
        moved = _copy_forward(store, thinning.keep)
        store.sync()
        records.rethin(moved, thinning.segments)
        store.delete(thinning.segments)
        gone += len(rows) - len(moved)
    return gone


def _first_of_days(rows: Sequence[WaveformRow]) -> set[FrameId]:
    first: dict[tuple[str, str, str, int], FrameId] = {}
    for row in sorted(rows, key=lambda row: row.start_ns):
        first.setdefault((row.site, row.machine, row.point, row.start_ns // DAY_NS), row.frame)
    return set(first.values())


def _copy_forward(store: WaveformStore, rows: Sequence[WaveformRow]) -> dict[FrameId, WaveformRef]:
    moved: dict[FrameId, WaveformRef] = {}
    for row in rows:
        try:
            record = store.read_bytes(row.ref)
            parse(record, f"the waveform of {row.frame}")
        except WaveformError:  # damaged bytes are not worth a place
            continue
        moved[row.frame] = store.append_bytes(record)
    return moved
