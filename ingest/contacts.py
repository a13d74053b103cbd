"""What became of gateways that no alarm knows of yet: bounded, whatever the records do. For any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from .batch import Contact
from .edges import MAX_EDGES

WORDS: Final = 2
"""Kept of each gateway: that it was away, and how it is now. What lies before adds nothing to its alarm."""


class Contacts:
    """The last words on each gateway, until they are durable. `merged` counts those that gave way."""

    def __init__(self) -> None:
        self.merged = 0
        self._lock = threading.Lock()
        self._of: OrderedDict[str, tuple[Contact, ...]] = OrderedDict()

    def add(self, contact: Contact) -> None:
        """A gateway came, or is gone. The oldest word gives way to a third one of its gateway, and the
        gateway heard of longest ago to one beyond the table of edge nodes.
        """
        with self._lock:
            said = (*self._of.pop(contact.edge, ()), contact)
            self._of[contact.edge] = said[-WORDS:]
            self.merged += max(0, len(said) - WORDS)
            if len(self._of) > MAX_EDGES:
                self.merged += len(self._of.popitem(last=False)[1])

    def waiting(self) -> tuple[Contact, ...]:
        """All of them."""
        with self._lock:
            return tuple(contact for said in self._of.values() for contact in said)

    def told(self, contacts: Iterable[Contact]) -> None:
        """The alarms know of these now."""
        with self._lock:
            for contact in contacts:
                left = tuple(c for c in self._of.pop(contact.edge, ()) if c is not contact)
                if left:
                    self._of[contact.edge] = left
