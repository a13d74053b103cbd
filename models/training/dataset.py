"""What a model is trained on: the blocks of one point, in order of time, and what people said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detection.context import Context
from models.features.gate import DoubleArray

HEALTHY: Final = "none"
"""The fault of a label that says: nothing was wrong."""


@dataclass(frozen=True, slots=True)
class Label:
    """What was said of a point from `start_s` on, and before `end_s` (seconds since 1970 UTC).

    `fault` is a key of `models.diagnosis.faults`, or HEALTHY; `source` who said it: "verdict" (of an alarm),
    "work_order" (what was found when the machine was opened), "truth" (a simulation). Raises ValueError for a
    stretch that has no length.
    """

    start_s: float
    end_s: float
    fault: str
    source: str

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"a label must end after it starts, got {self.start_s} to {self.end_s}")


@dataclass(frozen=True, slots=True)
class Work:
    """What was done to a machine at `at_s` (seconds since 1970 UTC): at a `point`, "" for the machine; `kind`
    is one of `palier.operations`, "" where nobody said.
    """

    at_s: float
    point: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PointHistory:
    """The blocks of a point: m of them, in order of `context.time_s` (seconds since 1970 UTC).

    `kind` is the machine's; `names` of the columns, "channel/feature", with `units` (c each); `x` (m, c)
    values, NaN where unknown or not to be believed; `fs_hz` and `n_samples` of the blocks, 0 where they
    differ. `context` tells speed, load, what ran, what was in alarm and what was done. `watched` are the
    columns that the live detector judges, in its order; empty where nobody said, and then all of them. `work`
    is what was done to the machine; where it is empty, `context.interventions_s` is work that nobody told
    more of. Raises ValueError for shapes that do not fit, and for watched columns that are not there.
    """

    site: str
    machine: str
    point: str
    kind: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    x: DoubleArray
    context: Context
    fs_hz: float = 0.0
    n_samples: int = 0
    labels: tuple[Label, ...] = ()
    watched: tuple[str, ...] = ()
    work: tuple[Work, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.context.time_s), len(self.names))
        if np.shape(self.x) != shape:
            raise ValueError(f"x must be of shape {shape}, blocks by columns, got {np.shape(self.x)}")
        if len(self.units) != len(self.names):
            raise ValueError(f"units must be {len(self.names)}, one a column, got {len(self.units)}")
        if not set(self.watched) <= set(self.names):
            raise ValueError(f"watched must be columns, got {sorted(set(self.watched) - set(self.names))}")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def place(self) -> tuple[str, str, str]:
        """(site, machine, point)."""
        return self.site, self.machine, self.point

    @property
    def time_s(self) -> DoubleArray:
        """When the blocks were measured (m,)."""
        return self.context.time_s

    @property
    def judged(self) -> tuple[str, ...]:
        """The columns that detectors are fitted on."""
        return self.watched or self.names

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of the columns that detectors are fitted on, in their order."""
        return tuple(dict.fromkeys(name.rpartition("/")[0] for name in self.judged))

    def digest(self) -> str:
        """The SHA-256 of everything that is said here, in hex: the same data, the same digest."""
        said = hashlib.sha256(repr((self.place, self.kind, self.names, self.units, self.watched)).encode())
        said.update(repr((self.fs_hz, self.n_samples, self.labels)).encode())
        said.update(np.ascontiguousarray(self.x, dtype="<f8").tobytes())
        for one in fields(Context):
            value = np.asarray(getattr(self.context, one.name))
            little = value.astype("<f8" if value.dtype.kind == "f" else "<i8")
            said.update(f"{one.name}{little.shape}".encode() + little.tobytes())
        return said.hexdigest()

    def rows(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> PointHistory:
        """Some of the blocks, in their order; interventions and labels stay as they are."""
        chosen = {
            one.name: getattr(self.context, one.name)[which]
            for one in fields(Context)
            if one.name not in ("interventions_s", "cycles")
        }
        return replace(self, x=self.x[which], context=replace(self.context, **chosen))

    def between(self, start_s: float, end_s: float) -> PointHistory:
        """The blocks from `start_s` on, and before `end_s`."""
        return self.rows((self.time_s >= start_s) & (self.time_s < end_s))

    def columns(self, names: Sequence[str]) -> PointHistory:
        """These columns, in this order. Raises ValueError for one that is not there."""
        absent = [name for name in names if name not in self.names]
        if absent:
            raise ValueError(f"{'/'.join(self.place)} has no columns {absent}; it has {list(self.names)}")
        places = [self.names.index(name) for name in names]
        units = tuple(self.units[i] for i in places)
        watched = tuple(name for name in self.watched if name in names)
        return replace(self, names=tuple(names), units=units, x=self.x[:, places], watched=watched)

    def faults(self, default: str = "") -> npt.NDArray[np.str_]:
        """What each block (m,) is labelled, `default` where nobody said anything; later labels win."""
        longest = max(len(fault) for fault in (default, *(label.fault for label in self.labels), " "))
        said = np.full(len(self), default, dtype=f"<U{longest}")
        for label in self.labels:
            said[(self.time_s >= label.start_s) & (self.time_s < label.end_s)] = label.fault
        return said
