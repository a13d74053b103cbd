"""What an agent samples from. Sources are found by the entry points of the group `palier.sources`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from .clock import PlantClock
from .frames import Frame, Readings

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


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a machine now, from the host and from other sources of the gateway.

    `limits` holds danger limits of "POINT/CHANNEL", velocity RMS in mm/s; `attention` is set while the host
    has an alert or danger standing on it; `speed_rpm` is None while unknown.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    attention: bool = False
    speed_rpm: float | None = None


@runtime_checkable
class HeedingSource(Source, Protocol):
    """A source that samples by what the host says: `heed` is called once, before `frames`."""

    def heed(self, told: Callable[[str], Standing]) -> None:
        """`told` gives a machine's standing at any moment, from any thread."""
        ...


@runtime_checkable
class TellingSource(Source, Protocol):
    """A source that hears values more often than it yields them: `tell` is called once, before `frames`.

    What it hears belongs to the blocks that others sample meanwhile (the speed of their machine), as soon as
    it is heard; what it yields is kept and sent.
    """

    def tell(self, told: Callable[[Readings], None]) -> None:
        """`told` takes what was heard at once, from the thread that runs `frames` or another."""
        ...


@runtime_checkable
class SelfMendingSource(Source, Protocol):
    """A source that connects again by itself, and says meanwhile what is wrong, for the agent's health."""

    @property
    def problem(self) -> str:
        """What keeps it from giving values now, a sentence; empty while it gives them."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a human should know and may have to mend, a sentence each."""
        ...


@runtime_checkable
class LivelySource(Source, Protocol):
    """A source that hears its sensor many times a second, though it yields a block now and then."""

    @property
    def beat_s(self) -> float | None:
        """The `time.monotonic` second at which it last heard it; None before it was opened."""
        ...


@runtime_checkable
class TriedSource(Source, Protocol):
    """A source that opens its device in `frames` only, and can be tried before."""

    def attempt(self) -> None:
        """Find the device, test it, let it go. Raises OSError with a sentence."""
        ...


OpenSource = Callable[[Mapping[str, object], PlantClock], Source]
"""An entry point: takes the source's table of agent.toml and the plant clock; ValueError with a sentence, or
TableError (`palier.table_mistakes`) with one for each mistake."""
