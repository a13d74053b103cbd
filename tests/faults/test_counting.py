"""The count of the fault tests itself: it finds what a test has lost, doubled or forged."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.outbox import open_outbox
from palier.clock import PlantClock
from palier.frames import FrameId, Waveform
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from tests.support import fault_table
from tests.support.counted import RMS, Counted, count
from tests.support.counting_source import CHANNEL, SCALE, CountingSource, Pace
from tests.support.plant_files import SITE, GatewayFiles

EPOCH = "ab" * 8
PACE = Pace(rate=150.0, points=30, samples=64, begin_mono_ns=0, begin_ns=10**18)


@dataclass
class Left:
    """What a gateway and a host have left behind."""

    files: GatewayFiles
    data: DataFolder

    def sample(self, blocks: int) -> list[Waveform]:
        """Let the source hand over so many, and keep them in the outbox."""
        options = {
            "rate": PACE.rate,
            "points": PACE.points,
            "samples": PACE.samples,
            "machine": "gw-1",
            "begin_mono_ns": PACE.begin_mono_ns,
            "begin_ns": PACE.begin_ns,
            "journal_file": str(self.files.journal),
            "end_file": str(self.files.end),
        }
        handed = CountingSource(options, PlantClock()).frames(threading.Event())
        made = [frame for frame in islice(handed, blocks) if isinstance(frame, Waveform)]
        with closing(
            open_outbox(self.files.outbox, self.files.edge, draw_epoch=lambda: EPOCH, cap_bytes=10**9)
        ) as outbox:
            outbox.put(made)
        return made

    def store(self, frames: dict[int, Waveform], *, waveforms: bool = True) -> None:
        """As the ingest does, by seq."""
        ids = [FrameId(self.files.edge, EPOCH, seq) for seq in frames]
        with closing(SqliteHistorian(self.data.create().historian)) as historian:
            historian.write([feature_rows(frames)])
        store = WaveformStore(self.data.waveforms)
        refs = store.append_all(list(zip(ids, frames.values(), strict=True)))
        store.sync()
        store.close()
        index = tuple(
            WaveformRow(frame_id, SITE, frame.machine, frame.point, frame.start_ns, ref)
            for frame_id, frame, ref in zip(ids, frames.values(), refs, strict=True)
        )
        with closing(Records(self.data.records)) as records:
            records.commit(RecordsBatch(stored=tuple(ids), waveforms=index if waveforms else ()))

    def count(self) -> Counted:
        return count("made", [self.files], PACE, self.data)


def feature_rows(frames: dict[int, Waveform]) -> Rows:
    values = [np.asarray(frame.samples[0], float) * SCALE for frame in frames.values()]
    return Rows(
        "feature",
        site=[SITE] * len(frames),
        machine=[frame.machine for frame in frames.values()],
        point=[frame.point for frame in frames.values()],
        channel=[CHANNEL] * len(frames),
        ts_ns=np.array([frame.start_ns for frame in frames.values()], np.int64),
        fields={
            "speed_rpm": np.array([frame.speed_rpm for frame in frames.values()]),
            RMS: np.array([value.std() for value in values]),
            "frame": [f"{SITE}/gw-1:{EPOCH}:{seq}" for seq in frames],
        },
    )


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(GatewayFiles(tmp_path, "gw-1"), DataFolder(tmp_path / "data"))


def test_what_is_whole_is_counted_as_stored(left: Left) -> None:
    left.store(dict(enumerate(left.sample(20), start=1)))
    counted = left.count()
    assert (counted.sampled, counted.produced, counted.stored) == (20, 20, 20)
    assert (counted.lost, counted.duplicated, counted.forged, counted.unkept) == (0, 0, 0, 0)


def test_a_frame_that_no_store_has_is_lost(left: Left) -> None:
    frames = dict(enumerate(left.sample(20), start=1))
    del frames[7]
    left.store(frames)
    counted = left.count()
    assert (counted.stored, counted.lost) == (19, 1)


def test_a_frame_without_its_waveform_is_lost(left: Left) -> None:
    left.store(dict(enumerate(left.sample(3), start=1)), waveforms=False)
    assert left.count().lost == 3


def test_a_row_under_another_time_is_a_second_one(left: Left) -> None:
    frames = dict(enumerate(left.sample(5), start=1))
    left.store(frames)
    again = replace(frames[2], start_ns=frames[2].start_ns + 1)
    with closing(SqliteHistorian(left.data.historian)) as historian:
        historian.write([feature_rows({2: again})])
    assert left.count().duplicated == 1


def test_a_block_under_two_identities_is_there_twice(left: Left) -> None:
    made = left.sample(5)
    left.store({**dict(enumerate(made[:4], start=1)), 5: replace(made[0], start_ns=made[4].start_ns)})
    counted = left.count()
    assert counted.duplicated == 1
    assert counted.forged == 1  # and it is not what the gateway has under that identity


def test_samples_that_nobody_took_are_forged(left: Left) -> None:
    frames = dict(enumerate(left.sample(5), start=1))
    changed = frames[3].samples.copy()
    changed[0, 40] += 1
    left.store({**frames, 3: replace(frames[3], samples=changed)})
    counted = left.count()
    assert counted.forged == 1
    assert "never sampled so" in counted.amiss[0]


def test_a_frame_that_no_gateway_produced_is_forged(left: Left) -> None:
    frames = dict(enumerate(left.sample(5), start=1))
    left.store({**frames, 6: replace(frames[5], start_ns=frames[5].start_ns + 10**9)})
    assert left.count().forged >= 1


def test_the_table_fails_by_one_frame_and_by_a_slow_recovery() -> None:
    good = Counted("cut", 100, 100, 100, 0, 0, 0, recovery_s=3.0)
    assert fault_table.verdict([good] * 24)[0]
    assert not fault_table.verdict([*[good] * 24, replace(good, lost=1)])[0]
    assert not fault_table.verdict([*[good] * 22, *[replace(good, recovery_s=16.0)] * 2])[0]
    assert fault_table.verdict([replace(good, recovery_s=16.0)] * 2)[0]  # too few for a p95
    assert fault_table.read_row(fault_table.row_text(good)) == good
