"""Signals whose features are known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.features import Extractor, envelope_spectrum, spectrum, velocity_rms
from models.types import STANDARD_GRAVITY_M_S2, Bearing

FS, N = 25_600.0, 102_400
T = np.arange(N) / FS


def _features(x: np.ndarray) -> dict[str, float]:
    extractor = Extractor(FS, x.size)
    return dict(
        zip(extractor.names, extractor.extract(x[None, :].astype(np.float32))[0].tolist(), strict=True)
    )


def test_one_g_at_159_155_hz_is_6_934_mm_s() -> None:
    """2πf = 1000 there, so the peak velocity in mm/s is the peak acceleration in m/s²."""
    x = STANDARD_GRAVITY_M_S2 * np.sin(1000 * T)
    assert _features(x)["velocity_rms_mm_s"] == pytest.approx(9.80665 / math.sqrt(2), rel=1e-4)


def test_velocities_of_tones_add_as_squares_and_the_mean_and_what_is_outside_add_nothing() -> None:
    tones = {24.75: 0.8, 99.3: 2.5, 740.1: 9.0}  # Hz: m/s² peak, none on a bin
    outside = 3.0 * np.sin(2 * np.pi * 5.2 * T) + 20 * np.sin(2 * np.pi * 1600 * T) + 9.81
    x = sum((a * np.sin(2 * np.pi * f * T + f) for f, a in tones.items()), start=outside)
    expected = 1000 * math.sqrt(sum((a / (2 * math.pi * f)) ** 2 / 2 for f, a in tones.items()))
    assert _features(x)["velocity_rms_mm_s"] == pytest.approx(expected, rel=2e-3)
    assert velocity_rms(x[None, :].astype(np.float32), FS)[0] == pytest.approx(expected, rel=2e-3)


def test_the_band_from_2_hz_holds_what_the_band_from_10_hz_leaves_out() -> None:
    row = _features(np.sin(2 * np.pi * 5 * T))
    expected = 1000 / (2 * math.pi * 5) / math.sqrt(2)
    assert row["velocity_rms_low_mm_s"] == pytest.approx(expected, rel=2e-3)  # 20 cycles: 0.13 % of leakage
    assert row["velocity_rms_mm_s"] < 0.01 * row["velocity_rms_low_mm_s"]


def test_white_noise_has_the_velocity_and_the_band_levels_of_its_density() -> None:
    density = 1e-3  # (m/s²)²/Hz
    rng = np.random.default_rng(3)
    x = rng.standard_normal((8, N)).astype(np.float32) * np.float32(math.sqrt(density * FS / 2))
    extractor = Extractor(FS, N)
    mean_square = (extractor.extract(x).astype(np.float64) ** 2).mean(axis=0)
    level = dict(zip(extractor.names, np.sqrt(mean_square).tolist(), strict=True))
    velocity = 1000 * math.sqrt(density / (4 * math.pi**2) * (1 / 10 - 1 / 1000))
    assert level["velocity_rms_mm_s"] == pytest.approx(velocity, rel=0.05)  # 10 Hz: few independent lines
    assert level["band_1000_2500_m_s2"] == pytest.approx(math.sqrt(density * 1500), rel=0.01)
    assert level["band_5000_10000_m_s2"] == pytest.approx(math.sqrt(density * 5000), rel=0.01)


def test_neighbouring_bands_share_no_line() -> None:
    x = math.sqrt(2) * np.sin(2 * np.pi * 2000 * T)
    row = _features(x)
    assert row["band_1000_2500_m_s2"] == pytest.approx(1, rel=1e-4)
    assert row["band_2500_5000_m_s2"] < 1e-3


@pytest.mark.parametrize(
    ("wave", "crest", "kurtosis"),
    [
        (np.sin(2 * np.pi * 100 * T), math.sqrt(2), 1.5),
        (np.sign(np.sin(2 * np.pi * 100 * (T + 1e-6))), 1.0, 1.0),
        (2 * (T * 100 % 1) - 1, math.sqrt(3), 1.8),
        (np.where(np.arange(N) % 1000 == 0, 1.0, 0.0), None, 1000 - 3 + 3 / 1000),
    ],
)
def test_crest_and_kurtosis_of_simple_waves(wave: np.ndarray, crest: float | None, kurtosis: float) -> None:
    row = _features(wave)
    assert row["kurtosis"] == pytest.approx(kurtosis, rel=5e-3)
    assert crest is None or row["crest_factor"] == pytest.approx(crest, rel=5e-3)


def test_noise_has_kurtosis_3_and_an_offset_does_not_matter() -> None:
    noise = np.random.default_rng(4).standard_normal(N)
    row, shifted = _features(noise), _features(noise + 50)
    assert row["kurtosis"] == pytest.approx(3, abs=0.08)
    assert shifted == pytest.approx(row, rel=1e-3, nan_ok=True)


def test_ringing_shocks_have_the_kurtosis_of_their_duty() -> None:
    """Kurtosis = 1.5 / (f_d τ), τ = 1 / (2π f_n ζ), as long as each shock has died before the next."""
    f_d, f_n, zeta = 10.0, 3000.0, 0.03
    decay = np.exp(-2 * np.pi * f_n * zeta * T[:2560]) * np.sin(2 * np.pi * f_n * T[:2560])
    row = _features(np.tile(decay, 40))
    assert row["kurtosis"] == pytest.approx(1.5 / (f_d / (2 * np.pi * f_n * zeta)), rel=0.02)


@pytest.mark.parametrize("kind", ["acceleration", "velocity"])
def test_a_line_on_a_bin_reads_its_amplitude_and_between_two_1_42_db_less(kind: str) -> None:
    df = FS / N
    on, between = 100 * df * 10, (100 * 10 + 0.5) * df
    x = np.stack([5 * np.sin(2 * np.pi * f * T) for f in (on, between)]).astype(np.float32)
    frequency, amplitude = spectrum(x, FS, kind=kind)  # type: ignore[arg-type]
    full = np.array([5.0, 5.0]) * (1000 / (2 * np.pi * np.array([on, between])) if kind == "velocity" else 1)
    assert frequency[amplitude[0].argmax()] == pytest.approx(on)
    assert amplitude[0].max() == pytest.approx(full[0], rel=1e-4)
    assert 20 * math.log10(amplitude[1].max() / full[1]) == pytest.approx(-1.42, abs=0.01)


def test_shaft_lines_are_the_velocity_of_their_order_alone() -> None:
    speed = 24.7
    x = sum(a * np.sin(2 * np.pi * k * speed * T) for k, a in ((1, 1.0), (2, 3.0), (3.5, 50.0)))
    extractor = Extractor(FS, N)
    row = extractor.extract(np.asarray(x, dtype=np.float32)[None, :], speed_hz=speed)[0]
    names = extractor.names
    for order, amplitude in ((1, 1.0), (2, 3.0)):
        expected = 1000 * amplitude / (2 * math.pi * order * speed) / math.sqrt(2)
        assert row[names.index(f"order_{order}x_mm_s")] == pytest.approx(expected, rel=2e-3)
    assert row[names.index("order_3x_mm_s")] < 0.01 * row[names.index("velocity_rms_mm_s")]


def test_the_envelope_of_a_modulated_tone_is_its_modulation() -> None:
    amplitude, depth, f = 3.0, 0.4, 97.0
    x = amplitude * (1 + depth * np.cos(2 * np.pi * f * T)) * np.sin(2 * np.pi * 3333 * T)
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
    weak = 0.01 * (1 + 0.5 * np.cos(2 * np.pi * 97 * T)) * np.sin(2 * np.pi * 3333 * T)
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


def test_defect_orders_of_a_6205_from_its_geometry() -> None:
    bearing = Bearing.from_geometry(
        "6205", rolling_elements=9, element_diameter_mm=7.938, pitch_diameter_mm=39.04
    )
    assert bearing.orders == pytest.approx((3.585, 5.415, 2.357, 0.398), abs=5e-4)
