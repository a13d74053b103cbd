"""Stored blocks and their spectra, computed when somebody asks: on one thread, the last ones kept.

The FFT library is loaded with the first question: a page that shows no spectrum does not pay for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from models.types import M_S2_PER_UNIT
from palier.frames import FrameId, Waveform
from palier.historian.base import HistorianError
from palier.historian.records import RecordsReader
from palier.historian.rows import WaveformRow
from palier.historian.waveforms import WaveformError, WaveformReader

from .reader import Busy

if TYPE_CHECKING:
    from .context import Console
    from .series import ChannelRef

T = TypeVar("T")
Kind = Literal["velocity", "acceleration", "envelope"]

KINDS: Final[tuple[Kind, ...]] = ("velocity", "acceleration", "envelope")

ENVELOPE_BANDS: Final = ((2500.0, 10_000.0), (1000.0, 5000.0), (500.0, 2000.0))
"""Where envelopes are demodulated, the first that the rate leaves usable: where bearings ring, then what a
slow sampling still has of it."""

ENVELOPE_TOP_HZ: Final = 1000.0
"""Lines of an envelope that are shown: five harmonics of the fastest defect of a machine at 3000 r/min."""

MOST_KEPT: Final = 6
"""Results that are kept: the block and the three spectra of who looks, and the last of another. Blocks of 4 s
and spectra of 51,201 lines take some 200 to 400 kB each."""

MOST_SAMPLES_KEPT: Final = 1 << 18
"""Longer results are computed each time: the page has 120 MB for everything."""

MOST_WAITING: Final = 8
"""Questions that may wait: each takes some milliseconds, so more is an overload to refuse."""

TRIED: Final = 4
"""Newest blocks among which one is looked for that can still be read and has the channel."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One channel's stored block: samples (1, n) in `unit`: m/s², or what nobody wrote down ("unknown")."""

    frame: str
    start_ns: int
    fs_hz: float
    samples: npt.NDArray[np.float32]
    unit: str
    speed_rpm: float | None
    load_percent: float | None

    @property
    def metric(self) -> bool:
        """Whether its unit is known."""
        return self.unit == "m/s²"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """A whole spectrum of a block: amplitudes (m,), `step_hz` apart from 0 on, peak; `band_hz` is that of an
    envelope."""

    block: Block
    kind: Kind
    step_hz: float
    amplitude: npt.NDArray[np.float32]
    band_hz: tuple[float, float] | None = None


class Waves:
    """Reads blocks and computes spectra. `close` ends the thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="waves")
        self._kept: OrderedDict[tuple[str, ...], Block | Lines] = OrderedDict()
        self._waiting = 0

    async def block(self, console: Console, machine: str, ref: ChannelRef, at_ns: int | None) -> Block | None:
        """The last stored block of a channel that begins at `at_ns` or before (None: the newest); None where
        none is kept, or none can be read from here. Raises Busy."""
        folder = console.waveforms
        if folder is None:
            return None
        end_ns = None if at_ns is None else at_ns + 1
        try:
            rows = await console.records.run(
                lambda records: _rows(records, console.plant.site_id, machine, ref.point, end_ns)
            )
        except Busy:
            raise
        except HistorianError:  # no records here: what the historian keeps for display is shown instead
            return None
        if not rows:
            return None
        return await self._run(lambda: self._first(folder, rows, ref.channel))

    async def lines(self, block: Block, channel: str, kind: Kind) -> Lines | None:
        """The spectrum of a block, None where its unit (velocity) or its rate (envelope) does not allow one.
        Raises Busy."""
        return await self._run(lambda: self._lines(block, channel, kind))

    async def run(self, compute: Callable[[], T]) -> T:
        """Something else that takes time, on the same thread. Raises Busy."""
        return await self._run(compute)

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=True)

    async def _run(self, compute: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Busy(f"{self._waiting} spectra wait already: ask again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, compute)
        finally:
            self._waiting -= 1

    def _first(self, folder: Path, rows: tuple[WaveformRow, ...], channel: str) -> Block | None:
        """The newest of these that can be read and has the channel."""
        reader = WaveformReader(folder)
        for row in reversed(rows):
            key = (name_of(row.frame), channel)
            known = self._get(key)
            if isinstance(known, Block):
                return known
            try:
                frame = reader.read(row.ref)
            except WaveformError:  # thinned away since the index was read
                continue
            if channel in frame.channels:
                return self._keep(key, block_of(frame, channel, name_of(row.frame)))
        return None

    def _lines(self, block: Block, channel: str, kind: Kind) -> Lines | None:
        key = (block.frame, channel, kind)
        known = self._get(key)
        if isinstance(known, Lines):
            return known
        found = lines_of(block, kind)
        return None if found is None else self._keep(key, found)

    def _get(self, key: tuple[str, ...]) -> Block | Lines | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: tuple[str, ...], found: T) -> T:
        size = found.samples.size if isinstance(found, Block) else 0
        if isinstance(found, Block | Lines) and size <= MOST_SAMPLES_KEPT:
            self._kept[key] = found
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def block_of(frame: Waveform, channel: str, name: str) -> Block:
    """One channel of a stored frame, in m/s² where its unit is known."""
    c = frame.channels.index(channel)
    factor = M_S2_PER_UNIT.get(frame.unit[c])
    samples = frame.samples[c : c + 1].astype(np.float32)
    samples *= np.float32(frame.scale[c] * (1.0 if factor is None else factor))
    unit = frame.unit[c] if factor is None else "m/s²"
    return Block(name, frame.start_ns, frame.fs_hz, samples, unit, frame.speed_rpm, frame.load_percent)


def lines_of(block: Block, kind: Kind) -> Lines | None:
    """The spectrum of a block: computed anew. None where it can't be given."""
    from models.features import envelope_spectrum, spectrum
    from models.features.envelope import LEAKED_BINS

    if kind == "envelope":
        for band in ENVELOPE_BANDS:
            try:
                frequency, amplitude = envelope_spectrum(
                    block.samples, block.fs_hz, band, f_max_hz=min(ENVELOPE_TOP_HZ, band[1] - band[0])
                )
            except ValueError:  # the rate leaves too little of this band
                continue
            amplitude[:, :LEAKED_BINS] = 0  # the mean level of the band, and what of it the window leaks
            return Lines(block, kind, float(frequency[1]), amplitude[0], band)
        return None
    if kind == "velocity" and not block.metric:
        return None
    frequency, amplitude = spectrum(block.samples, block.fs_hz, kind=kind)
    return Lines(block, kind, float(frequency[1]), amplitude[0])


def _rows(
    records: RecordsReader, site: str, machine: str, point: str, end_ns: int | None
) -> tuple[WaveformRow, ...]:
    return records.waveforms(site, machine, point, end_ns=end_ns, newest=TRIED)


def name_of(frame: FrameId) -> str:
    """A frame as the series name it: "edge:epoch:seq"."""
    return f"{frame.edge}:{frame.epoch}:{frame.seq}"
