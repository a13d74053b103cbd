"""Keeps the page's process small: what a question needed goes back to the system when it is answered.

A page has four threads, and glibc gives each a heap of its own that hardly shrinks; and after the first large
array it takes such arrays from these heaps too. With two heaps, and every array of a spectrum mapped by
itself, memory follows what is in use (mallopt(3)). Other C libraries have no such call, and no such need.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Names of malloc.h."""

ARENAS: Final = 2
MAPPED_FROM_BYTES: Final = 128 * 1024
"""glibc's own first value; naming it keeps glibc from raising it by itself. A spectrum has 200 kB."""


def stay_small() -> None:
    """To be called before the threads begin. Does nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for what, value in (
        (_ARENA_MAX, ARENAS),
        (_MMAP_THRESHOLD, MAPPED_FROM_BYTES),
        (_TRIM_THRESHOLD, MAPPED_FROM_BYTES),
    ):
        mallopt(what, value)


def settle() -> None:
    """To be called when all modules stand: they are looked through by no later collection.

    CPython collects old cycles only when a quarter as many objects wait as there are old ones, and the
    modules are some hundred thousand: what questions leave behind would lie for hours.
    """
    gc.collect()
    gc.freeze()
