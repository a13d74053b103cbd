"""What a machine is made of, as far as it vibrates and warms. The sound levels follow from these numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .bearing import Resonance
from .mesh import Mesh
from .noise import Band, Colour, Rolling
from .rotor import Support
from .shaft import Wander
from .thermal import Housing

LOAD_WANDER = Wander(sd=0.05, tau_s=120.0)
SPEED_WANDER = Wander(sd=0.0015, tau_s=20.0)  # 0.1-0.3 % is usual of asynchronous motors under load


@dataclass(frozen=True, slots=True)
class Duty:
    """How a machine is loaded: around `mean` (1 = nominal), or in passes between `mean` and `idle`.

    A pass lasts `on_s` seconds on average, the pause after it `off_s`; 0 = no passes.
    """

    mean: float = 0.8
    wander: Wander = LOAD_WANDER
    idle: float = 0.0
    on_s: float = 0.0
    off_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A kind of machine.

    `support` is that of the horizontal direction; the vertical one is stiffer and the axial one hardly
    answers to unbalance. `unbalance_kg_m` and `misalignment_n` are those of a sound machine. `blades` pass at
    `blade_velocity_mm_s` RMS at nominal load. `defect_m_s2` is the peak of a strike at severity 1.
    `speed_droop` is the relative fall of the speed from idle to nominal load (slip).
    """

    rpm: float
    support: Support
    unbalance_kg_m: float
    misalignment_n: float
    mode: Resonance
    rolling_m_s2: float
    defect_m_s2: float
    housing: Housing
    duty: Duty = Duty()
    speed: Wander = SPEED_WANDER
    speed_droop: float = 0.0
    blades: int = 0
    blade_velocity_mm_s: float = 0.0
    mesh: Mesh | None = None
    mesh_orders: tuple[float, ...] = ()
    flow: tuple[Band, ...] = ()

    def colours(self, *, speed: float, load: float) -> tuple[tuple[Colour, float], ...]:
        """The random part and its gains: rolling noise grows with speed, flow with speed squared and load."""
        rolling = Rolling(self.mode, self.rolling_m_s2)
        return (
            (rolling, speed * (0.7 + 0.3 * load)),
            *((band, speed * speed * (0.5 + 0.5 * load)) for band in self.flow),
        )


TURBULENCE = (5.0, 300.0)
"""Band of the flow noise of fans and pumps, Hz; its velocity spectrum falls as 1/f."""

# The levels below give a sound machine about, in mm/s RMS / m/s² RMS / °C: pump 2.3 / 2.2 / 52,
# conveyor 1.2 / 2.2 / 55, fan 2.3 / 1.4 / 58, mill stand 1.8 / 6 / 60, spindle 0.6 / 3.4 / 35: what an
# analyst expects of such machines in good order. Rise = that temperature - 24 °C at nominal speed, 80 % load.

PUMP = Anatomy(
    rpm=890,  # a motor at 1485 r/min through V-belts
    support=Support(mass_kg=420, natural_hz=52, damping=0.06),
    unbalance_kg_m=0.130,  # e·w = 29 mm/s: an impeller that has seen slurry
    misalignment_n=129,
    blades=4,
    blade_velocity_mm_s=0.7,
    mode=Resonance(2800, 0.03),
    rolling_m_s2=1.7,
    defect_m_s2=40,
    flow=(Band(*TURBULENCE, acceleration_m_s2=0.35, slope=1.0), Band(1000, 9000, acceleration_m_s2=1.2)),
    housing=Housing(rise_k=31, tau_s=2700),
    speed_droop=0.012,
)

CONVEYOR = Anatomy(
    rpm=1480,
    support=Support(mass_kg=180, natural_hz=62, damping=0.05),
    unbalance_kg_m=0.0066,  # G 6.3
    misalignment_n=25,
    mode=Resonance(4200, 0.03),
    rolling_m_s2=1.9,
    defect_m_s2=70,
    mesh=Mesh(velocity_mm_s=0.4),
    mesh_orders=(17.0,),  # first stage of a reducer of i = 20
    housing=Housing(rise_k=34, tau_s=2400),
    duty=Duty(mean=0.8, wander=Wander(sd=0.08, tau_s=60.0)),
    speed_droop=0.008,
)

FAN = Anatomy(
    rpm=990,
    support=Support(mass_kg=600, natural_hz=27, damping=0.05),
    unbalance_kg_m=0.026,  # G 6.3
    misalignment_n=29,
    blades=12,
    blade_velocity_mm_s=0.5,
    mode=Resonance(3200, 0.03),
    rolling_m_s2=1.05,
    defect_m_s2=45,
    flow=(Band(*TURBULENCE, acceleration_m_s2=0.5, slope=1.0),),
    housing=Housing(rise_k=38, tau_s=2700),
    speed=Wander(sd=0.002, tau_s=30.0),
)

MILL = Anatomy(
    rpm=750,
    support=Support(mass_kg=3500, natural_hz=42, damping=0.04),
    unbalance_kg_m=0.70,  # e·w = 16 mm/s
    misalignment_n=700,
    mode=Resonance(2200, 0.04),
    rolling_m_s2=5.8,
    defect_m_s2=120,
    mesh=Mesh(velocity_mm_s=0.7),
    mesh_orders=(23.0, 21.0 * 23 / 91),  # z 23/91 and 21/85
    housing=Housing(rise_k=42, tau_s=3600),
    duty=Duty(mean=0.9, idle=0.25, on_s=12.0, off_s=6.0),
    speed_droop=0.02,
)

SPINDLE = Anatomy(
    rpm=8000,
    support=Support(mass_kg=30, natural_hz=420, damping=0.03),
    unbalance_kg_m=1.6e-4,
    misalignment_n=4.0,
    blades=4,  # teeth of the cutter
    blade_velocity_mm_s=0.25,
    mode=Resonance(7500, 0.04),
    rolling_m_s2=3.5,
    defect_m_s2=60,
    housing=Housing(rise_k=13, tau_s=750),
    duty=Duty(mean=0.7, idle=0.05, on_s=40.0, off_s=20.0),
    speed=Wander(sd=0.0005, tau_s=10.0),
)

MOTOR = Anatomy(
    rpm=1485,
    support=Support(mass_kg=140, natural_hz=62, damping=0.05),
    unbalance_kg_m=0.0054,  # G 6.3
    misalignment_n=16,
    mode=Resonance(3500, 0.03),
    rolling_m_s2=1.5,
    defect_m_s2=60,
    housing=Housing(rise_k=30, tau_s=2400),
    speed_droop=0.01,
)
"""What stands in for a kind of machine without an anatomy of its own: an electric motor."""
