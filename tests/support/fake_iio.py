"""A tree of Linux IIO in a temporary folder, with a FIFO for the device and a kernel's refusals."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_agent.sensors.iio_tree import SysfsFiles, explained

AXES = ("in_accel_x", "in_accel_y", "in_accel_z")
SCALE = 0.000598  # m/s² per count: IIS3DWB at ±2 g


class FakeIio:
    """`sysfs` and `dev` folders of one device, "iio:device0"; `feed` writes scans into its FIFO."""

    def __init__(
        self,
        root: Path,
        *,
        name: str = "iis3dwb",
        number: int = 0,
        types: Mapping[str, str] | None = None,
        stamped: bool = True,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self.sysfs, self.dev = root / "sys", root / "dev"
        self.device = self.sysfs / f"iio:device{number}"
        self.types = dict(types or dict.fromkeys(AXES, "le:s16/16>>0"))
        if stamped:
            self.types["in_timestamp"] = "le:s64/64>>0"
        files = {
            "name": name,
            "sampling_frequency": "1666.000000",
            "sampling_frequency_available": "1666.000000 26667.000000",
            "buffer/enable": "0",
            "buffer/length": "2",
            "buffer/watermark": "1",
            "buffer/data_available": "0",
            **({"in_accel_scale": f"{SCALE}"} if any("accel" in kind for kind in self.types) else {}),
            **({"current_timestamp_clock": "realtime"} if stamped else {}),
            **(attributes or {}),
        }
        for index, (element, kind) in enumerate(self.types.items()):
            files |= {
                f"scan_elements/{element}_en": "0",
                f"scan_elements/{element}_index": str(index),
                f"scan_elements/{element}_type": kind,
            }
        for file, text in files.items():
            self.put(file, text)
        self.node = self.dev / self.device.name
        self.dev.mkdir(exist_ok=True)
        os.mkfifo(self.node)
        self._writer: int | None = None

    def put(self, file: str, text: str) -> None:
        """As the kernel would show it."""
        path = self.device / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")

    def says(self, file: str) -> str:
        """What was written there."""
        return (self.device / file).read_text("utf-8").strip()

    def trigger(self, name: str, number: int = 0) -> None:
        """A trigger that may be chosen."""
        folder = self.sysfs / f"trigger{number}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(name + "\n", "utf-8")
        (folder / "sampling_frequency").write_text("100\n", "utf-8")

    def feed(self, data: bytes) -> None:
        """Bytes into the device's node; the driver must have it open."""
        if self._writer is None:
            self._writer = os.open(self.node, os.O_WRONLY | os.O_NONBLOCK)
        assert os.write(self._writer, data) == len(data)

    def unplug(self) -> None:
        """The node hangs up."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None


class Kernel(SysfsFiles):
    """Refuses what a kernel refuses: `refusals` names the error for a file's name, before it is written."""

    def __init__(self, refusals: Mapping[str, int]) -> None:
        self.refusals = dict(refusals)

    def put(self, file: Path, value: str) -> None:
        """Write it, or refuse it."""
        number = self.refusals.get(f"{file.name}={value}", self.refusals.get(file.name))
        if number:
            raise explained(OSError(number, os.strerror(number)), file, f"does not take {value!r}")
        super().put(file, value)


def scans(counts: np.ndarray, stamps_ns: np.ndarray | None = None) -> bytes:
    """(n, 3) int16 counts as the kernel lays them: three axes, padding, the time stamp."""
    fields: list[tuple[str, str]] = [("x", "<i2"), ("y", "<i2"), ("z", "<i2")]
    if stamps_ns is not None:
        fields += [("pad", "<i2"), ("t", "<i8")]
    table = np.zeros(len(counts), fields)
    for axis, column in zip("xyz", counts.T, strict=True):
        table[axis] = column
    if stamps_ns is not None:
        table["t"] = stamps_ns
    return table.tobytes()


BUSY, INVALID, DENIED = errno.EBUSY, errno.EINVAL, errno.EACCES
