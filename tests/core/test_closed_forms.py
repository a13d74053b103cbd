"""Signals whose levels are known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.features import Extractor, spectrum, velocity_rms
from models.features.windows import spectral_length
from models.types import STANDARD_GRAVITY_M_S2, Bearing
from tests.support import naive_spectrum
from tests.support.rows import BY_ALL, RowOf, extracted

FS, N = 25_600.0, 102_400
T = np.arange(N) / FS


def _sine(f: float, amplitude: float = 1.0, phase: float = 0.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * f * T + phase)


# Velocity ---------------------------------------------------------------------------------------------


@BY_ALL
def test_one_g_at_159_155_hz_is_6_934_mm_s(row_of: RowOf) -> None:
    """2πf = 1000 there, so the peak velocity in mm/s is the peak acceleration in m/s²: 9.80665/√2."""
    row = row_of(STANDARD_GRAVITY_M_S2 * np.sin(1000 * T), FS)
    assert row["velocity_rms_mm_s"] == pytest.approx(6.9344, rel=1e-4)


@BY_ALL
def test_velocities_of_tones_add_as_squares_and_the_mean_and_what_is_outside_add_nothing(
    row_of: RowOf,
) -> None:
    """√Σ (A/2πf)²/2 over the tones of 10-1000 Hz, whatever their phases."""
    tones = {24.75: 0.8, 99.3: 2.5, 740.1: 9.0}  # Hz: m/s² peak, none on a bin
    outside = 9.81 + _sine(5.2, 3.0) + _sine(1600, 20.0)
    x = sum((_sine(f, a, f) for f, a in tones.items()), start=outside)
    expected = 1000 * math.sqrt(sum((a / (2 * math.pi * f)) ** 2 / 2 for f, a in tones.items()))
    assert row_of(x, FS)["velocity_rms_mm_s"] == pytest.approx(expected, rel=2e-3)
    assert velocity_rms(x[None, :].astype(np.float32), FS)[0] == pytest.approx(expected, rel=2e-3)


@BY_ALL
def test_the_band_from_2_hz_holds_what_the_band_from_10_hz_leaves_out(row_of: RowOf) -> None:
    row = row_of(_sine(5), FS)
    velocity, displacement = (
        unit / (2 * math.pi * 5) ** k / math.sqrt(2) for unit, k in ((1e3, 1), (1e6, 2))
    )
    assert row["velocity_rms_low_mm_s"] == pytest.approx(velocity, rel=2e-3)  # 20 cycles: 0.13 % of leakage
    assert row["displacement_rms_low_um"] == pytest.approx(displacement, rel=5e-3)
    # The tapers smear the line over some bins, and the lower of them weigh more by 1/f².
    assert row["displacement_pp_low_um"] == pytest.approx(2 * math.sqrt(2) * displacement, rel=0.04)
    for name in ("velocity_rms", "displacement_rms", "displacement_pp"):
        unit = "mm_s" if name == "velocity_rms" else "um"
        assert row[f"{name}_{unit}"] < 0.02 * row[f"{name}_low_{unit}"]


def test_white_noise_has_the_levels_of_its_density() -> None:
    """∫ S0/(2πf)² = S0/4π² (1/f1 - 1/f2), ∫ S0/(2πf)⁴ = S0/16π⁴ (1/f1³ - 1/f2³)/3, and bands ∫ S0."""
    density = 1e-3  # (m/s²)²/Hz
    x = np.random.default_rng(3).standard_normal((8, N)) * math.sqrt(density * FS / 2)
    extractor = Extractor(FS, N)
    mean_square = (extractor.extract(x.astype(np.float32)).astype(np.float64) ** 2).mean(axis=0)
    level = dict(zip(extractor.names, np.sqrt(mean_square).tolist(), strict=True))
    velocity = 1e3 * math.sqrt(density / (4 * math.pi**2) * (1 / 10 - 1 / 1000))
    displacement = 1e6 * math.sqrt(density / (16 * math.pi**4) * (1 / 10**3 - 1 / 1000**3) / 3)
    assert level["velocity_rms_mm_s"] == pytest.approx(velocity, rel=0.05)  # 10 Hz: few independent lines
    assert level["displacement_rms_um"] == pytest.approx(displacement, rel=0.1)
    for low, high in ((250, 500), (1000, 2500), (5000, 10_000), (1000, 10_000)):
        expected = math.sqrt(density * (high - low))
        assert level[f"band_{low}_{high}_m_s2"] == pytest.approx(expected, rel=0.02)
    assert level["spectral_centroid_hz"] == pytest.approx((2 + 10_000) / 2, rel=0.02)


# Displacement -----------------------------------------------------------------------------------------


@BY_ALL
def test_a_displacement_of_100_um_peak_to_peak(row_of: RowOf) -> None:
    """x = 50 µm cos ωt has the acceleration -ω²x: 100 µm from peak to peak, 50/√2 µm RMS."""
    omega = 2 * math.pi * 24.75
    row = row_of(-(omega**2) * 50e-6 * np.cos(omega * T), FS)
    assert row["displacement_pp_um"] == pytest.approx(100, rel=5e-3)
    assert row["displacement_rms_um"] == pytest.approx(50 / math.sqrt(2), rel=2e-3)


@pytest.mark.parametrize(("seconds", "least", "most"), [(0.8, 0.14, 0.17), (1.6, 0.0, 0.015)])
def test_a_displacement_of_a_high_tone_reads_high_in_a_short_window_by_what_the_docs_say(
    seconds: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(4)
    hz, phase = rng.uniform(870, 990, (192, 1)), rng.uniform(0, 2 * np.pi, (192, 1))
    t = np.arange(round(2560 * seconds)) / 2560
    rows = Extractor(2560.0, t.size, features=["displacement_pp_um", "displacement_rms_um"]).extract(
        np.sin(2 * np.pi * hz * t + phase).astype(np.float32)
    )
    peak_to_peak, rms = (rows * (2 * np.pi * hz) ** 2 / 1e6 / [2, 1 / math.sqrt(2)] - 1).T
    assert least <= peak_to_peak.max() <= most
    assert peak_to_peak.min() >= -0.002
    assert abs(rms).max() < 1e-3


@BY_ALL
def test_two_displacements_in_phase_reach_105_6_um(row_of: RowOf) -> None:
    """A(cos θ + b cos 2θ), b > 1/4: highest A(1+b) at θ = 0, lowest -A(b + 1/8b) where cos θ = -1/4b.

    With A = 50 µm and b = 0.4 that is 50·(1 + 2·0.4 + 1/3.2) = 105.6 µm from peak to peak.
    """
    omega = 2 * math.pi * 24.75
    x = -(omega**2) * 50e-6 * (np.cos(omega * T) + 4 * 0.4 * np.cos(2 * omega * T))
    assert row_of(x, FS)["displacement_pp_um"] == pytest.approx(105.625, rel=5e-3)


# Bands ------------------------------------------------------------------------------------------------


@BY_ALL
def test_neighbouring_bands_share_no_line_and_an_edge_belongs_to_the_upper_one(row_of: RowOf) -> None:
    row = row_of(_sine(2000, math.sqrt(2)), FS)
    assert row["band_1000_2500_m_s2"] == pytest.approx(1, rel=1e-4)
    assert row["band_2500_5000_m_s2"] < 1e-3
    edge = row_of(_sine(2500, math.sqrt(2)), FS)  # a third of the energy of a Hann line stands beside it
    assert edge["band_2500_5000_m_s2"] == pytest.approx(math.sqrt(5 / 6), rel=1e-4)
    assert edge["band_1000_2500_m_s2"] == pytest.approx(math.sqrt(1 / 6), rel=1e-4)


@BY_ALL
def test_the_centre_of_gravity_of_two_tones(row_of: RowOf) -> None:
    """Σ f A² / Σ A² = (1·1000 + 4·6000)/5."""
    row = row_of(_sine(1000) + _sine(6000, 2.0), FS)
    assert row["spectral_centroid_hz"] == pytest.approx(5000, rel=1e-4)
    assert row["acceleration_rms_usable_m_s2"] == pytest.approx(math.sqrt(5 / 2), rel=1e-4)


@BY_ALL
def test_the_powers_of_hann_sum_to_the_windowed_mean_square(row_of: RowOf) -> None:
    """Parseval: ΣP over the bins is Σ(wx)²/Σw² where nothing stands in the bins that are left out.

    And the bands tile the usable range: their energies add to its energy.
    """
    fs, n = 51_200.0, 51_200
    t = np.arange(n) / fs
    x = sum(
        np.sin(2 * np.pi * f * t + f) * a for f, a in ((33.4, 1.0), (777.7, 2.0), (3210.9, 3.0), (15e3, 2))
    )
    x = x * np.exp(-t)  # no line alone: every sample has its own weight
    x = x - x.mean()
    square = np.hanning(n + 1)[:-1] ** 2
    row = row_of(x, fs)
    assert row["acceleration_rms_usable_m_s2"] ** 2 == pytest.approx(
        float(np.sum(square * x**2) / square.sum()), rel=1e-4
    )
    bands = [v for name, v in row.items() if name.startswith("band_") and name.endswith("_m_s2")]
    whole = sum(v**2 for v in bands) - row["band_1000_10000_m_s2"] ** 2
    assert whole == pytest.approx(row["acceleration_rms_usable_m_s2"] ** 2, rel=1e-4)


@BY_ALL
def test_the_bearing_band_of_a_tone(row_of: RowOf) -> None:
    """RMS A/√2 and peak A of what lies in 1-10 kHz, and nothing of a stronger line below."""
    row = row_of(_sine(3333.3, 2.0) + _sine(50, 20.0), FS)
    assert row["band_1000_10000_m_s2"] == pytest.approx(math.sqrt(2), rel=2e-3)
    assert row["peak_1000_10000_m_s2"] == pytest.approx(2, rel=5e-3)


# Moments ----------------------------------------------------------------------------------------------


@BY_ALL
@pytest.mark.parametrize(
    ("wave", "crest", "kurtosis"),
    [
        (np.sin(2 * np.pi * 100 * T), math.sqrt(2), 1.5),
        (np.sign(np.sin(2 * np.pi * 100 * (T + 1e-6))), 1.0, 1.0),
        (2 * (T * 100 % 1) - 1, math.sqrt(3), 1.8),
        (np.where(np.arange(N) % 1000 == 0, 1.0, 0.0), None, 1000 - 3 + 3 / 1000),
    ],
    ids=["sine", "square", "sawtooth", "pulses"],
)
def test_crest_and_kurtosis_of_simple_waves(
    row_of: RowOf, wave: np.ndarray, crest: float | None, kurtosis: float
) -> None:
    row = row_of(wave, FS)
    assert row["kurtosis"] == pytest.approx(kurtosis, rel=5e-3)
    assert row["kurtosis_quarters"] == pytest.approx(kurtosis, rel=0.03)
    assert crest is None or row["crest_factor"] == pytest.approx(crest, rel=5e-3)


@BY_ALL
@pytest.mark.parametrize("b", [-0.8, 0.3, 1.0])
def test_two_harmonics_in_phase_are_skewed(row_of: RowOf, b: float) -> None:
    """E(cos θ + b cos 2θ)³ = 3b E(cos²θ cos 2θ) = 3b/4, over ((1 + b²)/2)^1.5."""
    theta = 2 * np.pi * 100 * T
    row = row_of(np.cos(theta) + b * np.cos(2 * theta), FS)
    assert row["skewness"] == pytest.approx(0.75 * b / ((1 + b * b) / 2) ** 1.5, rel=1e-4)


@BY_ALL
def test_the_exponential_law_has_skewness_2_and_kurtosis_9(row_of: RowOf) -> None:
    """Its quantiles -ln(1 - u) in any order: moments 1, 2, 9 about the mean; the last ends at ln 2N."""
    u = (np.arange(N) + 0.5) / N
    x = np.random.default_rng(1).permutation(-np.log(1 - u))
    row = row_of(x, FS)
    assert row["mean_m_s2"] == pytest.approx(1, rel=1e-4)
    assert row["acceleration_rms_m_s2"] == pytest.approx(1, rel=1e-3)
    assert row["skewness"] == pytest.approx(2, rel=5e-3)
    assert row["kurtosis"] == pytest.approx(9, rel=0.02)
    assert row["peak_to_peak_m_s2"] == pytest.approx(math.log(2 * N), rel=1e-3)


@BY_ALL
def test_one_shock_moves_the_kurtosis_and_not_that_of_the_quarters(row_of: RowOf) -> None:
    """Of four quarters three are a sine, so their median is; the whole is A⁴/N over (1/2)², and 1.5."""
    x = _sine(100)
    x[1000] = 100.0
    row = row_of(x, FS)
    assert row["kurtosis_quarters"] == pytest.approx(1.5, rel=1e-3)
    square, fourth = 0.5 + 1e4 / N, 3 / 8 + 1e8 / N
    assert row["kurtosis"] == pytest.approx(fourth / square**2, rel=0.01)


@BY_ALL
def test_noise_has_kurtosis_3_in_every_band_and_an_offset_does_not_matter(row_of: RowOf) -> None:
    noise = np.random.default_rng(4).standard_normal(N)
    row, shifted = row_of(noise, FS), row_of(noise + 50, FS)
    assert [row["kurtosis"], row["kurtosis_quarters"]] == pytest.approx([3, 3], abs=0.1)
    for low, high in ((500, 1000), (1000, 2500), (2500, 5000), (5000, 10_000)):
        # Σ of E|z|⁴ = 2 (E|z|²)² for a gaussian z; B·T/2 independent values leave √(20/BT) of scatter.
        assert row[f"kurtosis_{low}_{high}"] == pytest.approx(3, abs=4 * math.sqrt(20 / (high - low) / 4))
    assert shifted.pop("mean_m_s2") == pytest.approx(row.pop("mean_m_s2") + 50)
    assert shifted == pytest.approx(row, rel=1e-3, abs=1e-5, nan_ok=True)


@BY_ALL
def test_a_tone_has_kurtosis_1_5_in_its_band(row_of: RowOf) -> None:
    """|z|² of a tone is constant, so 1.5 E|z|⁴/(E|z|²)² is 1.5; beside it there is only noise: 3."""
    noise = 1e-3 * np.random.default_rng(5).standard_normal(N)
    row = row_of(_sine(3000) + noise, FS)
    assert row["kurtosis_2500_5000"] == pytest.approx(1.5, rel=1e-3)
    assert row["kurtosis_5000_10000"] == pytest.approx(3, abs=0.2)


@BY_ALL
@pytest.mark.parametrize(
    ("f_d", "f_n", "zeta"), [(10.0, 3000.0, 0.03), (25.0, 3000.0, 0.02), (40.0, 5000.0, 0.013)]
)
def test_ringing_shocks_have_the_kurtosis_of_their_duty(
    row_of: RowOf, f_d: float, f_n: float, zeta: float
) -> None:
    """Of e^{-t/τ} sin ωt every 1/f_d: E a² = f_d τ/4, E a⁴ = (3/8) f_d τ/4, so kurtosis 1.5/(f_d τ).

    τ = 1/(2π f_n ζ), and each shock has died before the next: f_d τ ≤ 0.1.
    """
    duty = f_d / (2 * np.pi * f_n * zeta)
    assert duty <= 0.1
    since = T[: round(FS / f_d)]
    shock = np.exp(-2 * np.pi * f_n * zeta * since) * np.sin(2 * np.pi * f_n * since)
    row = row_of(np.tile(shock, math.ceil(N / since.size))[:N], FS)
    assert row["kurtosis"] == pytest.approx(1.5 / duty, rel=0.02)


@pytest.mark.parametrize("c", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("end_is_known", [False, True])
def test_the_clipped_share_of_a_sine(c: float, end_is_known: bool) -> None:
    """|sin| ≥ c for 1 - (2/π) asin c of the time: in flat tops, or at 0.99 of the range that is known."""
    counts = np.rint(np.clip(20_000 * np.sin(2 * np.pi * 17.31 * T), -20_000 * c, 20_000 * c)).astype(
        np.int16
    )
    reached = 0.99 * c if end_is_known else c
    row = extracted(counts, FS, scale=1e-3, full_scale=20_000 * c if end_is_known else None)
    assert row["clipped_fraction"] == pytest.approx(1 - 2 / math.pi * math.asin(reached), rel=0.01)


# Lines of spectra -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["acceleration", "velocity"])
def test_a_line_on_a_bin_reads_its_amplitude_and_between_two_1_42_db_less(kind: str) -> None:
    """Hann δ bins off: sin(πδ)/(πδ(1 - δ²)); half a bin off 8/(3π) = 0.8488, which is -1.42 dB."""
    df = FS / N
    on, between = 100 * df * 10, (100 * 10 + 0.5) * df
    x = np.stack([_sine(f, 5.0) for f in (on, between)]).astype(np.float32)
    frequency, amplitude = spectrum(x, FS, kind=kind)  # type: ignore[arg-type]
    full = np.array([5.0, 5.0]) * (1000 / (2 * np.pi * np.array([on, between])) if kind == "velocity" else 1)
    assert frequency[amplitude[0].argmax()] == pytest.approx(on)
    assert amplitude[0].max() == pytest.approx(full[0], rel=1e-4)
    assert 20 * math.log10(amplitude[1].max() / full[1]) == pytest.approx(-1.42, abs=0.01)
    if kind == "acceleration":
        assert amplitude[1].max() / full[1] == pytest.approx(8 / (3 * math.pi), rel=1e-3)


# Bearings ---------------------------------------------------------------------------------------------


def test_defect_orders_of_a_6205_from_its_geometry() -> None:
    """Z/2 (1 ∓ r), D/2d (1 - r²), (1 - r)/2 with r = d/D."""
    bearing = Bearing.from_geometry(
        "6205", rolling_elements=9, element_diameter_mm=7.938, pitch_diameter_mm=39.04
    )
    assert bearing.orders == pytest.approx((3.585, 5.415, 2.357, 0.398), abs=5e-4)


def test_the_length_of_spectra_is_the_longest_that_can_be() -> None:
    for n in [*range(16, 700), 4096, 9999, 10_007, 10_240]:
        assert spectral_length(n) == naive_spectrum.spectral_length(n)
