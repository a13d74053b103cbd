"""Features at the gateway: as the host computes them, a batch in one call; spectra where they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_agent import extraction as module
from edge_agent.extraction import Extraction
from edge_agent.spectra_changed import EVERY_NS, Levels, band_starts, changed, levels
from models.features import Extractor
from models.features.gate import SHORTEST_BLOCK
from palier.frames import Features, FrameError, Waveform, pack, unpack
from palier.wire.messages import wire_bytes
from tests.support.frames import frame_equal

START_NS = 1_700_000_000_000_000_000
FS_HZ = 25_600.0
N = 16_384


def block(
    number: int = 0, *, line: float = 0.0, machine: str = "P-101", n: int = N, unit: str = "g"
) -> Waveform:
    """Noise of 1 m/s² in counts of 1 mg on two channels, and a line of `line` m/s² at 800 Hz in the first."""
    random = np.random.default_rng(number)
    x = random.normal(size=(2, n))
    x[0] += line * np.sin(2 * np.pi * 800 * np.arange(n) / FS_HZ)
    return Waveform(
        machine=machine,
        point="1",
        channels=("H", "V"),
        samples=np.rint(x / 9.80665e-3).astype("<i2"),
        scale=(0.001, 0.001),
        unit=(unit, unit),
        fs_hz=FS_HZ,
        start_ns=START_NS + number * 2 * EVERY_NS,
        speed_rpm=1500.0,
        load_percent=80.0,
        quality=(192, 500),
    )


def test_they_are_those_of_the_extractor() -> None:
    blocks = [block(0), block(1, machine="P-102")]
    made = Extraction().features(blocks)
    for one, frame in zip(made, blocks, strict=True):
        assert one is not None
        scale = np.array(frame.scale) * 9.80665
        whole = Extractor(FS_HZ, N, compiled=False).extract(frame.samples, scale, speed_hz=25.0)
        known = np.flatnonzero(np.isfinite(whole).any(axis=0))
        assert one.names == tuple(Extractor.names[i] for i in known)
        np.testing.assert_allclose(one.values, whole[:, known], rtol=1e-5)
        same = ("machine", "point", "channels", "unit", "fs_hz", "start_ns", "clock", "speed_rpm", "quality")
        assert [getattr(one, name) for name in same] == [getattr(frame, name) for name in same]
        assert (one.n_samples, one.end_ns, one.step) == (N, frame.end_ns, frame.scale)


def test_what_a_host_alone_can_know_is_not_named() -> None:
    (made,) = Extraction().features([block()])
    assert made is not None
    assert not {"bpfo_m_s2", "mesh_1x_m_s2", "belt_mm_s"} & set(made.names)
    (still,) = Extraction().features([replace(block(), speed_rpm=None)])
    assert still is not None
    assert not any(name.startswith("order_") for name in still.names)


def test_a_block_is_a_small_fraction_of_what_it_was() -> None:
    extraction = Extraction()
    long = block(n=102_400)
    (first,) = extraction.features([long])
    extraction.sent()
    (second,) = extraction.features([replace(long, start_ns=long.start_ns + 10**10)])
    assert first is not None
    assert second is not None
    assert second.spectra == ()
    assert wire_bytes(second) < 0.01 * wire_bytes(long)
    assert wire_bytes(first) < 0.05 * wire_bytes(long)
    assert frame_equal(unpack(*pack(first)), first)


def test_a_block_without_numbers_is_told_of_and_one_too_short_is_not() -> None:
    floats = replace(block(), samples=np.full((2, N), np.nan, "<f4"))
    none, short = Extraction().features([floats, block(n=SHORTEST_BLOCK - 1)])
    assert none is not None
    assert (none.names, none.spectra) == (("longest_hold",), ())
    assert np.isnan(none.values).all()
    assert short is None


def test_blocks_of_one_rate_and_length_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = Extractor.extract

    def counted(self: Extractor, x: np.ndarray, *args: object, **more: object) -> np.ndarray:
        calls.append(len(x))
        return real(self, x, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Extractor, "extract", counted)
    Extraction().features([block(0), block(1), block(2, n=4096), block(3)])
    assert calls == [6, 2]


def test_few_extractors_are_kept() -> None:
    extraction = Extraction()
    for n in range(1024, 1024 + 2 * module.EXTRACTORS_KEPT):
        extraction.features([block(n=n)])
    assert len(extraction._extractors) == module.EXTRACTORS_KEPT


def spectra_sent(extraction: Extraction, frame: Waveform) -> int:
    (made,) = extraction.features([frame])
    extraction.sent()
    assert made is not None
    return len(made.spectra)


def test_spectra_are_sent_when_they_change_and_not_with_the_noise() -> None:
    extraction = Extraction()
    assert spectra_sent(extraction, block(0)) == 4
    assert sum(spectra_sent(extraction, block(number)) for number in range(1, 20)) == 0
    assert spectra_sent(extraction, block(20, line=1.5)) == 4
    assert spectra_sent(extraction, block(21, line=1.5)) == 0
    assert spectra_sent(extraction, block(22)) == 4


def test_spectra_of_a_point_come_no_more_often_than_its_blocks_do_without_an_alarm() -> None:
    extraction = Extraction()
    spectra_sent(extraction, block(0))
    soon = replace(block(1, line=9.0), start_ns=START_NS + EVERY_NS - 1)
    assert spectra_sent(extraction, soon) == 0
    assert spectra_sent(extraction, replace(soon, start_ns=START_NS + EVERY_NS)) == 4


def test_a_spectrum_counts_as_sent_once_it_is_on_the_disk() -> None:
    extraction = Extraction()
    for _ in range(2):  # the disk refused the first
        (made,) = extraction.features([block(0)])
        assert made is not None
        assert len(made.spectra) == 4
    extraction.sent()
    assert spectra_sent(extraction, block(1)) == 0


def test_a_unit_that_is_no_acceleration_has_no_spectra() -> None:
    assert spectra_sent(Extraction(), block(unit="unknown")) == 0


def test_bands_have_lines_enough_and_end_where_the_rate_does() -> None:
    frequency = np.arange(4097, dtype=np.float64)
    starts = band_starts(frequency, 3200.0)
    assert (np.diff(starts) >= 8).all()
    assert (frequency[starts[0]], frequency[starts[-1]]) == (10.0, 3200.0)
    assert len(band_starts(np.arange(5, dtype=np.float64), 8.0)) < 2


def test_silence_and_another_shape_are_no_reason_to_fail() -> None:
    frequency = np.arange(2000, dtype=np.float64)
    silent = levels(0, frequency, np.zeros((1, 2000), np.float32), 1000.0)
    assert not changed(silent, replace(silent, start_ns=EVERY_NS))
    assert changed(silent, Levels(EVERY_NS, np.zeros((2, 3)), np.ones(3)))
    assert changed(None, silent)


def test_features_that_can_not_be_one_are_refused() -> None:
    (made,) = Extraction().features([block()])
    assert made is not None
    with pytest.raises(FrameError, match="each once"):
        replace(made, names=(made.names[0],) * len(made.names))
    with pytest.raises(FrameError, match="infinity"):
        replace(made, values=np.full_like(made.values, np.inf))
    with pytest.raises(FrameError, match="channels, names"):
        replace(made, names=made.names[1:])


def test_a_block_of_which_none_can_be_computed_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Extraction._of

    def refusing(self: Extraction, blocks: Sequence[Waveform]) -> list[Features]:
        if any(one.machine == "bad" for one in blocks):
            raise FloatingPointError("no")
        return real(self, blocks)

    monkeypatch.setattr(Extraction, "_of", refusing)
    extraction = Extraction()
    too_slow = replace(block(), fs_hz=0.5)
    made = extraction.features([block(), replace(block(), machine="bad"), too_slow, block()])
    assert [one is not None for one in made] == [True, False, False, True]
    assert extraction.failures == 2
