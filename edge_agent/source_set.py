"""The sources at work, changed while the agent runs: those that stay as they are sample on.

A source is the same where its table is. Of the others those of one type are taken for one another's
successors, in their order: what worked before must work after.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from palier.clock import PlantClock
from palier.source import Device, Source
from palier.wire.said import said

from .addresses import addresses_of, shared
from .opening import SourceError, open_or_later, open_source
from .sampling import SourceThread
from .settings import SourceSettings

STOP_S: Final = 5.0
"""A driver that does not return by then is left to itself, as one that hangs is."""

Opened = tuple[SourceSettings, Source | None, Callable[[], Source]]
MakeThread = Callable[[SourceSettings, Source | None, Callable[[], Source]], SourceThread]

log = logging.getLogger(__name__)


class ChangeError(Exception):
    """The sources can't be changed so, and are as they were; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """`stay` are (place before, place now) of sources that are the same; `follow` of those that follow one
    another; `begin` and `end` are places of the rest.
    """

    stay: tuple[tuple[int, int], ...]
    follow: tuple[tuple[int, int], ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def before(self) -> Mapping[int, int]:
        """By the place now, the place of the one before."""
        return {now: old for old, now in (*self.stay, *self.follow)}


def pair(before: Sequence[SourceSettings], now: Sequence[SourceSettings]) -> Pairs:
    """Which source is which."""
    old, new = list(range(len(before))), list(range(len(now)))
    stay = _match(old, new, lambda a, b: _table(before[a]) == _table(now[b]))
    follow = _match(old, new, lambda a, b: before[a].type == now[b].type)
    return Pairs(stay, follow, tuple(new), tuple(old))


def _match(old: list[int], new: list[int], alike: Callable[[int, int], bool]) -> tuple[tuple[int, int], ...]:
    """Pairs in their order; what is paired leaves the lists."""
    found = []
    for b in list(new):
        a = next((a for a in old if alike(a, b)), None)
        if a is not None:
            old.remove(a)
            new.remove(b)
            found.append((a, b))
    return tuple(found)


def _table(settings: SourceSettings) -> tuple[object, ...]:
    return settings.type, settings.options, settings.timeout_s, settings.mode


@dataclass(slots=True)
class _Entry:
    settings: SourceSettings
    thread: SourceThread
    devices: tuple[Device, ...]
    addresses: tuple[str, ...] = ()
    frames_before: int = 0  # that it had given when the sources were changed

    def hear(self) -> None:
        """What a source that opened late has to tell of itself."""
        source = self.thread.source
        if source is not None and not self.devices:
            with suppress(Exception):  # a driver's mistake is seen where it is played
                self.devices, self.addresses = source.devices(), addresses_of(source)


class SourceSet:
    """`threads` is one list for all time: its content changes."""

    def __init__(self, clock: PlantClock, make: MakeThread, opened: Iterable[Opened]) -> None:
        """`make` gives the thread of a source, not yet started."""
        self._clock = clock
        self._make = make
        self._entries = [self._entry(*one) for one in opened]
        self.threads = [entry.thread for entry in self._entries]

    @property
    def devices(self) -> tuple[Device, ...]:
        """What the sources announce."""
        for entry in self._entries:
            entry.hear()
        return tuple(device for entry in self._entries for device in entry.devices)

    @property
    def settings(self) -> tuple[SourceSettings, ...]:
        """The tables of the sources at work."""
        return tuple(entry.settings for entry in self._entries)

    @property
    def gave(self) -> frozenset[str]:
        """Those that have given a frame since the last change, by name."""
        return frozenset(e.settings.name for e in self._entries if e.thread.frames > e.frames_before)

    @property
    def failing(self) -> Mapping[str, str]:
        """What is wrong with which now."""
        return {
            e.settings.name: e.thread.problem
            for e in self._entries
            if e.thread.problem and not e.thread.ended
        }

    @property
    def works(self) -> bool:
        """Whether one of them, at least, samples without a fault as far as one can tell."""
        return any(not e.thread.problem and not e.thread.ended for e in self._entries)

    def awaited(
        self, now: Sequence[SourceSettings], within_s: float
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of the sources to come, by name: those that have to give a frame, and those that have to work,
        because the one before gave frames and had no fault. One that paused for longer than `within_s` need
        give none.
        """
        places = pair(self.settings, now).before
        worked = {
            place: self._entries[old].thread
            for place, old in places.items()
            if self._entries[old].thread.frames and not self._entries[old].thread.problem
        }
        give = [now[p].name for p, thread in worked.items() if not thread.ended and thread.pace_s < within_s]
        return tuple(sorted(give)), tuple(sorted(now[p].name for p in worked))

    def change(self, now: Sequence[SourceSettings], *, whatever: bool = False) -> None:
        """Reopen what changed, and nothing else. Raises ChangeError, and all is as it was; with `whatever`
        what can't be opened is tried again as it is after a failure.
        """
        before, pairs = self._entries, pair(self.settings, now)
        for entry in before:
            entry.hear()
        staying = {new: before[old] for old, new in pairs.stay}
        leaving = [entry for entry in before if entry not in staying.values()]
        self._stop(leaving)
        opened: dict[int, Source | None] = {}
        begun: dict[int, _Entry] = {}
        try:
            for place, settings in enumerate(now):
                if place not in staying:
                    opened[place] = self._open(settings, whatever=whatever)
            clash = shared(
                (settings.name, staying[place].addresses if place in staying else addresses_of(opened[place]))
                for place, settings in enumerate(now)
            )
            if clash and not whatever:
                raise ChangeError("\n".join(clash))
            if not whatever and not self._any_works(staying.values(), opened.values()):
                raise ChangeError(said("none_opens"))
            for place, source in opened.items():
                begun[place] = self._begun(now[place], source, whatever=whatever)
        except Exception as error:  # whatever a driver raises: what was stopped must not stay so
            self._stop(begun.values())
            _close(opened.values())
            self._back(leaving)
            if isinstance(error, ChangeError):
                raise
            kind = type(error).__name__
            raise ChangeError(said("not_changed", kind=kind, why=str(error))) from error
        self._entries = [
            self._stays(staying[place], settings) if place in staying else begun[place]
            for place, settings in enumerate(now)
        ]
        self.threads[:] = [entry.thread for entry in self._entries]

    def _open(self, settings: SourceSettings, *, whatever: bool) -> Source | None:
        try:
            return open_or_later(settings, self._clock)
        except SourceError as error:
            if whatever:
                log.error("%s", error)
                return None
            raise ChangeError(str(error)) from error
        except Exception as error:
            if whatever:
                log.exception("source %s can't be opened", settings.name)
                return None
            kind = type(error).__name__
            raise ChangeError(
                said("source_fails", source=settings.name, kind=kind, why=str(error))
            ) from error

    @staticmethod
    def _any_works(staying: Iterable[_Entry], opened: Iterable[Source | None]) -> bool:
        stay = any(not entry.thread.problem and not entry.thread.ended for entry in staying)
        return stay or any(source is not None for source in opened)

    def _back(self, entries: Sequence[_Entry]) -> None:
        """Those that were stopped begin again, in their places."""
        for entry in entries:
            fresh = self._entry(entry.settings, None, partial(open_source, entry.settings, self._clock))
            entry.thread, entry.frames_before = fresh.thread, 0
        self.threads[:] = [entry.thread for entry in self._entries]
        for entry in entries:
            entry.thread.start()

    def _stays(self, entry: _Entry, settings: SourceSettings) -> _Entry:
        entry.settings = settings  # its name may be another: i2c-2 where an i2c was taken away
        entry.thread.name = settings.name
        entry.frames_before = entry.thread.frames
        return entry

    def _begun(self, settings: SourceSettings, source: Source | None, *, whatever: bool) -> _Entry:
        """Made and at work. Raises what a driver raises; with `whatever` that is only logged."""
        again = partial(open_source, settings, self._clock)
        try:
            entry = self._entry(settings, source, again)
            entry.thread.start()
        except Exception:
            if not whatever:
                raise
            log.exception("source %s can't be begun", settings.name)
            entry = self._entry(settings, None, again)
            entry.thread.start()
        return entry

    def _entry(self, settings: SourceSettings, source: Source | None, again: Callable[[], Source]) -> _Entry:
        devices = () if source is None else source.devices()
        return _Entry(settings, self._make(settings, source, again), devices, addresses_of(source))

    @staticmethod
    def _stop(entries: Iterable[_Entry]) -> None:
        entries = tuple(entries)
        for entry in entries:
            entry.thread.stop()
        for entry in entries:
            entry.thread.join(STOP_S)


def _close(sources: Iterable[Source | None]) -> None:
    """Let go of what was opened for nothing."""
    for source in sources:
        close = getattr(source, "close", None)
        if callable(close):
            with suppress(Exception):
                close()
