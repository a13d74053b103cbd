"""Agents for tests: a configuration on disk, frames, and the agent as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from palier.frames import Readings, Waveform

START_NS = 1_700_000_000_000_000_000


def waveform(number: int = 0, n_samples: int = 64, machine: str = "P-101") -> Waveform:
    """A small frame whose samples are its number."""
    return Waveform(
        machine=machine,
        point="1",
        channels=("DE",),
        samples=np.full((1, n_samples), number % 30_000, "<i2"),
        scale=(0.001,),
        unit=("m/s²",),
        fs_hz=1000.0,
        start_ns=START_NS + number * 1_000_000_000,
    )


def readings(number: int = 0, machine: str = "P-101") -> Readings:
    """One row of a temperature and a speed."""
    return Readings(
        machine=machine,
        channels=("1/T", "arbre/speed"),
        times_ns=np.array([START_NS + number * 60_000_000_000], np.int64),
        values=np.array([[52.5], [1485.0]]),
        unit=("°C", "r/min"),
    )


def write_agent(
    folder: Path, port: int, *, samples: int = 4096, block: int = 64, rate: str = '"max"'
) -> Path:
    """An agent.toml with a replay source over a small recording beside it."""
    signal_ = (np.arange(samples) % 1000).astype("<i2")
    np.savez(folder / "rec.npz", r1=signal_, r1__scale=0.01)
    config = folder / "agent.toml"
    config.write_text(
        f"""site = "usine"
node = "p1"
data = "outbox"

[broker]
port = {port}

[[source]]
type = "replay"
file = "rec.npz"
fs_hz = 1000
unit = "g"
block_samples = {block}
rate = {rate}
""",
        "utf-8",
    )
    return config


@contextmanager
def running_agent(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -P -m edge_agent`, as `palier agent` runs it; gone at the end, whatever the test came to."""
    with config.with_suffix(".log").open("ab") as log:
        agent = subprocess.Popen(
            [sys.executable, "-P", "-m", "edge_agent", "--config", str(config)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield agent
    finally:
        agent.kill()
        agent.wait()


def stop_agent(process: subprocess.Popen[bytes]) -> int:
    """Ask it to end, and its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(60)
