"""The ingest's decisions. Deterministic and without I/O: the same events at the same times give the same
effects.

Rules:
1. Everything is read, in order of arrival; nothing that arrives waits for the store.
2. A batch begins when none is in hand and the queue has run empty, or 5 ms after its first frame. With half
   of the frames that all gateways may have in flight (50 to 200) it begins as soon as the features of the one
   before are there: while that waits for the stores. Fewer would not gain by it: both would take turns at the
   processor, and each take longer.
3. A frame is acknowledged after the commit that gave it its verdict, and whenever it comes again.
4. While the store is down no batch begins; the oldest in hand is tried again with a growing pause; credit is
   0, and each change to or from 0 is told to every gateway that is online. What exceeds the waiting room is
   left to the outboxes.
5. A birth that carries frames in flight is answered with those that have a verdict, once all earlier frames
   have theirs.
6. A gateway that dies has 10 s to be born again before its machines become unknown: a broker or a host that
   restarts makes every gateway die and be born within seconds, and nothing happened to any machine.
7. The session of an edge node never decides whether a frame is stored: frames explain themselves.

| event | batch | store up | store down |
|---|---|---|---|
| Arrived frame, new | grows | Commit by rule 2 | waits, dropped beyond the waiting room |
| Arrived frame, with a verdict | - | Acknowledge with the next commit or empty queue | the same |
| NBIRTH of Palier's | Commit | Acknowledge sync after it | Acknowledge sync at once |
| Computed | the next may begin | - | - |
| Committed | the oldest leaves | Acknowledge | Acknowledge; credit to all |
| StoreFailed | in hand | credit 0 to all | Commit again after the pause |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from palier.frames import FrameId
from palier.historian.rows import LedgerReceipt, QuarantineRow
from palier.wire.messages import (
    Replayed,
    is_frame,
    peek_id,
    read_device_birth,
    read_ledger,
    read_replayed,
)
from palier.wire.payload import WIRE_VERSION, DecodeError, Payload, Reason, decode, peek_version
from palier.wire.topics import Kind, Topic, TopicError, parse

from .admission import Door, Duplicate, LiveKey, Message, Waiting
from .answers import Answers, Sync, told
from .batch import (
    AskRebirth,
    AskReplay,
    Batch,
    Commit,
    Committed,
    Computed,
    Counts,
    Effect,
    Now,
    QueueEmpty,
    Recall,
    StoreFailed,
    Wanted,
    WorkFrame,
)
from .credit import GATEWAY_WINDOW, NOTHING, CommitRate, Credit, share
from .edges import Edges, configuration_row
from .gateway_events import gateway_event, replayed_event
from .gathering import BATCH_FRAMES, MOST_BATCH_FRAMES, Gathering
from .inbox import Arrived, Refused
from .knowledge import Knowledge
from .limits_told import LimitsTold
from .quarantine import TOPIC, UNEXPECTED, Problem, put_aside
from .recall import Recalls
from .seen import Seen

IN_HAND: Final = 2  # batches: one at the stores, and one that is computed meanwhile
RETRY_S: Final = (0.2, 5.0)  # first and longest pause before the store is tried again
Event = Arrived | Refused | QueueEmpty | Computed | Committed | StoreFailed | Wanted


class Pipeline:
    """One step after the other: `step(event, now)` gives the effects to perform, in their order."""

    def __init__(
        self,
        knowledge: Knowledge,
        seen: Seen,
        newest_live: Mapping[LiveKey, int] | None = None,
        configurations: Mapping[str, str] | None = None,
        recalls: Mapping[Recall, Iterable[str]] | None = None,
    ) -> None:
        """`newest_live`, `configurations` (hashes by edge node), `recalls`: what the records remember."""
        self.counts = Counts()
        self.store_up = True
        self.rate = CommitRate()
        self.edges = Edges(self.counts, configurations)
        self._seen = seen
        self._door = Door(seen, knowledge, newest_live or {})
        self.foreign = self._door.foreign
        self._recalls = Recalls(recalls)
        self._gathering = Gathering()
        self._waiting: set[FrameId] = set()  # ids of frames that gather, and in the batches in hand
        self._in_hand: deque[Batch] = deque()  # begun and not durable yet, the oldest first
        self._computing = False  # the last of them
        self._taken = self._settled = 0  # frames that came to be committed, and those that were
        self._begun = self._ended = 0  # batches
        self._retry_at_s: float | None = None  # None while the batches in hand are being worked on
        self._retry_pause_s = RETRY_S[0]
        self._answers = Answers(seen, self._waiting)
        self.limits = LimitsTold(knowledge)

    @property
    def has_room(self) -> bool:
        """Whether to take what arrives. While the store is down all is taken, and left where there is no
        room; else the queue holds it for the moment, and shares its room among the edge nodes.
        """
        return not self.store_up or self._gathering.has_room

    @property
    def at_rest(self) -> bool:
        """Whether nothing waits to be committed."""
        return not self._in_hand and not self._gathering

    @property
    def waiting(self) -> int:
        """Frames that arrived and have no verdict yet."""
        return len(self._waiting)

    def step(self, event: Event, now: Now) -> tuple[Effect, ...]:
        """What is to be done about an event."""
        effects: list[Effect] = []
        match event:
            case Arrived():
                self._arrived(event, now, effects)
            case Refused():
                self._refused(event, effects)
            case Computed():
                self._computing = False
            case Committed():
                self._committed(event, now, effects)
            case StoreFailed():
                self._store_failed(now, effects)
            case Wanted():
                self._wanted(event, now, effects)
            case QueueEmpty():
                pass
        self._gathering.silences += self.edges.gone(now)
        effects += (*self.edges.contacts(now), *self.edges.words.turn(now), *self.limits.due(now.link_s))
        effects += self._recalls.due(self.edges, now)
        effects += map(AskRebirth, self.foreign.asked(now.link_s, room=self._gathering.has_room))
        self._take_all(self._door.after_absence(now), now)
        self._decide(now, isinstance(event, QueueEmpty), effects)
        return tuple(effects)

    # What arrives -----------------------------------------------------------------------------------

    def _arrived(self, event: Arrived, now: Now, effects: list[Effect]) -> None:
        self.counts.received += 1
        try:
            topic = self._door.foreign.topic(event.topic) or parse(event.topic)
        except TopicError as error:
            problem, received_ns = Problem(TOPIC, str(error)), now.wall_ns
            self._put_aside(put_aside(event.topic, event.payload, "", problem, received_ns=received_ns), now)
            return
        if topic.kind in (Kind.NCMD, Kind.DCMD):
            return
        if not self.edges.admit(topic.edge, event.at_s):
            self.counts.edges_refused += 1
            return
        try:
            self._message(Message(topic, event.payload, decode(event.payload)), event.at_s, now, effects)
        except DecodeError as error:
            self._unreadable(topic, event, error, now, effects)
        except Exception as error:  # noqa: BLE001 - a defect of ours that one message shows must not end the service
            problem = Problem(UNEXPECTED, f"{type(error).__name__}: {error}")
            self._unreadable(topic, event, problem, now, effects)

    def _message(self, message: Message, at_s: float, now: Now, effects: list[Effect]) -> None:
        topic, payload = message.topic, message.payload
        self._rebirth(topic.edge, self.edges.heard(topic, payload, at_s, now), effects)
        if topic.device is None and (heard := self.edges.gateways.hear(topic.edge, payload, now)):
            effects += self._gathering.hear(heard, now.link_s)
        self._take_all(self._door.told_by(message, now, online=self.edges.is_online(topic.edge)), now)
        match topic.kind:
            case Kind.NBIRTH:
                self._born(topic.edge, payload, now)
            case Kind.DBIRTH if payload.uuid == WIRE_VERSION:
                with suppress(DecodeError):  # what its frames may hold is told again by each of them
                    device = read_device_birth(payload, topic.device or "")
                    self._door.told.born(topic.edge, device)
                    self.limits.device(topic.edge, device)
            case Kind.DDATA if is_frame(payload):
                self._frame(message, now)
            case Kind.NDATA if (report := read_ledger(payload)) is not None:
                self._gathering.ledgers[topic.edge] = LedgerReceipt(topic.edge, now.wall_ns, report)
                self._gathering.begin(now.link_s)
            case Kind.NDATA if (replayed := read_replayed(payload)) is not None:
                self._replayed(topic.edge, replayed, now)
            case Kind.DDATA | Kind.NDATA if not is_frame(payload):
                self._take_all(self._door.readings(message, self.edges.resolve(topic, payload), now), now)
                self.counts.clock_suspect = self._door.clock_suspect

    def _unreadable(
        self, topic: Topic, event: Arrived, error: DecodeError | Problem, now: Now, effects: list[Effect]
    ) -> None:
        self._rebirth(topic.edge, self.edges.unreadable(topic.edge, event.at_s), effects)
        if error.reason == Reason.VERSION:
            self.counts.of_version(peek_version(event.payload))
        frame = peek_id(event.payload, topic.edge)
        if frame is not None and frame in self._seen:
            self.counts.duplicates += 1
            self._answers.acknowledge(frame)
            return
        if frame is not None and frame in self._waiting:
            self.counts.duplicates += 1
            return
        self._put_aside(
            put_aside(event.topic, event.payload, topic.edge, error, received_ns=now.wall_ns, frame=frame),
            now,
        )

    def _refused(self, event: Refused, effects: list[Effect]) -> None:
        try:
            topic = parse(event.topic)
        except TopicError:
            return
        if self.edges.admit(topic.edge, event.at_s):
            self._rebirth(topic.edge, self.edges.passed(topic, event.sparkplug_seq, event.at_s), effects)

    def _rebirth(self, edge: str, wanted: bool, effects: list[Effect]) -> None:
        if wanted:
            self.counts.rebirths_asked += 1
            effects.append(AskRebirth(edge))

    def _born(self, edge: str, payload: Payload, now: Now) -> None:
        birth = self.edges.birth(edge, payload)
        self._recalls.born(edge)
        if birth.epoch is None:
            return
        self.limits.born(edge, now.link_s)
        if self._seen.is_new_epoch(edge, birth.epoch):
            event = gateway_event(edge, "new_outbox", birth.epoch, now.plant_ns)
            self._gathering.transitions += self.edges.gateways.told(edge, event)
        before = self.edges.configured(edge, birth.config_hash)
        if before is not None:
            self._gathering.states.append(configuration_row(edge, birth.config_hash))
        if before:
            event = gateway_event(edge, "new_configuration", birth.config_hash, now.plant_ns)
            self._gathering.transitions += self.edges.gateways.told(edge, event)
        batches = self._begun + bool(self._gathering)
        self._answers.born(Sync(edge, birth.epoch, birth.in_flight, self._taken, batches))

    def _frame(self, message: Message, now: Now) -> None:
        before = self._door.clock_suspect
        admitted = self._door.frame(message, self._waiting, now)
        self.counts.clock_suspect = self._door.clock_suspect
        match admitted:
            case WorkFrame():
                suspect = self._door.clock_suspect > before
                self.edges.words.frame(message.topic.edge, admitted.frame.clock, now, suspect=suspect)
                self.edges.speaks(message.topic.edge, admitted.id.epoch if admitted.id else None)
                self._take(admitted, now)
            case Duplicate(frame_id):
                self.counts.duplicates += 1
                self._answers.acknowledge(frame_id)
            case Waiting():
                self.counts.duplicates += 1
            case QuarantineRow():
                self._put_aside(admitted, now)

    def _take_all(self, works: Iterable[WorkFrame | QuarantineRow], now: Now) -> None:
        for work in works:
            (self._take if isinstance(work, WorkFrame) else self._put_aside)(work, now)  # type: ignore[arg-type]

    def _take(self, work: WorkFrame, now: Now) -> None:
        if self._in_hand and self._gathering.is_full_for(work):
            self.counts.refused += 1
            self.foreign.missed |= work.hold  # nobody sends it again
            return
        self._door.took(work, now)
        self._gathering.take(work, now.link_s)
        self._taken += 1
        if work.id is not None:
            self._waiting.add(work.id)
        self.counts.historical += not work.live

    def _put_aside(self, row: QuarantineRow, now: Now) -> None:
        self.counts.put_aside(row.reason)
        if not self._gathering.put_aside(row, now.link_s):
            return  # only while the store is down: counted, not acknowledged
        if row.frame is not None:
            self._waiting.add(row.frame)

    def _replayed(self, edge: str, replayed: Replayed, now: Now) -> None:
        """A gateway answered to what it was asked, by a person or for an alert."""
        kept = self._recalls.answered(replayed.request, edge)
        if kept is None and not self._door.replays.is_answer(replayed.request, edge):
            return
        if kept is not None:
            self._gathering.states.append(kept)
        self._gathering.transitions.append(replayed_event(edge, replayed, now.plant_ns))
        self._gathering.begin(now.link_s)

    def _wanted(self, event: Wanted, now: Now, effects: list[Effect]) -> None:
        """A person wants a period of a gateway once more."""
        if event.again:
            self._door.replays.ask(event.request, event.edge, event.start_ns, event.end_ns, now.link_s)
        self._door.replays.asked(event.request, event.edge)
        effects.append(AskReplay(event.edge, event.replay))

    # The store --------------------------------------------------------------------------------------

    def _decide(self, now: Now, queue_empty: bool, effects: list[Effect]) -> None:
        """Commit, commit again, or tell what can be told without a commit."""
        hurry = self._answers.in_a_hurry
        if self._retry_at_s is not None and now.link_s >= self._retry_at_s:
            self._retry_at_s = None
            effects.append(Commit(self._in_hand[0]))
        elif self._may_begin(now, queue_empty or hurry):
            batch = self._gathering.batch(now.link_s)
            self._in_hand.append(batch)
            self._computing = True
            self._begun += 1
            effects.append(Commit(batch))
        elif (queue_empty or hurry) and (self._in_hand or not self._gathering):
            self._answer(now, effects)

    def _may_begin(self, now: Now, at_once: bool) -> bool:
        """Whether the next batch begins: see rule 2."""
        if not self._gathering or not self.store_up or self._computing:
            return False
        if self._in_hand:
            return len(self._in_hand) < IN_HAND and self._gathering.is_enough
        return at_once or self._gathering.is_enough or self._gathering.has_waited(now.link_s)

    def _committed(self, event: Committed, now: Now, effects: list[Effect]) -> None:
        batch = self._in_hand.popleft()
        if batch is not event.batch:
            raise AssertionError("batches must become durable in the order in which they began")
        moved = {row.frame for row in event.moved}
        for work in batch.frames:
            self._settle(work.id, work.fingerprint)
            kept = work.id not in moved or work.id is None
            self.counts.again += kept and work.again
            self.counts.stored += kept and not work.again
        self._recalls.want(event.recalls)
        for row in event.moved:
            self.counts.put_aside(row.reason)
        for row in batch.quarantine:
            self._settle(row.frame, None)
        self.rate = self.rate.after(len(batch.frames), batch.n_bytes, event.seconds)
        self._computing = self._computing and bool(self._in_hand)  # in probation it was computed in the end
        self._settled += len(batch.frames)
        self._ended += 1
        self._retry_pause_s = RETRY_S[0]
        came_back, self.store_up = not self.store_up, True
        self._answer(now, effects)
        if came_back:
            self._tell_credit(now, effects)

    def _settle(self, frame_id: FrameId | None, fingerprint: int | None) -> None:
        if frame_id is not None:
            self._waiting.discard(frame_id)
            self._seen.add(frame_id, fingerprint)
            self._answers.acknowledge(frame_id)

    def _store_failed(self, now: Now, effects: list[Effect]) -> None:
        self._retry_at_s = now.link_s + self._retry_pause_s
        self._retry_pause_s = min(2 * self._retry_pause_s, RETRY_S[1])
        if self.store_up:
            self.store_up = False
            self._tell_credit(now, effects)

    # What is told -----------------------------------------------------------------------------------

    def _answer(self, now: Now, effects: list[Effect]) -> None:
        """Tell every gateway what of its frames has a verdict by now, then answer the births."""
        effects += self._answers.due(self._credit(now), self._is_settled)

    def _is_settled(self, sync: Sync) -> bool:
        """Whether all that came before the birth has its verdict, or can't get one now."""
        settled = self._settled >= sync.frames and self._ended >= sync.batches
        return settled or not self.store_up

    def _tell_credit(self, now: Now, effects: list[Effect]) -> None:
        """The credit alone, to every gateway that may be sending or waiting."""
        credit = self._credit(now)
        effects += [told(edge, epoch, (), credit) for edge, epoch in self.edges.of_palier()]

    def _credit(self, now: Now) -> Credit:
        if not self.store_up:
            return NOTHING
        active = self.edges.active(now.link_s)
        credit = share(self.rate, active)
        in_flight = active * min(credit.frames, GATEWAY_WINDOW)
        self._gathering.enough = max(BATCH_FRAMES, min(MOST_BATCH_FRAMES, in_flight // 2))
        return credit
