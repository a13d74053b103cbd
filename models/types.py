"""The value types that the core computes with.

Text for people never stands here: a `Refusal` carries the keys of a sentence, the locale writes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

BEARING_DEFECTS = ("bpfo", "bpfi", "bsf", "ftf")
"""The four defect frequencies of a rolling bearing, in the order of every array of orders."""


class State(StrEnum):
    """What a machine is said to be in; colour, shape and letter follow it everywhere."""

    NORMAL = "normal"
    WATCH = "watch"
    ALERT = "alert"
    DANGER = "danger"
    STOPPED = "stopped"
    TRANSIENT = "transient"
    LEARNING = "learning"
    UNKNOWN = "unknown"
    UNCONFIGURED = "unconfigured"


class Quantity(StrEnum):
    """What a channel measures, with the units that a plant may state for it."""

    ACCELERATION = "acceleration"
    TEMPERATURE = "temperature"
    SPEED = "speed"
    LOAD = "load"


AMBIENT_NAMES = ("ambient", "ambiante", "ambiance", "amb", "air")
"""Names of a point or channel whose temperature is that of the air beside the machine."""


def is_ambient(point: str, channel: str) -> bool:
    """Whether a temperature is that of the air beside the machine: by the name of its channel or point."""
    return point.lower() in AMBIENT_NAMES or channel.lower() in AMBIENT_NAMES


UNITS: dict[Quantity, tuple[str, ...]] = {
    Quantity.ACCELERATION: ("m/s²", "g", "unknown"),
    Quantity.TEMPERATURE: ("°C",),
    Quantity.SPEED: ("r/min",),
    Quantity.LOAD: ("%",),
}
"""Units a channel may have. "unknown" is a recording whose unit nobody wrote down: it gets no zone."""

STANDARD_GRAVITY_M_S2 = 9.80665  # CGPM 1901, exact

M_S2_PER_UNIT: dict[str, float] = {"m/s²": 1.0, "g": STANDARD_GRAVITY_M_S2}
"""Factor to m/s² of each unit of acceleration; a unit that is not here gives no level."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A first-class answer: the judgement that can't be given, why, and what would make it possible.

    `reason` and `remedy` are keys of the locale (`refusal.<reason>`, `remedy.<remedy>`).
    """

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Bearing:
    """A rolling bearing by its defect orders, in multiples of the speed of its shaft.

    Orders that a maker published are stored as they are; `from_geometry` computes them
    (Randall & Antoni, MSSP 25 (2011) 485-520, eq. 1-4). `outside_mm` and `width_mm` are its boundary
    dimensions (ISO 15), None where nobody gave them.
    """

    designation: str
    bpfo: float
    bpfi: float
    bsf: float
    ftf: float
    source: str
    estimated: bool = False
    outside_mm: float | None = None
    width_mm: float | None = None

    @property
    def grease_g(self) -> float | None:
        """Grease for one relubrication (g): 0.005 · D · B in mm, the makers' rule of thumb; None where its
        dimensions are not known."""
        if self.outside_mm is None or self.width_mm is None:
            return None
        return 0.005 * self.outside_mm * self.width_mm

    @property
    def orders(self) -> tuple[float, float, float, float]:
        """Defect orders in the order of `BEARING_DEFECTS`."""
        return (self.bpfo, self.bpfi, self.bsf, self.ftf)

    @classmethod
    def from_geometry(
        cls,
        designation: str,
        *,
        rolling_elements: int,
        element_diameter_mm: float,
        pitch_diameter_mm: float,
        contact_angle_deg: float = 0.0,
        outer_ring_turns: bool = False,
        source: str = "geometry",
        estimated: bool = False,
    ) -> Bearing:
        """Defect orders from geometry. With a turning outer ring only the cage order changes, to (1+r)/2.

        Raises ValueError when a length is not positive, the elements do not fit on the pitch circle, or the
        contact angle is not below a right one.
        """
        if rolling_elements < 3 or element_diameter_mm <= 0 or pitch_diameter_mm <= element_diameter_mm:
            raise ValueError(
                f"bearing {designation}: needs at least 3 rolling elements and 0 < element diameter < pitch "
                f"diameter, got {rolling_elements}, {element_diameter_mm} mm, {pitch_diameter_mm} mm"
            )
        if not 0 <= contact_angle_deg < 90:
            raise ValueError(
                f"bearing {designation}: the contact angle must be 0 or more and below 90 degrees, got "
                f"{contact_angle_deg:g}"
            )
        r = element_diameter_mm / pitch_diameter_mm * math.cos(math.radians(contact_angle_deg))
        return cls(
            designation=designation,
            bpfo=rolling_elements / 2 * (1 - r),
            bpfi=rolling_elements / 2 * (1 + r),
            bsf=pitch_diameter_mm / (2 * element_diameter_mm) * (1 - r * r),
            ftf=(1 + r) / 2 if outer_ring_turns else (1 - r) / 2,
            source=source,
            estimated=estimated,
        )


@dataclass(frozen=True, slots=True)
class Gear:
    """One gear pair: teeth of the driving and the driven wheel, order of the driving shaft."""

    name: str
    driving_teeth: int
    driven_teeth: int
    shaft_order: float = 1.0

    @property
    def mesh_order(self) -> float:
        """Gear mesh order in multiples of the machine's speed."""
        return self.driving_teeth * self.shaft_order

    @property
    def driven_order(self) -> float:
        """Order of the driven shaft."""
        return self.mesh_order / self.driven_teeth


@dataclass(frozen=True, slots=True)
class Impeller:
    """The vanes of a pump or the blades of a fan, and the order of the shaft that carries them."""

    vanes: int
    shaft_order: float = 1.0

    @property
    def vane_order(self) -> float:
        """Vanes passing by, in multiples of the machine's speed."""
        return self.vanes * self.shaft_order


@dataclass(frozen=True, slots=True)
class Belt:
    """A belt by its length and one of its pulleys (pitch diameter), with the order of that pulley's shaft."""

    pulley_diameter_mm: float
    length_mm: float
    shaft_order: float = 1.0

    @property
    def belt_order(self) -> float:
        """Turns of the belt itself, in multiples of the machine's speed."""
        return math.pi * self.pulley_diameter_mm / self.length_mm * self.shaft_order


@dataclass(frozen=True, slots=True)
class Motor:
    """An induction motor on a supply of fixed frequency, with the order of its shaft."""

    supply_hz: float
    poles: int | None = None
    shaft_order: float = 1.0

    @property
    def synchronous_hz(self) -> float | None:
        """Turns a second without slip, None where the poles are unknown."""
        return None if self.poles is None else 2 * self.supply_hz / self.poles


@dataclass(frozen=True, slots=True)
class ForeignMetric:
    """A metric of a Sparkplug node that is not Palier's; the channel's value = its value x scale + offset.

    `device` is "" for a metric of the node itself.
    """

    group: str
    node: str
    device: str
    name: str
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One measured quantity of a point. `fs_hz` and `n_samples` are None for slow readings.

    `usable_hz` is the highest frequency that the sensor itself is good for (-3 dB), None where nobody said.
    `foreign` is where a slow reading comes from that no gateway of Palier's sends.
    """

    id: str
    quantity: Quantity
    unit: str
    direction: str = ""  # "H", "V", "A" or "" where a direction has no meaning
    fs_hz: float | None = None
    n_samples: int | None = None
    usable_hz: float | None = None
    foreign: ForeignMetric | None = None


@dataclass(frozen=True, slots=True)
class PointSpec:
    """A place of measurement: usually a bearing housing (*palier*), with the channels mounted there.

    `limits` names a row of models/limits, or is None where no standard applies.
    `shaft_order` is the speed of the point's shaft divided by the speed of the machine. `demodulation_hz` is
    the band around the housing's own resonance, None where nobody knocked on it.
    """

    id: str
    channels: tuple[ChannelSpec, ...]
    name: str = ""
    bearing: Bearing | None = None
    shaft_order: float = 1.0
    mounting: str = "stud"
    limits: str | None = None
    demodulation_hz: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine as it is judged.

    `speed_rpm` is its fixed or nominal speed, None when unknown. A speed that the gateway measured with a
    block is that block's; `speed_source` says where it comes from otherwise: "fixed" (`speed_rpm`), "reading"
    (the channel `speed_channel`, "POINT/CHANNEL"), "frame" (from nowhere else) or "unknown". `line` is the
    part of the plant that it stands in, "" where nobody said.
    """

    id: str
    points: tuple[PointSpec, ...]
    name: str = ""
    kind: str = "machine"
    criticality: str = "B"
    power_kw: float | None = None
    speed_rpm: float | None = None
    speed_source: str = "unknown"
    speed_channel: str | None = None
    gears: tuple[Gear, ...] = ()
    impeller: Impeller | None = None
    belt: Belt | None = None
    motor: Motor | None = None
    line: str = ""

    def point(self, point_id: str) -> PointSpec | None:
        """The point of that id, or None."""
        return next((p for p in self.points if p.id == point_id), None)
