"""STATE: whether the host is there, as JSON retained on its own topic; and what each side makes of it. Pure.

Rules of the host
1. Each CONNECT has its own timestamp Tc, above all before it, whatever the clock did (`connect_timestamp`).
   The will (offline) carries Tc, and so does the online message: an edge believes an offline only when it is
   not older than the online it knows.
   (tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp)
2. Order: connect with the will; subscribe to the own STATE and to the data; wait for SUBACK; publish online.
3. An offline heard on the own topic is answered with the same online, the same Tc (`answer`). A fresh
   timestamp there would make every edge ignore the next real death.
   (tck-id-message-flow-hid-sparkplug-state-message-delivered)

Rules of the edge (`hear`), which remembers the timestamp of the last online since its own connect

| heard | nothing remembered | remembered T |
|---|---|---|
| online, ts = T | - | ignore |
| online, ts != T | the host is there | a new host session: births and sync again |
| offline, ts >= T | ignore: keep waiting | the host is gone: NDEATH, disconnect, wait |
| offline, ts < T | ignore: keep waiting | ignore: the will of an earlier connection |

An online with an *older* timestamp counts too: a host whose clock was set back must not strand its gateways.
An "online" is never a proof, a retained one may be stale: it opens a window, acknowledgements keep it open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final

from .payload import DecodeError, Reason

MAX_STATE_BYTES: Final = 1024
"""Two fields take 45 bytes; others may add some of their own."""

_MAX_MS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class HostState:
    """What a STATE message says; `timestamp_ms` is ms since 1970 UTC of the CONNECT it belongs to."""

    online: bool
    timestamp_ms: int


def encode_state(state: HostState) -> bytes:
    """The JSON that Sparkplug 3.0 wants (tck-id-payloads-state-birth-payload)."""
    return json.dumps({"online": state.online, "timestamp": state.timestamp_ms}).encode()


def decode_state(data: bytes) -> HostState:
    """What a STATE message says. DecodeError, and nothing else, whatever the bytes."""
    if len(data) > MAX_STATE_BYTES:
        raise DecodeError(Reason.SIZE, f"a STATE must be at most {MAX_STATE_BYTES} bytes, got {len(data)}")
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DecodeError(Reason.DECODE, f"a STATE must be JSON: {error}") from error
    if not isinstance(read, dict) or not {"online", "timestamp"} <= read.keys():
        raise DecodeError(Reason.SCHEMA, "a STATE must be an object with online and timestamp")
    online, timestamp = read["online"], read["timestamp"]
    if not isinstance(online, bool) or not isinstance(timestamp, int) or isinstance(timestamp, bool):
        raise DecodeError(Reason.TYPE, "a STATE's online must be true or false, its timestamp an integer")
    if not 0 <= timestamp <= _MAX_MS:
        raise DecodeError(Reason.RANGE, f"a STATE's timestamp must be 0 to {_MAX_MS} ms, got another")
    return HostState(online, timestamp)


def connect_timestamp(now_ms: int, last_ms: int | None) -> int:
    """Tc of the next CONNECT: strictly above the last one, also when the clock stepped back."""
    return now_ms if last_ms is None else max(now_ms, last_ms + 1)


def answer(own: HostState | None, heard: HostState) -> HostState | None:
    """What a host publishes on its own topic when it hears `heard` there: `own` again, or nothing.

    `own` is what it published since it connected, None before.
    """
    return own if own is not None and own.online and not heard.online else None


class Reaction(Enum):
    """What an edge node does on a STATE message of its host."""

    IGNORE = "ignore"
    HOST_ONLINE = "host_online"  # publish births, then send
    NEW_SESSION = "new_session"  # the host restarted unseen: births and sync again
    HOST_OFFLINE = "host_offline"  # stop sending; NDEATH, disconnect, reconnect, wait


@dataclass(frozen=True, slots=True)
class HostView:
    """What an edge node knows of its host since its own connect: start each connection with a new one.

    `online_ms` is the timestamp of the last online, None while the host is not there.
    """

    online_ms: int | None = None


def hear(view: HostView, state: HostState) -> tuple[HostView, Reaction]:
    """The edge's step on a STATE message; see the table above."""
    known = view.online_ms
    if state.online:
        if known is None:
            return HostView(state.timestamp_ms), Reaction.HOST_ONLINE
        if known == state.timestamp_ms:
            return view, Reaction.IGNORE
        return HostView(state.timestamp_ms), Reaction.NEW_SESSION
    if known is None or state.timestamp_ms < known:
        return view, Reaction.IGNORE
    return HostView(), Reaction.HOST_OFFLINE
