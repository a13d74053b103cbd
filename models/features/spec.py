"""What the catalogue says of each feature."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature.

    `band` is in Hz, None where the feature uses the whole record or depends on the speed. `domain` is
    "time", "frequency", "order", "envelope", "cepstrum" or "quality". `needs` is what must be known of the
    window beside its samples: "speed", "orders" (of the bearing), "mesh", "driven" (shaft of the gear),
    "vanes", "belt", "supply", "pole_pass". `degree` is the power of the signal's unit in the feature: 1 for a
    level, which a scale multiplies, 0 for a ratio or a count, which no scale changes.
    """

    name: str
    unit: str
    band: tuple[float, float] | None
    domain: str
    doc: str
    source: str
    degree: int = 1
    needs: tuple[str, ...] = ()

    @property
    def needs_speed(self) -> bool:
        """Whether an unknown speed makes it NaN."""
        return "speed" in self.needs
