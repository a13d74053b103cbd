"""Spectra for a chart: thinned without losing a line, marked where to look, read from stored blocks."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.spectra import peaks, places, thinned
from dashboards.console.spectra_api import extremes
from dashboards.console.waves import MOST_KEPT, Block, Waves, block_of, lines_of
from models.features.bands import SEARCH
from models.types import BEARING_DEFECTS
from palier.plant import load_sample_plant
from tests.support.degrading_pump import BPFO, RPM, waveform


@given(st.lists(st.floats(0, 100), min_size=1, max_size=400), st.integers(1, 50), st.floats(0.1, 4))
def test_a_thinned_spectrum_keeps_its_highest_line_where_it_was(
    heights: list[float], rows: int, step_hz: float
) -> None:
    amplitude = np.array(heights)
    frequency, found = thinned(step_hz, amplitude, 0, step_hz * len(heights), rows)
    assert len(frequency) <= max(rows, 1)
    assert frequency == sorted(frequency)
    best = int(np.argmax(amplitude))
    assert max(v for v in found if v is not None) == amplitude[best]
    assert any(abs(f - best * step_hz) < 1e-3 or amplitude[round(f / step_hz)] == amplitude[best]
               for f in frequency)  # fmt: skip


def test_a_part_of_a_spectrum_is_that_part_and_an_empty_one_nothing() -> None:
    amplitude = np.arange(100.0)
    frequency, found = thinned(0.5, amplitude, 10, 12)
    assert frequency == [10.0, 10.5, 11.0, 11.5, 12.0]
    assert found == [20.0, 21.0, 22.0, 23.0, 24.0]
    assert thinned(0.5, amplitude, 60, 70) == ([], [])


def test_what_is_not_finite_is_unknown() -> None:
    assert thinned(1.0, np.array([1.0, np.nan, 3.0]), 0, 2)[1] == [1.0, None, 3.0]


def test_peaks_are_lines_and_not_their_flanks() -> None:
    amplitude = [0.0, 0.0, 1.0, 9.0, 2.0, 0.0, 0.0, 5.0, 1.0, None]
    assert peaks([float(i) for i in range(10)], amplitude)[:2] == [3, 7]


def test_markers_stand_at_shaft_bearing_vanes_belt_and_supply_with_their_tolerance() -> None:
    spec = load_sample_plant().machine("P-101")
    assert spec is not None
    found = places(RPM, spec, spec.point("1"), 2000.0)
    by_name = {(place.name, place.harmonic): place for place in found}
    outer = by_name["bpfo", 1]
    assert outer.hz == pytest.approx(BPFO * RPM / 60)
    assert outer.half_hz == pytest.approx(SEARCH * outer.hz)  # one tolerance for rules, page and report
    assert by_name["vane", 1].hz == pytest.approx(4 * RPM / 60)
    assert by_name["supply", 1].hz == 100
    assert {name for name, _ in by_name} >= {"1×", "belt", *BEARING_DEFECTS}


def test_without_a_speed_only_the_supply_is_marked() -> None:
    spec = load_sample_plant().machine("P-101")
    assert spec is not None
    assert [place.name for place in places(None, spec, spec.point("1"), 2000.0)] == ["supply"]
    assert places(None, None, None, 2000.0) == []


def block(unit: str = "m/s²") -> Block:
    frame = waveform(0, 3.0, 1)
    return block_of(
        type(frame)(frame.machine, frame.point, frame.channels, frame.samples, frame.scale, (unit,),
                    frame.fs_hz, frame.start_ns, speed_rpm=RPM),
        "H", "e:0:1",
    )  # fmt: skip


def test_the_velocity_spectrum_shows_the_shaft_and_the_envelope_the_outer_ring() -> None:
    velocity = lines_of(block(), "velocity")
    assert velocity is not None
    i = int(np.argmax(velocity.amplitude[: round(100 / velocity.step_hz)]))
    assert i * velocity.step_hz == pytest.approx(RPM / 60, abs=velocity.step_hz)
    assert velocity.amplitude[i] == pytest.approx(3.0, rel=0.2)
    envelope = lines_of(block(), "envelope")
    assert envelope is not None
    hz = int(np.argmax(envelope.amplitude)) * envelope.step_hz
    assert hz == pytest.approx(BPFO * RPM / 60, abs=envelope.step_hz)


def test_without_a_unit_there_is_no_velocity() -> None:
    assert lines_of(block("unknown"), "velocity") is None
    assert lines_of(block("unknown"), "acceleration") is not None
    assert block("unknown").unit == "unknown"


def test_a_slow_rate_gives_the_highest_band_it_can_or_none() -> None:
    one = block()
    for fs_hz, band in ((25_600.0, (2500.0, 10_000.0)), (12_800.0, (1000.0, 5000.0)), (1000.0, None)):
        found = lines_of(Block(one.frame, 0, fs_hz, one.samples, one.unit, None, None), "envelope")
        assert (found.band_hz if found else None) == band


def test_what_was_computed_is_kept_and_forgotten_in_its_turn() -> None:
    async def asked() -> None:
        waves = Waves()
        try:
            one = block()
            first = await waves.lines(one, "H", "velocity")
            assert await waves.lines(one, "H", "velocity") is first
            for k in range(MOST_KEPT):
                other = Block(f"e:0:{k + 2}", 0, one.fs_hz, one.samples, one.unit, None, None)
                await waves.lines(other, "H", "velocity")
            assert await waves.lines(one, "H", "velocity") is not first
        finally:
            waves.close()

    asyncio.run(asked())


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=300), st.integers(2, 40))
def test_the_outline_of_a_waveform_keeps_its_extremes(values: list[float], most: int) -> None:
    x = np.array(values, dtype=np.float32)
    found = extremes(x, most)
    assert found == sorted(found)
    assert x[found].max() == x.max()
    assert x[found].min() == x.min()
    assert len(found) <= max(most, 2) or len(x) <= most


def test_spectra_of_the_page_do_without_scipy() -> None:
    """Its FFT costs 17 MB of the 120 that the page's process may take."""
    code = (
        "import sys, numpy as np; import dashboards.console.app\n"
        "from dashboards.console.waves import Block, KINDS, lines_of\n"
        "x = np.random.default_rng(0).normal(size=(1, 25600)).astype(np.float32)\n"
        "block = Block('f', 0, 25600.0, x, 'm/s²', 890.0, None)\n"
        "assert all(lines_of(block, kind) is not None for kind in KINDS)\n"
        "sys.exit('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
