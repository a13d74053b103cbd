"""A module `sounddevice` (0.5) with interfaces that can be plugged in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


class PortAudioError(Exception):
    """As in sounddevice."""


@dataclass
class Interface:
    """What is plugged in: it counts its frames; `waiting` are in the kernel's buffer."""

    name: str
    inputs: int = 2
    rates: tuple[float, ...] = (44100.0, 48000.0)
    waiting: int = 4800
    overflow: bool = False
    gone: bool = False
    frame: int = 0
    users: list[Any] = field(default_factory=list)


class FakeSounddevice:
    """The module. `plugged` is what there is, which is seen at `_initialize` alone."""

    PortAudioError = PortAudioError

    def __init__(self, *plugged: Interface) -> None:
        self.plugged = list(plugged)
        self._known: list[Interface] = []
        self.looks = 0
        self.streams: list[Stream] = []
        self._initialize()

    def cards(self) -> str:
        """What the kernel tells at once."""
        return "\n".join(interface.name for interface in self.plugged)

    def query_devices(self) -> list[dict[str, object]]:
        playback = {"name": "playback only", "index": 0, "max_input_channels": 0}
        return [playback] + [
            {"name": one.name, "index": i, "max_input_channels": one.inputs}
            for i, one in enumerate(self._known, 1)
        ]

    def RawInputStream(self, **options: Any) -> Stream:  # noqa: N802  # its name there
        stream = Stream(self._known[options["device"] - 1], options)
        self.streams.append(stream)
        return stream

    def _initialize(self) -> None:
        self.looks += 1
        self._known = list(self.plugged)

    def _terminate(self) -> None:
        for stream in self.streams:
            stream.open = False


class Stream:
    """Each frame is its number times 256 on the first input, minus that on the second."""

    def __init__(self, interface: Interface, options: dict[str, Any]) -> None:
        assert options["dtype"] == "int24"
        if options["samplerate"] not in interface.rates:
            raise PortAudioError("Error opening RawInputStream: Invalid sample rate [PaErrorCode -9997]")
        if interface.users:
            raise PortAudioError("Error opening RawInputStream: Device unavailable [PaErrorCode -9985]")
        interface.users.append(self)
        self.interface, self.channels, self.open = interface, options["channels"], True

    def start(self) -> None:
        """Begin."""

    def _check(self) -> None:
        if not self.open:
            raise PortAudioError("Invalid stream pointer [PaErrorCode -9988]")
        if self.interface.gone:
            raise PortAudioError(
                "Unanticipated host error [PaErrorCode -9999]: 'No such device' [ALSA error -19]"
            )

    @property
    def read_available(self) -> int:
        self._check()
        return self.interface.waiting

    def read(self, frames: int) -> tuple[bytes, bool]:
        self._check()
        numbers = self.interface.frame + np.arange(frames)
        self.interface.frame += frames
        overflow, self.interface.overflow = self.interface.overflow, False
        rows = [numbers * 256 * (1, -1)[channel % 2] for channel in range(self.channels)]
        wide = np.stack(rows, axis=1).astype("<i4").view(np.uint8).reshape(frames, self.channels, 4)
        return wide[:, :, :3].tobytes(), overflow

    def abort(self) -> None:
        self._check()

    def close(self) -> None:
        self.open = False
        if self in self.interface.users:
            self.interface.users.remove(self)
