"""A link that can be cut, stalled, slowed, and made deaf: a TCP proxy before a broker."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

PIECE = 65_536
SLOW_PIECE = 4096  # so that a slow link flows, and does not come in lumps

Held = deque[tuple[float, bytes]]
"""What is under way on a link with latency: when it is due, and its bytes."""


class BrokenLink:
    """Entered, it listens on `.port` and passes everything on to `to_port`, both on loopback.

    `cut` ends what is connected and takes nobody until `heal`. `stalled` keeps connections and passes nothing
    (half open). `deaf` throws away what comes back from the broker, `mute` what goes to it; cut before either
    ends, or the stream makes no sense. `bytes_per_s` slows what goes to the broker; None is as fast as it
    can. `delay_s` is what each piece takes, both ways.
    """

    def __init__(self, to_port: int) -> None:
        self.stalled = False
        self.deaf = False
        self.mute = False
        self.bytes_per_s: float | None = None
        self.delay_s = 0.0
        self.passed = 0  # bytes to the broker
        self.broken = 0  # cuts that ended a connection
        self._to_port = to_port
        self._open = threading.Event()
        self._open.set()
        self._ended = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = _with_little_memory()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def cut(self) -> None:
        """The cable is out."""
        self._open.clear()
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        self.broken += any(one.fileno() >= 0 for one in sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def heal(self) -> None:
        """The cable is in, and nothing is wrong with it."""
        self.stalled = self.deaf = self.mute = False
        self.bytes_per_s = None
        self.delay_s = 0.0
        self._open.set()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                edge, _ = self._listener.accept()
            except OSError:
                continue
            if not self._open.is_set():
                edge.close()
                continue
            broker = _with_little_memory()
            broker.settimeout(1)
            try:
                broker.connect(("127.0.0.1", self._to_port))
            except OSError:
                edge.close()
                broker.close()
                continue
            for one in (edge, broker):
                one.settimeout(0.05)
            with self._lock:
                self._sockets |= {edge, broker}
            self._start(self._pump, edge, broker, True)
            self._start(self._pump, broker, edge, False)

    def _pump(self, source: socket.socket, target: socket.socket, onwards: bool) -> None:
        """One direction of a connection, until one of its ends is closed."""
        held: Held = deque()
        while not self._ended.is_set() and self._passes(source, target, onwards, held):
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _passes(self, source: socket.socket, target: socket.socket, onwards: bool, held: Held) -> bool:
        """Pass a piece on; False at the end of the connection."""
        if self.stalled:
            return not self._ended.wait(0.02)
        try:
            data = source.recv(SLOW_PIECE if self.bytes_per_s else PIECE)
        except TimeoutError:
            return self._send_due(target, held)
        except OSError:
            return False
        if not data:
            return False
        if onwards:
            self.passed += len(data)
            time.sleep(len(data) / self.bytes_per_s if self.bytes_per_s else 0)
        if self.mute if onwards else self.deaf:
            return True
        held.append((time.monotonic() + self.delay_s, data))
        return self._send_due(target, held)

    def _send_due(self, target: socket.socket, held: Held) -> bool:
        while held and held[0][0] <= time.monotonic():
            if not self._send(target, held.popleft()[1]):
                return False
        return True

    def _send(self, target: socket.socket, data: bytes) -> bool:
        while data and not self._ended.is_set():
            try:
                data = data[target.send(data) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return True


def _with_little_memory() -> socket.socket:
    """A socket, of a cable: what does not pass stays with who sends it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
    return made
