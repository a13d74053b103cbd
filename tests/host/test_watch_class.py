"""What past lives of a class teach the remaining life of the next one, and what counts as such a life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.watch import Watch
from ingest.watch_class import ClassLives, ended_of, taught
from ingest.watch_life import courses_of, life_of
from ingest.watch_parts import Watched
from models.prognosis import ClassHistory, RemainingLife
from palier.historian.base import Historian, Rows, Table
from palier.historian.rows import HOUR_NS, InterventionRow
from palier.historian.sqlite import SqliteHistorian
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, POINT, PUMP

VELOCITY = "velocity_rms_mm_s"
LIFE_H, ONSET_H = 400, 200
GROWTH_H = (70.0, 100.0, 130.0)


def watch() -> Watch:
    return Watch.of(pump.knowledge())


def point() -> Watched:
    one = watch().watched(PLACE)
    assert one is not None
    return one


def level(hours: np.ndarray, growth_h: float, seed: int) -> np.ndarray:
    """A velocity that stands, then grows to e times itself in so many hours."""
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal(len(hours)))
    return 2.3 * np.exp(np.maximum(0, hours - ONSET_H) / growth_h) * noise


def repaired(k: int, kind: str = "bearing_changed", where: str = POINT) -> InterventionRow:
    """The repair that ends the k-th life."""
    at_ns = (k + 1) * LIFE_H * HOUR_NS
    return InterventionRow(f"r{k}", PLACE[0], PUMP, where, kind, at_ns, at_ns, "karim", "")


def hourly(growths: Sequence[float]) -> Rows:
    """The hourly rows of lives one after the other."""
    hours = np.arange(LIFE_H)
    values = np.concatenate([level(hours, growth, k) for k, growth in enumerate(growths)])
    n = len(values)
    tags = ([PLACE[0]] * n, [PUMP] * n, [POINT] * n, ["H"] * n)
    columns = {f"{VELOCITY}_mean": values, "blocks": np.full(n, 6), "zone": ["A"] * n}
    return Rows("feature_hourly", *tags, np.arange(n, dtype=np.int64) * HOUR_NS, columns)


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[Historian]:
    one = SqliteHistorian(tmp_path / "historian.sqlite")
    yield one
    one.close()


def known(
    historian: Historian,
    done: Sequence[InterventionRow],
    *,
    lives: ClassLives | None = None,
    danger: float | None = None,
    now_h: int = 10 * LIFE_H,
) -> tuple[ClassHistory | None, int]:
    """What is taught in the end, and the turns that it took."""
    lives, one = lives or ClassLives(), point()
    one = one if danger is None else replace(one, danger=danger)
    for turn in range(100):
        found = lives.turn(historian, Watch([one]), one, done, now_h * HOUR_NS)
        if found is not None:
            return found[VELOCITY], turn
    raise AssertionError("it never ended")


def test_lives_that_ran_into_danger_are_the_prior_of_the_next(historian: Historian) -> None:
    historian.write([hourly(GROWTH_H)])
    history, turns = known(historian, [repaired(k) for k in range(3)])
    assert history is not None
    assert (history.lives, turns) == (3, 3)
    assert 1 / max(GROWTH_H) < history.slope_mean < 2 / min(GROWTH_H)  # of what is above health
    assert history.slope_variance >= (0.5 * history.slope_mean) ** 2
    hours = np.arange(ONSET_H + 70)  # of the fourth: little to go by
    table = Table(
        (3 * LIFE_H + hours) * HOUR_NS, (PUMP,) * len(hours), (POINT,) * len(hours), ("H",) * len(hours),
        {f"{VELOCITY}_mean": level(hours, 100.0, 9), "blocks": np.full(len(hours), 6.0)},
    )  # fmt: skip
    course = replace(courses_of(point())[0], level=2.3, spread=0.02, alert=3.0)
    told, untold = (life_of(course, table, history=prior) for prior in (history, None))
    assert isinstance(told, RemainingLife)
    assert isinstance(untold, RemainingLife)
    assert told.p90 / told.p10 <= untold.p90 / untold.p10
    assert {"lives": 3} in [assumption.params for assumption in told.assumptions]
    assert "no_class_history" in [assumption.key for assumption in untold.assumptions]
    left = 100.0 * np.log(course.danger / 2.3) - 70
    assert told.p10 < left < told.p90


def test_what_was_repaired_in_time_or_greased_is_no_life(historian: Historian) -> None:
    historian.write([hourly((70.0, 1e9, 80.0))])
    history, _ = known(historian, [repaired(0), repaired(1), repaired(2, "greasing")])
    assert history is None  # one life alone teaches no spread
    both, _ = known(historian, [repaired(0), repaired(1), repaired(2)])
    assert both is not None
    assert both.lives == 2


def test_a_life_is_held_to_the_limits_of_now(historian: Historian) -> None:
    historian.write([hourly(GROWTH_H)])
    lives, done = ClassLives(), [repaired(k) for k in range(3)]
    assert known(historian, done, lives=lives, danger=1000.0) == (None, 3)  # none of them got so far
    history, turns = known(historian, done, lives=lives)
    assert history is not None
    assert (history.lives, turns) == (3, 3)
    assert known(historian, done, lives=lives)[1] == 0  # nothing is read twice


def test_a_life_whose_last_hours_may_be_on_their_way_waits(historian: Historian) -> None:
    historian.write([hourly(GROWTH_H)])
    done = [repaired(k) for k in range(3)]
    soon, _ = known(historian, done, now_h=3 * LIFE_H + 23)
    later, _ = known(historian, done, now_h=3 * LIFE_H + 24)
    assert soon is not None
    assert later is not None
    assert (soon.lives, later.lives) == (2, 3)


def test_without_repairs_the_answer_is_the_one_without_a_history(historian: Historian) -> None:
    assert known(historian, []) == (None, 0)
    assert taught([]) is None


def test_only_lives_of_the_same_kind_and_place_count() -> None:
    site, done = PLACE[0], [repaired(0), repaired(1, where="1"), repaired(2, where="")]
    found = ended_of(watch(), site, "pump", VELOCITY, done)
    assert sorted(one.id for one in found) == ["r0/2", "r1/1", "r2/1", "r2/2"]
    assert ended_of(watch(), site, "fan", VELOCITY, done) == []
    last = next(one for one in found if one.id == "r2/2")
    assert (last.start_ns, last.end_ns) == (LIFE_H * HOUR_NS, 3 * LIFE_H * HOUR_NS)
