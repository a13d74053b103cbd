"""Plays the gateways of a fleet: `python -m benchmarks.ingest_publisher FILE`, one process, one connection.

A JSON file tells it what to do, on standard output it says what came of it. MQTT is written by hand: a client
library would take a tenth of the machine that is measured. As a gateway does it waits for the host, gives
births, gives them again when asked, and has no more in flight than the host's credit allows.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from palier.wire.messages import Stored, is_rebirth, read_stored
from palier.wire.payload import decode
from palier.wire.state import decode_state
from palier.wire.topics import parse, state_topic

from .ingest_fleet import HOST, SITE, Fleet, Gateway, Message, Templates, varint
from .machine import cpu_seconds

MAX_FRAMES_IN_FLIGHT: Final = 100  # a gateway's own bound, whatever the credit
SETTLE_S: Final = 30.0  # the longest that the host may take to come online, and frames to be acknowledged
POLL_S: Final = 0.05
READ_BYTES: Final = 1 << 18
AHEAD: Final = 8
"""Frames written before acknowledgements are looked for again."""


class Mqtt:
    """MQTT 3.1.1 as far as it is needed: CONNECT, SUBSCRIBE, and PUBLISH of QoS 0 both ways."""

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SETTLE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._buffer = b""
        self.sent_bytes = 0
        self._packet(0x10, b"\0\4MQTT\4\2\0\0" + _text(client_id.encode()))

    def subscribe(self, topic: str) -> None:
        """QoS 0."""
        self._packet(0x82, b"\0\1" + _text(topic.encode()) + b"\0")

    def publish(self, message: Message) -> None:
        """QoS 0; blocks while the broker takes nothing."""
        self._packet(0x30, _text(message.topic), *message.parts)

    def received(self, timeout_s: float) -> Iterator[tuple[str, bytes]]:
        """(topic, payload) of what has arrived within the time."""
        readable, _, _ = select.select([self._socket], (), (), timeout_s)
        if not readable:
            return
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the broker closed the connection")
        self._buffer += data
        while packet := self._cut():
            kind, body = packet
            if kind >> 4 == 3:
                n = int.from_bytes(body[:2], "big")
                skip = 2 + n + (2 if kind & 6 else 0)
                yield body[2 : 2 + n].decode(), body[skip:]

    def _cut(self) -> tuple[int, bytes] | None:
        """The first whole packet of what was read."""
        length, at = 0, 1
        while at < len(self._buffer):
            byte = self._buffer[at]
            length |= (byte & 127) << (7 * (at - 1))
            at += 1
            if byte < 128:
                break
        else:
            return None
        if len(self._buffer) < at + length:
            return None
        kind, body = self._buffer[0], self._buffer[at : at + length]
        self._buffer = self._buffer[at + length :]
        return kind, body

    def _packet(self, kind: int, *parts: bytes) -> None:
        data = b"".join((bytes((kind,)), varint(sum(map(len, parts))), *parts))
        self._socket.sendall(data)
        self.sent_bytes += len(data)


@dataclass
class Played:
    """One gateway as it is played: its credit, and when each frame in flight was written."""

    gateway: Gateway
    credit: int = 0
    sent_s: dict[int, float] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        """Whether it may send one more."""
        return len(self.sent_s) < min(self.credit, MAX_FRAMES_IN_FLIGHT)


class Publisher:
    """Sends as fast as the credit allows, or `rate` frames a second if that is less."""

    def __init__(self, port: int, fleet: Fleet, start_ns: int) -> None:
        templates = Templates()
        self._played = {
            played.gateway.node: played
            for played in (Played(Gateway(fleet, i, templates, start_ns)) for i in range(fleet.gateways))
        }
        self._turn = list(self._played.values())
        self._mqtt = Mqtt(port, "palier-bench-publisher")
        self._online = False
        self.frames = 0
        self.frame_bytes = 0
        self.stored: list[tuple[float, float]] = []  # (when written, when acknowledged)
        self.rebirths = 0

    def connect(self) -> None:
        """Wait for the host and for its answer to all births."""
        self._mqtt.subscribe(state_topic(HOST))
        self._wait(lambda: self._online, "the host to come online")
        self._mqtt.subscribe(f"spBv1.0/{SITE}/NCMD/#")
        for played in self._turn:
            self._birth(played)
        self._wait(lambda: all(p.credit for p in self._turn), "the host's answer to the births")

    def run(self, seconds: float, rate: float | None) -> None:
        """Send for so long; then wait until all is acknowledged."""
        began_s = time.perf_counter()
        first = self.frames
        while (now_s := time.perf_counter()) < began_s + seconds:
            due = AHEAD if rate is None else round((now_s - began_s) * rate) - (self.frames - first)
            sent = self._send(min(due, AHEAD))
            if rate is None:
                self._listen(0.0 if sent == AHEAD else POLL_S)
            else:
                next_s = began_s + (self.frames - first + 1) / rate - time.perf_counter()
                self._listen(max(0.0, next_s) if sent == due else POLL_S)

    def run_first(self, frames: int) -> None:
        """Send the first blocks, of which spectra are kept: that is once a day for a point."""
        while self.frames < frames:
            self._send(min(AHEAD, frames - self.frames))
            self._listen(POLL_S)
        self.settle()

    def settle(self) -> None:
        """Wait until all is acknowledged."""
        self._wait(lambda: not any(p.sent_s for p in self._turn), "the acknowledgement of all frames")

    def _send(self, most: int) -> int:
        """Frames in turn of all that may send; how many were written."""
        sent = 0
        for _ in range(len(self._turn)):
            if sent >= most:
                break
            played = self._turn.pop(0)
            self._turn.append(played)
            if played.free:
                self._frame(played)
                sent += 1
        return sent

    def _frame(self, played: Played) -> None:
        seq, message = played.gateway.next_frame()
        before = self._mqtt.sent_bytes
        played.sent_s[seq] = time.perf_counter()
        self._mqtt.publish(message)
        self.frame_bytes += self._mqtt.sent_bytes - before
        self.frames += 1

    def _listen(self, timeout_s: float) -> None:
        for topic, payload in self._mqtt.received(timeout_s):
            if topic == state_topic(HOST):
                self._online = decode_state(payload).online
                continue
            played = self._played[parse(topic).node]
            told = decode(payload)
            if (stored := read_stored(told)) is not None:
                self._stored(played, stored, time.perf_counter())
            if is_rebirth(told):
                self.rebirths += 1
                self._birth(played)

    def _stored(self, played: Played, told: Stored, now_s: float) -> None:
        played.credit = told.credit_frames
        for low, high in told.ranges:
            for seq in range(low, high + 1):
                sent_s = played.sent_s.pop(seq, None)
                if sent_s is not None:
                    self.stored.append((sent_s, now_s))

    def _birth(self, played: Played) -> None:
        for message in played.gateway.births():
            self._mqtt.publish(message)

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        deadline_s = time.perf_counter() + SETTLE_S
        while not done():
            if time.perf_counter() > deadline_s:
                raise TimeoutError(f"waited {SETTLE_S:g} s for {what}")
            self._listen(POLL_S)


def publish(told: dict[str, Any]) -> dict[str, Any]:
    """Sends through the warm-up, at full credit, and at a third of what that gave."""
    publisher = Publisher(told["port"], Fleet(*told["fleet"]), time.time_ns())
    publisher.connect()
    publisher.run_first(Fleet(*told["fleet"]).points)
    time.sleep(told["rest_s"])  # what the store makes of so many rows
    publisher.run(told["warm_s"], None)
    if told["mark"]:
        os.kill(told["pids"]["ingest"], signal.SIGUSR1)
    found = {"full": _measured(publisher, told["full_s"], None, told["pids"])}
    if told["third_s"]:
        rate = found["full"]["stored"] / found["full"]["seconds"] / 3
        publisher.run(told["warm_s"], rate)
        found["third"] = {"rate": rate, **_measured(publisher, told["third_s"], rate, told["pids"])}
    return {
        **found,
        "published": publisher.frames,
        "acknowledged": len(publisher.stored),
        "bytes_per_frame": publisher.frame_bytes / publisher.frames,
        "rebirths": publisher.rebirths,
    }


def _measured(
    publisher: Publisher, seconds: float, rate: float | None, pids: Mapping[str, int]
) -> dict[str, Any]:
    """What was acknowledged in that time, and processor seconds by process."""
    pids = {**pids, "publisher": os.getpid()}
    began_s, cpu = time.perf_counter(), {name: cpu_seconds(pid) for name, pid in pids.items()}
    publisher.run(seconds, rate)
    ended_s = time.perf_counter()
    used = {name: cpu_seconds(pid) - cpu[name] for name, pid in pids.items()}
    publisher.settle()
    stored = [(sent, back) for sent, back in publisher.stored if began_s <= back < ended_s]
    return {
        "seconds": ended_s - began_s,
        "stored": len(stored),
        "latency_ms": [round(1e3 * (back - sent), 3) for sent, back in stored],
        "cpu_s": used,
    }


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


if __name__ == "__main__":
    json.dump(publish(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
