"""The state of the link, and what its window lets go: rules 3 to 6 of `machine`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from palier.ranges import Ranges
from palier.wire.state import HostView

from .events import Candidate, Cause, Effect, Measure, SendFrame

MAX_FRAMES_IN_FLIGHT: Final = 100
MAX_BYTES_IN_FLIGHT: Final = 8_000_000
FIRST_WINDOW: Final = 16  # a retained "online" may be stale; what it can cost is this window
MAX_HANDED: Final = 8  # more would pile up copies in the client's unbounded queue on a slow link
MAX_HANDED_BYTES: Final = 1_000_000  # 8 s at 1 Mbit/s: a ping behind it still comes within the keepalive
LOOK_AHEAD: Final = 16  # rows measured at once: twice what can be handed over
STALL_S: Final = 10.0  # well above the 2 s of commit work that the credit allows in flight


class Phase(StrEnum):
    """Where the link stands; the table above."""

    OFFLINE = "offline"
    WAITING = "waiting"
    SYNCING = "syncing"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame in flight: `order` counts sendings, so that of two frames the earlier sent is known."""

    order: int
    size: int
    historical: bool


NO_HOST: Final = HostView()
"""A connection that has heard nothing of the host yet."""


@dataclass(frozen=True, slots=True)
class Link:
    """The whole state. Make one with `begin`; never changed in place."""

    epoch: str
    last_seq: int
    unsent: Ranges
    suspects: Ranges  # sent perhaps by an earlier process: asked for at the birth
    phase: Phase = Phase.OFFLINE
    host: HostView = NO_HOST  # what this connection has heard of it
    sure: int | None = None  # of an outbox that was opened again: the highest seq that may have been sent
    sync_until: float = 0.0
    sync_wait_s: float = 0.0
    in_flight: Mapping[int, Sent] = field(default_factory=dict)
    again: tuple[int, ...] = ()  # in flight, found lost, to be sent again; newest first
    # the newest unsent again after a session change, and whether their first sending was historical
    returned: Mapping[int, bool] = field(default_factory=dict)
    known: tuple[Candidate, ...] = ()  # the newest unsent, measured
    measuring: bool = False
    credit: tuple[int, int] | None = None  # frames, bytes; None before the first acknowledgement
    handed: tuple[int, ...] = ()  # sizes of the frames not yet written, in order
    orders: int = 0
    progress_at: float = 0.0
    stall_s: float = STALL_S
    ledger_at: float = 0.0
    ledger_sent_at: float = float("-inf")

    @property
    def window(self) -> tuple[int, int]:
        """(frames, bytes) that may be in flight now."""
        if self.credit is None:
            return FIRST_WINDOW, MAX_BYTES_IN_FLIGHT
        return min(MAX_FRAMES_IN_FLIGHT, self.credit[0]), min(MAX_BYTES_IN_FLIGHT, self.credit[1])

    @property
    def idle(self) -> bool:
        """Whether everything is acknowledged."""
        return not self.in_flight and not self.unsent

    @property
    def waiting(self) -> int:
        """Frames that are not acknowledged."""
        return len(self.in_flight) + sum(hi - lo + 1 for lo, hi in self.unsent)


def send(link: Link, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """Send what the window allows: lost frames first, then the newest unsent."""
    if link.phase is not Phase.OPEN:
        return link, ()
    effects: list[Effect] = []
    while link.again and _can_hand_over(link, link.in_flight[link.again[0]].size) and _fits_again(link):
        link, sent = send_again(link, link.again[0], Cause.GAP)
        effects += sent
    while len(link.handed) < MAX_HANDED and not link.again and link.unsent:
        row = next_known(link)
        if row is None:
            if not link.measuring:
                effects.append(Measure(newest(link.unsent, LOOK_AHEAD)))
                link = replace(link, measuring=True)
            break
        if not (_can_hand_over(link, row.size) and _fits(link, row.size, link.in_flight.values())):
            break
        link, sent = send_new(link, now, None)
        effects += sent
    return link, tuple(effects)


def _can_hand_over(link: Link, size: int) -> bool:
    """Rule 4."""
    if not link.handed:
        return True
    return len(link.handed) < MAX_HANDED and sum(link.handed) + size <= MAX_HANDED_BYTES


def next_known(link: Link) -> Candidate | None:
    """The newest unsent frame, if its size is known."""
    if link.unsent and link.known and link.known[0].seq == link.unsent[-1][1]:
        return link.known[0]
    return None


def _fits_again(link: Link) -> bool:
    """Whether one more of the lost frames may be on its way; those that wait are not."""
    on_the_way = [sent for seq, sent in link.in_flight.items() if seq not in link.again]
    return _fits(link, link.in_flight[link.again[0]].size, on_the_way)


def _fits(link: Link, size: int, others: Iterable[Sent]) -> bool:
    sizes = [sent.size for sent in others]
    frames, total = link.window
    if frames <= 0:
        return False
    return not sizes or (len(sizes) < frames and sum(sizes) + size <= total)


def send_again(link: Link, seq: int, cause: Cause) -> tuple[Link, tuple[Effect, ...]]:
    """Send a frame in flight once more; it counts as the last sent."""
    sent = replace(link.in_flight[seq], order=link.orders)
    link = replace(
        link,
        in_flight={**link.in_flight, seq: sent},
        again=tuple(other for other in link.again if other != seq),
        handed=(*link.handed, sent.size),
        orders=link.orders + 1,
    )
    return link, (SendFrame(seq, sent.historical, cause),)


def send_new(link: Link, now: float, cause: Cause | None) -> tuple[Link, tuple[Effect, ...]]:
    """Send the first of `known`; without a cause: FIRST, or SESSION where it was sent in an earlier one."""
    row = link.known[0]
    historical = link.returned.get(row.seq, now > row.live_until)
    if cause is None:
        cause = Cause.SESSION if row.seq in link.returned else Cause.FIRST
    lo, hi = link.unsent[-1]
    link = replace(
        link,
        unsent=link.unsent[:-1] if lo == hi else (*link.unsent[:-1], (lo, hi - 1)),
        known=link.known[1:],
        returned={seq: was for seq, was in link.returned.items() if seq != row.seq},
        in_flight={**link.in_flight, row.seq: Sent(link.orders, row.size, historical)},
        handed=(*link.handed, row.size),
        orders=link.orders + 1,
    )
    return link, (SendFrame(row.seq, historical, cause),)


def newest(pending: Ranges, count: int) -> tuple[int, ...]:
    """Up to `count` of the highest numbers, highest first."""
    out: list[int] = []
    for lo, hi in reversed(pending):
        out += range(hi, max(lo, hi - (count - len(out)) + 1) - 1, -1)
        if len(out) >= count:
            break
    return tuple(out)
