"""What a mounting leaves of the features and of the bands that are demodulated."""

from __future__ import annotations

import numpy as np
import pytest

from models.features.bands import DEFAULT_BANDS
from models.features.catalogue import CATALOGUE
from models.features.mounting import USABLE_HZ, usable_bands, usable_features, usable_hz

INDEX = {spec.name: i for i, spec in enumerate(CATALOGUE)}


def test_a_stud_refuses_nothing_and_the_sensor_may() -> None:
    assert usable_features(usable_hz("stud")).all()
    assert usable_hz("stud", 6300.0) == 6300.0
    assert usable_hz("magnet", 6300.0) == 2000.0


@pytest.mark.parametrize("mounting", USABLE_HZ)
def test_velocity_is_left_by_every_mounting(mounting: str) -> None:
    assert usable_features(usable_hz(mounting))[INDEX["velocity_rms_mm_s"]]


def test_what_reaches_above_the_band_is_refused() -> None:
    left = usable_features(usable_hz("magnet"))
    assert left[INDEX["band_500_1000_m_s2"]]
    assert not left[INDEX["band_1000_2500_m_s2"]]  # a part of it is the magnet's own resonance
    assert not left[INDEX["band_1000_10000_m_s2"]]


def test_a_better_mounting_leaves_more() -> None:
    counts = [int(usable_features(USABLE_HZ[m]).sum()) for m in ("handheld", "magnet", "magnet_flat", "stud")]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == len(CATALOGUE)


def test_bands_end_where_the_mounting_does() -> None:
    assert usable_bands(np.inf) == DEFAULT_BANDS
    assert usable_bands(2000.0) == ((500.0, 1000.0), (1000.0, 2000.0))
    assert usable_bands(1700.0) == ((500.0, 1000.0),)
    assert usable_bands(100.0) == ((500.0, 1000.0),)


def test_a_band_of_its_own_is_taken_where_it_can_be_heard() -> None:
    assert usable_bands(10_000.0, (3200.0, 4800.0)) == ((3200.0, 4800.0),)
    assert usable_bands(4500.0, (3200.0, 4800.0)) == ((3200.0, 4500.0),)
    assert usable_bands(2000.0, (3200.0, 4800.0)) == usable_bands(2000.0)


def test_an_unknown_mounting_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="mounting must be one of stud, glue"):
        usable_hz("tape")
