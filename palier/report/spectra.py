"""Spectra for a report: whole ones of the last kept waveform, else the thinned ones of the historian."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.features.bands import ENVELOPE_BAND_HZ, ENVELOPE_TOP_HZ, VELOCITY_BAND_HZ, usable_hz
from models.types import M_S2_PER_UNIT, PointSpec
from palier.frames import Waveform
from palier.historian.base import Table
from palier.historian.records import RecordsReader
from palier.historian.waveforms import WaveformReader

from .found import Floats, Found, Place, SpectrumFound

LEAKED_BINS: Final = 3
"""The mean of an envelope leaks through the window into its first lines, and would dwarf all others."""


def whole_spectra(
    found: Found, point: PointSpec, records: RecordsReader, waveforms: WaveformReader
) -> list[SpectrumFound]:
    """Velocity, acceleration and envelope of each channel of the newest waveform; none where none was kept.

    Raises HistorianError.
    """
    rows = records.waveforms(
        found.plant.site_id,
        found.machine.id,
        point.id,
        start_ns=found.start_ns,
        end_ns=found.at_ns + 1,
        newest=1,
    )
    return _spectra(waveforms.read(rows[0].ref), point) if rows else []


def kept_spectra(place: Place, table: Table) -> SpectrumFound | None:
    """The newest spectrum among rows of the historian."""
    if not len(table):
        return None
    last = int(table.ts_ns[-1])
    rows = np.flatnonzero(table.ts_ns == last)
    frequency = np.asarray(table.columns["frequency_hz"], dtype=np.float64)[rows]
    amplitude = np.asarray(table.columns["amplitude"], dtype=np.float64)[rows]
    order = np.argsort(frequency, kind="stable")
    kind = str(table.columns["kind"][-1])
    return SpectrumFound(place, kind, last, frequency[order], amplitude[order], of_waveform=False)


def _spectra(block: Waveform, point: PointSpec) -> list[SpectrumFound]:
    known = {channel.id for channel in point.channels}
    found = []
    for c, channel in enumerate(block.channels):
        factor = M_S2_PER_UNIT.get(block.unit[c])
        if channel in known and factor is not None:
            for kind, frequency, amplitude in _kinds(block, c, block.scale[c] * factor):
                found.append(
                    SpectrumFound(
                        (point.id, channel),
                        kind,
                        block.start_ns,
                        frequency,
                        amplitude,
                        of_waveform=True,
                        resolution_hz=block.fs_hz / block.samples.shape[1],
                        shaft_rpm=None if block.speed_rpm is None else block.speed_rpm * point.shaft_order,
                        load_percent=block.load_percent,
                    )
                )
    return found


def _kinds(block: Waveform, c: int, scale: float) -> list[tuple[str, Floats, Floats]]:
    from models.features import envelope_spectrum, spectrum
    from models.features.envelope import demodulator
    from models.features.windows import spectral_length

    samples, fs_hz = block.samples[c : c + 1], block.fs_hz
    top = usable_hz(fs_hz)
    frequency, velocity = spectrum(samples, fs_hz, kind="velocity", scale=scale)
    _, acceleration = spectrum(samples, fs_hz, scale=scale)
    shown, whole = frequency <= min(top, VELOCITY_BAND_HZ[1]), (frequency <= top) & (frequency > 0)
    kinds = [
        ("velocity_mm_s", frequency[shown], velocity[0, shown].astype(np.float64)),
        ("acceleration_m_s2", frequency[whole], acceleration[0, whole].astype(np.float64)),
    ]
    length = spectral_length(samples.shape[1])
    if demodulator(ENVELOPE_BAND_HZ, fs_hz, length, ENVELOPE_TOP_HZ) is not None:
        frequency, envelope = envelope_spectrum(
            samples, fs_hz, ENVELOPE_BAND_HZ, scale=scale, f_max_hz=ENVELOPE_TOP_HZ
        )
        told = envelope[0, LEAKED_BINS:].astype(np.float64)
        kinds.append(("envelope_m_s2", frequency[LEAKED_BINS:], told))
    return kinds
