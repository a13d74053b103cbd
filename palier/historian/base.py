"""What a historian is. Two implementations stand behind it (SQLite here, InfluxDB in production); one
contract suite in the tests runs over both.

Rows are columnar: a batch is one `Rows` per measurement, never an object per row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt


class HistorianError(Exception):
    """Something is wrong with the store. Split by who acts: see the subclasses."""


class Unavailable(HistorianError):
    """The store can't be reached or is full: try the same write again later, nothing is lost."""


class SchemaError(HistorianError):
    """The store, or what is asked of it, is not of this version's schema: a person must act."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one measurement. All columns have the same length n.

    `point` and `channel` are "" where the measurement is of a whole machine. `ts_ns` is ns since 1970 UTC.
    `fields` maps a field name of `schema.py` to its column: float64 (NaN = not known), int64, or str | None.
    """

    measurement: str
    site: Sequence[str]
    machine: Sequence[str]
    point: Sequence[str]
    channel: Sequence[str]
    ts_ns: npt.NDArray[np.int64]
    fields: Mapping[str, npt.NDArray[np.generic] | Sequence[str | None]]

    def __len__(self) -> int:
        return len(self.ts_ns)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its index in the `Rows`, and the reason (a key: "conflict", "type", ...)."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a write. A bad row never blocks good ones."""

    accepted: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An answer, in order of time: tags and fields as columns of equal length; NaN or None = not known."""

    ts_ns: npt.NDArray[np.int64]
    machine: tuple[str, ...]
    point: tuple[str, ...]
    channel: tuple[str, ...]
    columns: Mapping[str, npt.NDArray[np.generic] | tuple[str | None, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts_ns)


class Historian(Protocol):
    """Series by (site, machine, point, channel, time)."""

    def write(self, batch: Sequence[Rows]) -> list[WriteReport]:
        """Store all rows durably; one report per `Rows`. The same rows again change nothing.

        A row whose key is already held by another frame (field `frame`) is rejected as "conflict"; features
        alone give way to their block's own samples, and behind them are "superseded" (see `holding`).
        Raises Unavailable (nothing of the batch may be relied upon: write it again) or SchemaError.
        """
        ...

    def read(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        site: str,
        machine: str | None = None,
        point: str | None = None,
        channel: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        newest: int | None = None,
    ) -> Table:
        """Rows with start <= ts < end, in order of time; `newest` keeps only the last so many rows."""
        ...

    def latest(self, measurement: str, fields: Sequence[str], *, site: str) -> Table:
        """The newest row of each (machine, point, channel) of a site."""
        ...

    def trend(
        self,
        measurement: str,
        field: str,
        *,
        site: str,
        machine: str,
        point: str,
        channel: str,
        start_ns: int,
        end_ns: int,
        buckets: int,
    ) -> Table:
        """At most `buckets` rows: "mean", "min", "max" at the start of each bucket that is not empty."""
        ...

    def sites(self) -> tuple[str, ...]:
        """The sites that have any row."""
        ...

    def expire(self, now_ns: int) -> int:
        """Delete some of the rows that are older than their measurement is kept; how many went.

        A bounded step, so that writes need not wait: call it until it is 0, then nothing is left to delete.
        `now_ns` is the plant clock's. Where the server does it by itself this is 0 at once.
        Raises Unavailable or SchemaError.
        """
        ...

    def close(self) -> None:
        """Let go of the store. Closing twice is allowed."""
        ...
