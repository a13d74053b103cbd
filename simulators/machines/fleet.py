"""The five machines of a phosphate plant and its workshop, and a motor for what is none of them.

The levels give a sound machine about, in mm/s RMS / m/s² RMS / °C: pump 2.3 / 2.2 / 52, conveyor 1.2 / 2.2 /
55, fan 2.3 / 1.4 / 58, mill stand 1.8 / 6 / 60, spindle 0.6 / 3.4 / 35: what an analyst expects of such
machines in good order. Rise = that temperature - 24 °C at nominal speed and the mean load. docs/simulators.md
holds what comes out.
"""

from __future__ import annotations

from .anatomy import Anatomy, Worst, structure
from .bearing import PRELOADED, Spall
from .duty import Duty
from .mesh import Mesh
from .noise import Band
from .rotor import Support
from .shaft import Wander
from .thermal import Housing

TURBULENCE = (5.0, 300.0)
"""Band of the flow noise of fans and pumps, Hz; its velocity spectrum falls as 1/f."""

PUMP = Anatomy(
    rpm=890,  # a motor at 1485 r/min through V-belts
    support=Support(mass_kg=420, natural_hz=52, damping=0.06),
    unbalance_kg_m=0.142,  # e·w = 32 mm/s: an impeller that has seen slurry
    misalignment_n=129,
    blades=4,
    blade_velocity_mm_s=0.7,
    modes=structure(2800, 0.03),
    rolling_m_s2=1.85,
    spall=Spall(strike_m_s2=77, growth=1.3, rumble_m_s2=3),
    flow=(Band(*TURBULENCE, acceleration_m_s2=0.35, slope=1.0), Band(1000, 9000, acceleration_m_s2=1.2)),
    housing=Housing(rise_k=31, tau_s=2700),
    speed_droop=0.012,
    belt_mm_s=0.12,
    supply_mm_s=0.08,
    particles_hz=4.0,
    worst=Worst(late_mm_s=9.0),
)

CONVEYOR = Anatomy(
    rpm=1480,
    support=Support(mass_kg=180, natural_hz=62, damping=0.05),
    unbalance_kg_m=0.0075,  # e·w = 6.5 mm/s, about G 6.3
    misalignment_n=25,
    modes=structure(4200, 0.03),
    rolling_m_s2=1.9,
    spall=Spall(strike_m_s2=72, growth=1.15, rumble_m_s2=3),
    mesh=Mesh(velocity_mm_s=0.4),
    mesh_orders=(17.0,),  # first stage of a reducer of i = 20
    housing=Housing(rise_k=34, tau_s=2400),
    duty=Duty(mean=0.8, wander=Wander(sd=0.08, tau_s=60.0), lowest=0.75),
    speed_droop=0.008,
    worst=Worst(late_mm_s=8.5),
)

FAN = Anatomy(
    rpm=990,
    support=Support(mass_kg=600, natural_hz=27, damping=0.05),
    unbalance_kg_m=0.029,  # G 6.3
    misalignment_n=29,
    blades=12,
    blade_velocity_mm_s=0.5,
    modes=structure(3200, 0.03),
    rolling_m_s2=1.15,
    spall=Spall(strike_m_s2=62, growth=1.25, rumble_m_s2=4),
    flow=(Band(*TURBULENCE, acceleration_m_s2=0.5, slope=1.0),),
    housing=Housing(rise_k=38, tau_s=2700),
    duty=Duty(lowest=0.7),
    speed=Wander(sd=0.002, tau_s=30.0),
    worst=Worst(late_mm_s=8.5),
)

MILL = Anatomy(
    rpm=750,
    support=Support(mass_kg=3500, natural_hz=42, damping=0.04),
    unbalance_kg_m=0.82,  # e·w = 18 mm/s
    misalignment_n=700,
    modes=structure(2200, 0.04),
    rolling_m_s2=5.8,
    spall=Spall(strike_m_s2=215, growth=1.3, rumble_m_s2=15),
    mesh=Mesh(velocity_mm_s=0.55),
    mesh_orders=(23.0, 21.0 * 23 / 91),  # z 23/91 and 21/85
    housing=Housing(rise_k=44, tau_s=3600),
    duty=Duty(mean=0.9, idle=0.25, on_s=12.0, off_s=6.0, lowest=0.85),
    speed_droop=0.006,
    worst=Worst(late_mm_s=8.5, tooth_m_s2=250),
)

SPINDLE = Anatomy(
    rpm=8000,
    support=Support(mass_kg=30, natural_hz=420, damping=0.03),
    unbalance_kg_m=2.4e-4,
    misalignment_n=4.0,
    blades=4,  # teeth of the cutter
    blade_velocity_mm_s=0.25,
    cutting=True,
    modes=structure(7500, 0.04),
    rolling_m_s2=2.5,
    spall=Spall(strike_m_s2=42, growth=1.2, rumble_m_s2=24, load_zone=PRELOADED),
    housing=Housing(rise_k=16, tau_s=750),
    duty=Duty(mean=0.7, idle=0.05, on_s=40.0, off_s=20.0, lowest=0.8, set_point_s=1800.0),
    speed=Wander(sd=0.0005, tau_s=10.0),
    worst=Worst(late_mm_s=8.5),
)

MOTOR = Anatomy(
    rpm=1485,
    support=Support(mass_kg=140, natural_hz=62, damping=0.05),
    unbalance_kg_m=0.0054,  # G 6.3
    misalignment_n=16,
    modes=structure(3500, 0.03),
    rolling_m_s2=1.5,
    spall=Spall(strike_m_s2=100, rumble_m_s2=8),
    housing=Housing(rise_k=30, tau_s=2400),
    speed_droop=0.01,
    supply_mm_s=0.1,
)
"""What stands in for a kind of machine without an anatomy of its own: an electric motor."""
