"""One connection to an OPC UA server, from its opening to whatever ends it, which is always an OSError.

Nothing here goes on after a doubt: a session that was forgotten, a subscription that is gone or silent, a
read without an answer, each ends the connection, and the source opens the next one. asyncua's own
reconnecting is off: what it can't see (a lost item, a stopped publisher) is what plants complain of.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_session import UaSession
from asyncua.common.subscription import DataChangeEvent, StatusChangeEvent, Subscription
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError

from palier.wire.said import said

from .opcua_refusals import LostError, sentence
from .opcua_settings import NODE_ID, OpcUaSettings
from .opcua_watch import KEEP_ALIVE_S, Watch

REQUEST_S: Final = 4.0  # for an answer to one request; a busy PLC takes a second
OPEN_S: Final = 12.0  # for all requests of an opening
PROBE_S: Final = 2.0  # between two looks whether the server lives
SESSION_MS: Final = 60_000
"""How long a server keeps a session that nobody uses: a gateway that was killed must not use up its few."""

PATIENCE_S: Final = 10.0  # a server may sample less often than it was asked to
TURN_S: Final = 0.2  # how long it waits for a message before it looks round
AT_ONCE: Final = 100  # nodes in one request; servers allow some hundreds
APPLICATION_URI: Final = "urn:palier:gateway"

Heard = tuple[int, ua.DataValue, bool]
"""(place of the row, what was told, whether it is a change; else it was read, or is the first one told)."""

log = logging.getLogger(__name__)


class Session:
    """An open connection with a subscription to `nodes`, a node id for each row. Made by `opened`."""

    def __init__(self, client: Client, settings: OpcUaSettings, nodes: list[ua.NodeId]) -> None:
        self._client = client
        self._settings = settings
        self._nodes = nodes
        self._places: dict[int, int] = {}  # client handle: row
        self._first: set[int] = set()  # rows of which the first value is still to come
        self._watch = Watch(time.monotonic())
        self._subscription: Subscription
        self.gone = ""  # why the client says that the connection ended

    async def subscribe(self) -> None:
        """Create the subscription and its items. LostError where the server refuses it altogether."""
        every_ms = self._settings.every_s * 1000
        alive = max(1, round(KEEP_ALIVE_S / self._settings.every_s))
        wanted = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=every_ms,
            RequestedLifetimeCount=max(3 * alive, round(SESSION_MS / every_ms)),
            RequestedMaxKeepAliveCount=alive,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=0,
        )
        server: UaSession = self._client.uaclient.session
        self._subscription = Subscription(server, wanted, queue_maxsize=10_000)
        granted = await self._subscription.init()
        count = max(1, granted.RevisedMaxKeepAliveCount)
        self._watch = Watch(
            time.monotonic(),
            count * granted.RevisedPublishingInterval / 1000,
            max(PATIENCE_S, 2 * self._settings.sampling_s + self._settings.every_s),
        )
        await self._subscribe_to(range(len(self._nodes)))

    async def _subscribe_to(self, places: range | list[int]) -> None:
        """Items for these rows. One that the server refuses has none, and is read instead."""
        for begin in range(0, len(places), AT_ONCE):
            some = places[begin : begin + AT_ONCE]
            items = [self._item(place) for place in some]
            for item, place in zip(items, some, strict=True):
                self._places[item.RequestedParameters.ClientHandle] = place
            self._first.update(some)
            made = await self._subscription.create_monitored_items(items)
            for item, place, result in zip(items, some, made, strict=True):
                if isinstance(result, ua.StatusCode):
                    del self._places[item.RequestedParameters.ClientHandle]
                    self._first.discard(place)

    def _item(self, place: int) -> ua.MonitoredItemCreateRequest:
        handle = place + 1 if place + 1 not in self._places else max(self._places) + 1
        asked = ua.MonitoringParameters(
            ClientHandle=handle,
            SamplingInterval=self._settings.sampling_s * 1000,
            QueueSize=self._settings.queue,
            DiscardOldest=True,
        )
        what = ua.ReadValueId(NodeId=self._nodes[place], AttributeId=AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(what, ua.MonitoringMode.Reporting, asked)

    async def read(self) -> list[Heard]:
        """Every value, read now; what can be read and has no item is subscribed to again."""
        found: list[Heard] = []
        for begin in range(0, len(self._nodes), AT_ONCE):
            nodes = self._nodes[begin : begin + AT_ONCE]
            told = await self._client.uaclient.read_attributes(nodes, AttributeIds.Value)
            found += [(begin + k, value, False) for k, value in enumerate(told)]
        now_s, with_item = time.monotonic(), set(self._places.values())
        for place, value, _ in found:
            if place in with_item and not self._watch.read(place, now_s, _raw(value)):
                raise LostError("the subscription tells nothing of a value that changes")
        alone = [p for p, value, _ in found if p not in with_item and _raw(value) is not None]
        if alone:
            await self._subscribe_to(alone)
        return found

    async def heard(self) -> list[Heard]:
        """What the subscription told since the last call, after `TURN_S` at the latest. LostError."""
        found: list[Heard] = []
        event = await self._next(TURN_S)
        while event is not None:
            if isinstance(event, StatusChangeEvent):
                raise LostError(f"the server ended the subscription: {event.notification.Status.name}")
            if isinstance(event, DataChangeEvent):
                found += self._change(event)
            event = await self._next(0) if len(found) < 1000 else None
        self._must_live()
        return found

    def _change(self, event: DataChangeEvent) -> list[Heard]:
        item = event.data.monitored_item
        place = self._places.get(item.ClientHandle)
        if place is None:
            return []
        self._watch.told(place, time.monotonic(), _raw(item.Value))
        first = place in self._first
        self._first.discard(place)
        return [(place, item.Value, not first)]

    async def _next(self, seconds: float) -> object:
        try:
            return await self._subscription.next_event(seconds or 0.0001)
        except StopAsyncIteration:
            raise LostError("the subscription is closed") from None

    def _must_live(self) -> None:
        if self.gone:
            raise LostError(self.gone)
        silent_s = self._watch.silence(time.monotonic(), self._subscription.last_publish_at)
        if silent_s is not None:
            raise LostError(said("opcua_silent", seconds=round(silent_s)))


@asynccontextmanager
async def opened(
    settings: OpcUaSettings,
    node_ids: list[str],
    noted: Callable[[tuple[str, ...]], None],
) -> AsyncIterator[Session]:
    """A connection for the length of the block. Raises OSError with a sentence; `noted` gets what is told of
    certificates.
    """
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what went wrong is told in our sentences
    client = Client(settings.url, timeout=REQUEST_S, watchdog_intervall=PROBE_S)
    client.name = client.description = "Palier"
    client.application_uri = APPLICATION_URI
    client.session_timeout = SESSION_MS
    try:
        async with asyncio.timeout(OPEN_S):
            session = await _open(client, settings, node_ids, noted)
        yield session
    except Exception as error:
        raise sentence(error, settings) from error
    finally:
        await _closed(client)


async def _open(
    client: Client, settings: OpcUaSettings, node_ids: list[str], noted: Callable[[tuple[str, ...]], None]
) -> Session:
    noted(await _secure(client, settings) if settings.secure else ())
    if settings.username is not None and settings.password_file is not None:
        client.set_user(settings.username)
        client.set_password(settings.password_file.read_text("utf-8").strip())
    await client.connect()
    session = Session(client, settings, await _resolved(client, node_ids))

    async def lost(error: Exception) -> None:
        session.gone = session.gone or f"the connection is lost ({type(error).__name__})"

    client.connection_lost_callback = lost
    await session.subscribe()
    return session


async def _secure(client: Client, settings: OpcUaSettings) -> tuple[str, ...]:
    """Signed and encrypted from here on, with a server whose certificate was checked; what to tell of it."""
    from . import opcua_certificates as certificates

    now = dt.datetime.now(dt.UTC)
    me = certificates.own_identity(settings, now)
    offered = await client.connect_and_get_server_endpoints()
    mode = ua.MessageSecurityMode.SignAndEncrypt
    try:
        endpoint = Client.find_endpoint(offered, mode, SecurityPolicyBasic256Sha256.URI)
    except UaError:
        named = sorted({str(one.SecurityPolicyUri).rpartition("#")[2] for one in offered})
        raise LostError(
            f"the server offers no endpoint with {settings.security}, SignAndEncrypt; it offers "
            f"{', '.join(named) or 'none'}: set it up there"
        ) from None
    shown = first_of_chain(endpoint.ServerCertificate or b"")
    note = certificates.check_server(shown, settings, now)
    client.application_uri = me.uri
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        CertProperties(me.certificate, "der"),
        CertProperties(me.key, "der"),
        server_certificate=CertProperties(shown, "der"),
        mode=mode,
    )
    return tuple(filter(None, (me.note, note)))


def first_of_chain(der: bytes) -> bytes:
    """The leading certificate of DER bytes that may hold the chain behind it: an ASN.1 SEQUENCE (X.690)."""
    if len(der) < 4 or der[0] != 0x30 or der[1] != 0x82:  # shorter ones than 256 bytes there are none
        return der
    return der[: int.from_bytes(der[2:4], "big") + 4]


async def _resolved(client: Client, node_ids: list[str]) -> list[ua.NodeId]:
    """Node ids of this connection: an index of namespaces may be another one after the server's restart."""
    uris: list[str] = []
    if any(text.startswith("nsu=") for text in node_ids):
        uris = await client.get_namespace_array()
    found = []
    for text in node_ids:
        match = NODE_ID.fullmatch(text)
        uri = match["uri"] if match else None
        if uri is not None and uri not in uris:
            raise LostError(f"the server has no namespace {uri!r} (node_id {text!r}); it has {uris}")
        index = f"ns={uris.index(uri)};" if uri is not None else ""
        found.append(ua.NodeId.from_string(index + text.removeprefix(f"nsu={uri};")))
    return found


def _raw(value: ua.DataValue | None) -> object:
    """What a value is compared by: nothing where the status is bad."""
    if (
        value is None
        or value.Value is None
        or (value.StatusCode is not None and value.StatusCode.value >> 31)
    ):
        return None
    told = value.Value.Value
    return "nan" if isinstance(told, float) and math.isnan(told) else told  # which is not equal to itself


async def _closed(client: Client) -> None:
    """Say goodbye to a server that listens, and leave nothing open to one that does not."""
    protocol = client.uaclient.protocol
    with suppress(Exception):
        await asyncio.wait_for(client.disconnect(), REQUEST_S / 2)
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()  # closing would wait for what is still to be written
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:  # what the client may have left running: this loop is the source's own
        await asyncio.wait(left, timeout=1.0)
    await asyncio.sleep(0)  # sockets close in the loop's next turn
