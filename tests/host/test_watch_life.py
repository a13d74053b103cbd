"""The remaining life of a point from its hourly rows, how it is written, and how states are packed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.watch import Watch
from ingest.watch_life import BACK_NS, Course, course_of, life_of
from ingest.watch_packing import pack, unpack
from ingest.watch_parts import Watched
from ingest.watch_rows import life_rows
from models.prognosis import RemainingLife
from models.types import Refusal
from palier.historian.base import Table
from palier.historian.rows import HOUR_NS
from palier.historian.schema import measurement
from tests.support import watched_pump as pump

HOURS = 60 * 24
ONSET = 45 * 24


def point(machine: str = "P-101", name: str = "2") -> Watched:
    one = Watch.of(pump.knowledge()).watched((pump.PLACE[0], machine, name))
    assert one is not None
    return one


def course() -> Course:
    found = course_of(point())
    assert found is not None
    return replace(found, level=2.3, spread=0.05)


def hourly(growth_h: float, *, channel: str = "H") -> Table:
    """A velocity that stands, then grows to so many times itself in so many hours."""
    hours = np.arange(HOURS)
    rng = np.random.default_rng(5)
    level = 2.3 * np.exp(np.maximum(0, hours - ONSET) / growth_h) * np.exp(0.02 * rng.standard_normal(HOURS))
    where = (("P-101",) * HOURS, ("2",) * HOURS, (channel,) * HOURS)
    return Table(hours * HOUR_NS, *where, {"velocity_rms_mm_s_mean": level})


def test_a_velocity_that_grows_into_its_alert_has_a_life() -> None:
    life = life_of(course(), hourly(300.0))
    assert isinstance(life, RemainingLife)
    left = 300.0 * np.log(9.5 / 2.3) - (HOURS - ONSET)
    assert 0 < life.p10 < life.p50 < life.p90
    assert life.p10 < left < 2 * life.p90


def test_what_does_not_grow_has_none() -> None:
    assert isinstance(life_of(course(), hourly(1e9)), Refusal)
    other = life_of(course(), hourly(300.0, channel="V"))
    assert other == Refusal("too_few_points", "wait_for_points")


def test_what_is_asked_is_a_season_of_what_the_limits_judge() -> None:
    ask = course().ask(BACK_NS + 7)
    assert (ask.measurement, ask.fields) == ("feature_hourly", ("velocity_rms_mm_s_mean",))
    assert (ask.machine, ask.point, ask.start_ns, ask.end_ns) == ("P-101", "2", 7, BACK_NS + 7)


def test_without_limits_and_baseline_nothing_can_be_asked() -> None:
    unjudged = replace(point(), alert=np.nan, danger=np.nan)
    assert course_of(unjudged) is None


@pytest.mark.parametrize("life", [Refusal("no_degradation", "keep_watching"), None])
def test_a_life_is_one_row_of_the_schema(life: Refusal | None) -> None:
    told = life or life_of(course(), hourly(300.0))
    rows = life_rows(pump.PLACE, 5, "H/velocity_rms_mm_s", 9.5, told)
    assert set(rows.fields) == set(measurement("life").names)
    assert rows.fields["method"] == ["refused" if life else "mixture"]
    assert np.isnan(np.asarray(rows.fields["p10_h"], dtype=np.float64)[0]) == (life is not None)


ARRAYS = {"a": np.arange(12.0).reshape(3, 4), "b": np.array([True, False, True]), "c": np.zeros((3, 0))}


def test_a_packed_state_comes_back_to_the_bit() -> None:
    arrays = {**ARRAYS, "a": np.where(ARRAYS["a"] > 5, np.nan, ARRAYS["a"])}
    for i, text in zip((2, 0), pack(arrays, [2, 0]), strict=True):
        again = unpack(text, arrays)
        assert again is not None
        assert all(again[name].tobytes() == arrays[name][[i]].tobytes() for name in arrays)
        assert unpack(text, {**arrays, "d": np.zeros(3)}) is None


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: pack(ARRAYS, [0])[0] + b.hex()))
def test_what_does_not_begin_as_packed_is_not_read(text: str) -> None:
    found = unpack(text, ARRAYS)
    assert found is None or text.startswith(pack(ARRAYS, [0])[0])
