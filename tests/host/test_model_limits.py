"""A model of the registry that takes too long: its blocks are stored and judged without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.model_scoring import Installed
from ingest.model_timed import STRIKES, ModelError, Pace
from ingest.watch_batch import Watched
from models.types import State
from tests.support import watched_pump as pump
from tests.support.fake_models import FakeBundle
from tests.support.waiting import eventually
from tests.support.watched_pump import PLACE, Host

FIRST = pump.LEARNED + 1


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = pump.learned_host(tmp_path)
    yield one
    one.historian.close()


def scored_by(step: Watched) -> list[str]:
    rows = [r for r in step.rows if r.measurement == "model_score"]
    return [str(name) for r in rows for name in r.fields["model"]]


def test_a_model_that_hangs_is_left_behind_and_the_block_is_stored(host: Host) -> None:
    going_on, ended = threading.Event(), threading.Event()

    def hangs(history: Any) -> list[float]:
        going_on.wait(100)
        ended.set()
        return [2.0] * len(history)

    bundles = (FakeBundle(places=(PLACE,), score_of=hangs), FakeBundle(places=(PLACE,)))
    found = [
        Installed.of(name, 4, "in force", bundle, Pace(limit_s))  # type: ignore[arg-type]
        for name, bundle, limit_s in zip(("slow", "quick"), bundles, (0.05, 60.0), strict=True)
    ]
    host.watching = replace(host.watching, models=host.watching.models.having(found))
    step = host.commit([pump.healthy(FIRST)])
    again = host.commit([pump.healthy(FIRST + 1)])  # it is still at the first: nobody waits for it
    assert not ended.is_set()
    going_on.set()
    assert ended.wait(60)
    for one in (step, again):
        assert scored_by(one) == ["quick"]
        assert [spec for spec, _ in one.model_failures] == ["slow:4"]
        assert one.assessed[0].said.state is State.NORMAL
    assert ("slow:4", PLACE) not in host.watching.models.held


def test_a_model_that_is_too_slow_three_times_is_set_aside() -> None:
    pace, done = Pace(0.01), threading.Event()
    asked = []

    def slow() -> None:
        asked.append(1)
        done.wait(100)

    for _ in range(STRIKES + 2):
        with pytest.raises(ModelError, match="set aside"):
            pace(slow)
        done.set()
        eventually(
            lambda: not any(t.name == "ingest-model-ask" for t in threading.enumerate()), 60, "its end"
        )
        done.clear()
    assert len(asked) == STRIKES
    assert pace.is_aside
    with pytest.raises(ModelError):
        pace(lambda: 1)


def test_one_that_is_still_at_work_is_not_asked_again_and_then_goes_on() -> None:
    pace, done = Pace(0.01), threading.Event()
    with pytest.raises(ModelError):
        pace(lambda: done.wait(100))
    with pytest.raises(ModelError):
        pace(lambda: 1)
    done.set()
    eventually(lambda: not any(t.name == "ingest-model-ask" for t in threading.enumerate()), 60, "its end")
    assert Pace()(lambda: 7) == 7
    assert not pace.is_aside


def test_what_a_model_raises_comes_through() -> None:
    def broken() -> None:
        raise FloatingPointError("a strange number")

    with pytest.raises(FloatingPointError):
        Pace()(broken)
