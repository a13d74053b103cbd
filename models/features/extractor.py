"""The extractor: a whole batch of windows in, one row of features each out.

One FFT of the windowed block serves every spectral feature: levels are weighted sums of its powers, lines are
sums between bins, envelopes are cut out of it. Windows are taken in chunks that stay in the second-level
cache, chunks in runs whose lines are searched together. The scale is applied to the features, not to the
samples. Which stage gives which feature stands in its `names`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from .bands import DEFAULT_BANDS
from .catalogue import CATALOGUE, NAMES, UNITS
from .gate import (
    DoubleArray,
    FloatArray,
    SampleArray,
    check_bands,
    check_features,
    check_full_scale,
    check_length,
    check_orders,
    check_rate,
    check_samples,
    check_sigma,
    check_signed_scale,
    check_speed,
)
from .kinematics import Kinematics, Known, in_bins
from .stages.bearing_envelope import BearingEnvelope
from .stages.cepstral_lines import CepstralLines
from .stages.combs import Combs
from .stages.gears import DefectLevels, GearLines
from .stages.levels import Levels, parts_of
from .stages.passes import passes_for
from .stages.quality import Quality
from .stages.shaft import ShaftLines
from .stages.stage import Chunk, Stage
from .stages.sums import Sums
from .stages.waveforms import Waveforms
from .windows import Bins, half_spectrum, squares

CACHE_BYTES: Final = 3 << 19
"""What a chunk may occupy: a common second-level cache. Smaller chunks are more calls for the same work."""

WORKING_COPIES: Final = 2
"""Arrays of the size of the samples that most steps of a chunk touch: what they read, and what they write."""

RUN_BYTES: Final = 32 << 20
"""What stages may keep of a run of chunks before they finish it."""

_SIGNED: Final = ("mean_m_s2", "skewness")
"""What a sensor mounted the other way round (a negative scale) turns over."""

_SPEC: Final = {spec.name: spec for spec in CATALOGUE}


class Extractor:
    """Features of windows of one length and rate. Not for two threads at once: it owns its scratch memory.

    `features` are the names that are wanted, in their order: `CORE`, any others of the catalogue, or None for
    all of it. What nobody wants is not computed. `bands` are the demodulation bands in Hz that are tried for
    the lines of bearings. `compiled` passes over the samples need numba (the extra `fast`): None takes them
    where it can be imported, False takes numpy's, with the same results within rounding. Raises ValueError
    for a rate, length, name or band that can't be meant.
    """

    names: tuple[str, ...] = NAMES
    units: tuple[str, ...] = UNITS

    def __init__(
        self,
        fs_hz: float,
        n_samples: int,
        *,
        features: Iterable[str] | None = None,
        bands: tuple[tuple[float, float], ...] = DEFAULT_BANDS,
        compiled: bool | None = None,
    ) -> None:
        self.fs_hz = check_rate(fs_hz)
        self.n_samples = check_length(n_samples)
        self.bands = check_bands(bands)
        self.names = check_features(features, NAMES)
        self.units = tuple(_SPEC[name].unit for name in self.names)
        self._degree = np.array([_SPEC[name].degree for name in self.names])
        self._signed = np.array([name in _SIGNED for name in self.names])
        self._bins = Bins(self.fs_hz, self.n_samples)
        self._rows = max(1, CACHE_BYTES // (4 * WORKING_COPIES * self.n_samples))
        wanted = frozenset(self.names)
        whole = wanted.intersection(CepstralLines.names)
        self._width = self._bins.length // 2 + 1 if whole else self._bins.usable_stop + 1
        self._passes = passes_for(self.n_samples, self._bins.length, compiled)
        self._stages = self._make_stages(wanted)
        self._block = np.empty((self._rows, self.n_samples), dtype=np.float32)
        self._scratch = np.empty_like(self._block)
        parts = parts_of(quarters="kurtosis_quarters" in wanted) if wanted.intersection(Levels.names) else 0
        self._sums = np.empty((4, self._rows, parts), dtype=np.float32)
        self._power = np.empty((self._rows, self._width), dtype=np.float32)
        kept = 8 * len(self.names) + sum(stage.bytes_kept for stage in self._stages)
        self._run_rows = self._rows * max(1, RUN_BYTES // kept // self._rows)

    def extract(
        self,
        x: npt.NDArray[np.generic],
        scale: npt.ArrayLike = 1.0,
        *,
        speed_hz: npt.ArrayLike | None = None,
        orders: npt.ArrayLike | None = None,
        speed_sigma_hz: npt.ArrayLike | None = None,
        kinematics: Kinematics | None = None,
        full_scale: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Features (n, len(names)), float32, of windows `x` (n, n_samples) of int16, int32 or float32.

        `scale` (one, or (n,)) brings the samples to m/s². `speed_hz` (one, or (n,)) is the speed of the
        point's shaft, `speed_sigma_hz` its standard deviation where it was estimated, `orders` (4,) or (n, 4)
        the defect orders of its bearing in the order of `BEARING_DEFECTS`; `kinematics` what else turns.
        `full_scale` (one, or (n,)) is the end of the converter's range in the unit of the samples; integers
        have the ends of their type besides. None or NaN where unknown gives NaN in the features
        that need it and only there, as does what rate or length can't give. A window with a sample that is
        not finite is a row of NaN. `x` is never written to. Raises ValueError with a sentence for arguments
        that can't be meant.
        """
        samples = check_samples(x, self.n_samples)
        n = len(samples)
        scales = check_signed_scale(scale, n)
        speed = check_speed(speed_hz, n)
        sigma = check_sigma(speed_sigma_hz, speed)
        known = in_bins(self._bins.df_hz, speed, check_orders(orders, n), sigma, kinematics)
        ends = check_full_scale(full_scale, n)
        out = np.empty((n, len(self.names)), dtype=np.float32)
        for start in range(0, n, self._run_rows):
            run = slice(start, min(n, start + self._run_rows))
            table = self._run(samples[run], ends[run], known.part(run))
            with np.errstate(over="ignore"):
                table *= np.abs(scales[run, None]) ** self._degree
                table[:, self._signed] *= np.sign(scales[run, None])
                out[run] = table
            out[run][np.isinf(out[run])] = np.nan  # a level that float32 can't hold
        return out

    def _run(self, samples: SampleArray, ends: DoubleArray, known: Known) -> DoubleArray:
        """Features (n, len(names)) of a run, in the unit of the samples."""
        n = len(samples)
        bad = np.zeros(n, dtype=np.bool_)
        factor = np.ones(n)
        for stage in self._stages:
            stage.begin(known)
        with np.errstate(invalid="ignore", over="ignore"):  # of samples that are not finite
            for rows in _even_chunks(n, self._rows):
                chunk, bad[rows], factor[rows] = self._chunk(samples[rows], ends[rows])
                for stage in self._stages:
                    stage.chunk(rows, chunk)
        given = {name: values for stage in self._stages for name, values in stage.finish().items()}
        table = np.full((n, len(self.names)), np.nan)
        for i, name in enumerate(self.names):
            if name in given:
                table[:, i] = given[name]
        table *= factor[:, None] ** self._degree
        table[bad] = np.nan
        return table

    def _chunk(
        self, samples: SampleArray, ends: DoubleArray
    ) -> tuple[Chunk, npt.NDArray[np.bool_], DoubleArray]:
        """What the stages share of some windows; which are bad, and what undoes their taming."""
        n, length = len(samples), self._bins.length
        block, scratch, power = self._block[:n], self._scratch[:n], self._power[:n]
        sums = self._sums[:, :n]
        centred = self._passes.centre(samples, block, scratch, sums)
        spectrum = half_spectrum(scratch[:, :length])
        squares(spectrum[:, : self._width], power)
        return (
            Chunk(samples, ends, block, scratch, centred, sums, spectrum, power),
            centred.bad,
            centred.factor,
        )

    def _make_stages(self, wanted: frozenset[str]) -> tuple[Stage, ...]:
        """The stages that give what is wanted, those that need the samples first."""
        bins, rows, width, passes = self._bins, self._rows, self._width, self._passes
        makers: tuple[tuple[tuple[str, ...], Callable[[], Stage]], ...] = (
            (Levels.names, lambda: Levels(bins.n_samples, quarters="kurtosis_quarters" in wanted)),
            (Quality.names, Quality),
            (Sums.names, lambda: Sums(passes, bins, wanted)),
            (ShaftLines.names, lambda: ShaftLines(passes, bins)),
            (GearLines.names, lambda: GearLines(passes, bins, width)),
            (DefectLevels.names, lambda: DefectLevels(passes, bins, width)),
            (CepstralLines.names, lambda: CepstralLines(bins)),
            (BearingEnvelope.names, lambda: BearingEnvelope(passes, bins, rows)),
            (Combs.names, lambda: Combs(bins, wanted, self.bands)),
            (Waveforms.names, lambda: Waveforms(bins, wanted, rows)),
        )
        return tuple(make() for names, make in makers if wanted.intersection(names))


def _even_chunks(n: int, most: int) -> Iterator[slice]:
    """As few chunks of at most `most` windows as can be, all of a size: a small one costs nearly as much."""
    size = math.ceil(n / max(1, math.ceil(n / most)))
    return (slice(start, min(n, start + size)) for start in range(0, n, max(1, size)))
