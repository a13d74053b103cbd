"""Gateways and the ledger: who speaks, what waits, and whether every frame is where it must be."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from palier.alarm_modes import OF_NO_MACHINE, Mode
from palier.alarm_text import measured_lines
from palier.alarms import Alarm
from palier.gateway_said import told_texts
from palier.gateway_text import configuration_text, facts
from palier.gateways import GatewayTold, read_gateways
from palier.historian.base import HistorianError
from palier.historian.records import QuarantineKind, RecordsReader
from palier.historian.rows import QuarantineRow, Transition
from palier.ledger import LedgerLine

from .context import console_of, words_of
from .freshness import NS
from .rendering import page, page_settings

PAST_NS: Final = 30 * 86_400 * NS
MOST_QUARANTINED: Final = 20
MOST_CONTACTS: Final = 5
MOST_KINDS: Final = 20

_OF_THE_HOST: Final = frozenset({Mode.DISK, Mode.STORE, Mode.BROKER_DROPPING, Mode.CERTIFICATE})
"""Alarms that only the host has: they tell its name, which the page is not given."""

_HOST_ID_TAKEN: Final = "host_id_taken"
"""The cause of one more of them: another ingest under its name."""

_OF_GATEWAYS: Final = OF_NO_MACHINE - {Mode.MODEL}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Ledger lines, outboxes that never reported, the newest messages put aside, what gateways did, how
    many messages were put aside of each for each reason, and what gateways say of themselves.
    """

    lines: tuple[LedgerLine, ...] = ()
    never: tuple[tuple[str, str], ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    contacts: tuple[Transition, ...] = ()
    kinds: tuple[QuarantineKind, ...] = ()
    told: tuple[GatewayTold, ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway: the ledger lines of its outboxes, and the last changes of its link, the newest first.

    `adds_up` is False where any line does not, None where nothing is known now.
    """

    edge: str
    lines: tuple[LedgerLine, ...] = ()
    contacts: tuple[Transition, ...] = field(default=())
    told: GatewayTold | None = None

    @property
    def node(self) -> str:
        """Its name within the site."""
        return self.edge.partition("/")[2]

    @property
    def adds_up(self) -> bool | None:
        """Whether its frames are all where they must be, by the outbox that it works with."""
        said = {line.adds_up for line in self.lines if not line.replaced}
        return False if False in said else True if True in said else None

    @property
    def pending(self) -> int:
        """Frames that wait in its outbox, as it last said."""
        return sum(line.pending for line in self.lines)

    @property
    def dropped(self) -> int:
        """Frames that it gave up."""
        return sum(line.dropped for line in self.lines)

    @property
    def reasons(self) -> dict[str, int]:
        """Frames that it gave up, by reason."""
        counts: Counter[str] = Counter()
        for line in self.lines:
            counts.update(line.dropped_for)
        return dict(counts)

    @property
    def lost(self) -> int:
        """Frames that were in an outbox that it had to make anew."""
        return sum(line.lost for line in self.lines)

    @property
    def reported_ns(self) -> int | None:
        """When its last report came (ns since 1970 UTC)."""
        return max((line.reported_ns for line in self.lines if line.reported_ns is not None), default=None)

    @property
    def stored(self) -> int:
        """Frames of it that are stored."""
        return sum(line.stored for line in self.lines)

    @property
    def quarantined(self) -> int:
        """Frames of it that were put aside."""
        return sum(line.quarantined for line in self.lines)

    @property
    def silent_since_ns(self) -> int | None:
        """Time of its last report where it fell silent (ns since 1970 UTC)."""
        silent = [line.unknown_since_ns for line in self.lines if not line.replaced]
        return max((ns for ns in silent if ns is not None), default=None) if None not in silent else None


async def ledger_page(request: Request) -> Response:
    """GET /ledger: acquired = stored + quarantined + dropped + pending, a line for each outbox."""
    return await _page(request, "ledger.html")


async def gateways_page(request: Request) -> Response:
    """GET /gateways: each gateway with its link and what waits in it."""
    return await _page(request, "gateways.html")


async def _page(request: Request, template: str) -> Response:
    console, words = console_of(request), words_of(request)
    board = await console.live.board()
    since_ns, site = console.clock.now_ns() - PAST_NS, console.plant.site_id
    try:
        found = await console.records.run(lambda records: read_accounts(records, since_ns))
    except HistorianError:
        found = None
    accounts = found or Accounts()
    spoken_of = [a for a in board.alarms.open if a.key.mode in _OF_GATEWAYS]
    hosts = {a.key.machine for a in spoken_of if _is_of_the_host(a)}
    hosts -= {gateway.node for gateway in gateways_of(accounts, site)}
    gateways = gateways_of(
        accounts, site, (f"{a.key.site}/{a.key.machine}" for a in spoken_of if a.key.machine not in hosts)
    )
    return page(
        request,
        words,
        template,
        problem=board.problem,
        unread=found is None,
        accounts=accounts,
        gateways=gateways,
        of=lambda node: tuple(a for a in board.alarms.of(node) if a.key.mode in OF_NO_MACHINE),
        host=tuple(a for a in spoken_of if a.key.machine in hosts),
        measured=lambda alarm: measured_lines(alarm, words.catalogue),
        gaps=gaps_text,
        facts=lambda told: dict(facts(told.status, words.catalogue)),
        configured=lambda told: configuration_text(told.status, words.catalogue),
        problems=lambda told: told_texts(told.status.problems, told.status.problem_codes, words.catalogue),
        notes=lambda told: told_texts(told.status.notes, told.status.note_codes, words.catalogue),
        aside=lambda reason: (
            words.t(f"aside_{reason}") if f"page.aside_{reason}" in words.catalogue else reason
        ),
        settings=page_settings(request, words, board, stream=f"/events?lang={words.lang}"),
    )


def read_accounts(records: RecordsReader, since_ns: int) -> Accounts:
    """All of it. The host notes when it got a report by the wall clock, whatever time the plant has."""
    lines = records.ledger_lines(time.time_ns())
    reported = {(line.edge, line.epoch) for line in lines}
    never = tuple(edge for edge in records.edges() if edge not in reported)
    contacts = records.transitions(since_ns, "gateway")
    return Accounts(
        lines,
        never,
        records.quarantine(MOST_QUARANTINED),
        contacts,
        records.quarantine_kinds()[:MOST_KINDS],
        tuple(read_gateways(records.states()).values()),
    )


def gateways_of(accounts: Accounts, site: str, told: Iterable[str] = ()) -> tuple[Gateway, ...]:
    """The gateways, those in trouble first; `told` are edges that alarms speak of, which may be a third
    party's that never reports.
    """
    names = {*told} | {line.edge for line in accounts.lines} | {edge for edge, _ in accounts.never}
    names |= {f"{contact.site or site}/{contact.machine}" for contact in accounts.contacts}
    told_of = {one.edge: one for one in accounts.told}
    names |= told_of.keys()
    found = [
        Gateway(
            edge,
            tuple(line for line in accounts.lines if line.edge == edge),
            _newest(accounts.contacts, edge),
            told_of.get(edge),
        )
        for edge in sorted(names)
    ]
    order = {False: 0, None: 1, True: 2}
    return tuple(sorted(found, key=lambda gateway: (order[gateway.adds_up], gateway.edge)))


def _is_of_the_host(alarm: Alarm) -> bool:
    return alarm.key.mode in _OF_THE_HOST or any(cause.feature == _HOST_ID_TAKEN for cause in alarm.causes)


def gaps_text(line: LedgerLine) -> str:
    """The first gaps of a line: "12-40, 55"."""
    return ", ".join(f"{lo}" if lo == hi else f"{lo}-{hi}" for lo, hi in line.gaps)


def _newest(contacts: Iterable[Transition], edge: str) -> tuple[Transition, ...]:
    mine: Sequence[Transition] = [c for c in contacts if f"{c.site}/{c.machine}" == edge]
    return tuple(reversed(mine[-MOST_CONTACTS:]))
