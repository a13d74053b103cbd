"""What became of every block that a plant's gateways sampled, counted from the stores themselves.

Each sampled block has a number, which decides its content (`counting_source.py`). It is looked for in the
gateway's outbox, which is what was *produced*; in the records' ranges, the features' rows and the waveform's
bytes, which together are what is *stored*. So

    lost        produced, not given up by the gateway with a reason, and not whole in all three stores
    duplicated  a second row of one frame, or one block stored under two identities
    forged      a row or waveform that no gateway produced, or with another content than its number's
    unkept      sampled, and in no outbox and no store: in a gateway's memory when it was killed
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from palier import ranges
from palier.frames import FrameId
from palier.historian.base import Historian, HistorianError
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.historian.rows import Verdict
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformReader, WaveformRef
from tests.support.counting_source import (
    CHANNEL,
    SCALE,
    Pace,
    Samples,
    content,
    journal_numbers,
    number_in,
    place,
    speed_rpm,
)
from tests.support.plant_files import SITE, GatewayFiles

RMS = "acceleration_rms_m_s2"


@dataclass(frozen=True, slots=True)
class Counted:
    """A row of the table. Times in seconds; `recovery_s` and `restart_s` are None where there was nothing to
    recover from or no ingest was started again. `wire_per_useful` is what the gateways sent, by the bytes of
    what is stored.
    """

    scenario: str
    sampled: int
    produced: int
    stored: int
    lost: int
    duplicated: int
    forged: int
    quarantined: int = 0
    dropped: int = 0
    unkept: int = 0
    useful_bytes: int = 0
    recovery_s: float | None = None
    restart_s: float | None = None
    wire_per_useful: float = 0.0
    steady_s: float = 0.0
    amiss: tuple[str, ...] = ()  # the first of what is lost, twice or forged, for people

    def with_times(
        self, recovery_s: float | None, restart_s: float | None, wire_per_useful: float, steady_s: float
    ) -> Counted:
        """With what was measured while the plant ran."""
        return replace(
            self,
            recovery_s=recovery_s,
            restart_s=restart_s,
            wire_per_useful=wire_per_useful,
            steady_s=steady_s,
        )


class FeatureRow(NamedTuple):
    """A row of `feature`."""

    machine: str
    point: str
    channel: str
    ts_ns: int
    frame: str
    speed_rpm: float
    rms: float


ReadsFeatures = Callable[[DataFolder], list[FeatureRow]]


def features_of(historian: Historian) -> list[FeatureRow]:
    """All feature rows of the plant."""
    table = historian.read("feature", ("frame", "speed_rpm", RMS), site=SITE)
    columns = (table.columns[name] for name in ("frame", "speed_rpm", RMS))
    return [
        FeatureRow(*row)
        for row in zip(table.machine, table.point, table.channel, table.ts_ns.tolist(), *columns, strict=True)
    ]


def sqlite_features(data: DataFolder) -> list[FeatureRow]:
    """Those of the historian in the data folder."""
    with closing(SqliteHistorian(data.historian, read_only=True)) as historian:
        return features_of(historian)


class Produced(NamedTuple):
    """A row of an outbox."""

    number: int
    start_ns: int
    place: tuple[str, str]
    whole: bool  # the disk holds what was sampled


@dataclass(frozen=True, slots=True)
class OutboxContent:
    """What a gateway's outbox holds; `rows` by seq, without those it no longer needs."""

    epoch: str
    last: int
    rows: dict[int, Produced]
    dropped: ranges.Ranges


def outbox_content(files: GatewayFiles, pace: Pace) -> OutboxContent:
    """Read the outbox of a gateway that does not run."""
    db = sqlite3.connect(f"file:{files.outbox / 'outbox.sqlite'}?mode=ro", uri=True)
    with closing(db):
        epoch = str(db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
        last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frame'").fetchone()
        rows = {
            seq: _produced(header, body, crc, shift_ns, pace)
            for seq, header, body, crc, shift_ns in db.execute(
                "SELECT seq, header, body, crc, shift_ns FROM frame JOIN body USING (seq)"
            )
        }
        dropped = ranges.merge(db.execute("SELECT lo, hi FROM dropped").fetchall())
    return OutboxContent(epoch, int(last[0]) if last else 0, rows, dropped)


def _produced(header: bytes, body: bytes, crc: int, shift_ns: int, pace: Pace) -> Produced:
    fields = json.loads(header)
    samples = np.frombuffer(body, "<i2")
    number = number_in(samples)
    whole = zlib.crc32(body, zlib.crc32(header)) == crc and _is_content(samples, number, pace)
    return Produced(number, fields["start_ns"] + shift_ns, (fields["machine"], fields["point"]), whole)


def _is_content(samples: Samples, number: int, pace: Pace) -> bool:
    return samples.size == pace.samples and bool(np.array_equal(samples, content(number, pace.samples)))


@dataclass
class Stores:
    """What the host has, by frame."""

    stored: dict[tuple[str, str], ranges.Ranges]
    quarantined: dict[tuple[str, str], ranges.Ranges]
    rows: dict[FrameId, list[FeatureRow]]
    waveforms: dict[FrameId, WaveformRef]
    reader: WaveformReader
    unreadable: list[str] = field(default_factory=list)

    def samples(self, frame: FrameId) -> Samples | None:
        """The samples as they lie on disk; None where they can't be read."""
        try:
            return np.asarray(self.reader.read(self.waveforms[frame]).samples[0], "<i2")
        except (HistorianError, KeyError) as error:
            self.unreadable.append(f"{frame}: {error}")
            return None


def read_stores(data: DataFolder, features: ReadsFeatures) -> Stores:
    """Read them; the ingest has ended."""
    with closing(RecordsReader(data.records)) as records:
        edges = records.edges()
        stored = {key: records.ranges(*key, Verdict.STORED) for key in edges}
        quarantined = {key: records.ranges(*key, Verdict.QUARANTINED) for key in edges}
    rows: dict[FrameId, list[FeatureRow]] = {}
    for row in features(data):
        rows.setdefault(_frame_id(row.frame), []).append(row)
    return Stores(stored, quarantined, rows, dict(_waveforms(data.records)), WaveformReader(data.waveforms))


def _frame_id(text: str) -> FrameId:
    edge, epoch, seq = text.rsplit(":", 2)
    return FrameId(edge, epoch, int(seq))


def _waveforms(records: Path) -> Iterator[tuple[FrameId, WaveformRef]]:
    db = sqlite3.connect(f"file:{records}?mode=ro", uri=True)
    with closing(db):
        for edge, epoch, seq, *ref in db.execute(
            "SELECT edge, epoch, seq, segment, offset, length FROM waveform"
        ):
            yield FrameId(edge, epoch, seq), WaveformRef(*ref)


REDATED_NS: Final = 1_000_000
"""A gateway whose clock nobody disciplines dates what waits anew after a start; that moves it by less. The
next block of the same point is 200 ms away."""


@dataclass
class _Tally:
    pace: Pace
    stores: Stores
    redated_ns: int
    amiss: list[str] = field(default_factory=list)
    lost: int = 0
    forged: int = 0
    twice: int = 0
    whole: int = 0  # in all three stores
    numbers: Counter[int] = field(default_factory=Counter)
    useful_bytes: int = 0

    def frame(self, frame: FrameId, produced: Produced | None, sampled: set[int]) -> None:
        """A frame that the records call stored. `produced` is None where the outbox has let go of it."""
        rows = self.stores.rows.get(frame, [])
        samples = self.stores.samples(frame)
        if not rows or samples is None:
            self.lost += 1
            self._note("lost", frame, f"{len(rows)} rows, waveform {'not ' if samples is None else ''}there")
            return
        if len(rows) > 1:
            self.twice += len(rows) - 1
            self._note("twice", frame, f"{len(rows)} rows")
        number = number_in(samples)
        why = self._forged(number, samples, rows[0], produced, sampled)
        if why:
            self.forged += 1
            self._note("forged", frame, why)
        self.numbers[number] += 1
        self.whole += 1
        self.useful_bytes += samples.nbytes

    def strange(self, frames: Iterable[FrameId]) -> None:
        """Rows or waveforms of frames that the records do not call stored, once all has ended."""
        for frame in frames:
            self.forged += 1
            self._note("forged", frame, "in a store, and the records do not know it")

    def missing(self, edge: str, epoch: str, seqs: ranges.Ranges) -> None:
        """Produced, and not in the records."""
        self.lost += ranges.count(seqs)
        if seqs:
            self.amiss.append(f"lost: {edge}:{epoch} {seqs[:5]}")

    def twins(self) -> None:
        """Blocks stored under several identities."""
        twins = {number: n for number, n in self.numbers.items() if n > 1}
        self.twice += sum(n - 1 for n in twins.values())
        if twins:
            self.amiss.append(f"twice: blocks {sorted(twins)[:5]} under several identities")

    def _forged(
        self, number: int, samples: Samples, row: FeatureRow, produced: Produced | None, sampled: set[int]
    ) -> str:
        if number not in sampled or not _is_content(samples, number, self.pace):
            return f"samples of a block {number} that was never sampled so"
        if produced is not None and produced.number != number:
            return f"block {number} under the identity of block {produced.number}"
        where = (row.machine, row.point)
        if row.channel != CHANNEL or where != place(number, self.pace.points, row.machine.rpartition("-")[0]):
            return f"block {number} stored at {where}"
        late_ns = 0 if produced is None else abs(row.ts_ns - produced.start_ns)
        if produced is not None and (late_ns > self.redated_ns or where != produced.place):
            return f"a row at {where} {row.ts_ns}, produced at {produced.place} {produced.start_ns}"
        if not np.allclose((row.speed_rpm, row.rms), (speed_rpm(number), _rms(samples)), rtol=1e-6):
            return f"a row with {row.speed_rpm} r/min and {row.rms} m/s² is not of block {number}"
        return ""

    def _note(self, kind: str, frame: FrameId, why: str) -> None:
        if len(self.amiss) < 20:
            self.amiss.append(f"{kind}: {frame.edge}:{frame.epoch}:{frame.seq}: {why}")


def _rms(samples: Samples) -> float:
    scaled = samples.astype(float) * SCALE
    return float(np.sqrt(np.mean((scaled - scaled.mean()) ** 2)))


def count(
    scenario: str,
    gateways: Iterable[GatewayFiles],
    pace: Pace,
    data: DataFolder,
    features: ReadsFeatures = sqlite_features,
    *,
    redated_ns: int = REDATED_NS,
) -> Counted:
    """Count what a plant that has ended left behind. A stored time may differ by `redated_ns` from the one
    that the outbox has.
    """
    stores = read_stores(data, features)
    tally = _Tally(pace, stores, redated_ns)
    sampled_all, produced_all, dropped_all, unkept = 0, 0, 0, 0
    known: set[FrameId] = set()
    for files in gateways:
        tally.numbers = Counter()
        outbox, sampled = outbox_content(files, pace), set(journal_numbers(files.journal))
        sampled_all += len(sampled)
        produced_all += outbox.last
        dropped_all += ranges.count(_never_stored(outbox, stores, files.edge))
        known |= _count_gateway(tally, files, outbox, sampled)
        kept = {row.number for row in outbox.rows.values()} | set(tally.numbers)
        given_up = ranges.count(_never_stored(outbox, stores, files.edge))
        unkept += max(0, len(sampled - kept) - given_up)
        tally.twins()
    tally.strange(sorted((set(stores.rows) | set(stores.waveforms)) - known))
    return Counted(
        scenario,
        sampled_all,
        produced_all,
        tally.whole,
        tally.lost,
        tally.twice,
        tally.forged,
        sum(map(ranges.count, stores.quarantined.values())),
        dropped_all,
        unkept,
        tally.useful_bytes,
        amiss=(*tally.amiss, *stores.unreadable[:5]),
    )


def _never_stored(outbox: OutboxContent, stores: Stores, edge: str) -> ranges.Ranges:
    return ranges.subtract(outbox.dropped, stores.stored.get((edge, outbox.epoch), ()))


def _count_gateway(
    tally: _Tally, files: GatewayFiles, outbox: OutboxContent, sampled: set[int]
) -> set[FrameId]:
    """Count one gateway's frames; the identities that the records know of it."""
    known: set[FrameId] = set()
    for (edge, epoch), held in tally.stores.stored.items():
        if edge != files.edge:
            continue
        for seq in _numbers(held):
            frame = FrameId(edge, epoch, seq)
            known.add(frame)
            if epoch == outbox.epoch and seq > outbox.last:
                tally.strange([frame])
            tally.frame(frame, outbox.rows.get(seq) if epoch == outbox.epoch else None, sampled)
    at_host = ranges.merge(
        (
            *tally.stores.stored.get((files.edge, outbox.epoch), ()),
            *tally.stores.quarantined.get((files.edge, outbox.epoch), ()),
        )
    )
    settled = ranges.merge((*at_host, *outbox.dropped))
    produced: ranges.Ranges = ((1, outbox.last),) if outbox.last else ()
    tally.missing(files.edge, outbox.epoch, ranges.subtract(produced, settled))
    damaged = [seq for seq, row in outbox.rows.items() if not row.whole]
    if damaged:
        tally.forged += len(damaged)
        tally.amiss.append(f"forged: the outbox holds other samples than were taken: {damaged[:5]}")
    return known


def _numbers(held: Sequence[tuple[int, int]]) -> Iterator[int]:
    for lo, hi in held:
        yield from range(lo, hi + 1)
