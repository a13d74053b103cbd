"""Lines of shafts, gears, vanes, belts and the supply that are known on paper; echoes; settling sensors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.rows import BY_ALL, RowOf

FS, N = 2560.0, 20_480  # 8 s: lines 0.125 Hz apart
T = np.arange(N) / FS
HIGH_FS, HIGH_N = 25_600.0, 25_600
HIGH_T = np.arange(HIGH_N) / HIGH_FS


def _velocity_tones(tones: dict[float, float]) -> np.ndarray:
    """Acceleration of tones of `tones[f]` mm/s RMS at f Hz, each with a phase of its own."""
    return sum(
        (
            math.sqrt(2) * v / 1e3 * 2 * np.pi * f * np.sin(2 * np.pi * f * T + 1.7 * f)
            for f, v in tones.items()
        ),
        start=np.zeros(N),
    )


# Shaft ------------------------------------------------------------------------------------------------


@BY_ALL
def test_shaft_lines_are_the_velocity_of_their_order_alone(row_of: RowOf) -> None:
    speed = 24.71
    there = {
        0.5: 0.4,
        1: 3.0,
        1.5: 0.3,
        2: 2.0,
        3: 0.7,
        4: 0.6,
        5: 0.5,
        6: 0.4,
        7: 0.3,
        8: 0.2,
        9: 0.1,
        10: 1,
    }
    row = row_of(_velocity_tones({order * speed: v for order, v in there.items()}), FS, speed_hz=speed)
    for order, v in there.items():
        name = f"order_{order:g}x_mm_s".replace(".", "_")
        assert row[name] == pytest.approx(v, rel=3e-3), name
    alone = row_of(_velocity_tones({3.5 * speed: 50.0}), FS, speed_hz=speed)
    assert all(v < 0.05 for name, v in alone.items() if name.startswith("order_"))


@BY_ALL
def test_whirl_is_what_turns_below_half_the_speed(row_of: RowOf) -> None:
    row = row_of(_velocity_tones({0.43 * 24.7: 2.0, 0.5 * 24.7: 5.0, 24.7: 9.0}), FS, speed_hz=24.7)
    assert row["order_whirl_mm_s"] == pytest.approx(2, rel=2e-3)
    assert row["order_0_5x_mm_s"] == pytest.approx(5, rel=2e-3)


@BY_ALL
def test_the_synchronous_ratio_of_given_lines(row_of: RowOf) -> None:
    """Energies at orders 1, 2 and 7 over those at 0.43, 2.7 and 8.5: (9 + 4 + 1)/(0.25 + 1 + 0.0625)."""
    speed = 24.7
    whole, between = {1: 3.0, 2: 2.0, 7: 1.0}, {0.43: 0.5, 2.7: 1.0, 8.5: 0.25}
    outside = {0.15: 4.0, 11.0: 4.0}
    x = _velocity_tones({order * speed: v for order, v in (whole | between | outside).items()})
    assert row_of(x, FS, speed_hz=speed)["synchronous_ratio"] == pytest.approx(14 / 1.3125, rel=5e-3)


# Gear -------------------------------------------------------------------------------------------------


def _mesh(phase: np.ndarray, amplitude: np.ndarray | float = 1.0) -> np.ndarray:
    """23 teeth at 25 Hz: 575 Hz, its phase and amplitude modulated."""
    return 2.0 * amplitude * np.cos(2 * np.pi * 575 * T + phase)


@BY_ALL
@pytest.mark.parametrize("depth", [0.1, 0.6])
def test_the_sidebands_of_an_amplitude_modulated_mesh(row_of: RowOf, depth: float) -> None:
    """A(1 + m cos θ)cos φ: two lines of A·m/2 beside the mesh, so the ratio of the amplitudes is m."""
    shaft = 2 * np.pi * 25 * T
    gear = {"mesh_order": 23.0, "driven_order": 23 / 67}
    row = row_of(_mesh(np.zeros(N), 1 + depth * np.cos(shaft)), FS, speed_hz=25.0, kinematics=gear)
    assert row["mesh_1x_m_s2"] == pytest.approx(2 / math.sqrt(2), rel=1e-4)
    assert math.isnan(row["mesh_2x_m_s2"])  # 1150 Hz lies above what is usable: 1000 Hz
    assert row["sideband_ratio_driving"] == pytest.approx(depth, rel=1e-3)
    assert row["sidebands_driving_m_s2"] == pytest.approx(2 * depth / 2, rel=1e-3)
    assert row["sideband_ratio_driven"] < 0.01


@BY_ALL
@pytest.mark.parametrize("beta", [0.3, 1.2])
def test_the_sidebands_of_a_frequency_modulated_mesh(row_of: RowOf, beta: float) -> None:
    """cos(φ + β sin θ) = Σ J_k(β) cos(φ + kθ), and J_k(β) is the mean of cos(kθ - β sin θ) over a turn."""
    turn = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    bessel = [abs(float(np.cos(k * turn - beta * np.sin(turn)).mean())) for k in range(7)]
    gear = {"mesh_order": 23.0, "driven_order": 23 / 91}
    row = row_of(_mesh(beta * np.sin(2 * np.pi * 23 / 91 * 25 * T)), FS, speed_hz=25.0, kinematics=gear)
    assert row["sideband_ratio_driven"] == pytest.approx(2 * sum(bessel[1:]) / bessel[0], rel=5e-3)
    sides = math.sqrt(2 * sum(b**2 for b in bessel[1:]))
    assert row["sidebands_driven_m_s2"] == pytest.approx(2 * sides / math.sqrt(2), rel=2e-3)
    assert row["mesh_1x_m_s2"] == pytest.approx(2 * bessel[0] / math.sqrt(2), rel=2e-3)
    # What swings in frequency keeps its energy: J0² + 2 ΣJ_k² = 1.
    assert bessel[0] ** 2 + sides**2 == pytest.approx(1, abs=1e-6)


@BY_ALL
def test_harmonics_of_the_mesh_in_usable_range(row_of: RowOf) -> None:
    """k·17 x 18 Hz, A = 1, 2, 3: A/√2 each."""
    x = sum(k * np.sin(2 * np.pi * k * 306 * T) for k in (1, 2, 3))
    row = row_of(np.asarray(x), FS, speed_hz=18.0, kinematics={"mesh_order": 17.0})
    assert [row[f"mesh_{k}x_m_s2"] for k in (1, 2, 3)] == pytest.approx(
        [k / math.sqrt(2) for k in (1, 2, 3)], rel=1e-3
    )
    assert math.isnan(row["sidebands_driven_m_s2"])


# Vanes, belts, supply ---------------------------------------------------------------------------------


@BY_ALL
def test_vanes_and_belts(row_of: RowOf) -> None:
    """The belt's two lines add as energies: √(1.5² + 2²) = 2.5."""
    x = _velocity_tones({4 * 14.83: 3.0, 0.61 * 14.83: 1.5, 1.22 * 14.83: 2.0, 14.83: 7.0})
    row = row_of(x, FS, speed_hz=14.83, kinematics={"vane_order": 4.0, "belt_order": 0.61})
    assert row["vane_pass_mm_s"] == pytest.approx(3, rel=2e-3)
    assert row["belt_mm_s"] == pytest.approx(2.5, rel=2e-3)
    assert row["order_1x_mm_s"] == pytest.approx(7, rel=2e-3)


@BY_ALL
def test_twice_the_supply_is_told_apart_from_the_fourth_order(row_of: RowOf) -> None:
    """100 Hz beside 4 x 24.75 Hz: 1 Hz is 8 lines of 8 s, and 4 lines of 4 s: there it is not told."""
    x = _velocity_tones({100.0: 1.0, 99.0: 3.0})
    row = row_of(x, FS, speed_hz=24.75, kinematics={"supply_hz": 50.0})
    assert row["twice_supply_mm_s"] == pytest.approx(1, rel=2e-3)
    short = row_of(x[: N // 2], FS, speed_hz=24.75, kinematics={"supply_hz": 50.0})
    assert math.isnan(short["twice_supply_mm_s"])
    alone = row_of(_velocity_tones({100.0: 1.0})[: N // 2], FS, kinematics={"supply_hz": 50.0})
    assert alone["twice_supply_mm_s"] == pytest.approx(1, rel=2e-3)
    too_short = row_of(x[: N // 4], FS, kinematics={"supply_hz": 50.0})
    assert math.isnan(too_short["twice_supply_mm_s"])


@BY_ALL
def test_pole_pass_sidebands_of_the_speed(row_of: RowOf) -> None:
    """Both sidebands add as energies: √(0.3² + 0.4²) = 0.5, whatever stands at the speed itself."""
    x = _velocity_tones({24.75: 5.0, 24.75 - 1.0: 0.3, 24.75 + 1.0: 0.4})
    row = row_of(x, FS, speed_hz=24.75, kinematics={"pole_pass_hz": 1.0})
    assert row["pole_pass_mm_s"] == pytest.approx(0.5, rel=2e-3)


# Cepstrum ---------------------------------------------------------------------------------------------


@BY_ALL
@pytest.mark.parametrize("a", [0.2, 0.5, 0.8])
def test_an_echo_reads_half_its_amplitude_in_the_cepstrum(row_of: RowOf, a: float) -> None:
    """δ(t) + a δ(t - T) has |X|² = 1 + a² + 2a cos ωT, and the floor adds ε = 0.01 (1 + a²) to it.

    That is C (1 + b² + 2b cos ωT) with C·b = a and C(1 + b²) = 1 + a² + ε, whose ½ ln reads b/2 at T:
    a/2 but for the floor.
    """
    n, turn = HIGH_N, 400
    x = np.zeros(n)
    x[n // 2 - turn // 2], x[n // 2 + turn // 2] = 1.0, a  # where the window weighs both alike
    row = row_of(x, HIGH_FS, speed_hz=HIGH_FS / turn)
    middle = 1.01 * (1 + a * a) / a  # (1 + b²)/b
    b = (middle - math.sqrt(middle**2 - 4)) / 2
    assert row["cepstrum_driving"] == pytest.approx(b / 2, rel=2e-3)
    assert row["cepstrum_driving"] == pytest.approx(a / 2, rel=0.07 if a < 0.8 else 0.1)


@BY_ALL
def test_an_echo_of_noise_reads_near_half_its_amplitude(row_of: RowOf) -> None:
    """½ ln of a squared gaussian scatters by π/√24 a bin: some 1.5·0.64·√(2/N) = 0.009 in the cepstrum."""
    s = np.random.default_rng(9).standard_normal(HIGH_N + 600)
    row = row_of(
        s[600:] + 0.5 * s[:-600], HIGH_FS, speed_hz=2 * HIGH_FS / 600, kinematics={"driven_order": 0.5}
    )
    assert row["cepstrum_driven"] == pytest.approx(0.25, abs=0.04)
    assert abs(row["cepstrum_driving"]) < 0.05


# Settling sensors -------------------------------------------------------------------------------------


@BY_ALL
def test_a_tail_that_begins_in_the_block_has_the_slope_minus_2(row_of: RowOf) -> None:
    """e^{-t/τ} from its beginning on: |A| = 1/|1/τ + jω| ~ 1/ω for ωτ » 1, and velocity ~ 1/ω²."""
    since = T - T[N // 2]
    x = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 1.0), 0.0)
    row = row_of(x, FS)
    assert row["ski_slope"] == pytest.approx(-2, abs=0.02)
    # V ~ 1/ω⁴: ∫ of 2-10 Hz over that of 10-1000 Hz is (1/2³ - 1/10³)/(1/10³ - 1/1000³) = 124.
    assert row["ski_ratio"] == pytest.approx(124, rel=0.1)


@BY_ALL
def test_a_tail_that_began_before_the_block_falls_faster_still(row_of: RowOf) -> None:
    """The Hann window rises as t² from the edge: one jump in the second derivative, A ~ 1/ω³, V ~ 1/ω⁴."""
    assert row_of(np.exp(-T / 3.0), FS)["ski_slope"] == pytest.approx(-4, abs=0.05)


@BY_ALL
def test_noise_has_the_slope_of_its_integration(row_of: RowOf) -> None:
    """A constant density over ω: -1, give or take the scatter of 49 lines over two octaves (±0.25)."""
    row = row_of(np.random.default_rng(10).standard_normal(N), FS)
    assert row["ski_slope"] == pytest.approx(-1, abs=0.6)
    # ∫ 1/f²: (1/2 - 1/10)/(1/10 - 1/1000) = 4.04.
    assert row["ski_ratio"] == pytest.approx(4.04, rel=0.5)
