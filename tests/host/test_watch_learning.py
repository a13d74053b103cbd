"""How a point comes by its baseline, and what is said of it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.judging import Assessed
from ingest.watch_batch import baseline_row
from ingest.watch_learning import DAY_NS, Gathering, Learning, asks, reopened, status
from ingest.watch_parts import FEATURE, PointModel
from models.detection.baseline import BASELINE_TOO_SHORT
from models.types import State
from palier.historian.sqlite import SqliteHistorian
from palier.operations import Baseline, BaselineStatus
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, Host

NOW_NS = pump.LEARNED_NS


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = Host(SqliteHistorian(tmp_path / "historian.sqlite"))
    yield one
    one.historian.close()


@pytest.fixture
def gathered(tmp_path: Path) -> Iterator[Host]:
    one = pump.gathered_host(tmp_path)
    yield one
    one.historian.close()


def loud(k: int) -> Assessed:
    """A block in zone C."""
    sound = pump.sound()[0]
    return pump.at(replace(sound, features=sound.features * np.float32(4)), k)


def test_while_learning_the_standard_alone_judges(host: Host) -> None:
    host.commit([pump.healthy(0)])
    said = host.state().judgement
    assert (said.state, said.learning, said.zone) == (State.NORMAL, True, "A")
    for k in range(1, 30):
        host.commit([loud(k)])
        assert (host.state().judgement.state, host.state().judgement.zone) == (State.ALERT, "C")
    assert host.state().judgement.learning


def test_progress_is_told_and_stands_still_in_alarm(host: Host) -> None:
    host.commit([pump.healthy(k) for k in range(300)])
    told = host.watching.baselines[pump.PUMP]
    assert (told.status, told.progress) == (BaselineStatus.LEARNING, 0.3)
    host.commit([loud(k) for k in range(300, 350)])
    assert host.watching.learning[PLACE].blocks == 300
    assert not host.watching.due()
    assert [row.version for row in host.baselines.values()] == [1]


def test_what_was_in_alarm_or_refused_is_not_learned(gathered: Host) -> None:
    assert gathered.watching.due() == (PLACE,)
    calm = gathered.fit(NOW_NS)
    gathered.commit([loud(k) for k in range(1010, 1110)])
    after = gathered.fit(NOW_NS + 100 * round(pump.EVERY_S * 1e9))
    assert isinstance(calm, PointModel)
    assert isinstance(after, PointModel)
    assert after.baseline.blocks == calm.baseline.blocks
    assert np.array_equal(after.baseline.sigma, calm.baseline.sigma, equal_nan=True)


def test_a_day_after_an_intervention_is_not_learned(gathered: Host) -> None:
    one = gathered.watching.watch.watched(PLACE)
    assert one is not None
    gathering = Gathering(one)
    gathering.add(*gathered.whole(asks(one, Learning(), NOW_NS)))
    done_ns = round((pump.T0_S + 86_400) * 1e9)
    refused = gathering.fit(version=1, features_of_machine=17, interventions_ns=[done_ns])
    assert refused == BASELINE_TOO_SHORT
    again = Learning(blocks=1010, days=8).again(BASELINE_TOO_SHORT)
    assert (again.due, again.try_at, again.refused) == (False, 1060, "baseline_too_short")


def test_what_the_historian_gives_is_learned_as_it_came(gathered: Host) -> None:
    model = gathered.fit(NOW_NS)
    assert isinstance(model, PointModel)
    features = np.array([pump.healthy(k).scored.features for k in range(1010)])
    known = ~np.isnan(features).any(axis=0)
    assert np.allclose(model.levels[known], np.median(features, axis=0)[known], rtol=1e-6)
    assert np.isnan(model.levels[np.isnan(features).all(axis=0)]).all()
    again = PointModel.from_text(model.to_text())
    assert again.to_text() == model.to_text()


def test_a_machine_is_learned_once_no_point_that_brings_blocks_is_missing() -> None:
    before = Baseline("P-101")
    far, near, silent = Learning(blocks=1000, days=8), Learning(blocks=900, days=7), Learning()
    assert status(before, [(far, True), (near, False)], 5).progress == 0.9
    assert status(before, [(far, True), (silent, False)], 5).status is BaselineStatus.LEARNED
    assert status(before, [(far, False), (silent, False)], 5).status is BaselineStatus.LEARNING
    confirmed = replace(before, status=BaselineStatus.CONFIRMED)
    assert status(confirmed, [(far, True)], 5) is confirmed


def test_opened_again_it_forgets_and_learns_from_a_day_after_the_intervention(tmp_path: Path) -> None:
    host = pump.learned_host(tmp_path)
    host.commit([pump.healthy(1010)])
    assert not host.state().judgement.learning
    told = Baseline(pump.PUMP, version=2, opened_ns=NOW_NS, since_ns=NOW_NS)
    host.keep(host.watching.opened(told, [NOW_NS - DAY_NS // 2]))
    learning = host.watching.learning[PLACE]
    assert (learning.version, learning.since_ns) == (2, NOW_NS + DAY_NS // 2)
    host.commit([pump.healthy(1011)])
    assert host.state().judgement.learning
    assert learning == reopened(told, [NOW_NS - DAY_NS // 2])
    host.baselines[pump.PUMP, 2] = baseline_row(PLACE[0], told)  # who asked for it wrote it
    assert pump.restarted(host).watch.watched(PLACE).model is None  # type: ignore[union-attr]
    host.historian.close()


def test_shocks_of_a_spiking_cable_are_not_learned(gathered: Host) -> None:
    sound = pump.sound()[0]
    features = sound.features.copy()
    features[:, FEATURE["spikes"]] = 50
    features[:, FEATURE["kurtosis"]] = 40
    gathered.commit([pump.at(replace(sound, features=features), k) for k in range(1010, 1410)])
    model = gathered.fit(NOW_NS + 400 * round(pump.EVERY_S * 1e9))
    assert isinstance(model, PointModel)
    assert (model.levels[:, FEATURE["kurtosis"]] < 10).all()
    assert model.baseline.blocks == 1410
