"""What an agent samples from. Sources are found by the entry points of the group `palier.sources`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from .clock import PlantClock
from .frames import Frame

ENTRY_POINT_GROUP = "palier.sources"


@dataclass(frozen=True, slots=True)
class ChannelBirth:
    """What a gateway knows of a channel and tells at birth; `name` is "POINT/CHANNEL".

    `dtype` is a numpy name ("int16", "int32", "float32", "float64"); `fs_hz` is None for readings.
    """

    name: str
    unit: str
    dtype: str
    scale: float = 1.0
    fs_hz: float | None = None
    full_scale: float | None = None
    mounting: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A machine as it hangs on the gateway."""

    machine: str
    channels: tuple[ChannelBirth, ...]


class Source(Protocol):
    """Yields frames as they are acquired."""

    def devices(self) -> tuple[Device, ...]:
        """What to announce at birth; called once, before `frames`."""
        ...

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames in the order of acquisition, each yielded when its last sample is there.

        Waits on `stop` (never sleeps past it) and returns soon after it is set, or when there is no more.
        """
        ...


@runtime_checkable
class PatientSource(Source, Protocol):
    """A source whose frames lie in a store and can wait: a logger's card, an import, a simulated past.

    The agent takes the next one only while few frames wait for the host: the outbox keeps its room for what
    is sampled now, and a past that is yielded newest first arrives in that order.
    """

    patient: Literal[True]


OpenSource = Callable[[Mapping[str, object], PlantClock], Source]
"""An entry point: takes the source's table of agent.toml and the plant clock; ValueError with a sentence."""
