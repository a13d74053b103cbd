"""The machines that hang on this gateway, as they are told at birth."""

from __future__ import annotations

from collections.abc import Iterable

from palier.frames import Features, Frame, Waveform
from palier.source import ChannelBirth, Device


def merge_devices(devices: Iterable[Device]) -> dict[str, Device]:
    """By machine; several sources may each know some channels of one, the first to name a channel wins."""
    merged: dict[str, Device] = {}
    for device in devices:
        before = merged.get(device.machine, Device(device.machine, ()))
        known = {channel.name for channel in before.channels}
        new = tuple(channel for channel in device.channels if channel.name not in known)
        merged[device.machine] = Device(device.machine, (*before.channels, *new))
    return merged


class Devices:
    """What the link announces. `known` is the link's own; `change` may be called from any thread."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.known = merge_devices(devices)
        self._next: dict[str, Device] | None = None

    def change(self, devices: Iterable[Device]) -> None:
        """Other machines hang on the gateway: the next births tell it."""
        self._next = merge_devices(devices)

    def take_over(self) -> tuple[Device, ...]:
        """Know them from now on; the machines that left."""
        new, self._next = self._next, None
        if new is None:
            return ()
        gone = tuple(device for machine, device in self.known.items() if machine not in new)
        self.known = new
        return gone


def device_of(frame: Frame) -> Device:
    """What a frame itself tells of its machine."""
    if isinstance(frame, Waveform):
        channels = tuple(
            ChannelBirth(f"{frame.point}/{name}", unit, frame.samples.dtype.name, scale, frame.fs_hz)
            for name, unit, scale in zip(frame.channels, frame.unit, frame.scale, strict=True)
        )
    elif isinstance(frame, Features):
        channels = tuple(
            ChannelBirth(f"{frame.point}/{name}", unit, "float32", 1.0, frame.fs_hz)
            for name, unit in zip(frame.channels, frame.unit, strict=True)
        )
    else:
        channels = tuple(
            ChannelBirth(name, unit, "float64") for name, unit in zip(frame.channels, frame.unit, strict=True)
        )
    return Device(frame.machine, channels)
