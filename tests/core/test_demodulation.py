"""Demodulation at baseband: the same numbers as at full length, tones cut down, nothing aliased."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from models.features import envelope_spectrum
from models.features.envelope import Demodulator, demodulate, demodulator, limit_tones
from models.features.windows import hann

FS, N = 25_600.0, 8_192
BAND = (2500.0, 5000.0)


def _spectrum(x: np.ndarray) -> np.ndarray:
    return scipy.fft.rfft(x.astype(np.float32) * hann(N), axis=1)


def _made(f_max_hz: float, *, moments: bool = False) -> Demodulator:
    made = demodulator(BAND, FS, N, f_max_hz, moments=moments)
    assert made is not None
    return made


def test_lines_and_moments_are_those_of_the_envelope_at_full_length() -> None:
    """e = |z|² has no content above the width w of the band, e² none above 2 w: a size of 2 w holds both."""
    x = np.random.default_rng(1).standard_normal((3, N))
    spectrum = _spectrum(x)
    made = _made(800.0, moments=True)
    assert made.size >= 2 * made.width
    found = demodulate(spectrum, made)
    full = np.zeros((3, N), dtype=np.complex128)
    full[:, : made.width] = spectrum[:, made.first : made.stop]
    e = np.abs(np.fft.ifft(full, axis=1)) ** 2 * (N / made.size) ** 2
    assert found.mean == pytest.approx(e.mean(axis=1), rel=1e-5)
    assert found.mean_square == pytest.approx((e**2).mean(axis=1), rel=1e-5)
    lines = np.abs(np.fft.rfft(e, axis=1)[:, : made.lines] * made.size / N) ** 2
    assert found.power == pytest.approx(lines, rel=1e-3, abs=1e-5 * lines[:, 5:].max())
    assert made.lines == 257  # 800 Hz · 8192 / 25600 Hz, and bin 0


@pytest.mark.parametrize("moments", [False, True])
@pytest.mark.parametrize("f_max_hz", [0.0, 100.0, 1043.0, 2500.0])
def test_sizes_suit_the_fft(f_max_hz: float, *, moments: bool) -> None:
    made = _made(f_max_hz, moments=moments)
    needed = max(made.width + made.lines, 2 * made.width * moments)
    assert needed <= made.size <= 1.15 * needed
    assert made.size % 16 == 0
    rest = made.size
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    assert rest == 1


def test_where_no_lines_are_wanted_there_are_moments_only() -> None:
    spectrum = _spectrum(np.random.default_rng(2).standard_normal((2, N)))
    with_lines, without = demodulate(spectrum, _made(800.0, moments=True)), _made(0.0, moments=True)
    alone = demodulate(spectrum, without)
    assert alone.power.shape == (2, 1)
    assert alone.mean == pytest.approx(with_lines.mean, rel=1e-6)


def test_a_tone_is_cut_to_the_limit_in_lines_and_left_in_moments() -> None:
    """√width · median: of the band's 801 bins in noise of power 1, 28 · 0.69 = 20, here a tone of 10⁴."""
    rng = np.random.default_rng(3)
    inside = ((rng.standard_normal((2, 801)) + 1j * rng.standard_normal((2, 801))) / np.sqrt(2)).astype(
        np.complex64
    )
    inside[1, 400] = 100j
    before = inside.copy()
    assert limit_tones(inside).tolist() == [1]
    changed = inside != before
    assert np.argwhere(changed).tolist() == [[1, 400]]
    assert abs(inside[1, 400]) ** 2 == pytest.approx(20, rel=0.6)  # its piece of 50 bins knows its median so
    assert np.angle(inside[1, 400]) == pytest.approx(np.pi / 2)


def test_demodulation_leaves_the_spectrum_as_it_was() -> None:
    t = np.arange(N) / FS
    spectrum = _spectrum((np.sin(2 * np.pi * 3000 * t) + np.sin(2 * np.pi * 3100 * t))[None, :])
    before = spectrum.copy()
    demodulate(spectrum, _made(800.0))
    assert np.array_equal(spectrum, before)


def test_two_beating_tones_no_longer_make_a_line() -> None:
    """Their beat at 100 Hz would be the highest line by far: 40 dB over the noise of their bins each."""
    t = np.arange(N) / FS
    x = np.sin(2 * np.pi * 3000 * t) + np.sin(2 * np.pi * 3100 * t)
    x += np.random.default_rng(4).standard_normal(N)
    power = demodulate(_spectrum(x[None, :]), _made(800.0)).power[0]
    beat = round(100 * N / FS)
    assert power[beat] / np.median(power[10:]) < 20
    frequency, amplitude = envelope_spectrum(x[None, :].astype(np.float32), FS, BAND, squared=True)
    assert frequency[np.argmax(amplitude[0, 5:]) + 5] == 100  # people are shown what there is


def test_a_length_with_a_large_factor_states_its_own_frequencies() -> None:
    """8209 is prime: 8192 samples are taken. A band modulated by 0.5 at 100 Hz reads A · m there."""
    t = np.arange(8209) / FS
    x = 3 * (1 + 0.5 * np.cos(2 * np.pi * 100 * t)) * np.sin(2 * np.pi * 3500 * t)
    frequency, amplitude = envelope_spectrum(x[None, :].astype(np.float32), FS, BAND)
    assert frequency[1] == FS / 8192
    assert frequency[np.argmax(amplitude[0, 5:]) + 5] == 100
    assert amplitude[0, np.argmin(abs(frequency - 100))] == pytest.approx(1.5, rel=1e-3)


def test_a_band_beyond_half_of_what_is_usable_has_no_demodulator() -> None:
    """12 kHz leaves 4687.5 Hz usable: of 2.5-5 kHz nearly all, of 4-6 kHz a third."""
    assert demodulator((2500.0, 5000.0), 12_000.0, N) is not None
    assert demodulator((4000.0, 6000.0), 12_000.0, N) is None
