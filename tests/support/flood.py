"""A gateway gone mad, as a process of its own: damaged messages on every topic that a gateway may write.

`python -m tests.support.flood PORT SEED COUNT` draws its messages first. Then each line it reads, "N RATE",
makes it publish the next N at so many a second; it answers with a line when they are written.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from palier.frames import MAX_FRAME_BYTES, FrameId
from palier.operations import Acknowledge, Command
from palier.wire import messages
from palier.wire.operations import command_topic, encode_command
from palier.wire.topics import Kind, Topic
from tests.support import wire_examples as examples
from tests.support.gateway import waveform
from tests.support.mutations import Mutator
from tests.support.payload_damage import PayloadMutator

NODE: Final = "folle"
KINDS: Final = (*(Kind.DDATA,) * 6, Kind.NBIRTH, Kind.DBIRTH, Kind.NDATA, Kind.NDEATH, None)
"""None: a command of people's, which is JSON on a topic of Palier's own."""
LONGEST: Final = MAX_FRAME_BYTES + 1000  # more than a host takes, and what the broker still passes on
ROOT: Final = Path(__file__).parents[2]


def corpus() -> tuple[bytes, ...]:
    """Messages of today, among them frames of machines that the plant of the tests knows."""
    frames = (
        messages.frame_payload(
            waveform(time.time_ns() - n * 10**9, machine="ventilateur", n=512),
            FrameId(f"usine/{NODE}", "00000000000000f1", 1_000_000 + n),
            seq=n,
            timestamp_ms=time.time_ns() // 1_000_000,
            historical=False,
        )
        for n in range(8)
    )
    return (*frames, *(data for name, data in examples.examples().items() if name != "state"))


def drawn(seed: int, count: int) -> list[tuple[str, bytes]]:
    """(topic, payload) of so many damaged messages; half of them damaged as bytes, half as payloads."""
    draw = (Mutator(seed, corpus()).one, PayloadMutator(seed, corpus()).one)
    ask = Mutator(
        seed, (encode_command(Command("commande-1", "amina", Acknowledge("pompe/p1/vibration"))),)
    ).one
    return [
        (command_topic("usine"), ask())
        if kind is None
        else (
            str(Topic("usine", kind, NODE, "ventilateur" if kind.of_device else None)),
            draw[n % 2]()[:LONGEST],
        )
        for n, kind in ((n, KINDS[n % len(KINDS)]) for n in range(count))
    ]


def of_edge_nodes(count: int) -> int:
    """How many of the first so many are on topics of edge nodes."""
    return sum(KINDS[n % len(KINDS)] is not None for n in range(count))


class Flood:
    """The process, from the side of the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._line()

    def begin(self, count: int, rate: float) -> None:
        """Publish the next so many, at so many a second; `wait` for the end."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {rate}\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Return once they are written."""
        self._line()

    def _line(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the flood ended"


@contextmanager
def running_flood(port: int, seed: int, count: int) -> Iterator[Flood]:
    """A flood that has drawn its messages and waits."""
    command = [sys.executable, "-m", "tests.support.flood", str(port), str(seed), str(count)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Flood(process)
    finally:
        process.communicate()


def main(port: int, seed: int, count: int) -> None:
    """See above."""
    waiting = iter(drawn(seed, count))
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"palier-{NODE}")
    client.connect("127.0.0.1", port)
    client.loop_start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        total, rate = line.split()
        began = time.monotonic()
        for n in range(int(total)):
            time.sleep(max(0.0, began + n / float(rate) - time.monotonic()))
            info = client.publish(*next(waiting))
        info.wait_for_publish(30)
        sys.stdout.write("written\n")
        sys.stdout.flush()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
