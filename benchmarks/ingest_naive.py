"""The path that one writes first: JSON lists in, a scipy loop, a `Point` for each channel. In process.

It has no broker, no store, no check, no state, keeps no waveform and computes the core set only: what it
takes is the least that such a program could take.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from .ingest_fleet import CHANNELS, N_SAMPLES, SITE
from .scipy_loop import ScipyLoop
from .subjects import FS_HZ, ORDERS, SCALE, SPINDLE, blocks, counts

MESSAGES: Final = 8
"""Different messages; what one takes does not depend on how many there are."""

NO_CLIENT: Final = "influxdb-client is not installed: pip install '.[influx]'"


def us_per_message(repeats: int) -> float | None:
    """Median time of a message of three channels; None where influxdb-client is not installed."""
    if find_spec("influxdb_client") is None:
        return None
    work, messages = _worker(), _messages()
    work(messages[0])
    times = []
    for _ in range(repeats):
        for message in messages:
            start = time.perf_counter()
            work(message)
            times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def _messages() -> list[bytes]:
    x = counts(blocks(MESSAGES * len(CHANNELS), N_SAMPLES, SPINDLE)).reshape(MESSAGES, len(CHANNELS), -1)
    return [
        json.dumps(
            {
                "machine": f"M{k}",
                "point": "1",
                "start_ns": time.time_ns(),
                "scale": SCALE,
                "channels": dict(zip(CHANNELS, samples.tolist(), strict=True)),
            }
        ).encode()
        for k, samples in enumerate(x)
    ]


def _worker() -> Callable[[bytes], list[str]]:
    from influxdb_client.client.write.point import Point

    loop = ScipyLoop(FS_HZ, N_SAMPLES)

    def work(message: bytes) -> list[str]:
        told = json.loads(message)
        lines = []
        for channel, samples in told["channels"].items():
            (found,) = loop.table([samples], told["scale"], SPINDLE.speed_hz, ORDERS)
            point = Point("feature").tag("site", SITE).tag("machine", told["machine"])
            point = point.tag("point", told["point"]).tag("channel", channel).time(told["start_ns"])
            for name, value in found.items():
                point = point.field(name, float(value))
            lines.append(point.to_line_protocol())
        return lines

    return work
