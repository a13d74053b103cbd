"""The C library's heap, told that this process has little memory. glibc only; elsewhere nothing happens."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

# <malloc.h>, mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

MMAP_BYTES: Final = 256 * 1024
"""A block from here on is given back the moment it is freed. Left to itself glibc raises this bound to the
largest block that was ever freed, and then keeps several blocks of 4 MB for another day."""

TRIM_BYTES: Final = 128 * 1024


def keep_small() -> None:
    """One arena for all threads (Python runs one at a time anyway), and freed memory given back."""
    with contextlib.suppress(AttributeError, OSError):  # no glibc
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)
        library.mallopt(_M_ARENA_MAX, 1)
