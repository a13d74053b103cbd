"""PortAudio, of which a process has one: its list of devices, and the streams that are open on them.

PortAudio looks for devices when it is initialised and never again: an interface that was plugged in later is
not there for it. A new look closes every stream. So it is taken only when the cards of the system are others
than at the last one, and who had a stream opens it again by its name (`generation` tells): a gap of some
milliseconds in the others when somebody plugs an interface in or out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

CARDS: Final = Path("/sys/class/sound")  # a container has no /proc/asound

LATENCY_S: Final = 1.0
"""Asked of the kernel's buffer (a device may give less): longer than a thread waits for its turn."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream is opened with; `channels` are the first so many of the interface."""

    device: str
    fs_hz: float
    channels: int


def sounddevice() -> Any:  # the library has no types
    """The library. Raises OSError with its remedy where it or PortAudio is missing."""
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise OSError("the library sounddevice is not installed: pip install 'palier[audio]'") from error
    except OSError as error:
        raise OSError(f"PortAudio is not installed ({error}): apt install libportaudio2") from error


def system_cards(root: Path = CARDS) -> str:
    """What the kernel has for sound cards now; empty where it does not tell."""
    found = []
    for card in sorted(root.glob("card[0-9]*")):
        with suppress(OSError):  # it goes away just now
            found.append(f"{card.name} {(card / 'id').read_text('utf-8', errors='replace').strip()}")
    return "\n".join(found)


class PortAudio:
    """Hold `lock` while a stream is used: another thread's new look would close it under one's hands."""

    def __init__(
        self, library: Callable[[], Any] = sounddevice, cards: Callable[[], str] = system_cards
    ) -> None:
        self.lock = threading.RLock()
        self.generation = 0
        self._cards = cards
        seen = cards()  # before the list is made: what comes meanwhile is looked for again
        self.library = library()
        self._seen = seen
        self._streams: list[Any] = []

    def open(self, wanted: Wanted) -> Any:
        """A started stream of 24 bits. Raises OSError with a sentence. `close` it."""
        with self.lock:
            try:
                if self._cards() != self._seen or (not self._streams and not self._found(wanted.device)):
                    self._look_again()
                device = self._one(wanted)
            except self.library.PortAudioError as error:
                raise OSError(f"PortAudio can't tell what there is: {error}") from error
            return self._started(wanted, device)

    def _started(self, wanted: Wanted, device: Any) -> Any:
        stream = None
        try:
            stream = self.library.RawInputStream(
                samplerate=wanted.fs_hz,
                device=device["index"],
                channels=wanted.channels,
                dtype="int24",
                latency=LATENCY_S,
            )
            self._streams.append(stream)
            stream.start()
        except (self.library.PortAudioError, ValueError) as error:
            self.close(stream)
            raise OSError(
                f"{device['name']} can't be opened with {wanted.channels} channels at {wanted.fs_hz:g} Hz: "
                f"{error}; another program may use it, or it has another rate (arecord --dump-hw-params)"
            ) from error
        return stream

    def close(self, stream: Any) -> None:
        """Never raises; may be called twice."""
        with self.lock:
            if stream in self._streams:
                self._streams.remove(stream)
                with suppress(Exception):  # its device may be gone
                    stream.abort()
                with suppress(Exception):
                    stream.close()

    def names(self) -> tuple[str, ...]:
        """Every interface that can record."""
        return tuple(str(device["name"]) for device in self._inputs())

    def _inputs(self) -> list[Any]:
        return [device for device in self.library.query_devices() if device["max_input_channels"] > 0]

    def _found(self, name: str) -> list[Any]:
        """Those called so, whole or in part; the whole name wins."""
        inputs = self._inputs()
        exact = [device for device in inputs if device["name"] == name]
        return exact or [device for device in inputs if name.casefold() in str(device["name"]).casefold()]

    def _one(self, wanted: Wanted) -> Any:
        found = self._found(wanted.device)
        if len(found) != 1:
            many = f"{len(found)} interfaces are" if found else "no interface that records is"
            listed = ", ".join(repr(name) for name in self.names()) or "none"
            raise OSError(
                f"{many} called {wanted.device!r} (there are: {listed}): write a name, or a part of it that "
                "only one has"
                + ("" if found else "; is it plugged in, and the agent's account in the group audio?")
            )
        (device,) = found
        if device["max_input_channels"] < wanted.channels:
            raise OSError(
                f"{device['name']} has {device['max_input_channels']} inputs: there is no input "
                f"{wanted.channels}"
            )
        return device

    def _look_again(self) -> None:
        seen = self._cards()
        for stream in list(self._streams):
            self.close(stream)
        self.generation += 1
        self.library._terminate()  # its documented way to find new devices
        self.library._initialize()
        self._seen = seen


@cache
def shared() -> PortAudio:
    """The one of this process."""
    return PortAudio()
