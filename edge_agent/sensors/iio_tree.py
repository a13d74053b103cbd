"""Linux Industrial I/O as the kernel shows it: devices, triggers, their attributes under sysfs.

After the kernel's `Documentation/ABI/testing/sysfs-bus-iio`.
"""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .iio_scan import Element, family, parse_type

SYSFS: Final = Path("/sys/bus/iio/devices")
_GONE: Final = (errno.ENODEV, errno.ENOENT, errno.ENXIO)


class IioError(OSError):
    """An error number with a sentence: what, and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


class SysfsFiles:
    """Reads and writes attributes; what goes wrong becomes an OSError whose sentence says what to do."""

    def text(self, file: Path) -> str:
        """What is in it, without the line's end."""
        try:
            return file.read_text("utf-8", errors="replace").strip()
        except OSError as error:
            raise explained(error, file, "can't be read") from error

    def put(self, file: Path, value: str) -> None:
        """Write it as the kernel wants it: one write of the whole."""
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(descriptor, value.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise explained(error, file, f"does not take {value!r}") from error


def explained(error: OSError, file: Path, what: str) -> IioError:
    """The same error with a sentence: what, and what to do."""
    number = error.errno or 0
    if number in _GONE:
        remedy = "the device is gone: is it plugged in, and its driver loaded (dmesg)?"
    elif number in (errno.EACCES, errno.EPERM):
        remedy = (
            "permission denied: the agent's account needs it from a udev rule or systemd drop-in "
            "(docs/hardware.md, Linux IIO)"
        )
    elif number == errno.EBUSY:
        remedy = "another program uses it (iiod?): stop that one"
    elif number == errno.EINVAL:
        remedy = "the kernel's driver refuses the value"
    else:
        remedy = error.strerror or type(error).__name__
    return IioError(number, f"{file} {what}: {remedy}")


def find_device(root: Path, wanted: str, files: SysfsFiles) -> Path:
    """The folder of the device called so: by its name ("adxl355"), its label, or "iio:device0".

    Raises OSError naming the devices there are.
    """
    names = {folder.name: _names(folder, files) for folder in sorted(root.glob("iio:device*"))}
    found = [folder for folder, called in names.items() if wanted in (folder, *called)]
    if len(found) == 1:
        return root / found[0]
    there = ", ".join(f"{folder} ({' '.join(called) or 'no name'})" for folder, called in names.items())
    if found:
        raise IioError(
            errno.ENOTUNIQ, f"{len(found)} IIO devices are called {wanted!r}; name one of them: {there}"
        )
    raise IioError(
        errno.ENODEV,
        f"no IIO device is called {wanted!r} (there are: {there or 'none'}): is it wired, is its driver "
        "loaded (dtoverlay, dmesg)?",
    )


def _names(folder: Path, files: SysfsFiles) -> tuple[str, ...]:
    return tuple(files.text(folder / file) for file in ("name", "label") if (folder / file).is_file())


def triggers(root: Path, files: SysfsFiles) -> Mapping[str, Path]:
    """The folder of each trigger by its name."""
    return {files.text(folder / "name"): folder for folder in sorted(root.glob("trigger*"))}


def find_trigger(root: Path, wanted: str, files: SysfsFiles) -> Path:
    """The folder of the trigger of that name. Raises OSError naming those there are."""
    there = triggers(root, files)
    if wanted not in there:
        raise IioError(
            errno.ENODEV,
            f"no IIO trigger is called {wanted!r} (there are: {', '.join(there) or 'none'}): make one "
            "(docs/hardware.md, Linux IIO) or choose one of these",
        )
    return there[wanted]


def scan_elements(device: Path, files: SysfsFiles) -> tuple[Element, ...]:
    """What the device can put into its buffer, by index; what no vibration can come in is left out.

    Raises OSError for a device without a buffer.
    """
    folder = device / "scan_elements"
    if not folder.is_dir():
        raise IioError(
            errno.ENOSYS,
            f"{device.name} has no buffer (no {folder}): its kernel driver gives single values only, which "
            "is too slow for vibration",
        )
    found = []
    for switch in sorted(folder.glob("in_*_en")):
        name = switch.name.removesuffix("_en")
        try:
            kind = parse_type(files.text(folder / f"{name}_type"))
        except ValueError:
            continue
        found.append(Element(name, int(files.text(folder / f"{name}_index")), kind))
    return tuple(sorted(found, key=lambda element: element.index))


def attribute(device: Path, element: str, what: str, files: SysfsFiles) -> Path | None:
    """The file of an element's `what` ("scale"): its own, its family's, or the device's; None without."""
    kind = re.sub(r"\d+", "", element)  # "in_voltage-voltage" of a differential "in_voltage0-voltage1"
    for prefix in (f"{element}_", f"{kind}_", f"{family(element)}_", ""):
        if (file := device / f"{prefix}{what}").is_file():
            return file
    return None


def number(file: Path, files: SysfsFiles) -> float:
    """The number in a file. Raises OSError where there is none."""
    text = files.text(file)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise IioError(
            errno.EPROTO, f"{file} must hold a number, got {text[:40]!r}: the kernel's driver is broken"
        )
    return value


def nearest_rate(available: str, fs_hz: float) -> str | None:
    """The text to write for a rate, of a list "12.5 25" or a range "[1 1 400]"; None where it is not in it.

    A rate counts as there within 0.1 %: people write 26667 where the driver says 26666.67.
    """
    if available.startswith("["):
        low, _, high = (float(part) for part in available.strip("[]").split())
        return f"{fs_hz:.6f}" if low <= fs_hz <= high else None
    for text in available.split():
        if abs(float(text) - fs_hz) <= 1e-3 * fs_hz:
            return text
    return None
