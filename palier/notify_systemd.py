"""A word to the service manager that started us, by sd_notify's protocol: ready, alive, what we do, going.

A datagram to the socket that systemd names in `NOTIFY_SOCKET`; without one (a terminal, a container) nothing
happens. Standard library only: a gateway's agent imports this. sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

ASKED_TWICE: Final = 2.0
"""sd_watchdog_enabled(3) advises to speak twice within the time after which silence counts as a hang."""


class Notifier:
    """Speaks to the manager; `close` at the end. Every method may be called where there is no manager."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """`NOTIFY_SOCKET` and `WATCHDOG_USEC` count, where `WATCHDOG_PID` is not another's."""
        self._to = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environ)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._to else None
        if self._socket is not None:
            self._socket.setblocking(False)  # a manager that does not read must not stop the service

    def ready(self, status: str) -> None:
        """The service does its work; units ordered after it may start."""
        self._say("READY=1", f"STATUS={status}")

    def alive(self, status: str) -> None:
        """The service made progress: the watchdog's time starts anew."""
        self._say("WATCHDOG=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """A line for `systemctl status`, and no sign of life."""
        self._say(f"STATUS={status}")

    def stopping(self) -> None:
        """The service ends by itself."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, *lines: str) -> None:
        if self._socket is None:
            return
        told = "\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace")
        where = "\0" + self._to[1:] if self._to.startswith("@") else self._to
        with contextlib.suppress(OSError):  # the manager's socket is full or gone: the next word comes soon
            self._socket.sendto(told, where)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """How often `alive` must be said, s: half the time the manager waits; None where it does not watch."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (pid.isdecimal() and int(pid) != os.getpid()):
        return None
    return int(microseconds) / 1e6 / ASKED_TWICE
