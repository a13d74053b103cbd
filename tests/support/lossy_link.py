"""A link that loses chosen messages and nothing else, as a broker whose queue is full: nobody is told."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection

from tests.support.broken_link import PIECE, BrokenLink

PUBLISH = 3


class LossyLink(BrokenLink):
    """Loses the DDATA messages towards the broker whose number, from 0, is in `lost`; `seen` counts them."""

    def __init__(self, to_port: int, lost: Collection[int]) -> None:
        super().__init__(to_port)
        self.seen = 0
        self._lost = lost

    def _pump(self, source: socket.socket, target: socket.socket, onwards: bool) -> None:
        """Towards the broker packet by packet; what comes back as it comes."""
        if not onwards:
            super()._pump(source, target, onwards)
            return
        begun = b""
        while not self._ended.is_set():
            try:
                data = source.recv(PIECE)
            except TimeoutError:
                continue
            except OSError:
                break
            begun += data
            while packet := _first(begun):
                begun = begun[len(packet) :]
                if not (_is_data(packet) and self._is_lost()):
                    self._send(target, packet)
            if not data:
                break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _is_lost(self) -> bool:
        number, self.seen = self.seen, self.seen + 1
        return number in self._lost


def _first(data: bytes) -> bytes:
    """The first whole packet; nothing where it is not whole."""
    length, at = 0, 1
    while at < len(data):
        length |= (data[at] & 127) << (7 * (at - 1))
        at += 1
        if data[at - 1] < 128:
            return data[: at + length] if len(data) >= at + length else b""
    return b""


def _is_data(packet: bytes) -> bool:
    return packet[0] >> 4 == PUBLISH and b"/DDATA/" in packet[:64]
