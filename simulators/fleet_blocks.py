"""The blocks of a simulated machine over months, straight to the features that an ingest would have stored.

No agent and no broker: the samples go from the simulated sensor into the extractor of the ingest, with the
same scale, speed, orders and kinematics. What this leaves out is what these parts do to frames: loss, delay,
duplicates, and refusals of a sensor at fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from models.features import Extractor
from models.features.kinematics import Kinematics
from models.types import Quantity

from .fleet_plan import FS_HZ, SAMPLES, Member
from .machines.machine import Machine

AT_ONCE: Final = 32
"""Blocks in one call of the extractor: what they take stays in a cache of some MB."""

UNIT: Final = "m/s²"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be simulated of a machine: blocks that end every `every_s` seconds after `start_s`, up to
    `end_s`.
    """

    member: Member
    start_s: float
    end_s: float
    every_s: float

    @property
    def ends_s(self) -> npt.NDArray[np.float64]:
        """Ends of the acquisitions (m,)."""
        count = int((self.end_s - self.start_s) // self.every_s)
        return self.start_s + self.every_s * np.arange(1, count + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """m blocks of a machine's point: `ts_ns` of their first sample, `features` (m, n_features) of the
    catalogue, `speed_rpm`, `load_percent`, `temperature_c` (m,) at their end.
    """

    machine: str
    ts_ns: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    speed_rpm: npt.NDArray[np.float64]
    load_percent: npt.NDArray[np.float64]
    temperature_c: npt.NDArray[np.float64]


def past_of(stretch: Stretch) -> Past:
    """The blocks of a machine. A function of its argument alone, so that any process may make it."""
    member, ends_s = stretch.member, stretch.ends_s
    m = len(ends_s)
    features = np.empty((m, len(_extractor().names)), dtype=np.float32)
    speed_rpm, load, warm = np.empty(m), np.empty(m), np.empty(m)
    before, after = member.machine_at(-np.inf), member.machine_at(np.inf)
    changed_s = np.inf if member.story.changed_s is None else member.story.changed_s
    point = member.spec.points[0]
    samples = np.empty((AT_ONCE, SAMPLES), dtype=np.int16)
    for first in range(0, m, AT_ONCE):
        some = slice(first, min(first + AT_ONCE, m))
        for k, end_s in enumerate(ends_s[some].tolist()):
            machine = after if end_s >= changed_s else before
            block = machine.acquire(point, SAMPLES, FS_HZ, end_s)
            samples[k] = block.samples[0]
            speed_rpm[first + k], load[first + k] = block.speed_rpm, block.load_percent
            warm[first + k] = machine.read(point, Quantity.TEMPERATURE, end_s)
        features[some] = _features(before, samples[: some.stop - first], speed_rpm[some] / 60)
    ts_ns = np.round((ends_s - SAMPLES / FS_HZ) * 1e9).astype(np.int64)
    return Past(member.spec.id, ts_ns, features, speed_rpm, load, warm)


@lru_cache(maxsize=1)
def _extractor() -> Extractor:
    return Extractor(FS_HZ, SAMPLES, compiled=False)  # as in the ingest


def _features(
    machine: Machine, samples: npt.NDArray[np.int16], shaft_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    spec = machine.spec
    point = spec.points[0]
    vanes = None if spec.impeller is None else spec.impeller.vane_order / point.shaft_order
    orders = point.bearing.orders if point.bearing else (np.nan,) * 4
    return _extractor().extract(
        samples,
        machine.sensor.scale(UNIT),
        speed_hz=np.where(shaft_hz > 0, shaft_hz, np.nan),  # at rest there is no order to look at
        orders=np.tile(orders, (len(samples), 1)),
        kinematics=Kinematics(vane_order=vanes),
    )
