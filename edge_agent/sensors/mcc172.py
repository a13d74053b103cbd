"""Accelerometers with IEPE supply on the board MCC 172 (Raspberry Pi), through Digilent's `daqhats`.

    [[source]]
    type = "mcc172"
    machine = "ventilateur-2"
    point = "palier-ca"
    address = 0                             # the board's jumpers
    inputs = [0, 1]                         # its channels, in the order of `channels`
    channels = ["h", "v"]
    fs_hz = 25600                           # 51200 divided by a whole number up to 256
    sensitivity_mv_per_g = [100.3, 98.9]    # from the certificate of each sensor
    iepe = true                             # false: a sensor with its own supply

The board's counts come calibrated and unscaled (`NOSCALEDATA`): 24 bits are kept as they are, whole numbers
pack better than fractions of g, and clipping is an exact count. What they mean in g follows from the
sensitivity, so the library's own (`a_in_sensitivity_write`) stays at its neutral default.

After the documentation of daqhats 1.4 and the source of its C library. Two things it does not tell, so that
they are watched here: a board that is pulled off stays *running* and gives nothing, and a scan waits without
end for a clock that never gets into step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes

from . import tables
from .bursts import Burst, SampleType
from .continuous import ContinuousSource, source_of

BASE_HZ: Final = 51200.0
SLOWEST: Final = 256  # divisor of the board's clock
FULL_SCALE_V: Final = 5.0
COUNTS: Final = 1 << 23  # 24 bits, signed
VOLT: Final = FULL_SCALE_V / COUNTS

BURST_S: Final = 0.1  # the library's thread reads the board as often
BUFFER_S: Final = 4.0  # of the library: longer than a card stalls that erases a block
SYNC_S: Final = 2.0  # 128 clock cycles at 200 Hz are 0.7 s
SILENT_S: Final = 3.0

SETTLE_S: Final = 5.0
"""A sensor's bias comes up in a second or two, and the coupling's high-pass must forget that step of some
10 V: what is sampled meanwhile is a ski slope and no vibration."""

INPUT_DELAY: Final = 39
"""Samples by which the converters' filters delay (daqhats documentation, `trigger_config`)."""

PEGGED: Final = 0.9  # of the samples at the end of the range: no vibration does that
END: Final = 0.97  # of the range, which a board's calibration may shorten by some percent
_OPTIONS: Final = 0x0001 | 0x0010  # NOSCALEDATA | CONTINUOUS of daqhats.OptionFlags


@dataclass(frozen=True, slots=True)
class Mcc172Options:
    """The table above without what every sensor has, read."""

    address: int
    inputs: tuple[int, ...]
    fs_hz: float
    sensitivity_mv_per_g: tuple[float, ...]
    iepe: bool = True


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError with a sentence for each mistake."""
    found = TableMistakes()
    options = read_options(table, found)
    names = tuple(f"ch{number}" for number in options.inputs)
    driver = Mcc172Driver(options)
    # With a wrong `iepe` a look at the board might feed a sensor that has a supply of its own.
    known = all(found.read(None, told, table) is not None for told in (_address, _inputs, _iepe))
    return source_of(driver, table, clock, Mcc172Options.__slots__, names, found=found, known=known)


def read_options(table: Mapping[str, object], found: TableMistakes | None = None) -> Mcc172Options:
    """The driver's own keys. Raises TableError naming the keys, or notes them in `found`."""
    noted = found or TableMistakes()
    inputs = noted.read((0, 1), _inputs, table)
    options = Mcc172Options(
        noted.read(0, _address, table),
        inputs,
        noted.read(BASE_HZ, _rate, table),
        noted.read((100.0,) * len(inputs), _sensitivities, table, inputs),
        noted.read(True, _iepe, table),
    )
    if found is None:
        noted.refuse()
    return options


def _address(table: Mapping[str, object]) -> int:
    return tables.whole(table, "address", 0, low=0, high=7)


def _inputs(table: Mapping[str, object]) -> tuple[int, ...]:
    inputs = table.get("inputs", [0, 1])
    if not isinstance(inputs, list) or inputs not in ([0], [1], [0, 1], [1, 0]):
        raise ValueError(f"inputs must be [0], [1] or [0, 1]: the MCC 172 has these two, got {inputs!r}")
    return tuple(inputs)


def _sensitivities(table: Mapping[str, object], inputs: tuple[int, ...]) -> tuple[float, ...]:
    found = tables.positives(table, "sensitivity_mv_per_g")
    if len(found) != len(inputs):
        raise ValueError(
            "sensitivity_mv_per_g must have one number for each input, from the sensor's certificate, e.g. "
            f"[100.3, 98.9]: without it a vibration has no unit; got {len(found)} for {list(inputs)}"
        )
    return found


def _iepe(table: Mapping[str, object]) -> bool:
    iepe = table.get("iepe", True)
    if not isinstance(iepe, bool):
        raise ValueError(f"iepe must be true or false, got {iepe!r}")
    return iepe


def _rate(table: Mapping[str, object]) -> float:
    """The board's own rate for it. Raises ValueError naming the nearest where there is none."""
    fs_hz = tables.positive(table, "fs_hz", 25600)
    divisor = min(SLOWEST, max(1, round(BASE_HZ / fs_hz)))
    rate = BASE_HZ / divisor
    if abs(rate - fs_hz) > 1e-4 * rate:
        raise ValueError(
            f"fs_hz must be 51200 divided by a whole number from 1 to {SLOWEST} (the MCC 172 has no other "
            f"rates), e.g. {rate:g}, got {fs_hz:g}"
        )
    return rate


def _daqhats() -> Any:  # the library has no types
    try:
        return import_module("daqhats")
    except ImportError as error:
        raise OSError(
            "the library daqhats is not installed: on the Raspberry Pi install Digilent's library first "
            "(https://github.com/mccdaq/daqhats, its install.sh), then `pip install daqhats` where the agent "
            "is installed"
        ) from error


class Mcc172Driver:
    """One board, its one scan of one or two channels."""

    def __init__(
        self,
        options: Mcc172Options,
        *,
        library: Callable[[], Any] = _daqhats,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """`library` gives the module `daqhats`, asked when the board is opened."""
        self._options, self._library = options, library
        self._monotonic_s, self._wait = monotonic_s, wait
        self._module: Any = None
        self._board: Any = None
        self._heard_s = 0.0
        self.fs_nominal_hz = options.fs_hz
        self.n_channels = len(options.inputs)
        self.dtype: SampleType = "int32"
        self.scale = tuple(VOLT * 1000 / mv_per_g for mv_per_g in options.sensitivity_mv_per_g)
        self.unit = "g"
        self.full_scale: float | tuple[float, ...] | None = tuple(
            FULL_SCALE_V * 1000 / mv_per_g for mv_per_g in options.sensitivity_mv_per_g
        )
        self.name = f"MCC 172 at address {options.address}"
        self.address = f"mcc172 {options.address}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the board can't tell."""
        if not self._options.iepe:
            return ()
        return (
            "the board can't measure the bias voltage of an IEPE sensor: a broken or shorted cable is told "
            "only where its input then stays at the end of the range; otherwise it looks like a machine that "
            "stands",
        )

    def open(self) -> None:
        """Find the board, switch the supplies, set the clock and wait until the converters are in step."""
        self._module = self._library()
        try:
            with self._told("can't be set up"):
                self._check_presence()
                self._board = self._module.mcc172(self._options.address)
                self._set_supplies()
                self._set_clock()
        except OSError:
            self.close()
            raise

    def _check_presence(self) -> None:
        """By the boards' EEPROMs: the library opens an address where none answers without a word."""
        boards = self._module.hat_list()
        there = {int(board.address): str(board.product_name) for board in boards}
        mine = [board for board in boards if int(board.address) == self._options.address]
        if not mine or int(mine[0].id) != int(self._module.HatIDs.MCC_172):
            listed = ", ".join(f"{name} at {address}" for address, name in sorted(there.items()))
            raise OSError(
                f"there is no MCC 172 at address {self._options.address} (there are: {listed or 'none'}): "
                "look at its jumpers, then run `sudo daqhats_read_eeproms`",
            )

    def _set_supplies(self) -> None:
        mode = int(self._options.iepe)
        for channel in self._options.inputs:
            self._board.iepe_config_write(channel, mode)
            if self._board.iepe_config_read(channel) != mode:
                raise OSError(
                    f"{self.name} does not switch the IEPE supply of input {channel} "
                    f"{'on' if mode else 'off'}: is it well seated?",
                )

    def _set_clock(self) -> None:
        self._board.a_in_clock_config_write(self._module.SourceType.LOCAL, self.fs_nominal_hz)
        never, until_s = threading.Event(), self._monotonic_s() + SYNC_S
        while not (clock := self._board.a_in_clock_config_read()).synchronized:
            if self._monotonic_s() > until_s:
                raise OSError(
                    f"{self.name}: its converters did not get into step within {SYNC_S:g} s; switch it off "
                    "and on",
                )
            self._wait(never, 0.01)
        if abs(clock.sample_rate_per_channel - self.fs_nominal_hz) > 1e-3 * self.fs_nominal_hz:
            raise OSError(
                f"{self.name} was set to {self.fs_nominal_hz:g} Hz and says "
                f"{clock.sample_rate_per_channel:g} Hz: another program uses it",
            )

    def close(self) -> None:
        """Stop the scan and take the supplies away: a sensor may be changed now."""
        board, self._board = self._board, None
        if board is None:
            return
        for undo in (board.a_in_scan_stop, board.a_in_scan_cleanup):
            with suppress(Exception):  # the board may be gone, or no scan on
                undo()
        for channel in self._options.inputs:
            with suppress(Exception):
                board.iepe_config_write(channel, 0)

    def self_test(self) -> str | None:
        """None: nothing on the board measures a sensor; `bursts` looks at the first samples."""
        return None

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """What the library has read, ten times a second, from when the sensors have settled."""
        if self._board is None:
            raise OSError(f"{self.name} is not open")
        lost = False
        self._start()
        self._settle(stop)
        while not stop.is_set():
            self._wait(stop, BURST_S)
            samples, overrun = self._take()
            if samples.shape[1]:
                yield Burst(samples, self._heard_s - INPUT_DELAY / self.fs_nominal_hz, lost)
                lost = False
            if overrun:
                self._start()
                lost = True

    def _start(self) -> None:
        """A new scan; one that overran does not go on by itself."""
        with self._told("does not start to sample"):
            with suppress(self._module.HatError):
                self._board.a_in_scan_stop()
            self._board.a_in_scan_cleanup()
            mask = sum(1 << channel for channel in self._options.inputs)
            self._board.a_in_scan_start(mask, round(BUFFER_S * self.fs_nominal_hz), _OPTIONS)
        self._heard_s = self._monotonic_s()

    def _settle(self, stop: threading.Event) -> None:
        """Wait until the supplies' step is forgotten; judge the input by its last second."""
        until_s = self._monotonic_s() + (SETTLE_S if self._options.iepe else 0.0)
        last: list[npt.NDArray[np.int32]] = []
        held = 0
        while not stop.is_set() and self._monotonic_s() < until_s:
            self._wait(stop, BURST_S)
            samples, overrun = self._take()
            if overrun:
                self._start()
            last.append(samples)
            held += samples.shape[1]
            while held - last[0].shape[1] > self.fs_nominal_hz:
                held -= last.pop(0).shape[1]
        if held >= self.fs_nominal_hz / 2 and not stop.is_set():
            self._check_inputs(np.concatenate(last, axis=1))

    def _check_inputs(self, samples: npt.NDArray[np.int32]) -> None:
        for channel, row in zip(self._options.inputs, samples, strict=True):
            if row.min() == row.max():
                raise OSError(
                    f"input {channel} of {self.name} gives the same number all the time, and even an "
                    "open input has noise: is the board well seated?",
                )
            if np.mean(np.abs(row) >= END * COUNTS) > PEGGED:
                raise OSError(
                    f"input {channel} of {self.name} stays at the end of its range: is its cable "
                    "broken, or its shield loose?",
                )

    def _take(self) -> tuple[npt.NDArray[np.int32], bool]:
        """(n_channels, n) counts in the order of `inputs`, and whether the scan ended by an overrun."""
        with self._told("can't be read"):
            read = self._board.a_in_scan_read_numpy(-1, 0)
        now_s = self._monotonic_s()
        data = np.zeros(0) if read.buffer_overrun else np.asarray(read.data)  # old and new are mixed in it
        counts = np.rint(data).astype(np.int32).reshape(-1, self.n_channels).T
        overrun = bool(read.hardware_overrun or read.buffer_overrun)
        if counts.shape[1] or overrun:
            self._heard_s = now_s
        elif not read.running:
            raise OSError(f"{self.name} stopped by itself: does another program use it?")
        elif now_s - self._heard_s > max(SILENT_S, 20 / self.fs_nominal_hz):
            raise OSError(
                f"{self.name} gave no sample for {now_s - self._heard_s:.0f} s: is it still in its place?",
            )
        in_order = counts if self._options.inputs != (1, 0) else counts[::-1]
        return np.ascontiguousarray(in_order), overrun

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """The library's errors as an OSError with a sentence; some of them are a bare Exception."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{self.name} {what}: {error}") from error
