"""What the training mode says in words: machines, faults, truth. Templates see it as `t`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from models.detection.zones import LimitSet
from models.types import BEARING_DEFECTS, Bearing, MachineSpec, Refusal
from palier.training import NOTHING, SENSOR, Wrong

from .words import Words


class TrainingWords:
    """The sentences of one language."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def t(self, key: str, **params: object) -> str:
        """The text of a key of the table `training`."""
        return self._words.text(f"training.{key}", **params)

    def fault(self, name: str) -> str:
        """What a pupil can name."""
        return self.t(f"fault_{name}") if name in (SENSOR, NOTHING) else self._words.text(f"fault.{name}")

    def family(self, name: str) -> str:
        """A family of faults."""
        return self.t(f"family_{name}")

    def action(self, name: str) -> str:
        """What to do."""
        return self.t(f"action_{name}")

    def point(self, point: str) -> str:
        """A point, or the machine as a whole."""
        return self._words.t("point", point=point) if point else self._words.t("whole_machine")

    def truth(self, wrong: Wrong) -> str:
        """What was wrong, how much, since when."""
        catalogue = self._words.catalogue
        key = f"training.kind_{wrong.kind}"
        name = catalogue.text(key) if key in catalogue else catalogue.text(f"fault.{wrong.kind}")
        days = catalogue.number(wrong.since_days, 0)
        if key in catalogue:  # a sensor's trouble, or what does no harm: neither has an end of life
            return self.t("truth_trouble", what=name, where=self.point(wrong.point), days=days)
        percent = catalogue.number(100 * wrong.severity, 0)
        return self.t("truth", what=name, where=self.point(wrong.point), percent=percent, days=days)

    def sensor(self, point: str, refusal: Refusal) -> str:
        """What is wrong with a sensor."""
        return self.t("sensor", point=point, reason=self._words.text(f"refusal.{refusal.reason}"))

    def facts(self, spec: MachineSpec, limits: Mapping[str, LimitSet]) -> tuple[tuple[str, str], ...]:
        """The machine's card: (what, value) of all that its plant file tells."""
        number = self._words.catalogue.number
        found: list[tuple[str, str]] = []
        if spec.speed_rpm:
            found.append(
                (self.t("card_speed"), f"{number(spec.speed_rpm, 0)}\u00a0{self._words.unit('r/min')}")
            )
        if spec.power_kw:
            found.append((self.t("card_power"), f"{number(spec.power_kw, 0)}\u00a0kW"))
        sets = [limits[point.limits] for point in spec.points if point.limits and point.limits in limits]
        standards = dict.fromkeys(one.standard for one in sets)
        found.append((self.t("card_limits"), ", ".join(standards) or self._words.t("no_limits")))
        for gear in spec.gears:
            teeth = f"{gear.driving_teeth} / {gear.driven_teeth}"
            found.append((self.t("card_gear", name=gear.name), teeth))
        if spec.impeller:
            found.append((self.t("card_vanes"), str(spec.impeller.vanes)))
        for point in spec.points:
            if point.bearing is not None:
                found.append((self.t("card_bearing", point=point.id), self._bearing(point.bearing)))
            if point.shaft_order != 1:
                found.append((self.t("card_shaft", point=point.id), f"{number(point.shaft_order, 3)}×"))
        return tuple(found)

    def _bearing(self, bearing: Bearing) -> str:
        number = self._words.catalogue.number
        orders = zip(BEARING_DEFECTS, bearing.orders, strict=True)
        told = " · ".join(f"{name.upper()} {number(order, 2)}×" for name, order in orders)
        return self.t("card_bearing_value", designation=bearing.designation, orders=told)
