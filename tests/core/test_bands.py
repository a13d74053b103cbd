"""Limits of single features: the closed forms, and what must hold for every level and spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection.bands import feature_bands, standard_limits, z_of, zone_bands
from models.detection.zones import LimitKind, LimitSet

LEVEL, SPREAD = st.floats(0.05, 20), st.floats(0.05, 1)


def test_z_is_5_until_a_month_and_then_4() -> None:
    assert [z_of(d) for d in (7, 29.9, 30, 400)] == [5, 5, 4, 4]
    assert z_of(30, 12) == 4
    assert z_of(30, 40) == pytest.approx(4.276, abs=1e-3)  # 40 features alarm as often as 12
    assert z_of(7, 40) == pytest.approx(5.229, abs=2e-3)


def test_alert_is_the_baseline_plus_a_quarter_of_b_c_as_in_iso_20816() -> None:
    assert zone_bands(0.8, 0.05, 5, 4.5, 7.1).alert == pytest.approx(1.925)


def test_alert_follows_the_spread_where_it_is_wider_and_stops_at_b_c() -> None:
    assert zone_bands(0.8, 0.2, 5, 4.5, 7.1).alert == pytest.approx(0.8 * np.e)
    assert zone_bands(4.0, 0.2, 5, 4.5, 7.1).alert == 4.5
    assert zone_bands(4.0, 0.2, 5, 4.5, 7.1, signed=1.25).alert == pytest.approx(1.25 * 4.5)
    assert zone_bands(4.0, 0.2, 5, 4.5, 7.1).danger == 7.1


@pytest.mark.parametrize("signed", [0.9, 1.26, np.nan])
def test_nobody_signs_for_more_than_the_standard_allows(signed: float) -> None:
    with pytest.raises(ValueError, match=r"must be 1 to 1\.25"):
        zone_bands(4.0, 0.2, 5, 4.5, 7.1, signed=signed)


def test_without_a_baseline_the_zones_stand_alone() -> None:
    found = zone_bands(np.nan, np.nan, np.nan, 4.5, 7.1)
    assert (float(found.alert), float(found.danger)) == (4.5, 7.1)
    assert np.isnan(found.low)


def test_without_zones_nothing_is_made_up() -> None:
    found = zone_bands([1.0, np.nan], 0.1, 5, np.nan, np.nan)
    assert np.isnan([found.alert, found.danger]).all()


def test_features_without_zones() -> None:
    found = feature_bands([1.0, 1.0], [0.1, 0.3], 5)
    assert found.alert == pytest.approx([2, np.exp(1.5)])
    assert found.danger == pytest.approx([4, np.exp(2.1)])
    assert found.low == pytest.approx([1 / 4, np.exp(-2.1)])


@given(LEVEL, SPREAD, st.sampled_from([4.0, 5.0]))
def test_limits_stand_in_order(level: float, sigma: float, z: float) -> None:
    zone, plain = zone_bands(level, sigma, z, 4.5, 7.1), feature_bands(level, sigma, z)
    assert zone.alert <= 4.5 < zone.danger
    assert zone.low < level
    assert plain.low < level < plain.alert <= plain.danger
    assert zone.alert >= min(4.5, level + 0.25 * 4.5) - 1e-12


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (LimitKind.ZONES, (2.3, 4.5, 7.1), (4.5, 7.1)),
        (LimitKind.THREE_VALUES, (4.5, 7.1, 9.0), (7.1, 9.0)),
        (LimitKind.TWO_VALUES, (80.0, 95.0), (80.0, 95.0)),
    ],
)
def test_alert_and_danger_of_a_standard(
    kind: LimitKind, values: tuple[float, ...], expected: tuple[float, float]
) -> None:
    row = LimitSet("x", "s", "e", "s", "none", "velocity_rms_mm_s", kind, values)
    assert standard_limits(row) == expected
    assert np.isnan(standard_limits(None)).all()
