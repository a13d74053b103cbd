"""The physics against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.types import Bearing
from simulators.machines import bearing, mesh, noise, process, rotor, structure
from simulators.machines.bearing import Place, Spall
from simulators.machines.shaft import Turning, turn
from simulators.machines.structure import Impulses, Resonance

FS_HZ = 25600.0
BEARING_6205 = Bearing("6205", 3.585, 5.415, 2.357, 0.398, source="published")


def steady(hz: float, n: int = 51200, phase: float = 0.0) -> Turning:
    return turn(np.full(3, hz), phase=phase, n=n, fs_hz=FS_HZ)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def velocity_rms_mm_s(acceleration: npt.NDArray[np.floating], fs_hz: float) -> float:
    """Of a signal with whole periods only: no window needed."""
    f = np.fft.rfftfreq(acceleration.size, 1 / fs_hz)[1:]
    lines = 2 * np.abs(np.fft.rfft(acceleration.astype(np.float64))[1:]) / acceleration.size
    return float(1e3 * math.sqrt(np.sum((lines / (2 * math.pi * f)) ** 2) / 2))


def test_unbalance_of_a_known_rotor() -> None:
    support = rotor.Support(mass_kg=900, natural_hz=40, damping=0.05)
    assert rotor.unbalance_velocity_mm_s(support, 0.050, 1485 / 60) == pytest.approx(3.771, abs=0.001)


@given(hz=st.integers(5, 100), kg_m=st.floats(1e-4, 1.0))
def test_a_block_has_the_closed_form_velocity(hz: int, kg_m: float) -> None:
    support = rotor.Support(mass_kg=500, natural_hz=61.3, damping=0.05)
    found = rotor.phasors(hz, [rotor.unbalance(kg_m, hz)], (), support)
    block = rotor.acceleration(steady(hz, n=25600), [found])
    expected = rotor.unbalance_velocity_mm_s(support, kg_m, hz)
    assert velocity_rms_mm_s(block[0], FS_HZ) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("natural_hz", [25.0, 52.0, 420.0, 10.0])
def test_a_support_can_be_tuned_to_answer_as_many_times_as_asked(natural_hz: float) -> None:
    before = rotor.Support(mass_kg=420, natural_hz=natural_hz, damping=1e-4)
    after = replace(before, natural_hz=rotor.tuned_hz(before, 14.83, 8.0))
    first, second = (rotor.unbalance_velocity_mm_s(one, 0.1, 14.83) for one in (before, after))
    assert second / first == pytest.approx(8.0, rel=1e-3)
    assert (after.natural_hz > 14.83) == (natural_hz > 14.83)


def test_a_force_above_resonance_lags_by_more_than_a_quarter_turn() -> None:
    support = rotor.Support(mass_kg=500, natural_hz=30, damping=0.05)
    assert -math.pi / 2 < np.angle(support.receptance(20)) < 0
    assert np.angle(support.receptance(40)) < -math.pi / 2


def test_misalignment_stands_at_twice_the_speed_and_follows_the_torque() -> None:
    support = rotor.Support(mass_kg=500, natural_hz=200, damping=0.05)
    full, half = (rotor.phasors(20, rotor.misalignment(100, torque), (), support) for torque in (1.0, 0.5))
    assert max(full, key=lambda order: abs(full[order])) == 2.0
    assert all(half[order] == pytest.approx(full[order] / 2) for order in full)


def test_looseness_has_whole_and_half_orders_of_the_velocity_it_is_given() -> None:
    support = rotor.Support(mass_kg=500, natural_hz=200, damping=0.05)
    found = rotor.phasors(20, (), rotor.looseness(3.0), support)
    block = rotor.acceleration(steady(20), [found])[0]
    assert velocity_rms_mm_s(block, FS_HZ) == pytest.approx(3.0, rel=1e-3)
    assert {0.5, 1.5, 4.0} <= set(found)


@pytest.mark.parametrize(
    ("place", "order"),
    [(Place.OUTER, 3.585), (Place.INNER, 5.415), (Place.ROLLING, 4.714), (Place.CAGE, 0.398)],
)
def test_strikes_come_at_the_defect_order_less_the_slip(place: Place, order: float) -> None:
    shaft = steady(25.0, n=1_000_000)
    strikes = bearing.strikes(bearing.defect_order(place, BEARING_6205), shaft, rng())
    turns = (shaft.theta[-1] - shaft.theta[0]) / (2 * math.pi)
    assert strikes.size == pytest.approx(order * turns / (1 + bearing.SLIP), rel=4e-3)
    assert np.all(np.diff(strikes) > 0)


def test_strike_spacing_is_a_random_walk() -> None:
    strikes = bearing.strikes(3.585, steady(25.0, n=4_000_000), rng())
    spacing = np.diff(strikes)
    assert spacing.std() / spacing.mean() == pytest.approx(bearing.JITTER, rel=0.1)
    later = strikes[100::100] - strikes[:-100:100]  # the spread of a sum of 100 spacings grows by its root
    assert later.std() / spacing.std() == pytest.approx(10, rel=0.25)


@given(start=st.floats(0.01, 0.05), height=st.floats(0.1, 100))
def test_an_impulse_rings_as_its_formula_says(start: float, height: float) -> None:
    mode, n = Resonance(3000, 0.03), 2560
    force = structure.deposit(Impulses(np.array([start]), np.array([height])), n=n, fs_hz=FS_HZ)
    rung = np.fft.irfft(structure.spectrum([force]) * structure.modes((mode,), n, FS_HZ), n)
    t = np.arange(n) / FS_HZ - start
    w = 2 * math.pi * mode.natural_hz
    formula = height * np.exp(-mode.damping * w * t) * np.sin(w * math.sqrt(1 - mode.damping**2) * t)
    expected = np.where(t >= 0, formula, 0.0)
    assert float(np.sqrt(np.mean((rung - expected) ** 2) / np.mean(expected**2))) < 0.15


def test_kurtosis_of_a_train_of_impulses_follows_its_law() -> None:
    """1.5 / (f_d tau) for impulses that ring alone: rarer or shorter ones are more impulsive."""
    mode, n, hz = Resonance(3000, 0.03), 256_000, 60.0
    times = np.arange(1, int(10 * hz)) / hz
    force = structure.deposit(Impulses(times, np.ones(times.size)), n=n, fs_hz=FS_HZ)
    rung = np.fft.irfft(structure.spectrum([force]) * structure.modes((mode,), n, FS_HZ), n)
    kurtosis = float(np.mean(rung**4) / np.mean(rung**2) ** 2)
    assert kurtosis == pytest.approx(1.5 * 2 * math.pi * 3000 * 0.03 / hz, rel=0.1)


def test_no_strike_gives_silence() -> None:
    nothing = np.empty(0)
    assert not structure.deposit(Impulses(nothing, nothing), n=100, fs_hz=FS_HZ).any()


def test_the_load_zone_is_half_the_ring_and_all_of_a_preloaded_one() -> None:
    angle = np.linspace(-math.pi, math.pi, 721)
    share = bearing.load_zone(angle)
    assert share.max() == pytest.approx(1.0)
    assert np.all(share[np.abs(angle) > math.pi / 2 + 0.01] == 0)
    assert bearing.load_zone(angle, epsilon=bearing.PRELOADED).min() > 0.3


def test_an_inner_ring_defect_is_loud_once_a_turn() -> None:
    angles = bearing.strikes(BEARING_6205.bpfi, steady(25.0, n=1_000_000), rng(3))
    heights = bearing.weights(Place.INNER, BEARING_6205, angles, rng(3))
    once, twice = (abs(np.mean(heights * np.exp(-1j * k * angles))) for k in (1, 7.3))
    assert once > 0.4 * heights.mean() > 10 * twice


def test_a_long_spall_is_struck_at_its_entry_and_its_exit() -> None:
    shaft, spall = steady(25.0), Spall(strike_m_s2=100.0)
    short, long_ = (
        bearing.impulses(Place.OUTER, BEARING_6205, spall, shaft, severity=s, rng=rng()) for s in (0.3, 0.9)
    )
    assert long_.times_s.size == pytest.approx(2 * short.times_s.size, abs=2)
    assert long_.heights.min() < 0 < short.heights.min()


def test_strikes_grow_then_weaken_while_the_ring_rumbles() -> None:
    spall = Spall(strike_m_s2=100.0, rumble_m_s2=8.0)
    strikes = [spall.strike(s) for s in (0.1, 0.25, 0.5, 0.8, 1.0)]
    assert strikes[:4] == sorted(strikes[:4])
    assert strikes[4] < 100.0
    assert spall.rumble(0.5) == pytest.approx(1.0)


def test_rumble_is_noise_that_comes_and_goes_with_the_defect() -> None:
    shaft = steady(10.0, n=256_000)
    found = bearing.rumble(4.0, shaft, rng())
    assert np.mean(found**2) == pytest.approx(1.0, rel=0.05)
    power = np.abs(np.fft.rfft(found.astype(np.float64) ** 2))[1:]
    assert (int(np.argmax(power)) + 1) / 10 == pytest.approx(40.0 / (1 + bearing.SLIP), rel=0.01)


def test_noise_has_the_level_it_is_given() -> None:
    colours = ((noise.Band(5, 300, 2.0, slope=1.0), 1.0), (noise.Rolling(Resonance(4000, 0.03), 3.0), 0.5))
    out = noise.noise(colours, 20, n=25600, fs_hz=FS_HZ, rng=rng(2))
    assert out.shape == (20, 25600)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(math.hypot(2.0, 1.5), rel=0.02)
    assert np.abs(np.asarray(np.corrcoef(out))[0, 1:]).max() < 0.1


def test_a_rumble_has_the_velocity_it_is_given() -> None:
    out = noise.noise(((noise.Rumble(3.0), 1.0),), 4, n=102_400, fs_hz=FS_HZ, rng=rng(2))
    lines = 2 * np.abs(np.fft.rfft(out)) / out.shape[1]
    f = np.fft.rfftfreq(out.shape[1], 1 / FS_HZ)
    heard = (f >= 10) & (f <= 1000)
    velocity = 1e3 * np.sqrt(np.sum((lines[:, heard] / (2 * math.pi * f[heard])) ** 2, axis=1) / 2)
    assert velocity.mean() == pytest.approx(3.0, rel=0.05)


def test_gear_lines_stand_at_the_mesh_and_follow_the_torque() -> None:
    sound = mesh.Mesh(velocity_mm_s=1.0, amplitude_modulation=0, phase_modulation=0, driven_modulation=0)
    full = mesh.gear_mesh(sound, 23, steady(10.0), torque=1.0)
    lines = np.abs(np.fft.rfft(full)) * 2 / full.size
    first = lines[460] / (2 * math.pi * 230) / math.sqrt(2) * 1e3
    assert first == pytest.approx(1.0, rel=1e-3)
    weak = mesh.gear_mesh(sound, 23, steady(10.0), torque=0.5)
    np.testing.assert_allclose(weak, full * 0.5**0.8, atol=1e-4)


def test_a_torque_that_moves_within_the_block_moves_the_mesh() -> None:
    step = np.where(np.arange(51200) < 25600, 1.0, 0.2).astype(np.float32)
    out = mesh.gear_mesh(mesh.Mesh(velocity_mm_s=1.0), 23, steady(10.0), torque=step)
    assert out[:25600].std() / out[25600:].std() == pytest.approx(5**0.8, rel=0.01)


@pytest.mark.parametrize(
    ("condition", "line", "least"),
    [
        (mesh.Teeth(wear=1.0), 920, 2.0),  # the second harmonic of the mesh
        (mesh.Teeth(wear=1.0), 480, 2.0),  # the sideband one turn above the mesh
        (mesh.Teeth(misaligned=1.0), 920, 4.0),
    ],
)
def test_bad_teeth_raise_their_lines(condition: mesh.Teeth, line: int, least: float) -> None:
    gear = mesh.Mesh(velocity_mm_s=1.0)
    new, worn = (
        np.abs(np.fft.rfft(mesh.gear_mesh(gear, 23, steady(10.0), torque=1.0, condition=state)))
        for state in (mesh.SOUND, condition)
    )
    assert worn[line] / new[line] > least


def test_a_cracked_tooth_strikes_once_a_turn_at_the_same_angle() -> None:
    struck = mesh.tooth_strikes(10.0, steady(10.0, phase=1.0), rng())
    assert struck.times_s.size == 20
    np.testing.assert_allclose(np.diff(struck.times_s), 0.1, atol=1e-4)


def test_lines_above_the_band_are_left_out_not_folded() -> None:
    assert not mesh.passing(1.0, 2000, steady(10.0)).any()


def test_cavitation_comes_and_goes_with_the_vanes_and_has_no_line() -> None:
    out = process.cavitation(5.0, 4, steady(15.0), rng())
    assert out.std() == pytest.approx(5.0, rel=0.03)
    power = np.abs(np.fft.rfft(out.astype(np.float64) ** 2))[1:]
    assert (int(np.argmax(power)) + 1) / 2 == pytest.approx(60.0)
    assert np.mean(out**4) / np.mean(out**2) ** 2 < 4


def test_stones_come_at_random() -> None:
    turning = steady(15.0, n=2_560_000)
    stones = process.particles(30.0, 5.0, turning, rng())
    gaps = np.diff(np.sort(stones.times_s))
    assert stones.times_s.size == pytest.approx(3000, rel=0.1)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, rel=0.1)  # exponential: no rhythm
    assert stones.heights.mean() == pytest.approx(5.0, rel=0.1)


def test_a_tool_wears_fast_then_steadily_then_fast() -> None:
    wear = [process.flank_wear(k / 20) for k in range(21)]
    steps = np.diff(wear)
    assert wear[0] == 0.0
    assert wear[-1] == 1.0
    assert steps[0] > 2 * steps[10]
    assert steps[-1] > 2 * steps[10]
    assert np.all(steps > 0)
