"""The remaining life of a point from its hourly rows, and how it is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest.watch import Watch
from ingest.watch_life import (
    BACK_NS,
    GROWTH_HOURS,
    Course,
    courses_of,
    doubling_days_of,
    lasting_of,
    life_of,
    soonest,
    spread_of_hours,
)
from ingest.watch_parts import Watched
from ingest.watch_rows import life_rows
from models.advice import Lasting
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
    (found,) = courses_of(point())
    return replace(found, level=2.3, spread=0.05)


def hourly(growth_h: float, *, channel: str = "H") -> Table:
    """A velocity that stands, then grows to so many times itself in so many hours."""
    hours = np.arange(HOURS)
    rng = np.random.default_rng(5)
    level = 2.3 * np.exp(np.maximum(0, hours - ONSET) / growth_h) * np.exp(0.02 * rng.standard_normal(HOURS))
    where = (("P-101",) * HOURS, ("2",) * HOURS, (channel,) * HOURS)
    return Table(hours * HOUR_NS, *where, {"velocity_rms_mm_s_mean": level, "blocks": np.ones(HOURS)})


def test_a_velocity_that_grows_into_its_alert_has_a_life() -> None:
    life = life_of(course(), hourly(300.0))
    assert isinstance(life, RemainingLife)
    left = 300.0 * np.log(9.5 / 2.3) - (HOURS - ONSET)
    assert 0 < life.p10 < life.p50 < life.p90
    assert lasting_of(life, 7) == Lasting(7, life.p10)
    assert life.p10 < left < 2 * life.p90


def test_what_does_not_grow_has_none() -> None:
    assert isinstance(life_of(course(), hourly(1e9)), Refusal)
    other = life_of(course(), hourly(300.0, channel="V"))
    assert other == Refusal("too_few_points", "wait_for_points")


def test_what_is_asked_is_a_season_of_what_the_limits_judge() -> None:
    ask = course().ask(BACK_NS + 7)
    assert (ask.measurement, ask.fields) == ("feature_hourly", ("velocity_rms_mm_s_mean", "blocks"))
    assert (ask.machine, ask.point, ask.start_ns, ask.end_ns) == ("P-101", "2", 7, BACK_NS + 7)


def test_without_limits_and_baseline_nothing_can_be_asked() -> None:
    unjudged = replace(point(), alert=np.nan, danger=np.nan)
    assert courses_of(unjudged) == ()


def test_of_several_courses_the_soonest_end_is_told() -> None:
    slow, fast = (life_of(course(), hourly(growth)) for growth in (330.0, 300.0))
    assert isinstance(slow, RemainingLife)
    assert isinstance(fast, RemainingLife)
    refused = Refusal("no_degradation", "keep_watching")
    lives = [(course(), refused), (course(), slow), (course(), fast)]
    assert soonest(lives)[1] is fast
    assert soonest(lives[:1])[1] is refused
    wide = Refusal("interval_too_wide", "wait_for_points")
    assert soonest([lives[0], (course(), wide)])[1] is wide


@pytest.mark.parametrize("life", [Refusal("no_degradation", "keep_watching"), None])
def test_a_life_is_one_row_of_the_schema(life: Refusal | None) -> None:
    told = life or life_of(course(), hourly(300.0))
    rows = life_rows(pump.PLACE, 5, "H/velocity_rms_mm_s", 9.5, told)
    assert set(rows.fields) == set(measurement("life").names)
    assert rows.fields["method"] == ["refused" if life else "mixture"]
    assert np.isnan(np.asarray(rows.fields["p10_h"], dtype=np.float64)[0]) == (life is not None)


def test_what_rises_doubles_in_so_many_days() -> None:
    days = doubling_days_of(course(), hourly(300.0))
    assert list(days) == ["H/velocity_rms_mm_s"]
    assert days["H/velocity_rms_mm_s"] == pytest.approx(np.log(2) * 300 / 24, rel=0.05)


def test_what_stands_or_is_too_young_does_not_double() -> None:
    assert doubling_days_of(course(), hourly(1e9)) == {}
    whole, n = hourly(300.0), GROWTH_HOURS - 1
    where = (whole.machine[-n:], whole.point[-n:], whole.channel[-n:])
    columns = {name: values[-n:] for name, values in whole.columns.items()}
    assert doubling_days_of(course(), Table(whole.ts_ns[-n:], *where, columns)) == {}


@pytest.mark.parametrize(("together", "of_hours"), [(0.0, 0.05 / np.sqrt(60)), (1.0, 0.05)])
def test_blocks_that_hang_together_say_no_more_than_the_hours_they_make(
    together: float, of_hours: float
) -> None:
    """Sixty blocks an hour, which a load moves together or not at all."""
    rng = np.random.default_rng(3)
    own, load = rng.standard_normal((500, 60)), rng.standard_normal((500, 1))
    values = np.exp(0.05 * (np.sqrt(1 - together) * own + np.sqrt(together) * load)).mean(axis=1)
    assert spread_of_hours(0.05, values, np.full(500, 60.0)) == pytest.approx(of_hours, rel=0.15)


def test_a_course_that_grows_from_its_first_hour_has_the_spread_of_a_block() -> None:
    values = np.exp(np.linspace(0, 2, 50))
    assert spread_of_hours(0.05, values, np.full(50, 60.0)) == 0.05
    assert np.isnan(spread_of_hours(np.nan, values, np.full(50, 60.0)))
