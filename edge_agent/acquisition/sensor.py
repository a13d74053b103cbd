"""What a plan must know of the sensor whose samples it cuts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MM_S_PER: Final = {"m/s²": 1000.0, "g": 9806.65}
"""Of the integral over 1 s of one unit: what brings an acceleration's integral to mm/s (g: CGPM 1901)."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One point's channels, sampled together: x = samples * scale in `unit`, "m/s²" or "g".

    `channels` are names as in a frame ("x"); `dtype` is int16, int32 or float32; `full_scale` is the end of
    the range in `unit`, one for each channel or one for all, None where only the type ends it.
    """

    machine: str
    point: str
    channels: tuple[str, ...]
    fs_hz: float
    scale: tuple[float, ...]
    unit: str = "g"
    dtype: str = "int16"
    full_scale: float | tuple[float, ...] | None = None

    @property
    def ends(self) -> tuple[float, ...] | None:
        """The end of each channel's range in `unit`."""
        return ends_of(self.full_scale, len(self.channels))


def ends_of(full_scale: float | tuple[float, ...] | None, n_channels: int) -> tuple[float, ...] | None:
    """One for each channel of what is told for each, or for all."""
    return (full_scale,) * n_channels if isinstance(full_scale, int | float) else full_scale
