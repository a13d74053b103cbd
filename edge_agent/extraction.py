"""Features of blocks whose samples stay here. What computes them is imported when the first block comes.

`models.features` and scipy are 40 MB beside the 45 of an agent that only samples and sends: a gateway in mode
`waveform` never loads them.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from palier.frames import Features, Spectrum, Waveform

from .modes import Place
from .spectra_changed import Levels, changed, levels

if TYPE_CHECKING:
    from models.features import Extractor

EXTRACTORS_KEPT: Final = 4
"""Pairs of rate and length at once, some MB each: a point has long blocks and slow ones, and mostly all
points of a gateway have the same."""

SAMPLES_AT_ONCE: Final = 1 << 19
"""Samples in one call, 2 MB as float32: a gateway has little memory, and few blocks at a time."""

SPECTRUM_ROWS: Final = 400
"""Lines of a spectrum for the screen, as the host keeps them."""

_UNKNOWN: Final = "longest_hold"
"""Named where nothing is known of a block: its NaN says that samples were no numbers."""


def place_of(block: Waveform) -> Place:
    """The measurement that a block belongs to."""
    return f"{block.machine}/{block.point}@{block.fs_hz:.3g}"


log = logging.getLogger(__name__)


class Extraction:
    """For one thread. What was found of spectra counts once `sent` says that they are on the disk."""

    def __init__(self) -> None:
        self.failures = 0  # blocks of which none could be computed
        self._extractors: OrderedDict[tuple[float, int], Extractor] = OrderedDict()
        self._levels: dict[tuple[Place, int], Levels] = {}
        self._found: dict[tuple[Place, int], Levels] = {}

    def features(self, blocks: Sequence[Waveform]) -> list[Features | None]:
        """Of each block, in the same order; None where it is too short for any, or they can't be computed.

        Blocks of one rate and length are one call. Spectra stand in those of points where they changed.
        """
        from models.features.gate import SHORTEST_BLOCK

        self._found = {}
        given: list[Features | None] = [None] * len(blocks)
        groups: dict[tuple[float, int, str], list[int]] = {}
        for number, block in enumerate(blocks):
            if block.samples.shape[1] >= SHORTEST_BLOCK:
                key = (block.fs_hz, block.samples.shape[1], block.samples.dtype.str)
                groups.setdefault(key, []).append(number)
        for alike in groups.values():
            for some in _portions(blocks, alike):
                for number, made in zip(some, self._or_none([blocks[n] for n in some]), strict=True):
                    given[number] = made
        return given

    def sent(self) -> None:
        """What `features` gave last is on the disk."""
        self._levels |= self._found
        self._found = {}

    def _or_none(self, blocks: Sequence[Waveform]) -> Sequence[Features | None]:
        """As `_of`; a block that it fails at takes no other with it."""
        try:
            return self._of(blocks)
        except Exception:
            if len(blocks) > 1:
                return [made for block in blocks for made in self._or_none([block])]
            self.failures += 1
            log.exception("no features can be computed of %s: it is sent as it is", place_of(blocks[0]))
            return [None]

    def _of(self, blocks: Sequence[Waveform]) -> list[Features]:
        """Of blocks of one rate, length and type."""
        from models.detection.sensors import whole_numbers
        from models.types import M_S2_PER_UNIT

        x = blocks[0].samples if len(blocks) == 1 else np.concatenate([block.samples for block in blocks])
        per_count = np.array([scale for block in blocks for scale in block.scale])
        factor = np.array([M_S2_PER_UNIT.get(unit, 1.0) for block in blocks for unit in block.unit])
        speed_hz = np.repeat(
            [block.speed_rpm / 60 if block.speed_rpm else np.nan for block in blocks],
            [len(block.channels) for block in blocks],
        )
        extractor = self._extractor(blocks[0].fs_hz, x.shape[1])
        few = max(1, SAMPLES_AT_ONCE // x.shape[1])  # channels at once: some blocks are of 4 MB
        values = np.concatenate(
            [
                extractor.extract(
                    x[i : i + few], (per_count * factor)[i : i + few], speed_hz=speed_hz[i : i + few]
                )
                for i in range(0, len(x), few)
            ]
        )
        column = dict(zip(extractor.names, values.T, strict=True))
        whole = whole_numbers(x, per_count, column["mean_m_s2"], column["acceleration_peak_m_s2"])
        made = []
        row = 0
        for block in blocks:
            rows = slice(row, row + len(block.channels))
            spectra = self._spectra(block, per_count[rows] * factor[rows], M_S2_PER_UNIT)
            made.append(_frame(block, extractor.names, values[rows], whole[rows], spectra))
            row = rows.stop
        return made

    def _spectra(
        self, block: Waveform, scale: npt.NDArray[np.float64], units: Mapping[str, float]
    ) -> tuple[Spectrum, ...]:
        """The thinned spectra of a block's channels, where they changed."""
        from models.features import spectrum
        from models.features.bands import usable_hz

        finite = block.samples.dtype.kind == "i" or bool(np.isfinite(block.samples).all())
        if not (finite and set(block.unit) <= set(units)):
            return ()
        each = [
            spectrum(block.samples[c : c + 1], block.fs_hz, kind="velocity", scale=scale[c])
            for c in range(len(scale))
        ]
        frequency, amplitude = each[0][0], np.concatenate([heights for _, heights in each])
        now = levels(block.start_ns, frequency, amplitude, usable_hz(block.fs_hz))
        key = place_of(block), block.samples.shape[1]
        if not changed(self._found.get(key, self._levels.get(key)), now):
            return ()
        self._found[key] = now
        return (*_thinned(block, "velocity_mm_s", frequency, amplitude), *_envelope(block, scale))

    def _extractor(self, fs_hz: float, n_samples: int) -> Extractor:
        from models.features import Extractor

        key = (fs_hz, n_samples)
        if key not in self._extractors:
            while len(self._extractors) >= EXTRACTORS_KEPT:
                self._extractors.popitem(last=False)
            self._extractors[key] = Extractor(fs_hz, n_samples, compiled=False)  # numba is 110 MB
        self._extractors.move_to_end(key)
        return self._extractors[key]


def _frame(
    block: Waveform,
    names: Sequence[str],
    values: npt.NDArray[np.float32],
    whole: npt.NDArray[np.bool_],
    spectra: tuple[Spectrum, ...],
) -> Features:
    known = np.flatnonzero(~np.isnan(values).all(axis=0))
    kept = known if known.size else np.array([list(names).index(_UNKNOWN)])
    counts = block.samples.dtype.kind == "i"
    return Features(
        machine=block.machine,
        point=block.point,
        channels=block.channels,
        names=tuple(names[i] for i in kept),
        values=np.ascontiguousarray(values[:, kept], dtype="<f4"),
        unit=block.unit,
        fs_hz=block.fs_hz,
        n_samples=block.samples.shape[1],
        start_ns=block.start_ns,
        clock=block.clock,
        speed_rpm=block.speed_rpm,
        load_percent=block.load_percent,
        quality=block.quality,
        step=tuple(float(scale) if counts else 0.0 for scale in block.scale),
        whole=tuple(bool(one) for one in whole),
        spectra=spectra,
    )


def _envelope(block: Waveform, scale: npt.NDArray[np.float64]) -> list[Spectrum]:
    """Of the envelope in the band that is trended, where the rate reaches into it; without the lowest lines,
    into which the envelope's mean leaks."""
    from models.features import envelope_spectrum
    from models.features.bands import ENVELOPE_BAND_HZ, ENVELOPE_TOP_HZ
    from models.features.envelope import LEAKED_BINS, demodulator
    from models.features.windows import spectral_length

    length = spectral_length(block.samples.shape[1])
    if demodulator(ENVELOPE_BAND_HZ, block.fs_hz, length, ENVELOPE_TOP_HZ) is None:
        return []
    each = [
        envelope_spectrum(
            block.samples[c : c + 1], block.fs_hz, ENVELOPE_BAND_HZ, scale=scale[c], f_max_hz=ENVELOPE_TOP_HZ
        )
        for c in range(len(scale))
    ]
    frequency, amplitude = each[0][0], np.concatenate([heights for _, heights in each])
    return _thinned(block, "envelope_m_s2", frequency[LEAKED_BINS:], amplitude[:, LEAKED_BINS:])


def _thinned(
    block: Waveform, kind: str, frequency: npt.NDArray[np.float64], amplitude: npt.NDArray[np.float32]
) -> list[Spectrum]:
    from models.features import thin_spectrum

    lines = [thin_spectrum(frequency, heights, SPECTRUM_ROWS) for heights in amplitude]
    return [
        Spectrum(channel, kind, hz.astype("<f4"), heights.astype("<f4"))
        for channel, (hz, heights) in zip(block.channels, lines, strict=True)
        if len(hz) and np.isfinite(heights).all() and (np.diff(hz.astype("<f4")) > 0).all()
    ]


def _portions(blocks: Sequence[Waveform], alike: Sequence[int]) -> Iterator[Sequence[int]]:
    """These in turn, as many at once as have so many samples; at least one."""
    some: list[int] = []
    size = 0
    for number in alike:
        more = blocks[number].samples.size
        if some and size + more > SAMPLES_AT_ONCE:
            yield some
            some, size = [], 0
        some.append(number)
        size += more
    if some:
        yield some
