"""Rows, frames and batches for tests of what keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from palier.frames import FrameId, Waveform
from palier.historian.base import Rows

SITE = "usine"
SECOND = 10**9

Columns = Mapping[str, npt.NDArray[np.generic] | Sequence[str | None]]


def rows(
    measurement: str,
    ts_ns: Sequence[int],
    fields: Columns,
    *,
    site: str = SITE,
    machine: str = "pompe-1",
    point: str = "palier-1",
    channel: str = "x",
) -> Rows:
    """Rows of one series."""
    n = len(ts_ns)
    return Rows(
        measurement,
        [site] * n,
        [machine] * n,
        [point] * n,
        [channel] * n,
        np.array(ts_ns, dtype=np.int64),
        fields,
    )


def readings(
    ts_ns: Sequence[int],
    values: Sequence[float],
    *,
    frame: str | None = "usine/gw:e:1",
    machine: str = "pompe-1",
    point: str = "palier-1",
    channel: str = "x",
    site: str = SITE,
) -> Rows:
    """Rows of `reading`, all of one frame."""
    n = len(ts_ns)
    columns: Columns = {"value": np.array(values, dtype=np.float64), "unit": ["°C"] * n, "frame": [frame] * n}
    return rows("reading", ts_ns, columns, site=site, machine=machine, point=point, channel=channel)


def frame_id(seq: int, *, edge: str = "usine/gw-1", epoch: str = "0123456789abcdef") -> FrameId:
    """The identity of a frame of one gateway's outbox."""
    return FrameId(edge, epoch, seq)


def waveform(start_ns: int = 0, *, n: int = 64, value: int = 1, point: str = "palier-1") -> Waveform:
    """A small block of one channel."""
    samples = np.full((1, n), value, dtype="<i2")
    return Waveform("pompe-1", point, ("x",), samples, (0.01,), ("m/s2",), 25_600.0, start_ns)
