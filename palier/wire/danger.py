"""How a gateway names its danger readings: the RMS velocity of one second, each half minute.

They are readings of the channel they were measured by, so that no plant has to list them: "2/x_v_rms" is the
velocity of the acceleration channel "2/x".
"""

from __future__ import annotations

from typing import Final

from palier.frames import check_name

SUFFIX: Final = "_v_rms"
VELOCITY_UNIT: Final = "mm/s"


def velocity_channel(point: str, channel: str) -> str:
    """The reading's name, "POINT/CHANNEL_v_rms". FrameError where the channel's is too long for it."""
    check_name(channel + SUFFIX)
    return f"{point}/{channel}{SUFFIX}"


def channel_of(reading: str) -> str | None:
    """The acceleration channel "POINT/CHANNEL" that a reading is the velocity of; None for any other."""
    point, _, name = reading.partition("/")
    return f"{point}/{name.removesuffix(SUFFIX)}" if name.endswith(SUFFIX) and name != SUFFIX else None
