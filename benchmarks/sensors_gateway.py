"""A gateway with fake sensors, which measures itself: a process of its own, `benchmarks.sensors_gateway`.

All is the agent's own but the wires: source thread, reading thread, cutting, recorder, outbox with its
fsync. No broker answers. What the fake devices cost is timed call by call and taken off.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_agent.acquisition.plan import Plan
from edge_agent.acquisition.sensor import Sensor
from edge_agent.heap import keep_small
from edge_agent.outbox import Outbox, open_outbox
from edge_agent.sensors import iis3dwb
from edge_agent.sensors.bursts import Burst, Driver
from edge_agent.sensors.bus import SpiRegisters
from edge_agent.sensors.continuous import ContinuousSource, Place
from edge_agent.sensors.mcc172 import Mcc172Driver, read_options
from edge_agent.sensors.spi import SpiBus
from edge_agent.sensors.stream import go_first
from edge_agent.service import AgentService, draw_epoch
from edge_agent.settings import AgentSettings, BrokerSettings, SourceSettings
from palier.clock import PlantClock
from palier.frames import Waveform
from palier.source import Source
from tests.support.fake_accelerometers import PERIOD, FakeIis3dwb, iis3dwb_words
from tests.support.fake_daqhats import FakeDaqhats

from .sensors_found import Found

WARM_UP_S: Final = 3.0
NICE: Final = -10
PLAN: Final = Plan(h_every_s=60.0, l_every_s=120.0, speed_rpm=1480.0)
"""Ten times the usual H blocks and thirty times the L blocks: the figures hold with a margin."""


class Meter:
    """Processor time of the fakes, over all threads."""

    def __init__(self) -> None:
        self.cpu_s = 0.0

    def timed(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What `work` gives."""
        began_s = time.thread_time()
        try:
            return work(*arguments, **named)
        finally:
            self.cpu_s += time.thread_time() - began_s


class FakeSpidev:
    """spidev.SpiDev over a fake chip: lists of whole numbers, as the library gives them."""

    mode = 0
    max_speed_hz = 0

    def __init__(self, answer: Callable[[bytes], bytes], meter: Meter) -> None:
        self._answer = answer
        self._meter = meter

    def open(self, bus: int, select: int) -> None:
        """As spidev."""

    def close(self) -> None:
        """As spidev."""

    def xfer2(self, out: bytes) -> list[int]:
        """As spidev; the list is the library's cost, and ours."""
        return list(self._meter.timed(self._answer, out))


class Watched:
    """A driver whose bursts are timed on their way."""

    def __init__(self, driver: Driver, ends_s: array[float]) -> None:
        self._driver = driver
        self._ends_s = ends_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """As the driver's."""
        for burst in self._driver.bursts(stop):
            self._ends_s.append(burst.end_s)
            yield burst


class Counting:
    """The MCC 172's library, its calls timed."""

    def __init__(self, library: object, meter: Meter) -> None:
        self._library = library
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name)
        if name == "mcc172":
            return lambda *arguments: Counting(found(*arguments), self._meter)
        if name.startswith("a_in_scan_read"):
            return partial(self._meter.timed, found)
        return found


class Bench:
    """The sources of one run."""

    def __init__(self, plan: Plan) -> None:
        self.meter = Meter()
        self.plan = plan
        iis3dwb_words()  # made once, not in the first reading
        self.chip = FakeIis3dwb(time.monotonic)
        self.ends_s = array("d")  # of the first source's bursts

    def iis3dwb(self) -> ContinuousSource:
        """Three axes at 26.667 kHz."""
        bus = SpiBus("0.0", iis3dwb.CHIP, 10_000_000, make=lambda: FakeSpidev(self.chip.answer, self.meter))
        return self._watch(iis3dwb.Iis3dwb(SpiRegisters(bus, iis3dwb.CHIP)), "P-101")

    def mcc172(self) -> ContinuousSource:
        """Two channels at 25.6 kHz."""
        table = {"channels": ["x", "y"], "sensitivity_mv_per_g": [100.0, 100.0], "fs_hz": 25_600}
        library = Counting(FakeDaqhats(time.monotonic), self.meter)
        return self._watch(Mcc172Driver(read_options(table), library=lambda: library), "P-101")

    def _watch(self, driver: Driver, machine: str) -> ContinuousSource:
        watched: Any = Watched(driver, self.ends_s)  # passes all on
        return self._source(watched, machine)

    def dead(self) -> ContinuousSource:
        """A chip select on which nobody answers."""
        bus = SpiBus(
            "0.1", iis3dwb.CHIP, 10_000_000, make=lambda: FakeSpidev(lambda out: b"\xff" * len(out), Meter())
        )
        return self._source(iis3dwb.Iis3dwb(SpiRegisters(bus, iis3dwb.CHIP)), "P-102")

    def hanging(self) -> ContinuousSource:
        """A transfer that never comes back."""
        bus = SpiBus("0.2", iis3dwb.CHIP, 10_000_000, make=lambda: FakeSpidev(_never, Meter()))
        return self._source(iis3dwb.Iis3dwb(SpiRegisters(bus, iis3dwb.CHIP)), "P-103")

    def _source(self, driver: Driver, machine: str) -> ContinuousSource:
        names = ("x", "y", "z")[: driver.n_channels]
        sensor = Sensor(
            machine,
            "2",
            names,
            driver.fs_nominal_hz,
            driver.scale,
            driver.unit,
            driver.dtype,
            driver.full_scale,
        )
        return ContinuousSource(driver, Place(sensor, self.plan, "stud", 1480.0), PlantClock())


def _never(_out: bytes) -> bytes:
    threading.Event().wait()
    raise AssertionError


def run(kind: str, seconds: float, folder: Path) -> Found:
    """One run: "iis3dwb", "mcc172", or "beside": the first with a dead sensor and one that hangs."""
    urgent = as_installed()
    keep_small()
    bench = Bench(PLAN)
    makers: list[tuple[str, Callable[[], ContinuousSource]]] = [
        (kind, bench.mcc172 if kind == "mcc172" else bench.iis3dwb)
    ]
    if kind == "beside":
        makers += [("dead", bench.dead), ("hanging", bench.hanging)]
    made = [(name, make(), make) for name, make in makers]
    first = made[0][1]
    opened: list[tuple[str, Source | None, Callable[[], Source]]] = [*made]
    settings = AgentSettings(
        site="bench",
        node="gw",
        data=folder,
        broker=BrokerSettings(port=9),  # discard: nobody listens
        sources=tuple(SourceSettings("iis3dwb", name=name) for name, _, _ in opened),
    )
    outbox = open_outbox(folder, settings.edge, draw_epoch=draw_epoch, cap_bytes=2_000_000_000)
    service = AgentService(settings, outbox, opened, clock=PlantClock(), serve_health=False)
    service.start()
    time.sleep(WARM_UP_S)
    began_s, cpu_s, fake_s = time.monotonic(), time.process_time(), bench.meter.cpu_s
    time.sleep(seconds)
    ended_s, cpu_s, fake_s = time.monotonic(), time.process_time() - cpu_s, bench.meter.cpu_s - fake_s
    produced, lost = bench.chip.fifo.produced, bench.chip.fifo.lost
    failures = sum(one.failures + one.timeouts for one in service.sources[1:])
    service.stop_sampling()
    waveforms, broken = check(outbox, 1 << 16 if kind == "mcc172" else PERIOD)
    return Found(
        seconds=ended_s - began_s,
        cpu_s=cpu_s - fake_s,
        fake_cpu_s=fake_s,
        peak_bytes=peak_bytes(),
        produced=produced,
        taken=first.samples,
        lost_by_fifo=lost,
        gaps=first.gaps.count,
        rate_hz=first.rate.fs_hz,
        waveforms=waveforms,
        broken=broken,
        intervals_ms=quantiles(bench.ends_s, began_s),
        failures=failures,
        urgent=urgent,
    )


def as_installed() -> bool:
    """Give this process the `Nice=` of deploy/edge/devices.conf; whether that and real time are allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        go_first()
        allowed = os.sched_getscheduler(0) == os.SCHED_RR
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # this thread is none that reads
    except (AttributeError, OSError):
        return False
    return allowed


def alone(seconds: float) -> dict[str, float]:
    """The reference: the driver's bursts, thrown away, and nothing else in the process."""
    bench = Bench(PLAN)
    driver = bench.iis3dwb().driver
    driver.open()
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    began_s, cpu_s = time.monotonic(), time.process_time()
    for _ in driver.bursts(stop):
        pass
    used_s = time.process_time() - cpu_s - bench.meter.cpu_s
    return {"seconds": time.monotonic() - began_s, "cpu_s": used_s}


def check(outbox: Outbox, period: int) -> tuple[int, int]:
    """Waveforms at the sensor's own rate in the outbox, and those in which a sample is missing.

    The fakes' first channel counts the samples, modulo `period`.
    """
    found = broken = 0
    for lo, hi in outbox.pending():
        for seq in range(lo, hi + 1):
            loaded = outbox.load(seq)
            if loaded is None or not isinstance(loaded[1], Waveform):
                continue
            x = loaded[1].samples[0]
            if x.dtype.kind != "i":  # behind the filter
                continue
            found += 1
            broken += bool((np.diff(x.astype(np.int64)) % period != 1).any())
    return found, broken


def quantiles(ends_s: array[float], since_s: float) -> dict[str, float]:
    """Milliseconds between bursts: median, 99th and 99.9th percentile, largest."""
    ends = np.frombuffer(ends_s)
    between = np.diff(ends[ends >= since_s]) * 1000
    names = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
    return {name: float(np.percentile(between, part)) for name, part in names.items()}


def peak_bytes() -> int:
    """Largest resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(message)s")
    kind_, seconds_, folder_ = sys.argv[1:]
    if kind_ == "reference":
        print(json.dumps(alone(float(seconds_))))  # noqa: T201 - read by the parent
    else:
        print(json.dumps(asdict(run(kind_, float(seconds_), Path(folder_)))))  # noqa: T201 - as above
    sys.stdout.flush()
    # a thread that hangs in a fake is no reason to stay
