"""Gateways that the records know and that a start does not hear. Pure.

A death is told by a will, which is not retained: a gateway that died while the ingest was down says nothing
at all. So each that reported lately is waited for, as long as a death waits before it is news: a minute in
which the link is up without a break."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from palier.historian.rows import LedgerReceipt

from .batch import Contact, Now
from .edges import ABSENT_S

LATELY_NS: Final = 30 * 86_400 * 10**9
"""A gateway that has not reported for a month was taken away, or its alarm has been there for as long."""


def reported_lately(receipts: Iterable[LedgerReceipt], wall_ns: int) -> frozenset[str]:
    """The gateways that are waited for at a start."""
    return frozenset(one.edge for one in receipts if one.received_ns >= wall_ns - LATELY_NS)


class Expected:
    """What is waited for."""

    def __init__(self, edges: Iterable[str]) -> None:
        self._edges = frozenset(edges)
        self._up_since_s: float | None = None

    def turn(self, now: Now, heard: Callable[[str], bool], *, up: bool) -> tuple[Contact, ...]:
        """Those that were not `heard` since the start, once the link was `up` for long enough. Each once."""
        if not self._edges:
            return ()
        self._edges = frozenset(edge for edge in self._edges if not heard(edge))
        if not up:
            self._up_since_s = None
            return ()
        if self._up_since_s is None:
            self._up_since_s = now.link_s
        if now.link_s - self._up_since_s < ABSENT_S:
            return ()
        gone, self._edges = self._edges, frozenset()
        return tuple(Contact(edge, False, now.plant_ns) for edge in sorted(gone))
