"""A spectrum for the screen: few rows, and nothing high is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.features import thin_spectrum


@given(
    st.integers(2, 5000),
    st.sampled_from([0.02, 0.25, 1.0, 6.25]),
    st.integers(2, 500),
    st.integers(0, 2**32 - 1),
)
def test_few_rows_in_order_each_a_line_and_the_highest_among_them(
    lines: int, df: float, max_rows: int, seed: int
) -> None:
    amplitude = np.random.default_rng(seed).exponential(size=lines)
    frequency = np.arange(lines) * df
    f, a = thin_spectrum(frequency, amplitude, max_rows)
    assert len(f) == len(a) <= max_rows
    assert (np.diff(f) > 0).all()
    np.testing.assert_array_equal(a, amplitude[np.rint(f / df).astype(int)])
    assert a.max() == amplitude.max()


def test_every_line_below_1_khz_is_kept_as_far_as_the_budget_goes() -> None:
    frequency = np.arange(2001) * 5.0
    f, _ = thin_spectrum(frequency, np.ones(2001), 400)
    assert set(frequency[frequency <= 1000]) <= set(f)
    above = f[f > 1000]
    assert 100 < above.size <= 199
    assert np.diff(above)[-1] > 3 * np.diff(above)[0]  # spaced by ratio


def test_more_lines_below_1_khz_than_rows_are_thinned_too() -> None:
    frequency = np.arange(51_201) * 0.25
    amplitude = np.full(51_201, 0.01)
    amplitude[[99, 4000 - 1, 4000 + 777]] = (3.0, 2.0, 1.0)
    f, a = thin_spectrum(frequency, amplitude)
    assert len(f) <= 400
    assert {24.75, 999.75, 1194.25} <= set(f)
    assert sorted(a)[-3:] == [1.0, 2.0, 3.0]


def test_a_short_spectrum_stays_as_it_is_in_arrays_of_its_own() -> None:
    frequency, amplitude = np.arange(5.0), np.ones(5)
    f, a = thin_spectrum(frequency, amplitude)
    np.testing.assert_array_equal(f, frequency)
    f[0] = a[0] = 9
    assert frequency[0] == 0
    assert amplitude[0] == 1


@pytest.mark.parametrize(
    ("f", "a", "rows"),
    [
        ([1, 2], [1], 400),
        ([[1]], [[1]], 400),
        ([1, 2, 3], [1, 2, 3], 1),
        ([1, 2, 3], [1, 2, 3], 2.5),
        ([3, 2, 1], [1, 2, 3], 2),
        ([0, 0, 0], [1, 2, 3], 2),
        ([-1, 0, 1], [1, 2, 3], 2),
        ([0, np.nan, 1], [1, 2, 3], 2),
    ],
)
def test_a_spectrum_that_is_none_is_refused(f: object, a: object, rows: int) -> None:
    with pytest.raises(ValueError, match=r"must .*\bgot "):
        thin_spectrum(f, a, rows)  # type: ignore[arg-type]
