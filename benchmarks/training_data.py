"""What training is benched on: a plant's months drawn from a seed, and a fleet that is really simulated.

The drawn months have the shape of real ones (levels that follow speed and load, noise that lasts an hour,
nights at rest), which is all that the time of a fit depends on. Whether a fault is named is asked of the
simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.detection.context import Context
from models.features.catalogue import NAMES
from models.training.dataset import PointHistory
from models.training.gathering import features_of
from models.types import MachineSpec, Quantity
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.sqlite import SqliteHistorian
from palier.plant import Plant, load_plant
from simulators.fleet_blocks import Stretch, past_of
from simulators.fleet_plan import fleet

SITE: Final = "bench"
CHANNEL: Final = "H"
POINTS: Final = ("1", "2", "3")
BLOCK_S: Final = 600.0
END_S: Final = 1_793_577_600.0
DAY_S: Final = 86_400.0
LASTING_BLOCKS: Final = 6.0
"""Blocks over which noise forgets itself: an hour."""

NOISE: Final = 0.08
REST_H: Final = (2.0, 3.0)
"""Hours of the day at rest."""

_MACHINE: Final = """
[[machine]]
id = "{id}"
name = "{id}"
kind = "motor"
criticality = "B"
power_kw = 90.0
speed = {{ source = "frame", rpm = 1485 }}
limits = "iso20816-3:g2:rigid"
"""
_POINT: Final = """
[[machine.point]]
id = "{id}"
bearing = "6309"

[[machine.point.channel]]
id = "H"
quantity = "acceleration"
unit = "m/s²"
direction = "H"
fs_hz = 25600
samples = 102400
"""


class Months(NamedTuple):
    """How much is drawn: machines of three points, and days of blocks every ten minutes."""

    machines: int
    days: int

    @property
    def blocks(self) -> int:
        """Of one point."""
        return round(self.days * DAY_S / BLOCK_S)

    @property
    def points(self) -> int:
        """Of all machines."""
        return self.machines * len(POINTS)


class Drawn(NamedTuple):
    """The blocks of a point: `x` (m, channels x features), times, speed (r/min) and load (%)."""

    channels: tuple[str, ...]
    features: tuple[str, ...]
    time_s: npt.NDArray[np.float64]
    x: npt.NDArray[np.float32]
    speed_rpm: npt.NDArray[np.float64]
    load_percent: npt.NDArray[np.float64]


def plant_text(months: Months) -> str:
    """Its plant.toml."""
    parts = [f'[site]\nid = "{SITE}"\nname = "Bench"\ntimezone = "UTC"\n']
    for k in range(months.machines):
        parts.append(_MACHINE.format(id=machine_id(k)))
        parts += [_POINT.format(id=point) for point in POINTS]
    return "".join(parts)


def machine_id(k: int) -> str:
    """The k-th machine."""
    return f"M-{k + 1:03}"


def draw(machine: MachineSpec, point: int, months: Months) -> Drawn:
    """The past of a point, the same for the same machine and point."""
    rng = np.random.default_rng([*machine.id.encode(), point])
    features = features_of(machine, machine.points[point])
    channels = tuple(c.id for c in machine.points[point].channels if c.quantity is Quantity.ACCELERATION)
    m, c = months.blocks, len(channels) * len(features)
    time_s = END_S - BLOCK_S * np.arange(m, 0, -1, dtype=np.float64)
    hour = time_s / 3600 % 24
    load = 70 + 15 * np.sin(2 * np.pi * hour / 24) + 4 * rng.standard_normal(m)
    at_rest = (hour >= REST_H[0]) & (hour < REST_H[1])
    speed_rpm = np.where(at_rest, 0.0, 1485 * (1 - 0.01 * (load - 70) / 30))
    sound = np.log([max(_sound()[name], 1e-3) for name in features])
    y = np.tile(sound, len(channels)) + 0.4 * np.log(load / 70)[:, None] + _lasting(rng, m, c)
    y[at_rest] -= 5
    return Drawn(channels, features, time_s, np.exp(y).astype(np.float32), speed_rpm, load)


@lru_cache(maxsize=1)
def _sound() -> Mapping[str, float]:
    """Features of a pump in good order: levels that a sensor could give, for one that lies is refused."""
    pump = fleet(1, seed=1, start_s=0.0, end_s=DAY_S).members[0]
    past = past_of(Stretch(pump, DAY_S / 4, DAY_S / 2, DAY_S / 4))
    return dict(zip(NAMES, np.nan_to_num(past.features[0], nan=1.0).tolist(), strict=True))


def history_of(machine: MachineSpec, point: int, months: Months, *, site: str = SITE) -> PointHistory:
    """The same, as training takes it."""
    drawn = draw(machine, point, months)
    columns = tuple(f"{channel}/{name}" for channel in drawn.channels for name in drawn.features)
    context = Context(
        drawn.time_s, drawn.speed_rpm / 60, load=drawn.load_percent, running=drawn.speed_rpm > 0
    )
    return PointHistory(
        *(site, machine.id, machine.points[point].id, machine.kind),
        *(columns, ("1",) * len(columns)),
        drawn.x.astype(np.float64),
        context,
        25_600.0,
        102_400,
    )


def write_months(folder: Path, months: Months) -> Plant:
    """A data folder with all of it, as an ingest leaves it: the features that are watched, and states."""
    data = DataFolder(folder).create()
    (folder / "plant.toml").write_text(plant_text(months), "utf-8")
    plant = load_plant(folder / "plant.toml")
    Records(data.records).close()
    historian = SqliteHistorian(data.historian)
    try:
        for machine in plant.machines:
            for point in range(len(POINTS)):
                historian.write(list(_rows(machine, point, months)))
    finally:
        historian.close()
    return plant


def _rows(machine: MachineSpec, point: int, months: Months) -> Iterator[Rows]:
    drawn, m = draw(machine, point, months), months.blocks
    ts_ns = (drawn.time_s * 1e9).astype(np.int64)
    frames = [f"{SITE}/gw:00000000000000be:{k}" for k in range(m)]
    place = ([SITE] * m, [machine.id] * m, [machine.points[point].id] * m)
    fields: dict[str, npt.NDArray[np.generic] | list[str | None]] = {
        name: drawn.x[:, i] for i, name in enumerate(drawn.features)
    }
    fields["longest_hold"] = np.zeros(m)  # without it nobody can tell whether samples were numbers
    fields |= {"speed_rpm": drawn.speed_rpm, "load_percent": drawn.load_percent, "frame": [*frames]}
    yield Rows("feature", *place, [CHANNEL] * m, ts_ns, fields)
    said = ["stopped" if rpm == 0 else "normal" for rpm in drawn.speed_rpm.tolist()]
    yield Rows("state", *place, [""] * m, ts_ns, {"state": said, "frame": frames})


def _lasting(rng: np.random.Generator, m: int, c: int) -> npt.NDArray[np.float64]:
    """Noise (m, c) whose autocorrelation falls to 1/e in LASTING_BLOCKS."""
    from scipy.signal import lfilter

    keep = np.exp(-1 / LASTING_BLOCKS)
    white = rng.standard_normal((m, c)) * np.sqrt(1 - keep**2)
    return np.asarray(NOISE * lfilter([1.0], [1.0, -keep], white, axis=0))
