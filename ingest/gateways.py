"""What gateways tell of themselves: kept as the last word of each, a row a minute, and what became of
configurations as events. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from palier.alarm_modes import Mode
from palier.gateways import GatewayTold, state_values
from palier.historian.rows import StateRow, Transition
from palier.wire.payload import DecodeError, Payload
from palier.wire.status import GatewayStatus, read_status

from .batch import GatewaySays, Now, StatusRow
from .event_allowance import Allowance

CONFIGURATION: Final = "configuration"
"""Kind of the events of what was sent to a gateway; `machine` is the node."""

MAX_GATEWAYS: Final = 2_000
"""Those remembered: as many as edge nodes are."""

EVENTS_PER_HOUR: Final = 30
"""Of each gateway. Who configures one again and again makes two of each time; all else comes from the gateway
alone: an answer that it invents, an outbox or a configuration that is another at each birth."""

CARD_BYTES: Final = 256 * 1024 * 1024
CARD_SHARE: Final = 0.02
"""A card with less than this free, whichever is more, is short: the outbox stops growing at 16 MB, and the
system beside it writes logs."""

EASED: Final = 1.5  # times as much must be free before it is well again


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from a gateway's word."""

    states: tuple[StateRow, ...] = ()
    transitions: tuple[Transition, ...] = ()
    rows: tuple[StatusRow, ...] = ()
    said: tuple[GatewaySays, ...] = ()


class Gateways:
    """The last word of each gateway; `known` are those that the records hold."""

    def __init__(self, known: Mapping[str, GatewayTold] | None = None) -> None:
        self._last = {edge: told.status for edge, told in (known or {}).items()}
        self._short: dict[str, bool] = {}  # what was last told of its card
        self._allowance = Allowance(EVENTS_PER_HOUR)

    @property
    def left_out(self) -> int:
        """Events of gateways that were too many."""
        return self._allowance.over

    def told(self, edge: str, event: Transition) -> tuple[Transition, ...]:
        """What the records get of an event that a gateway caused."""
        return self._allowance.within(edge, event)

    def hear(self, edge: str, payload: Payload, now: Now) -> Heard | None:
        """A birth or a message of a gateway; None where it tells nothing of itself. One whose word can't be
        read is no worse a gateway for it: its frames and births are what counts.
        """
        status: GatewayStatus | None = None
        with suppress(DecodeError):
            status = read_status(payload)
        before = self._last.get(edge)
        if status is None or (before is None and len(self._last) >= MAX_GATEWAYS):
            return None
        text = status.text if before is None or status.text != before.text else None
        told = GatewayTold(edge, now.wall_ns, replace(status, text=text))
        kept = status if status.text is not None or before is None else replace(status, text=before.text)
        self._last[edge] = kept
        site = edge.partition("/")[0]
        return Heard(
            tuple(StateRow(site, key, value) for key, value in state_values(told).items()),
            tuple(one for e in _events(edge, before, status, now.plant_ns) for one in self.told(edge, e)),
            (StatusRow(edge, now.plant_ns, replace(status, text=None)),),
            self._card(edge, status),
        )

    def _card(self, edge: str, status: GatewayStatus) -> tuple[GatewaySays, ...]:
        """Whether the card is short: when that changes, and once after a start."""
        if status.card_free is None or status.card_total is None:
            return ()
        least = max(CARD_BYTES, CARD_SHARE * status.card_total)
        was = self._short.get(edge)
        short = status.card_free < least * (EASED if was else 1.0)
        if short is was and not short:
            return ()
        self._short[edge] = short
        numbers = {"free_mb": round(status.card_free / 1e6)} if short else {}
        return (GatewaySays(edge, Mode.CARD, numbers, short),)


def _events(
    edge: str, before: GatewayStatus | None, now: GatewayStatus, ts_ns: int
) -> tuple[Transition, ...]:
    """What became of a configuration, once."""
    if now.answer is None or not now.answer_request:
        return ()
    same = before is not None and (before.answer_request, before.answer) == (now.answer_request, now.answer)
    if same:
        return ()
    site, _, node = edge.partition("/")
    detail = {
        "request": now.answer_request,
        "version": now.answer_version,
        "why": now.answer_sentence or "",
        "code": now.answer_code or "",
        "hash": now.configuration_hash,
    }
    return (
        Transition(
            event_id=f"{CONFIGURATION}:{edge}:{now.answer_request}:{now.answer}",
            site=site,
            machine=node,
            point="",
            channel="",
            ts_ns=ts_ns,
            kind=CONFIGURATION,
            state=now.answer,
            previous=(before.answer if before is not None and before.answer else ""),
            detail=json.dumps(detail, ensure_ascii=False),
        ),
    )
