"""`palier grafana build`: the dashboards of one language as canonical JSON, by file name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.detection.zones import LimitSet
from models.types import Bearing
from palier.limits import load_bearings, load_limits

from .alarms import alarms
from .gateways import gateways
from .kit import Kit
from .learning import learning
from .machine import machine
from .overview import overview
from .variables import CONSOLE_URL
from .words import Words

DASHBOARDS: Final = {
    "overview.json": overview,
    "machine.json": machine,
    "alarms.json": alarms,
    "gateways.json": gateways,
    "models.json": learning,
}
"""What is built, by file name."""


def build(
    lang: str,
    *,
    limits: Mapping[str, LimitSet] | None = None,
    bearings: Mapping[str, Bearing] | None = None,
    console_url: str = CONSOLE_URL,
) -> dict[str, bytes]:
    """All dashboards in "fr" or "en": file name to classic JSON, the same bytes for the same arguments.

    `limits` and `bearings` are those that ship, unless a plant brings its own; `console_url` is the page's
    address as a browser sees it. Raises ValueError for another language.
    """
    kit = Kit(
        Words(lang),
        load_limits() if limits is None else limits,
        load_bearings() if bearings is None else bearings,
        console_url.rstrip("/"),
    )
    return {name: make(kit).to_json() for name, make in DASHBOARDS.items()}
