"""The source `json_mqtt`: values out of JSON messages, or plain numbers, of a broker.

A row says on which topic its value comes and where it stands in the message. Nothing comes from a topic that
no row names, so a stranger at the broker invents no machine. What can't be used is counted, and told once.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from paho.mqtt.client import topic_matches_sub
from paho.mqtt.enums import MQTTProtocolVersion

from edge_agent.backoff import FIRST_PAUSE_S, next_pause_s
from edge_agent.connection import Connection, ConnectionFailedError, Message
from palier.clock import PlantClock
from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE, Frame, Readings
from palier.secret_files import open_to_all
from palier.source import Device
from palier.table_mistakes import TableMistakes
from palier.wire.said import said

from .absent import Absent
from .json_mqtt_path import NothingThereError, value_at
from .json_mqtt_settings import JsonMqttSettings, JsonRow, read_table
from .json_mqtt_values import MISSING, SWITCHES, GarbageError, number_of, time_of
from .reading_pace import Pace
from .reading_table import ReadingTable, Told

TURN_S: Final = 0.1
LARGEST_BYTES: Final = 256 * 1024
"""A message with some values has some hundred bytes; a larger one is a file that somebody published."""

OLDEST_NS: Final = 86_400 * 10**9
AHEAD_NS: Final = 10**9
"""A payload's own time is believed from a day ago (a device that kept its values) to a second ahead."""

MOST_ROUTES: Final = 1_000
"""Topics whose rows are remembered; behind a + anybody may invent more."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Route:
    """The rows, with their places, that a topic concerns: by the topic of the table, and as a status."""

    values: dict[str, list[tuple[int, JsonRow]]] = field(default_factory=dict)
    statuses: list[tuple[int, JsonRow]] = field(default_factory=list)


def open_source(table: Mapping[str, object], clock: PlantClock) -> JsonMqttSource:
    """The entry point. ValueError with a sentence for a mistake in the table."""
    found = TableMistakes()
    settings, rows = read_table(table, found)
    file = settings.broker.password_file
    if file is not None and (warning := open_to_all(file)):
        log.warning("json_mqtt: %s", warning)
    source = JsonMqttSource(settings, rows, clock)
    found.refuse(source.attempt if settings.broker.host else None)
    return source


class JsonMqttSource:
    """Values of one broker. `garbage` counts what could not be used, by topic of the table."""

    def __init__(self, settings: JsonMqttSettings, rows: ReadingTable, clock: PlantClock) -> None:
        self.problem = ""
        self.garbage: Counter[str] = Counter()
        self._settings = settings
        self._rows = rows
        self._clock = clock
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._absent = Absent(rows)
        self._pace = Pace(settings.send_every_s)
        self._tell: Callable[[Readings], None] = lambda _readings: None
        self._said: dict[str, str] = {}  # topic: why its last garbage was none
        self._told_kinds: set[tuple[str, str]] = set()
        self._waiting: dict[int, Told] = {}
        self._heard_s: dict[int, float] = {}  # place: when it was last told, monotonic
        self._last: dict[int, Told] = {}
        self._own_ns: dict[int, int] = {}  # place: the last time that a payload said
        self._said_time = False
        self._routes: dict[str, _Route] = {}
        self._now_ns = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was thrown away, by topic."""
        return tuple(
            said("messages_useless", messages=count, topic=topic, why=self._said.get(topic, ""))
            for topic, count in self.garbage.items()
        )

    def devices(self) -> tuple[Device, ...]:
        """The machines of the rows."""
        return self._rows.devices()

    def tell(self, told: Callable[[Readings], None]) -> None:
        """`told` hears every value as it comes."""
        self._tell = told

    def attempt(self) -> None:
        """Connect and subscribe once. OSError with a sentence where that fails."""
        connection = self._connection()
        try:
            connection.open()
        except ConnectionFailedError as error:
            raise OSError(said("broker_says", where=self._where, why=str(error))) from error
        connection.close()

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The newest value of each row each `send_every_s`; stale or bad ones while none come."""
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            began_s, refused = time.monotonic(), False
            connection = self._connection()
            try:
                connection.open()
                self._is_back()
                yield from self._connected(connection, stop)
                ended = str(connection.ended)
                self._lost(said("broker_ended", where=self._where, why=ended), stop)
            except ConnectionFailedError as error:
                refused = error.refused
                self._protocol = _other(self._protocol) if error.other_protocol else self._protocol
                self._lost(said("broker_says", where=self._where, why=str(error)), stop)
            finally:
                connection.close() if not connection.ended else connection.abandon()
            if stop.is_set():
                return
            yield from self._heard(self._absent.told(time.monotonic(), self._clock.now_ns()))
            steady = time.monotonic() - began_s > 5.0
            pause_s = next_pause_s(pause_s, steady=steady, refused=refused)
            stop.wait(pause_s)

    @property
    def _where(self) -> str:
        return f"{self._settings.broker.host}:{self._settings.broker.port}"

    def _connection(self) -> Connection:
        return Connection(
            self._settings.broker,
            client_id=f"palier-json-{secrets.token_hex(4)}",
            protocol=self._protocol,
            will=None,
            subscriptions=self._settings.subscriptions,
            largest_taken=2 * LARGEST_BYTES,
        )

    def _connected(self, connection: Connection, stop: threading.Event) -> Iterator[Frame]:
        while not stop.is_set() and not connection.ended:
            connection.wait(TURN_S)
            for message in connection.take_messages():
                self._take(message)
            told, self._waiting = [*self._waiting.values(), *self._silent(time.monotonic())], {}
            yield from self._heard(told)

    def _heard(self, told: list[Told]) -> Iterator[Frame]:
        for readings in self._rows.frames(told):
            self._tell(readings)
        self._pace.take(told)
        yield from self._rows.frames(self._pace.due(self._clock.now_ns()))

    def _take(self, message: Message) -> None:
        """A message's values, and what it says of whether its device is there."""
        self._now_ns = self._clock.now_ns()  # one time for all that a message says
        route = self._routes.get(message.topic)
        if route is None:
            if len(self._routes) >= MOST_ROUTES:
                self._routes.clear()
            route = self._routes[message.topic] = self._route(message.topic)
        for place, row in route.statuses:
            self._status(place, row, message)
        for topic, rows in route.values.items():
            self._take_rows(topic, rows, message)

    def _route(self, topic: str) -> _Route:
        """Which rows a topic concerns."""
        route = _Route()
        for place, row in enumerate(self._settings.rows):
            if row.status_topic is not None and topic_matches_sub(row.status_topic, topic):
                route.statuses.append((place, row))
            if topic_matches_sub(row.topic, topic):
                route.values.setdefault(row.topic, []).append((place, row))
        return route

    def _take_rows(self, topic: str, rows: list[tuple[int, JsonRow]], message: Message) -> None:
        try:
            document = _document(message.payload)
        except GarbageError as error:
            self._throw_away(topic, str(error))
            return
        found, why = 0, ""
        for place, row in rows:
            try:
                self._value(place, row, document, retained=message.retained)
            except NothingThereError as error:  # it may hold other values of the table
                why = why or f"{error} ({self._rows.rows[place]})"
            except GarbageError as error:
                found += 1
                self._hear(Told(place, None, self._now_ns, QUALITY_BAD))
                self._throw_away(topic, f"of {self._rows.rows[place]} {error}")
            else:
                found += 1
        if not found:
            self._throw_away(topic, why)

    def _value(self, place: int, row: JsonRow, document: object, *, retained: bool) -> None:
        if row.code_path is not None and (code := value_at(document, row.code_path)) != row.code:
            raise GarbageError(f"the code must be {row.code}, it is {code!r:.40}: is a sensor there?")
        value = number_of(value_at(document, row.path), row.hex)
        at_ns, is_again = (
            (self._now_ns, False) if row.time_path is None else self._own_time(place, row, document)
        )
        old = retained or is_again
        quality = QUALITY_BAD if value is None else QUALITY_STALE if old else QUALITY_GOOD
        self._hear(Told(place, value, at_ns, quality))

    def _own_time(self, place: int, row: JsonRow, document: object) -> tuple[int, bool]:
        """(when a value was taken, whether it says again a time that can't be: an old value that is repeated
        must not become a fresh one by its arrival).
        """
        now_ns = self._now_ns
        at_ns = time_of(value_at(document, row.time_path or ()), row.time_unit)
        is_again, self._own_ns[place] = self._own_ns.get(place) == at_ns, at_ns
        if -AHEAD_NS <= now_ns - at_ns <= OLDEST_NS:
            return min(at_ns, now_ns), False
        if not self._said_time:
            self._said_time = True
            log.warning(
                "json_mqtt: a time on %s is %.0f s off this gateway's: they are dated by their arrival; "
                "is time_unit right, and the device's clock?",
                *(row.topic, (at_ns - now_ns) / 1e9),
            )
        return now_ns, is_again

    def _status(self, place: int, row: JsonRow, message: Message) -> None:
        """A device that says, or of which the broker says, that it is gone has no values."""
        if message.payload.decode("utf-8", "replace").strip() == row.offline:
            self._hear(Told(place, None, self._now_ns, QUALITY_BAD))

    def _hear(self, told: Told) -> None:
        """Of several values that came at once the last one counts."""
        self._waiting[told.place] = self._last[told.place] = told
        self._heard_s[told.place] = time.monotonic()

    def _silent(self, now_s: float) -> list[Told]:
        """Values of which nothing was heard for `silent_s`, as stale, and as bad without one."""
        now_ns, found = self._clock.now_ns(), []
        for row in self._rows.rows:
            if now_s - self._heard_s.setdefault(row.place, now_s) >= self._settings.silent_s:
                self._heard_s[row.place] = now_s
                last = self._last.get(row.place)
                stale = last is not None and last.value is not None
                value, quality = (last.value, QUALITY_STALE) if stale and last else (None, QUALITY_BAD)
                found.append(Told(row.place, value, now_ns, quality))
        return found

    def _throw_away(self, topic: str, why: str) -> None:
        """Counted; each reason is told once. What it is instead differs from message to message."""
        self.garbage[topic] += 1
        kind = (topic, why.partition(", it is ")[0])
        if kind not in self._told_kinds:
            self._told_kinds.add(kind)
            log.error("json_mqtt: a message on %s can't be used: %s; further ones are counted", topic, why)
        self._said[topic] = why

    def _lost(self, why: str, stop: threading.Event) -> None:
        if stop.is_set():
            return
        if why != self.problem:
            log.error("json_mqtt: %s; connecting again", why)
        self.problem = why

    def _is_back(self) -> None:
        if self.problem:
            log.warning("json_mqtt: connected again to %s", self._where)
        self.problem = ""
        self._absent.over()


def _document(payload: bytes) -> object:
    """What a message says: JSON, or a plain text such as devices send for a number or a switch."""
    if len(payload) > LARGEST_BYTES:
        raise GarbageError(f"a message must be at most {LARGEST_BYTES} bytes, it is {len(payload)}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise GarbageError(f"a message must be UTF-8, it is {payload[:24]!r}") from None
    plain = text.strip().lower()
    if plain in MISSING:
        return None
    if plain in SWITCHES:
        return SWITCHES[plain]
    try:
        document: object = json.loads(text, object_pairs_hook=_each_once)
    except GarbageError:
        raise
    except (ValueError, RecursionError):
        raise GarbageError(f"a message must be JSON or a number, it is {text[:60]!r}") from None
    return document


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of a document. Of two values of one name nobody knows which counts (RFC 8259, section 4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise GarbageError("a message must hold each name once, it is told two values of one")
    return found


def _other(protocol: MQTTProtocolVersion) -> MQTTProtocolVersion:
    """A broker that does not know MQTT 5 may close or stay silent."""
    if protocol == MQTTProtocolVersion.MQTTv5:
        return MQTTProtocolVersion.MQTTv311
    return MQTTProtocolVersion.MQTTv5
