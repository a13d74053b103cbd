"""The ledger at the host: each minute, and at each report of a gateway, whether its frames add up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Protocol

from palier.historian.rows import Transition
from palier.ledger import LedgerLine

INTERVAL_S: Final = 60.0


class LedgerReader(Protocol):
    """What the accounts need of the records."""

    def ledger_lines(self, now_ns: int) -> tuple[LedgerLine, ...]:
        """The balance of each edge and epoch that has reported."""
        ...


class Accounts:
    """Decides which ledger lines are worth a row, and when one that does not add up is an event."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], LedgerLine] = {}

    def news(
        self, lines: Iterable[LedgerLine], now_ns: int
    ) -> tuple[tuple[LedgerLine, ...], tuple[Transition, ...]]:
        """The lines to write at a plant time: all but those of gateways that are still silent, and the
        events. The same again until they are `written`.
        """
        told: list[LedgerLine] = []
        events: list[Transition] = []
        for line in lines:
            key = (line.edge, line.epoch)
            before = self._last.get(key)
            if line.adds_up is None and before is not None and before.adds_up is None:
                continue
            told.append(line)
            if (before is None and line.adds_up is False) or (
                before is not None and before.adds_up != line.adds_up
            ):
                events.append(_event(line, before, now_ns))
        return tuple(told), tuple(events)

    def written(self, lines: Iterable[LedgerLine]) -> None:
        """These lines, and the events that came with them, are durable."""
        self._last.update({(line.edge, line.epoch): line for line in lines})


def _event(line: LedgerLine, before: LedgerLine | None, now_ns: int) -> Transition:
    site, _, node = line.edge.partition("/")
    detail = {"epoch": line.epoch, "seq": line.seq, "missing": line.missing, "twice": line.twice}
    return Transition(
        event_id=f"ledger:{line.edge}:{line.epoch}:{line.seq}:{_word(line)}",
        site=site,
        machine=node,
        point="",
        channel="",
        ts_ns=now_ns,
        kind="ledger",
        state=_word(line),
        previous=_word(before) if before else "",
        detail=json.dumps(detail),
    )


def _word(line: LedgerLine) -> str:
    return {True: "adds_up", False: "does_not_add_up", None: "silent"}[line.adds_up]
