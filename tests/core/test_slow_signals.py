"""A slow signal that tells one value for hours is stuck, unless it always did so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from models.detection.slow_signals import MEMORY, STUCK_S, Steadiness


def after(values: Iterable[float], every_s: float = 60.0) -> tuple[Steadiness, float]:
    """What is known after these values, and when the last was told."""
    first, *others = values
    told, at_s = Steadiness(first, 0.0), 0.0
    for value in others:
        at_s += every_s
        told = told.heard(at_s, value)
    return told, at_s


LIVELY = np.random.default_rng(1).normal(70, 5, 600).round(1).tolist()


def test_a_signal_that_freezes_is_stuck_after_half_a_shift_and_well_again_at_its_next_value() -> None:
    told, at_s = after([*LIVELY, *[71.3] * 242])
    assert not told.is_stuck(told.since_s + STUCK_S - 1)
    assert told.is_stuck(at_s)
    assert not told.heard(at_s + 60, 71.4).is_stuck(at_s + 60)


@pytest.mark.parametrize(
    "values",
    [
        [75.0] * 2000,
        [*np.repeat([60.0, 75.0, 80.0, 75.0], 300).tolist(), *[75.0] * 400],
        [*LIVELY, *[0.0] * 200],
    ],
    ids=["a set point", "one that changes with the shift", "a stop of three hours"],
)
def test_a_signal_that_stands_still_by_its_nature_is_not(values: list[float]) -> None:
    told, at_s = after(values)
    assert not told.is_stuck(at_s)


def test_few_readings_are_no_proof_however_long_they_take() -> None:
    told, at_s = after([*LIVELY[:100], *[71.3] * 8], every_s=3600.0)
    assert not told.is_stuck(at_s)


def test_its_past_is_forgotten_in_time() -> None:
    told, _ = after(np.arange(MEMORY + 100, dtype=float).tolist())
    assert told.before <= MEMORY
    assert told.changes == told.before
