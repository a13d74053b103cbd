"""Which spectra are kept for display: the first of a point, on a change of its state, and at an interval; of
blocks that came late one a day, in whatever order they come.

A point's spectra are some hundred rows for each of its channels. So the records remember when they were
written last, beside the state of the point: after a restart only those are written that are due.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from palier.frames import Features
from palier.historian.rows import StateRow

from .board import Advance, Key
from .scoring import Scored

SPECTRA: Final = "#spectra"  # behind MACHINE/POINT, as `board.VIBRATION`; no name may hold a #


PAST_EVERY_NS: Final = 86_400 * 10**9
"""What came late shows how a machine got where it is; what it was like in between its features tell."""


TOLD_EVERY_NS: Final = 60 * 10**9
"""Of spectra that come with features alone none more often: a gateway that sends one with each would fill
the store."""


class SpectraKept:
    """Remembers when the spectra of each point were last written, in the time of their blocks."""

    def __init__(self, interval_s: float, written: Mapping[Key, int] | None = None) -> None:
        """`interval_s` is in plant time; `written` is what the records remember, as `read_spectra` gives."""
        self._interval_ns = round(interval_s * 1e9)
        self._last: dict[Key, int] = dict(written or {})
        self._past: dict[Key, int] = {}  # of the last block that came late

    def due(self, scored: Sequence[Scored], advanced: Advance) -> list[Scored]:
        """The last block of each point whose turn it is."""
        changed = {(t.site, _name(t.machine, t.point)) for t in advanced.transitions if t.point}
        due: dict[Key, Scored] = {}
        for entry in scored:
            key = _key(entry)
            if isinstance(entry.block, Features) and not entry.block.spectra:
                continue
            if key in changed or self._is_due(key, entry):
                due[key] = entry
        return list(due.values())

    def _is_due(self, key: Key, entry: Scored) -> bool:
        """A live block is due too where the last one lies far ahead: that was of a wrong clock. A gateway
        that keeps the samples decides itself when a spectrum is worth sending.
        """
        last = self._last.get(key)
        if isinstance(entry.block, Features):
            known = (last, self._past.get(key))
            return all(one is None or abs(entry.block.start_ns - one) >= TOLD_EVERY_NS for one in known)
        if not entry.work.live:
            last = self._past.get(key, last)
        if last is None:
            return True
        since_ns = entry.block.start_ns - last
        if not entry.work.live:
            return abs(since_ns) >= max(self._interval_ns, PAST_EVERY_NS)
        return since_ns >= self._interval_ns or -since_ns >= self._interval_ns

    @staticmethod
    def state_rows(entries: Iterable[Scored]) -> tuple[StateRow, ...]:
        """What the records remember of these. Of a block that is not live nothing: its time may be any."""
        return tuple(
            StateRow(entry.work.site, _key(entry)[1] + SPECTRA, json.dumps({"ts_ns": entry.block.start_ns}))
            for entry in entries
            if entry.work.live
        )

    def written(self, entries: Iterable[Scored]) -> None:
        """These are durable now."""
        for entry in entries:
            kept = self._last if entry.work.live else self._past
            kept[_key(entry)] = entry.block.start_ns


def read_spectra(states: Mapping[Key, str]) -> dict[Key, int]:
    """When spectra were written last, of the states in the records: (site, "MACHINE/POINT") and ns.

    What can't be read is not remembered: it costs these spectra once more.
    """
    found: dict[Key, int] = {}
    for (site, key), text in states.items():
        if not key.endswith(SPECTRA):
            continue
        try:
            found[site, key.removesuffix(SPECTRA)] = int(json.loads(text)["ts_ns"])
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _key(entry: Scored) -> Key:
    return (entry.work.site, _name(entry.block.machine, entry.block.point))


def _name(machine: str, point: str) -> str:
    return f"{machine}/{point}"
