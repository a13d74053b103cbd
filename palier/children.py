"""Child processes that never outlive their parent: started, watched until ready, stopped in order.

Each child leads a process group of its own, so that Ctrl-C at a terminal reaches the parent alone, which then
stops its children in the order it wants. On Linux the kernel kills a child when the thread that started it
ends (prctl PR_SET_PDEATHSIG), also after kill -9: start children from the main thread.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

POLL_S: Final = 0.05
LAST_LINES: Final = 12
"""How much of a log explains a failure on a screen; the file has the rest."""

LISTENERS: Final = range(20_000, 32_768)
"""Ports to listen on: above those of known services, below those of outgoing connections (Linux: 32768)."""

# Runs between fork and the program itself: asks for the signal first, then looks whether the parent is still
# there (it may have died in between). Done by a small interpreter, not by preexec_fn, which may deadlock when
# the parent has threads. The setting survives exec, but not a change of user.
LAUNCHER: Final = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildError(Exception):
    """A child did not start, or ended: the sentence names it, says why, and where its log is."""


@dataclass
class Child:
    """A running child: its name for people, its process, and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    def explain(self, what: str) -> ChildError:
        """An error that says `what` and shows the last lines of the log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        shown = "\n".join(f"  | {line}" for line in lines) or "  | (it wrote nothing)"
        return ChildError(f"{self.name} {what}. The end of its log {self.log}:\n{shown}")


def start(
    name: str, command: Sequence[str | os.PathLike[str]], log: Path, *, env: Mapping[str, str] | None = None
) -> Child:
    """Start a program with its output appended to `log`. `env` comes on top of the parent's environment.

    Raises ChildError when the log can't be written.
    """
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid())]
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*launcher, *(os.fspath(part) for part in command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                process_group=0,
            )
    except OSError as error:
        raise ChildError(f"{name} can't be started with its log at {log}: {error.strerror}") from error
    return Child(name, process, log)


def wait_until(child: Child, ready: Callable[[], bool], seconds: float) -> None:
    """Return once `ready` is true. Raises ChildError when the child ends, or is not ready in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not child.running:
            raise child.explain(f"ended at its start with exit code {child.process.returncode}")
        if time.monotonic() > deadline:
            raise child.explain(f"was not ready within {seconds:g} s")
        time.sleep(POLL_S)


def stop(children: Sequence[Child], grace_s: float) -> None:
    """End the children one after another, in that order: SIGTERM, SIGKILL to the group after `grace_s`."""
    for child in children:
        child.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(grace_s)
        _kill_group(child.process)
        child.process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """What the child may have started and left behind ends with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # PermissionError: macOS, for a group of zombies
        return


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment.

    Not one that the kernel would choose: those are also given to outgoing connections, and one of them may
    have it before the listener that it is for.
    """
    while not port_is_free(port := random.choice(LISTENERS)):  # noqa: S311 - no secret
        pass
    return port


def port_is_free(port: int) -> bool:
    """Whether a listener could be opened on that port of loopback now.

    Raises PermissionError for a port that this user may never open.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            listener.bind(("127.0.0.1", port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether somebody accepts connections on that port of loopback."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port: int) -> bool:
    """Whether the service with its health on that port of loopback says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@dataclass
class Family:
    """Children in the order they were started."""

    grace_s: float = 5.0
    members: list[Child] = field(default_factory=list)

    def check(self) -> None:
        """Raises ChildError when one of them has ended."""
        for child in self.members:
            if not child.running:
                raise child.explain(f"ended with exit code {child.process.returncode}")

    def stop(self) -> None:
        """End all, the last started first. Twice is allowed."""
        members, self.members = self.members[::-1], []
        stop(members, self.grace_s)
