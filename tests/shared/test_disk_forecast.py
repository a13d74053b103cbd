"""When a disk will be full: by what others fill, and by what each of our own stores may still take."""

from __future__ import annotations

import pytest

from palier.disk_forecast import DAY_S, LEAST_S, Sample, days_left

GB = 10**9

Held = tuple[int, ...]


def days(
    free: tuple[int, int], held: tuple[Held, Held], *, room: int, allowed: Held, over_s: float = DAY_S
) -> float | None:
    """What is told of two samples, in GB."""
    samples = [
        Sample(at_s, left * GB, tuple(gb * GB for gb in of_each))
        for at_s, left, of_each in zip((0.0, over_s), free, held, strict=True)
    ]
    return days_left(samples, room * GB, [gb * GB for gb in allowed])


def test_what_others_fill_counts_down() -> None:
    assert days((30, 28), ((5,), (5,)), room=20, allowed=(0,)) == pytest.approx(10)


def test_our_own_growth_ends_at_the_budgets() -> None:
    assert days((30, 28), ((5,), (7,)), room=20, allowed=(100,)) == pytest.approx(10)
    assert days((30, 28), ((5,), (7,)), room=20, allowed=(12,)) is None


def test_a_store_that_fills_its_budget_fast_is_not_taken_to_fill_that_of_another() -> None:
    """Waveforms at first: eight GB a day until eight are full; the historian has room for years."""
    assert days((50, 42), ((0, 0), (8, 0)), room=40, allowed=(0, 64)) is None
    assert days((50, 41), ((0, 0), (8, 1)), room=39, allowed=(0, 64)) == pytest.approx(39)


def test_ours_and_others_together() -> None:
    # 2 a day are ours and 1 is others': after 5 days our 10 are full and 5 of others', 5 days more
    assert days((30, 27), ((5,), (7,)), room=20, allowed=(10,)) == pytest.approx(10)


def test_a_disk_that_empties_is_never_full() -> None:
    assert days((20, 25), ((5,), (5,)), room=20, allowed=(5,)) is None


def test_rows_that_we_delete_are_no_growth_of_others() -> None:
    assert days((20, 22), ((7,), (5,)), room=20, allowed=(5,)) is None


def test_a_short_look_tells_nothing() -> None:
    assert days((30, 28), ((5,), (5,)), room=20, allowed=(0,), over_s=LEAST_S - 1) is None
    assert days_left([], 10, []) is None


@pytest.mark.parametrize("room", [0, -1])
def test_where_the_room_is_taken_no_day_is_left(room: int) -> None:
    assert days_left([], room, []) == 0
