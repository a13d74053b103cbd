"""How a scan of Linux Industrial I/O lies in the buffer, and which of its elements are wanted.

After the kernel's `Documentation/iio/iio_devbuf.rst`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .bursts import SampleType

TIMESTAMP: Final = "in_timestamp"

LATE_NS: Final = 5_000_000
"""Stamps that a driver interpolates jitter by less: what is later than a period and this was lost."""

_TYPE: Final = re.compile(r"(be|le):([su])(\d+)/(\d+)(?:X(\d+))?(?:>>(\d+))?")
_STORAGE: Final = (8, 16, 32, 64)
_FAMILY: Final = re.compile(r"(in_[a-z]+)")


@dataclass(frozen=True, slots=True)
class SampleKind:
    """How one sample lies in the buffer: `le:s20/32>>4` is 20 signed bits in 32, the lowest 4 unused."""

    big_endian: bool
    signed: bool
    bits: int
    storage: int
    shift: int

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """What the whole storage is read as."""
        return np.dtype(f"{'>' if self.big_endian else '<'}{'i' if self.signed else 'u'}{self.storage // 8}")

    def values(self, stored: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The numbers in it, in the machine's byte order and as wide as the storage."""
        native = stored.astype(stored.dtype.newbyteorder("="))  # a copy: the buffer it came from is read-only
        if self.signed:
            np.left_shift(native, self.storage - self.shift - self.bits, out=native)
            return np.right_shift(native, self.storage - self.bits, out=native)
        np.right_shift(native, self.shift, out=native)
        return np.bitwise_and(native, (1 << self.bits) - 1, out=native)


def parse_type(text: str) -> SampleKind:
    """What a `*_type` file says. Raises ValueError with a sentence for what no vibration can come in."""
    found = _TYPE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"a sample's type must read like le:s16/16>>0, got {text.strip()[:40]!r}")
    bits, storage, shift = int(found[3]), int(found[4]), int(found[6] or 0)
    if storage not in _STORAGE or not 0 < bits <= storage - shift:
        raise ValueError(
            f"a sample's bits must lie within 8, 16, 32 or 64 bits of storage, got {text.strip()!r}"
        )
    if int(found[5] or 1) != 1:
        raise ValueError(
            f"a sample must be one number, and {text.strip()!r} is several: choose other elements"
        )
    return SampleKind(found[1] == "be", found[2] == "s", bits, storage, shift)


@dataclass(frozen=True, slots=True)
class Element:
    """One scan element: its name ("in_accel_x"), its place in the scan, and how its samples lie there."""

    name: str
    index: int
    kind: SampleKind


def scan_layout(elements: Sequence[Element]) -> np.dtype[np.void]:
    """One scan of these as a record: in the order of their index, each aligned to its own size, and the whole
    to the largest. Fields are the elements' names."""
    offsets, at, largest = [], 0, 1
    ordered = sorted(elements, key=lambda element: element.index)
    for element in ordered:
        size = element.kind.storage // 8
        at = -(-at // size) * size
        offsets.append(at)
        at, largest = at + size, max(largest, size)
    return np.dtype(
        {
            "names": [element.name for element in ordered],
            "formats": [element.kind.dtype for element in ordered],
            "offsets": offsets,
            "itemsize": -(-at // largest) * largest,
        }
    )


def family(element: str) -> str:
    """What an element shares its attributes with: "in_accel" of "in_accel_x"."""
    found = _FAMILY.match(element)
    return found[1] if found else element


def gaps(stamps_ns: npt.NDArray[np.int64], before_ns: int | None, fs_hz: float) -> list[int]:
    """Where a scan does not follow the one before it: more than `LATE_NS` late. 0: it is the first one."""
    first = stamps_ns[:1] if before_ns is None else np.array([before_ns], np.int64)
    late = np.diff(np.concatenate([first, stamps_ns])) > 1.5e9 / fs_hz + LATE_NS
    return [int(index) for index in np.flatnonzero(late)]


def chosen(
    wanted: tuple[str, ...], n_sensitivities: int, there: tuple[Element, ...], device: str
) -> tuple[Element, ...]:
    """The wanted elements in the order of the table. Raises ValueError naming those there are."""
    usable = {element.name: element for element in there if element.name != TIMESTAMP}
    wanted = wanted or tuple(name for name in usable if family(name) == "in_accel")
    unknown = [name for name in wanted if name not in usable]
    if unknown or not wanted:
        raise ValueError(
            f"elements must be of the buffer of {device} ({', '.join(usable) or 'which has none'}), "
            f"got {', '.join(unknown) or 'none, and it has no axis of acceleration'}"
        )
    kinds = {family(name) for name in wanted}
    if not kinds <= {"in_accel", "in_voltage"} or len(kinds) != 1:
        raise ValueError(f"elements must all be accelerations or all be voltages, got {', '.join(wanted)}")
    if n_sensitivities != (len(wanted) if kinds == {"in_voltage"} else 0):
        raise ValueError(
            "sensitivity_mv_per_g must have one number for each voltage, and none for accelerations (the "
            f"kernel scales those): {len(wanted)} elements ({', '.join(wanted)}), {n_sensitivities} numbers"
        )
    return tuple(usable[name] for name in wanted)


def narrowest(elements: tuple[Element, ...], offsets: tuple[int, ...]) -> SampleType:
    """int16 where every value fits, else int32. Raises ValueError for what is wider."""
    if all(_fits(element, offset, 16) for element, offset in zip(elements, offsets, strict=True)):
        return "int16"
    for element, offset in zip(elements, offsets, strict=True):
        if not _fits(element, offset, 32):
            raise ValueError(
                f"a sample must fit 32 bits, and {element.name} has {element.kind.bits} bits and an offset "
                f"of {offset}"
            )
    return "int32"


def _fits(element: Element, offset: int, bits: int) -> bool:
    """Whether its counts with the offset fit signed integers of so many bits."""
    lowest = -largest(element) if element.kind.signed else 0
    highest = largest(element) - element.kind.signed
    return -(1 << (bits - 1)) <= lowest + offset and highest + offset < 1 << (bits - 1)


def largest(element: Element) -> int:
    """Counts at the end of the range."""
    return 1 << (element.kind.bits - 1) if element.kind.signed else (1 << element.kind.bits) - 1
