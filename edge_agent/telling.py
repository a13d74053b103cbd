"""What a gateway tells of itself: read from the kernel's files, never by a command, and cheap enough for once
a minute. What can't be read is not told."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from palier.wire.said import code_of
from palier.wire.status import MAX_SENTENCES, MAX_TEXT, GatewayStatus

EVERY_S: Final = 60.0
LOOK_S: Final = 1.0  # between two looks whether something changed: the link asks many times a second
APART_S: Final = 5.0
"""A source that fails and works by turns must not fill the line with it."""

_ZONES: Final = ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp", "coretemp", "k10temp", "acpitz")
"""What thermal zones of processors are called, the surest first."""


@dataclass(frozen=True)
class Board:
    """The machine under the agent. `root` is where /proc and /sys are."""

    root: Path = Path("/")

    @cached_property
    def palier(self) -> str:
        """Palier's version."""
        try:
            return version("palier")
        except PackageNotFoundError:
            return "unknown"

    @cached_property
    def system(self) -> str | None:
        """The operating system by its own name, with the kernel's machine."""
        named = [line for line in (self._text("etc/os-release") or "").splitlines() if "=" in line]
        told = {line.partition("=")[0]: line.partition("=")[2].strip("\"'") for line in named}
        name = told.get("PRETTY_NAME") or platform.system()
        return f"{name} ({platform.machine()})"[:MAX_TEXT] if name else None

    @cached_property
    def name(self) -> str | None:
        """The board: a Raspberry Pi says so in its device tree, a PC in its firmware's tables."""
        tree = (self._text("proc/device-tree/model") or "").strip("\0 \n")
        firmware = ("sys_vendor", "product_name")
        said = tree or " ".join(filter(None, (self._text(f"sys/class/dmi/id/{one}") for one in firmware)))
        return " ".join(said.split())[:MAX_TEXT] or None

    def cpu_celsius(self) -> float | None:
        """Temperature of the processor, °C."""
        found: dict[str, float] = {}
        for zone in sorted((self.root / "sys/class/thermal").glob("thermal_zone*")):
            kind, text = self._text(zone / "type"), self._text(zone / "temp")
            try:
                celsius = float(text or "") / 1000.0
            except ValueError:
                continue
            if -40.0 <= celsius <= 150.0:
                found.setdefault(kind or "", celsius)
        named = next((found[name] for name in _ZONES if name in found), None)
        return named if named is not None else next(iter(found.values()), None)

    def memory(self) -> tuple[int | None, int | None]:
        """(bytes that programs can have, bytes there are)."""
        told = {}
        for line in (self._text("proc/meminfo") or "").splitlines():
            name, _, rest = line.partition(":")
            amount = rest.split()
            if amount and amount[0].isdigit():
                told[name] = int(amount[0]) * 1024
        return told.get("MemAvailable"), told.get("MemTotal")

    def uptime_s(self) -> int | None:
        """Seconds since the machine was started."""
        first = (self._text("proc/uptime") or "").split()
        try:
            return int(float(first[0]))
        except (IndexError, ValueError):
            return None

    def _text(self, name: str | Path) -> str | None:
        try:
            return (self.root / name).read_text("utf-8", "replace").strip()
        except OSError:
            return None


def card(folder: Path) -> tuple[int | None, int | None]:
    """(bytes free for us, bytes in all) of the disk that a folder is on."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


Fill = Callable[[GatewayStatus], GatewayStatus]
"""Adds to a status what only some part of the agent knows."""


class Telling:
    """Gathers a status, and says when it is to be told. `look` and `status` are called from any thread."""

    def __init__(
        self,
        folder: Path,
        core: Fill,
        more: Fill = lambda status: status,
        *,
        board: Board | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is where the outbox is. `core` fills in what is told at once where it changes, and must
        cost little; `more` the rest.
        """
        self._folder = folder
        self._core = core
        self._more = more
        self._looked_s = -EVERY_S
        self._board = board or Board()
        self._monotonic_s = monotonic_s
        self._told_s = -EVERY_S
        self._told: GatewayStatus | None = None
        self._text: str | None = None  # the configuration's text that was told last

    def status(self, *, full: bool) -> GatewayStatus:
        """The gateway now; with `full` also the text of its configuration."""
        free, total = card(self._folder)
        memory_free, memory_total = self._board.memory()
        status = GatewayStatus(
            version=self._board.palier,
            python=platform.python_version(),
            system=self._board.system,
            board=self._board.name,
            card_free=free,
            card_total=total,
            memory_free=memory_free,
            memory_total=memory_total,
            cpu_celsius=self._board.cpu_celsius(),
            uptime_s=self._board.uptime_s(),
        )
        status = self._more(self._core(status))
        return status if full else replace(status, text=None)

    def due(self) -> GatewayStatus | None:
        """What is to be told now: each minute, and soon after a change of what people act on."""
        now_s = self._monotonic_s()
        if now_s - self._looked_s < LOOK_S:
            return None
        self._looked_s = now_s
        now, told = self._core(GatewayStatus()), self._told or GatewayStatus()
        answered = (now.answer_request, now.answer) != (told.answer_request, told.answer)
        if now_s - self._told_s < APART_S and not answered:  # somebody waits for an answer
            return None
        same = self._told is not None and _core(now) == _core(told)
        if same and now_s - self._told_s < EVERY_S:
            return None
        status = self.status(full=True)
        changed = status.text != self._text
        self.told(status)
        return status if changed else replace(status, text=None)

    def told(self, status: GatewayStatus) -> None:
        """This is told: by a birth, too."""
        self._told_s, self._told, self._text = self._monotonic_s(), status, status.text


def _core(status: GatewayStatus) -> tuple[object, ...]:
    """What is told at once where it changes."""
    return (
        status.clock,
        status.problems,
        status.sources,
        status.origin,
        status.state,
        status.configuration_hash,
        status.answer_request,
        status.answer,
    )


def codes(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What each of these sentences was made of; "" for somebody else's words."""
    return tuple(code_of(text) for text in texts[:MAX_SENTENCES])


def sentences(texts: tuple[str, ...]) -> tuple[str, ...]:
    """As many, and as long, as may be told."""
    return tuple(text[:MAX_TEXT] for text in texts[:MAX_SENTENCES])
