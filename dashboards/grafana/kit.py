"""What a dashboard is built from: words, limits, bearings, and the address of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.detection.zones import LimitSet
from models.types import Bearing

from . import variables as v
from .board import uid
from .words import Words


@dataclass(frozen=True)
class Kit:
    """What all dashboards of one build share."""

    words: Words
    limits: Mapping[str, LimitSet]
    bearings: Mapping[str, Bearing]
    console_url: str = v.CONSOLE_URL

    def of_quantity(self, prefix: str) -> list[LimitSet]:
        """The limit sets of a quantity ("velocity_", "temperature_c"), in the order of their files."""
        return [one for one in self.limits.values() if one.quantity.startswith(prefix)]

    def to_machine(self, machine: str, site: str) -> str:
        """The address of the machine dashboard; the names may be Grafana's expressions."""
        chosen = f"var-site={site}&var-machine={machine}"
        return f"/d/{uid('machine', self.words)}?{chosen}&${{__url_time_range}}"

    def to_page(self, machine: str) -> str:
        """The address of a machine on the page."""
        return f"${{console}}/machine/{machine}?lang={self.words.lang}"

    def to_alarm(self, alarm: str) -> str:
        """The address of an alarm on the page, where it is acknowledged."""
        return f"${{console}}/alarm/{alarm}?lang={self.words.lang}"
