"""Rows of what is remembered of points, and their two texts: every bit comes back, nothing else is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.watch_packing import Layout


def arrays(n: int, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {
        "flags": rng.random((n, 5)) < 0.5,
        "time_s": np.where(rng.random(n) < 0.5, np.nan, rng.random(n)),
        "noise": rng.standard_normal((n, 3)).astype(np.float32),
        "means": rng.standard_normal((n, 4, 3)).astype(np.float16),
        "none": np.zeros((n, 0)),
    }


def layout(**other: npt.NDArray[Any]) -> Layout:
    return Layout({**arrays(1), **other}, seldom="means", tag="time_s", noisy=("noise",))


def same(left: dict[str, npt.NDArray[Any]], right: dict[str, npt.NDArray[Any]]) -> bool:
    return all(left[name].tobytes() == right[name].tobytes() for name in right)


@given(st.integers(0, 2**31), st.integers(1, 4))
def test_what_is_kept_comes_back_to_the_bit(seed: int, n: int) -> None:
    told, kept = arrays(n, seed), layout()
    rows, fresh = kept.rows(told), kept.rows(arrays(1, 9))[0]
    assert same(kept.arrays(rows), told)
    assert [kept.read(kept.often(row), kept.seldom(row), fresh) for row in rows] == rows


def test_what_changes_seldom_is_of_its_time_or_is_not_believed() -> None:
    kept = layout()
    row, other, fresh = (kept.rows({**arrays(1, k), "time_s": np.array([float(k)])})[0] for k in range(3))
    assert kept.has_turned(row, other)
    for seldom in ("", kept.seldom(other), "2:nothing"):
        again = kept.read(kept.often(row), seldom, fresh)
        assert again is not None
        found, first = kept.arrays([again]), kept.arrays([fresh])
        assert found["means"].tobytes() == first["means"].tobytes()
        assert found["noise"].tobytes() == kept.arrays([row])["noise"].tobytes()


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: layout().often(ROW)[:11] + b.hex()))
def test_what_is_no_text_of_this_layout_is_not_read(text: str) -> None:
    assert layout().read(text, "", ROW) is None


@pytest.mark.parametrize("cut", [12, 20, -8])
def test_half_a_text_is_not_read(cut: int) -> None:
    assert layout().read(layout().often(ROW)[:cut], "", ROW) is None


def test_another_layout_is_another_mark() -> None:
    wider = layout(more=np.zeros((1, 2)))
    assert (
        wider.read(
            layout().often(ROW), layout().seldom(ROW), wider.rows({**arrays(1), "more": np.zeros((1, 2))})[0]
        )
        is None
    )


ROW = layout().rows(arrays(1))[0]
