"""The ledger at the host: each minute, and at each report of a gateway, whether its frames add up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Protocol

from palier.historian.rows import Transition
from palier.ledger import LedgerLine

INTERVAL_S: Final = 60.0

REST: Final = 20
"""Times as long as an account took the next one waits, though a gateway reports: with two thousand gateways
it is not done anew for each."""

Key = tuple[str, str]
"""(edge, epoch)."""


class LedgerReader(Protocol):
    """What the accounts need of the records."""

    def ledger_lines(self, now_ns: int) -> tuple[LedgerLine, ...]:
        """The balance of each edge and epoch that has reported."""
        ...


class Accounts:
    """Decides which ledger lines are worth a row, and when one that does not add up is an event.

    A line that does not add up is believed at the next report: one report of grace. An outbox that has been
    replaced ends with one last row, and with an event that tells what was lost with it.
    """

    def __init__(self) -> None:
        self._last: dict[Key, tuple[LedgerLine, int]] = {}  # and the plant time of its row
        self._said: dict[Key, str] = {}
        self._doubted_ns: dict[Key, int | None] = {}  # when the first report came that does not add up

    def judged(self, lines: Iterable[LedgerLine]) -> tuple[LedgerLine, ...]:
        """The lines of the outboxes in use as alarms may take them: what is within its grace says nothing."""
        return tuple(
            replace(line, adds_up=None) if self._has_grace(line) else line
            for line in lines
            if not line.replaced
        )

    def news(
        self, lines: Iterable[LedgerLine], now_ns: int
    ) -> tuple[tuple[LedgerLine, ...], tuple[Transition, ...]]:
        """The lines to write at a plant time: what is new, and what stands once a minute, but for gateways
        that are still silent, or gone; and the events. The same again until they are `written`.
        """
        told: list[LedgerLine] = []
        events: list[Transition] = []
        for line in lines:
            before = self._last.get(_key(line))
            if before is not None and _is_old_news(line, now_ns, *before):
                continue
            told.append(line)
            said, word = self._said.get(_key(line)), self._word(line)
            if word is not None and word != said and (said is not None or _is_worth_telling(line)):
                events.append(_event(line, word, said, now_ns))
        return tuple(told), tuple(events)

    def written(self, lines: Iterable[LedgerLine], now_ns: int) -> None:
        """These lines of that plant time, and the events that came with them, are durable."""
        for line in lines:
            key, word = _key(line), self._word(line)
            self._last[key] = line, now_ns
            if word is not None:
                self._said[key] = word
            if line.adds_up is True:
                self._doubted_ns.pop(key, None)
            elif line.adds_up is False:
                self._doubted_ns.setdefault(key, line.reported_ns)

    def _has_grace(self, line: LedgerLine) -> bool:
        """Whether a line that does not add up is the first such report."""
        if line.adds_up is not False or line.replaced:
            return False
        first_ns = self._doubted_ns.get(_key(line), line.reported_ns)
        return first_ns == line.reported_ns

    def _word(self, line: LedgerLine) -> str | None:
        """What an event says of a line; None while it has grace."""
        if self._has_grace(line):
            return None
        return "replaced" if line.replaced else _WORDS[line.adds_up]


_WORDS: Final = {True: "adds_up", False: "does_not_add_up", None: "silent"}


def _key(line: LedgerLine) -> Key:
    return line.edge, line.epoch


def _is_old_news(line: LedgerLine, now_ns: int, before: LedgerLine, written_ns: int) -> bool:
    """Whether a line needs no row. With five hundred gateways one of them reports eight times a second: a row
    of each at every report would be a million an hour.
    """
    if line == before:
        return line.replaced or 0 <= now_ns - written_ns < INTERVAL_S * 1e9
    return not line.replaced and line.adds_up is None and before.adds_up is None


def _is_worth_telling(line: LedgerLine) -> bool:
    """Whether a line is an event of itself at the start, when nothing is known of what was said before."""
    return line.adds_up is False and not line.replaced


def _event(line: LedgerLine, word: str, before: str | None, now_ns: int) -> Transition:
    site, _, node = line.edge.partition("/")
    told = {"epoch": line.epoch, "seq": line.seq, "missing": line.missing, "twice": line.twice}
    detail = told | {"lost": line.lost} if line.replaced else told
    return Transition(
        event_id=f"ledger:{line.edge}:{line.epoch}:{line.seq}:{word}",
        site=site,
        machine=node,
        point="",
        channel="",
        ts_ns=now_ns,
        kind="ledger",
        state=word,
        previous=before or "",
        detail=json.dumps(detail),
    )
