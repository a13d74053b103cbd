"""Processes of the project that are there at once: forked from one that has imported all that they need.

A process that imports for itself takes seconds before its first line, and more on a busy machine. What is run
is the same code, as a process of its own that may be killed."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

NEEDED = ("palier.cli", "ingest.command", "ingest.service", "ingest.rescore_running")


class Forked:
    """A process: what tests use of `subprocess.Popen`."""

    def __init__(self, code: str, environment: Mapping[str, str], log: Path) -> None:
        """Run Python in a process of its own, with these variables beside the present ones."""
        self.pid = int(_ask(code=code, environment={**os.environ, **environment}, log=str(log)))
        self._watched = os.pidfd_open(self.pid)
        self._code: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        if self._code is None:
            os.kill(self.pid, number)  # nobody has reaped it: it is no other process

    def wait(self, timeout: float) -> int:
        """Its exit code, -N where signal N ended it. Raises TimeoutExpired."""
        if self._code is None:
            if not select.select((self._watched,), (), (), timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self._code = os.waitstatus_to_exitcode(int(_ask(reap=self.pid)))
            os.close(self._watched)
        return self._code


def _ask(**request: Any) -> str:
    asked, told = _nursery().stdin, _nursery().stdout
    assert asked is not None
    assert told is not None
    asked.write(json.dumps(request) + "\n")
    asked.flush()
    return told.readline()


@cache
def _nursery() -> subprocess.Popen[str]:
    """The process that forks the others. It ends with who started it."""
    process = subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.communicate)
    return process


def _next_child() -> str:
    """Forks until nobody asks any more; in a child, the code that it is to run."""
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "reap" in request:
            answer = os.waitpid(request["reap"], 0)[1]
        elif not (answer := os.fork()):
            _settle(request)
            return str(request["code"])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    return ""


def _settle(request: Mapping[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(request["environment"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for mine, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(mine, standard)


if __name__ == "__main__":
    for name in NEEDED:
        __import__(name)
    exec(compile(_next_child(), "<forked>", "exec"), {"__name__": "__main__"})
