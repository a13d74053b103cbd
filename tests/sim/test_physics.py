"""The physics against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.types import Bearing
from simulators.machines import bearing, mesh, noise, rotor
from simulators.machines.bearing import Place, Resonance
from simulators.machines.shaft import Turning, Wander, turn
from simulators.machines.thermal import Air, Housing

FS_HZ = 25600.0
BEARING_6205 = Bearing("6205", 3.585, 5.415, 2.357, 0.398, source="published")
STEADY = Wander(sd=0.0, tau_s=1.0)


def steady(hz: float, n: int = 51200) -> Turning:
    return turn(hz, STEADY, 0.0, n=n, fs_hz=FS_HZ, rng=np.random.default_rng(0))[0]


def velocity_rms_mm_s(acceleration: np.ndarray, fs_hz: float) -> float:
    """Of a signal with whole periods only: no window needed."""
    f = np.fft.rfftfreq(acceleration.size, 1 / fs_hz)[1:]
    lines = 2 * np.abs(np.fft.rfft(acceleration)[1:]) / acceleration.size
    return float(1e3 * math.sqrt(np.sum((lines / (2 * math.pi * f)) ** 2) / 2))


def test_unbalance_of_a_known_rotor() -> None:
    support = rotor.Support(mass_kg=900, natural_hz=40, damping=0.05)
    assert rotor.unbalance_velocity_mm_s(support, 0.050, 1485 / 60) == pytest.approx(3.771, abs=0.001)


@given(hz=st.integers(5, 100), kg_m=st.floats(1e-4, 1.0))
def test_a_block_has_the_closed_form_velocity(hz: int, kg_m: float) -> None:
    support = rotor.Support(mass_kg=500, natural_hz=61.3, damping=0.05)
    block = rotor.acceleration(steady(hz), [[rotor.unbalance(kg_m, hz)]], [support])
    expected = rotor.unbalance_velocity_mm_s(support, kg_m, hz)
    assert velocity_rms_mm_s(block[0], FS_HZ) == pytest.approx(expected, rel=1e-6)


def test_a_force_above_resonance_lags_by_more_than_a_quarter_turn() -> None:
    support = rotor.Support(mass_kg=500, natural_hz=30, damping=0.05)
    assert -math.pi / 2 < np.angle(support.receptance(20)) < 0
    assert np.angle(support.receptance(40)) < -math.pi / 2


def test_misalignment_stands_at_twice_the_speed_and_follows_the_torque() -> None:
    support = rotor.Support(mass_kg=500, natural_hz=200, damping=0.05)
    full, half = (
        rotor.acceleration(steady(20), [rotor.misalignment(100, torque)], [support])[0]
        for torque in (1.0, 0.5)
    )
    lines = np.abs(np.fft.rfft(full))
    assert int(np.argmax(lines)) == 80  # 40 Hz in lines of 0.5 Hz
    np.testing.assert_allclose(half, full / 2)


@pytest.mark.parametrize(
    ("place", "order"), [(Place.OUTER, 3.585), (Place.INNER, 5.415), (Place.ROLLING, 4.714)]
)
def test_strikes_come_at_the_defect_order_less_the_slip(place: Place, order: float) -> None:
    shaft = steady(25.0, n=1_000_000)
    strikes = bearing.strikes(bearing.defect_order(place, BEARING_6205), shaft, np.random.default_rng(1))
    turns = (shaft.theta[-1] - shaft.theta[0]) / (2 * math.pi)
    assert strikes.size == pytest.approx(order * turns / (1 + bearing.SLIP), rel=2e-3)
    assert np.all(np.diff(strikes) > 0)


def test_strike_spacing_is_a_random_walk() -> None:
    shaft = steady(25.0, n=4_000_000)
    strikes = bearing.strikes(3.585, shaft, np.random.default_rng(1))
    spacing = np.diff(strikes)
    assert spacing.std() / spacing.mean() == pytest.approx(bearing.JITTER, rel=0.1)
    later = strikes[100::100] - strikes[:-100:100]  # the spread of a sum of 100 spacings grows by its root
    assert later.std() / spacing.std() == pytest.approx(10, rel=0.25)


@given(start=st.floats(0, 0.05), height=st.floats(0.1, 100))
def test_an_impulse_rings_as_its_formula_says(start: float, height: float) -> None:
    mode, n = Resonance(3000, 0.03), 2560
    rung = bearing.ring(np.array([start]), np.array([height]), mode, n=n, fs_hz=FS_HZ)
    t = np.arange(n) / FS_HZ - start
    w = 2 * math.pi * mode.natural_hz
    formula = height * np.exp(-mode.damping * w * t) * np.sin(w * math.sqrt(1 - mode.damping**2) * t)
    np.testing.assert_allclose(rung, np.where(t >= 0, formula, 0.0), atol=height * 1.2e-3)


def test_impulses_superpose_also_at_the_end_of_the_block() -> None:
    mode, n = Resonance(3000, 0.03), 1000
    starts, heights = np.array([0.001, 0.0015, 0.0389]), np.array([1.0, -2.0, 3.0])
    together = bearing.ring(starts, heights, mode, n=n, fs_hz=FS_HZ)
    alone = [bearing.ring(starts[k : k + 1], heights[k : k + 1], mode, n=n, fs_hz=FS_HZ) for k in range(3)]
    np.testing.assert_allclose(together, np.sum(alone, axis=0), atol=1e-12)


def test_no_strike_gives_silence() -> None:
    nothing = np.empty(0)
    assert not bearing.ring(nothing, nothing, Resonance(3000, 0.03), n=100, fs_hz=FS_HZ).any()


def test_the_load_zone_is_half_the_ring() -> None:
    angle = np.linspace(-math.pi, math.pi, 721)
    share = bearing.load_zone(angle)
    assert share.max() == pytest.approx(1.0)
    assert np.all(share[np.abs(angle) > math.pi / 2 + 0.01] == 0)


def test_an_inner_ring_defect_is_loud_once_a_turn() -> None:
    shaft = steady(25.0, n=1_000_000)
    rng = np.random.default_rng(3)
    angles = bearing.strikes(BEARING_6205.bpfi, shaft, rng)
    heights = bearing.weights(Place.INNER, BEARING_6205, angles, rng)
    once, twice = (abs(np.mean(heights * np.exp(-1j * k * angles))) for k in (1, 7.3))
    assert once > 0.4 * heights.mean() > 10 * twice


def test_noise_has_the_level_it_is_given() -> None:
    colours = ((noise.Band(5, 300, 2.0, slope=1.0), 1.0), (noise.Rolling(Resonance(4000, 0.03), 3.0), 0.5))
    out = noise.noise(colours, 20, n=25600, fs_hz=FS_HZ, rng=np.random.default_rng(2))
    assert out.shape == (20, 25600)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(math.hypot(2.0, 1.5), rel=0.02)
    assert np.abs(np.asarray(np.corrcoef(out))[0, 1:]).max() < 0.1


def test_gear_lines_stand_at_the_mesh_and_follow_the_torque() -> None:
    sound = mesh.Mesh(velocity_mm_s=1.0, amplitude_modulation=0.0, phase_modulation=0.0)
    full = mesh.gear_mesh(sound, 23, steady(10.0), torque=1.0, wear=0.0)
    lines = np.abs(np.fft.rfft(full)) * 2 / full.size
    first = lines[460] / (2 * math.pi * 230) / math.sqrt(2) * 1e3
    assert first == pytest.approx(1.0, rel=1e-6)
    weak = mesh.gear_mesh(sound, 23, steady(10.0), torque=0.5, wear=0.0)
    np.testing.assert_allclose(weak, full * 0.5**0.8)


def test_gear_wear_raises_the_harmonics() -> None:
    gear = mesh.Mesh(velocity_mm_s=1.0)
    new, worn = (
        np.abs(np.fft.rfft(mesh.gear_mesh(gear, 23, steady(10.0), torque=1, wear=w))) for w in (0, 1)
    )
    assert worn[920] / worn[460] > 2 * new[920] / new[460]
    assert worn[480] > 2 * new[480]  # the sideband one turn above the mesh


def test_lines_above_the_band_are_left_out_not_folded() -> None:
    assert not mesh.passing(1.0, 2000, steady(10.0)).any()


@given(a=st.floats(0, 1e4), b=st.floats(0, 1e4), start=st.floats(0, 100), goal=st.floats(0, 100))
def test_warming_in_two_steps_is_warming_in_one(a: float, b: float, start: float, goal: float) -> None:
    housing = Housing(rise_k=30, tau_s=2700)
    twice = housing.step(housing.step(start, goal, a), goal, b)
    assert twice == pytest.approx(housing.step(start, goal, a + b), abs=1e-9)


def test_the_air_is_warmest_in_the_afternoon() -> None:
    air = Air(mean_c=24, swing_c=5)
    hours = [air.at(3600 * h) for h in range(24)]
    assert max(hours) == hours[15] == pytest.approx(29)


@given(seconds=st.floats(0.01, 100))
def test_wander_keeps_its_spread(seconds: float) -> None:
    wander, rng = Wander(sd=0.01, tau_s=5.0), np.random.default_rng(4)
    ends = np.array(
        [wander.step(wander.sd * float(rng.standard_normal()), seconds, rng) for _ in range(2000)]
    )
    assert ends.std() == pytest.approx(0.01, rel=0.1)
