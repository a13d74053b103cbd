"""What Linux knows of the time of day: adjtimex(2), the boot, the real-time clock. It sets none."""

from __future__ import annotations

import ctypes
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from .timekeeping import Sense

_UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC of linux/timex.h
_ROOM: Final = 64  # longs; struct timex has 26 on 64-bit Linux
_STATUS_OFFSET: Final = 5 * ctypes.sizeof(ctypes.c_long)
"""modes (an int and its padding), offset, freq, maxerror, esterror stand before it; then an int."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC: Final = Path("/run/systemd/timesync")  # systemd-timesyncd's, there while it runs
CHRONY: Final = Path("/run/chrony")  # chronyd's, there while it runs
HCTOSYS: Final = Path("/sys/class/rtc/rtc0/hctosys")  # 1: the kernel took the time of day from it at boot


def boot_id() -> str:
    """The name of this boot; empty where the kernel does not tell."""
    try:
        return BOOT_ID.read_text("ascii").strip().replace("-", "")[:16]
    except OSError:
        return ""


def sense() -> Sense:
    """What can be known now."""
    daemon = TIMESYNC.exists() or CHRONY.exists()
    return replace(glance(), synced=_synchronised(), daemon=daemon, battery=_battery())


def glance() -> Sense:
    """The time alone: asked for each commit, it costs a microsecond."""
    mono_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Sense(time.time_ns(), mono_ns, synced=None, daemon=False, battery=False)


def _synchronised() -> bool | None:
    """Whether a time daemon has set the kernel's clock and keeps it; None where we may not ask."""
    asked = (ctypes.c_long * _ROOM)()  # modes 0: only read
    try:
        answer = _libc().adjtimex(asked)
    except (OSError, AttributeError):
        answer = -1
    if answer < 0:
        return True if (TIMESYNC / "synchronized").exists() else None
    return not ctypes.c_int.from_buffer(asked, _STATUS_OFFSET).value & _UNSYNCHRONISED


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _battery() -> bool:
    try:
        return HCTOSYS.read_text("ascii").strip() == "1"
    except OSError:
        return False
