"""The envelope's spectrum beside the velocity's: what is written of it, and of which blocks none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.batch import Batch, WorkFrame
from ingest.commit import Stores
from ingest.knowledge import Knowledge, Speeds
from ingest.rows import SPECTRUM_ROWS, envelope_rows, spectrum_rows
from ingest.scoring import Scored, Scorer
from models.features.bands import ENVELOPE_TOP_HZ
from palier.frames import FrameId, Waveform
from palier.historian.base import Rows, WriteReport
from palier.historian.checking import check
from palier.historian.rows import RecordsBatch
from palier.historian.waveforms import WaveformRef
from palier.limits import load_limits
from palier.plant import Plant, load_plant
from tests.host.conftest import PLANT
from tests.support.committing import AtOnce
from tests.support.gateway import EPOCH, waveform

T0 = 1_790_000_000 * 10**9
FS_HZ = 25_600.0
STRUCK_HZ = 120.0
G_M_S2 = 9.80665


def struck(fs_hz: float = FS_HZ, n: int = 25_600, unit: str = "m/s²", channels: int = 1) -> Waveform:
    """A resonance of 4 m/s² at 5 kHz, swelling by a half 120 times a second."""
    t = np.arange(n) / fs_hz
    x = 4.0 * (1 + 0.5 * np.cos(2 * np.pi * STRUCK_HZ * t)) * np.sin(2 * np.pi * 5000 * t)
    samples = np.tile((x / 0.001).astype("<i2"), (channels, 1))
    names = ("h", "a")[:channels]
    return Waveform("pompe", "p1", names, samples, (0.001,) * channels, (unit,) * channels, fs_hz, T0)


@pytest.fixture(scope="module")
def usine(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    path = tmp_path_factory.mktemp("plant") / "plant.toml"
    path.write_text(PLANT, encoding="utf-8")
    return load_plant(path)


def scored(plant: Plant, *blocks: Waveform) -> list[Scored]:
    knowledge = Knowledge(plant, load_limits())
    works = [
        WorkFrame(FrameId("usine/g1", EPOCH, k), "usine", block, True, "t", b"raw")
        for k, block in enumerate(blocks)
    ]
    return Scorer(knowledge, Speeds(knowledge)).score(works)


def column(rows: Rows, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(rows.fields[name], dtype=np.float64)


def highest_hz(rows: Rows) -> float:
    return float(column(rows, "frequency_hz")[np.argmax(column(rows, "amplitude"))])


def test_the_line_of_what_strikes_has_its_frequency_and_amplitude(usine: Plant) -> None:
    rows = envelope_rows(scored(usine, struck()))
    assert highest_hz(rows) == pytest.approx(STRUCK_HZ, abs=0.5)
    assert column(rows, "amplitude").max() == pytest.approx(4.0 * 0.5, rel=0.02)
    assert 0 < len(rows) <= SPECTRUM_ROWS
    assert column(rows, "frequency_hz").max() <= ENVELOPE_TOP_HZ + 1
    assert column(rows, "line").tolist() == list(range(len(rows)))
    assert set(rows.fields["kind"]) == {"envelope_m_s2"}
    assert set(rows.fields["frame"]) == {f"usine/g1:{EPOCH}:0"}
    assert set(zip(rows.machine, rows.point, rows.channel, strict=True)) == {("pompe", "p1", "h")}
    assert (rows.measurement, set(rows.ts_ns.tolist())) == ("envelope", {T0})


def test_a_block_in_g_reads_in_m_s2(usine: Plant) -> None:
    rows = envelope_rows(scored(usine, struck(unit="g")))
    assert column(rows, "amplitude").max() == pytest.approx(2.0 * G_M_S2, rel=0.02)


def test_each_channel_of_each_block_has_its_lines(usine: Plant) -> None:
    rows = envelope_rows(scored(usine, struck(channels=2), replace(struck(), point="p2")))
    series = set(zip(rows.point, rows.channel, strict=True))
    assert series == {("p1", "h"), ("p1", "a"), ("p2", "h")}
    assert len(check(rows)) == len(rows)


BAD_SAMPLES = np.full((1, 25_600), np.nan, "<f4")


@pytest.mark.parametrize(
    "block",
    [
        waveform(T0),  # of 4096 Hz: nothing of the band is in it
        struck(fs_hz=12_000.0),
        struck(unit="unknown", n=4096),
        struck(unit="mm/s"),
        replace(struck(), samples=BAD_SAMPLES),
        struck(n=8),
        struck(n=16),
    ],
    ids=["slow", "half_of_the_band", "no_unit", "velocity", "not_finite", "short", "shortest"],
)
def test_of_these_blocks_there_is_no_envelope(usine: Plant, block: Waveform) -> None:
    machine = "inconnue" if block.unit[0] == "unknown" else block.machine
    rows = envelope_rows(scored(usine, replace(block, machine=machine)))
    assert len(rows) == 0
    assert set(rows.fields) == {"line", "frequency_hz", "amplitude", "kind", "frame"}
    assert len(check(rows)) == 0


def test_one_block_without_does_not_take_it_from_the_others(usine: Plant) -> None:
    entries = scored(usine, waveform(T0), struck(), replace(struck(), samples=BAD_SAMPLES, point="p2"))
    assert set(envelope_rows(entries).ts_ns.tolist()) == {T0}
    assert len(spectrum_rows(entries)) > len(envelope_rows(entries)) > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 3000), st.sampled_from([16_000.0, 20_480.0, 25_600.0, 51_200.0, 1e6]))
def test_whatever_rate_and_length_a_block_has_it_is_no_error(usine: Plant, n: int, fs_hz: float) -> None:
    rows = envelope_rows(scored(usine, struck(fs_hz=fs_hz, n=n)))
    assert len(rows) <= SPECTRUM_ROWS
    assert (np.diff(column(rows, "frequency_hz")) > 0).all()
    assert np.isfinite(column(rows, "amplitude")).all()


class Taken:
    """Takes all, and keeps the envelopes."""

    def __init__(self) -> None:
        self.written: list[Rows] = []

    def write(self, batch: Sequence[Rows]) -> list[WriteReport]:
        self.written += [rows for rows in batch if rows.measurement == "envelope" and len(rows)]
        return [WriteReport(len(rows)) for rows in batch]

    def commit(self, batch: RecordsBatch) -> None:
        pass

    def append_all(self, frames: Sequence[tuple[FrameId, Waveform]]) -> list[WaveformRef]:
        return [WaveformRef(1, frame_id.seq, 1) for frame_id, _ in frames]

    def sync(self) -> None:
        pass


def test_it_is_kept_at_first_and_once_an_interval(usine: Plant) -> None:
    stores = Taken()
    committer = AtOnce(
        Stores(stores, stores, stores),  # type: ignore[arg-type]
        Knowledge(usine, load_limits()),
        spectrum_interval_s=3600.0,
        wall_ns=lambda: T0,
    )
    for seq, after_s in enumerate((0, 60, 3599, 3600, 3660)):
        block = replace(struck(), start_ns=T0 + after_s * 10**9)
        work = WorkFrame(FrameId("usine/g1", EPOCH, seq), "usine", block, True, "t", b"raw")
        committer.commit(Batch(frames=(work,)))
    assert [(int(rows.ts_ns[0]) - T0) // 10**9 for rows in stores.written] == [0, 3600]
