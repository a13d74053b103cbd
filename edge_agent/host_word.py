"""What the host says of machines: danger limits, and which of them are in alarm. For sources that heed it.

It is kept in the outbox's file: after a restart without a host the gateway goes on watching by what it was
told last. Each word replaces the one before.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from palier.source import Standing
from palier.wire.messages import DangerLimit
from palier.wire.said import said

from .outbox import OutboxFullError

KEY: Final = "host_word"

log = logging.getLogger(__name__)


class Notes(Protocol):
    """Where a few words are kept: the outbox."""

    def note(self, key: str, value: str) -> None:
        """Keep it. OutboxFullError where the disk does not take it."""
        ...

    def noted(self, key: str) -> str | None:
        """What was kept, None where nothing was."""
        ...


@dataclass(frozen=True, slots=True)
class _Word:
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # machine: {POINT/CHANNEL: mm/s}
    attention: frozenset[str] = frozenset()

    def to_json(self) -> str:
        return json.dumps({"limits": self.limits, "attention": sorted(self.attention)}, sort_keys=True)


class HostWord:
    """The last word of the host. `take` from the link's thread, `standing` from any."""

    def __init__(
        self, notes: Notes, speed_rpm: Callable[[str], float | None] = lambda _machine: None
    ) -> None:
        """`speed_rpm` gives what other sources of the gateway know of a machine's speed now."""
        self._notes = notes
        self._speed_rpm = speed_rpm
        self._heeded: set[str] = set()
        self._lock = threading.Lock()
        self._word = _read(notes.noted(KEY))

    def take(self, limits: tuple[DangerLimit, ...], attention: tuple[str, ...]) -> None:
        """The host said this."""
        by_machine: dict[str, dict[str, float]] = {}
        for limit in limits:
            by_machine.setdefault(limit.machine, {})[limit.channel] = limit.value
        word = _Word(by_machine, frozenset(attention))
        if word == self._word:
            return
        log.info("the host says: %d danger limits, in alarm: %s", len(limits), ", ".join(attention) or "none")
        self._word = word
        try:
            self._notes.note(KEY, word.to_json())
        except OutboxFullError as error:
            log.error("what the host said is forgotten at a restart: %s", error)

    def standing(self, machine: str) -> Standing:
        """What is known of a machine now."""
        if machine not in self._heeded:
            with self._lock:
                self._heeded.add(machine)
        word = self._word
        return Standing(word.limits.get(machine, {}), machine in word.attention, self._speed_rpm(machine))

    def in_alarm(self, machine: str) -> bool:
        """Whether the host has an alert or danger standing on it."""
        return machine in self._word.attention

    def notes(self) -> tuple[str, ...]:
        """Limits that no source here watches, a sentence."""
        with self._lock:
            unheeded = sorted(set(self._word.limits) - self._heeded)
        if not unheeded:
            return ()
        return (said("limits_unheeded", machines=", ".join(unheeded)),)


def _read(text: str | None) -> _Word:
    """What was kept. What can't be read is as if nothing had been said: the host says it again."""
    try:
        told = json.loads(text or "{}")
        limits = {
            str(machine): {str(name): float(value) for name, value in some.items()}
            for machine, some in told.get("limits", {}).items()
        }
        return _Word(limits, frozenset(map(str, told.get("attention", ()))))
    except (AttributeError, TypeError, ValueError):
        return _Word()
