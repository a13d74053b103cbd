"""A container engine for `make compose-test`, and the stand-ins for the images that can't be pulled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

STAND_INS = {
    "python": "palier-test/debian-python:3.13",
    "mosquitto": "palier-test/debian-mosquitto:2.0.21",
    "influxdb": "palier-test/debian-influxdb:1.6.7",
}
BASE = "palier-test/debian:trixie"

ENGINE_READY_S = 60.0

# What a machine without a firewall has; restoring it removes an engine's chains.
NO_FIREWALL = {
    "filter": "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n",
}


class Failed(Exception):
    """A check of the test does not hold, or a command failed: the sentence says which and how."""


def say(text: str) -> None:
    """A line of the report."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(
    *command: str, env: dict[str, str] | None = None, stdin: str | None = None, may_fail: bool = False
) -> str:
    """The output of a command. Raises Failed with both its outputs when it ends with an error."""
    done = subprocess.run(
        command, cwd=ROOT, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode and not may_fail:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until it holds; how many seconds that took. Raises Failed."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise Failed(f"{what}: not within {seconds:g} s")
        time.sleep(0.5)
    return time.monotonic() - start


def is_there() -> bool:
    """Whether an engine answers."""
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def engine(folder: Path) -> Iterator[None]:
    """An engine: the one that answers already, else one of our own in `folder`, which ends with us.

    Sets DOCKER_HOST and DOCKER_CONFIG of this process. An engine of our own leaves no bridge and no rule of a
    firewall behind. Raises Failed.
    """
    run(str(HERE / "prepare.sh"), str(folder / "config"))
    if (folder / "config" / "cli-plugins").exists():
        os.environ["DOCKER_CONFIG"] = str(folder / "config")
    if is_there():
        say("an engine is running: it is used")
        yield
        return
    if os.geteuid() != 0:
        raise Failed("no engine answers to `docker info`, and only root can start one")
    socket = folder / "docker.sock"
    os.environ["DOCKER_HOST"] = f"unix://{socket}"
    rules = run("iptables-save")
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("dockerd", "--host", f"unix://{socket}", "--data-root", str(folder / "docker")),
                *("--exec-root", str(folder / "exec"), "--pidfile", str(folder / "docker.pid")),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: is_there() or process.poll() is not None, ENGINE_READY_S, "the engine")
        if process.poll() is not None:
            raise Failed(f"dockerd did not start:\n{(folder / 'dockerd.log').read_text()[-3000:]}")
        yield
        run("docker", "image", "prune", "--force")  # what a new image has left of the one before
    finally:
        process.terminate()
        process.wait()
        missing = "".join(rule for table, rule in NO_FIREWALL.items() if f"*{table}\n" not in rules)
        run("iptables-restore", stdin=rules + missing)
        run("ip", "link", "delete", "docker0", may_fail=True)


def make_images(folder: Path) -> None:
    """The stand-ins, made from Debian's packages. What the engine has already is kept. Raises Failed."""
    if not _has(BASE):
        say(f"making {BASE} by debootstrap")
        root = folder / "trixie"
        run("debootstrap", "--variant=minbase", "trixie", str(root))
        packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(
            ["docker", "import", "-", BASE], stdin=packed.stdout, stdout=subprocess.DEVNULL, check=True
        )
        packed.wait()
        run("rm", "-rf", str(root))
    for name, tag in STAND_INS.items():
        if not _has(tag):
            say(f"making {tag}")
            run("docker", "build", "--tag", tag, str(HERE / name), env={**os.environ, "DOCKER_BUILDKIT": "0"})


def _has(tag: str) -> bool:
    return bool(run("docker", "images", "--quiet", tag).strip())
