"""Envelopes that are known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.features import envelope_spectrum
from tests.support.rows import BY_ALL, RowOf

FS, N = 25_600.0, 102_400
T = np.arange(N) / FS


def _modulated(depth: float, f: float, carrier: float, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * (1 + depth * np.cos(2 * np.pi * f * T)) * np.sin(2 * np.pi * carrier * T)


@BY_ALL
@pytest.mark.parametrize("depth", [0.1, 0.5, 1.0])
def test_the_modulation_of_a_modulated_tone(row_of: RowOf, depth: float) -> None:
    """A²(1 + m cos φ)² = A²[(1 + m²/2) + 2m cos φ + (m²/2) cos 2φ].

    Its two lines have the RMS √((2m)²/2 + (m²/2)²/2), over the mean 1 + m²/2; the level is A √((1 + m²/2)/2).
    """
    row = row_of(_modulated(depth, 97.0, 5000.0, 3.0), FS, speed_hz=24.25, orders=(4.0, 2.5, math.nan, 0.4))
    mean, lines = 1 + depth**2 / 2, math.sqrt((2 * depth) ** 2 / 2 + (depth**2 / 2) ** 2 / 2)
    assert row["envelope_rms_m_s2"] == pytest.approx(3 * math.sqrt(mean / 2), rel=1e-4)
    assert row["envelope_modulation"] == pytest.approx(lines / mean, rel=1e-4)
    assert row["bpfo_modulation"] == pytest.approx(lines / mean, rel=1e-4)  # 4 x 24.25 Hz, and its double
    assert row["bpfi_modulation"] < 1e-3
    assert math.isnan(row["bsf_modulation"])


@BY_ALL
def test_the_modulation_of_noise(row_of: RowOf) -> None:
    """|z|² of noise of bandwidth B has the variance of its squared mean, in a triangle that ends at B.

    To f the triangle holds 1 - (1 - f/B)², with B = 7500 Hz and f = 1500 Hz 0.36: a modulation of 0.6.
    """
    row = row_of(np.random.default_rng(8).standard_normal(N), FS)
    assert row["envelope_modulation"] == pytest.approx(0.6, rel=0.02)
    assert row["envelope_rms_m_s2"] == pytest.approx(math.sqrt(7500 / (FS / 2)), rel=0.01)


@BY_ALL
def test_a_tone_has_no_modulation_and_the_level_of_its_rms(row_of: RowOf) -> None:
    row = row_of(3.0 * np.sin(2 * np.pi * 5000.1 * T), FS)
    assert row["envelope_rms_m_s2"] == pytest.approx(3 / math.sqrt(2), rel=1e-4)
    assert row["envelope_modulation"] < 1e-3


@BY_ALL
def test_the_first_three_lines_of_a_defect_in_the_spectrum(row_of: RowOf) -> None:
    """√Σ A²/2 of the harmonics 1-3 of 3.585 x 24.7 Hz; the fourth is left out."""
    f = 3.585 * 24.7
    x = sum(a * np.sin(2 * np.pi * h * f * T) for h, a in ((1, 3.0), (2, 2.0), (3, 1.0), (4, 50.0)))
    row = row_of(np.asarray(x), FS, speed_hz=24.7, orders=(3.585, 5.415, 2.357, 0.398))
    assert row["bpfo_m_s2"] == pytest.approx(math.sqrt((9 + 4 + 1) / 2), rel=2e-3)
    assert row["ftf_m_s2"] < 0.05


def test_the_envelope_of_a_modulated_tone_is_its_modulation() -> None:
    amplitude, depth, f = 3.0, 0.4, 97.0
    x = _modulated(depth, f, 3333.0, amplitude)
    frequency, plain = envelope_spectrum(x[None, :].astype(np.float32), FS, (2500, 5000))
    line = int(np.argmin(np.abs(frequency - f)))
    assert plain[0, line] == pytest.approx(amplitude * depth, rel=1e-3)
    assert plain[0, 0] == pytest.approx(amplitude, rel=1e-3)
    _, squared = envelope_spectrum(x[None, :].astype(np.float32), FS, (2500, 5000), squared=True)
    assert squared[0, line] == pytest.approx(2 * depth * amplitude**2, rel=1e-3)
    assert squared[0, 2 * line] == pytest.approx(depth**2 / 2 * amplitude**2, rel=1e-3)


def test_shocks_modulated_by_the_shaft_have_half_the_modulation_as_sidebands() -> None:
    """An inner-ring defect passes the load zone once a turn: lines at f_d ± f_r, m/2 of the one at f_d."""
    f_d, f_r, depth = 130.0, 25.0, 0.8
    train = 1 + np.cos(2 * np.pi * f_d * T)
    x = train * np.sqrt(1 + depth * np.cos(2 * np.pi * f_r * T)) * np.sin(2 * np.pi * 3750 * T)
    _, squared = envelope_spectrum(x[None, :].astype(np.float32), FS, (2500, 5000), squared=True)
    at = [round(f * N / FS) for f in (f_d - f_r, f_d, f_d + f_r)]
    low, middle, high = squared[0, at]
    assert low / middle == pytest.approx(depth / 2, rel=1e-3)
    assert high / middle == pytest.approx(depth / 2, rel=1e-3)


def test_a_strong_tone_outside_the_band_does_not_ring_in_the_envelope() -> None:
    weak = _modulated(0.5, 97.0, 3333.0, 0.01)
    strong = 10 * np.sin(2 * np.pi * 24.63 * T)  # 1000 times as high, and on no bin
    frequency, plain = envelope_spectrum((weak + strong)[None, :].astype(np.float32), FS, (2500, 5000))
    assert plain[0, np.argmin(np.abs(frequency - 97))] == pytest.approx(0.005, rel=0.01)


def test_an_envelope_cut_short_is_not_aliased() -> None:
    x = np.random.default_rng(6).standard_normal((1, N)).astype(np.float32)
    _, whole = envelope_spectrum(x, FS, (1000, 2500))
    frequency, part = envelope_spectrum(x, FS, (1000, 2500), f_max_hz=200, squared=True)
    _, squared = envelope_spectrum(x, FS, (1000, 2500), squared=True)
    assert frequency[-1] == pytest.approx(200, abs=1)
    np.testing.assert_allclose(part, squared[:, : part.shape[1]], rtol=1e-2, atol=1e-5)
    assert whole.shape[1] * FS / N == pytest.approx(1500, abs=1)


def test_a_band_above_the_usable_rate_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="choose a lower band or a higher rate"):
        envelope_spectrum(np.zeros((1, 4096), np.float32), 5120.0, (2500, 5000))
