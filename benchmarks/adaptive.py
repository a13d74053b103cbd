"""`palier bench adaptive`: what a gateway in mode `adaptive` sends of a healthy week, and around an alert.

The plant is the simulated sample plant, a block of each point each ten minutes as the acquisition plan has
it, through the agent's own outbox on the disk. A host at hand acknowledges each frame. Bytes are those of the
messages, counted as they are written; the reference is the same week in mode `waveform`.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_agent.modes import Mode
from edge_agent.outbox import Kept, Outbox, open_outbox
from edge_agent.transmit_settings import TransmitSettings
from edge_agent.transmitting import Transmitting
from palier.frames import Features, Frame, FrameId, Waveform
from palier.plant import load_sample_plant
from palier.wire.compression import available
from palier.wire.messages import Replay, frame_pieces
from simulators.plant import SimulatedPlant
from simulators.source import scenario_of, specs_of
from simulators.tasks import Options, read_options, stagger

from .machine import Machine, look
from .tables import circumstances, new_table, print_parts, title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MOST_SHARE: Final = 0.02  # of the waveform bytes of mode waveform
EVERY_S: Final = 600.0  # the plan's long block
BEGIN_S: Final = 1_789_948_800.0  # midnight UTC of a day
HOUR_NS: Final = 3600 * 10**9
MEGABYTE: Final = 1e6
_ID: Final = FrameId("usine/p1", "ab" * 8, 1)


@dataclass(slots=True)
class Host:
    """Takes what waits, acknowledges it, and counts. `waves` are (machine, point, start) of each waveform."""

    outbox: Outbox
    bytes: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    waves: list[tuple[str, str, int]] = field(default_factory=list)

    def take(self, kept: Kept) -> None:
        """What got numbers."""
        if kept.seqs is None:
            return
        for seq in range(kept.seqs[0], kept.seqs[1] + 1):
            found = self.outbox.load(seq)
            if found is not None:
                self._count(found[1])
        self.outbox.acknowledge((kept.seqs,))

    def _count(self, frame: Frame) -> None:
        kind = (
            "waveforms"
            if isinstance(frame, Waveform)
            else "features"
            if isinstance(frame, Features)
            else "readings"
        )
        self.frames[kind] += 1
        self.bytes[kind] += _on_the_wire(frame)
        if isinstance(frame, Features) and frame.spectra:
            self.frames["spectra"] += 1
        if isinstance(frame, Waveform):
            self.waves.append((frame.machine, frame.point, frame.start_ns))


@dataclass(frozen=True, slots=True)
class Week:
    """A healthy time: bytes on the wire by kind, those of mode waveform, and what a block costs."""

    days: float
    blocks: int
    points: int
    plain_bytes: int
    bytes: Counter[str]
    frames: Counter[str]
    block_s: float
    retained_bytes: int

    @property
    def share(self) -> float:
        """Of the waveform bytes that mode waveform sends."""
        return self.bytes["waveforms"] / self.plain_bytes

    @property
    def share_in_all(self) -> float:
        """With the features, and their spectra."""
        return (self.bytes["waveforms"] + self.bytes["features"]) / self.plain_bytes

    @property
    def one_a_day(self) -> bool:
        """Whether one waveform of each point came each day, and no more."""
        return self.frames["waveforms"] == self.points * round(self.days)

    @property
    def met(self) -> bool:
        """Whether the goal is."""
        return self.share <= MOST_SHARE and self.one_a_day


@dataclass(frozen=True, slots=True)
class Alert:
    """Blocks of the machine from an hour before to an hour after its alert; `arrived` of them, once each."""

    wanted: int
    arrived: int
    twice: int
    others: int

    @property
    def met(self) -> bool:
        """Whether the goal is."""
        return self.arrived == self.wanted > 0 and not self.twice


@dataclass(frozen=True, slots=True)
class Packing:
    """What `compress = true` makes of the simulated blocks; microseconds for a MB at each end."""

    ratio: float
    pack_us: float
    unpack_us: float


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    machine: Machine
    week: Week
    alert: Alert
    packing: Packing | None

    @property
    def failed(self) -> bool:
        """Whether a goal was not reached."""
        return not (self.week.met and self.alert.met)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        week, alert, packing = self.week, self.alert, self.packing
        return {
            "machine": self.machine.line(),
            "week": {
                "days": week.days,
                "blocks": week.blocks,
                "plain_bytes": week.plain_bytes,
                "bytes": dict(week.bytes),
                "frames": dict(week.frames),
                "waveform_share": week.share,
                "share_with_features": week.share_in_all,
                "one_a_day": week.one_a_day,
                "ms_a_block": 1e3 * week.block_s,
                "retained_bytes": week.retained_bytes,
                "met": week.met,
            },
            "alert": {
                "wanted": alert.wanted,
                "arrived": alert.arrived,
                "twice": alert.twice,
                "other_waveforms": alert.others,
                "met": alert.met,
            },
            "zstd": None
            if packing is None
            else {"ratio": packing.ratio, "pack_us_mb": packing.pack_us, "unpack_us_mb": packing.unpack_us},
        }


def bench_adaptive(days: int, tell: Callable[[str], None]) -> Report:
    """Measures all of it, the healthy time so many days long."""
    machine = look()
    tell(f"{days} healthy days")
    week = week_of(days, read_options({"interval_s": EVERY_S}))
    tell("a day with an alert")
    alert = alert_of(read_options({"interval_s": EVERY_S, "scenario": "degradation"}))
    tell("compression")
    return Report(machine, week, alert, _packing() if available() else None)


@dataclass(slots=True)
class Gateway:
    """An agent without threads and link."""

    outbox: Outbox
    sending: Transmitting
    host: Host
    now_ns: int = 0
    alarmed: set[str] = field(default_factory=set)

    def put(self, frame: Frame) -> None:
        """As the recorder does it."""
        self.now_ns = max(self.now_ns, frame.end_ns)
        self.host.take(self.sending.put([frame], lost=0))
        self.sending.ask()
        self.sending.look()


def _gateway(folder: Path) -> Gateway:
    outbox = open_outbox(folder, _ID.edge, draw_epoch=lambda: _ID.epoch, cap_bytes=8 * 10**9)
    host = Host(outbox)
    made: list[Gateway] = []
    sending = Transmitting(
        outbox,
        outbox,
        TransmitSettings(Mode.ADAPTIVE),
        lambda: made[0].now_ns,
        released=host.take,
        alarmed=lambda machine: machine in made[0].alarmed,
    )
    made.append(Gateway(outbox, sending, host))
    return made[0]


def week_of(days: int, options: Options) -> Week:
    """So many days of a plant."""
    blocks = plain = 0
    cost_s = 0.0
    points: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        gateway = _gateway(Path(name))
        try:
            for frame in _frames(options, days * 86_400.0):
                began_s = time.process_time()
                gateway.put(frame)
                cost_s += time.process_time() - began_s
                if isinstance(frame, Waveform):
                    blocks += 1
                    plain += _on_the_wire(frame)
                    points.add((frame.machine, frame.point))
            host, kept = gateway.host, gateway.outbox.retained().bytes
        finally:
            gateway.outbox.close()
    return Week(days, blocks, len(points), plain, host.bytes, host.frames, cost_s / blocks, kept)


def alert_of(options: Options) -> Alert:
    """A day in whose afternoon the host gives an alert, and asks for the hour before and the hour after."""
    sick = specs_of(options, load_sample_plant())[0].id
    alert_ns = round((BEGIN_S + 15.4 * 3600) * 1e9)
    begin_ns, end_ns = alert_ns - HOUR_NS, alert_ns + HOUR_NS
    wanted: set[tuple[str, str, int]] = set()
    with tempfile.TemporaryDirectory(prefix="palier-bench-") as name:
        gateway = _gateway(Path(name))
        try:
            for frame in _frames(options, 18 * 3600.0):
                if frame.end_ns > alert_ns and not gateway.alarmed:
                    gateway.alarmed.add(sick)
                    asked = Replay("request-of-alert", begin_ns, end_ns, machine=sick, retained=True)
                    gateway.outbox.replay(asked, above=0, before=0, now_ns=gateway.now_ns)
                gateway.put(frame)
                if (
                    isinstance(frame, Waveform)
                    and frame.machine == sick
                    and begin_ns <= frame.end_ns <= end_ns
                ):
                    wanted.add((frame.machine, frame.point, frame.start_ns))
            came = Counter(gateway.host.waves)
        finally:
            gateway.outbox.close()
    return Alert(
        len(wanted), len(wanted & set(came)), sum(n > 1 for n in came.values()), len(set(came) - wanted)
    )


def _packing() -> Packing:
    from palier.wire import compression
    from palier.wire.data import SAMPLE_TYPES
    from palier.wire.payload import Metric

    plain = packed = 0
    pack_s = unpack_s = 0.0
    for frame in _frames(read_options({"interval_s": EVERY_S}), 3 * EVERY_S):
        if not isinstance(frame, Waveform):
            continue
        for samples in frame.samples:
            metric = Metric("p/c", SAMPLE_TYPES[samples.dtype], samples)
            began_s = time.process_time()
            small = compression.packed(metric)
            packed_s = time.process_time()
            compression.unpacked([small])
            unpack_s += time.process_time() - packed_s
            pack_s += packed_s - began_s
            plain += samples.nbytes
            packed += len(small.value) if isinstance(small.value, bytes) else samples.nbytes
    megabytes = plain / MEGABYTE
    return Packing(plain / packed, 1e6 * pack_s / megabytes, 1e6 * unpack_s / megabytes)


def _frames(options: Options, seconds: float) -> Iterator[Frame]:
    """What the gateway of the sample plant samples, in the order of time."""
    plant = load_sample_plant()
    specs, scenario = specs_of(options, plant), scenario_of(options, plant)
    simulated = SimulatedPlant.of(
        specs, scenario, seed=options.seed, origin_s=BEGIN_S, time_scale=options.time_scale
    )
    tasks = simulated.tasks(options)
    waits = stagger(tasks, options.interval_s)
    due = sorted(
        (BEGIN_S + wait + n * task.every_s, k)
        for k, (task, wait) in enumerate(zip(tasks, waits, strict=True))
        for n in range(int((seconds - wait) // task.every_s) + 1)
    )
    for at_s, k in due:
        frame = simulated.frame_at(tasks[k], at_s)
        if frame is not None:
            yield frame


def _on_the_wire(frame: Frame) -> int:
    pieces = frame_pieces(frame, _ID, seq=1, timestamp_ms=frame.start_ns // 1_000_000, historical=False)
    return sum(map(len, pieces))


def show(report: Report, console: Console) -> None:
    """Prints all of it."""
    print_parts(_parts(report), console)


def _parts(report: Report) -> Iterable[RenderableType]:
    week, alert = report.week, report.alert
    yield from circumstances(report.machine)
    yield title(f"Mode adaptive beside mode waveform: {week.days:g} healthy days, {week.blocks:,} blocks")
    table = new_table("frames", "MB on the wire", "of mode waveform", "goal")
    goal = f"{'met' if week.met else 'NOT MET'} (<= {100 * MOST_SHARE:g} %, one a day)"
    for kind, share, what in (
        ("waveforms", week.share, goal),
        ("features", week.bytes["features"] / week.plain_bytes, "-"),
        ("readings", week.bytes["readings"] / week.plain_bytes, "-"),
    ):
        table.add_row(kind, *_cells(week, kind, share), what)
    yield table
    yield (
        f"{week.frames['spectra']} of the features came with spectra; "
        f"{1e3 * week.block_s:.1f} ms of a core for a block, all of the outbox and host at hand in it; "
        f"{week.retained_bytes / MEGABYTE:,.0f} MB retained"
    )
    yield title("An alert: the hour before and the hour after, released to the host")
    yield (
        f"{alert.arrived} of {alert.wanted} waveforms of the machine arrived, {alert.twice} twice, "
        f"{alert.others} others (one a day, and of the standing alarm): {'met' if alert.met else 'NOT MET'}"
    )
    yield from _packing_parts(report.packing)


def _cells(week: Week, kind: str, share: float) -> Sequence[str]:
    return f"{week.frames[kind]:,}", f"{week.bytes[kind] / MEGABYTE:,.1f}", f"{100 * share:.2f} %"


def _packing_parts(packing: Packing | None) -> Iterable[RenderableType]:
    yield title("Compression of the simulated blocks (zstd, level 1)")
    if packing is None:
        yield "not measured: pip install 'palier[zstd]'"
    else:
        yield (
            f"ratio {packing.ratio:.2f}; {packing.pack_us:,.0f} µs a MB to pack, "
            f"{packing.unpack_us:,.0f} µs to unpack"
        )
