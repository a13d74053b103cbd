"""What is said of gateways beside their contact and their ledger, until the alarms know it. For any thread.

The same word again costs nothing: it is compared with the last, and forgotten. Of numbers that change while
the condition stays the newest wait, and are told once a minute."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from palier.alarm_modes import GATEWAY_KINDS, Mode
from palier.alarms import AlarmKey, Cause, Level

from .alarm_life import Evidence
from .edges import MAX_EDGES

MOST_WORDS: Final = MAX_EDGES * len(GATEWAY_KINDS)

NUMBERS_S: Final = 60.0
"""Numbers of a condition that stands are told so often: each time is a transaction of the records."""

WAIT: Final = 2
"""Words of one kind and gateway that wait: that the condition was there, and how it is now."""

Key = tuple[str, Mode]
"""Edge node ("site/node") and kind."""


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said of a gateway: whether it is so, since when (plant time, ns), and its numbers."""

    edge: str
    kind: Mode
    numbers: tuple[tuple[str, float | None], ...]
    active: bool
    ts_ns: int

    @property
    def evidence(self) -> Evidence:
        """The word as its alarm hears it: a cause for each number, else one that names the kind alone."""
        site, _, node = self.edge.partition("/")
        level = Level.ALERT if self.active else None
        told = [(f"{self.kind}_{name}", number) for name, number in self.numbers] or [(str(self.kind), None)]
        causes = tuple(Cause(name, number, level=level) for name, number in told) if self.active else ()
        action = f"action.{self.kind}" if self.active else ""
        return Evidence(AlarmKey(site, node, "", self.kind), self.ts_ns, level, causes=causes, action=action)


class GatewayWords:
    """The last words on each gateway that are not durable yet. `merged` counts those that gave way."""

    def __init__(self) -> None:
        self.merged = 0
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Key, tuple[Word, ...]] = OrderedDict()
        self._told: OrderedDict[Key, tuple[Word, float]] = OrderedDict()  # the last, and when it was told

    def say(
        self, edge: str, kind: str, detail: Mapping[str, float | None], *, active: bool, ts_ns: int
    ) -> None:
        """Something is the matter, or is over. ValueError for a kind that is none."""
        if kind not in GATEWAY_KINDS:
            known = ", ".join(sorted(GATEWAY_KINDS))
            raise ValueError(f"what is said of a gateway must be one of {known}; got {kind!r}")
        word = Word(edge, Mode(kind), tuple(sorted(detail.items())), active, ts_ns)
        with self._lock:
            self._take(word)

    def _take(self, word: Word) -> None:
        key = (word.edge, word.kind)
        waiting = self._waiting.get(key, ())
        last = waiting[-1] if waiting else self._told[key][0] if key in self._told else None
        if last is not None and (last.active, last.numbers) == (word.active, word.numbers):
            return
        if waiting and last is not None and last.active is word.active:
            waiting = waiting[:-1]  # its numbers are newer; a message says them as they were first
            word = Word(word.edge, word.kind, word.numbers, word.active, last.ts_ns)
            self.merged += 1
        self._waiting[key] = (*waiting, word)[-WAIT:]
        self._waiting.move_to_end(key)
        if len(self._waiting) > MOST_WORDS:
            self.merged += len(self._waiting.popitem(last=False)[1])

    def waiting(self, now_s: float) -> tuple[Word, ...]:
        """Those that are due: what is new, or over, at once; new numbers alone once a minute."""
        with self._lock:
            return tuple(
                word
                for key, words in self._waiting.items()
                if not self._is_numbers_alone(key, words, now_s)
                for word in words
            )

    def _is_numbers_alone(self, key: Key, words: tuple[Word, ...], now_s: float) -> bool:
        if len(words) > 1 or key not in self._told:
            return False
        last, at_s = self._told[key]
        return last.active is words[0].active and now_s - at_s < NUMBERS_S

    def told(self, words: Iterable[Word], now_s: float) -> None:
        """The alarms know of these now."""
        with self._lock:
            for word in words:
                key = (word.edge, word.kind)
                self._told[key] = (word, now_s)
                self._told.move_to_end(key)
                left = tuple(other for other in self._waiting.pop(key, ()) if other is not word)
                if left:
                    self._waiting[key] = left
            while len(self._told) > MOST_WORDS:
                self._told.popitem(last=False)
