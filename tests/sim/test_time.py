"""What is a function of time: draws, speed, load, stops and temperatures, in any order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.draws import Floats, generator, key_of, normals, uniform, uniforms
from simulators.machines.duty import COAST_S, START_S, Drive, Duty, Regime, Stops
from simulators.machines.shaft import Wander, turn
from simulators.machines.thermal import Air, Housing

NOW_S = 1_792_000_000.0


def test_draws_have_their_distribution_and_their_own_streams() -> None:
    index = np.arange(-50_000, 50_000)
    flat, bell = uniforms(key_of(1, "a"), index), normals(key_of(1, "a"), index)
    assert flat.mean() == pytest.approx(0.5, abs=0.005)
    assert flat.var() == pytest.approx(1 / 12, rel=0.02)
    assert bell.mean() == pytest.approx(0.0, abs=0.01)
    assert np.mean(bell**4) == pytest.approx(3.0, rel=0.05)
    assert abs(np.corrcoef(flat[1:], flat[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(flat, uniforms(key_of(2, "a"), index))[0, 1]) < 0.01


def test_a_draw_is_never_zero_and_never_one() -> None:
    for mixed, bound in ((2**64 - 1, 1.0), (0, 0.0)):
        z = mixed  # backwards through the generator, to the key of its highest and its lowest number
        z ^= (z >> 31) ^ (z >> 62)
        z = z * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
        z ^= (z >> 27) ^ (z >> 54)
        z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
        z ^= (z >> 30) ^ (z >> 60)
        drawn = uniform(z)
        assert drawn == pytest.approx(bound, abs=1e-15)
        assert drawn != bound


def test_names_of_a_stream_are_told_apart() -> None:
    assert len({key_of(1, "ab", "c"), key_of(1, "a", "bc"), key_of(1, "abc"), key_of(11, "abc")}) == 4
    assert generator(key_of(1), "a").uniform() != generator(key_of(1), "b").uniform()
    assert 2.0 < uniform(key_of(3), 2.0, 3.0) < 3.0


@given(shift=st.floats(-1e6, 1e6), span=st.floats(1.0, 1e4))
def test_a_wandering_value_is_the_same_in_any_window(shift: float, span: float) -> None:
    wander, key = Wander(sd=0.01, tau_s=5.0), key_of(4)
    times = NOW_S + shift + np.linspace(0, span, 21)
    whole = wander.at(times, key)
    alone = [wander.at(times[k : k + 1], key)[0] for k in (0, 7, 20)]
    np.testing.assert_allclose(whole[[0, 7, 20]], alone, atol=1e-12)


def test_wander_keeps_its_spread_and_forgets_in_its_time() -> None:
    times = NOW_S + np.arange(0, 100_000, 2.5)
    values = Wander(sd=0.01, tau_s=20.0).at(times, key_of(4))
    assert values.std() == pytest.approx(0.01, rel=0.1)
    lag = 8  # 20 s
    assert np.corrcoef(values[lag:], values[:-lag])[0, 1] == pytest.approx(math.exp(-1), abs=0.1)


def test_the_angle_is_the_integral_of_the_speed() -> None:
    turning = turn(np.linspace(10.0, 12.0, 33), phase=0.5, n=25600, fs_hz=25600.0)
    assert turning.theta[-1] - 0.5 == pytest.approx(2 * math.pi * 11.0, rel=1e-3)
    assert turning.mean_hz == pytest.approx(11.0, rel=1e-3)
    np.testing.assert_allclose(turning.cos(3.0), np.cos(3 * turning.theta), atol=1e-5)


def drive(**changes: object) -> Drive:
    kept: dict[str, object] = {
        "duty": Duty(),
        "nominal_hz": 25.0,
        "droop": 0.01,
        "wander": Wander(0.0, 1.0),
        "key": key_of(1),
    }
    return Drive(**{**kept, **changes})  # type: ignore[arg-type]


def at(*offsets: float) -> Floats:
    return NOW_S + np.array(offsets)


def test_a_stop_coasts_stands_and_starts_again() -> None:
    one = drive(stops=Stops(((NOW_S, NOW_S + 3600),)))
    speeds = one.speed_hz(at(-1, COAST_S / 2, COAST_S, 3000, 3600 + START_S / 2, 3601 + START_S))
    assert speeds[0] == pytest.approx(25.0, rel=0.01)
    assert speeds[1] == pytest.approx(12.5, rel=0.02)
    assert list(speeds[2:4]) == [0.0, 0.0]
    assert speeds[4] == pytest.approx(12.5, rel=0.02)
    assert speeds[5] == pytest.approx(25.0, rel=0.01)
    regimes = [one.regime(NOW_S + t) for t in (-10, 30, 600, 3610, 3700)]
    assert regimes == [
        Regime.RUNNING, Regime.TRANSIENT, Regime.STOPPED, Regime.TRANSIENT, Regime.RUNNING
    ]  # fmt: skip
    assert one.load(at(600))[0] == 0.0


def test_planned_stops_come_again_and_a_last_one_never_ends() -> None:
    weekly = Stops(every_s=604_800.0, lasting_s=7200.0, origin_s=NOW_S)
    assert list(weekly.share(at(3600, -604_800 + 3600, 10_000))) == [0.0, 0.0, 1.0]
    assert Stops(((NOW_S, math.inf),)).share(at(1e9))[0] == 0.0


def test_load_slows_the_shaft_by_its_slip() -> None:
    one = drive()
    full, idle = (one.speed_hz(at(0), np.array([load]))[0] for load in (1.0, 0.0))
    assert (idle - full) / 25.0 == pytest.approx(0.01, rel=1e-6)


def test_a_reversing_mill_stands_between_its_passes() -> None:
    one = drive(duty=Duty(mean=0.9, idle=0.2, on_s=12.0, off_s=6.0, reversing=True))
    speeds = one.speed_hz(NOW_S + np.arange(0, 360, 0.5))
    assert speeds.min() == 0.0
    assert (speeds > 20.0).mean() > 0.25


def constant_heading(value: float) -> object:
    return lambda times_s: np.full(times_s.size, value)


@given(tau_s=st.floats(300, 4000), moment=st.floats(0, 1e6))
def test_a_housing_comes_to_rest_where_it_heads(tau_s: float, moment: float) -> None:
    housing = Housing(rise_k=30, tau_s=tau_s)
    assert housing.at(NOW_S + moment, lambda t: np.full(t.size, 55.0)) == pytest.approx(55.0, abs=1e-6)


def test_a_housing_warms_by_its_time_constant() -> None:
    housing = Housing(rise_k=30, tau_s=2700.0)
    step = NOW_S

    def heading(times_s: Floats) -> Floats:
        return np.where(times_s < step, 20.0, 50.0)

    warmed = [housing.at(step + part * 2700.0, heading) for part in (0.0, 1.0, 3.0)]
    assert warmed == pytest.approx([20.0, 50 - 30 / math.e, 50 - 30 * math.exp(-3)], abs=0.5)


def test_a_temperature_has_no_jumps() -> None:
    housing = Housing(rise_k=30, tau_s=2700.0)

    def heading(times_s: Floats) -> Floats:
        return 40 + 10 * np.sin(times_s / 2000)

    values = [housing.at(NOW_S + t, heading) for t in np.arange(0, 300, 1.0)]
    assert np.abs(np.diff(values)).max() < 0.01


def test_the_air_is_warmest_in_the_afternoon_and_in_summer() -> None:
    air = Air(mean_c=24, swing_c=5, season_c=6, weather=Wander(0.0, 1.0))
    midnight = 1_791_936_000.0
    hours = air.at(midnight + 3600.0 * np.arange(24.0, dtype=np.float64), 0)
    assert int(np.argmax(hours)) == 15
    months = air.at(midnight + 86400 * 30.0 * np.arange(12.0, dtype=np.float64), 0)
    assert np.ptp(months) == pytest.approx(12, abs=1)
