"""What was learned of a machine in good health: the level of one feature and its limits, and of a housing's
temperature.

Read from the ingest's records, where the model in force stands; a page without them draws no band.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.detection.bands import feature_bands, standard_limits, zone_bands
from models.detection.housing import ALERT_K, DANGER_K, Housing
from models.detection.zones import LimitSet
from models.features.catalogue import NAMES
from palier.historian.records import RecordsReader

from .series import ChannelRef
from .snapshot import number

_MODEL: Final = "#model:"
_HOUSING: Final = "#housing:"

SPREADS: Final = 2.0
"""Half width of the band in standard deviations: where 19 of 20 healthy blocks lie."""


@dataclass(frozen=True, slots=True)
class BaselineBand:
    """A feature in good health: its median, the band where nearly all healthy blocks lie, and the limits that
    it alerts at and is dangerous at; None where they are not known."""

    level: float
    low: float | None = None
    high: float | None = None
    alert: float | None = None
    danger: float | None = None


@dataclass(frozen=True, slots=True)
class BaselineQuestion:
    """Which feature of which channel; `limits` are those of the point, where they are about this feature."""

    site: str
    machine: str
    ref: ChannelRef
    feature: str
    limits: LimitSet | None


def baseline_band(records: RecordsReader, asked: BaselineQuestion) -> BaselineBand | None:
    """The band of a feature by the newest model of its point, None where none was learned.

    Raises HistorianError.
    """
    versions = _versions(records, asked.site, f"{asked.machine}/{asked.ref.point}{_MODEL}")
    if not versions:
        return None
    return band_of(versions[max(versions)], asked.ref.channel, asked.feature, asked.limits)


def band_of(text: str, channel: str, feature: str, limits: LimitSet | None) -> BaselineBand | None:
    """The band of a feature by the text of a model; None where it does not know it, or can't be read."""
    from models.detection.plain import decode

    try:
        model = decode(text)
        channels, names = (model[name].tolist() for name in ("channels", "baseline.names"))
        level = number(model["levels"][channels.index(channel), NAMES.index(feature)])
    except (ValueError, KeyError, IndexError):
        return None
    if level is None:
        return None
    column = f"{channel}/{feature}"
    sigma = number(model["baseline.sigma"][names.index(column)]) if column in names else None
    if sigma is None:
        return BaselineBand(level)
    z, spread = float(model["baseline.z"]), float(np.exp(SPREADS * sigma))
    alert, danger = standard_limits(limits)
    bands = feature_bands(level, sigma, z)
    if not np.isnan(alert):
        bands = zone_bands(level, sigma, z, alert, danger)
    return BaselineBand(level, level / spread, level * spread, number(bands.alert), number(bands.danger))


@dataclass(frozen=True, slots=True)
class HousingLimits:
    """How much warmer than expected a housing alerts, and is in danger, and the spread of its model in good
    health: all in K, the spread None where no model was learned."""

    alert: float = ALERT_K
    danger: float = DANGER_K
    sigma_k: float | None = None


def housing_limits(records: RecordsReader, site: str, machine: str, point: str) -> HousingLimits:
    """The limits of a point's housing by what it learned beside the newest baseline; those of common practice
    where it learned nothing, or that can't be read. Raises HistorianError.
    """
    learned = _versions(records, site, f"{machine}/{point}{_HOUSING}")
    if not learned:
        return HousingLimits()
    models = _versions(records, site, f"{machine}/{point}{_MODEL}")
    newest = max(models, default=0)
    return limits_of(models.get(newest, ""), learned.get(newest, ""))


def limits_of(model: str, housing: str) -> HousingLimits:
    """The same by the texts of a model and of the housing beside it."""
    from models.detection.plain import decode, from_arrays

    try:
        found, z = from_arrays(Housing, decode(housing)), float(decode(model)["baseline.z"])
    except (ValueError, KeyError, TypeError):
        return HousingLimits()
    return HousingLimits(*found.limits(z), found.sigma_k)


def _versions(records: RecordsReader, site: str, prefix: str) -> dict[int, str]:
    """The texts of a key by their version."""
    found = records.states(site, prefix)
    return {int(v): text for (_, key), text in found.items() if (v := key.removeprefix(prefix)).isdigit()}
