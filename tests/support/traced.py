"""What a process makes durable and what it sends, in their order, as the kernel sees it (strace)."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.services import program
from tests.support.waiting import eventually

CALLS = "fsync,fdatasync,sendto,write,writev"
_LINE = re.compile(
    r"^(?P<thread>\d+) +(?:<\.\.\. )?(?P<call>\w+)(?: resumed>.*|\((?P<handle>\d+)<(?P<file>[^>]*)>.*)$"
)


@dataclass(frozen=True)
class Call:
    """A call that has returned: its name, the file it was about, and its line as strace wrote it."""

    name: str
    file: str
    line: str

    @property
    def syncs(self) -> bool:
        """Whether what was written to the file before is on the disk now."""
        return self.name in ("fsync", "fdatasync")


def calls(trace: Path) -> Iterator[Call]:
    """The calls of all threads in the order in which they returned."""
    begun: dict[str, str] = {}  # by thread: the line of a call that has not returned
    for line in trace.read_text("utf-8", "replace").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread = found["thread"]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line
        elif found["handle"] is None:
            first = _LINE.match(begun.pop(thread, ""))
            if first is not None:
                yield Call(first["call"], first["file"], first.string)
        else:
            yield Call(found["call"], found["file"], line)


@contextmanager
def traced(pid: int, trace: Path) -> Iterator[None]:
    """All threads of a running process, for the length of the block. Skips where no process may be traced."""
    command = [
        program("strace"),
        "-f",
        "-y",
        "-s",
        "160",
        "-e",
        f"trace={CALLS}",
        "-o",
        trace,
        "-p",
        str(pid),
    ]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _is_traced(pid) or tracer.poll() is not None, 60, "strace at the process")
        if tracer.poll() is not None:
            pytest.skip("strace may not look at a process here: run as root, in a container with SYS_PTRACE")
        yield
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
    finally:
        if tracer.poll() is None:
            tracer.kill()
            tracer.wait()


def _is_traced(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("TracerPid")) != "0"
