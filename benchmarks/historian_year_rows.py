"""A simulated year of a plant as InfluxDB holds it: 90 days of rows as they came, a year of hours.

A block of each channel every ten minutes. Of the features only those are written that are named, and their
hours only of the velocity: what a query reads depends on its own fields, not on those beside them. A spectrum
and an envelope of each channel a day, of SPECTRA_OF machines. Values scatter by a tenth, as nothing real
compresses better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from palier.historian.base import Rows
from palier.historian.rows import HOUR_NS

from .historian_rows import SECOND_NS, SITE, machine

POINTS: Final = ("1", "2", "3")
CHANNELS: Final = ("H", "V", "A")
VELOCITY: Final = "velocity_rms_mm_s"
LIMITS: Final = "iso10816-7:cat2:over200kw"
RPM: Final = 1485.0
BLOCK_NS: Final = 600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS
SPECTRA_AT_NS: Final = 22 * HOUR_NS
"""When in a day spectra are kept: the newest ones within the last six hours."""

LINES: Final = 400
TOP_HZ: Final = 1000.0
TOGETHER: Final = 10
"""Machines in one `Rows`: some thousand rows."""

Column = npt.NDArray[np.generic] | Sequence[str | None]
Place = tuple[str, str, str]
"""(machine, point, channel)."""


class Extent(NamedTuple):
    """How much is made: machines, days as they came, days of hours, machines of which spectra are kept."""

    machines: int
    raw_days: int
    hourly_days: int
    spectra_of: int

    def told(self, fields: Sequence[str]) -> str:
        """What was made, for people."""
        return (
            f"{self.machines} machines of {len(POINTS)} points x {len(CHANNELS)} channels: a block every "
            f"{BLOCK_NS // (60 * SECOND_NS)} min for {self.raw_days} days ({len(fields)} of the features' "
            f"fields, readings, states, scores, health, diagnoses, lives, alarms), hours of velocity and "
            f"temperature for {self.hourly_days} "
            f"days, spectra once a day of {self.spectra_of} machines"
        )


def raw_day(
    extent: Extent, fields: Sequence[str], first_ns: int, random: np.random.Generator
) -> Iterator[Rows]:
    """All rows of a day from `first_ns` on."""
    times = first_ns + np.arange(0, DAY_NS, BLOCK_NS)
    for names in groups_of(extent.machines):
        channels = [(name, point, channel) for name in names for point in POINTS for channel in CHANNELS]
        values: dict[str, Column] = {name: scatter(random, len(channels) * len(times)) for name in fields}
        values["speed_rpm"] = np.full(len(channels) * len(times), RPM)
        values["zone"] = ["A"] * (len(channels) * len(times))
        yield rows_of("feature", channels, times, {**values, "frame": frames(len(channels), times)})
        slow = _slow(names)
        yield _readings(slow, times, random)
        places = [(name, point, "") for name in names for point in ("", *POINTS)]
        yield _states(places, times, random)
    for name in _names(0, extent.spectra_of):
        for of, kind in (("spectrum", "velocity_mm_s"), ("envelope", "envelope_m_s2")):
            yield _lines(of, kind, name, first_ns + SPECTRA_AT_NS, random)


def hours(extent: Extent, first_ns: int, n: int, random: np.random.Generator) -> Iterator[Rows]:
    """The hourly rows of `n` hours from `first_ns` on."""
    times = first_ns + np.arange(n) * HOUR_NS
    for names in groups_of(extent.machines):
        channels = [(name, point, channel) for name in names for point in POINTS for channel in CHANNELS]
        slow = _slow(names)
        for of, field, places, text in (
            ("feature", VELOCITY, channels, ("zone", "A")),
            ("reading", "value", slow, ("unit", "°C")),
        ):
            rows = len(places) * n
            mean = scatter(random, rows)
            fields: dict[str, Column] = {
                f"{field}_mean": mean,
                f"{field}_min": 0.9 * mean,
                f"{field}_max": 1.2 * mean,
                "blocks": np.full(rows, 6),
                text[0]: [text[1]] * rows,
            }
            yield rows_of(f"{of}_hourly", places, times, fields)


def _slow(names: Sequence[str]) -> list[Place]:
    """The temperatures of some machines: of each housing, and of the air at the first."""
    of_housings = [(name, point, "T") for name in names for point in POINTS]
    return [*of_housings, *((name, POINTS[0], "ambiante") for name in names)]


def _names(first: int, stop: int) -> list[str]:
    return [machine(i) for i in range(first, stop)]


def groups_of(machines: int) -> Iterator[list[str]]:
    """The names of so many machines, `TOGETHER` at a time."""
    for first in range(0, machines, TOGETHER):
        yield _names(first, min(first + TOGETHER, machines))


def rows_of(
    of: str, places: Sequence[Place], times: npt.NDArray[np.int64], fields: Mapping[str, Column]
) -> Rows:
    """Rows of these series, each at all of the times."""
    n = len(times)
    name, point, channel = ([place[k] for place in places for _ in range(n)] for k in range(3))
    return Rows(of, [SITE] * len(name), name, point, channel, np.tile(times, len(places)), fields)


def frames(series: int, times: npt.NDArray[np.int64]) -> list[str]:
    """The frames of these times, of several series one after the other."""
    made = [f"{SITE}/gw-1:0123456789abcdef:{ts // BLOCK_NS}" for ts in times.tolist()]
    return made * series


def scatter(random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """Values about 2.5 that scatter by a tenth."""
    return 2.5 * np.exp(0.1 * random.standard_normal(n))


def _readings(places: Sequence[Place], times: npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    n = len(places) * len(times)
    fields: dict[str, Column] = {
        "value": 20 * scatter(random, n),
        "unit": ["°C"] * n,
        "frame": frames(len(places), times),
    }
    return rows_of("reading", places, times, fields)


def _states(places: Sequence[Place], times: npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    n = len(places) * len(times)
    fields: dict[str, Column] = {
        "state": ["normal"] * n,
        "judged": ["normal"] * n,
        "learning": np.zeros(n, dtype=np.int64),
        "severity": np.ones(n, dtype=np.int64),
        "zone": ["A"] * n,
        "value": scatter(random, n),
        "limit_name": [LIMITS] * n,
        "frame": frames(len(places), times),
        "live": np.ones(n, dtype=np.int64),
    }
    return rows_of("state", places, times, fields)


def _lines(of: str, kind: str, name: str, ts_ns: int, random: np.random.Generator) -> Rows:
    """A spectrum of each channel of a machine at one time."""
    channels = [(name, point, channel) for point in POINTS for channel in CHANNELS]
    n = LINES * len(channels)
    fields: dict[str, Column] = {
        "line": np.tile(np.arange(LINES), len(channels)),
        "frequency_hz": np.tile(np.linspace(2.5, TOP_HZ, LINES), len(channels)),
        "amplitude": 0.1 * scatter(random, n),
        "kind": [kind] * n,
        "frame": [f"{SITE}/gw-1:0123456789abcdef:{ts_ns // BLOCK_NS}"] * n,
    }
    return rows_of(of, channels, np.full(LINES, ts_ns), fields)
