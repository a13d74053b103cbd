"""What a machine is made of, as far as it vibrates and warms. The sound levels follow from these numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from .bearing import Spall
from .duty import SPEED_WANDER, Duty
from .mesh import Mesh
from .noise import Colour, Rolling
from .rotor import Support
from .shaft import Wander
from .structure import Resonance
from .thermal import Housing


@dataclass(frozen=True, slots=True)
class Worst:
    """What a severity of 1 does, each beyond what a sound machine has.

    `unbalance`, `misalignment`, `bent`, `deposit` and `clogged` are multiples of a sound machine's forces,
    `resonance` is one of its answer to them;
    mm/s are RMS, m/s² those of noise RMS and of strikes peak. `late_mm_s` is what a bearing at its end adds:
    the shaft moves in its clearance, the floor between the lines rises. `dry` is the factor on what lies
    above 5 kHz when a bearing runs dry.
    """

    unbalance: float = 5.0
    misalignment: float = 9.0
    bent: float = 6.0
    resonance: float = 8.0
    loose_mm_s: float = 6.0
    late_mm_s: float = 6.0
    deposit: float = 4.0
    clogged: float = 2.0
    dry: float = 5.0
    cavitation_m_s2: float = 9.0
    vane_mm_s: float = 3.0
    belt_mm_s: float = 4.0
    supply_mm_s: float = 4.0
    tooth_m_s2: float = 60.0
    mesh: float = 1.0
    tool: float = 3.0
    particles_hz: float = 45.0
    particles_m_s2: float = 18.0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A kind of machine.

    `support` is that of the horizontal direction; the vertical one is stiffer and the axial one hardly
    answers to unbalance. `unbalance_kg_m` and `misalignment_n` are those of a sound machine. `blades` pass at
    `blade_velocity_mm_s` RMS at nominal load (`cutting`: only while there is load). The first of `modes` is
    the one that rolling excites most. `speed_droop` is the relative fall of the speed from idle to nominal
    load (slip). `particles_hz` is how many stones a second strike a sound pump.
    """

    rpm: float
    support: Support
    unbalance_kg_m: float
    misalignment_n: float
    modes: tuple[Resonance, ...]
    rolling_m_s2: float
    spall: Spall
    housing: Housing
    duty: Duty = field(default_factory=Duty)
    speed: Wander = SPEED_WANDER
    speed_droop: float = 0.0
    blades: int = 0
    blade_velocity_mm_s: float = 0.0
    cutting: bool = False
    mesh: Mesh | None = None
    mesh_orders: tuple[float, ...] = ()
    flow: tuple[Colour, ...] = ()
    belt_mm_s: float = 0.0
    supply_mm_s: float = 0.0
    particles_hz: float = 0.0
    worst: Worst = field(default_factory=Worst)

    def colours(self, *, speed: float, load: float) -> tuple[tuple[Colour, float], ...]:
        """The random part and its gains: rolling noise grows with speed, flow with speed squared and load."""
        rolling = Rolling(self.modes[0], self.rolling_m_s2)
        return (
            (rolling, speed * (0.7 + 0.3 * load)),
            *((band, speed * speed * (0.5 + 0.5 * load)) for band in self.flow),
        )


def structure(natural_hz: float, damping: float) -> tuple[Resonance, ...]:
    """A housing's modes: the one that is named, and one below and one above it that are excited less."""
    return (
        Resonance(natural_hz, damping),
        Resonance(0.52 * natural_hz, damping * 1.3, 0.25),
        Resonance(1.63 * natural_hz, damping, 0.2),
    )
