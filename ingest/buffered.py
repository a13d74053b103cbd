"""The MQTT client with a buffer between it and its socket.

paho asks the system for a packet's first byte, for each byte of its length, and for its body: five calls and
more for a frame, at each of which the thread that works has to be waited for. Read ahead it is one call for
ten frames, and a third of the time.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from paho.mqtt.client import Client

AHEAD_BYTES: Final = 256 * 1024
"""Ten frames of three blocks of 4,096 samples: what a broker may have sent while the last were worked on."""


class BufferedSocket:
    """A socket that reads ahead; all else is the socket's own. One thread reads."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._ahead = memoryview(bytearray(AHEAD_BYTES))  # one for all: to have new memory takes longer
        self._at = self._end = 0

    def recv(self, n_bytes: int) -> bytes:
        """At most so many bytes; b"" at the end of the stream. Raises what the socket raises."""
        if self._at == self._end:
            if n_bytes >= AHEAD_BYTES:
                return self._socket.recv(n_bytes)
            self._end, self._at = self._socket.recv_into(self._ahead), 0
        stop = min(self._end, self._at + n_bytes)
        found = bytes(self._ahead[self._at : stop])
        self._at = stop
        return found

    def pending(self) -> int:
        """Bytes that were read from the system already: select does not know of them."""
        inner: int = getattr(self._socket, "pending", int)()  # what TLS has decrypted
        return self._end - self._at + inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class BufferedClient(Client):
    """A client that reads through such a socket. Whoever calls `loop_read` looks at `pending` too."""

    def _create_socket(
        self,
    ) -> Any:  # not of the public face: where it goes, so does the buffer, nothing else
        return BufferedSocket(super()._create_socket())  # type: ignore[arg-type]
