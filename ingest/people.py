"""What people ask, what time does to alarms, and who is told of them: done between two commits, by the one
thread that owns the stores."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

import structlog

from palier.alarms import AlarmKey, Mode
from palier.clock import PlantClock
from palier.gateways import GatewayTold
from palier.historian.base import Historian, Unavailable
from palier.historian.rows import RecordsBatch
from palier.ledger import LedgerLine
from palier.operations import Ask, Command, Configure, Outcome, Reply, SendAgain, TellGateway
from palier.plant import Plant
from palier.wire.configuration import Configuration
from palier.wire.operations import (
    MAX_CONFIGURE_BYTES,
    decode_command,
    encode_reply,
    readable_id,
    reply_topic,
)
from palier.wire.payload import DecodeError

from . import configurations, rows
from .alarm_evidence import of_gateway, of_host, of_ledger
from .alarm_keeping import NO_ROWS, AlarmKeeper, Turn
from .alarm_life import Evidence
from .alarms import Event, Tick
from .batch import Contact, Wanted
from .conditions import BrokerDrops
from .contacts import Contacts
from .failpoints import Failpoints
from .gateway_words import GatewayWords, Word
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
    """Decides commands and tells what follows. `offer`, `met`, `host_taken` and `gateway_says` may be called
    from any thread, all else from one.
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
        host_id: str = "palier",
        want: Callable[[Wanted], object] = lambda _: None,
        gateway: Callable[[str], GatewayTold | None] = lambda _: None,
        nodes: Callable[[str], frozenset[str] | None] = lambda _: None,
        configure: Callable[[Configuration], object] = lambda _: None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`answer` publishes a reply on its topic; `send` takes messages whose rows are durable; `want` has a
        gateway asked for a period once more; `gateway` is what the records hold of one, `nodes` who there
        are when that one is named; `configure` sends it a configuration.
        """
        self._keeper = keeper
        self._plant = plant
        self._records = records
        self._historian = historian
        self._clock = clock
        self._answer = answer
        self._send = send
        self._failpoints = failpoints
        self._want = want
        self._gateway = gateway
        self._nodes = nodes
        self._configure = configure
        self._monotonic_s = monotonic_s
        self._commands: queue.Queue[bytes] = queue.Queue(WAITING_COMMANDS)
        self.contacts = Contacts()
        self.words = GatewayWords()
        self.host = f"{plant.site_id}/{host_id}"
        self._broker = BrokerDrops()
        self._host: Event | None = None  # whether our name is somebody else's too, where no alarm knows of it
        self._tick_at_s = self._series_at_s = monotonic_s()

    def offer(self, data: bytes) -> None:
        """A command arrived. What has no room, or is longer than any command, is left."""
        if len(data) > MAX_CONFIGURE_BYTES:
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

    def gateway_says(self, edge: str, kind: str, detail: Mapping[str, float | None], active: bool) -> None:
        """Something is the matter with a gateway ("site/node"), or with the host under its own name, or is so
        no more: `kind` is one of `palier.alarm_modes.GATEWAY_KINDS`, `detail` its numbers by name.

        The alarm of that kind comes and goes with `active`. The same word again costs nothing, so that a
        caller need not remember; after a start it says once how it is, also where all is well: what stood
        when the ingest ended would stand for ever. Of another site's nobody could acknowledge an alarm.
        ValueError for a kind that is none.
        """
        if edge.partition("/")[0] == self._plant.site_id:
            self.words.say(edge, kind, detail, active=active, ts_ns=self._clock.now_ns())

    def broker_dropped(self, n: int) -> None:
        """How many messages the broker says that it dropped since it started; any thread."""
        self._broker.heard(n)

    @property
    def standing(self) -> tuple[tuple[str, Mode], ...]:
        """The gateways ("site/node"), and the host, of which an alarm stands, each with its kind."""
        known = self._keeper.desk.alarms.known.values()
        return tuple((f"{a.key.site}/{a.key.machine}", a.key.mode) for a in known if a.standing)

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
        said: dict[str, list[LedgerLine]] = {}
        for line in lines:
            site, _, node = line.edge.partition("/")
            if site == self._plant.site_id and line.adds_up is not None:
                said.setdefault(node, []).append(line)
        self.heard(
            of_ledger(
                self._plant.site_id,
                node,
                plant_ns,
                adds_up=all(line.adds_up for line in of_node),
                missing=sum(line.missing for line in of_node),
                twice=sum(line.twice for line in of_node),
            )
            for node, of_node in said.items()
        )

    def _hear_broker(self, now_s: float) -> None:
        site, _, name = self.host.partition("/")
        alarm = self._keeper.desk.alarms.known.get(AlarmKey(site, name, "", Mode.BROKER_DROPPING))
        told = alarm.causes[0].value if alarm and alarm.standing and alarm.causes else None
        if (said := self._broker.turn(told, now_s)) is not None:
            self.gateway_says(self.host, Mode.BROKER_DROPPING, *said)

    def _tick(self, now_s: float) -> None:
        self._tick_at_s = now_s + TICK_S
        self._hear_broker(now_s)
        contacts, host, words = self.contacts.waiting(), self._host, self.words.waiting(now_s)
        events = [*map(_of_contact, contacts), *((host,) if host else ()), *self._of_words(words)]
        try:
            self.heard([*events, Tick(self._clock.now_ns())])
            self.contacts.told(contacts)
            self.words.told(words, now_s)
            self._host = None if self._host is host else self._host
        except Unavailable as error:
            log.warning("alarms_not_advanced", error=str(error))
            self._tick_at_s = now_s + RETRY_S

    def _of_words(self, words: Iterable[Word]) -> Iterator[Evidence]:
        """As the alarms take them: a clock that was set back must not make them deaf."""
        heard: dict[AlarmKey, int] = {}
        for word in words:
            key = word.evidence.key
            known = self._keeper.desk.alarms.known.get(key)
            last_ns = heard.get(
                key, known.heard_ns if known and known.heard_ns is not None else word.ts_ns - 1
            )
            heard[key] = max(word.ts_ns, last_ns + 1)
            yield replace(word.evidence, ts_ns=heard[key])

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
            gateway, nodes = self._gateway_of(command.ask), self._nodes_of(command.ask)
            if isinstance(ask := command.ask, TellGateway):
                self._reply(configurations.tell(ask, command.id, self._plant.site_id, gateway, nodes))
                return
            turn, reply = self._keeper.decided(command, self._plant, self._clock.now_ns(), gateway, nodes)
        except Unavailable as error:
            log.warning("command_not_done", id=command.id, error=str(error))
            return
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
        if isinstance(ask, SendAgain) and reply.outcome is Outcome.DONE:
            self._want(Wanted(ask.edge, ask.from_ns, ask.to_ns, command.id, ask.again, ask.waveforms_of))
        if isinstance(ask, Configure) and reply.outcome is Outcome.DONE:  # once more where it is asked again
            self._configure(configurations.order(ask, command.id))

    def _gateway_of(self, ask: Ask) -> GatewayTold | None:
        """The gateway that something is asked of, as it said last. Raises Unavailable."""
        return self._gateway(ask.edge) if isinstance(ask, Configure | TellGateway) else None

    def _nodes_of(self, ask: Ask) -> frozenset[str] | None:
        """The gateways that there are, where one of them is asked. Raises Unavailable."""
        return self._nodes(ask.edge) if isinstance(ask, Configure | SendAgain | TellGateway) else None

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
