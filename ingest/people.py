"""What people ask, what time does to alarms, and who is told of them: done between two commits, by the one
thread that owns the stores."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

from palier.clock import PlantClock
from palier.historian.base import Historian, Unavailable
from palier.historian.rows import RecordsBatch
from palier.ledger import LedgerLine
from palier.operations import Command, Outcome, Reply
from palier.plant import Plant
from palier.wire.operations import (
    MAX_COMMAND_BYTES,
    decode_command,
    encode_reply,
    readable_id,
    reply_topic,
)
from palier.wire.payload import DecodeError

from . import rows
from .alarm_evidence import of_gateway, of_host, of_ledger
from .alarm_keeping import NO_ROWS, AlarmKeeper, Turn
from .alarms import Event, Tick
from .batch import Contact
from .contacts import Contacts
from .failpoints import Failpoints
from .notify import Pending

WAITING_COMMANDS: Final = 100
"""Held for the thread that decides. People are slower; who gets no reply asks again under the same id."""

TICK_S: Final = 1.0  # how often it is looked whether the time of a shelf has come
RETRY_S: Final = 5.0  # after a store failed

log = structlog.get_logger(__name__)


class RecordsWriter(Protocol):
    """What is needed of the records."""

    def commit(self, batch: RecordsBatch) -> None:
        """One durable transaction, all or nothing. Raises Unavailable."""
        ...


class People:
    """Decides commands and tells what follows. `offer` and `met` may be called from any thread, all else from
    one.
    """

    def __init__(
        self,
        keeper: AlarmKeeper,
        plant: Plant,
        records: RecordsWriter,
        historian: Historian,
        clock: PlantClock,
        *,
        answer: Callable[[str, bytes], object],
        send: Callable[[Iterable[Pending]], None],
        failpoints: Failpoints,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`answer` publishes a reply on its topic; `send` takes messages whose rows are durable."""
        self._keeper = keeper
        self._plant = plant
        self._records = records
        self._historian = historian
        self._clock = clock
        self._answer = answer
        self._send = send
        self._failpoints = failpoints
        self._monotonic_s = monotonic_s
        self._commands: queue.Queue[bytes] = queue.Queue(WAITING_COMMANDS)
        self.contacts = Contacts()
        self._host: Event | None = None  # whether our name is somebody else's too, where no alarm knows of it
        self._tick_at_s = self._series_at_s = monotonic_s()

    def offer(self, data: bytes) -> None:
        """A command arrived. What has no room, or is longer than any command, is left."""
        if len(data) > MAX_COMMAND_BYTES:
            log.warning("command_too_long", n_bytes=len(data))
            return
        try:
            self._commands.put_nowait(data)
        except queue.Full:
            log.warning("command_dropped", waiting=WAITING_COMMANDS)

    def met(self, contact: Contact) -> None:
        """A gateway came, or is gone. Of another site's nobody could acknowledge an alarm."""
        if contact.edge.partition("/")[0] == self._plant.site_id:
            self.contacts.add(contact)

    def host_taken(self, host_id: str, *, taken: bool) -> None:
        """Another ingest uses our host_id too, or no more."""
        self._host = of_host(self._plant.site_id, host_id, self._clock.now_ns(), taken=taken)

    def turn(self) -> None:
        """Decide what waits, let time go by, tell what is new. Never raises for a store that is down."""
        for _ in range(self._commands.qsize()):
            self._decide(self._commands.get_nowait())
        now_s = self._monotonic_s()
        if now_s >= self._tick_at_s:
            self._tick(now_s)
        self._tell(now_s)

    def heard(self, events: Iterable[Event]) -> None:
        """What these events lead to, made durable. Raises Unavailable: nothing has changed."""
        self._make_durable(self._keeper.after(events))

    def accounted(self, lines: Iterable[LedgerLine], plant_ns: int) -> None:
        """What the ledgers say now: a gateway's frames add up if those of each of its outboxes do, and are
        unknown where all are silent. Raises Unavailable.
        """
        said: dict[str, set[bool]] = {}
        for line in lines:
            site, _, node = line.edge.partition("/")
            if site == self._plant.site_id and line.adds_up is not None:
                said.setdefault(node, set()).add(line.adds_up)
        self.heard(
            of_ledger(self._plant.site_id, node, plant_ns, adds_up=all(words)) for node, words in said.items()
        )

    def _tick(self, now_s: float) -> None:
        self._tick_at_s = now_s + TICK_S
        contacts, host = self.contacts.waiting(), self._host
        events = [*map(_of_contact, contacts), *((host,) if host else ()), Tick(self._clock.now_ns())]
        try:
            self.heard(events)
            self.contacts.told(contacts)
            self._host = None if self._host is host else self._host
        except Unavailable as error:
            log.warning("alarms_not_advanced", error=str(error))
            self._tick_at_s = now_s + RETRY_S

    def _make_durable(self, turn: Turn) -> None:
        if turn.rows is not NO_ROWS:
            self._records.commit(turn.rows)
        self._keeper.keep(turn)

    def _decide(self, data: bytes) -> None:
        """One command, and its reply. Without one it is asked again: by its id it is the same."""
        try:
            command = decode_command(data)
        except DecodeError as error:
            log.warning("command_malformed", error=str(error))
            self._malformed(data, str(error))
            return
        try:
            turn, reply = self._keeper.decided(command, self._plant, self._clock.now_ns())
        except Exception as error:  # noqa: BLE001 - a defect of ours that one command shows must not end the service
            log.error("command_failed", id=command.id, error=repr(error))
            self._malformed(data, f"{type(error).__name__}: {error}")
            return
        try:
            self._make_durable(turn)
        except Unavailable as error:
            log.warning("command_not_done", id=command.id, error=str(error))
            return
        self._reply(reply)
        _log(command, reply)

    def _malformed(self, data: bytes, sentence: str) -> None:
        command_id = readable_id(data)
        if command_id is not None:
            self._reply(Reply(command_id, Outcome.REFUSED, "malformed", {"sentence": sentence}))

    def _reply(self, reply: Reply) -> None:
        self._answer(reply_topic(self._plant.site_id, reply.id), encode_reply(reply))

    def _tell(self, now_s: float) -> None:
        """Messages to who sends them, transitions into the series. After a crash the start does it again."""
        if self._keeper.has_news:
            self._failpoints.reach("before_told")
        if messages := self._keeper.take_messages():
            self._send(messages)
        if now_s < self._series_at_s:
            return
        transitions = self._keeper.take_transitions()
        if not transitions:
            return
        try:
            self._historian.write([rows.event_rows(transitions)])
        except Unavailable as error:
            log.warning("events_not_written", error=str(error))
            self._keeper.give_back(transitions)
            self._series_at_s = now_s + RETRY_S


def _of_contact(contact: Contact) -> Event:
    site, _, node = contact.edge.partition("/")
    return of_gateway(site, node, contact.since_ns, offline=not contact.there)


def _log(command: Command, reply: Reply) -> None:
    log.info(
        "command",
        id=command.id,
        user=command.user,
        ask=type(command.ask).__name__,
        outcome=reply.outcome.value,
        reason=reply.reason,
    )
