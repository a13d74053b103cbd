"""What the records say of gateways that is worth an alarm: frames given up, a new outbox, messages put aside.

Each follows from what the records hold and from the time alone. Nothing has to be remembered over a restart,
and what was reported a moment before a crash is not forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from palier.alarm_modes import Mode
from palier.historian.rows import Transition
from palier.ledger import LedgerLine
from palier.tls import EXPIRES_SOON, Broker, certificate_ends

HOUR_NS: Final = 3600 * 10**9

DROPPED_NS: Final = HOUR_NS
"""A gateway that gives up no more for an hour is well again; what it gave up stands in the ledger."""

NEW_OUTBOX_NS: Final = 24 * HOUR_NS
"""A new outbox is told of for a day: whoever comes to work finds it."""

PUT_ASIDE: Final = 3
"""Messages of a gateway put aside in this hour and the one before: one may be a stray."""

CERTIFICATE_S: Final = 86_400.0  # how often it is asked when a certificate ends that lasts for months
CERTIFICATE_AGAIN_S: Final = 600.0  # a broker that did not answer

Say = Callable[[str, str, Mapping[str, float | None], bool], None]
"""`People.gateway_says`."""


class Accounted(Protocol):
    """What is read of the records."""

    def dropped_lately(self, since_ns: int) -> Mapping[str, Mapping[str, int]]:
        """Counts by reason of gateways that gave up more since then."""
        ...

    def put_aside_lately(self, now_ns: int) -> Mapping[str, int]:
        """Messages of each gateway put aside lately; "" are those that name none."""
        ...

    def transitions(self, since_ns: int = 0, kind: str | None = None) -> tuple[Transition, ...]:
        """Transitions since a time."""
        ...


class Conditions:
    """Says of each gateway how it is, well or not: who hears compares it with what was said before."""

    def __init__(self, records: Accounted, say: Say, *, host: str) -> None:
        """`host` is the host's own name as of a gateway, "site/host_id"."""
        self._records = records
        self._say = say
        self._host = host

    def turn(
        self, lines: Iterable[LedgerLine], standing: Iterable[tuple[str, Mode]], plant_ns: int, wall_ns: int
    ) -> None:
        """Once a minute, with the ledger's lines and the alarms that stand. Raises Unavailable."""
        lines = tuple(lines)
        edges = {line.edge for line in lines}
        told = frozenset(standing)
        self._all(Mode.DROPPED, edges, told, self._records.dropped_lately(wall_ns - DROPPED_NS))
        self._all(Mode.QUARANTINE, edges, told, self._put_aside(wall_ns))
        self._all(Mode.NEW_OUTBOX, edges, told, self._new_outboxes(lines, plant_ns))

    def _all(
        self,
        kind: Mode,
        edges: Iterable[str],
        standing: frozenset[tuple[str, Mode]],
        found: Mapping[str, Mapping[str, float]],
    ) -> None:
        """One kind, of every gateway that it may stand of."""
        for edge in {*edges, *found, *(edge for edge, mode in standing if mode is kind)}:
            self._say(edge, kind, found.get(edge, {}), edge in found)

    def _put_aside(self, wall_ns: int) -> dict[str, dict[str, float]]:
        found = self._records.put_aside_lately(wall_ns)
        of: Counter[str] = Counter()
        for edge, n in found.items():
            of[edge if "/" in edge else self._host] += n  # who names no gateway is nobody's but the host's
        return {edge: {"messages": n} for edge, n in of.items() if n >= PUT_ASIDE}

    def _new_outboxes(self, lines: Iterable[LedgerLine], plant_ns: int) -> dict[str, dict[str, float]]:
        events = self._records.transitions(plant_ns - NEW_OUTBOX_NS, "gateway")
        lost: dict[str, dict[str, float]] = {
            f"{event.site}/{event.machine}": {} for event in events if event.state == "new_outbox"
        }
        for line in lines:
            if line.lost and line.edge in lost:
                lost[line.edge]["pending"] = lost[line.edge].get("pending", 0) + line.lost
        return lost


class CertificateWatch:
    """Asks the broker once a day when its certificate ends, from a thread that nobody waits for."""

    def __init__(
        self,
        broker: Broker,
        say: Say,
        *,
        host: str,
        ends: Callable[[Broker], datetime | None] = certificate_ends,
    ) -> None:
        self._broker = broker
        self._say = say
        self._host = host
        self._ends = ends
        self._at_s: float | None = None
        self._asking: threading.Thread | None = None
        self._answered = False

    def turn(self, now_s: float) -> None:
        """Begin to ask where it is time. Without TLS there is no certificate."""
        if self._asking is not None:
            if self._asking.is_alive():
                return
            self._asking = None
            self._at_s = now_s + (CERTIFICATE_S if self._answered else CERTIFICATE_AGAIN_S)
        if self._at_s is not None and now_s < self._at_s:
            return
        if self._broker.tls_ca is None:
            self._at_s = float("inf")
            self._say(self._host, Mode.CERTIFICATE, {}, False)
            return
        self._asking = threading.Thread(target=self._ask, name="ingest-certificate", daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        ends = self._ends(self._broker)
        self._answered = ends is not None
        if ends is None:
            return
        left = ends - datetime.now(UTC)
        soon = left <= EXPIRES_SOON
        self._say(self._host, Mode.CERTIFICATE, {"days": max(0, left.days)} if soon else {}, soon)


class BrokerDrops:
    """What the broker says that it dropped since it started (`$SYS/broker/publish/messages/dropped`).

    The condition is there for an hour after the number last changed. A number that an alarm told before a
    restart is no news.
    """

    QUIET_S: Final = 3600.0

    def __init__(self) -> None:
        self._said: int | None = None
        self._judged: int | None = None
        self._rose_s: float | None = None

    def heard(self, n: int) -> None:
        """The number as it comes; any thread."""
        self._said = n

    def turn(self, told: float | None, now_s: float) -> tuple[Mapping[str, float], bool] | None:
        """(numbers, whether it is there), None before the broker has said anything. `told` is the number that
        the alarm tells while it stands.
        """
        n = self._said
        if n is None:
            return None
        if self._judged is None and told is not None and n == told:
            self._rose_s = now_s  # it stands: its hour begins anew
        elif n != (self._judged or 0):
            self._rose_s = now_s if n > 0 else None
        self._judged = n
        there = self._rose_s is not None and now_s - self._rose_s < self.QUIET_S
        return ({"messages": n} if there else {}), there
