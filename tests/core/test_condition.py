"""VDI 3832's condition number, and the law of the kurtosis of ringing shocks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.features.condition import (
    HIGHEST_DUTY,
    Condition,
    condition_class,
    condition_number,
    impulsive,
    shock_duty,
    shock_kurtosis,
)


def test_levels_k_times_as_high_are_one_over_k_squared() -> None:
    k = np.array([[1.0, 1.2, 2.0], [3.0, 8.0, 0.9]])
    found = condition_number(0.7 * k, 3.1 * k, rms_new=0.7, peak_new=3.1)
    assert found == pytest.approx(1 / k**2)
    assert condition_number(1.4, [3.1, 6.2], rms_new=0.7, peak_new=3.1) == pytest.approx([0.5, 0.25])


def test_each_bearing_has_its_own_reference_and_float32_features_do() -> None:
    rms, peak = np.float32([[1, 2], [3, 4]]), np.float32([[5, 6], [7, 8]])
    found = condition_number(rms, peak, rms_new=rms[0], peak_new=peak[0])
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array([[1, 1], [5 / 21, 12 / 32]]))


@pytest.mark.parametrize("unknown", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize("which", range(4))
def test_an_unknown_level_gives_no_condition(which: int, unknown: float) -> None:
    levels = [1.0, 2.0, 1.0, 2.0]
    levels[which] = unknown
    rms, peak, rms_new, peak_new = levels
    found = condition_number([rms, 1.0], peak, rms_new=rms_new, peak_new=peak_new)
    assert np.isnan(found[0])
    assert condition_class(found)[0] == Condition.UNKNOWN


def test_classes_have_the_limits_of_the_guideline() -> None:
    told = {
        2.0: Condition.NEW, 1.0: Condition.NEW, 0.999: Condition.GOOD, 0.501: Condition.GOOD,
        0.5: Condition.INFLUENCES, 0.2: Condition.INFLUENCES, 0.199: Condition.PROGRESSING,
        0.02: Condition.PROGRESSING, 0.0199: Condition.DAMAGED, 0.0: Condition.DAMAGED,
        np.nan: Condition.UNKNOWN,
    }  # fmt: skip
    assert condition_class(list(told)).tolist() == list(told.values())
    assert condition_class(np.zeros((2, 3))).shape == (2, 3)
    assert condition_class(0.7) == Condition.GOOD


@pytest.mark.parametrize(
    ("f_d", "f_n", "zeta", "says"),
    [
        (121.3, 2800.0, 0.03, True),  # outer ring of a slurry pump: duty 0.23
        (53.5, 3200.0, 0.03, True),
        (2273.0, 7500.0, 0.04, False),  # inner ring of a spindle: duty 1.2
    ],
)
def test_slow_bearings_ring_out_and_fast_ones_do_not(f_d: float, f_n: float, zeta: float, says: bool) -> None:
    assert shock_duty(f_d, f_n, zeta) == pytest.approx(f_d / (2 * math.pi * f_n * zeta))
    assert bool(impulsive(f_d, f_n, zeta)) is says


@pytest.mark.parametrize(("duty", "off"), [(0.02, 4e-3), (0.1, 4e-3), (0.3, 0.03)])
def test_ringing_shocks_have_the_kurtosis_of_the_law(duty: float, off: float) -> None:
    """One period is all there is to know: each shock rings on in the next ones, e^(-1/duty) of it. The law
    leaves out terms of ζ² (0.3 %) and, at 0.3, that ringing."""
    f_n, zeta, fs, per = 3000.0, 0.03, 3e6, 50_000
    f_d = fs / per
    f_n *= f_d / duty / (2 * math.pi * f_n * zeta)  # the resonance whose ringing has this duty
    t = np.arange(20 * per) / fs
    x = (np.exp(-2 * np.pi * f_n * zeta * t) * np.sin(2 * np.pi * f_n * t)).reshape(20, per).sum(axis=0)
    kurtosis = np.mean(x**4) / np.mean(x**2) ** 2
    assert shock_duty(f_d, f_n, zeta) == pytest.approx(duty)
    assert shock_kurtosis(duty) == pytest.approx(kurtosis, rel=off)


def test_beyond_the_law_nothing_is_said() -> None:
    assert np.isnan(shock_kurtosis([HIGHEST_DUTY + 1e-9, 1.2, np.nan, 0.0])).all()
    assert impulsive(100.0, [3000.0, np.nan, 0.0], 0.03).tolist() == [True, False, False]
