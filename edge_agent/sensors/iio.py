"""Accelerometers and converters that a Linux kernel driver serves: Industrial I/O (IIO).

    [[source]]
    type = "iio"
    machine = "pompe-1"
    point = "palier-ca"
    device = "adxl355"               # its name or label, or "iio:device0"
    fs_hz = 4000                     # one of those that the kernel's driver offers
    elements = ["in_accel_x"]        # scan elements; without it every axis of acceleration
    trigger = "palier-25k"           # only where the kernel's driver needs one
    sensitivity_mv_per_g = [100.0]   # only for voltages (in_voltage0 ...): its certificate

Acceleration comes in m/s², as the kernel scales it; a voltage becomes g by the sensitivity. Where the kernel
stamps each scan, its time (of the monotonic clock) dates the bursts.

Samples are lost where nobody empties the kernel's buffer for two seconds, seen by its fill, and where the
kernel's own driver was late, seen by the time stamps: a gap above `iio_scan.LATE_NS`. Stamps that a driver
interpolates jitter by less, so a shorter loss inside the kernel can't be told from jitter.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from palier.clock import PlantClock
from palier.table_mistakes import TableMistakes

from . import iio_tree as tree
from .bursts import Burst, SampleType
from .continuous import ContinuousSource, note_common, source_of
from .iio_options import IioOptions, read_options
from .iio_scan import TIMESTAMP, Element, chosen, gaps, largest, narrowest, scan_layout
from .iio_tree import IioError, SysfsFiles

BUFFER_S: Final = 2.0
"""What the kernel keeps for a reader that is late: longer than a card stalls that erases a block."""

BURST_S: Final = 0.1  # ten wake-ups a second cost nothing; the kernel's watermark
WAIT_MS: Final = 100  # longest wait between two looks at `stop`
SILENT_S: Final = 3.0
_FIXED: Final = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EIO)  # a file without write access, or value
LARGEST_LATENESS_S: Final = 5.0  # a time stamp further in the past is none of the monotonic clock


def open_source(table: Mapping[str, object], clock: PlantClock) -> ContinuousSource:
    """The entry point. Raises ValueError for a wrong table, OSError where the device is not there."""
    own, found = IioOptions.__slots__, TableMistakes()
    options = found.read(None, read_options, table)
    try:
        # What it offers stands in sysfs: only there the rest of its keys is known to be right.
        driver = None if options is None else found.read(None, IioDriver, options)
    except OSError as error:
        note_common(table, own, found)
        found.refuse(partial(_raise, error))
        raise
    if driver is None:
        note_common(table, own, found)
        found.refuse(partial(_find, table))
        raise AssertionError("what kept the driver from being made is a mistake")
    return source_of(driver, table, clock, own, driver.axes, found=found)


def _raise(error: OSError) -> None:
    raise error


def _find(table: Mapping[str, object]) -> None:
    """Look for the device alone. Raises OSError where it is not there."""
    if isinstance(device := table.get("device"), str) and device:
        tree.find_device(tree.SYSFS, device, SysfsFiles())


class IioDriver:
    """One IIO device's buffer. What it is (axes, scale) is read from sysfs when it is made.

    Raises OSError where the device is not there or is none that can do it, ValueError where the table asks
    for what it does not have.
    """

    doubts: tuple[str, ...] = ()

    def __init__(
        self,
        options: IioOptions,
        *,
        sysfs: Path = tree.SYSFS,
        dev: Path = Path("/dev"),
        files: SysfsFiles | None = None,
        read: Callable[[int, int], bytes] = os.read,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._options, self._sysfs, self._dev = options, sysfs, dev
        self._files = files or SysfsFiles()
        self._read, self._monotonic_s, self._wait = read, monotonic_s, wait
        self.fs_nominal_hz = options.fs_hz
        self._length = 1 << max(4, round(BUFFER_S * options.fs_hz) - 1).bit_length()  # as the kernel does
        self._descriptor: int | None = None
        self._enabled = False
        self._scan = np.dtype(np.void)
        self._before_ns: int | None = None
        self._know(tree.find_device(sysfs, options.device, self._files))

    def _know(self, device: Path) -> None:
        """Read what it is."""
        self._device = device
        there = tree.scan_elements(device, self._files)
        self._elements = chosen(
            self._options.elements, len(self._options.sensitivity_mv_per_g), there, device.name
        )
        self._others = tuple(element for element in there if element not in self._elements)
        self._offsets = tuple(self._offset(element) for element in self._elements)
        self._rate = self._rate_to_write()
        self.n_channels = len(self._elements)
        self.dtype: SampleType = narrowest(self._elements, self._offsets)
        self.scale = tuple(self._scale(i, element) for i, element in enumerate(self._elements))
        self.unit = "g" if self._options.sensitivity_mv_per_g else "m/s²"
        reach = zip(self._elements, self.scale, strict=True)
        self.full_scale: float | tuple[float, ...] | None = tuple(
            largest(element) * scale for element, scale in reach
        )

    @property
    def name(self) -> str:
        """What and where."""
        return f"{self._options.device} ({self._device.name})"

    @property
    def axes(self) -> tuple[str, ...]:
        """What its channels are called where the table does not say: "x" of in_accel_x, else "voltage0"."""
        return tuple(element.name.removeprefix("in_").removeprefix("accel_") for element in self._elements)

    @property
    def address(self) -> str:
        """A device has one buffer."""
        return f"iio {self._device.name}"

    def _rate_to_write(self) -> tuple[Path, str] | None:
        """The file of the rate and what to write there; None: its trigger paces it."""
        first = self._elements[0].name
        file = tree.attribute(self._device, first, "sampling_frequency", self._files)
        if file is None:
            return None
        listed = tree.attribute(self._device, first, "sampling_frequency_available", self._files)
        if listed is None:
            return file, f"{self.fs_nominal_hz:g}"
        available = self._files.text(listed)
        text = tree.nearest_rate(available, self.fs_nominal_hz)
        if text is None:
            raise ValueError(
                f"fs_hz must be a rate that {self._device.name} has (its driver offers {available}), "
                f"got {self.fs_nominal_hz:g}"
            )
        return file, text

    def _scale(self, index: int, element: Element) -> float:
        file = tree.attribute(self._device, element.name, "scale", self._files)
        if file is None:
            raise IioError(
                errno.ENOSYS,
                f"{self._device.name} tells no scale for {element.name}: its values have no unit",
            )
        scale = tree.number(file, self._files)
        if scale <= 0:
            raise IioError(errno.EPROTO, f"{file} must hold a number above 0, got {scale}")
        mv_per_g = self._options.sensitivity_mv_per_g
        return scale / mv_per_g[index] if mv_per_g else scale

    def _offset(self, element: Element) -> int:
        """What to add to the counts before they are scaled (IIO: (raw + offset) * scale), in whole counts."""
        file = tree.attribute(self._device, element.name, "offset", self._files)
        return 0 if file is None else round(tree.number(file, self._files))

    def open(self) -> None:
        """Set the rate and the elements, start the buffer. Raises OSError with a sentence."""
        try:
            self._open()
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        put = self._files.put
        if (device := tree.find_device(self._sysfs, self._options.device, self._files)) != self._device:
            self._know(device)  # unplugged and plugged in again, it may have another number
        self._descriptor = (
            self._open_node()
        )  # first: whoever else has it open, e.g. iiod, goes on undisturbed
        put(self._device / "buffer" / "enable", "0")
        self._set_trigger()
        self._set_rate()
        stamped = self._choose_elements()
        self._scan = scan_layout(stamped)
        self._size_buffer()
        self._enable()
        self._before_ns = None

    def _size_buffer(self) -> None:
        """Two seconds long, or as long as it is where its driver fixes that; a wake-up each tenth of one."""
        file, watermark = self._device / "buffer" / "length", self._device / "buffer" / "watermark"
        try:
            self._files.put(file, str(self._length))
        except IioError as error:
            if error.errno not in _FIXED:
                raise
            self._length = max(1, round(tree.number(file, self._files)))
        if watermark.is_file():
            wake_up = min(self._length, max(1, round(BURST_S * self.fs_nominal_hz)))
            self._files.put(watermark, str(wake_up))

    def _set_trigger(self) -> None:
        wanted, file = self._options.trigger, self._device / "trigger" / "current_trigger"
        if wanted is None:
            return
        trigger = tree.find_trigger(self._sysfs, wanted, self._files)
        if not file.is_file():
            raise IioError(
                errno.ENOSYS,
                f"{self._device.name} takes no trigger: leave out trigger = {wanted!r} in its table",
            )
        self._files.put(file, wanted)
        rate = trigger / "sampling_frequency"
        if self._rate is None and rate.is_file():
            self._files.put(rate, f"{self.fs_nominal_hz:g}")

    def _set_rate(self) -> None:
        """Write the rate, and read it back: some drivers take what is nearest without a word."""
        if self._rate is None:
            return
        file, text = self._rate
        self._files.put(file, text)
        taken = tree.number(file, self._files)
        if abs(taken - self.fs_nominal_hz) > 0.01 * self.fs_nominal_hz:
            raise IioError(
                errno.EINVAL,
                f"{self._device.name} was set to {self.fs_nominal_hz:g} Hz and says {taken:g} Hz: write "
                "that as fs_hz, or another rate",
            )

    def _choose_elements(self) -> tuple[Element, ...]:
        """Switch the wanted elements on and the others off; those that are in the scan in the end.

        The time stamp stays on where its clock can be the monotonic one.
        """
        folder, put = self._device / "scan_elements", self._files.put
        stamps = self._monotonic_stamps()
        for element in (*self._others, *self._elements):
            wanted = element in self._elements or (element.name == TIMESTAMP and stamps)
            put(folder / f"{element.name}_en", "1" if wanted else "0")
        every = (*self._elements, *self._others)
        on = tuple(one for one in every if self._files.text(folder / f"{one.name}_en") == "1")
        if missing := [one.name for one in self._elements if one not in on]:
            raise IioError(errno.EINVAL, f"{self._device.name} does not switch {', '.join(missing)} on")
        return on

    def _monotonic_stamps(self) -> bool:
        try:
            self._files.put(self._device / "current_timestamp_clock", "monotonic")
        except OSError:  # kernels before 4.8 have wall time only, which steps: better none
            return False
        return True

    def _open_node(self) -> int:
        node = self._dev / self._device.name
        try:
            return os.open(node, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise tree.explained(error, node, "can't be opened") from error

    def _enable(self) -> None:
        try:
            self._files.put(self._device / "buffer" / "enable", "1")
        except OSError as error:
            if error.errno != errno.EINVAL or self._options.trigger is not None:
                raise
            there = ", ".join(tree.triggers(self._sysfs, self._files)) or "none; make one, docs/hardware.md"
            raise IioError(
                errno.EINVAL,
                f"{self._device.name} does not start its buffer: its driver needs a trigger; write "
                f'trigger = "NAME" into its table (there are: {there})',
            ) from error
        self._enabled = True

    def close(self) -> None:
        """Stop the buffer, so that the sensor rests and others may use it."""
        if self._enabled:
            self._enabled = False
            with contextlib.suppress(OSError):  # it is gone, and so is its buffer
                self._files.put(self._device / "buffer" / "enable", "0")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def self_test(self) -> str | None:
        """None: the kernel's driver asked the chip who it is when it was loaded; IIO has no common test."""
        return None

    def bursts(self, stop: threading.Event) -> Iterator[Burst]:
        """What the buffer holds, some ten times a second."""
        descriptor = self._descriptor
        if descriptor is None:
            raise IioError(errno.EBADF, f"{self.name} is not open")
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLERR | select.POLLHUP)
        rest, lost, heard_s = b"", False, self._monotonic_s()
        while not stop.is_set():
            if not poll.poll(WAIT_MS):
                self._check_silence(heard_s)
                continue
            full = self._is_full()
            data = rest + self._take(descriptor)
            n = len(data) // self._scan.itemsize
            rest = data[n * self._scan.itemsize :]
            if n:
                heard_s = self._monotonic_s()
                yield from self._bursts_of(np.frombuffer(data, self._scan, n), heard_s, lost)
                lost = full  # what is in a full buffer is whole; what came after it was thrown away
            if n < BURST_S * self.fs_nominal_hz / 2:  # a kernel without watermark wakes us for each scan
                self._wait(stop, BURST_S / 2)
            self._check_silence(heard_s)

    def _is_full(self) -> bool:
        """Whether the kernel began to throw away. `data_available` counts scans in the kernel's FIFO."""
        file = self._device / "buffer" / "data_available"
        try:
            return file.is_file() and int(self._files.text(file)) == self._length
        except ValueError:
            return False

    def _take(self, descriptor: int) -> bytes:
        """All that is there, at most the buffer. Raises OSError when the device is gone."""
        try:
            data = self._read(descriptor, self._length * self._scan.itemsize)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise tree.explained(error, self._dev / self._device.name, "can't be read") from error
        if not data:
            raise IioError(
                errno.EIO,
                f"{self.name} gives no more: another program switched its buffer off, or it was unplugged",
            )
        return data

    def _check_silence(self, heard_s: float) -> None:
        """Raises OSError, with its likely reason, when nothing has come for longer than it ever should."""
        longest_s = max(SILENT_S, 20 / self.fs_nominal_hz)
        if self._monotonic_s() - heard_s < longest_s:
            return
        if not self._device.is_dir():
            raise IioError(
                errno.ENODEV, f"{self.name} is gone: is it plugged in, and its driver loaded (dmesg)?"
            )
        if self._files.text(self._device / "buffer" / "enable") == "0":
            raise IioError(
                errno.EIO, f"another program switched the buffer of {self.name} off (iiod?): stop it"
            )
        trigger = self._options.trigger
        why = f"does the trigger {trigger!r} run" if trigger else "is its interrupt line wired (dmesg)"
        raise IioError(
            errno.ETIMEDOUT,
            f"{self.name} gave no sample for {longest_s:g} s with its buffer on: {why}?",
        )

    def _bursts_of(self, scans: npt.NDArray[np.void], now_s: float, lost: bool) -> Iterator[Burst]:
        """The scans as bursts, parted where the time stamps leap."""
        samples = self._samples(scans)
        if TIMESTAMP not in (scans.dtype.names or ()):
            yield Burst(samples, now_s, lost)
            return
        stamps = np.ascontiguousarray(scans[TIMESTAMP]).astype(np.int64)
        cuts = gaps(stamps, self._before_ns, self.fs_nominal_hz)
        self._before_ns = int(stamps[-1])
        edges = [*([] if cuts[:1] == [0] else [0]), *cuts, len(stamps)]
        for begin, end in itertools.pairwise(edges):
            stamp_s = int(stamps[end - 1]) / 1e9
            end_s = stamp_s if now_s - LARGEST_LATENESS_S < stamp_s <= now_s else now_s
            yield Burst(samples[:, begin:end], end_s, lost or begin in cuts)
            lost = False

    def _samples(self, scans: npt.NDArray[np.void]) -> npt.NDArray[np.generic]:
        """(n_channels, n) of them, in the order of the table."""
        samples = np.empty((self.n_channels, len(scans)), self.dtype)
        for i, (element, offset) in enumerate(zip(self._elements, self._offsets, strict=True)):
            samples[i] = element.kind.values(scans[element.name])
            samples[i] += offset
        return samples
