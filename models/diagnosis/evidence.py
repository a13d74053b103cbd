"""What the judgement sees of a machine: features of all channels and points over the last blocks, and around.

Everything is plain arrays over the same blocks, oldest first, and every unknown is NaN: a feature that could
not be measured, a ratio while the baseline is learning, a speed that nobody knows. A single record is
`Evidence` of one block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from models.detection.housing import ALERT_K, DANGER_K
from models.detection.zones import LimitSet
from models.types import Refusal, State

from .types import EvidenceItem, Fault

Floats = npt.NDArray[np.float64]
Series = Mapping[str, Floats]
"""Values (n_blocks,) by the name of their feature."""

NO_SERIES: Final[Series] = MappingProxyType({})
NO_NUMBERS: Final[Mapping[str, float]] = MappingProxyType({})


class Finding(Protocol):
    """What the bearing rule says of one block: a fault or None, how sure, and why."""

    @property
    def fault(self) -> Fault | None:
        """The fault that is named, None where none is."""

    @property
    def confidence(self) -> float:
        """How sure it is, 0..1."""

    @property
    def evidence(self) -> tuple[EvidenceItem, ...]:
        """What says so."""

    @property
    def not_separated(self) -> tuple[Fault, ...]:
        """Faults that would look the same."""


@dataclass(frozen=True, slots=True, eq=False)
class ChannelEvidence:
    """One channel of vibration. `direction` is "H", "V", "A", or "" where nobody said.

    `features` and `ratios` (to the baseline in the same regime; 1 as learned) are (n_blocks,) by catalogue
    name. `alert_ratios` are the ratios from which detection calls a feature abnormal, 2 where it is not told.
    `doubling_days` is the doubling time of a feature's significant rise, absent or NaN where there is none.
    `limits` are those of the velocity, None where no standard applies. `doubts` lower the trust in it all.
    """

    id: str
    direction: str = ""
    features: Series = field(default_factory=lambda: NO_SERIES)
    ratios: Series = field(default_factory=lambda: NO_SERIES)
    alert_ratios: Mapping[str, float] = field(default_factory=lambda: NO_NUMBERS)
    doubling_days: Mapping[str, float] = field(default_factory=lambda: NO_NUMBERS)
    limits: LimitSet | None = None
    doubts: tuple[Refusal, ...] = ()

    @classmethod
    def of_table(
        cls,
        channel: str,
        names: Sequence[str],
        table: npt.ArrayLike,
        *,
        direction: str = "",
        expected: npt.ArrayLike | None = None,
        limits: LimitSet | None = None,
        doubts: tuple[Refusal, ...] = (),
    ) -> ChannelEvidence:
        """From a table (n_blocks, n_features) as the extractor gives it.

        `expected` ((n_features,) or the table's shape) is what the baseline expects, NaN while learning.
        Raises ValueError where the shapes do not fit.
        """
        values = np.asarray(table, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ValueError(f"the table must be (n_blocks, {len(names)}), got {values.shape}")
        ratios: Series = NO_SERIES
        if expected is not None:
            level = np.broadcast_to(np.asarray(expected, dtype=np.float64), values.shape)
            with np.errstate(divide="ignore", invalid="ignore"):
                quotient = np.where(level > 0, values / level, np.nan)
            ratios = {name: quotient[:, i] for i, name in enumerate(names)}
        features = {name: values[:, i] for i, name in enumerate(names)}
        return cls(channel, direction, features, ratios, limits=limits, doubts=doubts)


@dataclass(frozen=True, slots=True, eq=False)
class PointEvidence:
    """One point of measurement: its channels, its temperature and what the bearing rule said, block by block.

    `temperature_c`, `rise_k` (over ambient) and `residual_k` (what load, speed and ambient don't explain) are
    (n_blocks,) or None. `temperature_limits` and `rise_limits` judge the first two, `residual_limits` (K,
    alert and danger: by default common practice) the last. `findings` is of the last blocks, newest last: a
    block that the bearing rule could not judge has its Refusal.
    """

    id: str
    channels: tuple[ChannelEvidence, ...] = ()
    temperature_c: Floats | None = None
    rise_k: Floats | None = None
    residual_k: Floats | None = None
    temperature_limits: LimitSet | None = None
    rise_limits: LimitSet | None = None
    residual_limits: tuple[float, float] = (ALERT_K, DANGER_K)
    findings: tuple[Finding | Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """What people did, as hours on the clock of `Evidence.hours`; NaN where nobody said that they did it."""

    greased_h: float = np.nan
    tool_changed_h: float = np.nan
    tightened_h: float = np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All of it. Arrays are (n_blocks,), oldest first.

    `hours` is when each block was taken (any origin, rising). `speed_hz` is the machine's speed, NaN where
    unknown, `speed_sigma_hz` its standard deviation where it was estimated, `load` in percent. `regime` is
    STOPPED or TRANSIENT where detection says so, anything else means running or not known.
    Raises ValueError where an array has another length.
    """

    points: tuple[PointEvidence, ...]
    n_blocks: int
    hours: Floats | None = None
    speed_hz: Floats | None = None
    speed_sigma_hz: Floats | None = None
    load: Floats | None = None
    regime: State | None = None
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        """Refuse arrays of another length: blocks would be compared with other blocks."""
        if self.n_blocks < 1:
            raise ValueError(f"n_blocks must be 1 or more, got {self.n_blocks}")
        for name, array in self._arrays():
            if array is not None and np.shape(array) != (self.n_blocks,):
                raise ValueError(
                    f"{name} must be ({self.n_blocks},), one of each block, got {np.shape(array)}"
                )

    def _arrays(self) -> list[tuple[str, Floats | None]]:
        own = ("hours", "speed_hz", "speed_sigma_hz", "load")
        arrays: list[tuple[str, Floats | None]] = [(name, getattr(self, name)) for name in own]
        for point in self.points:
            slow = ("temperature_c", "rise_k", "residual_k")
            arrays += [(f"{name} of {point.id}", getattr(point, name)) for name in slow]
            for channel in point.channels:
                arrays += [(f"{name} of {point.id}/{channel.id}", a) for name, a in channel.features.items()]
                arrays += [(f"ratio of {name}", a) for name, a in channel.ratios.items()]
        return arrays
