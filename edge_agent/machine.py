"""What the link decides: a pure function of (state, event, now) to (state, effects).

Rules
 1. A row is released by the acknowledgement of (edge, epoch, seq) and by nothing else. All the rest of this
    file is efficiency: no rule here can lose a frame.
 2. Frames are sent only while OPEN: connected, the host online, births sent, and the host's answer to the
    birth (`sync`) there or 2 s waited for.
 3. Window W = min(100 frames, 8 MB, the host's credit), at least one frame; min(W, 16 frames) before the
    first acknowledgement of a session; nothing while the credit is 0 frames. Every frame counts from its
    first sending until its acknowledgement, those that wait to be sent again included.
 4. At most 8 frames and 1 MB, at least one frame, are handed to the MQTT client and not yet written.
 5. There is no timer per frame. A frame is sent again for one of three causes:
      SESSION  our connection or the host's session is a new one: after the sync, all in flight is unsent
               again;
      GAP      the path is first-in first-out, so a frame sent before one that was acknowledged, itself not
               acknowledged, is lost;
      PROBE    no acknowledgement and no completed write for 10 s, nothing unwritten: one frame, the last
               that was sent. Then 20, 40, 60, 60 ... s. The probe's acknowledgement is what shows the gap.
 6. To be sent again goes first; then the newest unsent frame, so that live frames pass a backlog.
 7. A frame is historical when its first sending is later than 30 s of link time after its acquisition.
 8. Of the host's STATE, `palier.wire.state.hear` says what it means; an "online" only opens the window.
 9. An outbox that was opened again may have forgotten seqs that it gave: nothing is sent before the host has
    answered the birth with the highest seq it ever had. Until then births, 2, 4, 8 ... 60 s apart.
10. A damaged outbox is replaced by one of a new epoch: births tell it, and what is said of frames of the old
    epoch, by host or outbox, is not for this one.

    phase    | Connected Disconnected online, new    offline       sync / 2 s    rebirth  Stop
    ---------+---------------------------------------------------------------------------------------
    OFFLINE  | WAITING   -            -              -             -             -        CLOSED
    WAITING  | -         OFFLINE      SYNCING, birth -             -             -        CLOSED, leave
    SYNCING  | -         OFFLINE      SYNCING, birth OFFLINE,death OPEN (rule 9) birth    CLOSED, death
    OPEN     | -         OFFLINE      SYNCING, birth OFFLINE,death -             birth    CLOSED, death

Times are link times: monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from palier import ranges
from palier.ranges import Ranges
from palier.wire.state import HostState, Reaction, hear

from .events import (
    Cause,
    Connected,
    Disconnect,
    Disconnected,
    Effect,
    Event,
    FramesAdded,
    FramesDropped,
    Measured,
    OutboxReplaced,
    RebirthRequested,
    Release,
    SendBirth,
    SendDeath,
    SendLedger,
    Settle,
    Settled,
    Stop,
    StoredReceived,
    Tick,
    Written,
)
from .window import (
    MAX_FRAMES_IN_FLIGHT,
    NO_HOST,
    STALL_S,
    Link,
    Phase,
    newest,
    next_known,
    send,
    send_again,
    send_new,
)

SYNC_WAIT_S: Final = 2.0
MAX_SYNC_WAIT_S: Final = 60.0
MAX_STALL_S: Final = 60.0
LIVE_WITHIN_S: Final = 30.0
LEDGER_EVERY_S: Final = 60.0
LEDGER_IDLE_S: Final = 1.0  # everything acknowledged: the report then shows a round balance
LEDGER_APART_S: Final = 5.0  # a gateway that samples each few seconds is idle as often
MAX_ASKED: Final = 4096  # an answer tells of no more in one range
MAX_RETURNED: Final = 3 * MAX_FRAMES_IN_FLIGHT  # with two windows beside it a birth is within MAX_RANGES


def begin(epoch: str, last_seq: int, pending: Ranges, sure: int | None = None) -> Link:
    """The state at start. A window of the newest pending frames may have been sent by an earlier process.

    `sure` is None for a new outbox; in one that was opened again nothing above it was ever sent (rule 9).
    """
    sent = pending if sure is None else ranges.intersect(pending, ((1, sure),) if sure else ())
    return Link(epoch, last_seq, pending, ranges.of(newest(sent, MAX_FRAMES_IN_FLIGHT)), sure=sure)


def step(link: Link, event: Event, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """The next state, and what is to be done in this order."""
    if link.phase is Phase.CLOSED:
        return link, ()
    link, effects = _react(link, event, now)
    link, more = send(link, now)
    return link, (*effects, *more)


def _react(link: Link, event: Event, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """What the event itself changes, before anything is sent."""
    match event:
        case HostState():
            return _host_state(link, event, now)
        case StoredReceived() if event.epoch == link.epoch:
            return _stored(link, event, now)
        case RebirthRequested() if link.phase in (Phase.SYNCING, Phase.OPEN):
            return link, (_birth(link),)
        case Tick():
            return _tick(link, now)
        case Settled() | OutboxReplaced() | Stop():
            return _turn(link, event, now)
    return _note(link, event, now), ()


def _turn(link: Link, event: Settled | OutboxReplaced | Stop, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """What does not happen each day."""
    match event:
        case Settled() if event.epoch == link.epoch:
            return _settled(link, event, now)
        case OutboxReplaced():
            return _replaced(link, event.epoch, now)
        case Stop():
            return _stop(link)
    return link, ()


def _note(link: Link, event: Event, now: float) -> Link:
    """Events that have no answer but what may now be sent."""
    match event:
        case Connected() if link.phase is Phase.OFFLINE:
            link = replace(link, phase=Phase.WAITING, host=NO_HOST, measuring=False)  # Measured may be lost
        case Disconnected():
            link = replace(link, phase=Phase.OFFLINE, handed=())
        case Written(count):
            link = replace(link, handed=link.handed[count:], progress_at=now)
        case FramesAdded(epoch, lo, hi) if epoch == link.epoch:
            unsent = ranges.merge((*link.unsent, (lo, hi)))
            link = replace(link, last_seq=max(link.last_seq, hi), unsent=unsent)
        case FramesDropped(epoch, gone) if epoch == link.epoch:
            link = _forget(link, gone)
        case Measured():
            link = _measured(link, event)
    return link


def _host_state(link: Link, event: HostState, now: float) -> tuple[Link, tuple[Effect, ...]]:
    if link.phase is Phase.OFFLINE:
        return link, ()
    view, reaction = hear(link.host, event)
    link = replace(link, host=view)
    match reaction:
        case Reaction.HOST_ONLINE | Reaction.NEW_SESSION:
            return _begin_sync(replace(link, credit=None), now)
        case Reaction.HOST_OFFLINE:
            return replace(link, phase=Phase.OFFLINE), (SendDeath(), Disconnect())
    return link, ()


def _begin_sync(link: Link, now: float) -> tuple[Link, tuple[Effect, ...]]:
    link = replace(link, phase=Phase.SYNCING, sync_until=now + SYNC_WAIT_S, sync_wait_s=SYNC_WAIT_S)
    return link, (_birth(link),)


def _birth(link: Link) -> SendBirth:
    return SendBirth(ranges.merge((*link.suspects, *ranges.of(link.in_flight), *ranges.of(link.returned))))


def _open(link: Link, now: float) -> Link:
    """After the sync: what is still in flight was sent in another session, and is unsent again."""
    back = {seq: sent.historical for seq, sent in link.in_flight.items()}
    return replace(
        link,
        phase=Phase.OPEN,
        unsent=ranges.merge((*link.unsent, *ranges.of(back))),
        suspects=(),
        in_flight={},
        again=(),
        returned=dict(sorted({**link.returned, **back}.items())[-MAX_RETURNED:]),
        known=(),
        progress_at=now,
        stall_s=STALL_S,
        ledger_at=now + LEDGER_IDLE_S,
    )


def _stored(link: Link, event: StoredReceived, now: float) -> tuple[Link, tuple[Effect, ...]]:
    known = link.last_seq if link.sure is None else link.sure
    stored = ranges.intersect(_sound(event.ranges), ((1, known),) if known else ())
    was_idle = link.idle
    reached = max((s.order for seq, s in link.in_flight.items() if ranges.contains(stored, seq)), default=-1)
    link = _forget(replace(link, credit=(event.credit_frames, event.credit_bytes)), stored)
    if reached >= 0:
        link = replace(_gaps(link, reached), progress_at=now, stall_s=STALL_S)
    released: tuple[Effect, ...] = (Release(stored),) if stored else ()
    if event.sync and link.phase is Phase.SYNCING:
        if link.sure is not None or (event.highest or 0) > known:
            return replace(link, sure=known), (*released, Settle(event.highest, known))
        link = _open(link, now)
    if link.idle and not was_idle:
        soon = max(now + LEDGER_IDLE_S, link.ledger_sent_at + LEDGER_APART_S)
        link = replace(link, ledger_at=min(link.ledger_at, soon))
    return link, released


def _settled(link: Link, event: Settled, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """Rule 9. Of what the disk forgot the host is asked once more: what it has is not lost."""
    unsent = ranges.subtract(event.pending, ranges.of(link.in_flight))
    link = replace(link, sure=None, last_seq=max(link.last_seq, event.last_seq), unsent=unsent, known=())
    if link.phase is not Phase.SYNCING:
        return link, ()
    if not event.lost:
        return _open(link, now), ()
    hi = event.lost[-1][1]
    asked = ranges.intersect(event.lost, ((max(1, hi - MAX_ASKED + 1), hi),))
    return _begin_sync(replace(link, suspects=ranges.merge((*link.suspects, *asked))), now)


def _sound(stored: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges as a stranger may write them, without those that end before they begin."""
    return tuple((lo, hi) for lo, hi in stored if lo <= hi)


def _gaps(link: Link, reached: int) -> Link:
    """Everything sent before order `reached` and still in flight is lost: to be sent again."""
    lost = {seq for seq, sent in link.in_flight.items() if sent.order < reached}
    return replace(link, again=tuple(sorted(lost.union(link.again), reverse=True)))


def _forget(link: Link, gone: Ranges) -> Link:
    """Without these seqs, wherever they are."""
    if not gone:
        return link
    return replace(
        link,
        unsent=ranges.subtract(link.unsent, gone),
        suspects=ranges.subtract(link.suspects, gone),
        in_flight={seq: sent for seq, sent in link.in_flight.items() if not ranges.contains(gone, seq)},
        again=tuple(seq for seq in link.again if not ranges.contains(gone, seq)),
        returned={seq: was for seq, was in link.returned.items() if not ranges.contains(gone, seq)},
        known=tuple(row for row in link.known if not ranges.contains(gone, row.seq)),
    )


def _measured(link: Link, event: Measured) -> Link:
    """What was asked for and is not among the candidates is no longer in the outbox."""
    missing = set(event.asked) - {row.seq for row in event.candidates}
    newest_first = sorted(event.candidates, key=lambda row: row.seq, reverse=True)
    return replace(_forget(link, ranges.of(missing)), known=tuple(newest_first), measuring=False)


def _tick(link: Link, now: float) -> tuple[Link, tuple[Effect, ...]]:
    effects: tuple[Effect, ...] = ()
    if link.phase is Phase.SYNCING and now >= link.sync_until:
        if link.sure is not None:
            wait_s = min(MAX_SYNC_WAIT_S, 2 * link.sync_wait_s)
            link = replace(link, sync_until=now + wait_s, sync_wait_s=wait_s)
            return link, (_birth(link),)
        link = _open(link, now)
    if link.phase is not Phase.OPEN:
        return link, ()
    if not link.handed and not link.idle and now - link.progress_at >= link.stall_s:
        link, effects = _probe(link, now)
    if now >= link.ledger_at:
        link = replace(link, ledger_at=now + LEDGER_EVERY_S, ledger_sent_at=now)
        effects = (*effects, SendLedger())
    return link, effects


def _probe(link: Link, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """One frame whatever the credit: the last sent, or the newest unsent where nothing is in flight."""
    stalled = replace(link, progress_at=now, stall_s=min(MAX_STALL_S, 2 * link.stall_s))
    if link.in_flight:
        last = max(link.in_flight, key=lambda seq: link.in_flight[seq].order)
        return send_again(stalled, last, Cause.PROBE)
    if not next_known(link):
        return link, ()  # `_send` asks for its size; the next tick sends it
    return send_new(stalled, now, Cause.PROBE)


def _replaced(link: Link, epoch: str, now: float) -> tuple[Link, tuple[Effect, ...]]:
    """Rule 10. What was handed over is written all the same."""
    fresh = replace(begin(epoch, 0, ()), host=link.host, handed=link.handed, orders=link.orders)
    if link.phase not in (Phase.SYNCING, Phase.OPEN):
        return replace(fresh, phase=link.phase), ()
    return _begin_sync(fresh, now)


def _stop(link: Link) -> tuple[Link, tuple[Effect, ...]]:
    closed = replace(link, phase=Phase.CLOSED)
    match link.phase:
        case Phase.SYNCING if link.sure is not None:  # the host would take our new frames for what it has
            return closed, (SendDeath(), Disconnect())
        case Phase.SYNCING | Phase.OPEN:
            return closed, (SendLedger(), SendDeath(), Disconnect())
        case Phase.WAITING:
            return closed, (Disconnect(),)
    return closed, ()
